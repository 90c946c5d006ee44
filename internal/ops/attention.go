package ops

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// AttentionOptions refine Attention. The zero value is plain self-attention.
type AttentionOptions struct {
	Context           graph.Array // keys and values come from it; nil: from X
	Query, Key, Value graph.Array // projected inputs, in place of X; all or none
	WQ, WK, WV, WO    Weights
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

// AttentionForms lists the pairwise functions of Non-local Neural Networks.
var AttentionForms = []string{"gaussian", "dot-product", "concatenation"}

// CheckAttentionForm refuses a name that is none of AttentionForms.
func CheckAttentionForm(form string) error {
	if slices.Contains(AttentionForms, form) {
		return nil
	}
	return fmt.Errorf("unknown form %q: want one of %s", form, strings.Join(AttentionForms, ", "))
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
// The other forms are Non-local's: dot-product weighs the values by
// Q·Kᵀ·scale/N, N being the number of keys, and concatenation by
// relu(WF·[q, k])/N; neither takes a mask.
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
	for _, w := range []Weights{o.WQ, o.WK, o.WV, o.WO} {
		all = append(all, w.arrays()...)
	}
	if all, _, err = needFloat("attention", all); err != nil {
		return nil, nil, err
	}
	t := all[0].DType()
	sequence := func(a graph.Array) graph.Array {
		a = cast(a, t.Compute())
		if o.Spatial && (len(a.Shape()) > 3 || a.Shape().Equal(x.Shape())) { // else words that a map attends to
			a = o.flatten(a)
		}
		return a
	}
	same := k == q && v == q
	q, k, v = sequence(q), sequence(k), sequence(v)
	if same {
		k, v = q, q
	}
	for _, p := range []struct {
		x *graph.Array
		w Weights
	}{{&q, o.WQ}, {&k, o.WK}, {&v, o.WV}} {
		if *p.x, err = linear(*p.x, p.w, len((*p.x).Shape())-1); err != nil {
			return nil, nil, err
		}
	}
	out, scores, err = o.heads(q, k, v)
	if err != nil {
		return nil, nil, err
	}
	var end epilogue
	if o.Residual {
		end.residual = sequence(x)
		want := out.Shape().Clone()
		if o.WO.Kernel != nil {
			if want[len(want)-1], err = o.WO.outputs(); err != nil {
				return nil, nil, err
			}
		}
		if !want.Equal(end.residual.Shape()) {
			return nil, nil, graph.Errorf(x, "shape %v can't be added to the attention's result of shape %v: --residual wants equal shapes", x.Shape(), want).
				Hint("an output projection of the input's width makes them equal")
		}
	}
	if out, err = linearThen(out, o.WO, len(out.Shape())-1, end); err != nil {
		return nil, nil, err
	}
	if o.Spatial {
		out = o.unflatten(out, x.Shape())
	}
	return cast(out, t), cast(scores, t), nil
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
	return q, k, v, nil
}

// flatten makes one sequence [batch, positions, channels] of a feature map.
func (o AttentionOptions) flatten(x graph.Array) graph.Array {
	n := len(x.Shape())
	x = transpose(x, shape.MoveToLast(o.Layout.Channel(n), n))
	s := x.Shape()
	return reshape(x, shape.Shape{s[0], int(s.Product(1, n-1)), s[n-1]})
}

// unflatten undoes flatten for a map of shape s, whose channels may have
// changed.
func (o AttentionOptions) unflatten(x graph.Array, s shape.Shape) graph.Array {
	perm := shape.MoveToLast(o.Layout.Channel(len(s)), len(s))
	last := s.Permute(perm)
	last[len(last)-1] = x.Shape()[2]
	return transpose(reshape(x, last), shape.Inverse(perm))
}

// heads splits features into heads, attends, and joins them again.
func (o AttentionOptions) heads(q, k, v graph.Array) (out, scores graph.Array, err error) {
	h, kv := max(o.Heads, 1), o.KVHeads
	if kv == 0 {
		kv = h
	}
	if last(q)*kv != last(k)*h {
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
	a, err := newAttention(q, k, v, split, o)
	if err != nil {
		return nil, nil, err
	}
	out, scores = a, a.scores()
	if !split {
		return out, scores, nil
	}
	n := len(out.Shape())
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	perm[n-3], perm[n-2] = n-2, n-3
	joined := transpose(out, perm)
	s := joined.Shape()
	return reshape(joined, append(s[:n-2].Clone(), s[n-2]*s[n-1])), scores, nil
}

// unequalFeatures refuses queries, of h heads, and keys, of kv, whose heads
// differ in features.
func (o AttentionOptions) unequalFeatures(q, k graph.Array, h, kv int) error {
	e := graph.Errorf(k, "keys of shape %v have %d features, queries of shape %v have %d: want as many", k.Shape(), last(k), q.Shape(), last(q))
	if h > 1 || kv > 1 {
		e.Msg += fmt.Sprintf(" a head, of %d and %d heads", kv, h)
	}
	each := last(q) / h
	switch {
	case o.WQ.Kernel != nil && o.WK.Kernel == nil:
		return e.Hint("--wq maps the queries: --wk has to map the keys to as many features")
	case o.WQ.Kernel == nil && o.WK.Kernel != nil:
		return e.Hint("--wk maps the keys: --wq has to map the queries to as many features")
	case each > 0 && last(q)%h == 0 && last(k)%each == 0 && h%max(last(k)/each, 1) == 0:
		return e.Hint("--kv-heads %d gives keys and values heads of %d features, as queries have them", last(k)/each, each)
	}
	return e
}

func last(x graph.Array) int { return x.Shape()[len(x.Shape())-1] }

// splitHeads takes [.., N, h·d] to [.., h, N, d].
func splitHeads(x graph.Array, h int) (graph.Array, error) {
	s := x.Shape()
	n := len(s)
	if s[n-1]%h != 0 {
		return nil, graph.Errorf(x, "%d features don't split into %d heads", s[n-1], h)
	}
	parts := append(s[:n-1].Clone(), h, s[n-1]/h)
	perm := make([]int, n+1)
	for i := range perm {
		perm[i] = i
	}
	perm[n-2], perm[n-1] = n-1, n-2
	return transpose(reshape(x, parts), perm), nil
}

// newAttention is attention proper, of [.., Nq, d], [.., Nk, d] and [.., Nk, dv].
func newAttention(q, k, v graph.Array, split bool, o AttentionOptions) (_ *attention, err error) {
	qs, ks, vs := q.Shape(), k.Shape(), v.Shape()
	n := len(qs)
	if len(ks) != n || len(vs) != n {
		e := graph.Errorf(k, "shapes %v of queries, %v of keys and %v of values differ in dimensions", qs, ks, vs)
		if n == 4 && len(ks) == 3 {
			e.Hint("the second of 4 axes has the heads: keys and values of one head have the shape (%d,1,%d,%d)", ks[0], ks[1], ks[2])
		}
		return nil, e
	}
	if !ks[:n-1].Equal(vs[:n-1]) {
		return nil, graph.Errorf(v, "values of shape %v don't go with keys of shape %v: only the last axis may differ", vs, ks)
	}
	a := &attention{d: int64(qs[n-1]), dv: int64(vs[n-1]), nq: int64(qs[n-2]), nk: int64(ks[n-2]), causal: o.Causal}
	a.group, a.lead = 1, n-2
	hasHeads := split || o.Query != nil && n == 4
	grouped := hasHeads && ks[n-3] != 0 && qs[n-3] != ks[n-3] && qs[n-3]%ks[n-3] == 0
	if grouped { // heads of queries share those of keys
		a.group = int64(qs[n-3] / ks[n-3])
		a.lead--
	}
	if !qs[:a.lead].Equal(ks[:a.lead]) {
		e := graph.Errorf(k, "keys of shape %v and queries of shape %v differ in their leading axes", ks, qs)
		if hasHeads {
			e.Hint("the heads of queries must be a multiple of those of keys and values")
		}
		return nil, e
	}
	if a.nk == 0 && a.nq > 0 {
		return nil, graph.Errorf(k, "keys of shape %v leave nothing to attend to", ks)
	}
	a.scale = o.Scale
	if o.AutoScale {
		a.scale = 1 / math.Sqrt(float64(max(a.d, 1)))
	}
	if err := o.checkForm(k); err != nil {
		return nil, err
	}
	sameKV := k == v
	if o.Form == "concatenation" {
		// WF·[q, k] is a number of each query plus one of each key: the product of
		// [a, 1] and [1, b].
		if q, err = withOnes(q, o.WF, 0); err != nil {
			return nil, err
		}
		if k, err = withOnes(k, o.WF, 1); err != nil {
			return nil, err
		}
		a.d, a.scale, sameKV = 2, 1, false
	}
	a.form = o.Form
	if !a.alone(ks[:n-2].Len(), graph.SizeOf(k)+graph.SizeOf(v), split) {
		k = graph.InMemory(k)
		if sameKV {
			v = k
		} else {
			v = graph.InMemory(v)
		}
	}
	a.computed = computed{op: "attention", dt: q.DType(), sh: append(qs[:n-1].Clone(), vs[n-1])}
	a.q, a.k, a.v = q, k, v
	if o.Mask != nil {
		if err := a.setMask(o.Mask, append(qs[:n-1].Clone(), ks[n-2]), split); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// checkForm refuses what the forms without softmax have no place for.
func (o AttentionOptions) checkForm(k graph.Array) error {
	plain := o.Form == "" || o.Form == "gaussian"
	switch {
	case plain && o.WF == nil, o.Form == "dot-product" && o.WF == nil && o.Mask == nil && !o.Causal:
		return nil
	case !plain && (o.Mask != nil || o.Causal):
		return &graph.Error{Msg: fmt.Sprintf("form %s has no softmax: --mask and --causal go with gaussian", o.Form)}
	case o.Form != "concatenation":
		return &graph.Error{Msg: "--wf goes with form concatenation"}
	case o.WF == nil:
		return &graph.Error{Msg: "form concatenation needs --wf, the weight of query and key features"}
	case o.WF.Shape().Len() != 2*int64(last(k)):
		return graph.Errorf(o.WF, "shape %v: want %d numbers, one for each feature of a query and of a key", o.WF.Shape(), 2*last(k))
	}
	return nil
}

// withOnes is [.., N, 2]: x's features times half number i of wf, and ones,
// the product standing at place i.
func withOnes(x, wf graph.Array, i int) (graph.Array, error) {
	d := last(x)
	half := rowsOf(reshape(wf, shape.Shape{2, d}), i, 1)
	y, err := linear(x, Weights{Kernel: half, Layout: Torch}, len(x.Shape())-1)
	if err != nil {
		return nil, err
	}
	pair := []graph.Array{y, repeat(Constant(x.DType(), 1), y.Shape())}
	if i == 1 {
		slices.Reverse(pair)
	}
	return Concat(pair, -1)
}

// heldKeys is the bytes of keys and values that are held whatever the batch.
const heldKeys = 16 << 20

// alone reports whether keys and values are best read batch by batch, by the
// tile that computes all of the batch's queries: where sequences are many and
// short, or too much to hold. Heads that were split off features are not short,
// since what is computed for one is computed for all.
func (a *attention) alone(batches, bytes int64, split bool) bool {
	short := a.nq <= queryTile && a.group == 1 && !split
	return batches >= 16 && (short || bytes > heldKeys)
}

// setMask makes the mask one that is added to the scores, or that says where to
// attend. It broadcasts to the scores as NumPy has it.
func (a *attention) setMask(m graph.Array, scores shape.Shape, split bool) error {
	if b, ok := shape.Broadcast(m.Shape(), scores); !ok || !b.Equal(scores) {
		axes := "queries, keys"
		if split || len(scores) == 4 {
			axes = "heads, queries, keys"
		}
		e := graph.Errorf(m, "mask of shape %v does not broadcast to the scores, whose shape is %v: [batch..., %s]", m.Shape(), scores, axes)
		if s := wanted(m.Shape(), scores); s != nil {
			e.Hint("reshape the mask to %v, in NumPy: mask.reshape%v", s, s)
		}
		return e
	}
	t := m.DType()
	if t != dtype.Bool && !t.IsFloat() {
		e := graph.Errorf(m, "mask of dtype %v: want bool, true where a query attends, or a float that is added to the scores", t)
		if t.IsInteger() {
			e.Hint("if it is 1 where a query attends: fusectl convert %s --dtype bool", graph.NameOf(m))
		}
		return e
	}
	a.boolean = t == dtype.Bool
	m = cast(m, a.dt)
	a.mask = repeat(m, scores)
	return nil
}

// wanted is the shape under which a mask of shape m broadcasts to scores, where
// it is one of the forms that frameworks have: [batch, keys], [batch, queries,
// keys] beside heads, [batch·heads, queries, keys]. It is nil for others.
func wanted(m, scores shape.Shape) shape.Shape {
	n := len(scores)
	batch, keys, queries := scores[0], scores[n-1], scores[n-2]
	switch {
	case n >= 3 && m.Equal(shape.Shape{batch, keys}):
		s := make(shape.Shape, n)
		for i := range s {
			s[i] = 1
		}
		s[0], s[n-1] = batch, keys
		return s
	case n == 4 && m.Equal(shape.Shape{batch, queries, keys}):
		return shape.Shape{batch, 1, queries, keys}
	case n == 4 && m.Equal(shape.Shape{batch * scores[1], queries, keys}):
		return scores.Clone()
	}
	return nil
}
