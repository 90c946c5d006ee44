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

// across is vectors [N,D] or [D] as a map of n axes has them.
func (t tensor) across(n int) tensor {
	s := make(shape.Shape, n)
	for a := range s {
		s[a] = 1
	}
	s[n-1] = t.s.Last()
	if len(t.s) > 1 {
		s[0] = t.s[0]
	}
	return tensor{s, t.v}
}

// to is t broadcast to a shape.
func (t tensor) to(s shape.Shape) tensor { return tensorOf(s, t.at) }

func TestCrossModalIsItsDefinition(t *testing.T) {
	gate := func(a, b float64) float64 { return a * sigmoid(b) }
	layouts(t, func(t *testing.T, l layout) {
		for _, dims := range [][]int{{2, 5}, {2, 4, 5}, {2, 3, 4, 5}, {2, 3, 2, 4, 5}} {
			n := len(dims)
			// Up to 3 axes the features are the last one in any layout.
			of := func(seed uint64, dims ...int) (*graphtest.Mem, tensor) {
				if len(dims) <= 3 {
					return plain(seed, dims...)
				}
				return l.random(seed, dims...)
			}
			equal := func(t *testing.T, want tensor, build func() (graph.Array, error)) {
				t.Helper()
				if n <= 3 {
					isTensor(t, want, build)
				} else {
					l.equal(t, want, build)
				}
			}
			axis := l.Features(n)
			a, ma := of(1, dims...)
			b, mb := of(2, dims...)
			c, mc := plain(3, 2, 5)    // vectors of the batch
			one, m1 := plain(4, 5)     // of all
			wide, mw := plain(5, 2, 7) // of other features
			mc, m1, mw = mc.across(n), m1.across(n), mw.across(n)
			for _, k := range []struct {
				mode string
				xs   []graph.Array
				want tensor
			}{
				{"add", []graph.Array{a, b, c}, ma.with(mb, plus).with(mc, plus)},
				{"add", []graph.Array{one, a}, ma.with(m1, plus)},
				{"mul", []graph.Array{c, a}, ma.with(mc, times)},
				{"gate", []graph.Array{a, c, b}, ma.with(mc, gate).with(mb, gate)},
				{"concat", []graph.Array{a, b}, ma.joined(mb)},
				{"concat", []graph.Array{wide, a, c}, mw.to(append(ma.s[:n-1].Clone(), 7)).joined(ma).joined(mc.to(ma.s))},
			} {
				t.Run(fmt.Sprintf("%s of %d/%v", k.mode, len(k.xs), dims), func(t *testing.T) {
					equal(t, k.want, func() (graph.Array, error) {
						return CrossModal(k.xs, k.mode, CrossModalOptions{Axis: axis, Layout: l.Layout})
					})
				})
			}
			gamma, kg, bg := l.weights(6, 7, 5)
			beta, kb, bb := l.weights(7, 7, 5)
			t.Run(fmt.Sprintf("film by vectors/%v", dims), func(t *testing.T) {
				equal(t, ma.with(mw.map1(kg, bg), times).with(mw.map1(kb, bb), plus), func() (graph.Array, error) {
					return CrossModal([]graph.Array{a, wide}, "film", CrossModalOptions{Gamma: gamma, Beta: beta, Layout: l.Layout})
				})
			})
			t.Run(fmt.Sprintf("film by a map as it is/%v", dims), func(t *testing.T) {
				equal(t, ma.with(mb, times).with(mb, plus), func() (graph.Array, error) {
					return CrossModal([]graph.Array{a, b}, "film", CrossModalOptions{Layout: l.Layout})
				})
			})
			u, ku, bu := l.weights(8, 5, 12)
			v, kv, bv := l.weights(9, 7, 12)
			p, kp, bp := l.weights(10, 4, 3)
			for _, factor := range []int{0, 3} {
				for _, normalize := range []bool{false, true} {
					o := CrossModalOptions{U: u, V: v, Factor: factor, Normalize: normalize, Activation: "tanh", Layout: l.Layout}
					z := ma.map1(ku, bu).each(math.Tanh).with(mw.map1(kv, bv).each(math.Tanh), times)
					if factor == 3 { // MFB: the sum of each three neighbours
						z = tensorOf(append(z.s[:n-1].Clone(), 4), func(at []int) float64 {
							i := at[n-1] * 3
							return z.at(changed(at, i)) + z.at(changed(at, i+1)) + z.at(changed(at, i+2))
						})
					}
					if normalize {
						length := z.each(math.Abs).pooled([]int{n - 1}, 0, plus).each(math.Sqrt)
						z = z.each(func(v float64) float64 { return math.Copysign(math.Sqrt(math.Abs(v)), v) }).with(length, func(a, b float64) float64 { return a / b })
					}
					if factor == 3 {
						o.P, z = p, z.map1(kp, bp)
					}
					t.Run(fmt.Sprintf("bilinear by %d, normalised %v/%v", factor, normalize, dims), func(t *testing.T) {
						equal(t, z, func() (graph.Array, error) { return CrossModal([]graph.Array{a, wide}, "bilinear", o) })
					})
				}
			}
			project, kr, br := l.weights(11, 7, 5)
			t.Run(fmt.Sprintf("add of what is projected/%v", dims), func(t *testing.T) {
				equal(t, ma.with(mw.map1(kr, br), plus), func() (graph.Array, error) {
					return CrossModal([]graph.Array{a, wide}, "add", CrossModalOptions{Project: map[int]ops.Weights{1: project}, Layout: l.Layout})
				})
			})
		}
	})
}

// Arrays of other ranks that are no vectors broadcast as NumPy has it; film takes
// [N,1,D] for vectors.
func TestCrossModalOfOtherRanks(t *testing.T) {
	a, ma := plain(1, 2, 3, 4, 5)
	rows, mr := plain(2, 3, 4, 5)
	vector, mv := plain(3, 2, 1, 5)
	number, mn := plain(4)
	isTensor(t, ma.with(mr, plus), func() (graph.Array, error) {
		return CrossModal([]graph.Array{a, rows}, "add", CrossModalOptions{Layout: shape.NHWC})
	})
	isTensor(t, ma.with(mn, times), func() (graph.Array, error) {
		return CrossModal([]graph.Array{a, number}, "mul", CrossModalOptions{Layout: shape.NHWC})
	})
	mv.s = shape.Shape{2, 1, 1, 5}
	isTensor(t, ma.with(mv, times).with(mv, plus), func() (graph.Array, error) {
		return CrossModal([]graph.Array{a, vector}, "film", CrossModalOptions{Layout: shape.NHWC})
	})
	// A map of one batch element beside vectors of two counts for both.
	single, ms := plain(5, 1, 3, 4, 5)
	two, m2 := plain(6, 2, 6)
	all := shape.Shape{2, 3, 4, 5}
	isTensor(t, ms.to(all).joined(m2.across(4).to(shape.Shape{2, 3, 4, 6})), func() (graph.Array, error) {
		return CrossModal([]graph.Array{single, two}, "concat", CrossModalOptions{Axis: -1, Layout: shape.NHWC})
	})
}

// attended is attention of q [N,Lq,h·d], k and v [N,Lk,kv·d] by definition, and the
// weights that it gives, [N,h,Lq,Lk].
func attended(q, k, v tensor, h, kv int, scale float64, hidden func(b, head, i, j int) bool) (out, weights tensor) {
	d, dv := q.s[2]/h, v.s[2]/kv
	weights = tensorOf(shape.Shape{q.s[0], h, q.s[1], k.s[1]}, func(at []int) float64 {
		b, head, i, j := at[0], at[1], at[2], at[3]
		if hidden(b, head, i, j) {
			return 0
		}
		sum := 0.0
		for c := range d {
			sum += q.at([]int{b, i, head*d + c}) * k.v[index(k.s, []int{b, j, head/(h/kv)*d + c})]
		}
		return math.Exp(sum * scale)
	})
	weights = weights.with(weights.pooled([]int{3}, 0, plus), func(w, sum float64) float64 { return w / sum })
	out = tensorOf(shape.Shape{q.s[0], q.s[1], h * dv}, func(at []int) float64 {
		head, c, sum := at[2]/dv, at[2]%dv, 0.0
		for j := range k.s[1] {
			sum += weights.v[index(weights.s, []int{at[0], head, at[1], j})] * v.v[index(v.s, []int{at[0], j, head/(h/kv)*dv + c})]
		}
		return sum
	})
	return out, weights
}

func visible(int, int, int, int) bool { return false }

func TestAttentionIsItsDefinition(t *testing.T) {
	l := layout{Layout: shape.NHWC}
	x, m := plain(1, 2, 6, 8)
	words, mw := plain(2, 2, 5, 6)
	wq, kq, bq := l.weights(3, 8, 12)
	wk, kk, bk := l.weights(4, 8, 12)
	wv, kv, bv := l.weights(5, 8, 12)
	wo, ko, bo := l.weights(6, 12, 8)
	half, kh, bh := l.weights(7, 8, 4)    // keys of one of three heads
	halfv, khv, bhv := l.weights(8, 8, 4) // and values
	fromWords, kw, bw := l.weights(9, 6, 8)
	allowed := make([]bool, 2*3*6*6)
	for i := range allowed {
		allowed[i] = i%4 != 1 || i%7 == 0
	}
	mask := graphtest.ArrayOf("m.npy", dtype.Bool, shape.Shape{2, 3, 6, 6}, allowed)
	root := 1 / math.Sqrt(4)
	project := func(z, k, b tensor) tensor { return z.map1(k, b) }
	for _, c := range []struct {
		what    string
		x       graph.Array
		o       AttentionOptions
		q, k, v tensor
		h, kv   int
		scale   float64
		hidden  func(b, head, i, j int) bool
		end     func(tensor) tensor
	}{
		{what: "of itself", x: x, o: AttentionOptions{Scale: 0.3}, q: m, k: m, v: m, scale: 0.3},
		{what: "causal with a residual", x: x, o: AttentionOptions{Scale: 0.3, Causal: true, Residual: true}, q: m, k: m, v: m, scale: 0.3,
			hidden: func(_, _, i, j int) bool { return j > i }, end: func(y tensor) tensor { return y.with(m, plus) }},
		{what: "of heads, with biases", x: x, o: AttentionOptions{AutoScale: true, Heads: 3, WQ: wq, WK: wk, WV: wv, WO: wo, Residual: true},
			q: project(m, kq, bq), k: project(m, kk, bk), v: project(m, kv, bv), h: 3, kv: 3, scale: root,
			end: func(y tensor) tensor { return y.map1(ko, bo).with(m, plus) }},
		{what: "of heads that share keys, with a mask", x: x, o: AttentionOptions{AutoScale: true, Heads: 3, KVHeads: 1, WQ: wq, WK: half, WV: halfv, WO: wo, Mask: mask},
			q: project(m, kq, bq), k: project(m, kh, bh), v: project(m, khv, bhv), h: 3, kv: 1, scale: root,
			hidden: func(b, head, i, j int) bool { return !allowed[((b*3+head)*6+i)*6+j] },
			end:    func(y tensor) tensor { return y.map1(ko, bo) }},
		{what: "to words", x: x, o: AttentionOptions{Scale: 1, Context: words, WK: fromWords}, q: m, k: project(mw, kw, bw), v: mw, scale: 1},
		{what: "of what is projected already", o: AttentionOptions{Scale: 0.2, Query: x, Key: x, Value: x}, q: m, k: m, v: m, scale: 0.2},
	} {
		t.Run(c.what, func(t *testing.T) {
			h, kv := max(c.h, 1), max(c.kv, 1)
			hidden := c.hidden
			if hidden == nil {
				hidden = visible
			}
			out, weights := attended(c.q, c.k, c.v, h, kv, c.scale, hidden)
			if c.end != nil {
				out = c.end(out)
			}
			if h == 1 {
				weights.s = slices.Delete(weights.s.Clone(), 1, 2)
			}
			isTensor(t, out, func() (graph.Array, error) { return Attention(c.x, c.o) })
			isTensor(t, weights, func() (graph.Array, error) { _, s, err := AttentionScores(c.x, c.o); return s, err })
		})
	}
	t.Run("of projected heads", func(t *testing.T) { // on the second axis, of which keys have one
		q, mq := plain(1, 2, 3, 5, 4)
		k, mk := plain(2, 2, 1, 6, 4)
		joined := func(z tensor) tensor {
			return tensorOf(shape.Shape{2, z.s[2], z.s[1] * 4}, func(at []int) float64 { return z.v[index(z.s, []int{at[0], at[2] / 4, at[1], at[2] % 4})] })
		}
		out, _ := attended(joined(mq), joined(mk), joined(mk), 3, 1, 1, visible)
		want := tensorOf(mq.s, func(at []int) float64 { return out.v[index(out.s, []int{at[0], at[2], at[1]*4 + at[3]})] })
		isTensor(t, want, func() (graph.Array, error) {
			return Attention(nil, AttentionOptions{Scale: 1, Query: q, Key: k, Value: k})
		})
	})
}

// flat is a map's positions as a sequence.
func (t tensor) flat() tensor {
	return tensor{shape.Shape{t.s[0], int(t.s.Product(1, len(t.s)-1)), t.s.Last()}, t.v}
}

// Positions of maps attend to each other, or to words and vectors.
func TestSpatialAttentionIsItsDefinition(t *testing.T) {
	layouts(t, func(t *testing.T, l layout) {
		for _, dims := range [][]int{{2, 3, 4, 6}, {2, 2, 3, 2, 6}} {
			x, m := l.random(1, dims...)
			other, mo := l.random(2, append(slices.Clone(dims[:len(dims)-2]), 5, 6)...)
			words, mw := plain(3, 2, 5, 6)
			vector, mv := plain(4, 2, 6)
			wo, ko, bo := l.weights(5, 6, 3)
			back := func(y tensor) tensor { return tensor{append(shape.Shape(dims[:len(dims)-1]).Clone(), y.s[2]), y.v} }
			out := func(q, k tensor) tensor { y, _ := attended(q, k, k, 1, 1, 0.4, visible); return y }
			o := AttentionOptions{Scale: 0.4, Spatial: true, Layout: l.Layout}
			t.Run(fmt.Sprintf("of itself/%v", dims), func(t *testing.T) {
				o := o
				o.Residual = true
				l.equal(t, back(out(m.flat(), m.flat())).with(m, plus), func() (graph.Array, error) { return Attention(x, o) })
			})
			t.Run(fmt.Sprintf("to other channels/%v", dims), func(t *testing.T) {
				o := o
				o.WO = wo
				l.equal(t, back(out(m.flat(), m.flat()).map1(ko, bo)), func() (graph.Array, error) { return Attention(x, o) })
			})
			cross := CrossModalOptions{Attention: AttentionOptions{Scale: 0.4}, Layout: l.Layout}
			for _, c := range []struct {
				what string
				b    graph.Array
				m    tensor
			}{{"another map", other, mo.flat()}, {"words", words, mw}, {"a vector", vector, mv.across(3)}} {
				t.Run(fmt.Sprintf("a map to %s/%v", c.what, dims), func(t *testing.T) {
					l.equal(t, back(out(m.flat(), c.m)), func() (graph.Array, error) { return CrossModal([]graph.Array{x, c.b}, "attention", cross) })
				})
			}
			t.Run(fmt.Sprintf("words to a map/%v", dims), func(t *testing.T) {
				isTensor(t, out(mw, m.flat()), func() (graph.Array, error) { return CrossModal([]graph.Array{words, x}, "attention", cross) })
			})
			t.Run(fmt.Sprintf("a vector to a map/%v", dims), func(t *testing.T) { // it stays a vector
				y := out(mv.across(3), m.flat())
				isTensor(t, tensor{shape.Shape{2, 6}, y.v}, func() (graph.Array, error) { return CrossModal([]graph.Array{vector, x}, "attention", cross) })
			})
			t.Run(fmt.Sprintf("what is projected to words/%v", dims), func(t *testing.T) {
				o := cross
				w, k, b := l.weights(6, 6, 6)
				o.Project = map[int]ops.Weights{0: w}
				l.equal(t, back(out(m.map1(k, b).flat(), mw)), func() (graph.Array, error) { return CrossModal([]graph.Array{x, words}, "attention", o) })
			})
		}
	})
}
