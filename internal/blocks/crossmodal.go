package blocks

import (
	"fmt"
	"slices"
	"strings"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// CrossModalModes lists the ways in which CrossModal fuses.
var CrossModalModes = []string{"concat", "add", "mul", "gate", "film", "bilinear", "attention"}

// CrossModalOptions refine CrossModal. Their weights map features, the last
// axis of arrays of up to 3 dimensions and the layout's channels of larger
// ones; without a kernel they are the identity.
type CrossModalOptions struct {
	Axis       int                 // concat
	Project    map[int]ops.Weights // inputs that are mapped first
	Gamma      ops.Weights         // film: what scales
	Beta       ops.Weights         // film: what shifts
	U, V, P    ops.Weights         // bilinear
	Activation string              // bilinear: of both sides before their product; "": none
	Factor     int                 // bilinear: neighbouring features that are summed; 0: 1
	Normalize  bool                // bilinear: power and l2 normalisation
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
// In every mode vectors [N,D] beside maps or sequences count for all of their
// positions. concat takes them where it joins the features; in attention each is
// a sequence of one position.
func CrossModal(xs []graph.Array, mode string, o CrossModalOptions) (graph.Array, error) {
	if mode == "attention" {
		out, _, err := CrossAttention(xs, o)
		return out, err
	}
	xs, err := projected(xs, o)
	if err != nil {
		return nil, err
	}
	if err := o.check(xs, mode); err != nil {
		return nil, err
	}
	if xs, err = vectorsBeside(xs, mode, o.Axis, o.Layout); err != nil {
		return nil, err
	}
	switch mode {
	case "concat":
		return ops.Concat(xs, o.Axis)
	case "add":
		return ops.Add(xs, ops.AddOptions{Layout: o.Layout})
	case "mul":
		return ops.Mul(xs, ops.MulOptions{Layout: o.Layout})
	case "gate":
		return ops.Mul(xs, ops.MulOptions{Gate: "sigmoid", Layout: o.Layout})
	case "film":
		return film(xs[0], xs[1], o)
	}
	return bilinear(xs[0], xs[1], o)
}

// JoinAxis is the axis along which mode concat joins unless it is told another: the
// channels of maps, or of maps beside vectors, and the positions of sequences, such as
// those of an image and then the words.
func JoinAxis(xs []graph.Array, l shape.Layout) int {
	widest := slices.MaxFunc(xs, func(a, b graph.Array) int { return len(a.Shape()) - len(b.Shape()) })
	if n := len(widest.Shape()); l.Maps(n) {
		return l.Features(n)
	}
	return 1
}

// check refuses an unknown mode, and inputs that a mode's weights don't fit,
// before vectors are given other axes.
func (o CrossModalOptions) check(xs []graph.Array, mode string) error {
	if !slices.Contains(CrossModalModes, mode) {
		return &graph.Error{Msg: fmt.Sprintf("unknown mode %q: want one of %s", mode, strings.Join(CrossModalModes, ", "))}
	}
	var first, second []ops.Weights
	switch mode {
	case "film":
		second = []ops.Weights{o.Gamma, o.Beta}
	case "bilinear":
		first, second = []ops.Weights{o.U}, []ops.Weights{o.V}
	default:
		return nil
	}
	if err := twoInputs(mode, xs); err != nil {
		return err
	}
	for i, weights := range [][]ops.Weights{first, second} {
		n := len(xs[i].Shape())
		if n == 0 {
			return graph.Errorf(xs[i], "shape () has no features for %s", mode)
		}
		for _, w := range weights {
			if err := w.Fits(xs[i], o.Layout.Features(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// CrossAttention is CrossModal in mode attention, together with the weights
// that AttentionScores gives. Arrays of more than 3 dimensions are maps, whose
// positions form a sequence.
func CrossAttention(xs []graph.Array, o CrossModalOptions) (out, scores graph.Array, err error) {
	if err := twoInputs("attention", xs); err != nil {
		return nil, nil, err
	}
	if xs, err = projected(xs, o); err != nil {
		return nil, nil, err
	}
	sequences, err := asSequences(xs)
	if err != nil {
		return nil, nil, err
	}
	a := o.Attention
	a.Context, a.Layout = sequences[1], o.Layout
	a.Spatial = o.Layout.Maps(len(sequences[0].Shape()))
	if !a.Spatial && o.Layout.Maps(len(sequences[1].Shape())) {
		if a.Context, err = flatten(sequences[1], o.Layout); err != nil {
			return nil, nil, err
		}
	}
	out, scores, err = AttentionScores(sequences[0], a)
	if err == nil && len(sequences[0].Shape()) > len(xs[0].Shape()) {
		s := out.Shape()
		out, err = ops.Reshape(out, shape.Shape{s[0], s[2]})
	}
	return out, scores, err
}

func twoInputs(mode string, xs []graph.Array) error {
	if len(xs) != 2 {
		return &graph.Error{Msg: fmt.Sprintf("mode %s fuses 2 inputs: got %d", mode, len(xs))}
	}
	return nil
}

// projected is xs, mapped where o.Project says so.
func projected(xs []graph.Array, o CrossModalOptions) ([]graph.Array, error) {
	xs = slices.Clone(xs)
	for i, w := range o.Project {
		if i < 0 || i >= len(xs) {
			return nil, &graph.Error{Msg: fmt.Sprintf("--project %d: there are inputs 0 to %d", i, len(xs)-1)}
		}
		var err error
		if xs[i], err = project(xs[i], w, o.Layout); err != nil {
			return nil, err
		}
	}
	return xs, nil
}

// project maps the features of x, rounded to the dtype of x and w.
func project(x graph.Array, w ops.Weights, l shape.Layout) (graph.Array, error) {
	if len(x.Shape()) == 0 {
		return nil, graph.Errorf(x, "shape () has no features to project")
	}
	return ops.Linear(x, w, ops.LinearOptions{Axis: l.Features(len(x.Shape()))})
}

// modalities are two float arrays with their features on the last axis, in
// the dtype they are computed in, and that of the result.
func modalities(op string, a, b graph.Array, l shape.Layout, weights ...ops.Weights) (wa, wb graph.Array, t dtype.Type, err error) {
	all := []graph.Array{a, b}
	for _, w := range weights {
		all = append(all, w.Arrays()...)
	}
	if t, err = ops.FloatType(op, all...); err != nil {
		return nil, nil, t, err
	}
	out := []graph.Array{a, b}
	for i, x := range out {
		n := len(x.Shape())
		if x, err = ops.Cast(x, t.Compute()); err == nil {
			out[i], err = ops.Transpose(x, shape.MoveToLast(l.Features(n), n))
		}
		if err != nil {
			return nil, nil, t, err
		}
	}
	return out[0], out[1], t, nil
}

// fromLast puts the features, on the last axis, where arrays of as many axes have
// them, and rounds to t.
func fromLast(x graph.Array, t dtype.Type, l shape.Layout) (graph.Array, error) {
	n := len(x.Shape())
	x, err := ops.Transpose(x, shape.Inverse(shape.MoveToLast(l.Features(n), n)))
	if err != nil {
		return nil, err
	}
	return ops.Cast(x, t)
}

func film(a, b graph.Array, o CrossModalOptions) (graph.Array, error) {
	wa, wb, t, err := modalities("film", a, b, o.Layout, o.Gamma, o.Beta)
	if err != nil {
		return nil, err
	}
	gamma, err := ops.Linear(wb, o.Gamma, ops.LinearOptions{Axis: -1})
	if err != nil {
		return nil, err
	}
	beta, err := ops.Linear(wb, o.Beta, ops.LinearOptions{Axis: -1})
	if err != nil {
		return nil, err
	}
	for _, m := range []graph.Array{gamma, beta} {
		if m.Shape().Last() != wa.Shape().Last() {
			return nil, graph.Errorf(b, "gives %d features by --gamma or --beta: %s has %d to scale and shift", m.Shape().Last(), graph.NameOf(a), wa.Shape().Last())
		}
	}
	y, err := ops.Mul([]graph.Array{wa, gamma}, ops.MulOptions{})
	if err != nil {
		return nil, err
	}
	if y, err = ops.Add([]graph.Array{y, beta}, ops.AddOptions{}); err != nil {
		return nil, err
	}
	return fromLast(y, t, o.Layout)
}

func bilinear(a, b graph.Array, o CrossModalOptions) (graph.Array, error) {
	wa, wb, t, err := modalities("bilinear", a, b, o.Layout, o.U, o.V, o.P)
	if err != nil {
		return nil, err
	}
	for _, side := range []struct {
		x *graph.Array
		w ops.Weights
	}{{&wa, o.U}, {&wb, o.V}} {
		if *side.x, err = ops.Linear(*side.x, side.w, ops.LinearOptions{Axis: -1, Activation: o.Activation}); err != nil {
			return nil, err
		}
	}
	if wa.Shape().Last() != wb.Shape().Last() {
		return nil, graph.Errorf(b, "--v gives %d features, --u gives %d of %s: their product wants as many", wb.Shape().Last(), wa.Shape().Last(), graph.NameOf(a))
	}
	z, err := ops.Mul([]graph.Array{wa, wb}, ops.MulOptions{})
	if err != nil {
		return nil, err
	}
	if k := max(o.Factor, 1); k > 1 {
		if z.Shape().Last()%k != 0 {
			return nil, &graph.Error{Msg: fmt.Sprintf("%d features don't split into groups of --factor %d", z.Shape().Last(), k)}
		}
		if z, err = sumNeighbours(z, k); err != nil {
			return nil, err
		}
	}
	if o.Normalize {
		if z, err = ops.PowerNormalize(z); err != nil {
			return nil, err
		}
	}
	if z, err = ops.Linear(z, o.P, ops.LinearOptions{Axis: -1}); err != nil {
		return nil, err
	}
	return fromLast(z, t, o.Layout)
}

// sumNeighbours sums each k neighbours along the last axis, in float64.
func sumNeighbours(x graph.Array, k int) (graph.Array, error) {
	s := x.Shape()
	groups := append(s[:len(s)-1].Clone(), s.Last()/k, k)
	x, err := ops.Reshape(x, groups)
	if err != nil {
		return nil, err
	}
	return ops.Reduce(x, "sum", ops.ReduceOptions{Axes: []int{-1}})
}
