package ops

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// nary combines arrays of one shape and dtype element by element, from left
// to right.
type nary struct {
	computed
	xs   []graph.Array
	loop func(dst, a, b []byte)
}

func (f *nary) Operands(visit func(*graph.Array)) {
	for i := range f.xs {
		visit(&f.xs[i])
	}
}

func (f *nary) Flops() int64 { return int64(len(f.xs)-1) * f.sh.Len() }

func (f *nary) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	for i := range f.xs {
		say(&f.xs[i], unit)
	}
}

func (f *nary) Memory(n int64) int64 {
	most := int64(0)
	for i, x := range f.xs {
		m := graph.MemoryOf(x, n)
		if i > 0 {
			m += n * f.size()
		}
		most = max(most, m)
	}
	return most
}

func (*nary) ReadsByRegion() bool { return true }

// Tiling follows the first input that prefers blocks; whole rows of the others
// fit into it where they can.
func (f *nary) Tiling() graph.Tiling {
	t := graph.TilingOf(f.xs[0])
	for _, x := range f.xs[1:] {
		o := graph.TilingOf(x)
		switch {
		case t.Rows > 1 && o.Rows <= 1 && o.Unit > 1 && t.TileCols > o.Unit:
			t.TileCols -= t.TileCols % o.Unit
		case t.Rows <= 1 && o.Rows > 1, t.Unit < o.Unit && t.Rows <= 1:
			t = o
		}
	}
	return t
}

func (f *nary) Read(ctx context.Context, dst []byte, off int64) error {
	return f.ReadRegion(ctx, dst, graph.OneRun(off, int64(len(dst))/f.size()))
}

func (f *nary) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	acc, err := graph.Peek(ctx, f.xs[0], dst, r)
	if err != nil {
		return err
	}
	buf := graph.GetBuffer(int64(len(dst)))
	defer graph.PutBuffer(buf)
	for _, x := range f.xs[1:] {
		next, err := graph.Peek(ctx, x, buf, r)
		if err != nil {
			return err
		}
		f.loop(dst, acc, next)
		acc = dst
	}
	return nil
}

// AddOptions refine Add.
type AddOptions struct {
	Coef       []Coef // one a input, or none
	Activation string // applied to the sum; "": none
	Layout     shape.Layout
}

// Coef is a number that an input is multiplied by. As a Python number in
// NumPy 2, it takes the dtype of the arrays: an integer leaves integers what
// they are, any other number makes float64 of them.
type Coef struct {
	Value   float64
	Integer bool
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
	if t, err = weightedType(t, o.Coef); err != nil {
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

// elementwise broadcasts and folds xs in the dtype that t is computed in,
// applies the activation and rounds to t.
func elementwise(op string, xs []graph.Array, t dtype.Type, loops *[dtype.NumKinds]func(dst, a, b []byte), activation string, l shape.Layout) (graph.Array, error) {
	work := make([]graph.Array, len(xs))
	for i, x := range xs {
		work[i] = cast(x, t.Compute()) // before it is repeated: fewer elements
	}
	work, err := broadcastAll(work)
	if err != nil {
		return nil, hintChannels(err, xs)
	}
	out := work[0]
	if len(work) > 1 {
		out = &nary{computed{op: op, dt: t.Compute(), sh: out.Shape()}, work, loops[t.Compute().Kind()]}
	}
	if activation == "" {
		return cast(out, t), nil
	}
	if out, err = activate(activation, out, l.Features(len(out.Shape()))); err != nil {
		return nil, err
	}
	if t.IsFloat() {
		return cast(out, t), nil
	}
	return out, nil
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

// commonType is the dtype that xs promote to, which must have arithmetic.
func commonType(xs []graph.Array) (dtype.Type, error) {
	if err := NeedArithmetic(xs); err != nil {
		return dtype.Type{}, err
	}
	_, t, err := Promote(xs)
	return t, err
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

// weightedType is the dtype of a sum of arrays of dtype t with coefficients.
func weightedType(t dtype.Type, coef []Coef) (dtype.Type, error) {
	for _, c := range coef {
		switch {
		case !c.Integer:
			t = t.Inexact()
		case t == dtype.Bool:
			t = dtype.Int64
		}
	}
	if !t.IsInteger() {
		return t, nil
	}
	for _, c := range coef {
		if !fits(c.Value, t) {
			e := &graph.Error{Msg: fmt.Sprintf("coefficient %.0f does not fit dtype %v", c.Value, t)}
			return t, e.Hint("write %.1f to compute in float64", c.Value)
		}
	}
	return t, nil
}

// fits reports whether t, if its numbers are integers or booleans, has v.
func fits(v float64, t dtype.Type) bool {
	bits := 8 * t.Size()
	low, high := -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)
	switch {
	case t == dtype.Bool:
		low, high = 0, 2
	case t.IsUnsigned():
		low, high = 0, math.Ldexp(1, bits)
	case !t.IsInteger():
		return true
	}
	return v >= low && v < high && v == math.Trunc(v)
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
