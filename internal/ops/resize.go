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

// ResizeOptions refine Resize.
type ResizeOptions struct {
	Mode         string  // one of ResizeModes
	AlignCorners bool    // bilinear, bicubic: the corners' centres coincide, in place of the edges
	CubicCoeff   float64 // bicubic: the coefficient of Keys's kernel; 0: DefaultCubicCoeff
	// ExcludeOutside drops the taps of bicubic that lie outside the map and brings
	// the sum of the others to 1, as TensorFlow and JAX do; otherwise they are the
	// nearest inside, as PyTorch has it.
	ExcludeOutside bool
	// Scale is how many positions of the result, along each spatial axis or all,
	// stand for one of x: the step is its reciprocal, as PyTorch's interpolate has
	// it under scale_factor, and ONNX. Empty or 0: the quotient of the extents.
	Scale  []float64
	Layout shape.Layout
}

// DefaultCubicCoeff is PyTorch's and OpenCV's coefficient; Keys (1981) and
// TensorFlow have -0.5.
const DefaultCubicCoeff = -0.75

// Resize scales the 1, 2 or 3 spatial axes of a map to the extents of size, which
// has one for each, or one for all. bilinear (linear, trilinear) and bicubic have half-pixel centres
// without antialiasing, as tf.image.resize (bilinear) and torch's interpolate, on
// float arrays; nearest takes source position floor(i·in/out), as torch's;
// nearest-exact takes the pixel whose centre is nearest, as TensorFlow's.
// AlignCorners is for bilinear and bicubic, as PyTorch's align_corners.
func Resize(x graph.Array, size []int, o ResizeOptions) (graph.Array, error) {
	n, err := spatialAxes("resizing", x, o.Layout)
	if err != nil {
		return nil, err
	}
	if len(size) == 1 {
		size = slices.Repeat(size, n)
	}
	s := x.Shape()
	first := o.Layout.Spatial(len(s))[0]
	out := s.Clone()
	copy(out[first:], size)
	switch spatial := s[first : first+n]; {
	case len(size) != n:
		return nil, graph.Errorf(x, "shape %v has %d spatial axes: %d extents say their size", s, n, len(size))
	case slices.Min(spatial) == 0:
		return nil, graph.Errorf(x, "shape %v has no pixels to resize", s)
	case slices.Min(size) < 1:
		return nil, graph.Errorf(x, "shape %v would be resized to %s: want at least %s", s, joined(size, " by "), strings.Repeat("1 by ", n-1)+"1")
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
	t := x.DType()
	if !nearest {
		xs, float, err := needFloat(o.Mode+" resizing", []graph.Array{x})
		if err != nil {
			return nil, err
		}
		x, t = cast(xs[0], float.Compute()), float
	}
	plan := func(axis int) axisPlan {
		return newAxisPlan(s[axis], size[axis-first], pick(o.Scale, axis-first, 0), o)
	}
	last := first + n - 1
	g := plane{outer: s.Product(0, last), inner: s.Product(last+1, len(s)), y: absentAxis, x: plan(last)}
	if n > 1 {
		g.outer, g.y = s.Product(0, last-1), plan(last-1)
	}
	if n < maxSpatial {
		return cast(resizePlane(x, out, g, o), t), nil
	}
	// Height and width come first, since they read a map row by row.
	planes := out.Clone()
	planes[first] = s[first]
	y := graph.MaterializeSmall(resizePlane(x, planes, g, o))
	g = plane{outer: s.Product(0, first), inner: planes.Product(first+1, len(s)), y: plan(first), x: absentAxis}
	return cast(resizePlane(y, out, g, o), t), nil
}

// resizePlane scales two axes of x, as g has it, to a result of shape out, in x's
// dtype.
func resizePlane(x graph.Array, out shape.Shape, g plane, o ResizeOptions) graph.Array {
	r := &resized{computed: computed{op: "resize", dt: x.DType(), sh: out}, maps: x, plane: g, blend: !strings.HasPrefix(o.Mode, "nearest")}
	if o.Mode == "bicubic" {
		return newCubic(r, cmp.Or(o.CubicCoeff, DefaultCubicCoeff), o.ExcludeOutside)
	}
	return r
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
	absent bool // it has one position, which stays as it is
	in     int
	lo, hi []int32
	frac   []float64
}

// absentAxis is the plan of an axis that a map doesn't have.
var absentAxis = axisPlan{absent: true, in: 1, lo: []int32{0}, hi: []int32{0}, frac: []float64{0}}

// newAxisPlan is the plan of an axis of in positions resized to out by a scale, 0
// being out/in.
func newAxisPlan(in, out int, scale float64, o ResizeOptions) axisPlan {
	p := axisPlan{in: in, lo: make([]int32, out), hi: make([]int32, out), frac: make([]float64, out)}
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

// atOnce is the number of source rows that are read at once: one, where most are
// skipped.
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
		kernel.Active().LerpCols[r.dt.Kind()](dst, src, r.x.lo, r.x.hi, r.x.frac, int(r.inner))
	} else {
		kernel.Gather(dst, src, r.x.lo, int(r.inner)*r.dt.Size())
	}
	return nil
}
