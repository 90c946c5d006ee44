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

// ResizeModes lists the modes of Resize. Those of one number of axes are names of
// linear and cubic.
var ResizeModes = []string{"linear", "nearest", "nearest-exact", "cubic", "area", "bilinear", "trilinear", "bicubic"}

// namedModes are the modes that say how many spatial axes there are.
var namedModes = map[string]struct {
	mode string
	axes int
}{"bilinear": {"linear", 2}, "trilinear": {"linear", 3}, "bicubic": {"cubic", 2}}

// Coordinates lists the ways to find the place in a map of a position of the
// result, as ONNX's Resize names them.
var Coordinates = []string{"half-pixel", "pytorch-half-pixel", "align-corners", "asymmetric"}

// Roundings lists the ways from a place to a position, as ONNX's Resize names them.
var Roundings = []string{"round-prefer-floor", "round-prefer-ceil", "floor", "ceil"}

// ResizeOptions refine Resize.
type ResizeOptions struct {
	Mode        string  // one of ResizeModes
	Coordinates string  // one of Coordinates; "": half-pixel, nearest: asymmetric
	Rounding    string  // nearest: one of Roundings; "": floor
	Antialias   bool    // linear, cubic: a smaller result has wider kernels, which see every position of x
	CubicCoeff  float64 // cubic: the coefficient of Keys's kernel; 0: DefaultCubicCoeff, with Antialias -0.5
	// ExcludeOutside drops the taps of cubic that lie outside the map and brings
	// the sum of the others to 1, as TensorFlow and JAX do; otherwise they are the
	// nearest inside, as PyTorch has it. Antialias implies it.
	ExcludeOutside bool
	// Scale is how many positions of the result, along each spatial axis or all,
	// stand for one of x: the step is its reciprocal, as PyTorch's interpolate has
	// it under scale_factor, and ONNX. Empty or 0: the quotient of the extents.
	Scale     []float64
	Recompute bool // Scale says the size alone: PyTorch's recompute_scale_factor
	Layout    shape.Layout
}

// DefaultCubicCoeff is PyTorch's and OpenCV's coefficient; Keys (1981) and
// TensorFlow have -0.5, and PyTorch too under antialias.
const DefaultCubicCoeff = -0.75

// Resize scales the 1, 2 or 3 spatial axes of a map to the extents of size, which
// has one for each, or one for all; nil is Scale times those of x, rounded down.
// linear and cubic (Keys 1981) are PyTorch's interpolate and, where centres are
// half-pixel, tf.image.resize, on float arrays, and so they are with Antialias;
// nearest takes source position floor(i·in/out), as torch's; nearest-exact takes the
// pixel whose centre is nearest, as TensorFlow's; area is the average of Pool's
// bins, as PyTorch's. Coordinates and Rounding are ONNX's.
func Resize(x graph.Array, size []int, o ResizeOptions) (graph.Array, error) {
	form, err := movesOver("resizing", x, o.Layout, o.Told(size))
	if err != nil {
		return nil, err
	}
	n := len(form.Spatial())
	given := o.Mode
	if named, ok := namedModes[o.Mode]; ok {
		if named.axes != n {
			return nil, graph.Errorf(x, "shape %v has %d spatial axes: mode %s is for %d, %s for any", x.Shape(), n, o.Mode, named.axes, named.mode)
		}
		o.Mode = named.mode
	}
	if err := o.check(given); err != nil {
		return nil, err
	}
	if err := checkList(x, "scale", o.Scale, n); err != nil {
		return nil, err
	}
	s := x.Shape()
	switch {
	case len(size) == 0:
		for i, extent := range spatialSize(x, form) {
			size = append(size, int(min(float64(extent)*pick(o.Scale, i, 1), math.MaxInt32)))
		}
	case len(size) == 1:
		size = slices.Repeat(size, n)
	}
	if o.Recompute {
		o.Scale = nil
	}
	first := form.Spatial()[0]
	out := s.Clone()
	copy(out[first:], size)
	switch spatial := s[first : first+n]; {
	case slices.Min(spatial) == 0:
		return nil, graph.Errorf(x, "shape %v has no pixels to resize", s)
	case slices.Min(size) < 1:
		return nil, graph.Errorf(x, "shape %v would be resized to %s: want at least %s", s, joined(size, " by "), strings.Repeat("1 by ", n-1)+"1")
	}
	if _, err := out.Check(max(x.DType().Size(), 4)); err != nil {
		return nil, graph.Errorf(x, "the result is too large: %v", err)
	}
	if o.Mode == "area" {
		return Pool(x, "average", PoolOptions{Output: size, Layout: form})
	}
	t := x.DType()
	if !o.nearest() {
		xs, float, err := needFloat(given+" resizing", []graph.Array{x})
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
	switch {
	case n > 1:
		g.outer, g.y = s.Product(0, last-1), plan(last-1)
	case g.inner >= leastRow: // positions of a sequence are rows, of which only those needed are read
		g.y, g.x = g.x, absentAxis
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

// Told is the number of spatial axes that the size, Scale and the mode's name tell; 0 if none does.
func (o *ResizeOptions) Told(size []int) int {
	return told(len(size), len(o.Scale), namedModes[o.Mode].axes)
}

// nearest reports whether the result's positions are positions of x.
func (o *ResizeOptions) nearest() bool { return strings.HasPrefix(o.Mode, "nearest") }

// check refuses options that the mode, given by a name of it, doesn't have.
func (o *ResizeOptions) check(given string) error {
	blends := o.Mode == "linear" || o.Mode == "cubic"
	var msg string
	switch {
	case o.Coordinates != "" && !blends && o.Mode != "nearest":
		msg = "mode %s has coordinates of its own: --coordinates and --align-corners go with linear, cubic and nearest"
	case o.Rounding != "" && o.Mode != "nearest":
		msg = "mode %s doesn't round coordinates: --nearest goes with nearest"
	case o.CubicCoeff != 0 && o.Mode != "cubic":
		msg = "mode %s has no coefficient: --cubic-coeff goes with cubic"
	case o.ExcludeOutside && o.Mode != "cubic":
		msg = "mode %s has no taps outside: --exclude-outside goes with cubic"
	case o.Antialias && !blends:
		msg = "mode %s has no kernel to widen: --antialias goes with linear and cubic"
	case o.Antialias && o.Coordinates != "" && o.Coordinates != Coordinates[0]:
		return &graph.Error{Msg: fmt.Sprintf("--antialias has half-pixel coordinates, not %s", o.Coordinates)}
	default:
		return nil
	}
	return &graph.Error{Msg: fmt.Sprintf(msg, given)}
}

// leastRow is the elements of a position from which on a sequence is resized position by
// position, and not as one line.
const leastRow = 16

// antialiasedCoeff is the coefficient of cubic with antialiasing, PyTorch's and TensorFlow's.
const antialiasedCoeff = -0.5

// resizePlane scales two axes of x, as g has it, to a result of shape out, in x's
// dtype.
func resizePlane(x graph.Array, out shape.Shape, g plane, o ResizeOptions) graph.Array {
	r := &resized{computed: computed{op: "resize", dt: x.DType(), sh: out}, maps: x, plane: g, blend: !o.nearest(), skips: true}
	switch {
	case o.Antialias && o.Mode == "cubic":
		return newFiltered(r, cmp.Or(o.CubicCoeff, antialiasedCoeff))
	case o.Antialias:
		return newFiltered(r, 0)
	case o.Mode == "cubic":
		return newCubic(r, cmp.Or(o.CubicCoeff, DefaultCubicCoeff), o.ExcludeOutside)
	}
	return r
}

// newAxisPlan is the plan of an axis of in positions resized to out by a scale, 0
// being out/in.
func newAxisPlan(in, out int, scale float64, o ResizeOptions) axisPlan {
	p := axisPlan{in: in, lo: make([]int32, out), hi: make([]int32, out), frac: make([]float64, out)}
	if in == out && o.Mode == "linear" && !o.Antialias {
		scale = 0 // PyTorch copies what linear leaves as large
	}
	p.scale = scale
	for i := range out {
		at := o.place(i, in, out, scale)
		if o.Mode == "cubic" {
			at = min(max(at, -2), float64(in+1)) // no tap is inside beyond these
		} else {
			at = min(max(at, 0), float64(in-1))
		}
		lo := int(math.Floor(at))
		p.lo[i], p.hi[i], p.frac[i] = int32(lo), int32(min(lo+1, in-1)), at-float64(lo)
	}
	return p
}

// place gives the place among in of position i of out: a whole number, if the mode
// is nearest.
func (o *ResizeOptions) place(i, in, out int, scale float64) float64 {
	coordinates := o.Coordinates
	if o.nearest() && coordinates == "" {
		coordinates = "asymmetric"
		if o.Rounding == "" { // float32, as torch and TensorFlow have it
			step, from := float32(in)/float32(out), float32(i)
			if scale != 0 {
				step = float32(1 / scale)
			}
			if o.Mode == "nearest-exact" {
				from += 0.5
			}
			return math.Floor(float64(from * step))
		}
	}
	half := 0.5
	if coordinates == "asymmetric" {
		half = 0
	}
	var at float64
	switch {
	case coordinates == "align-corners":
		at = float64(i) * float64(in-1) / float64(max(out-1, 1))
	case coordinates == "pytorch-half-pixel" && out == 1:
		at = 0
	case scale != 0:
		at = (float64(i)+half)/scale - half
	default:
		at = (float64(i)+half)*float64(in)/float64(out) - half
	}
	switch {
	case o.Rounding == "round-prefer-ceil":
		return math.Floor(at + 0.5)
	case o.Rounding == "round-prefer-floor":
		return math.Ceil(at - 0.5)
	case o.Rounding == "ceil":
		return math.Ceil(at)
	case o.Mode == "nearest":
		return math.Floor(at)
	}
	return at
}
