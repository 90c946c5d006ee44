package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// AlignModes lists the ways in which Align reconciles spatial sizes.
var AlignModes = []string{"none", "resize", "crop", "pad"}

// CheckAlignMode refuses a name that is none of AlignModes.
func CheckAlignMode(how string) error {
	if slices.Contains(AlignModes, how) {
		return nil
	}
	return fmt.Errorf("unknown way %q: want one of %s", how, strings.Join(AlignModes, ", "))
}

// Align brings rank-4 feature maps to one height and width, as U-Net does with
// its skip connections: resize (by o.Mode) and pad (with zeros around) to the
// largest height and the largest width, crop to the smallest ones. A crop
// takes the centre, from floor((large-small)/2) on, and pad puts an array
// there. none leaves all as they are.
func Align(xs []graph.Array, how string, o ResizeOptions) ([]graph.Array, error) {
	if how == "none" {
		return xs, nil
	}
	axes := o.Layout.Spatial(4)
	var to [2]int
	for i, x := range xs {
		s := x.Shape()
		if len(s) != 4 {
			return nil, graph.Errorf(x, "shape %v: --align takes feature maps of 4 dimensions, %s", s, o.Layout)
		}
		for k, a := range axes {
			switch {
			case i == 0:
				to[k] = s[a]
			case how == "crop":
				to[k] = min(to[k], s[a])
			default:
				to[k] = max(to[k], s[a])
			}
		}
	}
	out := make([]graph.Array, len(xs))
	for i, x := range xs {
		s := x.Shape()
		var err error
		switch {
		case s[axes[0]] == to[0] && s[axes[1]] == to[1]:
			out[i] = x
		case how == "resize":
			out[i], err = Resize(x, to[0], to[1], o)
		case how == "crop":
			out[i] = crop(x, to, o.Layout)
		default:
			out[i], err = pad(x, to, o.Layout)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// hintAlign adds what to do about sizes that differ.
func hintAlign(e *graph.Error, x graph.Array) *graph.Error {
	if len(x.Shape()) != 4 {
		return e
	}
	return e.Hint("concat, add and mul bring feature maps to one height and width with --align crop, pad or resize")
}

// asPlanes is x seen as [images, height, width, elements of a position], which
// is what either layout comes to.
func asPlanes(x graph.Array, l shape.Layout) graph.Array {
	s, axes := x.Shape(), l.Spatial(4)
	return reshape(x, shape.Shape{int(s.Product(0, axes[0])), s[axes[0]], s[axes[1]], int(s.Product(axes[1]+1, 4))})
}

// withSize is x's shape at another height and width.
func withSize(x graph.Array, to [2]int, l shape.Layout) shape.Shape {
	s := x.Shape().Clone()
	for k, a := range l.Spatial(4) {
		s[a] = to[k]
	}
	return s
}

// pad is x in the middle of zeros.
func pad(x graph.Array, to [2]int, l shape.Layout) (graph.Array, error) {
	out := withSize(x, to, l)
	if _, err := out.Check(x.DType().Size()); err != nil {
		return nil, graph.Errorf(x, "the result is too large: %v", err)
	}
	p := asPlanes(x, l)
	s := p.Shape()
	z := &stuffed{stride: [2]int{1, 1}, before: [2]int{(to[0] - s[1]) / 2, (to[1] - s[2]) / 2}}
	z.unary = unary{computed{op: "pad", dt: x.DType(), sh: shape.Shape{s[0], to[0], to[1], s[3]}}, p}
	return reshape(z, out), nil
}

// cropped is the middle of planes [N,H,W,C].
type cropped struct {
	unary
	top, left int
}

// crop is the middle of x.
func crop(x graph.Array, to [2]int, l shape.Layout) graph.Array {
	p := asPlanes(x, l)
	s := p.Shape()
	c := &cropped{top: (s[1] - to[0]) / 2, left: (s[2] - to[1]) / 2}
	c.unary = unary{computed{op: "crop", dt: x.DType(), sh: shape.Shape{s[0], to[0], to[1], s[3]}}, p}
	return reshape(c, withSize(x, to, l))
}

func (*cropped) Flops() int64 { return 0 }

func (c *cropped) row() int64 { return c.sh.Product(2, 4) }

func (c *cropped) Tiling() graph.Tiling { return graph.Tiling{Unit: c.row()} }

func (c *cropped) Memory(n int64) int64 {
	rows := n/max(c.row(), 1) + 1
	return wholeRowsMemory(n, c.row())*c.size() + graph.MemoryOf(c.x, rows*c.x.Shape().Product(2, 4))
}

func (c *cropped) Read(ctx context.Context, dst []byte, off int64) error {
	s := c.x.Shape()
	line, height := s.Product(2, 4), int64(c.sh[1])
	return wholeRows(dst, off, c.row(), c.size(), func(dst []byte, row, n int64) error {
		for n > 0 {
			image, y := row/height, row%height
			take := min(n, height-y)
			r := graph.Region{
				Off:  (image*int64(s[1])+y+int64(c.top))*line + int64(c.left*s[3]),
				Runs: take, Len: c.row(), Stride: line,
			}
			part := dst[:take*c.row()*c.size()]
			if err := graph.ReadRegion(ctx, c.x, part, r); err != nil {
				return err
			}
			dst, row, n = dst[len(part):], row+take, n-take
		}
		return nil
	})
}
