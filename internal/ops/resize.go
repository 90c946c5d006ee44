package ops

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// ResizeModes lists the modes of Resize.
var ResizeModes = []string{"bilinear", "nearest", "nearest-exact", "bicubic"}

// CheckResizeMode refuses a name that is none of ResizeModes.
func CheckResizeMode(mode string) error {
	if slices.Contains(ResizeModes, mode) {
		return nil
	}
	return fmt.Errorf("unknown mode %q: want one of %s", mode, strings.Join(ResizeModes, ", "))
}

// ResizeOptions refine Resize.
type ResizeOptions struct {
	Mode         string  // one of ResizeModes
	AlignCorners bool    // bilinear, bicubic: the corners' centres coincide, in place of the edges
	CubicCoeff   float64 // bicubic: the coefficient of Keys's kernel; 0: DefaultCubicCoeff
	// ExcludeOutside drops the taps of bicubic that lie outside the map and brings
	// the sum of the others to 1, as TensorFlow and JAX do; otherwise they are the
	// nearest inside, as PyTorch has it.
	ExcludeOutside bool
	// Scale is how many positions of the result, along either axis, stand for one
	// of x: the step is its reciprocal, as PyTorch's interpolate has it under
	// scale_factor, and ONNX. 0: the quotient of the extents.
	Scale  [2]float64
	Layout shape.Layout
}

// DefaultCubicCoeff is PyTorch's and OpenCV's coefficient; Keys (1981) and
// TensorFlow have -0.5.
const DefaultCubicCoeff = -0.75

// Resize scales the two spatial axes of a rank-4 feature map to height by
// width. bilinear and bicubic have half-pixel centres without antialiasing, as
// tf.image.resize (bilinear) and torch's interpolate, on float arrays; nearest
// takes source position floor(i·in/out), as torch's; nearest-exact takes the
// pixel whose centre is nearest, as TensorFlow's. AlignCorners is for bilinear
// and bicubic, as PyTorch's align_corners.
func Resize(x graph.Array, height, width int, o ResizeOptions) (graph.Array, error) {
	s := x.Shape()
	if len(s) != 4 {
		return nil, graph.Errorf(x, "shape %v: resizing takes a feature map of 4 dimensions, %s", s, o.Layout)
	}
	axes := o.Layout.Spatial(4)
	g := plane{outer: s.Product(0, axes[0]), inner: s.Product(axes[1]+1, 4)}
	out := s.Clone()
	out[axes[0]], out[axes[1]] = height, width
	if s[axes[0]] == 0 || s[axes[1]] == 0 {
		return nil, graph.Errorf(x, "shape %v has no pixels to resize", s)
	}
	if height < 1 || width < 1 {
		return nil, graph.Errorf(x, "shape %v would be resized to %d by %d: want at least 1 by 1", s, height, width)
	}
	if _, err := out.Check(max(x.DType().Size(), 4)); err != nil {
		return nil, graph.Errorf(x, "the result is too large: %v", err)
	}
	nearest := strings.HasPrefix(o.Mode, "nearest")
	if o.AlignCorners && nearest {
		return nil, &graph.Error{Msg: fmt.Sprintf("mode %s has no corners to align: --align-corners goes with bilinear and bicubic", o.Mode)}
	}
	if o.ExcludeOutside && o.Mode != "bicubic" {
		return nil, &graph.Error{Msg: fmt.Sprintf("mode %s has no taps outside: --exclude-outside goes with bicubic", o.Mode)}
	}
	g.y, g.x = axisWeights(s[axes[0]], height, o.Scale[0], o), axisWeights(s[axes[1]], width, o.Scale[1], o)
	if nearest {
		return &resized{computed: computed{op: "resize", dt: x.DType(), sh: out}, maps: x, plane: g}, nil
	}
	xs, t, err := needFloat(o.Mode+" resizing", []graph.Array{x})
	if err != nil {
		return nil, err
	}
	work := cast(xs[0], t.Compute())
	r := resized{computed: computed{op: "resize", dt: work.DType(), sh: out}, maps: work, plane: g, blend: true}
	if o.Mode == "bicubic" {
		return cast(newCubic(&r, cmp.Or(o.CubicCoeff, DefaultCubicCoeff), o.ExcludeOutside), t), nil
	}
	return cast(&r, t), nil
}

// plane is an array seen as [outer, height, width, inner], with where each
// position of the result comes from.
type plane struct {
	outer, inner int64
	y, x         axisPlan
}

// axisPlan says for each position along an axis between which two source
// positions it lies, and how far from the first to the second.
type axisPlan struct {
	in     int
	lo, hi []int32
	frac   []float64
}

// axisWeights is the plan of an axis of in positions resized to out by a scale, 0
// being out/in.
func axisWeights(in, out int, scale float64, o ResizeOptions) axisPlan {
	p := axisPlan{in, make([]int32, out), make([]int32, out), make([]float64, out)}
	step, step32 := float64(in)/float64(out), float32(in)/float32(out)
	if scale != 0 && (in != out || o.Mode != "bilinear") { // PyTorch copies what bilinear leaves as large
		step = 1 / scale
		step32 = float32(step)
	}
	for i := range out {
		var at float64
		switch {
		case o.Mode == "nearest":
			at = math.Floor(float64(float32(i) * step32)) // float32, as torch has it
		case o.Mode == "nearest-exact":
			at = math.Floor((float64(i) + 0.5) * step)
		case o.AlignCorners:
			at = float64(i) * float64(in-1) / float64(max(out-1, 1))
		default:
			at = (float64(i)+0.5)*step - 0.5
		}
		if o.Mode == "bicubic" {
			at = min(max(at, -2), float64(in+1)) // no tap is inside beyond these
		} else {
			at = min(max(at, 0), float64(in-1))
		}
		lo := int(math.Floor(at))
		p.lo[i], p.hi[i], p.frac[i] = int32(lo), int32(min(lo+1, in-1)), at-float64(lo)
	}
	return p
}

// resized scales rows, then blends pairs of them.
type resized struct {
	computed
	plane
	maps  graph.Array
	blend bool
}

func (r *resized) Operands(visit func(*graph.Array)) { visit(&r.maps) }

func (r *resized) row() int64    { return int64(len(r.x.lo)) * r.inner }
func (r *resized) srcRow() int64 { return int64(r.x.in) * r.inner }

// Tiling takes several rows, since neighbours share their source rows.
func (r *resized) Tiling() graph.Tiling {
	return graph.Tiling{Unit: r.row(), Size: min(8*r.row(), 1<<20)}
}

func (r *resized) Flops() int64 {
	if !r.blend {
		return 0
	}
	return 6 * r.sh.Len() // three blends of two
}

func (r *resized) Memory(n int64) int64 {
	read := r.atOnce() * r.srcRow()
	return (2*r.row()+graph.PeekBuffer(r.maps, read)+wholeRowsMemory(n, r.row()))*r.size() + graph.MemoryOf(r.maps, read)
}

func (r *resized) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(dst, off, r.row(), r.size(), func(dst []byte, row, n int64) error {
		return r.rows(ctx, dst, row, n)
	})
}

// readAhead is the bytes up to which source rows are read several at once, since
// a read of few bytes takes little less time than one of many.
const readAhead = 64 << 10

// atOnce is how many source rows are read at once: one, where most are skipped.
func (r *resized) atOnce() int64 {
	if r.y.in > 4*len(r.y.lo) {
		return 1
	}
	return max(readAhead/max(r.srcRow()*r.size(), 1), 1)
}

// sourceRows are source rows that have been read, n from number first on.
type sourceRows struct {
	r        *resized
	data     []byte
	first, n int64
	buf      []byte
}

// open begins to read source rows, in a buffer to be put back.
func (r *resized) open() sourceRows {
	return sourceRows{r: r, buf: graph.GetBuffer(r.atOnce() * r.srcRow() * r.size())}
}

// row is source row number i, counted over all images and channels.
func (s *sourceRows) row(ctx context.Context, i int64) ([]byte, error) {
	r := s.r
	row, bytes := r.srcRow(), r.srcRow()*r.size()
	if i < s.first || i >= s.first+s.n {
		n := min(r.atOnce(), r.outer*int64(r.y.in)-i)
		data, err := graph.Peek(ctx, r.maps, s.buf[:n*bytes], graph.OneRun(i*row, n*row))
		if err != nil {
			return nil, err
		}
		s.data, s.first, s.n = data, i, n
	}
	at := (i - s.first) * bytes
	return s.data[at : at+bytes], nil
}

// rows computes n result rows. Of the two scaled source rows that it blends,
// it keeps what the next row needs again.
func (r *resized) rows(ctx context.Context, dst []byte, row, n int64) error {
	bytes := r.row() * r.size()
	src := r.open()
	lo, hi := graph.GetBuffer(bytes), graph.GetBuffer(bytes)
	defer func() { graph.PutBuffer(src.buf); graph.PutBuffer(lo); graph.PutBuffer(hi) }()
	atLo, atHi := int64(-1), int64(-1)
	height := int64(len(r.y.lo))
	for i := range n {
		outer, y := (row+i)/height, (row+i)%height
		first := outer * int64(r.y.in)
		wantLo, wantHi := first+int64(r.y.lo[y]), first+int64(r.y.hi[y])
		if wantLo == atHi {
			lo, hi, atLo, atHi = hi, lo, atHi, atLo
		}
		if wantLo != atLo {
			if err := r.scaleRow(ctx, lo, &src, wantLo); err != nil {
				return err
			}
			atLo = wantLo
		}
		out := dst[i*bytes : (i+1)*bytes]
		frac := r.y.frac[y]
		if !r.blend || frac == 0 {
			copy(out, lo)
			continue
		}
		if wantHi != atHi {
			if err := r.scaleRow(ctx, hi, &src, wantHi); err != nil {
				return err
			}
			atHi = wantHi
		}
		kernel.Active().Lerp[r.dt.Kind()](out, lo, hi, frac)
	}
	return nil
}

// scaleRow reads one source row and scales it to the result's width.
func (r *resized) scaleRow(ctx context.Context, dst []byte, rows *sourceRows, row int64) error {
	src, err := rows.row(ctx, row)
	if err != nil {
		return err
	}
	if r.blend {
		kernel.Active().LerpCols(r.dt.Kind(), dst, src, r.x.lo, r.x.hi, r.x.frac, int(r.inner))
	} else {
		kernel.Gather(dst, src, r.x.lo, int(r.inner)*r.dt.Size())
	}
	return nil
}
