package ops

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"fusectl/internal/graph"
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
	form, err := movesOver("resizing", x, o.Layout, o.told(size))
	if err != nil {
		return nil, err
	}
	n := len(form.Spatial())
	if len(size) == 1 {
		size = slices.Repeat(size, n)
	}
	if err := checkList(x, "scale", o.Scale, n); err != nil {
		return nil, err
	}
	s := x.Shape()
	first := form.Spatial()[0]
	out := s.Clone()
	copy(out[first:], size)
	switch spatial := s[first : first+n]; {
	case len(size) != n:
		return nil, graph.Errorf(x, "shape %v has %d spatial axes: %d numbers say the size", s, n, len(size))
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

// told is the number of axes that size and Scale tell; 0 if they have one number for all.
func (o *ResizeOptions) told(size []int) int {
	if n := cmp.Or(len(size), len(o.Scale)); n > 1 {
		return n
	}
	return 0
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
