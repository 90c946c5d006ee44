package ops

import (
	"context"
	"errors"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// mapped applies a loop to each element: a conversion, an activation.
type mapped struct {
	unary
	loop func(dst, src []byte)
}

// mapTo is x through loop, which takes x's dtype and gives t. Where the two
// are equally large, it must work in place.
func mapTo(op string, t dtype.Type, x graph.Array, loop func(dst, src []byte)) graph.Array {
	return &mapped{unary{computed{op: op, dt: t, sh: x.Shape()}, x}, loop}
}

func (*mapped) ReadsByRegion() bool { return true }

func (m *mapped) Tiling() graph.Tiling { return graph.TilingOf(m.x) }

func (m *mapped) Flops() int64 { return kernel.ActivationFlops(m.op) * m.sh.Len() }

func (m *mapped) ReadsOnce(unit int64, say func(*graph.Array, int64)) { say(&m.x, unit) }

func (m *mapped) Memory(n int64) int64 {
	in := graph.MemoryOf(m.x, n)
	if m.x.DType().Size() == m.dt.Size() {
		return in
	}
	return in + n*int64(m.x.DType().Size())
}

func (m *mapped) Read(ctx context.Context, dst []byte, off int64) error {
	return m.ReadRegion(ctx, dst, graph.OneRun(off, int64(len(dst))/m.size()))
}

func (m *mapped) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	src := dst
	if size := int64(m.x.DType().Size()); size != m.size() {
		src = graph.GetBuffer(r.Runs * r.Len * size)
		defer graph.PutBuffer(src)
	}
	src, err := graph.Peek(ctx, m.x, src, r)
	if err != nil {
		return err
	}
	m.loop(dst, src)
	return nil
}

// Cast converts x to t as numpy.ndarray.astype does; where NumPy leaves the
// result undefined, kernel.Table says what it is. Opaque types convert only to
// themselves.
func Cast(x graph.Array, t dtype.Type) (graph.Array, error) {
	from := x.DType()
	switch {
	case from == t:
		return x, nil
	case from.IsOpaque() || t.IsOpaque():
		return nil, graph.Errorf(x, "dtype %v can't be converted to %v", from, t)
	}
	return cast(x, t), nil
}

// rounding is a node that rounds its results itself; unrounded gives them as they are before.
type rounding interface{ unrounded() graph.Array }

// Rounded is the result x of an operation in t: rounded once, from the floats in
// which the operation computes where x has been rounded from them at the end.
// Otherwise it is Cast.
func Rounded(x graph.Array, t dtype.Type) (graph.Array, error) {
	if x.DType() == t {
		return x, nil
	}
	wide := x
	switch m := x.(type) {
	case *mapped:
		if m.op == "cast" {
			wide = m.x
		}
	case rounding:
		wide = m.unrounded()
	}
	if from := wide.DType(); t.IsFloat() && from.IsFloat() && x.DType().IsFloat() && from.Size() > x.DType().Size() {
		x = wide
	}
	return Cast(x, t)
}

// cast is Cast for types known to have arithmetic.
func cast(x graph.Array, t dtype.Type) graph.Array {
	if x.DType() == t {
		return x
	}
	return mapTo("cast", t, x, kernel.Active().Convert[x.DType().Kind()][t.Kind()])
}

// Promote converts all inputs to the dtype that NumPy's promotion gives them.
func Promote(xs []graph.Array) ([]graph.Array, dtype.Type, error) {
	types := make([]dtype.Type, len(xs))
	for i, x := range xs {
		types[i] = x.DType()
	}
	t, odd, err := dtype.Result(types)
	if odd >= 0 {
		e := graph.Errorf(xs[odd], "dtype %v has no common type with %v of %s", types[odd], types[0], graph.NameOf(xs[0]))
		if !errors.Is(err, dtype.ErrNone) {
			e.Msg += ": " + err.Error()
		}
		return nil, t, hintRaw(e, types[0], types[odd])
	}
	out := make([]graph.Array, len(xs))
	for i, x := range xs {
		if t.IsOpaque() {
			out[i] = promoteOpaque(x, t)
		} else {
			out[i] = cast(x, t)
		}
	}
	return out, t, nil
}

// needFloat refuses all but the real floating-point types, and gives the type
// they promote to.
func needFloat(op string, xs []graph.Array) ([]graph.Array, dtype.Type, error) {
	if err := NeedArithmetic(xs); err != nil {
		return nil, dtype.Type{}, err
	}
	for _, x := range xs {
		if !x.DType().IsFloat() {
			e := graph.Errorf(x, "dtype %v: %s takes float16, bfloat16, float32 or float64", x.DType(), op)
			if !x.DType().IsComplex() {
				e.Hint("convert it first: fusectl convert FILE --dtype float32 then ...")
			}
			return nil, dtype.Type{}, e
		}
	}
	return Promote(xs)
}

// FloatType is the dtype that arrays promote to as operands of op, which takes
// real floating-point ones alone. It is computed in its Compute.
func FloatType(op string, xs ...graph.Array) (dtype.Type, error) {
	_, t, err := needFloat(op, xs)
	return t, err
}
