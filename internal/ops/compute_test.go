package ops

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// What tests compare, in float64.
var floats, values, within = graphtest.Floats, graphtest.Values, graphtest.Within

func TestAddAndMulBroadcast(t *testing.T) {
	for _, c := range []struct{ a, b shape.Shape }{
		{shape.Shape{2, 5, 6, 8}, shape.Shape{2, 5, 6, 8}},
		{shape.Shape{2, 5, 6, 8}, shape.Shape{2, 1, 1, 8}},
		{shape.Shape{2, 5, 6, 8}, shape.Shape{8}},
		{shape.Shape{2, 5, 6, 1}, shape.Shape{6, 8}},
		{shape.Shape{}, shape.Shape{3}},
		{shape.Shape{4, 1}, shape.Shape{1, 5}},
		{shape.Shape{0, 3}, shape.Shape{3}},
	} {
		t.Run(fmt.Sprint(c.a, c.b), func(t *testing.T) {
			a, b := graphtest.Randn(1, c.a...), graphtest.Randn(2, c.b...)
			out, _ := shape.Broadcast(c.a, c.b)
			var sum, product []float32
			av, bv := kernel.View[float32](a.Data), kernel.View[float32](b.Data)
			graphtest.Indices(out, func(at []int) {
				x, y := av[graphtest.FlatIndex(c.a, at)], bv[graphtest.FlatIndex(c.b, at)]
				sum, product = append(sum, x+y), append(product, x*y)
			})
			got := graphtest.Result(t, func() graph.Array { return graphtest.Must(Add([]graph.Array{a, b}, AddOptions{})) })
			if !bytes.Equal(got, kernel.Bytes(sum)) {
				t.Error("the sum differs")
			}
			got = graphtest.Result(t, func() graph.Array { return graphtest.Must(Mul([]graph.Array{a, b}, MulOptions{})) })
			if !bytes.Equal(got, kernel.Bytes(product)) {
				t.Error("the product differs")
			}
			back := graphtest.Result(t, func() graph.Array { return graphtest.Must(Add([]graph.Array{b, a}, AddOptions{})) })
			if !bytes.Equal(back, kernel.Bytes(sum)) {
				t.Error("addition doesn't commute")
			}
		})
	}
}

// Three float16 numbers of which every sum of two rounds: only one rounding at
// the end gives the nearest float16 of the exact sum.
func TestFloat16RoundsOnce(t *testing.T) {
	one := graphtest.ArrayOf("a", dtype.Float16, shape.Shape{1}, []uint16{0x6800}) // 2048
	eps := graphtest.ArrayOf("b", dtype.Float16, shape.Shape{1}, []uint16{0x3c00}) // 1
	x := graphtest.Must(Add([]graph.Array{one, eps, eps}, AddOptions{}))
	if got := kernel.View[uint16](graphtest.WriteAt(t, x, graph.Options{}))[0]; got != 0x6801 { // 2050
		t.Fatalf("2048 + 1 + 1 gave %#x in float16: want 0x6801, 2050", got)
	}
}

// exactMean is the mean in 200-bit arithmetic, rounded once to float64.
func exactMean(v []float64) float64 {
	sum := new(big.Float).SetPrec(200)
	for _, x := range v {
		sum.Add(sum, big.NewFloat(x))
	}
	mean, _ := sum.Quo(sum, big.NewFloat(float64(len(v)))).Float64()
	return mean
}

func TestPoolingOverEveryShapeOfGroup(t *testing.T) {
	for _, c := range []struct {
		s    shape.Shape
		axes []int
	}{
		{shape.Shape{2, 7, 9, 5}, []int{1, 2}},
		{shape.Shape{2, 5, 7, 9}, []int{2, 3}},
		{shape.Shape{3, 4, 5, 6}, []int{0, 2}},
		{shape.Shape{3, 4, 5, 6}, []int{1, 3}},
		{shape.Shape{3, 4, 5}, []int{0, 1, 2}},
		{shape.Shape{4, 1, 5}, []int{1}},
		{shape.Shape{1, 1, 1}, []int{0, 1}},
		{shape.Shape{900, 3}, []int{1}},
		{shape.Shape{3, 900}, []int{0}},
		{shape.Shape{1, 600, 500, 8}, []int{1, 2}}, // several chunks
		{shape.Shape{2, 1500000}, []int{1}},        // several chunks of a lone column
		{shape.Shape{3, 70000}, []int{0}},          // more columns than a piece
	} {
		t.Run(fmt.Sprint(c.s, c.axes), func(t *testing.T) {
			x := graphtest.Randn(4, c.s...)
			if len(c.s) > 1 && c.s.Len() > 20 {
				kernel.View[float32](x.Data)[13] = float32(math.Inf(1))
				kernel.View[float32](x.Data)[17] = float32(math.NaN())
			}
			out := c.s.Reduced(c.axes, true)
			parts := make([][]float64, out.Len())
			v := values(x)
			i := 0
			graphtest.Indices(c.s, func(at []int) {
				k := graphtest.FlatIndex(out, at)
				parts[k] = append(parts[k], v[i])
				i++
			})
			mean, top := make([]float32, len(parts)), make([]float32, len(parts))
			for i, p := range parts {
				m, inf, nan := math.Inf(-1), false, false
				for _, v := range p {
					m = max(m, v) // the builtin propagates NaN
					inf, nan = inf || math.IsInf(v, 0), nan || v != v
				}
				top[i] = float32(m)
				switch {
				case nan:
					mean[i] = float32(math.NaN())
				case inf:
					mean[i] = float32(math.Inf(1))
				default:
					mean[i] = float32(exactMean(p))
				}
			}
			o := ReduceOptions{Axes: c.axes}
			got := graphtest.Result(t, func() graph.Array { return graphtest.Must(GlobalMaxPool(x, o)) })
			same(t, "maximum", got, top)
			// The float64 sum of so few float32 numbers errs by far less than half
			// an ulp of float32, so the mean is the exact one, rounded.
			got = graphtest.Result(t, func() graph.Array { return graphtest.Must(GlobalAvgPool(x, o)) })
			same(t, "mean", got, mean)
			// In float64 the order of summation shows: result wants the same bytes
			// of every schedule.
			graphtest.Result(t, func() graph.Array { return graphtest.Must(GlobalAvgPool(graphtest.Of(dtype.Float64, x), o)) })
		})
	}
}

// same compares bits, all NaNs being one.
func same(t *testing.T, what string, got []byte, want []float32) {
	t.Helper()
	g := kernel.View[float32](got)
	if len(g) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(g), len(want))
	}
	for i, w := range want {
		if g[i] != w && !(g[i] != g[i] && w != w) {
			t.Fatalf("%s %d: got %v, want %v", what, i, g[i], w)
		}
	}
}

// A million times 0.1 in float32, summed in float32, is 100958; numpy.mean is
// off in the third digit along a leading axis.
func TestMeanIsAccurate(t *testing.T) {
	v := make([]float32, 1_000_000)
	for i := range v {
		v[i] = 0.1
	}
	x := graphtest.ArrayOf("x", dtype.Float32, shape.Shape{len(v), 1}, v)
	got := kernel.View[float32](graphtest.WriteAt(t, graphtest.Must(GlobalAvgPool(x, ReduceOptions{Axes: []int{0}})), graph.Options{}))
	if got[0] != 0.1 {
		t.Fatalf("mean of 0.1s is %v", got[0])
	}
}

// bilinearAt is the definition, in float64: half-pixel centres, edges clamped.
func bilinearAt(v []float64, s shape.Shape, n, y, x, c, h, w int) float64 {
	at := func(i, in, out int) (int, int, float64) {
		p := (float64(i)+0.5)*float64(in)/float64(out) - 0.5
		lo := math.Floor(p)
		clamp := func(k float64) int { return int(min(max(k, 0), float64(in-1))) }
		return clamp(lo), clamp(lo + 1), p - lo
	}
	y0, y1, fy := at(y, s[1], h)
	x0, x1, fx := at(x, s[2], w)
	px := func(y, x int) float64 { return v[((n*s[1]+y)*s[2]+x)*s[3]+c] }
	return (px(y0, x0)*(1-fx)+px(y0, x1)*fx)*(1-fy) + (px(y1, x0)*(1-fx)+px(y1, x1)*fx)*fy
}

// bicubicAt is Keys's convolution with coefficient -0.75, in float64, the
// kernel as a function of distance.
func bicubicAt(v []float64, s shape.Shape, n, y, x, c, h, w int) float64 {
	const a = -0.75
	kernel := func(d float64) float64 {
		switch d = math.Abs(d); {
		case d <= 1:
			return (a+2)*d*d*d - (a+3)*d*d + 1
		case d < 2:
			return a*d*d*d - 5*a*d*d + 8*a*d - 4*a
		}
		return 0
	}
	py := (float64(y)+0.5)*float64(s[1])/float64(h) - 0.5
	px := (float64(x)+0.5)*float64(s[2])/float64(w) - 0.5
	sum := 0.0
	for j := int(math.Floor(py)) - 1; j <= int(math.Floor(py))+2; j++ {
		for i := int(math.Floor(px)) - 1; i <= int(math.Floor(px))+2; i++ {
			row, col := min(max(j, 0), s[1]-1), min(max(i, 0), s[2]-1)
			sum += v[((n*s[1]+row)*s[2]+col)*s[3]+c] * kernel(py-float64(j)) * kernel(px-float64(i))
		}
	}
	return sum
}

func TestResizeIsItsDefinition(t *testing.T) {
	for _, c := range []struct {
		s    shape.Shape
		h, w int
	}{
		{shape.Shape{2, 4, 5, 3}, 8, 10}, {shape.Shape{1, 7, 5, 2}, 13, 9}, {shape.Shape{1, 9, 8, 1}, 4, 3},
		{shape.Shape{1, 1, 1, 4}, 3, 5}, {shape.Shape{1, 6, 6, 3}, 6, 6}, {shape.Shape{0, 2, 2, 1}, 4, 4},
	} {
		t.Run(fmt.Sprint(c.s, c.h, c.w), func(t *testing.T) {
			x := graphtest.Randn(6, c.s...)
			v := values(x)
			for _, mode := range []string{"nearest", "nearest-exact", "bilinear", "bicubic"} {
				var want []float64
				graphtest.Indices(shape.Shape{c.s[0], c.h, c.w, c.s[3]}, func(at []int) {
					pick := func(i, in, out int) int {
						if mode == "nearest" {
							return i * in / out
						}
						return min(int((float64(i)+0.5)*float64(in)/float64(out)), in-1)
					}
					if mode == "bicubic" {
						want = append(want, bicubicAt(v, c.s, at[0], at[1], at[2], at[3], c.h, c.w))
					} else if mode == "bilinear" {
						want = append(want, bilinearAt(v, c.s, at[0], at[1], at[2], at[3], c.h, c.w))
					} else {
						y, x := pick(at[1], c.s[1], c.h), pick(at[2], c.s[2], c.w)
						want = append(want, v[((at[0]*c.s[1]+y)*c.s[2]+x)*c.s[3]+at[3]])
					}
				})
				build := func() graph.Array {
					return graphtest.Must(Resize(x, []int{c.h, c.w}, ResizeOptions{Mode: mode, Layout: shape.NHWC}))
				}
				got := floats(build(), graphtest.Result(t, build))
				// Two blends of three float32 roundings each; of eight, with weights
				// beyond 1, for bicubic.
				tolerance := map[string]float64{"bilinear": 4e-7, "bicubic": 1e-6}[mode]
				within(t, got, want, tolerance)

				first := func() graph.Array {
					m := graphtest.Must(Transpose(x, []int{0, 3, 1, 2}))
					return graphtest.Must(Transpose(graphtest.Must(Resize(m, []int{c.h, c.w}, ResizeOptions{Mode: mode, Layout: shape.NCHW})), []int{0, 2, 3, 1}))
				}
				within(t, floats(first(), graphtest.Result(t, first)), got, 0)
			}
		})
	}
}

func TestLinearIsItsDefinition(t *testing.T) {
	for _, c := range []struct {
		s       shape.Shape
		out     int
		l       shape.Layout
		weights WeightLayout
	}{
		{shape.Shape{2, 5, 6, 7}, 9, shape.NHWC, Keras}, {shape.Shape{2, 7, 5, 6}, 9, shape.NCHW, Torch},
		{shape.Shape{130, 70}, 65, shape.NHWC, Torch}, {shape.Shape{3, 4}, 1, shape.NHWC, Keras},
		{shape.Shape{0, 4}, 3, shape.NHWC, Keras}, {shape.Shape{1, 3, 40, 50}, 5, shape.NCHW, Keras},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			axis := c.l.Features(len(c.s))
			in := c.s[axis]
			x, b := graphtest.Randn(7, c.s...), graphtest.Randn(8, c.out)
			wide := shape.Shape{in, c.out}
			if c.weights == Torch {
				wide = shape.Shape{c.out, in}
			}
			w := graphtest.Randn(9, wide...)
			xv, wv, bv := values(x), values(w), values(b)
			out := c.s.Clone()
			out[axis] = c.out
			var want []float64
			graphtest.Indices(out, func(at []int) {
				sum := bv[at[axis]]
				from := append([]int(nil), at...)
				for k := range in {
					from[axis] = k
					i := 0
					for a, d := range c.s {
						i = i*d + from[a]
					}
					at2 := k*c.out + at[axis]
					if c.weights == Torch {
						at2 = at[axis]*in + k
					}
					sum += xv[i] * wv[at2]
				}
				want = append(want, sum)
			})
			build := func() graph.Array {
				return graphtest.Must(Linear(x, Weights{Kernel: w, Bias: b, Layout: c.weights}, LinearOptions{Axis: c.l.Features(len(x.Shape()))}))
			}
			// A float32 dot product of n terms errs by at most n roundings; of
			// random signs, by some sqrt(n) of them: 2e-6 is 16 of 1.2e-7.
			within(t, floats(build(), graphtest.Result(t, build)), want, 2e-6)
		})
	}
}

// attentionAt is softmax(QK')V by its definition, one query at a time.
func attentionAt(q []float64, k, v [][]float64, scale float64, mask func(j int) float64) []float64 {
	top, out, sum := math.Inf(-1), make([]float64, len(v[0])), 0.0
	score := make([]float64, len(k))
	for j := range k {
		for i := range q {
			score[j] += q[i] * k[j][i]
		}
		score[j] = score[j]*scale + mask(j)
		top = max(top, score[j])
	}
	if math.IsInf(top, -1) {
		return out
	}
	for j := range k {
		p := math.Exp(score[j] - top)
		sum += p
		for i := range out {
			out[i] += p * v[j][i]
		}
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func matrix(v []float64, row, rows, cols int) [][]float64 {
	out := make([][]float64, rows)
	for i := range out {
		out[i] = v[(row+i)*cols : (row+i+1)*cols]
	}
	return out
}

func TestAttentionIsItsDefinition(t *testing.T) {
	for _, c := range []struct {
		batch, nq, nk, d, dv int
		causal, masked       bool
	}{
		{2, 5, 5, 4, 4, false, false}, {1, 130, 600, 16, 8, false, false}, {3, 70, 70, 5, 3, true, false},
		{2, 300, 300, 8, 8, true, true}, {1, 9, 513, 3, 7, false, true}, {40, 33, 33, 6, 6, false, false},
		{1, 1, 1, 1, 1, true, true}, {16, 3, 2100, 64, 64, false, false}, // the last reads keys batch by batch
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			q, k, v := graphtest.Randn(1, c.batch, c.nq, c.d), graphtest.Randn(2, c.batch, c.nk, c.d), graphtest.Randn(3, c.batch, c.nk, c.dv)
			o := AttendOptions{Scale: 0.7, Causal: c.causal}
			allowed := make([]bool, c.nq*c.nk)
			for i := range allowed {
				allowed[i] = i%3 != 0 && i >= c.nk // the first query attends to nothing
			}
			if c.masked {
				o.Mask = graphtest.ArrayOf("mask", dtype.Bool, shape.Shape{c.nq, c.nk}, allowed)
			}
			var want []float64
			for b := range c.batch {
				kb, vb := matrix(values(k), b*c.nk, c.nk, c.d), matrix(values(v), b*c.nk, c.nk, c.dv)
				for i := range c.nq {
					want = append(want, attentionAt(values(q)[(b*c.nq+i)*c.d:][:c.d], kb, vb, 0.7, func(j int) float64 {
						if c.causal && j > i || c.masked && !allowed[i*c.nk+j] {
							return math.Inf(-1)
						}
						return 0
					})...)
				}
			}
			build := func() graph.Array {
				out, _, err := Attend(q, k, v, o)
				return graphtest.Must(out, err)
			}
			// Scores of a few units err by some 1e-6, and so do their exponentials.
			within(t, floats(build(), graphtest.Result(t, build)), want, 5e-6)
		})
	}
}
