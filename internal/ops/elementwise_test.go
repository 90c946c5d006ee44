package ops

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// binaries are the operations on two arrays, with their definition in float64, which
// rounds to that of float32.
var binaries = []struct {
	name string
	op   func(x, y graph.Array, o ElementwiseOptions) (graph.Array, error)
	want func(x, y float64) float64
}{
	{"sub", Sub, func(x, y float64) float64 { return x - y }},
	{"div", Div, func(x, y float64) float64 { return x / y }},
	{"maximum", ofTwo(Maximum), func(x, y float64) float64 { return max(x, y) }},
	{"minimum", ofTwo(Minimum), func(x, y float64) float64 { return min(x, y) }},
	{"pow", Pow, math.Pow}, // within some ulps of float64, which few float32s show
}

func ofTwo(op func([]graph.Array, ElementwiseOptions) (graph.Array, error)) func(x, y graph.Array, o ElementwiseOptions) (graph.Array, error) {
	return func(x, y graph.Array, o ElementwiseOptions) (graph.Array, error) { return op([]graph.Array{x, y}, o) }
}

func TestBinariesAreTheirDefinition(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 2.5, -3, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 1e30, 1e-40}
	for _, b := range binaries {
		for _, s := range [][2]shape.Shape{
			{{2, 5, 6, 8}, {2, 5, 6, 8}}, {{2, 5, 6, 8}, {8}}, {{8}, {2, 5, 6, 8}}, {{2, 1, 6, 1}, {5, 1, 8}}, {{}, {3}}, {{}, {}}, {{0, 3}, {3}}, {{11, 1}, {1, 11}},
		} {
			t.Run(fmt.Sprint(b.name, s), func(t *testing.T) {
				x, y := graphtest.Randn(1, s[0]...), graphtest.Randn(2, s[1]...)
				if s[0].Equal(shape.Shape{11, 1}) { // each special value beside each
					copy(kernel.View[float32](x.Data), special)
					copy(kernel.View[float32](y.Data), special)
				}
				out, _ := shape.Broadcast(s[0], s[1])
				var want []float32
				xv, yv := values(x), values(y)
				graphtest.Indices(out, func(at []int) {
					want = append(want, float32(b.want(xv[graphtest.FlatIndex(x.Dims, at)], yv[graphtest.FlatIndex(y.Dims, at)])))
				})
				z, got := resultOf(t, func() (graph.Array, error) { return b.op(x, y, ElementwiseOptions{}) })
				if z.DType() != dtype.Float32 || !z.Shape().Equal(out) {
					t.Fatalf("%v %v", z.DType(), z.Shape())
				}
				same(t, b.name, got, want)
			})
		}
	}
}

// Dtypes and values are NumPy 2's, by hand.
func TestBinariesOfOtherTypes(t *testing.T) {
	vec := shape.Shape{3}
	i8 := graphtest.ArrayOf("a.npy", dtype.Int8, vec, []int8{100, -3, 5})
	u8 := graphtest.ArrayOf("b.npy", dtype.Uint8, vec, []uint8{200, 3, 0})
	truth := graphtest.ArrayOf("t.npy", dtype.Bool, vec, []bool{true, false, true})
	other := graphtest.ArrayOf("o.npy", dtype.Bool, vec, []bool{true, false, false})
	c := graphtest.ArrayOf("c.npy", dtype.Complex64, vec, []complex64{1 + 2i, -1i, 3})
	half := graphtest.ArrayOf("h.npy", dtype.Float16, vec, []uint16{0x3c00, 0xc000, 0x7e00}) // 1, -2, NaN
	f := graphtest.ArrayOf("f.npy", dtype.Float32, vec, []float32{0.5, -2, 4})
	o := ElementwiseOptions{}
	integer := func(v float64) graph.Array { return Literal(Number{v, true}) }
	number := func(v float64) graph.Array { return Literal(Number{v, false}) }
	for _, k := range []struct {
		what  string
		build func() (graph.Array, error)
		want  any
		as    dtype.Type
	}{
		{"int8 - int8 wraps", func() (graph.Array, error) { return Sub(i8, integer(-100), o) }, []int8{-56, 97, 105}, dtype.Int8},
		{"uint8 - uint8 wraps", func() (graph.Array, error) { return Sub(integer(1), u8, o) }, []uint8{57, 254, 1}, dtype.Uint8},
		{"int8 - uint8", func() (graph.Array, error) { return Sub(i8, u8, o) }, []int16{-100, -6, 5}, dtype.Int16},
		{"bool - 1", func() (graph.Array, error) { return Sub(truth, integer(1), o) }, []int64{0, -1, 0}, dtype.Int64},
		{"complex - number", func() (graph.Array, error) { return Sub(c, number(0.5), o) }, []complex64{0.5 + 2i, -0.5 - 1i, 2.5}, dtype.Complex64},
		{"int8 / uint8", func() (graph.Array, error) { return Div(i8, u8, o) }, []float64{0.5, -1, math.Inf(1)}, dtype.Float64},
		{"bool / bool", func() (graph.Array, error) { return Div(truth, other, o) }, []float64{1, math.NaN(), math.Inf(1)}, dtype.Float64},
		{"uint8 / more than it holds", func() (graph.Array, error) { return Div(u8, integer(400), o) }, []float64{0.5, 0.0075, 0}, dtype.Float64},
		{"number / float32", func() (graph.Array, error) { return Div(integer(1), f, o) }, []float32{2, -0.5, 0.25}, dtype.Float32},
		{"complex / complex", func() (graph.Array, error) { return Div(c, c, o) }, []complex64{1, 1, 1}, dtype.Complex64},
		{"float16 / float16", func() (graph.Array, error) { return Div(half, number(3), o) }, []uint16{0x3555, 0xb955, 0x7e00}, dtype.Float16},
		{"maximum of int8 and uint8", func() (graph.Array, error) { return Maximum([]graph.Array{i8, u8}, o) }, []int16{200, 3, 5}, dtype.Int16},
		{"maximum of bool", func() (graph.Array, error) { return Maximum([]graph.Array{truth, other}, o) }, []bool{true, false, true}, dtype.Bool},
		{"minimum of bool", func() (graph.Array, error) { return Minimum([]graph.Array{truth, other}, o) }, []bool{true, false, false}, dtype.Bool},
		{"minimum of float16", func() (graph.Array, error) { return Minimum([]graph.Array{half, number(-1), half}, o) }, []uint16{0xbc00, 0xc000, 0x7e00}, dtype.Float16},
		{"maximum of float16, by relu", func() (graph.Array, error) {
			return Maximum([]graph.Array{half, integer(-1)}, ElementwiseOptions{Activation: "relu"})
		}, []uint16{0x3c00, 0, 0x7e00}, dtype.Float16},
		{"minimum of one array", func() (graph.Array, error) { return Minimum([]graph.Array{i8}, o) }, []int8{100, -3, 5}, dtype.Int8},
		{"int8 to a power wraps", func() (graph.Array, error) { return Pow(i8, integer(3), o) }, []int8{64, -27, 125}, dtype.Int8},
		{"int8 to the power uint8", func() (graph.Array, error) {
			return Pow(i8, graphtest.ArrayOf("e.npy", dtype.Uint8, vec, []uint8{1, 3, 0}), o)
		}, []int16{100, -27, 1}, dtype.Int16},
		{"bool to the power bool", func() (graph.Array, error) { return Pow(truth, other, o) }, []int8{1, 1, 1}, dtype.Int8},
		{"an integer to the power int8", func() (graph.Array, error) {
			return Pow(integer(2), graphtest.ArrayOf("e.npy", dtype.Int8, vec, []int8{0, 6, 7}), o)
		}, []int8{1, 64, -128}, dtype.Int8},
		{"int8 to a power that is no integer", func() (graph.Array, error) { return Pow(i8, number(-2), o) }, []float64{1e-4, 1. / 9, 0.04}, dtype.Float64},
		{"float16 to a power", func() (graph.Array, error) { return Pow(half, integer(3), o) }, []uint16{0x3c00, 0xc800, 0x7e00}, dtype.Float16},
		{"a sum with a number", func() (graph.Array, error) {
			return Add([]graph.Array{integer(1), i8}, AddOptions{Coef: []Number{{2, true}, {1, true}}})
		}, []int8{102, -1, 7}, dtype.Int8},
		{"a product with a gate of a number", func() (graph.Array, error) {
			return Mul([]graph.Array{f, integer(0)}, MulOptions{Gate: "sigmoid"})
		}, []float32{0.25, -1, 2}, dtype.Float32},
	} {
		t.Run(k.what, func(t *testing.T) {
			x, got := resultOf(t, k.build)
			if x.DType() != k.as {
				t.Fatalf("dtype %v, want %v", x.DType(), k.as)
			}
			switch want := k.want.(type) {
			case []float64:
				for i, v := range kernel.View[float64](got) {
					if v != want[i] && (v == v || want[i] == want[i]) {
						t.Fatalf("element %d: got %v, want %v", i, v, want[i])
					}
				}
			case []complex64:
				for i, v := range kernel.View[complex64](got) {
					if v != want[i] {
						t.Fatalf("element %d: got %v, want %v", i, v, want[i])
					}
				}
			default:
				if w := rawBytes(k.want); !bytes.Equal(got, w) {
					t.Errorf("got bytes %v, want %v", got, w)
				}
			}
		})
	}
}

// failing computes x and gives the error.
func failing(t *testing.T, x graph.Array, err error) *graph.Error {
	t.Helper()
	if err != nil {
		t.Fatalf("refused before any data is read: %v", err)
	}
	p, err := graph.NewPlan(graph.Options{}, x)
	if err == nil {
		err = p.Into(t.Context(), kernel.Alloc(int(graph.SizeOf(x))))
	}
	e := (*graph.Error)(nil)
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error about an input", err)
	}
	return e
}

// What only the data shows is said when it is read.
func TestElementwiseRefusesData(t *testing.T) {
	base := graphtest.ArrayOf("x.npy", dtype.Int64, shape.Shape{3}, []int64{1, 2, 3})
	down := graphtest.ArrayOf("e.npy", dtype.Int8, shape.Shape{3}, []int8{1, 0, -2})
	x, err := Pow(base, down, ElementwiseOptions{})
	e := failing(t, x, err)
	graphtest.Refused(t, "a negative power", e, "e.npy", "holds the exponent -2: integers have no negative powers", []string{"--dtype float64 computes in floating point"})
	x, err = Pow(base, graphtest.ArrayOf("e.npy", dtype.Int16, shape.Shape{1}, []int16{-1}), ElementwiseOptions{})
	if e := failing(t, x, err); !strings.Contains(e.Msg, "the exponent -1") {
		t.Errorf("a negative power for all: %v", e)
	}
	weights := graphtest.ArrayOf("w.npy", dtype.Float32, shape.Shape{2}, []float32{-1, 1})
	x, err = Average([]graph.Array{base, base}, AverageOptions{Weights: weights})
	e = failing(t, x, err)
	graphtest.Refused(t, "weights without a sum", e, "w.npy", "the weights sum to 0, by which they would be divided", []string{"--normalize none leaves them as they are"})
}

func TestAverageIsItsDefinition(t *testing.T) {
	shapes := []shape.Shape{{2, 5, 1, 8}, {5, 6, 8}, {2, 1, 6, 8}, {}}
	var xs []graph.Array
	var v [][]float64
	for i, s := range shapes {
		x := graphtest.Randn(uint64(i+1), s...)
		xs, v = append(xs, x), append(v, values(x))
	}
	weights := []float64{0.5, -0.25, 2, 1}
	exps, positive := 0.0, 1e-4
	for _, w := range weights {
		exps += math.Exp(w)
		positive += max(w, 0)
	}
	stored := graphtest.ArrayOf("w.npz:w", dtype.Float64, shape.Shape{2, 2}, weights)
	for _, c := range []struct {
		how   string
		w     graph.Array
		share func(i int) float64
	}{
		{"", nil, func(int) float64 { return 0.25 }},
		{"sum", Numbers(weights...), func(i int) float64 { return weights[i] / 3.25 }},
		{"sum", stored, func(i int) float64 { return weights[i] / 3.25 }},
		{"none", graphtest.Of(dtype.Float16, graphtest.ArrayOf("w.npy", dtype.Float32, shape.Shape{4}, []float32{0.5, -0.25, 2, 1})), func(i int) float64 { return weights[i] }},
		{"softmax", stored, func(i int) float64 { return math.Exp(weights[i]) / exps }},
		{"fast", Numbers(weights...), func(i int) float64 { return max(weights[i], 0) / positive }},
	} {
		for _, typ := range []dtype.Type{dtype.Float32, dtype.Float64} {
			t.Run(fmt.Sprint(c.how, typ), func(t *testing.T) {
				var want []float64
				graphtest.Indices(shape.Shape{2, 5, 6, 8}, func(at []int) {
					sum := 0.0
					for i, s := range shapes {
						sum += v[i][graphtest.FlatIndex(s, at)] * c.share(i)
					}
					want = append(want, sum)
				})
				y, got := resultOf(t, func() (graph.Array, error) {
					var in []graph.Array
					for _, x := range xs {
						in = append(in, graphtest.Must(Cast(x, typ)))
					}
					return Average(in, AverageOptions{Weights: c.w, Normalize: c.how})
				})
				if y.DType() != typ {
					t.Fatalf("dtype %v", y.DType())
				}
				// Either side rounds a few times in float64, the result once more to float32.
				within(t, floats(y, got), want, typ.ULP(1)/2+2e-15)
			})
		}
	}
}

// An average goes by blocks, and divides by powers of 2 in its own way: its bytes are those of
// the sum in float64, divided and rounded.
func TestAverageOfManyElements(t *testing.T) {
	const n = 5003
	var xs []graph.Array
	var v [][]float64
	for i := range 3 {
		x := graphtest.Randn(uint64(i+1), n)
		xs, v = append(xs, x), append(v, values(x))
	}
	for _, w := range [][]float64{{1, 1}, {1, 1, 1}, {-0.25, -0.25}, {0x1p-1074}, {0x1p1023, 0x1p-50}} {
		sum, want := 0.0, make([]float32, n)
		sums := make([]float64, n)
		for i, by := range w {
			sum += by
			for at, x := range v[i] {
				sums[at] += float64(x * by)
			}
		}
		for at, s := range sums {
			want[at] = float32(s / sum)
		}
		_, got := resultOf(t, func() (graph.Array, error) { return Average(xs[:len(w)], AverageOptions{Weights: Numbers(w...)}) })
		if !bytes.Equal(got, kernel.Bytes(want)) {
			t.Errorf("weights %v: other bytes than those of the definition", w)
		}
	}
}

// Averages that show how they are summed, and in which dtypes.
func TestAverageRoundsOnce(t *testing.T) {
	one := shape.Shape{1}
	f32 := func(v ...float32) (xs []graph.Array) {
		for _, x := range v {
			xs = append(xs, graphtest.ArrayOf("x.npy", dtype.Float32, one, []float32{x}))
		}
		return xs
	}
	ones := f32(1 << 24)
	for range 15 {
		ones = append(ones, f32(1)...) // each of which float32 would lose
	}
	half := graphtest.ArrayOf("h.npy", dtype.Float16, one, []uint16{0x7bff}) // 65504, of which two overflow
	integers := graphtest.ArrayOf("i.npy", dtype.Int8, one, []int8{127})
	truth := graphtest.ArrayOf("t.npy", dtype.Bool, one, []bool{true})
	complexes := []graph.Array{
		graphtest.ArrayOf("c.npy", dtype.Complex64, one, []complex64{1 + 2i}), graphtest.ArrayOf("d.npy", dtype.Complex64, one, []complex64{2 - 1i}),
	}
	for _, c := range []struct {
		what string
		xs   []graph.Array
		o    AverageOptions
		want any
		as   dtype.Type
	}{
		{"float32", ones, AverageOptions{}, []float32{(1<<24 + 15) / 16.}, dtype.Float32},
		{"float32 beyond itself", f32(math.MaxFloat32, math.MaxFloat32), AverageOptions{}, []float32{math.MaxFloat32}, dtype.Float32},
		{"float16", []graph.Array{half, half, half}, AverageOptions{}, []uint16{0x7bff}, dtype.Float16},
		{"float16 by relu6", []graph.Array{half, half}, AverageOptions{Activation: "relu6"}, []uint16{0x4600}, dtype.Float16},
		{"int8", []graph.Array{integers, integers, Literal(Number{1, true})}, AverageOptions{}, []float64{85}, dtype.Float64},
		{"bool", []graph.Array{truth, truth}, AverageOptions{Weights: Numbers(1, 3)}, []float64{1}, dtype.Float64},
		{"complex64", complexes, AverageOptions{Weights: Numbers(1, 2), Normalize: "none"}, []complex64{5}, dtype.Complex64},
		{"NaN of weight 0", f32(float32(math.NaN()), 1), AverageOptions{Weights: Numbers(0, 1)}, []float32{float32(math.NaN())}, dtype.Float32},
	} {
		y, got := resultOf(t, func() (graph.Array, error) { return Average(c.xs, c.o) })
		if y.DType() != c.as {
			t.Errorf("%s: dtype %v, want %v", c.what, y.DType(), c.as)
			continue
		}
		var want []byte
		switch w := c.want.(type) {
		case []float64:
			want = kernel.Bytes(w)
		case []complex64:
			want = kernel.Bytes(w)
		case []float32:
			if w[0] != w[0] {
				w[0] = kernel.View[float32](got)[0]
				if w[0] == w[0] {
					t.Errorf("%s: got %v", c.what, w[0])
				}
			}
			want = kernel.Bytes(w)
		default:
			want = rawBytes(w)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got bytes %v, want %v", c.what, got, want)
		}
	}
	wide := []graph.Array{graphtest.ArrayOf("c.npy", dtype.Complex128, one, []complex128{1 + 2i}), complexes[1]}
	y, got := resultOf(t, func() (graph.Array, error) { return Average(wide, AverageOptions{}) })
	if v := kernel.View[complex128](got)[0]; y.DType() != dtype.Complex128 || v != 1.5+0.5i {
		t.Errorf("complex128 and complex64: %v of dtype %v", v, y.DType())
	}
}
