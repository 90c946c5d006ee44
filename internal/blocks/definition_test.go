package blocks

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// Blocks are held to their papers' formulas, computed element by element on
// float64 tensors with the channels last. The blocks compute in float64 too, so
// that they differ by the order of some dozen additions and by exponentials that
// are right to an ulp or two: 1e-13 of the largest element.
const close = 1e-13

// tensor is an array of the definition.
type tensor struct {
	s shape.Shape
	v []float64
}

// tensorOf is the tensor of shape s whose elements f gives.
func tensorOf(s shape.Shape, f func(at []int) float64) tensor {
	t := tensor{s: s.Clone()}
	graphtest.Indices(s, func(at []int) { t.v = append(t.v, f(at)) })
	return t
}

// at is an element; axes of extent 1, and leading ones that t lacks, broadcast.
func (t tensor) at(at []int) float64 { return t.v[graphtest.FlatIndex(t.s, at)] }

func (t tensor) each(f func(float64) float64) tensor {
	return tensorOf(t.s, func(at []int) float64 { return f(t.at(at)) })
}

// with is t and o, of which one broadcasts to the other, combined.
func (t tensor) with(o tensor, f func(a, b float64) float64) tensor {
	s, _ := shape.Broadcast(t.s, o.s)
	return tensorOf(s, func(at []int) float64 { return f(t.at(at), o.at(at)) })
}

func plus(a, b float64) float64  { return a + b }
func times(a, b float64) float64 { return a * b }
func relu(x float64) float64     { return max(x, 0) }
func sigmoid(x float64) float64  { return 1 / (1 + math.Exp(-x)) }

// changed is at with another last index.
func changed(at []int, last int) []int { return append(slices.Clone(at[:len(at)-1]), last) }

// map1 is t's features by w [in, out], plus b, if there is one.
func (t tensor) map1(w tensor, b ...tensor) tensor {
	return tensorOf(append(t.s[:len(t.s)-1].Clone(), w.s[1]), func(at []int) float64 {
		o, sum := at[len(at)-1], 0.0
		for i := range w.s[0] {
			sum += t.at(changed(at, i)) * w.at([]int{i, o})
		}
		if len(b) > 0 {
			sum += b[0].at([]int{o})
		}
		return sum
	})
}

// conv is the convolution with k [k...,in,out], padded by the same number before
// and after along each axis.
func (t tensor) conv(k tensor, stride, pad int, b ...tensor) tensor {
	n := len(t.s) - 2
	s := t.s.Clone()
	for a := range n {
		s[1+a] = (t.s[1+a]+2*pad-k.s[a])/stride + 1
	}
	s[n+1] = k.s[n+1]
	return tensorOf(s, func(at []int) float64 {
		sum := 0.0
		if len(b) > 0 {
			sum = b[0].at([]int{at[n+1]})
		}
		graphtest.Indices(k.s[:n], func(tap []int) {
			from := slices.Clone(at)
			for a := range n {
				from[1+a] = at[1+a]*stride - pad + tap[a]
				if from[1+a] < 0 || from[1+a] >= t.s[1+a] {
					return
				}
			}
			for c := range k.s[n] {
				from[n+1] = c
				w := k.s[:n].Clone()
				copy(w, tap)
				sum += t.v[index(t.s, from)] * k.v[index(k.s, append(w, c, at[n+1]))]
			}
		})
		return sum
	})
}

// index is FlatIndex without broadcasting.
func index(s shape.Shape, at []int) (i int) {
	for a, d := range s {
		i = i*d + at[a]
	}
	return i
}

// resized is t with other spatial extents: nearest, or bilinear with half-pixel
// centres.
func (t tensor) resized(size []int, nearest bool) tensor {
	for a, out := range size {
		in, from := t.s[1+a], t
		s := t.s.Clone()
		s[1+a] = out
		t = tensorOf(s, func(at []int) float64 {
			pick := func(p int) float64 {
				at := slices.Clone(at)
				at[1+a] = min(max(p, 0), in-1)
				return from.v[index(from.s, at)]
			}
			if nearest {
				return pick(at[1+a] * in / out)
			}
			p := (float64(at[1+a])+0.5)*float64(in)/float64(out) - 0.5
			lo := math.Floor(p)
			return pick(int(lo))*(1-(p-lo)) + pick(int(lo)+1)*(p-lo)
		})
	}
	return t
}

// halved is every second position of t.
func (t tensor) halved() tensor {
	s := t.s.Clone()
	for a := 1; a < len(s)-1; a++ {
		s[a] = (s[a] + 1) / 2
	}
	return tensorOf(s, func(at []int) float64 {
		from := slices.Clone(at)
		for a := 1; a < len(s)-1; a++ {
			from[a] *= 2
		}
		return t.v[index(t.s, from)]
	})
}

// joined is t and o, one beside the other, along the features.
func (t tensor) joined(o tensor) tensor {
	c := t.s.Last()
	return tensorOf(append(t.s[:len(t.s)-1].Clone(), c+o.s.Last()), func(at []int) float64 {
		if i := at[len(at)-1]; i >= c {
			return o.v[index(o.s, changed(at, i-c))]
		}
		return t.v[index(t.s, at)]
	})
}

// pooled is f's fold of t over axes, which keep extent 1.
func (t tensor) pooled(axes []int, start float64, f func(acc, v float64) float64) tensor {
	s := t.s.Clone()
	for _, a := range axes {
		s[a] = 1
	}
	out := tensorOf(s, func([]int) float64 { return start })
	graphtest.Indices(t.s, func(at []int) {
		i := graphtest.FlatIndex(s, at)
		out.v[i] = f(out.v[i], t.v[index(t.s, at)])
	})
	return out
}

// mean and top are t pooled over axes.
func (t tensor) mean(axes ...int) tensor {
	n := 1.0
	for _, a := range axes {
		n *= float64(t.s[a])
	}
	return t.pooled(axes, 0, plus).each(func(v float64) float64 { return v / n })
}
func (t tensor) top(axes ...int) tensor { return t.pooled(axes, math.Inf(-1), math.Max) }

// spatialAxes lists the spatial axes of a map of n axes with the channels last.
func spatialAxes(n int) (axes []int) {
	for a := 1; a < n-1; a++ {
		axes = append(axes, a)
	}
	return axes
}

// layout gives blocks what the definitions have, in one of the two orders of axes.
type layout struct {
	shape.Layout
	last func(graph.Array) graph.Array // a result with the channels last
}

// layouts runs f in both.
func layouts(t *testing.T, f func(t *testing.T, l layout)) {
	for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
		t.Run(string(l), func(t *testing.T) {
			f(t, layout{l, func(x graph.Array) graph.Array {
				n := len(x.Shape())
				return graphtest.Must(ops.Transpose(x, shape.MoveToLast(l.Like(n-2, true).Channel(), n)))
			}})
		})
	}
}

// random is a map or a sequence in the layout, and as the definitions have it.
func (l layout) random(seed uint64, dims ...int) (*graphtest.Mem, tensor) {
	x := graphtest.Randn(seed, dims...)
	t := tensor{dims, graphtest.Values(x)}
	if n := len(dims); n > 2 && l.Layout == shape.NCHW {
		x = graphtest.Permuted(x, shape.Inverse(shape.MoveToLast(1, n)))
	}
	return graphtest.Of(dtype.Float64, x), t
}

// plain is an array whose axes no layout changes.
func plain(seed uint64, dims ...int) (*graphtest.Mem, tensor) {
	x := graphtest.Randn(seed, dims...)
	return graphtest.Of(dtype.Float64, x), tensor{dims, graphtest.Values(x)}
}

// weights is a kernel [k...,in,out] in the order that goes with the layout, with a
// bias, and as the definitions have them.
func (l layout) weights(seed uint64, dims ...int) (w ops.Weights, k, b tensor) {
	x := graphtest.Randn(seed, dims...)
	n := len(dims)
	k = tensor{dims, graphtest.Values(x)}
	w.Layout = ops.Keras
	if l.Layout == shape.NCHW {
		w.Layout = ops.Torch
		perm := []int{n - 1, n - 2}
		for a := range n - 2 {
			perm = append(perm, a)
		}
		x = graphtest.Permuted(x, perm)
	}
	w.Kernel = graphtest.Of(dtype.Float64, x)
	w.Bias, b = plain(seed+100, dims[n-1])
	return w, k, b
}

// equal fails unless what build gives, with the channels last, is the tensor.
func (l layout) equal(t *testing.T, want tensor, build func() (graph.Array, error)) {
	t.Helper()
	isTensor(t, want, func() (graph.Array, error) {
		x, err := build()
		if err != nil {
			return nil, err
		}
		return l.last(x), nil
	})
}

func isTensor(t *testing.T, want tensor, build func() (graph.Array, error)) {
	t.Helper()
	x, err := build()
	if err != nil {
		t.Fatal(err)
	}
	if !x.Shape().Equal(want.s) {
		t.Fatalf("shape %v, want %v", x.Shape(), want.s)
	}
	got := graphtest.Result(t, func() graph.Array { return graphtest.Must(build()) })
	graphtest.Within(t, graphtest.Floats(x, got), want.v, close)
}

func TestSEAndCBAMAreTheirDefinition(t *testing.T) {
	layouts(t, func(t *testing.T, l layout) {
		for _, dims := range [][]int{{2, 9, 6}, {2, 5, 4, 6}, {2, 3, 4, 2, 6}} {
			n := len(dims)
			x, m := l.random(1, dims...)
			w1, k1, b1 := l.weights(2, 6, 3)
			w2, k2, b2 := l.weights(3, 3, 6)
			spatial := spatialAxes(n)
			fc := func(z tensor) tensor { return z.map1(k1, b1).each(relu).map1(k2, b2) }
			t.Run(fmt.Sprintf("se/%v", dims), func(t *testing.T) {
				l.equal(t, m.with(fc(m.mean(spatial...)).each(sigmoid), times), func() (graph.Array, error) { return SE(x, w1, w2, l.Layout) })
			})
			t.Run(fmt.Sprintf("se without maps/%v", dims), func(t *testing.T) {
				z := m.mean(spatial...).each(relu)
				l.equal(t, m.with(z.each(sigmoid), times), func() (graph.Array, error) { return SE(x, ops.Weights{}, ops.Weights{}, l.Layout) })
			})
			size := slices.Repeat([]int{3}, n-2)
			w3, k3, b3 := l.weights(4, append(size, 2, 1)...)
			for _, order := range SpatialOrders {
				t.Run(fmt.Sprintf("cbam/%s/%v", order, dims), func(t *testing.T) {
					y := m.with(fc(m.mean(spatial...)).with(fc(m.top(spatial...)), plus).each(sigmoid), times)
					pooled := y.mean(n - 1).joined(y.top(n - 1))
					if order == "max,mean" {
						pooled = y.top(n - 1).joined(y.mean(n - 1))
					}
					l.equal(t, y.with(pooled.conv(k3, 1, 1, b3).each(sigmoid), times), func() (graph.Array, error) { return CBAM(x, w1, w2, w3, order, l.Layout) })
				})
			}
		}
	})
}

// What is computed in float32 is rounded to float16 once.
func TestBlocksOfFloat16RoundOnce(t *testing.T) {
	x := graphtest.Of(dtype.Float16, graphtest.Randn(1, 1, 4, 5, 3))
	m := tensor{x.Dims, graphtest.Values(x)}
	want := m.with(m.mean(1, 2).each(relu).each(sigmoid), times)
	y := graphtest.Must(SE(x, ops.Weights{}, ops.Weights{}, shape.NHWC))
	if y.DType() != dtype.Float16 {
		t.Fatalf("dtype %v", y.DType())
	}
	for i, got := range graphtest.Floats(y, graphtest.WriteAt(t, y, graph.Options{})) {
		// Half an ulp, and a little for the float32 that is rounded.
		if w := want.v[i]; math.Abs(got-w) > 0.502*dtype.Float16.ULP(w) {
			t.Errorf("element %d: got %v, want %v rounded once", i, got, w)
		}
	}
}

func TestFPNIsItsDefinition(t *testing.T) {
	// Each level has about half the extent of the one before.
	sizes := map[int][][]int{1: {{9}, {5}, {3}}, 2: {{9, 6}, {5, 3}, {3, 2}}, 3: {{5, 4, 7}, {3, 2, 4}, {2, 1, 2}}}
	type pyramid struct {
		name string
		in   []int // channels of the levels; nil: 4 of each
		o    func(l layout, n int) (FPNOptions, func(levels []tensor) []tensor)
	}
	topDown := func(levels []tensor, nearest bool, merge func(i int, fine, coarse tensor) tensor) []tensor {
		out := slices.Clone(levels)
		for i := len(out) - 2; i >= 0; i-- {
			s := out[i].s
			out[i] = merge(i, out[i], out[i+1].resized(s[1:len(s)-1], nearest))
		}
		return out
	}
	sum := func(_ int, a, b tensor) tensor { return a.with(b, plus) }
	cube := func(n, in, out int) []int { return append(slices.Repeat([]int{3}, n), in, out) }
	// shared is a·x + b·y by BiFPN's fast normalised fusion of row i of weights.
	shared := func(w tensor) func(i int, a, b tensor) tensor {
		return func(i int, a, b tensor) tensor {
			p, q := relu(w.v[2*i]), relu(w.v[2*i+1])
			return a.with(b, func(x, y float64) float64 { return (p*x + q*y) / (p + q + 1e-4) })
		}
	}
	even := shared(tensor{shape.Shape{2, 2}, []float64{1, 1, 1, 1}})
	cases := []pyramid{
		{name: "plain", o: func(l layout, n int) (FPNOptions, func([]tensor) []tensor) {
			return FPNOptions{}, func(x []tensor) []tensor { return topDown(x, false, sum) }
		}},
		{name: "lateral and output", in: []int{2, 3, 4}, o: func(l layout, n int) (o FPNOptions, def func([]tensor) []tensor) {
			var ks, bs, os, obs [3]tensor
			for i := range 3 {
				var w, v ops.Weights
				w, ks[i], bs[i] = l.weights(uint64(10+i), 2+i, 4)
				v, os[i], obs[i] = l.weights(uint64(20+i), cube(n, 4, 4)...)
				o.Lateral, o.Output = append(o.Lateral, w), append(o.Output, v)
			}
			o.Upsample = "nearest"
			o.Output[1].Kernel = nil // the identity and a bias
			return o, func(x []tensor) []tensor {
				x = slices.Clone(x)
				for i := range x {
					x[i] = x[i].map1(ks[i], bs[i])
				}
				x = topDown(x, true, sum)
				for i := range x {
					if i == 1 {
						x[i] = x[i].with(obs[1], plus)
					} else {
						x[i] = x[i].conv(os[i], 1, 1, obs[i])
					}
				}
				return x
			}
		}},
		{name: "mul and maxpool", o: func(l layout, n int) (FPNOptions, func([]tensor) []tensor) {
			return FPNOptions{Merge: "mul", Extra: "maxpool"}, func(x []tensor) []tensor {
				x = topDown(x, false, func(_ int, a, b tensor) tensor { return a.with(b, times) })
				return append(x, x[2].halved())
			}
		}},
		{name: "concat", in: []int{2, 3, 4}, o: func(l layout, n int) (FPNOptions, func([]tensor) []tensor) {
			return FPNOptions{Merge: "concat"}, func(x []tensor) []tensor {
				return topDown(x, false, func(_ int, a, b tensor) tensor { return a.joined(b) })
			}
		}},
		{name: "weighted", o: func(l layout, n int) (FPNOptions, func([]tensor) []tensor) {
			w, k := plain(30, 2, 2)
			return FPNOptions{Merge: "weighted", MergeWeights: w}, func(x []tensor) []tensor { return topDown(x, false, shared(k)) }
		}},
		{name: "weighted evenly, bottom up", o: func(l layout, n int) (FPNOptions, func([]tensor) []tensor) {
			w, k := plain(31, 2, 2)
			return FPNOptions{Merge: "weighted", BottomUp: true, BottomUpMerge: w}, func(x []tensor) []tensor {
				x = topDown(x, false, even)
				for i := range 2 {
					x[i+1] = shared(k)(i, x[i+1], x[i].halved())
				}
				return x
			}
		}},
		{name: "bottom up by convolutions", o: func(l layout, n int) (o FPNOptions, def func([]tensor) []tensor) {
			var ds, dbs, cs, cbs [2]tensor
			for i := range 2 {
				var w, v ops.Weights
				w, ds[i], dbs[i] = l.weights(uint64(40+i), cube(n, 4, 4)...)
				v, cs[i], cbs[i] = l.weights(uint64(50+i), cube(n, 4, 4)...)
				o.Down, o.BottomUpConv = append(o.Down, w), append(o.BottomUpConv, v)
			}
			o.BottomUp = true
			return o, func(x []tensor) []tensor {
				x = topDown(x, false, sum)
				for i := range 2 {
					x[i+1] = x[i+1].with(x[i].conv(ds[i], 2, 1, dbs[i]), plus)
				}
				for i := range 2 {
					x[i+1] = x[i+1].conv(cs[i], 1, 1, cbs[i])
				}
				return x
			}
		}},
	}
	// torchvision's LastLevelP6P7: the first convolution takes the input where that
	// has the channels it takes, unless the result has as many and it keeps them.
	for _, c := range []struct {
		name          string
		in, mid, last int // channels of the levels, of the fused ones, of the extra ones
		takes         int
		input         bool
	}{{"p6p7 of the result", 4, 4, 4, 4, false}, {"p6p7 of the input", 2, 4, 4, 2, true}, {"p6p7 to other channels", 4, 4, 5, 4, true}, {"p6p7 of the result alone", 2, 4, 5, 4, false}} {
		cases = append(cases, pyramid{name: c.name, in: []int{c.in, c.in, c.in}, o: func(l layout, n int) (o FPNOptions, def func([]tensor) []tensor) {
			var lateral tensor
			for range 3 {
				w, k, _ := l.weights(60, c.in, c.mid)
				w.Bias = nil
				lateral = k
				o.Lateral = append(o.Lateral, w)
			}
			w6, k6, b6 := l.weights(61, cube(n, c.takes, c.last)...)
			w7, k7, b7 := l.weights(62, cube(n, c.last, c.last)...)
			o.Extra, o.ExtraConv = "p6p7", []ops.Weights{w6, w7}
			return o, func(x []tensor) []tensor {
				from := x[2]
				x = slices.Clone(x)
				for i := range x {
					x[i] = x[i].map1(lateral)
				}
				x = topDown(x, false, sum)
				if !c.input {
					from = x[2]
				}
				p6 := from.conv(k6, 2, 1, b6)
				return append(x, p6, p6.each(relu).conv(k7, 2, 1, b7))
			}
		}})
	}
	layouts(t, func(t *testing.T, l layout) {
		for n := 1; n <= 3; n++ {
			for _, c := range cases {
				t.Run(fmt.Sprintf("%d axes/%s", n, c.name), func(t *testing.T) {
					var xs []graph.Array
					var levels []tensor
					for i, size := range sizes[n] {
						channels := 4
						if c.in != nil {
							channels = c.in[i]
						}
						x, m := l.random(uint64(1+i), append(append([]int{2}, size...), channels)...)
						xs, levels = append(xs, x), append(levels, m)
					}
					o, def := c.o(l, n)
					o.Layout = l.Layout
					want := def(levels)
					coarsestFirst := []graph.Array{xs[2], xs[1], xs[0]}
					for i := range want {
						given := [][]graph.Array{xs, coarsestFirst}[i%2]
						got, err := FPN(given, o)
						if err != nil || len(got) != len(want) {
							t.Fatalf("%d levels, %v: want %d", len(got), err, len(want))
						}
						l.equal(t, want[i], func() (graph.Array, error) { return must2(FPN(given, o))[i], nil })
					}
				})
			}
		}
	})
}
