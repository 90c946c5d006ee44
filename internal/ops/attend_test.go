package ops

import (
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

// weightsAt is the weights that one query gives the keys, in float64: hidden says
// which keys it doesn't see, and plus is added to the scores.
func weightsAt(q []float64, k [][]float64, form string, scale float64, wf []float64, hidden func(j int) bool, plus func(j int) float64) []float64 {
	d := len(q)
	w := make([]float64, len(k))
	top, sum := math.Inf(-1), 0.0
	for j := range k {
		dot := 0.0
		for i := range d {
			if form == "concatenation" {
				dot += q[i]*wf[i] + k[j][i]*wf[d+i]
			} else {
				dot += q[i] * k[j][i]
			}
		}
		switch form {
		case "dot-product":
			w[j] = dot * scale / float64(len(k))
		case "concatenation":
			w[j] = max(dot, 0) / float64(len(k))
		default:
			w[j] = math.Inf(-1)
			if !hidden(j) {
				w[j] = dot*scale + plus(j)
			}
			top = max(top, w[j])
		}
	}
	if form == "dot-product" || form == "concatenation" {
		return w
	}
	for j, s := range w {
		w[j] = 0
		if !math.IsInf(s, -1) {
			w[j] = math.Exp(s - top)
		}
		sum += w[j]
	}
	for j := range w {
		if sum > 0 {
			w[j] /= sum
		}
	}
	return w
}

// alike is within, but NaNs and infinities must stand in the same places.
func alike(t *testing.T, got, want []float64, rel float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d elements: want %d", len(got), len(want))
	}
	g, w := slices.Clone(got), slices.Clone(want)
	for i := range want {
		if want[i]-want[i] != 0 {
			if got[i] != want[i] && !(got[i] != got[i] && want[i] != want[i]) {
				t.Fatalf("element %d: got %v, want %v", i, got[i], want[i])
			}
			g[i], w[i] = 0, 0
		}
	}
	within(t, g, w, rel)
}

// Each form's weights and results are its definition, with masks and without, in
// every dtype, whether the keys are held or read batch by batch.
func TestEachFormIsItsDefinition(t *testing.T) {
	floatMask := func(s ...int) *graphtest.Mem { return graphtest.Randn(9, s...) }
	boolMask := func(s ...int) *graphtest.Mem { // the first query sees nothing
		allowed := make([]bool, shape.Shape(s).Len())
		for i := range allowed {
			allowed[i] = i%3 != 0 && i >= s[len(s)-1]
		}
		return graphtest.ArrayOf("mask.npy", dtype.Bool, s, allowed)
	}
	for _, c := range []struct {
		what string
		q, k shape.Shape // k's last axis is q's
		dv   int
		o    AttendOptions
		t    dtype.Type
	}{
		{what: "gaussian", q: shape.Shape{2, 5, 8}, k: shape.Shape{2, 7, 8}, dv: 3, o: AttendOptions{Scale: 0.7}},
		{what: "scaled by itself", q: shape.Shape{2, 5, 9}, k: shape.Shape{2, 7, 9}, dv: 3, o: AttendOptions{AutoScale: true}},
		{what: "several blocks of keys and queries", q: shape.Shape{100, 4}, k: shape.Shape{600, 4}, dv: 5, o: AttendOptions{Scale: 1, Causal: true}},
		{what: "a float mask of each query", q: shape.Shape{2, 50, 4}, k: shape.Shape{2, 300, 4}, dv: 5, o: AttendOptions{Scale: 1, Mask: floatMask(50, 300)}},
		{what: "a float mask of each key", q: shape.Shape{2, 5, 4}, k: shape.Shape{2, 30, 4}, dv: 5, o: AttendOptions{Scale: 1, Mask: floatMask(2, 1, 30)}},
		{what: "a boolean mask", q: shape.Shape{2, 5, 4}, k: shape.Shape{2, 30, 4}, dv: 5, o: AttendOptions{Scale: 1, Mask: boolMask(2, 5, 30)}},
		{what: "a boolean mask and causal", q: shape.Shape{50, 4}, k: shape.Shape{60, 4}, dv: 5, o: AttendOptions{Scale: 1, Causal: true, Mask: boolMask(50, 60)}},
		{what: "dot-product", q: shape.Shape{2, 60, 8}, k: shape.Shape{2, 300, 8}, dv: 3, o: AttendOptions{Scale: 0.3, Form: "dot-product"}},
		{what: "concatenation", q: shape.Shape{2, 60, 8}, k: shape.Shape{2, 300, 8}, dv: 3, o: AttendOptions{Scale: 5, Form: "concatenation", WF: graphtest.Randn(8, 16)}},
		{what: "concatenation in float64", q: shape.Shape{6, 3}, k: shape.Shape{7, 3}, dv: 2, t: dtype.Float64, o: AttendOptions{Form: "concatenation", WF: graphtest.Of(dtype.Float64, graphtest.Randn(8, 2, 3))}},
		{what: "in float64", q: shape.Shape{2, 50, 8}, k: shape.Shape{2, 270, 8}, dv: 3, t: dtype.Float64, o: AttendOptions{Scale: 0.7, Causal: true}},
		{what: "in float16", q: shape.Shape{2, 5, 8}, k: shape.Shape{2, 7, 8}, dv: 3, t: dtype.Float16, o: AttendOptions{Scale: 0.7}},
		{what: "heads that share keys", q: shape.Shape{2, 6, 5, 4}, k: shape.Shape{2, 3, 7, 4}, dv: 3, o: AttendOptions{Scale: 1, Heads: true}},
		{what: "heads that share keys, without batch", q: shape.Shape{4, 5, 4}, k: shape.Shape{2, 7, 4}, dv: 3, o: AttendOptions{Scale: 1, Split: true}},
		{what: "many short sequences", q: shape.Shape{20, 3, 4}, k: shape.Shape{20, 5, 4}, dv: 3, o: AttendOptions{Scale: 1}},
		{what: "many short sequences with a mask", q: shape.Shape{20, 3, 4}, k: shape.Shape{20, 5, 4}, dv: 3, o: AttendOptions{Scale: 1, Mask: floatMask(20, 3, 5)}},
		{what: "no queries", q: shape.Shape{2, 0, 4}, k: shape.Shape{2, 5, 4}, dv: 3, o: AttendOptions{Scale: 1}},
	} {
		t.Run(c.what, func(t *testing.T) {
			typ := c.t
			if typ == (dtype.Type{}) {
				typ = dtype.Float32
			}
			n := len(c.q)
			vs := c.k.Clone()
			vs[n-1] = c.dv
			q, k, v := graphtest.Of(typ, graphtest.Randn(1, c.q...)), graphtest.Of(typ, graphtest.Randn(2, c.k...)), graphtest.Of(typ, graphtest.Randn(3, vs...))
			var wf, mask []float64
			if c.o.WF != nil {
				wf = values(c.o.WF.(*graphtest.Mem))
			}
			nq, nk, d := c.q[n-2], c.k[n-2], c.q[n-1]
			of := append(c.q[:n-1].Clone(), nk)
			if c.o.Mask != nil {
				m := c.o.Mask.(*graphtest.Mem)
				mv := values(m)
				graphtest.Indices(of, func(at []int) { mask = append(mask, mv[graphtest.FlatIndex(m.Dims, at)]) })
			}
			qv, kv, vv := values(q), values(k), values(v)
			batches := int(c.q[:n-2].Len())
			shared := max(batches, 1) / int(c.k[:n-2].Len())
			var want, weights []float64
			for b := range batches {
				keys, vals := matrix(kv, b/shared*nk, nk, d), matrix(vv, b/shared*nk, nk, c.dv)
				for i := range nq {
					row := (b*nq + i)
					boolean := mask != nil && c.o.Mask.DType() == dtype.Bool
					scale := c.o.Scale
					if c.o.AutoScale {
						scale = 1 / math.Sqrt(float64(d))
					}
					w := weightsAt(qv[row*d:(row+1)*d], keys, c.o.Form, scale, wf, func(j int) bool {
						return c.o.Causal && j > i || boolean && mask[row*nk+j] == 0
					}, func(j int) float64 {
						if mask == nil || boolean {
							return 0
						}
						return mask[row*nk+j]
					})
					weights = append(weights, w...)
					for col := range c.dv {
						sum := 0.0
						for j := range w {
							sum += w[j] * vals[j][col]
						}
						want = append(want, sum)
					}
				}
			}
			// Scores of a few units err by some 1e-6 in float32, and so do their
			// exponentials; float64 has 2^29 times less; a float16 result is rounded once.
			tolerance := map[dtype.Type]float64{dtype.Float32: 5e-6, dtype.Float64: 1e-14, dtype.Float16: 5e-4}[typ]
			build := func(weights bool) func() graph.Array {
				return func() graph.Array {
					out, scores, err := Attend(q, k, v, c.o)
					if weights {
						return graphtest.Must(scores, err)
					}
					return graphtest.Must(out, err)
				}
			}
			out := build(false)()
			if !out.Shape().Equal(append(c.q[:n-1].Clone(), c.dv)) || out.DType() != typ {
				t.Fatalf("shape %v, dtype %v", out.Shape(), out.DType())
			}
			within(t, floats(out, graphtest.Result(t, build(false))), want, tolerance)
			scores := build(true)()
			if !scores.Shape().Equal(of) {
				t.Fatalf("scores of shape %v, want %v", scores.Shape(), of)
			}
			within(t, floats(scores, graphtest.Result(t, build(true))), weights, tolerance)
		})
	}
}

// Keys that are the values are held once.
func TestKeysThatAreTheValues(t *testing.T) {
	q, k := graphtest.Randn(1, 6, 4), graphtest.Randn(2, 9, 4)
	out, _, err := Attend(q, k, k, AttendOptions{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	p, err := graph.NewPlan(graph.Options{}, out)
	if err != nil || p.Held() != 9*4*4 {
		t.Errorf("holds %d bytes, %v: want those of the keys, %d", p.Held(), err, 9*4*4)
	}
	split, _, err := Attend(q, k, graphtest.Randn(2, 9, 4), AttendOptions{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := graphtest.WriteAt(t, out, graph.Options{}), graphtest.WriteAt(t, split, graph.Options{}); !slices.Equal(got, want) {
		t.Errorf("equal keys and values that are two arrays give other bytes, at %d", graphtest.Differ(got, want))
	}
}

// A NaN or an infinity among values counts for the queries that see it, with its
// weight, and for no other.
func TestValuesThatArentFinite(t *testing.T) {
	const n, d, dv = 300, 4, 3
	inf := math.Inf(1)
	bad := []struct {
		at    int // of the values' elements
		value float64
	}{{1*dv + 0, math.NaN()}, {40*dv + 1, inf}, {280*dv + 1, -inf}, {290*dv + 2, -inf}, {290*dv + 0, inf}}
	for _, typ := range []dtype.Type{dtype.Float32, dtype.Float64} {
		q, k, v := graphtest.Randn(1, n, d), graphtest.Randn(2, n, d), graphtest.Randn(3, n, dv)
		for _, b := range bad {
			kernel.View[float32](v.Data)[b.at] = float32(b.value)
		}
		qx, kx, vx := graphtest.Of(typ, q), graphtest.Of(typ, k), graphtest.Of(typ, v)
		allowed := make([]bool, n*n)
		for i := range allowed {
			allowed[i] = i%n < 20 || i%n > i/n/2 // a query sees few of those before it, and nothing is seen by all
		}
		mask := graphtest.ArrayOf("mask.npy", dtype.Bool, shape.Shape{n, n}, allowed)
		for name, o := range map[string]AttendOptions{"causal": {Scale: 0.5, Causal: true}, "mask": {Scale: 0.5, Mask: mask}, "both": {Scale: 0.5, Causal: true, Mask: mask}, "neither": {Scale: 0.5}} {
			t.Run(fmt.Sprintf("%s/%v", name, typ), func(t *testing.T) {
				keys, vals := matrix(values(k), 0, n, d), matrix(values(v), 0, n, dv)
				var want []float64
				for i := range n {
					hidden := func(j int) bool { return o.Causal && j > i || o.Mask != nil && !allowed[i*n+j] }
					w := weightsAt(values(q)[i*d:(i+1)*d], keys, "", 0.5, nil, hidden, func(int) float64 { return 0 })
					for col := range dv {
						sum := 0.0
						for j := range w {
							if !hidden(j) {
								sum += w[j] * vals[j][col]
							}
						}
						want = append(want, sum)
					}
				}
				build := func() graph.Array {
					out, _, err := Attend(qx, kx, vx, o)
					return graphtest.Must(out, err)
				}
				alike(t, floats(build(), graphtest.Result(t, build)), want, map[dtype.Type]float64{dtype.Float32: 5e-6, dtype.Float64: 1e-14}[typ]) // as above
			})
		}
	}
}
