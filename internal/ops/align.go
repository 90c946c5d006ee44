package ops

import (
	"context"
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// AlignModes lists the ways in which Align reconciles spatial sizes.
var AlignModes = []string{"none", "resize", "crop", "pad"}

// Align brings maps of as many spatial axes to one size, as U-Net does with its
// skip connections: resize (by o.Mode) and pad (with zeros around) to the largest
// extent along each axis, crop to the smallest ones. A crop takes the centre, from
// floor((large-small)/2) on, and pad puts an array there. none leaves all as they
// are.
func Align(xs []graph.Array, how string, o ResizeOptions) ([]graph.Array, error) {
	if how == "none" {
		return xs, nil
	}
	var to []int
	forms := make([]shape.Layout, len(xs))
	for i, x := range xs {
		var err error
		if forms[i], err = movesOver("--align", x, o.Layout, 0); err != nil {
			return nil, err
		}
		size := spatialSize(x, forms[i])
		if i == 0 {
			to = size
		} else if len(size) != len(to) {
			return nil, graph.Errorf(x, "shape %v: --align takes maps of as many dimensions as %s, which has %v", x.Shape(), graph.NameOf(xs[0]), xs[0].Shape())
		}
		for k, extent := range size {
			if how == "crop" {
				to[k] = min(to[k], extent)
			} else {
				to[k] = max(to[k], extent)
			}
		}
	}
	out := make([]graph.Array, len(xs))
	for i, x := range xs {
		var err error
		o.Layout = forms[i]
		switch {
		case slices.Equal(spatialSize(x, forms[i]), to):
			out[i] = x
		case how == "resize":
			out[i], err = Resize(x, to, o)
		case how == "crop":
			out[i] = crop(x, to, forms[i])
		default:
			out[i], err = pad(x, to, forms[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// spatialSize is the extents of a map's spatial axes.
func spatialSize(x graph.Array, form shape.Layout) []int {
	var size []int
	for _, a := range form.Spatial() {
		size = append(size, x.Shape()[a])
	}
	return size
}

// withSize is x's shape with other spatial extents, and the first of these axes.
func withSize(x graph.Array, to []int, form shape.Layout) (shape.Shape, int) {
	s := x.Shape().Clone()
	first := form.Spatial()[0]
	copy(s[first:], to)
	return s, first
}

// pad is x in the middle of zeros.
func pad(x graph.Array, to []int, form shape.Layout) (graph.Array, error) {
	out, first := withSize(x, to, form)
	if err := checkSize(x, out); err != nil {
		return nil, err
	}
	axes := make([]insertion, len(to))
	for i := range to {
		axes[i] = insertion{(to[i] - x.Shape()[first+i]) / 2, 1}
	}
	return insertZeros("pad", x, first, axes, out), nil
}

// cropped is the middle of maps [n,z,y,x,inner].
type cropped struct {
	unary
	from [maxSpatial]int
}

// crop is the middle of x.
func crop(x graph.Array, to []int, form shape.Layout) graph.Array {
	out, first := withSize(x, to, form)
	maps := volumes(x, first, len(to))
	s := maps.Shape().Clone()
	c := &cropped{}
	for i, extent := range to {
		a := maxSpatial - len(to) + i
		c.from[a] = (s[1+a] - extent) / 2
		s[1+a] = extent
	}
	c.unary = unary{computed{op: "crop", dt: x.DType(), sh: s}, maps}
	return reshape(c, out)
}

func (*cropped) Flops() int64 { return 0 }

func (c *cropped) row() int64 { return c.sh.Product(3, 5) }

func (c *cropped) Tiling() graph.Tiling { return graph.Tiling{Unit: c.row()} }

func (c *cropped) Memory(n int64) int64 {
	rows := n/max(c.row(), 1) + 1
	return wholeRowsMemory(n, c.row())*c.size() + graph.MemoryOf(c.x, rows*c.x.Shape().Product(3, 5))
}

func (c *cropped) Read(ctx context.Context, dst []byte, off int64) error {
	s := c.x.Shape()
	line, height, depth := s.Product(3, 5), int64(c.sh[2]), int64(c.sh[1])
	return wholeRows(dst, off, c.row(), c.size(), func(dst []byte, row, n int64) error {
		for n > 0 {
			plane, y := row/height, row%height
			image, z := plane/depth, plane%depth+int64(c.from[0])
			take := min(n, height-y)
			r := graph.Region{
				Off:  ((image*int64(s[1])+z)*int64(s[2])+y+int64(c.from[1]))*line + int64(c.from[2]*s[4]),
				Runs: take, Len: c.row(), Stride: line,
			}
			rows := dst[:take*c.row()*c.size()]
			if err := graph.ReadRegion(ctx, c.x, rows, r); err != nil {
				return err
			}
			dst, row, n = dst[len(rows):], row+take, n-take
		}
		return nil
	})
}
