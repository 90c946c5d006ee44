package ops

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// ReduceOptions say over which axes a reduction goes, and how.
type ReduceOptions struct {
	Axes     []int // may count from the end; nil: all, and of a pooling all but batch and channel
	KeepDims bool
	Layout   shape.Layout // of a pooling
	DDof     int          // var and std divide by the number of elements less this
	P        graph.Array  // the exponent of lp and gem, one number; see Literal
	Eps      float64      // gem takes what is less, and so all that is negative, for this
}

// Reduce takes the elements along axes to one, by one of Reductions, as the function of NumPy
// that has its name does: l1 and l2 are numpy.linalg.norm's of vectors, logsumexp is
// torch.logsumexp, sum-square and log-sum are ONNX's ReduceSumSquare and ReduceLogSum; lp is
// torch.linalg.vector_norm, and gem the generalised mean (Σ max(x, eps)^p / n)^(1/p) of
// Radenović, Tolias & Chum 2018.
//
// Sums and products of booleans and integers are int64 or uint64 and wrap; max and min keep the
// dtype; argmax and argmin give int64, any and all bool; what else is made of booleans and
// integers is float64. Floats and complex numbers give their own dtype, and are accumulated in
// float64 and rounded once. NaN propagates, and is argmax's and argmin's first choice. No
// elements give the neutral element, and are refused where there is none.
func Reduce(x graph.Array, op string, o ReduceOptions) (graph.Array, error) {
	for _, r := range reductions() {
		if r.name == op {
			return r.over(x, o)
		}
	}
	return nil, &graph.Error{Msg: fmt.Sprintf("unknown reduction %q: want one of %s", op, strings.Join(Reductions(), ", "))}
}

// GlobalAvgPool is the mean over axes, as numpy.mean: integers and booleans give float64, every
// other dtype itself. Sums are kept in float64 and rounded once, after the division, so that a
// float32 mean is the correctly rounded quotient of its float64 sum.
func GlobalAvgPool(x graph.Array, o ReduceOptions) (graph.Array, error) {
	return reduction{name: "gap", of: (*reducing).mean, result: dtype.Type.Inexact, complex: true, none: math.NaN()}.pool(x, o)
}

// GlobalMaxPool is the maximum over axes, as numpy.max: the dtype stays, NaN
// propagates, complex numbers compare by their real parts first.
func GlobalMaxPool(x graph.Array, o ReduceOptions) (graph.Array, error) {
	return reduction{name: "gmp", of: (*reducing).max, result: itself, complex: true, none: math.NaN()}.pool(x, o)
}

// reduction is one of the operations that Reduce knows.
type reduction struct {
	name    string
	of      func(r *reducing) graph.Array // its elements, under any shape and in any dtype
	result  func(t dtype.Type) dtype.Type // the dtype of the result for one of x
	complex bool                          // complex numbers are taken too
	none    float64                       // what no elements give; NaN: an error
}

func reductions() []reduction {
	inexact, none := dtype.Type.Inexact, math.NaN()
	return []reduction{
		{"sum", (*reducing).sum, wide, true, 0},
		{"mean", (*reducing).mean, inexact, true, none},
		{"max", (*reducing).max, itself, false, none},
		{"min", (*reducing).min, itself, false, none},
		{"prod", (*reducing).product, wide, true, 1},
		{"var", (*reducing).variance, inexact, false, none},
		{"std", (*reducing).deviation, inexact, false, none},
		{"l1", (*reducing).magnitudes, inexact, false, 0},
		{"l2", (*reducing).length, magnitude, true, 0},
		{"lp", (*reducing).powerNorm, inexact, false, 0},
		{"gem", (*reducing).powerMean, inexact, false, none},
		{"sum-square", (*reducing).squares, magnitude, true, 0},
		{"log-sum", (*reducing).logSum, inexact, false, math.Inf(-1)},
		{"logsumexp", (*reducing).logSumExp, inexact, false, math.Inf(-1)},
		{"argmax", (*reducing).argMax, index, false, none},
		{"argmin", (*reducing).argMin, index, false, none},
		{"any", (*reducing).any, truth, true, 0},
		{"all", (*reducing).all, truth, true, 1},
	}
}

// Reductions lists the operations of Reduce.
func Reductions() (names []string) {
	for _, r := range reductions() {
		names = append(names, r.name)
	}
	return names
}

func itself(t dtype.Type) dtype.Type { return t }
func index(dtype.Type) dtype.Type    { return dtype.Int64 }
func truth(dtype.Type) dtype.Type    { return dtype.Bool }

// wide is the dtype of a sum of t in NumPy.
func wide(t dtype.Type) dtype.Type {
	switch {
	case t.IsUnsigned():
		return dtype.Uint64
	case t == dtype.Bool || t.IsInteger():
		return dtype.Int64
	}
	return t
}

// magnitude is the dtype of a magnitude of t.
func magnitude(t dtype.Type) dtype.Type {
	if t.IsComplex() {
		return realOf(t)
	}
	return t.Inexact()
}

// realOf is the dtype of the parts of complex numbers of dtype t.
func realOf(t dtype.Type) dtype.Type {
	if t == dtype.Complex128 {
		return dtype.Float64
	}
	return dtype.Float32
}

// pool is the reduction over axes that are all but batch and channel unless they are
// named.
func (r reduction) pool(x graph.Array, o ReduceOptions) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	if o.Axes == nil {
		form, err := MapForm(r.name, x, o.Layout, 0)
		if err != nil {
			return nil, err
		}
		if o.Axes = form.Spatial(); len(o.Axes) == 0 {
			return nil, graph.Errorf(x, "shape %v has no axes between batch and channel for %s to pool", x.Shape(), r.name).
				Hint("name the axes, such as --axes 0")
		}
	}
	return r.over(x, o)
}

func (r reduction) over(x graph.Array, o ReduceOptions) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	s, t := x.Shape(), x.DType()
	if t.IsComplex() && !r.complex {
		return nil, graph.Errorf(x, "dtype %v: %s takes real numbers", t, r.name)
	}
	of := o.Axes
	if of == nil {
		for a := range s {
			of = append(of, a)
		}
	}
	axes, err := shape.Axes(of, len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	if len(axes) != 1 && len(axes) != len(s) && strings.HasPrefix(r.name, "arg") {
		return nil, graph.Errorf(x, "shape %v: %s goes over one axis, or over all, through which it then counts: got %d of %d", s, r.name, len(axes), len(s))
	}
	out, count := s.Reduced(axes, o.KeepDims), int64(1)
	for _, a := range axes {
		if count *= int64(s[a]); s[a] > 0 {
			continue
		}
		if r.none != r.none {
			return nil, graph.Errorf(x, "shape %v: %s over axis %d has no element", s, r.name, a)
		}
		return repeat(Constant(r.result(t), r.none), out), nil
	}
	if r.name == "lp" || r.name == "gem" {
		if err := checkExponent(r.name, o.P); err != nil {
			return nil, err
		}
	}
	if n := count - int64(o.DDof); n <= 0 {
		return nil, graph.Errorf(x, "shape %v: %s of %d elements less a ddof of %d divides by %d", s, r.name, count, o.DDof, n)
	}
	if out.Len() == 0 {
		return empty(r.result(t), out), nil
	}
	return cast(reshape(r.of(&reducing{r.name, x, axes, count, o}), out), r.result(t)), nil
}

// reducing is an array of which axes are reduced.
type reducing struct {
	op    string
	x     graph.Array
	axes  []int
	count int64 // of the elements that become one
	o     ReduceOptions
}

// accumulated is x, which may have further axes, accumulated over the axes, one
// group of neighbours after the other. flops are the operations for an element.
func (r *reducing) accumulated(x graph.Array, flops int64, how func(t dtype.Type, g shape.Group) accumulate) graph.Array {
	t, groups := x.DType(), x.Shape().Groups(r.axes)
	if len(groups) == 0 { // nothing is accumulated, but may be changed
		groups = []shape.Group{{Outer: 1, Len: 1, Inner: x.Shape().Len()}}
	}
	for i, g := range groups {
		acc := how(t, g)
		if i > 0 {
			acc, flops = acc.merging(), 1
		}
		x = reduce(r.op, x, g, flops, acc)
	}
	return x
}

// function is an elementwise function of x, of float64.
func function(name string, x graph.Array, p ...float64) graph.Array {
	return mapTo(name, dtype.Float64, x, kernel.Active().Activation(name, dtype.KindFloat64, p...))
}

// floats is x in a float type that sums of floats are made of.
func (r *reducing) floats() graph.Array { return cast(r.x, r.x.DType().Inexact().Compute()) }

// pairs is complex x as pairs of floats along one more axis.
func (r *reducing) pairs() graph.Array {
	return reinterpret(r.x, realOf(r.x.DType()), append(r.x.Shape().Clone(), 2))
}

// floatSum is the sum in float64, of complex numbers as pairs of it.
func (r *reducing) floatSum() graph.Array {
	x := r.x
	if x.DType().IsComplex() {
		x = r.pairs()
	}
	return r.accumulated(x, 1, summing)
}

// paired is x, pairs of float64 where complex numbers are reduced, as these.
func (r *reducing) paired(x graph.Array) graph.Array {
	if !r.x.DType().IsComplex() {
		return x
	}
	return reinterpret(x, dtype.Complex128, shape.Shape{int(x.Shape().Len() / 2)})
}

func (r *reducing) sum() graph.Array {
	if t := wide(r.x.DType()); t.IsInteger() {
		return r.folded(t, 0, &kernel.Active().Add)
	}
	return r.paired(r.floatSum())
}

// sums is x without some axes (sorted, none of them empty), along which it is
// summed: floats in float64 and complex numbers in complex128, both to be rounded;
// integers wrap in their own dtype, and booleans are or-ed.
func sums(x graph.Array, axes []int) graph.Array {
	t, out := x.DType(), x.Shape().Reduced(axes, false)
	wide := dtype.Float64
	switch {
	case t.IsComplex():
		wide = dtype.Complex128
	case !t.IsFloat():
		wide = t
	}
	if len(x.Shape().Groups(axes)) == 0 { // nothing is summed
		return reshape(cast(x, wide), out)
	}
	r := &reducing{op: "sum", x: x, axes: axes}
	if wide == t && !t.IsFloat() && !t.IsComplex() {
		return reshape(r.folded(t, 0, &kernel.Active().Add), out)
	}
	return reshape(r.paired(r.floatSum()), out)
}

func (r *reducing) mean() graph.Array {
	divide, n := kernel.Active().DivideBy[dtype.KindFloat64], float64(r.count)
	return r.paired(mapTo(r.op, dtype.Float64, r.floatSum(), func(dst, src []byte) { divide(dst, src, n) }))
}

func (r *reducing) product() graph.Array {
	t := wide(r.x.DType())
	switch {
	case t.IsFloat():
		t = dtype.Float64
	case t.IsComplex():
		t = dtype.Complex128
	}
	return r.folded(t, 1, &kernel.Active().Mul)
}

// folded accumulates x in t by loops over two arrays.
func (r *reducing) folded(t dtype.Type, none float64, loops *[dtype.NumKinds]kernel.Loop3) graph.Array {
	return r.accumulated(cast(r.x, t), 1, func(t dtype.Type, g shape.Group) accumulate { return folding(t, none, loops[t.Kind()], g) })
}

func (r *reducing) max() graph.Array { return r.extreme(r.x, &kernel.Active().MaxRows) }
func (r *reducing) min() graph.Array { return r.extreme(r.x, &kernel.Active().MinRows) }
func (r *reducing) any() graph.Array {
	return r.extreme(cast(r.x, dtype.Bool), &kernel.Active().MaxRows)
}
func (r *reducing) all() graph.Array {
	return r.extreme(cast(r.x, dtype.Bool), &kernel.Active().MinRows)
}

func (r *reducing) extreme(x graph.Array, loops *[dtype.NumKinds]func(acc, x []byte)) graph.Array {
	return r.accumulated(x, 1, func(t dtype.Type, _ shape.Group) accumulate { return extreme(t, loops[t.Kind()]) })
}

func (r *reducing) variance() graph.Array {
	ddof := float64(r.o.DDof)
	return valued(r.op, r.accumulated(r.floats(), 5, moments), func(m kernel.Moments) float64 { return m.Variance(ddof) })
}

func (r *reducing) deviation() graph.Array { return function("sqrt", r.variance()) }

func (r *reducing) magnitudes() graph.Array {
	return r.accumulated(r.floats(), 1, summingBy(&kernel.Active().SumAbsRows, nil))
}

func (r *reducing) squares() graph.Array {
	if !r.x.DType().IsComplex() {
		return r.accumulated(r.floats(), 2, summingBy(&kernel.Active().SumSquareRows, &kernel.Active().RowSquares))
	}
	parts := *r
	parts.axes = append(slices.Clone(r.axes), len(r.x.Shape()))
	return parts.accumulated(r.pairs(), 2, summingBy(&kernel.Active().SumSquareRows, &kernel.Active().RowSquares))
}

func (r *reducing) length() graph.Array { return function("sqrt", r.squares()) }

func (r *reducing) powerNorm() graph.Array {
	x := function("abs", cast(r.floats(), dtype.Float64))
	return r.root(r.accumulated(r.powers(x), 1, summing))
}

func (r *reducing) powerMean() graph.Array {
	x := function("clip", cast(r.floats(), dtype.Float64), r.o.Eps, math.Inf(1))
	return r.root(divided(r.accumulated(r.powers(x), 1, summing), float64(r.count)))
}

// exponent is P as one number of float64.
func (r *reducing) exponent() graph.Array { return cast(reshape(r.o.P, shape.Shape{}), dtype.Float64) }

// root is x to the power 1/P.
func (r *reducing) root(x graph.Array) graph.Array {
	return r.power(x, function("reciprocal", r.exponent()))
}

// powers is x, of float64, to the power P: by 3, gem's default, it is two products.
func (r *reducing) powers(x graph.Array) graph.Array {
	if n, is := r.o.P.(*literal); !is || n.Value != 3 {
		return r.power(x, r.exponent())
	}
	multiply := kernel.Active().Mul[dtype.KindFloat64]
	return mapTo("cube", dtype.Float64, x, func(dst, src []byte) {
		const block = 4 << 10 // bytes of squares: they stay in the first-level cache
		buf := graph.GetBuffer(block)
		defer graph.PutBuffer(buf)
		for len(src) > 0 {
			n := min(block, len(src))
			multiply(buf[:n], src[:n], src[:n])
			multiply(dst[:n], buf[:n], src[:n])
			dst, src = dst[n:], src[n:]
		}
	})
}

// power is x to the power p, one number, both of float64.
func (r *reducing) power(x, p graph.Array) graph.Array {
	s := x.Shape()
	return &nary{computed{op: "pow", dt: dtype.Float64, sh: s}, []graph.Array{x, repeat(p, s)}, kernel.Active().Pow[dtype.KindFloat64]}
}

// checkExponent refuses what is no exponent of op.
func checkExponent(op string, p graph.Array) error {
	if p == nil {
		return &graph.Error{Msg: op + " needs an exponent p"}
	}
	if n, is := p.(*literal); is && !(n.Value > 0 && n.Value <= math.MaxFloat64) {
		return &graph.Error{Msg: fmt.Sprintf("%s with an exponent of %v: want a number above 0", op, n.Value)}
	}
	if t := p.DType(); t.IsOpaque() || t.IsComplex() || p.Shape().Len() != 1 {
		return graph.Errorf(p, "dtype %v and shape %v: the exponent of %s is one real number", t, p.Shape(), op)
	}
	return nil
}

func (r *reducing) logSum() graph.Array {
	return function("log", cast(r.sum(), dtype.Float64))
}

func (r *reducing) logSumExp() graph.Array {
	return valued(r.op, r.accumulated(r.floats(), elementary, logSums), kernel.LogSum.Value)
}

func (r *reducing) argMax() graph.Array { return r.arg(false) }
func (r *reducing) argMin() graph.Array { return r.arg(true) }

func (r *reducing) arg(least bool) graph.Array {
	x := cast(r.x, r.x.DType().Compute())
	x = r.accumulated(x, 1, func(t dtype.Type, _ shape.Group) accumulate { return best(t, least) })
	return mapTo(r.op, dtype.Int64, x, func(dst, src []byte) {
		d := kernel.View[int64](dst)
		for i, b := range kernel.View[kernel.Best](src) {
			d[i] = b.At
		}
	})
}
