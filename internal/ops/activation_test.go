package ops

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// awkward is float32 values of all magnitudes, with zeros, infinities, denormal numbers
// and a NaN among them.
func awkward(dims ...int) *graphtest.Mem {
	r := rand.New(rand.NewPCG(1, 2))
	s := shape.Shape(dims)
	v := make([]float32, s.Len())
	special := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 1e-40, -1e-40, 1e-8, -1e-8, 0.5, -0.5, 1, -1, 3, -3, 6, 20, 88, -88, -104, 1e30, -1e30}
	for i := range v {
		v[i] = float32(math.Ldexp(r.NormFloat64(), r.IntN(12)-6))
		if i%3 == 0 {
			v[i] = float32(special[i/3%len(special)])
		}
	}
	return graphtest.ArrayOf("x.npy", dtype.Float32, s, v)
}

// options for a trial of an activation.
func options(a Activation) ActivateOptions {
	o := ActivateOptions{Axis: -1}
	if a.Needs && !a.Slope {
		o.Parameters = map[string]float64{a.Parameters[0].Name: -0.75}
	}
	if a.Slope {
		o.Slope = graphtest.ArrayOf("s.npy", dtype.Float16, shape.Shape{}, []uint16{0x3400}) // 0.25
	}
	return o
}

// 16-bit floats are computed in float32 and rounded once; integers that a function keeps
// are what it gives of float64, and other integers give that. Every activation does
// so, however its result is cut.
func TestActivationsOfOtherTypes(t *testing.T) {
	x := awkward(3, 7, 10)
	keeps := []string{"relu", "relu6", "abs", "neg", "sign", "square", "floor", "ceil", "round", "hard-tanh"}
	for _, a := range Activations() {
		t.Run(a.Name, func(t *testing.T) {
			apply := func(x graph.Array) func() (graph.Array, error) {
				return func() (graph.Array, error) { return ActivateWith(a.Name, x, options(a)) }
			}
			for _, half := range []dtype.Type{dtype.Float16, dtype.BFloat16} {
				if a.Slope && half == dtype.BFloat16 {
					continue // with a slope of float16 it gives float32
				}
				stored := graphtest.Of(half, x)
				y, got := resultOf(t, apply(stored))
				wide, _ := Cast(stored, dtype.Float32)
				_, want := resultOf(t, func() (graph.Array, error) {
					y, err := apply(wide)()
					if err != nil {
						return nil, err
					}
					return Cast(y, half)
				})
				if y.DType() != half {
					t.Fatalf("%v gives %v", half, y.DType())
				}
				if a.Gate != "" { // of float32 it is computed in float64
					near(t, half, floats(y, got), floats(y, want))
				} else if !bytes.Equal(got, want) {
					t.Errorf("%v: byte %d differs from float32 rounded once", half, graphtest.Differ(got, want))
				}
			}
			for _, whole := range []dtype.Type{dtype.Int8, dtype.Uint16, dtype.Int64, dtype.Bool} {
				if a.Slope {
					break // its dtype counts: see TestPReLU
				}
				stored := graphtest.Of(whole, graphtest.Randn(3, 3, 7, 10))
				y, got := resultOf(t, apply(stored))
				wide, _ := Cast(stored, dtype.Float64)
				z, want := resultOf(t, apply(wide))
				if slices.Contains(keeps, a.Name) && whole != dtype.Bool {
					if y.DType() != whole {
						t.Fatalf("%v gives %v", whole, y.DType())
					}
					w := floats(z, want)
					for i, v := range floats(y, got) {
						if most := math.Ldexp(1, 8*whole.Size()-1); w[i] < most && w[i] >= -most && !(whole.IsUnsigned() && w[i] < 0) && v != w[i] {
							t.Fatalf("%v: element %d: got %v, want %v", whole, i, v, w[i])
						}
					}
				} else if y.DType() != dtype.Float64 || !bytes.Equal(got, want) {
					t.Errorf("%v: dtype %v, byte %d differs from that of float64", whole, y.DType(), graphtest.Differ(got, want))
				}
			}
		})
	}
}

// NaN comes out where it went in, along a whole row of those that work along an axis.
func TestActivationsPropagateNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, a := range Activations() {
		x := graphtest.ArrayOf("x.npy", dtype.Float32, shape.Shape{3, 2}, []float32{nan, nan, 0.5, nan, nan, 3})
		y, got := resultOf(t, func() (graph.Array, error) { return ActivateWith(a.Name, x, options(a)) })
		per := int(y.Shape().Len()) / 3
		for i, v := range floats(y, got) {
			row, col := i/per, i%per
			if want := row == 0 || a.rows != nil || a.Gate != "" || col == 2-row; (v != v) != want {
				t.Errorf("%s: row %d, column %d: got %v", a.Name, row, col, v)
			}
		}
	}
}

// near wants results in k within one unit in the last place.
func near(t *testing.T, k dtype.Type, got, want []float64) {
	t.Helper()
	for i, w := range want {
		if g := got[i]; g != w && !(g != g && w != w) && !(math.Abs(g-w) <= k.ULP(w)) {
			t.Fatalf("element %d: got %v, want %v", i, g, w)
		}
	}
}

// rowsOfAxis calls f with the places of the elements along an axis, for each line.
func rowsOfAxis(s shape.Shape, axis int, f func(at []int)) {
	inner := int(s.Product(axis+1, len(s)))
	for first := range int(s.Len()) {
		if first/inner%s[axis] == 0 {
			var at []int
			for k := range s[axis] {
				at = append(at, first+k*inner)
			}
			f(at)
		}
	}
}

// What works along an axis is its definition in float64, over every axis and in both
// layouts' places of the channels. log-softmax doesn't cancel where one number is far
// above the others.
func TestActivationsAlongAnAxis(t *testing.T) {
	x := graphtest.Randn(4, 3, 6, 5, 4)
	wide := kernel.View[float32](x.Data)
	for i := range wide {
		wide[i] *= 8 // of which some exponentials are small
	}
	v, s := values(x), x.Dims
	type row = func(x []float64) []float64
	softmax := func(x []float64) []float64 {
		var sum float64
		out := make([]float64, len(x))
		for i := range x {
			out[i] = math.Exp(x[i] - slices.Max(x))
			sum += out[i]
		}
		for i := range out {
			out[i] /= sum
		}
		return out
	}
	gated := func(gate func(float64) float64, first bool) row {
		return func(x []float64) (out []float64) {
			for i, a := range x[:len(x)/2] {
				b := x[len(x)/2+i]
				if first {
					a, b = b, a
				}
				out = append(out, a*gate(b))
			}
			return out
		}
	}
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, c := range []struct {
		name string
		want row
		o    ActivateOptions
	}{
		{"softmax", softmax, ActivateOptions{}},
		{"softmin", func(x []float64) []float64 {
			minus := slices.Clone(x)
			for i := range minus {
				minus[i] = -minus[i]
			}
			return softmax(minus)
		}, ActivateOptions{}},
		{"log-softmax", func(x []float64) []float64 {
			out, top := make([]float64, len(x)), slices.Max(x)
			rest := -1.0 // what the sum has beside the greatest
			for i := range x {
				rest += math.Exp(x[i] - top)
			}
			if rest < 1e-9 { // of which -1 has left nothing
				rest = 0
				for i := range x {
					if x[i] != top {
						rest += math.Exp(x[i] - top)
					}
				}
			}
			for i := range x {
				out[i] = x[i] - top - math.Log1p(rest)
			}
			return out
		}, ActivateOptions{}},
		{"hardmax", func(x []float64) []float64 {
			out := make([]float64, len(x))
			out[slices.Index(x, slices.Max(x))] = 1
			return out
		}, ActivateOptions{}},
		{"glu", gated(sigmoid, false), ActivateOptions{}},
		{"glu", gated(sigmoid, true), ActivateOptions{GateFirst: true}},
		{"reglu", gated(func(x float64) float64 { return max(x, 0) }, false), ActivateOptions{}},
		{"geglu", gated(func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, false), ActivateOptions{}},
		{"swiglu", gated(func(x float64) float64 { return x * sigmoid(x) }, false), ActivateOptions{}},
		{"swiglu", gated(func(x float64) float64 { return x * sigmoid(x) }, true), ActivateOptions{GateFirst: true}},
	} {
		for axis := range s {
			t.Run(fmt.Sprintf("%s over axis %d, %v", c.name, axis, c.o.GateFirst), func(t *testing.T) {
				a, _ := ActivationNamed(c.name)
				if a.Gate != "" && s[axis]%2 != 0 {
					return // refused: see TestRefusals
				}
				o := c.o
				o.Axis = axis - len(s)
				y, got := resultOf(t, func() (graph.Array, error) { return ActivateWith(c.name, x, o) })
				want, to := make([]float64, y.Shape().Len()), [][]int{}
				rowsOfAxis(y.Shape(), axis, func(at []int) { to = append(to, at) })
				rowsOfAxis(s, axis, func(at []int) {
					var line []float64
					for _, i := range at {
						line = append(line, v[i])
					}
					for k, r := range c.want(line) {
						want[to[0][k]] = r
					}
					to = to[1:]
				})
				if c.name == "softmax" || c.name == "softmin" {
					within(t, floats(y, got), want, 1.2e-7) // an exponential is rounded to float32 before it is divided
				} else {
					near(t, dtype.Float32, floats(y, got), want)
				}
			})
		}
	}
}

// prelu's slope is one number, one a channel, or has axes of its own.
func TestPReLU(t *testing.T) {
	x := graphtest.Randn(5, 2, 3, 4, 6)
	for _, c := range []struct {
		what  string
		slope []int
		axis  int
		along []int // the slope's shape as it broadcasts
	}{
		{"one number", nil, -1, nil}, {"an array of one", []int{1}, 1, nil},
		{"channels last", []int{6}, -1, []int{6}}, {"channels first", []int{3}, 1, []int{3, 1, 1}},
		{"Keras's shared axes", []int{1, 1, 6}, -1, []int{6}}, {"every position", []int{3, 4, 6}, -1, []int{3, 4, 6}},
	} {
		for _, of := range []dtype.Type{dtype.Float32, dtype.Float64, dtype.Int16} {
			t.Run(fmt.Sprint(c.what, "/", of), func(t *testing.T) {
				slope := graphtest.Randn(6, c.slope...)
				stored := graphtest.Of(of, x)
				y, got := resultOf(t, func() (graph.Array, error) {
					return ActivateWith("prelu", stored, ActivateOptions{Slope: slope, Axis: c.axis})
				})
				wide := map[dtype.Type]dtype.Type{dtype.Float32: dtype.Float32, dtype.Float64: dtype.Float64, dtype.Int16: dtype.Float32}[of]
				if y.DType() != wide {
					t.Fatalf("dtype %v, want %v", y.DType(), wide)
				}
				var want []float64
				v, w := values(stored), values(slope)
				graphtest.Indices(x.Dims, func(at []int) {
					f := v[graphtest.FlatIndex(x.Dims, at)]
					if f <= 0 {
						f *= w[graphtest.FlatIndex(c.along, at)]
					}
					want = append(want, f)
				})
				near(t, dtype.Float32, floats(y, got), want)
			})
		}
	}
}

// Linear maps, convolutions and products take activations by their names, also those
// that no product applies by itself: an activation that halves the channels halves
// the result's.
func TestActivationsOfOtherOperations(t *testing.T) {
	x, k, b := graphtest.Randn(1, 2, 5, 5, 6), graphtest.Randn(2, 6, 8), graphtest.Randn(3, 8)
	point := graphtest.Randn(2, 1, 1, 6, 8)
	w := Weights{Kernel: k, Bias: b, Layout: Keras}
	for _, a := range Activations() {
		if a.Needs {
			continue
		}
		t.Run(a.Name, func(t *testing.T) {
			then := func(x graph.Array, err error) (graph.Array, error) {
				if err != nil {
					return nil, err
				}
				return Activate(a.Name, x, -1)
			}
			for what, of := range map[string][2]func() (graph.Array, error){
				"linear": {
					func() (graph.Array, error) { return Linear(x, w, LinearOptions{Axis: -1, Activation: a.Name}) },
					func() (graph.Array, error) { return then(Linear(x, w, LinearOptions{Axis: -1})) },
				},
				"conv": {
					func() (graph.Array, error) {
						return Conv(x, Weights{Kernel: point, Bias: b, Layout: Keras}, ConvOptions{Layout: shape.NHWC, Activation: a.Name})
					},
					func() (graph.Array, error) {
						return then(Conv(x, Weights{Kernel: point, Bias: b, Layout: Keras}, ConvOptions{Layout: shape.NHWC}))
					},
				},
				"mul": {
					func() (graph.Array, error) {
						return Mul([]graph.Array{x, x}, MulOptions{Activation: a.Name, Layout: shape.NHWC})
					},
					func() (graph.Array, error) { return then(Mul([]graph.Array{x, x}, MulOptions{})) },
				},
				"gate": {
					func() (graph.Array, error) {
						return Mul([]graph.Array{b, k}, MulOptions{Gate: map[bool]string{true: "abs", false: a.Name}[a.Gate != ""], Layout: shape.NHWC})
					},
					func() (graph.Array, error) {
						g, err := Activate(map[bool]string{true: "abs", false: a.Name}[a.Gate != ""], k, -1)
						if err != nil {
							return nil, err
						}
						return Mul([]graph.Array{b, g}, MulOptions{})
					},
				},
			} {
				y, got := resultOf(t, of[0])
				z, want := resultOf(t, of[1])
				if !y.Shape().Equal(z.Shape()) || !bytes.Equal(got, want) {
					t.Errorf("%s: shape %v, want %v; byte %d differs", what, y.Shape(), z.Shape(), graphtest.Differ(got, want))
				}
			}
		})
	}
}
