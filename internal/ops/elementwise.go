package ops

import (
	"errors"
	"fmt"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// AddOptions refine Add.
type AddOptions struct {
	Coef       []Number // one a input, or none
	Activation string   // applied to the sum; "": none
	Layout     shape.Layout
}

// Add is the elementwise sum of xs with NumPy's broadcasting and promotion:
// booleans are or-ed, integers wrap, and the two 16-bit floats are summed in
// float32 and rounded once. With coefficients it is the weighted sum.
func Add(xs []graph.Array, o AddOptions) (graph.Array, error) {
	t, err := commonType(xs)
	if err != nil {
		return nil, err
	}
	if o.Coef == nil {
		return elementwise("add", xs, t, &kernel.Active().Add, o.Activation, o.Layout)
	}
	if len(o.Coef) != len(xs) {
		return nil, &graph.Error{Msg: fmt.Sprintf("--coef has %d numbers for %d inputs: want one each", len(o.Coef), len(xs))}
	}
	if t, err = weakType(t, o.Coef); err != nil {
		return nil, err
	}
	terms := make([]graph.Array, len(xs))
	for i, x := range xs {
		terms[i] = scale(cast(x, t.Compute()), o.Coef[i].Value)
	}
	return elementwise("add", terms, t, &kernel.Active().Add, o.Activation, o.Layout)
}

// MulOptions refine Mul.
type MulOptions struct {
	Gate       string // activation of every input after the first; "": none
	Activation string // applied to the product; "": none
	Layout     shape.Layout
}

// Mul is the elementwise product of xs with NumPy's broadcasting and
// promotion. With a gate it is x · gate(y), as SENet and gated fusion scale
// their features.
func Mul(xs []graph.Array, o MulOptions) (graph.Array, error) {
	t, err := commonType(xs)
	if err != nil {
		return nil, err
	}
	if o.Gate != "" {
		gated := append([]graph.Array(nil), xs...)
		for i, x := range gated[1:] {
			if gated[i+1], err = activate(o.Gate, x, o.Layout.Features(len(x.Shape()))); err != nil {
				return nil, err
			}
			if !t.IsComplex() && !t.IsFloat() && gated[i+1].DType().IsFloat() {
				t = t.Inexact() // integers gated by a real number
			}
		}
		xs = gated
	}
	return elementwise("mul", xs, t, &kernel.Active().Mul, o.Activation, o.Layout)
}

// ElementwiseOptions refine the operations that have no options of their own.
type ElementwiseOptions struct {
	Activation string // applied to the result; "": none
	Layout     shape.Layout
}

// Sub is x - y with NumPy's broadcasting and promotion: integers wrap. Booleans have
// no difference, as in NumPy.
func Sub(x, y graph.Array, o ElementwiseOptions) (graph.Array, error) {
	xs := []graph.Array{x, y}
	t, err := commonType(xs)
	if err != nil {
		return nil, err
	}
	if t == dtype.Bool {
		return nil, graph.Errorf(x, "dtype bool: booleans have no difference").Hint("--dtype int8 subtracts them as numbers")
	}
	return elementwise("sub", xs, t, &kernel.Active().Sub, o.Activation, o.Layout)
}

// Div is x / y, as numpy.true_divide: integers and booleans give float64. Division by 0
// gives infinities and NaNs. A literal number needn't fit the dtype of integers.
func Div(x, y graph.Array, o ElementwiseOptions) (graph.Array, error) {
	xs := []graph.Array{x, y}
	t, err := arraysType(xs)
	if err != nil {
		return nil, err
	}
	return elementwise("div", xs, t.Inexact(), &kernel.Active().Div, o.Activation, o.Layout)
}

// Maximum is the elementwise maximum of real arrays, as numpy.maximum: NaN propagates.
// Of two zeros it is +0 unless both are -0.
func Maximum(xs []graph.Array, o ElementwiseOptions) (graph.Array, error) {
	return extremum("maximum", xs, &kernel.Active().Max, o)
}

// Minimum is the elementwise minimum of real arrays, as numpy.minimum: NaN propagates.
// Of two zeros it is -0 unless both are +0.
func Minimum(xs []graph.Array, o ElementwiseOptions) (graph.Array, error) {
	return extremum("minimum", xs, &kernel.Active().Min, o)
}

func extremum(op string, xs []graph.Array, loops *[dtype.NumKinds]kernel.Loop3, o ElementwiseOptions) (graph.Array, error) {
	t, err := commonType(xs)
	if err == nil {
		err = needReal("a "+op, xs)
	}
	if err != nil {
		return nil, err
	}
	return elementwise(op, xs, t, loops, o.Activation, o.Layout)
}

// Pow is x to the power y of real arrays, as numpy.power: integers wrap, booleans give
// int8. Integers have no negative powers: such an exponent is an error, of a literal
// number at once, of an array when it is read. Floats have the special cases of C's pow.
func Pow(x, y graph.Array, o ElementwiseOptions) (graph.Array, error) {
	xs := []graph.Array{x, y}
	t, err := commonType(xs)
	if err == nil {
		err = needReal("a power", xs)
	}
	if err != nil {
		return nil, err
	}
	switch number, literal := y.(*literal); {
	case t == dtype.Bool:
		t = dtype.Int8
	case !t.IsInteger():
	case literal && number.Value < 0:
		e := &graph.Error{Msg: fmt.Sprintf("exponent %.0f: integers have no negative powers", number.Value)}
		return nil, e.Hint("write %.1f to compute in float64", number.Value)
	case !literal && y.DType().IsInteger() && !y.DType().IsUnsigned():
		xs[1] = nonNegative(y)
	}
	if number, literal := y.(*literal); literal && t.IsFloat() && t.Compute() == dtype.Float32 {
		if loop := kernel.Active().PowBy(number.Value); loop != nil {
			return finish(mapTo("pow", dtype.Float32, cast(x, dtype.Float32), loop), t, o.Activation, o.Layout)
		}
	}
	return elementwise("pow", xs, t, &kernel.Active().Pow, o.Activation, o.Layout)
}

// nonNegative is x, of signed integers, as int64. A negative one is an error.
func nonNegative(x graph.Array) graph.Array {
	check := func(dst, src []byte) error {
		for _, v := range kernel.View[int64](src) {
			if v < 0 {
				return fmt.Errorf("the exponent %d: integers have no negative powers", v)
			}
		}
		copy(dst, src)
		return nil
	}
	c := conversion{apply: check, hint: "--dtype float64 computes in floating point"}
	return &recast{unary{computed{op: "cast", dt: dtype.Int64, sh: x.Shape()}, cast(x, dtype.Int64)}, c}
}

// elementwise broadcasts and folds xs in the dtype that t is computed in, or in t itself
// where there are loops for it, applies the activation and rounds to t.
func elementwise(op string, xs []graph.Array, t dtype.Type, loops *[dtype.NumKinds]kernel.Loop3, activation string, l shape.Layout) (graph.Array, error) {
	as := t
	if loops[t.Kind()] == nil {
		as = t.Compute()
	}
	work := make([]graph.Array, len(xs))
	for i, x := range xs {
		work[i] = cast(x, as) // before it is repeated: fewer elements
	}
	work, err := broadcastAll(work)
	if err != nil {
		return nil, hintChannels(err, xs)
	}
	out := work[0]
	if len(work) > 1 {
		out = &nary{computed{op: op, dt: as, sh: out.Shape()}, work, loops[as.Kind()]}
	}
	return finish(out, t, activation, l)
}

// finish applies an activation to a result that is computed as t or wider, and rounds to t.
func finish(x graph.Array, t dtype.Type, activation string, l shape.Layout) (graph.Array, error) {
	if activation == "" {
		return cast(x, t), nil
	}
	x, err := activate(activation, x, l.Features(len(x.Shape())))
	if err == nil && t.IsFloat() {
		x = cast(x, t)
	}
	return x, err
}

// hintChannels adds to what doesn't broadcast how a vector of the channels does
// that stands beside a map with channels first.
func hintChannels(err error, xs []graph.Array) error {
	e := (*graph.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	for _, x := range xs {
		s := x.Shape()
		if len(s) != 1 {
			continue
		}
		at := slices.IndexFunc(xs, func(m graph.Array) bool { return len(m.Shape()) > 2 && m.Shape()[1] == s[0] })
		if at >= 0 {
			as := shape.Shape{s[0]}
			for range len(xs[at].Shape()) - 2 {
				as = append(as, 1)
			}
			return e.Hint("a number for each channel of a map with channels first (nchw) broadcasts as %v", as)
		}
	}
	return err
}

// broadcastAll broadcasts xs to one shape.
func broadcastAll(xs []graph.Array) ([]graph.Array, error) {
	s, widest := xs[0].Shape(), xs[0]
	for _, x := range xs[1:] {
		b, ok := shape.Broadcast(s, x.Shape())
		if !ok {
			if !s.Equal(widest.Shape()) {
				return nil, graph.Errorf(x, "shape %v does not broadcast with %v of the inputs before it", x.Shape(), s)
			}
			return nil, hintAlign(graph.Errorf(x, "shape %v does not broadcast with %v of %s", x.Shape(), s, graph.NameOf(widest)), x)
		}
		if !b.Equal(s) {
			s, widest = b, x
		}
	}
	if _, err := s.Check(xs[0].DType().Size()); err != nil {
		return nil, &graph.Error{Msg: "the result is too large: " + err.Error()}
	}
	out := make([]graph.Array, len(xs))
	for i, x := range xs {
		out[i] = repeat(x, s)
	}
	return out, nil
}

// scale is x times a number of x's own dtype.
func scale(x graph.Array, by float64) graph.Array {
	if by == 1 {
		return x
	}
	const block = 4 << 10 // bytes of factors: they stay in the first-level cache
	t := x.DType()
	number := Constant(t, by).(*constant).data
	factors := kernel.Alloc(block)
	kernel.Fill(factors, number)
	loop := kernel.Active().Mul[t.Kind()]
	return mapTo("scale", t, x, func(dst, src []byte) {
		for len(src) > 0 {
			n := min(block, len(src))
			loop(dst[:n], src[:n], factors[:n])
			dst, src = dst[n:], src[n:]
		}
	})
}
