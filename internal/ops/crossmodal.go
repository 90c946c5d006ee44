package ops

import (
	"fmt"
	"slices"
	"strings"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// CrossModalModes lists the ways in which CrossModal fuses.
var CrossModalModes = []string{"concat", "add", "mul", "gate", "film", "bilinear", "attention"}

// CrossModalOptions refine CrossModal. Their weights map features, the last
// axis of arrays of up to 3 dimensions and the layout's channels of larger
// ones; without a kernel they are the identity.
type CrossModalOptions struct {
	Axis       int             // concat
	Project    map[int]Weights // inputs that are mapped first
	Gamma      Weights         // film: what scales
	Beta       Weights         // film: what shifts
	U, V, P    Weights         // bilinear
	Activation string          // bilinear: of both sides before their product; "": none
	Factor     int             // bilinear: neighbouring features that are summed; 0: 1
	Normalize  bool            // bilinear: power and l2 normalisation
	Attention  AttentionOptions
	Layout     shape.Layout
}

// CrossModal fuses modalities. concat joins them along an axis, add and mul
// combine them element by element, gate is the first times the sigmoid of each
// other one (gated multimodal fusion): shapes and dtypes follow Concat, Add and
// Mul. The other modes take two float arrays:
//
//   - film is γ(B)·A + β(B) with two linear maps (Perez et al. 2018),
//   - bilinear is (act(A·U) ∘ act(B·V))·P (MLB, Kim et al. 2017), with a
//     factor k the sums of each k neighbours of the product (MFB, Yu et al.
//     2017), normalised if wanted, before P,
//   - attention lets A's positions attend to B's; see Attention.
//
// In every mode but attention, vectors [N,D] beside maps or sequences count for
// all of their positions. concat takes them where it joins the features.
func CrossModal(xs []Array, mode string, o CrossModalOptions) (Array, error) {
	if mode == "attention" {
		out, _, err := CrossAttention(xs, o)
		return out, err
	}
	xs, err := projected(xs, o)
	if err != nil {
		return nil, err
	}
	if xs, err = vectorsBeside(xs, mode, o); err != nil {
		return nil, err
	}
	switch mode {
	case "concat":
		return Concat(xs, o.Axis)
	case "add":
		return Add(xs, AddOptions{Layout: o.Layout})
	case "mul":
		return Mul(xs, MulOptions{Layout: o.Layout})
	case "gate":
		return Mul(xs, MulOptions{Gate: "sigmoid", Layout: o.Layout})
	}
	if err := CheckCrossModalMode(mode); err != nil {
		return nil, err
	}
	if err := twoInputs(mode, xs); err != nil {
		return nil, err
	}
	if mode == "film" {
		return film(xs[0], xs[1], o)
	}
	return bilinear(xs[0], xs[1], o)
}

// CrossAttention is CrossModal in mode attention, together with the weights
// that AttentionScores gives. Arrays of more than 3 dimensions are maps, whose
// positions form a sequence.
func CrossAttention(xs []Array, o CrossModalOptions) (out, scores Array, err error) {
	if err := twoInputs("attention", xs); err != nil {
		return nil, nil, err
	}
	if xs, err = projected(xs, o); err != nil {
		return nil, nil, err
	}
	a := o.Attention
	a.Context, a.Layout = xs[1], o.Layout
	a.Spatial = len(xs[0].Shape()) > 3
	if !a.Spatial && len(xs[1].Shape()) > 3 {
		a.Context = a.flatten(xs[1])
	}
	return AttentionScores(xs[0], a)
}

func twoInputs(mode string, xs []Array) error {
	if len(xs) != 2 {
		return &Error{Msg: fmt.Sprintf("mode %s fuses 2 inputs: got %d", mode, len(xs))}
	}
	return nil
}

// projected is xs, mapped where o.Project says so.
func projected(xs []Array, o CrossModalOptions) ([]Array, error) {
	xs = slices.Clone(xs)
	for i, w := range o.Project {
		if i < 0 || i >= len(xs) {
			return nil, &Error{Msg: fmt.Sprintf("--project %d: there are inputs 0 to %d", i, len(xs)-1)}
		}
		var err error
		if xs[i], err = project(xs[i], w, o.Layout); err != nil {
			return nil, err
		}
	}
	return xs, nil
}

// CheckCrossModalMode refuses a name that is none of CrossModalModes.
func CheckCrossModalMode(mode string) error {
	if slices.Contains(CrossModalModes, mode) {
		return nil
	}
	return fmt.Errorf("unknown mode %q: want one of %s", mode, strings.Join(CrossModalModes, ", "))
}

// featureAxis is the axis that weights of modalities map.
func featureAxis(ndim int, l shape.Layout) int {
	if ndim <= 3 {
		return ndim - 1
	}
	return l.Channel(ndim)
}

// project maps the features of x, rounded to the dtype of x and w.
func project(x Array, w Weights, l shape.Layout) (Array, error) {
	if len(x.Shape()) == 0 {
		return nil, errorf(x, "shape () has no features to project")
	}
	work, t, err := floatWork("a projection", x, w)
	if err != nil {
		return nil, err
	}
	if work, err = linear(work, w, featureAxis(len(x.Shape()), l)); err != nil {
		return nil, err
	}
	return cast(work, t), nil
}

// modalities are two float arrays with their features on the last axis, in
// the dtype they are computed in, and that of the result.
func modalities(op string, a, b Array, l shape.Layout, weights ...Weights) (wa, wb Array, t dtype.Type, err error) {
	all := []Array{a, b}
	for _, x := range all {
		if len(x.Shape()) == 0 {
			return nil, nil, t, errorf(x, "shape () has no features for %s", op)
		}
	}
	for _, w := range weights {
		all = append(all, w.arrays()...)
	}
	if _, t, err = needFloat(op, all); err != nil {
		return nil, nil, t, err
	}
	toLast := func(x Array) Array {
		n := len(x.Shape())
		return transpose(cast(x, t.Compute()), shape.MoveToLast(featureAxis(n, l), n))
	}
	return toLast(a), toLast(b), t, nil
}

// vectorsBeside gives vectors among xs, [N,D] or [D], an axis of extent 1 for each
// spatial axis of the maps or sequences beside them, so that they count for all
// positions. film and bilinear bring their features into line themselves.
func vectorsBeside(xs []Array, mode string, o CrossModalOptions) ([]Array, error) {
	widest := xs[0]
	for _, x := range xs[1:] {
		if len(x.Shape()) > len(widest.Shape()) {
			widest = x
		}
	}
	s := widest.Shape()
	n := len(s)
	if n < 3 {
		return xs, nil
	}
	axis := featureAxis(n, o.Layout)
	xs = slices.Clone(xs)
	for i, x := range xs {
		v := x.Shape()
		if len(v) < 1 || len(v) > 2 {
			continue
		}
		if len(v) == 2 && v[0] != s[0] && v[0] != 1 && s[0] != 1 {
			return nil, errorf(x, "shape %v: %d vectors: want one for each of the %d of %s, whose shape is %v", v, v[0], s[0], NameOf(widest), s)
		}
		each := make(shape.Shape, n)
		for a := range each {
			each[a] = 1
		}
		each[axis] = last(x)
		if len(v) == 2 {
			each[0] = v[0]
		}
		switch mode {
		case "add", "mul", "gate":
			if last(x) != s[axis] && last(x) != 1 && s[axis] != 1 {
				return nil, errorf(x, "shape %v: vectors of %d features: want the %d of %s, whose shape is %v", v, last(x), s[axis], NameOf(widest), s)
			}
			xs[i] = reshape(x, each)
		case "concat":
			if o.Axis != axis && o.Axis != axis-n {
				return nil, errorf(x, "shape %v: vectors beside %s, whose shape is %v, join its features, which are axis %d: got axis %d", v, NameOf(widest), s, axis, o.Axis).
					hint("--axis %d joins them to the features of each position", axis)
			}
			all := s.Clone()
			all[axis] = last(x)
			xs[i] = repeat(reshape(x, each), all)
		}
	}
	return xs, nil
}

// perPosition gives b, [.., features], axes of extent 1 before its features
// until it has as many as a, so that it counts for all of a's positions.
func perPosition(b, a Array) Array {
	s, n := b.Shape(), len(a.Shape())
	if len(s) >= n {
		return b
	}
	out := append(shape.Shape{}, s[:len(s)-1]...)
	for len(out) < n-1 {
		out = append(out, 1)
	}
	return reshape(b, append(out, s[len(s)-1]))
}

// fromLast puts the features, on the last axis, where arrays like a have them.
func fromLast(x, a Array, l shape.Layout) Array {
	n := len(x.Shape())
	return transpose(x, shape.Inverse(shape.MoveToLast(featureAxis(n, l), n)))
}

func film(a, b Array, o CrossModalOptions) (Array, error) {
	wa, wb, t, err := modalities("film", a, b, o.Layout, o.Gamma, o.Beta)
	if err != nil {
		return nil, err
	}
	gamma, err := linear(wb, o.Gamma, len(wb.Shape())-1)
	if err != nil {
		return nil, err
	}
	beta, err := linear(wb, o.Beta, len(wb.Shape())-1)
	if err != nil {
		return nil, err
	}
	for _, m := range []Array{gamma, beta} {
		if last(m) != last(wa) {
			return nil, errorf(b, "gives %d features by --gamma or --beta: %s has %d to scale and shift, its shape is %v", last(m), NameOf(a), last(wa), a.Shape())
		}
	}
	y, err := Mul([]Array{wa, perPosition(gamma, wa)}, MulOptions{})
	if err != nil {
		return nil, err
	}
	if y, err = Add([]Array{y, perPosition(beta, wa)}, AddOptions{}); err != nil {
		return nil, err
	}
	return cast(fromLast(y, a, o.Layout), t), nil
}

func bilinear(a, b Array, o CrossModalOptions) (Array, error) {
	wa, wb, t, err := modalities("bilinear", a, b, o.Layout, o.U, o.V, o.P)
	if err != nil {
		return nil, err
	}
	for _, side := range []struct {
		x *Array
		w Weights
	}{{&wa, o.U}, {&wb, o.V}} {
		if *side.x, err = linear(*side.x, side.w, len((*side.x).Shape())-1); err != nil {
			return nil, err
		}
		if o.Activation != "" {
			if *side.x, err = activate(o.Activation, *side.x, shape.NHWC); err != nil {
				return nil, err
			}
		}
	}
	if last(wa) != last(wb) {
		return nil, errorf(b, "--v gives %d features, --u gives %d of %s: their product wants as many", last(wb), last(wa), NameOf(a))
	}
	z, err := Mul([]Array{wa, perPosition(wb, wa)}, MulOptions{})
	if err != nil {
		return nil, err
	}
	if k := max(o.Factor, 1); k > 1 {
		if last(z)%k != 0 {
			return nil, &Error{Msg: fmt.Sprintf("%d features don't split into groups of --factor %d", last(z), k)}
		}
		z = sumNeighbours(z, k)
	}
	if o.Normalize {
		kind := z.DType().Kind()
		z = eachRow("normalize", z, func(dst, src []byte, cols int) { kernel.PowerRows(kind, dst, src, cols) })
	}
	if z, err = linear(z, o.P, len(z.Shape())-1); err != nil {
		return nil, err
	}
	return cast(fromLast(z, a, o.Layout), t), nil
}

// sumNeighbours sums each k neighbours along the last axis, in float64.
func sumNeighbours(x Array, k int) Array {
	s := x.Shape().Clone()
	s[len(s)-1] /= k
	if s.Len() == 0 {
		return empty(x.DType(), s)
	}
	g := shape.Group{Outer: s.Len(), Len: int64(k), Inner: 1}
	return cast(reshape(reduce("sum", dtype.Float64, x, g, summing(x.DType(), g)), s), x.DType())
}
