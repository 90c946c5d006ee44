package blocks

import (
	"fmt"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// AttentionOptions refine Attention. The zero value is plain self-attention.
type AttentionOptions struct {
	Context           graph.Array // keys and values come from it; nil: from X
	Query, Key, Value graph.Array // projected inputs, in place of X; all or none
	WQ, WK, WV, WO    ops.Weights
	Heads, KVHeads    int // 0: one head; as many as Heads
	Scale             float64
	AutoScale         bool        // 1/√d of a head in place of Scale
	Mask              graph.Array // broadcasts to the scores; nil: none
	Causal            bool        // position i attends to positions up to i
	Spatial           bool        // all spatial positions form one sequence
	Residual          bool        // X is added to the result
	Form              string      // one of AttentionForms; "": gaussian
	WF                graph.Array // concatenation: the weight of query and key features, 2d numbers
	Layout            shape.Layout
}

// Attention is softmax(Q·Kᵀ·scale + mask)·V over the last two axes, sequence
// and features, with all leading axes as batch (Vaswani et al. 2017; under
// Spatial the embedded Gaussian form of Wang et al. 2018, Non-local Neural
// Networks). Features of the projected arrays split into heads as in
// torch.nn.MultiheadAttention; keys and values may have fewer heads than
// queries (grouped-query attention). A boolean mask is true where a query
// attends, a float mask is added to the scores; a query that attends to
// nothing gives zeros. What a boolean mask or Causal hides doesn't count,
// whatever stands there, NaN too. Scores are never held whole: memory is O(N·d).
//
// The forms but gaussian, and what a mask does, are those of [ops.Attend].
func Attention(x graph.Array, o AttentionOptions) (graph.Array, error) {
	out, _, err := AttentionScores(x, o)
	return out, err
}

// AttentionScores is Attention together with the weights that it gives the
// values, [.., queries, keys], or with heads [.., heads, queries, keys]. They
// cost nothing unless they are read.
func AttentionScores(x graph.Array, o AttentionOptions) (out, scores graph.Array, err error) {
	q, k, v, err := o.inputs(x)
	if err != nil {
		return nil, nil, err
	}
	all := []graph.Array{q, k, v}
	if o.WF != nil {
		all = append(all, o.WF)
	}
	for _, w := range []ops.Weights{o.WQ, o.WK, o.WV, o.WO} {
		all = append(all, w.Arrays()...)
	}
	t, err := ops.FloatType("attention", all...)
	if err != nil {
		return nil, nil, err
	}
	sequences := map[graph.Array]graph.Array{} // what is one stays one
	sequence := func(a graph.Array) (out graph.Array, err error) {
		if out, ok := sequences[a]; ok {
			return out, nil
		}
		if out, err = ops.Cast(a, t.Compute()); err != nil {
			return nil, err
		}
		if o.Spatial && (out.Shape().Equal(x.Shape()) || o.Layout.Maps(len(out.Shape()))) { // else words that a map attends to
			out, err = flatten(out, o.Layout)
		}
		sequences[a] = out
		return out, err
	}
	for _, p := range []struct {
		x *graph.Array
		w ops.Weights
	}{{&q, o.WQ}, {&k, o.WK}, {&v, o.WV}} {
		if *p.x, err = sequence(*p.x); err != nil {
			return nil, nil, err
		}
		if *p.x, err = ops.Linear(*p.x, p.w, ops.LinearOptions{Axis: -1}); err != nil {
			return nil, nil, err
		}
	}
	out, scores, err = o.heads(q, k, v)
	if err != nil {
		return nil, nil, err
	}
	onto := ops.LinearOptions{Axis: -1}
	if o.Residual {
		if onto.Residual, err = sequence(x); err != nil {
			return nil, nil, err
		}
		want := out.Shape().Clone()
		if o.WO.Kernel != nil {
			if want[len(want)-1], err = o.WO.Outputs(); err != nil {
				return nil, nil, err
			}
		}
		if !want.Equal(onto.Residual.Shape()) {
			return nil, nil, graph.Errorf(x, "shape %v can't be added to the attention's result of shape %v: --residual wants equal shapes", x.Shape(), want).
				Hint("an output projection of the input's width makes them equal")
		}
	}
	if out, err = ops.Linear(out, o.WO, onto); err != nil {
		return nil, nil, err
	}
	if o.Spatial {
		if out, err = unflatten(out, x, o.Layout); err != nil {
			return nil, nil, err
		}
	}
	if out, err = ops.Cast(out, t); err != nil {
		return nil, nil, err
	}
	scores, err = ops.Cast(scores, t)
	return out, scores, err
}

// inputs settles which arrays give queries, keys and values.
func (o AttentionOptions) inputs(x graph.Array) (q, k, v graph.Array, err error) {
	given := 0
	for _, a := range []graph.Array{o.Query, o.Key, o.Value} {
		if a != nil {
			given++
		}
	}
	switch {
	case given == 0 && x == nil:
		return nil, nil, nil, &graph.Error{Msg: "attention needs an input X, or --query, --key and --value"}
	case given == 0:
		q, k, v = x, x, x
		if o.Context != nil {
			k, v = o.Context, o.Context
		}
	case given < 3 || x != nil || o.Context != nil:
		return nil, nil, nil, &graph.Error{Msg: "--query, --key and --value go together, without X and --context"}
	case o.Residual || o.Spatial:
		return nil, nil, nil, &graph.Error{Msg: "--residual and --spatial need an input X"}
	default:
		q, k, v = o.Query, o.Key, o.Value
	}
	low := 2
	if o.Spatial {
		low = 3
	}
	for _, a := range []graph.Array{q, k, v} {
		if len(a.Shape()) < low {
			return nil, nil, nil, graph.Errorf(a, "shape %v: attention takes at least %d dimensions", a.Shape(), low)
		}
	}
	if s := q.Shape(); o.Spatial && !o.Layout.Maps(len(s)) {
		map3, sequence := o.Layout.Like(2, false), o.Layout.Like(1, true)
		return nil, nil, nil, graph.Errorf(q, "shape %v: an array of 3 axes may be one map, %s, or a batch of sequences, %s: --spatial wants to know which", s, map3, sequence).
			Hint("--layout %s says that it is a map of %s, --layout %s that it is sequences of %s", map3, map3.Sized(s), sequence, sequence.Sized(s))
	}
	return q, k, v, nil
}

// flatten makes one sequence [batch, positions, channels] of a feature map, or
// [positions, channels] where it has no batch.
func flatten(x graph.Array, l shape.Layout) (graph.Array, error) {
	form, err := ops.MapForm("--spatial", x, l, 0)
	if err != nil {
		return nil, err
	}
	n := len(x.Shape())
	if x, err = ops.Transpose(x, shape.MoveToLast(form.Channel(), n)); err != nil {
		return nil, err
	}
	s := x.Shape()
	into := shape.Shape{int(s.Product(0, n-1)), s[n-1]}
	if form.Batched() {
		into = shape.Shape{s[0], int(s.Product(1, n-1)), s[n-1]}
	}
	return ops.Reshape(x, into)
}

// unflatten undoes flatten for the result x of a map, whose channels may have
// changed.
func unflatten(x, of graph.Array, l shape.Layout) (graph.Array, error) {
	form, err := ops.MapForm("--spatial", of, l, 0)
	if err != nil {
		return nil, err
	}
	s := of.Shape()
	perm := shape.MoveToLast(form.Channel(), len(s))
	last := s.Permute(perm)
	last[len(last)-1] = x.Shape().Last()
	if x, err = ops.Reshape(x, last); err != nil {
		return nil, err
	}
	return ops.Transpose(x, shape.Inverse(perm))
}

// heads splits features into heads, attends, and joins them again.
func (o AttentionOptions) heads(q, k, v graph.Array) (out, scores graph.Array, err error) {
	h, kv := max(o.Heads, 1), o.KVHeads
	if kv == 0 {
		kv = h
	}
	if q.Shape().Last()*kv != k.Shape().Last()*h {
		return nil, nil, o.unequalFeatures(q, k, h, kv)
	}
	split := h > 1 || kv > 1
	if split {
		if o.Query != nil && len(q.Shape()) == 4 {
			return nil, nil, &graph.Error{Msg: "--heads splits features of sequences; projected inputs of 4 dimensions have their heads on the second axis"}
		}
		if q, err = splitHeads(q, h); err != nil {
			return nil, nil, err
		}
		if k, err = splitHeads(k, kv); err != nil {
			return nil, nil, err
		}
		if v, err = splitHeads(v, kv); err != nil {
			return nil, nil, err
		}
	}
	out, scores, err = ops.Attend(q, k, v, ops.AttendOptions{
		Scale: o.Scale, AutoScale: o.AutoScale, Mask: o.Mask, Causal: o.Causal, Form: o.Form, WF: o.WF,
		Heads: o.Query != nil && len(q.Shape()) == 4, Split: split,
	})
	if err != nil || !split {
		return out, scores, err
	}
	n := len(out.Shape())
	joined, err := ops.Transpose(out, exchanged(n, n-3, n-2))
	if err != nil {
		return nil, nil, err
	}
	s := joined.Shape()
	out, err = ops.Reshape(joined, append(s[:n-2].Clone(), s[n-2]*s[n-1]))
	return out, scores, err
}

// exchanged is the permutation of n axes that exchanges two.
func exchanged(n, a, b int) []int {
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	perm[a], perm[b] = b, a
	return perm
}

// unequalFeatures refuses queries, of h heads, and keys, of kv, whose heads
// differ in features.
func (o AttentionOptions) unequalFeatures(q, k graph.Array, h, kv int) error {
	e := graph.Errorf(k, "keys of shape %v have %d features, queries of shape %v have %d: want as many", k.Shape(), k.Shape().Last(), q.Shape(), q.Shape().Last())
	if h > 1 || kv > 1 {
		e.Msg += fmt.Sprintf(" a head, of %d and %d heads", kv, h)
	}
	each := q.Shape().Last() / h
	switch {
	case o.WQ.Kernel != nil && o.WK.Kernel == nil:
		return e.Hint("--wq maps the queries: --wk has to map the keys to as many features")
	case o.WQ.Kernel == nil && o.WK.Kernel != nil:
		return e.Hint("--wk maps the keys: --wq has to map the queries to as many features")
	case each > 0 && q.Shape().Last()%h == 0 && k.Shape().Last()%each == 0 && h%max(k.Shape().Last()/each, 1) == 0:
		return e.Hint("--kv-heads %d gives keys and values heads of %d features, as queries have them", k.Shape().Last()/each, each)
	}
	return e
}

// splitHeads takes [.., N, h·d] to [.., h, N, d].
func splitHeads(x graph.Array, h int) (graph.Array, error) {
	s := x.Shape()
	n := len(s)
	if s[n-1]%h != 0 {
		return nil, graph.Errorf(x, "%d features don't split into %d heads", s[n-1], h)
	}
	x, err := ops.Reshape(x, append(s[:n-1].Clone(), h, s[n-1]/h))
	if err != nil {
		return nil, err
	}
	return ops.Transpose(x, exchanged(n+1, n-2, n-1))
}
