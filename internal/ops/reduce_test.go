package ops

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// reductionOf is the definition of each reduction, of the elements that become one.
var reductionOf = map[string]func(v []float64) float64{
	"sum":        sumOf,
	"mean":       func(v []float64) float64 { return sumOf(v) / float64(len(v)) },
	"max":        func(v []float64) float64 { return v[firstBest(v, 1)] },
	"min":        func(v []float64) float64 { return v[firstBest(v, -1)] },
	"prod":       func(v []float64) float64 { return foldOf(v, 1, func(a, x float64) float64 { return a * x }) },
	"var":        varianceOf,
	"std":        func(v []float64) float64 { return math.Sqrt(varianceOf(v)) },
	"l1":         func(v []float64) float64 { return foldOf(v, 0, func(a, x float64) float64 { return a + math.Abs(x) }) },
	"l2":         func(v []float64) float64 { return math.Sqrt(squaresOf(v)) },
	"sum-square": squaresOf,
	"lp": func(v []float64) float64 {
		return math.Pow(foldOf(v, 0, func(a, x float64) float64 { return a + math.Pow(math.Abs(x), 2.5) }), 1/2.5)
	},
	"gem": func(v []float64) float64 {
		return math.Pow(foldOf(v, 0, func(a, x float64) float64 { return a + math.Pow(max(x, 1e-6), 3) })/float64(len(v)), 1./3)
	},
	"log-sum": func(v []float64) float64 { return math.Log(sumOf(v)) },
	"logsumexp": func(v []float64) float64 {
		top := v[firstBest(v, 1)]
		if math.IsInf(top, 0) {
			return top
		}
		return top + math.Log(foldOf(v, 0, func(a, x float64) float64 { return a + math.Exp(x-top) }))
	},
	"argmax": func(v []float64) float64 { return float64(firstBest(v, 1)) },
	"argmin": func(v []float64) float64 { return float64(firstBest(v, -1)) },
	"any": func(v []float64) float64 {
		return foldOf(v, 0, func(a, x float64) float64 { return max(a, truthOf(x)) })
	},
	"all": func(v []float64) float64 {
		return foldOf(v, 1, func(a, x float64) float64 { return min(a, truthOf(x)) })
	},
}

func foldOf(v []float64, a float64, f func(a, x float64) float64) float64 {
	for _, x := range v {
		a = f(a, x)
	}
	return a
}

func sumOf(v []float64) float64 { return foldOf(v, 0, func(a, x float64) float64 { return a + x }) }
func squaresOf(v []float64) float64 {
	return foldOf(v, 0, func(a, x float64) float64 { return a + x*x })
}

func truthOf(x float64) float64 {
	if x == 0 {
		return 0
	}
	return 1
}

// varianceOf takes two passes.
func varianceOf(v []float64) float64 {
	mean := sumOf(v) / float64(len(v))
	return foldOf(v, 0, func(a, x float64) float64 { return a + (x-mean)*(x-mean) }) / float64(len(v))
}

// firstBest is the index of the first NaN, or else of the greatest, or with sign -1 of the least.
func firstBest(v []float64, sign float64) int {
	best := 0
	for i, x := range v {
		if b := v[best]; b == b && (x != x || sign*x > sign*b) {
			best = i
		}
	}
	return best
}

// partsOf gives the elements of x that become each element of a reduction.
func partsOf(x *graphtest.Mem, axes []int) [][]float64 {
	if axes == nil {
		for a := range x.Dims {
			axes = append(axes, a)
		}
	}
	axes, err := shape.Axes(axes, len(x.Dims))
	if err != nil {
		panic(err)
	}
	out := x.Dims.Reduced(axes, true)
	parts := make([][]float64, out.Len())
	v, i := values(x), 0
	graphtest.Indices(x.Dims, func(at []int) {
		k := graphtest.FlatIndex(out, at)
		parts[k] = append(parts[k], v[i])
		i++
	})
	return parts
}

// optionsOf are the options of a reduction in reductionOf.
func optionsOf(op string, axes []int) ReduceOptions {
	o := ReduceOptions{Axes: axes}
	switch op {
	case "lp":
		o.P = Literal(Number{Value: 2.5})
	case "gem":
		o.P, o.Eps = graphtest.ArrayOf("p.npy", dtype.Float32, shape.Shape{1}, []float32{3}), 1e-6
	}
	return o
}

// checkReduction compares a reduction of x, computed in every way, with its definition.
func checkReduction(t *testing.T, op string, x *graphtest.Mem, axes []int) {
	t.Helper()
	build := func() graph.Array { return graphtest.Must(Reduce(x, op, optionsOf(op, axes))) }
	got := floats(build(), graphtest.Result(t, build))
	parts := partsOf(x, axes)
	if len(got) != len(parts) {
		t.Fatalf("%s: %d elements, want %d", op, len(got), len(parts))
	}
	// One rounding to float32, of half an ulp; in float64, and before it, some hundred of them in
	// another order, of numbers that may be larger than the result, and so by their sum.
	step := x.Type.ULP(1)
	for i, p := range parts {
		want := reductionOf[op](p)
		limit := step*math.Abs(want) + 1e-14*(1+foldOf(p, 0, func(a, x float64) float64 { return a + math.Abs(x) }))
		if op == "prod" {
			limit = step*math.Abs(want) + 1e-16*float64(len(p))*math.Abs(want)
		}
		if d := math.Abs(got[i] - want); !(d <= limit) && got[i] != want && (got[i] == got[i] || want == want) {
			t.Fatalf("%s of %v %v over %v: element %d is %v, want %v: off by %.3g, allowed %.3g", op, x.Type, x.Dims, axes, i, got[i], want, d, limit)
		}
	}
}

// positive is a normal array without what has no logarithm, its elements large enough for
// products of some hundred.
func positive(seed uint64, dims ...int) *graphtest.Mem {
	x := graphtest.Randn(seed, dims...)
	for i, v := range kernel.View[float32](x.Data) {
		kernel.View[float32](x.Data)[i] = float32(math.Exp(float64(v) / 4))
	}
	return x
}

func TestReduceIsItsDefinition(t *testing.T) {
	for _, c := range []struct {
		s    shape.Shape
		axes []int
	}{
		{shape.Shape{}, nil}, {shape.Shape{1, 1}, []int{0}}, {shape.Shape{7}, nil}, {shape.Shape{3, 4, 5}, nil},
		{shape.Shape{3, 4, 5}, []int{}}, {shape.Shape{300, 3}, []int{0}}, {shape.Shape{2, 3, 300}, []int{-1}}, {shape.Shape{70, 130}, []int{1}},
		{shape.Shape{4, 9, 3}, []int{1}}, {shape.Shape{3, 5, 4, 6, 2}, []int{0, 2, 4}}, {shape.Shape{3, 5, 4, 6, 2}, []int{1, 3}},
		{shape.Shape{3, 1, 4}, []int{1}}, {shape.Shape{2, 1100}, []int{-1}}, {shape.Shape{5000}, nil},
	} {
		for _, op := range Reductions() {
			if strings.HasPrefix(op, "arg") && c.axes != nil && len(c.axes) != 1 {
				continue
			}
			t.Run(fmt.Sprint(op, c.s, c.axes), func(t *testing.T) {
				x := graphtest.Randn(4, c.s...)
				if op == "prod" || op == "log-sum" {
					x = positive(4, c.s...)
				} else if op == "any" || op == "all" {
					for i, v := range kernel.View[float32](x.Data) {
						kernel.View[float32](x.Data)[i] = float32(math.Trunc(float64(v)))
					}
				}
				checkReduction(t, op, x, c.axes)
				if len(c.s) > 1 {
					checkReduction(t, op, graphtest.Of(dtype.Float64, x), c.axes)
				}
				if x.Dims.Len() > 30 {
					kernel.View[float32](x.Data)[13] = float32(math.Inf(-1))
					kernel.View[float32](x.Data)[29] = float32(math.NaN())
					checkReduction(t, op, x, c.axes)
				}
			})
		}
	}
}

// Arrays of several chunks, by lone columns in lanes and by rows, and of more columns than a
// piece has.
func TestReduceOfManyElements(t *testing.T) {
	lone, rows, wide := positive(5, 1_100_000), positive(6, 270_000, 4), positive(7, 3, 70_000)
	rest := positive(8, 1<<16+3) // a piece, and one of fewer elements than lanes
	for _, c := range []struct {
		op   string
		x    *graphtest.Mem
		axes []int
	}{
		{"var", lone, nil}, {"var", rows, []int{0}}, {"std", wide, []int{0}}, {"l1", lone, nil}, {"l2", rows, []int{0}}, {"min", lone, nil},
		{"std", rest, nil}, {"l2", rest, nil}, {"logsumexp", rest, nil},
		{"logsumexp", rows, []int{0}}, {"argmax", lone, nil}, {"argmin", rows, []int{0}}, {"sum", wide, nil},
	} {
		t.Run(fmt.Sprint(c.op, c.x.Dims), func(t *testing.T) { checkReduction(t, c.op, c.x, c.axes) })
	}
}

// A constant varies by nothing, however large it is, and a million numbers by what they vary
// by, however far from 0 they lie.
func TestVarianceIsAccurate(t *testing.T) {
	for _, s := range []shape.Shape{{1_000_001}, {1001, 3}, {40, 1001}} {
		v := make([]float32, s.Len())
		for i := range v {
			v[i] = 16777217.4 * 1e9
		}
		for axis := range s {
			x := graphtest.ArrayOf("x", dtype.Float32, s, v)
			y := graphtest.Must(Reduce(x, "std", ReduceOptions{Axes: []int{axis}}))
			for i, got := range floats(y, graphtest.WriteAt(t, y, graph.Options{})) {
				if got != 0 {
					t.Fatalf("%v along %d: element %d of a constant deviates by %v", s, axis, i, got)
				}
			}
		}
	}
	// n numbers, half of them at the level and half two above it, vary by 1 and, with a ddof, by n/(n-1).
	const n = 1 << 20
	for _, level := range []float64{0, 1e9, 1e15} {
		for _, s := range []shape.Shape{{n}, {n, 1}, {2, n / 2}} {
			v := make([]float64, n)
			for i := range v {
				v[i] = level + float64(i*0x9e3779b1>>7%2*2) // in no order, and so many of each
			}
			ones := 0.0
			for _, w := range v {
				ones += (w - level) / 2
			}
			want := 4 * ones * (n - ones) / n
			x := graphtest.ArrayOf("x", dtype.Float64, s, v)
			for ddof, by := range []float64{n, n - 1} {
				y := graphtest.Must(Reduce(x, "var", ReduceOptions{DDof: ddof}))
				got := floats(y, graphtest.WriteAt(t, y, graph.Options{}))[0]
				// Sums of integers are exact; the means of chunks are not, of which 17 are merged.
				if math.Abs(got-want/by) > 1e-14 {
					t.Errorf("%v at %v less %d: %v, want %v", s, level, ddof, got, want/by)
				}
			}
		}
	}
}

// Dtypes and values are NumPy 2's, by hand.
func TestReductionsOfIntegers(t *testing.T) {
	s := shape.Shape{3}
	i8 := graphtest.ArrayOf("a.npy", dtype.Int8, s, []int8{-128, 100, 127})
	u8 := graphtest.ArrayOf("b.npy", dtype.Uint8, s, []uint8{200, 3, 255})
	i64 := graphtest.ArrayOf("c.npy", dtype.Int64, s, []int64{math.MaxInt64, math.MaxInt64 - 1, 2})
	u64 := graphtest.ArrayOf("d.npy", dtype.Uint64, s, []uint64{math.MaxUint64, 2, 3})
	truth := graphtest.ArrayOf("e.npy", dtype.Bool, s, []bool{true, false, true})
	for _, c := range []struct {
		op   string
		x    graph.Array
		want any
		as   dtype.Type
	}{
		{"sum", i8, []int64{99}, dtype.Int64}, {"prod", i8, []int64{-128 * 100 * 127}, dtype.Int64}, {"mean", i8, []float64{33}, dtype.Float64},
		{"max", i8, []int8{127}, dtype.Int8}, {"min", i8, []int8{-128}, dtype.Int8}, {"l1", i8, []float64{355}, dtype.Float64},
		{"argmin", i8, []int64{0}, dtype.Int64}, {"argmax", i8, []int64{2}, dtype.Int64}, {"sum-square", i8, []float64{16384 + 10000 + 16129}, dtype.Float64},
		{"sum", u8, []uint64{458}, dtype.Uint64}, {"prod", u8, []uint64{200 * 3 * 255}, dtype.Uint64}, {"min", u8, []uint8{3}, dtype.Uint8},
		{"sum", i64, []int64{-1}, dtype.Int64}, {"prod", i64, []int64{4}, dtype.Int64}, {"argmin", i64, []int64{2}, dtype.Int64}, {"argmax", i64, []int64{0}, dtype.Int64},
		{"sum", u64, []uint64{4}, dtype.Uint64}, {"prod", u64, []uint64{math.MaxUint64 - 5}, dtype.Uint64}, {"argmax", u64, []int64{0}, dtype.Int64},
		{"sum", truth, []int64{2}, dtype.Int64}, {"prod", truth, []int64{0}, dtype.Int64}, {"mean", truth, []float64{2. / 3}, dtype.Float64},
		{"max", truth, []bool{true}, dtype.Bool}, {"min", truth, []bool{false}, dtype.Bool}, {"any", u8, []bool{true}, dtype.Bool},
		{"all", truth, []bool{false}, dtype.Bool}, {"argmin", truth, []int64{1}, dtype.Int64}, {"l2", truth, []float64{math.Sqrt2}, dtype.Float64},
	} {
		y, got := resultOf(t, func() (graph.Array, error) { return Reduce(c.x, c.op, ReduceOptions{KeepDims: true}) })
		if y.DType() != c.as || !y.Shape().Equal(shape.Shape{1}) {
			t.Errorf("%s of %v: %v %v, want %v (1,)", c.op, c.x.DType(), y.DType(), y.Shape(), c.as)
			continue
		}
		var want []byte
		switch v := c.want.(type) {
		case []float64:
			want = kernel.Bytes(v)
		case []uint64:
			want = kernel.Bytes(v)
		default:
			want = rawBytes(c.want)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s of %v: bytes %v, want %v: %v", c.op, c.x.DType(), got, want, c.want)
		}
	}
}

// A sum over axes of one position is the array itself, in the dtype that sums have.
func TestSumsOfOnePosition(t *testing.T) {
	i8 := graphtest.ArrayOf("a.npy", dtype.Int8, shape.Shape{1, 2}, []int8{-128, 100})
	c64 := graphtest.ArrayOf("c.npy", dtype.Complex64, shape.Shape{1, 2}, []complex64{1 + 2i, 3})
	for _, c := range []struct {
		x    graph.Array
		as   dtype.Type
		want []byte
	}{
		{i8, dtype.Int8, i8.Data},
		{graphtest.ArrayOf("f.npy", dtype.Float32, shape.Shape{1, 2}, []float32{-128, 100}), dtype.Float64, kernel.Bytes([]float64{-128, 100})},
		{c64, dtype.Complex128, kernel.Bytes([]complex128{1 + 2i, 3})},
	} {
		y, got := resultOf(t, func() (graph.Array, error) { return sums(c.x, []int{0}), nil })
		if y.DType() != c.as || !y.Shape().Equal(shape.Shape{2}) || !bytes.Equal(got, c.want) {
			t.Errorf("of %v: %v %v of bytes %v, want %v", c.x.DType(), y.DType(), y.Shape(), got, c.want)
		}
	}
}

// Complex numbers are summed, multiplied, averaged and measured by their parts.
func TestReductionsOfComplexNumbers(t *testing.T) {
	x := graphtest.ArrayOf("c.npy", dtype.Complex64, shape.Shape{2, 2}, []complex64{1 + 2i, -1i, 3, -2 + 1i})
	for _, c := range []struct {
		op   string
		want any
		as   dtype.Type
	}{
		{"sum", []complex64{4 + 2i, -2}, dtype.Complex64}, {"mean", []complex64{2 + 1i, -1}, dtype.Complex64}, {"prod", []complex64{3 + 6i, 1 + 2i}, dtype.Complex64},
		{"sum-square", []float32{14, 6}, dtype.Float32}, {"l2", []float32{float32(math.Sqrt(14)), float32(math.Sqrt(6))}, dtype.Float32},
		{"any", []bool{true, true}, dtype.Bool},
	} {
		y, got := resultOf(t, func() (graph.Array, error) { return Reduce(x, c.op, ReduceOptions{Axes: []int{0}}) })
		var want []byte
		if v, ok := c.want.([]complex64); ok {
			want = kernel.Bytes(v)
		} else {
			want = rawBytes(c.want)
		}
		if y.DType() != c.as || !bytes.Equal(got, want) {
			t.Errorf("%s: %v of bytes %v, want %v of %v", c.op, y.DType(), got, c.as, c.want)
		}
	}
}

// No elements give what leaves others as they are.
func TestReductionsOfNothing(t *testing.T) {
	x := graphtest.ArrayOf("x.npy", dtype.Float32, shape.Shape{2, 0}, []float32{})
	inf := math.Inf(-1)
	for op, want := range map[string]float64{
		"sum": 0, "prod": 1, "lp": 0, "l1": 0, "l2": 0, "sum-square": 0, "log-sum": inf, "logsumexp": inf, "any": 0, "all": 1,
	} {
		y, got := resultOf(t, func() (graph.Array, error) { return Reduce(x, op, optionsOf(op, []int{1})) })
		if v := floats(y, got); !slices.Equal(v, []float64{want, want}) {
			t.Errorf("%s: %v, want %v", op, v, want)
		}
		y, got = resultOf(t, func() (graph.Array, error) {
			o := optionsOf(op, []int{0})
			o.KeepDims = true
			return Reduce(x, op, o)
		})
		if len(got) != 0 || !y.Shape().Equal(shape.Shape{1, 0}) {
			t.Errorf("%s along the other axis: shape %v, %d bytes", op, y.Shape(), len(got))
		}
	}
}
