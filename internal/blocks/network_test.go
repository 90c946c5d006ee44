package blocks

import (
	"fmt"
	"math"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// The golden cases hold what networks' steps compute to PyTorch. Here each is
// computed in every way the engine has, which must give the same bytes.
func TestNetworksGiveTheSameBytesHoweverTheyAreCut(t *testing.T) {
	for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
		maps := func(seed uint64, n, h, w, c int) *graphtest.Mem {
			if l == shape.NCHW {
				return graphtest.Randn(seed, n, c, h, w)
			}
			return graphtest.Randn(seed, n, h, w, c)
		}
		torch := func(seed uint64, dims ...int) ops.Weights {
			return ops.Weights{Kernel: graphtest.Randn(seed, dims...), Layout: ops.Torch}
		}
		threes := func(n int) (ws []ops.Weights) {
			for i := range n {
				ws = append(ws, torch(uint64(20+i), 6, 6, 3, 3))
			}
			return ws
		}
		levels := []graph.Array{maps(1, 2, 9, 7, 6), maps(2, 2, 5, 4, 6), maps(3, 2, 3, 2, 6)}
		pyramids := map[string]FPNOptions{
			"output":   {Upsample: "nearest", Output: threes(3), Lateral: []ops.Weights{torch(4, 6, 6), torch(5, 6, 6), {}}},
			"weighted": {Merge: "weighted", MergeWeights: graphtest.Randn(6, 2, 2)},
			"concat":   {Merge: "concat"},
			"mul":      {Merge: "mul", Extra: "maxpool"},
			"panet":    {BottomUp: true, Down: threes(2), BottomUpConv: threes(2), Merge: "weighted", BottomUpMerge: graphtest.Randn(6, 2, 2)},
			"p6p7":     {Extra: "p6p7", ExtraConv: threes(2), BottomUp: true},
		}
		for name, o := range pyramids {
			o.Layout = l
			n := len(must2(FPN(levels, o)))
			for i := range n {
				t.Run(fmt.Sprintf("%s-%s-%d", name, l, i), func(t *testing.T) {
					graphtest.Result(t, func() graph.Array { return must2(FPN(levels, o))[i] })
				})
			}
		}
		a, b, words := maps(1, 2, 5, 4, 6), graphtest.Randn(7, 2, 8), graphtest.Randn(8, 2, 3, 6)
		modes := map[string]struct {
			xs []graph.Array
			o  CrossModalOptions
		}{
			"film":      {[]graph.Array{a, b}, CrossModalOptions{Gamma: torch(9, 6, 8), Beta: torch(10, 6, 8)}},
			"bilinear":  {[]graph.Array{a, b}, CrossModalOptions{U: torch(9, 12, 6), V: torch(10, 12, 8), P: torch(11, 5, 4), Factor: 3, Normalize: true, Activation: "tanh"}},
			"attention": {[]graph.Array{a, words}, CrossModalOptions{Attention: AttentionOptions{Scale: 1, Residual: true}}},
			"gate":      {[]graph.Array{a, b}, CrossModalOptions{Project: map[int]ops.Weights{1: torch(9, 1, 8)}}},
		}
		for mode, m := range modes {
			if mode == "gate" {
				m.xs[1] = graphtest.Must(ops.Reshape(b, shape.Shape{2, 1, 1, 8}))
				if l == shape.NCHW {
					m.xs[1] = graphtest.Must(ops.Reshape(b, shape.Shape{2, 8, 1, 1}))
				}
			}
			m.o.Layout = l
			t.Run(fmt.Sprintf("%s-%s", mode, l), func(t *testing.T) {
				graphtest.Result(t, func() graph.Array { return graphtest.Must(CrossModal(m.xs, mode, m.o)) })
			})
		}
		for _, o := range []AttentionOptions{
			{Scale: 0.5, Causal: true}, {Scale: 1, Form: "dot-product"}, {Scale: 1, Form: "concatenation", WF: graphtest.Randn(9, 12)},
			{AutoScale: true, Heads: 3, KVHeads: 1, WK: torch(9, 2, 6), WV: torch(10, 2, 6)},
		} {
			o.Layout = l
			t.Run(fmt.Sprintf("attention-%s-%v", l, o.Form), func(t *testing.T) {
				x := graphtest.Randn(1, 2, 300, 6)
				graphtest.Result(t, func() graph.Array { return graphtest.Must(Attention(x, o)) })
				graphtest.Result(t, func() graph.Array {
					_, scores, err := AttentionScores(x, o)
					return graphtest.Must(scores, err)
				})
			})
		}
	}
}

func must2(xs []graph.Array, err error) []graph.Array {
	if err != nil {
		panic(err)
	}
	return xs
}

// Weights given to values sum to 1, and the values they weigh are the result:
// to within float64's rounding of 300 products.
func TestScoresWeighTheValues(t *testing.T) {
	const n, d = 300, 5
	x := graphtest.Of(dtype.Float64, graphtest.Randn(1, n, d))
	out, scores, err := AttentionScores(x, AttentionOptions{Scale: 0.7, Causal: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := graph.NewPlan(graph.Options{Threads: 2}, out, scores)
	if err != nil {
		t.Fatal(err)
	}
	files := []*graphtest.File{}
	for _, a := range []graph.Array{out, scores} {
		f := &graphtest.File{Data: kernel.Alloc(int(graph.SizeOf(a))), Written: make([]byte, graph.SizeOf(a))}
		files = append(files, f)
		if err := p.WriteAt(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	y, w, v := kernel.View[float64](files[0].Data), kernel.View[float64](files[1].Data), kernel.View[float64](x.Data)
	for i := range n {
		sum := 0.0
		var want [d]float64
		for j := range n {
			if j > i && w[i*n+j] != 0 {
				t.Fatalf("query %d looks at key %d", i, j)
			}
			sum += w[i*n+j]
			for c := range d {
				want[c] += w[i*n+j] * v[j*d+c]
			}
		}
		if math.Abs(sum-1) > 1e-13 {
			t.Fatalf("the weights of query %d sum to %v", i, sum)
		}
		for c := range d {
			if math.Abs(want[c]-y[i*d+c]) > 1e-12 {
				t.Fatalf("query %d, feature %d: the weights give %v, attention %v", i, c, want[c], y[i*d+c])
			}
		}
	}
}
