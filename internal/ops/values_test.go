package ops

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// resultOf gives the array of build, and its bytes, however it is cut.
func resultOf(t *testing.T, build func() (graph.Array, error)) (graph.Array, []byte) {
	t.Helper()
	return graphtest.Must(build()), graphtest.Result(t, func() graph.Array { return graphtest.Must(build()) })
}

// Dtypes and values of sums and products are NumPy 2's, by hand.
func TestElementwiseOfOtherTypes(t *testing.T) {
	vec := shape.Shape{3}
	i8 := graphtest.ArrayOf("a.npy", dtype.Int8, vec, []int8{100, -3, 5})
	u8 := graphtest.ArrayOf("b.npy", dtype.Uint8, vec, []uint8{200, 3, 0})
	truth := graphtest.ArrayOf("t.npy", dtype.Bool, vec, []bool{true, false, true})
	other := graphtest.ArrayOf("o.npy", dtype.Bool, vec, []bool{true, false, false})
	c := graphtest.ArrayOf("c.npy", dtype.Complex64, vec, []complex64{1 + 2i, -1i, 3})
	f := graphtest.ArrayOf("f.npy", dtype.Float32, vec, []float32{0.5, -2, 4})
	sum := func(o AddOptions, xs ...graph.Array) func() (graph.Array, error) {
		return func() (graph.Array, error) { return Add(xs, o) }
	}
	product := func(o MulOptions, xs ...graph.Array) func() (graph.Array, error) {
		return func() (graph.Array, error) { return Mul(xs, o) }
	}
	coef := func(c ...Number) AddOptions { return AddOptions{Coef: c} }
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, k := range []struct {
		what  string
		build func() (graph.Array, error)
		want  any
		as    dtype.Type
	}{
		{"int8 wraps", sum(AddOptions{}, i8, i8), []int8{-56, -6, 10}, dtype.Int8},
		{"int8 and uint8 are int16", sum(AddOptions{}, i8, u8), []int16{300, 0, 5}, dtype.Int16},
		{"booleans are or-ed", sum(AddOptions{}, truth, other), []bool{true, false, true}, dtype.Bool},
		{"an integer coefficient keeps int8", sum(coef(Number{2, true}, Number{1, true}), i8, i8), []int8{44, -9, 15}, dtype.Int8},
		{"integer coefficients of booleans count", sum(coef(Number{2, true}, Number{3, true}), truth, other), []int64{5, 0, 2}, dtype.Int64},
		{"a coefficient of uint8", sum(coef(Number{255, true}), u8), []uint8{56, 253, 0}, dtype.Uint8},
		{"a number that is no integer gives float64", sum(coef(Number{0.5, false}, Number{1, true}), i8, i8), []float64{150, -4.5, 7.5}, dtype.Float64},
		{"coefficients of complex numbers", sum(coef(Number{2, false}), c), []complex64{2 + 4i, -2i, 6}, dtype.Complex64},
		{"relu of integers", sum(AddOptions{Activation: "relu"}, i8, i8), []int8{0, 0, 10}, dtype.Int8},
		{"sigmoid of integers", sum(AddOptions{Activation: "sigmoid"}, i8), []float64{sigmoid(100), sigmoid(-3), sigmoid(5)}, dtype.Float64},
		{"complex products", product(MulOptions{}, c, c), []complex64{-3 + 4i, -1, 9}, dtype.Complex64},
		{"integers by a gate", product(MulOptions{Gate: "sigmoid"}, i8, u8), []float64{100 * sigmoid(200), -3 * sigmoid(3), 5 * sigmoid(0)}, dtype.Float64},
		{"integers by a gate of integers", product(MulOptions{Gate: "relu6"}, i8, i8), []int8{88, 0, 25}, dtype.Int8},
		{"floats by a gate", product(MulOptions{Gate: "relu", Activation: "relu6"}, f, f), []float32{0.25, 0, 6}, dtype.Float32},
		{"softmax of integers", func() (graph.Array, error) {
			return Activate("softmax", graphtest.ArrayOf("i.npy", dtype.Int32, shape.Shape{2}, []int32{7, 7}), 0)
		}, []float64{0.5, 0.5}, dtype.Float64},
		{"softmax of nothing but -inf", func() (graph.Array, error) {
			return Activate("softmax", graphtest.ArrayOf("i.npy", dtype.Float32, shape.Shape{2}, []float32{float32(math.Inf(-1)), float32(math.Inf(-1))}), 0)
		}, []float32{0, 0}, dtype.Float32},
		{"one array", sum(AddOptions{}, f), []float32{0.5, -2, 4}, dtype.Float32},
		{"a product of float16", product(MulOptions{Activation: "relu"}, graphtest.Of(dtype.Float16, f), graphtest.Of(dtype.Float16, f)), []uint16{0x3400, 0x4400, 0x4c00}, dtype.Float16}, // 0.25, 4, 16
		{"a constant", func() (graph.Array, error) { return Broadcast(Constant(dtype.Int16, -7.9), vec) }, []int16{-7, -7, -7}, dtype.Int16},
	} {
		t.Run(k.what, func(t *testing.T) {
			x, got := resultOf(t, k.build)
			if x.DType() != k.as {
				t.Fatalf("dtype %v, want %v", x.DType(), k.as)
			}
			var want []float64
			switch w := k.want.(type) {
			case []float64: // exponentials, within an ulp or two
				within(t, floats(x, got), w, 5e-16)
				return
			case []complex64:
				for _, v := range w {
					want = append(want, float64(real(v)), float64(imag(v)))
				}
				for i, v := range kernel.View[float32](got) {
					if float64(v) != want[i] {
						t.Fatalf("part %d: got %v, want %v", i, v, want[i])
					}
				}
				return
			}
			if w := rawBytes(k.want); !bytes.Equal(got, w) {
				t.Errorf("got bytes %v, want %v", got, w)
			}
		})
	}
}

// rawBytes is the elements of a slice as they lie in memory.
func rawBytes(v any) []byte {
	switch v := v.(type) {
	case []int8:
		return kernel.Bytes(v)
	case []int16:
		return kernel.Bytes(v)
	case []int64:
		return kernel.Bytes(v)
	case []uint8:
		return v
	case []uint16:
		return kernel.Bytes(v)
	case []bool:
		return kernel.Bytes(v)
	case []float32:
		return kernel.Bytes(v)
	}
	panic(fmt.Sprintf("%T", v))
}

// A result that was rounded once is rounded anew from what it was computed in.
func TestRounded(t *testing.T) {
	// Its nearest float16 is 1+2^-8, which lies halfway between two of bfloat16 and
	// goes to the even one, 1; it lies itself beyond that half.
	x := graphtest.ArrayOf("x.npy", dtype.Float32, shape.Shape{1}, []float32{1 + 0x1p-8 + 0x1p-20})
	half := graphtest.Must(Cast(x, dtype.Float16))
	stored := graphtest.Of(dtype.Float16, x)
	// Their average is beyond that half in float64, and on it in float32.
	average := graphtest.Must(Average([]graph.Array{
		graphtest.ArrayOf("a.npy", dtype.Float32, shape.Shape{1}, []float32{1 + 0x1p-8}),
		graphtest.ArrayOf("b.npy", dtype.Float32, shape.Shape{1}, []float32{1 + 0x1p-8 + 0x1p-23}),
	}, AverageOptions{}))
	for _, c := range []struct {
		what string
		x    graph.Array
		to   dtype.Type
		want uint16
	}{
		{"an average", average, dtype.BFloat16, 0x3f81}, {"once", half, dtype.BFloat16, 0x3f81}, {"of a float16 file", stored, dtype.BFloat16, 0x3f80}, {"to itself", half, dtype.Float16, 0x3c04},
	} {
		y := graphtest.Must(Rounded(c.x, c.to))
		if got := kernel.View[uint16](graphtest.WriteAt(t, y, graph.Options{}))[0]; got != c.want {
			t.Errorf("%s: got %#x, want %#x", c.what, got, c.want)
		}
	}
	whole := graphtest.Must(Rounded(graphtest.Must(Cast(graphtest.Must(Add([]graph.Array{x, x}, AddOptions{})), dtype.Float16)), dtype.Int8))
	if got := graphtest.WriteAt(t, whole, graph.Options{})[0]; got != 2 {
		t.Errorf("to int8: got %d, want 2", got)
	}
	if _, err := Rounded(half, dtype.BytesOf(2)); err == nil {
		t.Error("float16 was rounded to text")
	}
}

// Lists, names and shapes that callers ask for.
func TestWhatOperationsSayOfThemselves(t *testing.T) {
	names := map[string]bool{}
	for _, a := range Activations() {
		if names[a.Name] || a.Name == "" || a.Group == "" {
			t.Errorf("activation %q of group %q, not once", a.Name, a.Group)
		}
		names[a.Name] = true
	}
	if !names["softmax"] || !names["gelu"] || len(names) != len(kernel.Activations())+9 {
		t.Errorf("activations %v", names)
	}
	if DefaultWeights(shape.NHWC) != Keras || DefaultWeights(shape.NCHW) != Torch {
		t.Error("the weight layouts don't go with the layouts")
	}
	k := graphtest.Randn(1, 3, 5)
	for l, want := range map[WeightLayout]int{Keras: 5, Torch: 3} {
		if n, err := (Weights{Kernel: k, Layout: l}).Outputs(); n != want || err != nil {
			t.Errorf("%s: %d outputs, %v", l, n, err)
		}
	}
	if err := (Weights{}).Fits(k, 0); err != nil {
		t.Errorf("the identity doesn't fit: %v", err)
	}
	bad := Weights{Kernel: graphtest.Randn(1, 3), Layout: Torch}
	if bad.Fits(k, 0) == nil {
		t.Error("a vector fits as a kernel")
	}
	if _, err := bad.Outputs(); err == nil {
		t.Error("a vector has outputs as a kernel")
	}
	all := Weights{Kernel: k, Norm: &BatchNorm{Mean: k, Variance: k}}.Arrays()
	if len(all) != 3 {
		t.Errorf("%d arrays of a kernel and two statistics", len(all))
	}
	sum := graphtest.Must(Add([]graph.Array{k, k}, AddOptions{}))
	for _, c := range []struct {
		x    graph.Array
		want string
	}{
		{k, "copy"}, {graphtest.Must(Cast(k, dtype.Float64)), "copy"}, {sum, "add"},
		{graph.Materialize(graphtest.Must(Cast(graphtest.Must(Reshape(sum, shape.Shape{15})), dtype.Float16))), "add"},
	} {
		if got := OpOf(c.x); got != c.want {
			t.Errorf("%T is the operation %q, want %q", c.x, got, c.want)
		}
	}
	turned := graphtest.Must(Transpose(k, []int{1, 0}))
	if Untransposed(turned) != graph.Array(k) || Untransposed(k) != graph.Array(k) {
		t.Error("an array isn't found below its transposition")
	}
	cube := graphtest.Randn(1, 3, 4, 5)
	if Untransposed(graphtest.Must(Transpose(cube, []int{2, 1, 0}))) != graph.Array(cube) {
		t.Error("an array isn't found below its permutation")
	}
	if Constant(dtype.Float32, 2).(graph.Resident).Bytes() == nil {
		t.Error("a constant isn't in memory")
	}
	defer func() {
		if recover() == nil {
			t.Error("6 elements were seen as 7")
		}
	}()
	reinterpret(graphtest.Randn(1, 6), dtype.Float32, shape.Shape{7})
}

// Parts of an array along its first axis are a slice of its bytes.
func TestSlices(t *testing.T) {
	x := graphtest.Randn(1, 6, 5, 4)
	for what, c := range map[string]struct {
		build    func() (graph.Array, error)
		from, to int // rows
	}{
		"rows":    {func() (graph.Array, error) { return Rows(x, 1, 3) }, 1, 4},
		"no rows": {func() (graph.Array, error) { return Rows(x, 6, 0) }, 6, 6},
		"a third": {func() (graph.Array, error) {
			parts, err := SplitEqually(x, 0, 3)
			return parts[1], err
		}, 2, 4},
	} {
		y, got := resultOf(t, c.build)
		if want := x.Data[c.from*80 : c.to*80]; !bytes.Equal(got, want) || y.Shape()[0] != c.to-c.from {
			t.Errorf("%s: shape %v, differs at byte %d", what, y.Shape(), graphtest.Differ(got, want))
		}
	}
	for axis := range 3 {
		_, got := resultOf(t, func() (graph.Array, error) { return flip(x, axis), nil })
		var want []byte
		graphtest.Indices(x.Dims, func(at []int) {
			from := slices.Clone(at)
			from[axis] = x.Dims[axis] - 1 - at[axis]
			i := graphtest.FlatIndex(x.Dims, from)
			want = append(want, x.Data[4*i:4*i+4]...)
		})
		if !bytes.Equal(got, want) {
			t.Errorf("flipped along axis %d: differs at byte %d", axis, graphtest.Differ(got, want))
		}
	}
}

// An array seen with larger or smaller elements has the same bytes.
func TestElementsOfOtherSizes(t *testing.T) {
	x := graphtest.Randn(1, 12, 10)
	for _, c := range []struct {
		what string
		x    func() graph.Array
		as   dtype.Type
		s    shape.Shape
	}{
		{"pairs", func() graph.Array { return x }, dtype.Complex64, shape.Shape{12, 5}},
		{"of pairs", func() graph.Array { return reinterpret(x, dtype.Complex128, shape.Shape{30}) }, dtype.Float32, shape.Shape{12, 10}},
		{"of pairs, by regions", func() graph.Array {
			pairs := reinterpret(x, dtype.Complex64, shape.Shape{12, 5})
			return graphtest.Must(Transpose(graphtest.Must(Transpose(reinterpret(pairs, dtype.Float32, shape.Shape{12, 10}), []int{1, 0})), []int{1, 0}))
		}, dtype.Float32, shape.Shape{12, 10}},
	} {
		_, got := resultOf(t, func() (graph.Array, error) { return reinterpret(c.x(), c.as, c.s), nil })
		if !bytes.Equal(got, x.Data) {
			t.Errorf("%s: differs at byte %d", c.what, graphtest.Differ(got, x.Data))
		}
	}
	// Transposed, what is seen as smaller elements is read by regions that cut the larger.
	_, got := resultOf(t, func() (graph.Array, error) {
		return Transpose(reinterpret(reinterpret(x, dtype.Complex64, shape.Shape{60}), dtype.Float32, shape.Shape{12, 10}), []int{1, 0})
	})
	if want := graphtest.Permuted(x, []int{1, 0}).Data; !bytes.Equal(got, want) {
		t.Errorf("transposed: differs at byte %d", graphtest.Differ(got, want))
	}
	_, got = resultOf(t, func() (graph.Array, error) { return Transpose(graph.Materialize(x), []int{1, 0}) })
	if want := graphtest.Permuted(x, []int{1, 0}).Data; !bytes.Equal(got, want) {
		t.Errorf("transposed where it lies in memory: differs at byte %d", graphtest.Differ(got, want))
	}
}

// Sums and means of float16 to complex128, over any axes and of nothing.
func TestReductionsOfOtherTypes(t *testing.T) {
	s := shape.Shape{3, 4, 5}
	parts := graphtest.Randn(1, 3, 4, 5, 2)
	pv := values(parts)
	for _, typ := range []dtype.Type{dtype.Complex64, dtype.Complex128} {
		t.Run("mean of "+typ.String(), func(t *testing.T) {
			work := graph.Array(parts)
			if typ == dtype.Complex128 {
				work = graphtest.Of(dtype.Float64, parts)
			}
			data := work.(*graphtest.Mem).Data
			x := &graphtest.Mem{Label: "c.npy", Type: typ, Dims: s, Data: data}
			var want []float64
			for i := range 3 {
				for c := range 5 {
					for part := range 2 {
						sum := 0.0
						for j := range 4 {
							sum += pv[((i*4+j)*5+c)*2+part]
						}
						want = append(want, sum/4)
					}
				}
			}
			y, got := resultOf(t, func() (graph.Array, error) { return GlobalAvgPool(x, ReduceOptions{Axes: []int{1}, KeepDims: true}) })
			if y.DType() != typ || !y.Shape().Equal(shape.Shape{3, 1, 5}) {
				t.Errorf("the mean of %v has dtype %v and shape %v", typ, y.DType(), y.Shape())
			}
			real := &graphtest.Mem{Type: dtype.Float32, Dims: shape.Shape{30}}
			if typ == dtype.Complex128 {
				real.Type = dtype.Float64
			}
			within(t, floats(real, got), want, 6e-8) // one rounding to float32
		})
	}
	x := graphtest.Randn(2, 3, 4, 5)
	xv := values(x)
	for _, typ := range []dtype.Type{dtype.Float16, dtype.BFloat16, dtype.Float32, dtype.Float64} {
		t.Run("sum of "+typ.String(), func(t *testing.T) {
			z := graphtest.Of(typ, x)
			zv := values(z)
			var want []float64
			for i := range 3 {
				sum := 0.0
				for j := range 20 {
					sum += zv[i*20+j]
				}
				want = append(want, sum)
			}
			y, got := resultOf(t, func() (graph.Array, error) { return Reduce(z, "sum", ReduceOptions{Axes: []int{-1, 1}}) })
			if y.DType() != typ {
				t.Errorf("the sum of %v has dtype %v", typ, y.DType())
			}
			ulp := typ.ULP(1)
			within(t, floats(y, got), want, max(ulp, 1e-15)) // one rounding, by less than an ulp; the sum in float64 is in another order
		})
	}
	// Axes of one position leave nothing to sum.
	y, got := resultOf(t, func() (graph.Array, error) {
		return GlobalAvgPool(graphtest.Must(Reshape(x, shape.Shape{3, 1, 20})), ReduceOptions{Axes: []int{1}})
	})
	within(t, floats(y, got), xv, 0)
	empty := graphtest.Randn(1, 0, 3)
	for what, c := range map[string]struct {
		build func(graph.Array, ReduceOptions) (graph.Array, error)
		x     graph.Array
		as    dtype.Type
	}{
		"gap": {GlobalAvgPool, graphtest.Of(dtype.Int8, empty), dtype.Float64}, "gmp": {GlobalMaxPool, graphtest.Of(dtype.Int8, empty), dtype.Int8}, "sum": {func(x graph.Array, o ReduceOptions) (graph.Array, error) { return Reduce(x, "sum", o) }, graphtest.Of(dtype.Float16, empty), dtype.Float16},
	} {
		y, got := resultOf(t, func() (graph.Array, error) { return c.build(c.x, ReduceOptions{Axes: []int{1}}) })
		if y.DType() != c.as || !y.Shape().Equal(shape.Shape{0}) || len(got) != 0 || graph.CostOf(y, func(graph.Array) bool { return false }).Flops != 0 {
			t.Errorf("%s of nothing: dtype %v, shape %v, %d bytes", what, y.DType(), y.Shape(), len(got))
		}
	}
}

func TestNormalizations(t *testing.T) {
	x := graphtest.Randn(1, 7, 6)
	copy(kernel.View[float32](x.Data), []float32{0, 0, 0, 0, 0, 0, -1, -2, -3, -4, -5, -6})
	for _, typ := range []dtype.Type{dtype.Float16, dtype.Float32, dtype.Float64} {
		t.Run(typ.String(), func(t *testing.T) {
			z := graphtest.Of(typ, x)
			v := values(z)
			var fast, power []float64
			for row := 0; row < len(v); row += 6 {
				sum, length := 0.0, 0.0
				for _, e := range v[row : row+6] {
					sum += max(e, 0)
					length += math.Abs(e) // √|e| squared
				}
				for _, e := range v[row : row+6] {
					fast = append(fast, max(e, 0)/(sum+1e-3))
					power = append(power, math.Copysign(math.Sqrt(math.Abs(e)), e)/max(math.Sqrt(length), 1e-12))
				}
			}
			y, got := resultOf(t, func() (graph.Array, error) { return FastNormalize(z, 1e-3) })
			within(t, floats(y, got), fast, typ.ULP(1)) // one rounding, of numbers up to 1
			y, got = resultOf(t, func() (graph.Array, error) { return PowerNormalize(z) })
			within(t, floats(y, got), power, typ.ULP(1))
		})
	}
}

// Element i is made of draw i of SplitMix64, as its authors' C code has it.
func TestRandomIsItsGenerator(t *testing.T) {
	const seed, n = 12345, 2000
	draws := make([]uint64, n)
	for i := range draws {
		z := uint64(seed) + uint64(i+1)*0x9e3779b97f4a7c15
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb
		draws[i] = z ^ (z >> 31)
	}
	for _, typ := range []dtype.Type{dtype.Float16, dtype.BFloat16, dtype.Float32, dtype.Float64} {
		x, got := resultOf(t, func() (graph.Array, error) { return Random("uniform", shape.Shape{40, 50}, typ, seed) })
		for i, v := range floats(x, got) {
			want := float64(draws[i]>>40) / (1 << 24)
			if typ == dtype.Float64 {
				want = float64(draws[i]>>11) / (1 << 53)
			}
			if math.Abs(v-want) > typ.ULP(want)/2 || typ.Size() > 2 && v != want {
				t.Fatalf("uniform %v, element %d: got %v, want %v", typ, i, v, want)
			}
		}
		x, got = resultOf(t, func() (graph.Array, error) { return Random("normal", shape.Shape{40, 50}, typ, seed) })
		for i, v := range floats(x, got) {
			u := (float64(draws[i]>>12) + 0.5) / (1 << 52)
			// The chance of less than v is u: to within what v's rounding, or the 16
			// digits that the quantile is computed to, changes it by.
			p := math.Erfc(-v/math.Sqrt2) / 2
			if off := (typ.ULP(v) + 1e-15*math.Abs(v)) * math.Exp(-v*v/2); math.Abs(p-u) > off+1e-15 {
				t.Fatalf("normal %v, element %d: %v has %v below, want %v", typ, i, v, p, u)
			}
		}
	}
}

// A map that is normalised is the map, normalised: Norm gives what the statistics
// make of each output channel.
func TestNormIsFolded(t *testing.T) {
	f64 := func(x *graphtest.Mem) *graphtest.Mem { return graphtest.Of(dtype.Float64, x) }
	x := f64(graphtest.Randn(1, 2, 5, 6, 4))
	variance := graphtest.Randn(3, 3)
	for i, v := range kernel.View[float32](variance.Data) {
		kernel.View[float32](variance.Data)[i] = v*v + 0.1
	}
	norm := BatchNorm{Weight: f64(graphtest.Randn(4, 3)), Bias: f64(graphtest.Randn(5, 3)), Mean: f64(graphtest.Randn(6, 3)), Variance: f64(variance), Epsilon: 1e-3}
	half := norm
	half.Weight, half.Bias, half.Epsilon = nil, nil, 0
	conv := func(o ConvOptions, l shape.Layout) func(Weights) (graph.Array, error) {
		return func(w Weights) (graph.Array, error) {
			o.Layout = l
			if l == shape.NHWC {
				return Conv(x, w, o)
			}
			y, err := Conv(graphtest.Must(Transpose(x, []int{0, 3, 1, 2})), w, o)
			return graphtest.Must(Transpose(graphtest.Must(y, err), []int{0, 2, 3, 1})), nil
		}
	}
	linear := func(w Weights) (graph.Array, error) { return Linear(x, w, LinearOptions{Axis: -1}) }
	for _, c := range []struct {
		what   string
		kernel []int
		layout WeightLayout
		f      func(Weights) (graph.Array, error)
	}{
		{"conv", []int{3, 2, 4, 3}, Keras, conv(ConvOptions{}, shape.NHWC)},
		{"conv, PyTorch's", []int{3, 4, 3, 2}, Torch, conv(ConvOptions{Stride: []int{2}}, shape.NCHW)},
		{"transposed conv", []int{3, 2, 3, 4}, Keras, conv(ConvOptions{Transposed: true}, shape.NHWC)},
		{"transposed conv, PyTorch's", []int{4, 3, 2, 2}, Torch, conv(ConvOptions{Stride: []int{2}, Transposed: true}, shape.NCHW)},
		{"linear", []int{4, 3}, Keras, linear},
		{"linear, PyTorch's", []int{3, 4, 1, 1}, Torch, linear},
	} {
		for name, n := range map[string]BatchNorm{"whole": norm, "statistics alone": half} {
			for _, bias := range []graph.Array{nil, f64(graphtest.Randn(7, 3))} {
				t.Run(fmt.Sprintf("%s/%s/bias %v", c.what, name, bias != nil), func(t *testing.T) {
					w := Weights{Kernel: f64(graphtest.Randn(2, c.kernel...)), Bias: bias, Layout: c.layout}
					plain := graphtest.Must(c.f(w))
					want := floats(plain, graphtest.WriteAt(t, plain, graph.Options{}))
					mean, variance := values(n.Mean.(*graphtest.Mem)), values(n.Variance.(*graphtest.Mem))
					for i := range want {
						ch := i % 3
						want[i] = (want[i] - mean[ch]) / math.Sqrt(variance[ch]+n.Epsilon)
						if n.Weight != nil {
							want[i] = want[i]*values(n.Weight.(*graphtest.Mem))[ch] + values(n.Bias.(*graphtest.Mem))[ch]
						}
					}
					w.Norm = &n
					y, got := resultOf(t, func() (graph.Array, error) { return c.f(w) })
					within(t, floats(y, got), want, 1e-14) // some dozen roundings of float64, in another order
				})
			}
		}
	}
}

// What a linear map does besides: the residual, the bias and the activation, in
// that order, on any axis, with a product or without.
func TestLinearWithAllItTakes(t *testing.T) {
	x := graphtest.Randn(1, 3, 4, 5)
	xv := values(x)
	for _, axis := range []int{1, 2} {
		c := x.Dims[axis]
		for _, kernel := range []*graphtest.Mem{nil, graphtest.Randn(2, 1, 1, c, c)} {
			for _, activation := range []string{"relu", "gelu", "softmax"} {
				t.Run(fmt.Sprintf("axis %d/kernel %v/%s", axis, kernel != nil, activation), func(t *testing.T) {
					bias, residual := graphtest.Randn(3, c), graphtest.Randn(4, 3, 4, 5)
					bv, rv := values(bias), values(residual)
					w := Weights{Bias: bias, Layout: Keras}
					if kernel != nil {
						w.Kernel = kernel
					}
					want := make([]float64, len(xv))
					sums := map[[2]int]float64{}
					each := func(f func(i int, at []int)) {
						i := 0
						graphtest.Indices(x.Dims, func(at []int) { f(i, at); i++ })
					}
					row := func(at []int) [2]int { return [2]int{at[0], at[3-axis]} }
					each(func(i int, at []int) {
						sum := xv[i]
						if kernel != nil {
							sum = 0
							kv := values(kernel)
							from := slices.Clone(at)
							for k := range c {
								from[axis] = k
								sum += xv[graphtest.FlatIndex(x.Dims, from)] * kv[k*c+at[axis]]
							}
						}
						v := sum + bv[at[axis]] + rv[i]
						switch activation {
						case "relu":
							v = max(v, 0)
						case "gelu":
							v *= math.Erfc(-v/math.Sqrt2) / 2
						default:
							v = math.Exp(v)
							sums[row(at)] += v
						}
						want[i] = v
					})
					if activation == "softmax" {
						each(func(i int, at []int) { want[i] /= sums[row(at)] })
					}
					y, got := resultOf(t, func() (graph.Array, error) {
						return Linear(x, w, LinearOptions{Axis: axis, Residual: residual, Activation: activation})
					})
					within(t, floats(y, got), want, 2e-6) // 7 sums of float32; an exponential of a few units errs by as many roundings
				})
			}
		}
	}
}

// Sizes at which products and convolutions take other ways.
func TestConvAndLinearOfOddSizes(t *testing.T) {
	t.Run("wide weights", func(t *testing.T) { // whose rows lie far apart
		x, k := graphtest.Randn(1, 40, 3), graphtest.Randn(2, 3, 2100)
		xv, kv := values(x), values(k)
		var want []float64
		for i := range 40 {
			for o := range 2100 {
				want = append(want, xv[i*3]*kv[o]+xv[i*3+1]*kv[2100+o]+xv[i*3+2]*kv[4200+o])
			}
		}
		y, got := resultOf(t, func() (graph.Array, error) {
			return Linear(x, Weights{Kernel: k, Layout: Keras}, LinearOptions{Axis: -1})
		})
		within(t, floats(y, got), want, 2e-7) // three products, a rounding each
	})
	t.Run("patches of 140", func(t *testing.T) { // summed in halves
		x, k := graphtest.Randn(1, 1, 5, 70), graphtest.Randn(2, 2, 70, 20)
		xv, kv := values(x), values(k)
		var want []float64
		for i := range 4 {
			for o := range 20 {
				sum := 0.0
				for e := range 140 {
					sum += xv[i*70+e] * kv[e*20+o]
				}
				want = append(want, sum)
			}
		}
		y, got := resultOf(t, func() (graph.Array, error) {
			return Conv(x, Weights{Kernel: k, Layout: Keras}, ConvOptions{Layout: shape.NHWC})
		})
		within(t, floats(y, got), want, 2e-6) // 140 products: by chance some 12 roundings
	})
	t.Run("depthwise, of float64", func(t *testing.T) {
		x := graphtest.Must(Cast(graphtest.Randn(1, 1, 3, 5, 40), dtype.Float64))
		k := graphtest.Must(Cast(graphtest.Randn(2, 3, 1, 1, 7), dtype.Float64))
		xv, kv := floats(x, graphtest.WriteAt(t, x, graph.Options{})), floats(k, graphtest.WriteAt(t, k, graph.Options{}))
		var want []float64
		for row := range 15 {
			for i := range 34 {
				sum := 0.0
				for e := range 7 {
					sum += xv[row*40+i+e] * kv[row/5*7+e]
				}
				want = append(want, sum)
			}
		}
		y, got := resultOf(t, func() (graph.Array, error) {
			return Conv(x, Weights{Kernel: k, Layout: Torch}, ConvOptions{Groups: 3, Layout: shape.NCHW})
		})
		within(t, floats(y, got), want, 1e-15) // seven products: by chance some two roundings of float64
	})
	bias := graphtest.Randn(3, 4)
	for what, build := range map[string]func() (graph.Array, error){
		"conv of no channels": func() (graph.Array, error) {
			return Conv(graphtest.Randn(1, 1, 3, 3, 0), Weights{Kernel: graphtest.Randn(2, 2, 2, 0, 4), Bias: bias, Layout: Keras}, ConvOptions{Layout: shape.NHWC})
		},
		"linear of no channels": func() (graph.Array, error) {
			return Linear(graphtest.Randn(1, 7, 0), Weights{Kernel: graphtest.Randn(2, 0, 4), Bias: bias, Layout: Keras}, LinearOptions{Axis: -1})
		},
	} {
		t.Run(what, func(t *testing.T) {
			y, got := resultOf(t, build)
			var want []float64
			for range y.Shape().Len() / 4 {
				want = append(want, values(bias)...)
			}
			within(t, floats(y, got), want, 0) // a sum of nothing and the bias
		})
	}
	t.Run("every second position", func(t *testing.T) { // by a kernel of one
		x, k := graphtest.Randn(1, 1, 5, 6, 1), graphtest.Randn(2, 1, 1, 1, 1)
		xv, kv := values(x), values(k)
		var want []float64
		for i := 0; i < 5; i += 2 {
			for j := 0; j < 6; j += 2 {
				want = append(want, xv[i*6+j]*kv[0])
			}
		}
		y, got := resultOf(t, func() (graph.Array, error) {
			return Conv(x, Weights{Kernel: k, Layout: Keras}, ConvOptions{Stride: []int{2}, Layout: shape.NHWC})
		})
		within(t, floats(y, got), want, 6e-8) // one rounding
	})
}

// Tiles are larger where what is beside them would be computed, or read, twice.
func TestTilesOfLargeOperands(t *testing.T) {
	large := graphtest.Must(Activate("relu", huge("x.npy", dtype.Float32, 1, 5000, 5000, 4), -1)) // 400 MB: too large to be held for windows
	pool := graphtest.Must(Pool(large, "max", PoolOptions{Window: Window{Size: []int{3}}, Layout: shape.NHWC}))
	if got, want := graph.TilingOf(pool).Size, int64(8*4998*4); got != want {
		t.Errorf("pooling of a large computed map: tiles of %d, want 8 rows, %d", got, want)
	}
	few := graphtest.Must(Linear(huge("x.npy", dtype.Float32, 100000, 100), Weights{Kernel: huge("w.npy", dtype.Float32, 100, 100), Layout: Keras}, LinearOptions{Axis: -1}))
	many := graphtest.Must(Linear(huge("x.npy", dtype.Float32, 100000, 1000), Weights{Kernel: huge("w.npy", dtype.Float32, 1000, 1000), Layout: Keras}, LinearOptions{Axis: -1}))
	if f, m := graph.TilingOf(few).Size/100, graph.TilingOf(many).Size/1000; f >= m {
		t.Errorf("products by small weights take %d rows, by large ones %d: want more", f, m)
	}
}
