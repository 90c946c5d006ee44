package ops

import (
	"fmt"
	"math"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// AttendOptions refine Attend. The zero value gives softmax(0)·V.
type AttendOptions struct {
	Scale     float64
	AutoScale bool        // 1/√d in place of Scale
	Mask      graph.Array // broadcasts to the scores; nil: none
	Causal    bool        // position i attends to positions up to i
	Form      string      // one of AttentionForms; "": gaussian
	WF        graph.Array // concatenation: the weight of query and key features, 2d numbers
	Heads     bool        // the third axis from the end holds heads: keys and values may have fewer
	Split     bool        // Heads, which were split off the features of one sequence
}

// AttentionForms lists the pairwise functions of Non-local Neural Networks.
var AttentionForms = []string{"gaussian", "dot-product", "concatenation"}

// Attend is softmax(Q·Kᵀ·scale + mask)·V of queries [.., Nq, d], keys [.., Nk, d]
// and values [.., Nk, dv], with all leading axes as batch (Vaswani et al. 2017),
// together with the weights that it gives the values, [.., Nq, Nk], which cost
// nothing unless they are read. A boolean mask is true where a query attends, a
// float mask is added to the scores; a query that attends to nothing gives zeros.
// What a boolean mask or Causal hides doesn't count, whatever stands there, NaN
// too. Scores are never held whole: memory is O(N·d).
//
// The other forms are those of Non-local Neural Networks (Wang et al. 2018):
// dot-product weighs the values by Q·Kᵀ·scale/N, N being the number of keys, and
// concatenation by relu(WF·[q, k])/N; neither takes a mask.
func Attend(q, k, v graph.Array, o AttendOptions) (out, scores graph.Array, err error) {
	all := []graph.Array{q, k, v}
	if o.WF != nil {
		all = append(all, o.WF)
	}
	t, err := FloatType("attention", all...)
	if err != nil {
		return nil, nil, err
	}
	same := k == v
	q, k, v = cast(q, t.Compute()), cast(k, t.Compute()), cast(v, t.Compute())
	if same {
		v = k
	}
	a, err := newAttention(q, k, v, o)
	if err != nil {
		return nil, nil, err
	}
	return cast(a, t), cast(a.scores(), t), nil
}

// newAttention is attention proper, of [.., Nq, d], [.., Nk, d] and [.., Nk, dv].
func newAttention(q, k, v graph.Array, o AttendOptions) (_ *attention, err error) {
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
	hasHeads := (o.Heads || o.Split) && n > 2
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
	if !a.alone(ks[:n-2].Len(), graph.SizeOf(k)+graph.SizeOf(v), o.Split) {
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
		if err := a.setMask(o.Mask, append(qs[:n-1].Clone(), ks[n-2]), o.Split); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// checkForm refuses what the forms without softmax have no place for.
func (o AttendOptions) checkForm(k graph.Array) error {
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
	case o.WF.Shape().Len() != 2*int64(k.Shape().Last()):
		return graph.Errorf(o.WF, "shape %v: want %d numbers, one for each feature of a query and of a key", o.WF.Shape(), 2*k.Shape().Last())
	}
	return nil
}

// withOnes is [.., N, 2]: x's features times half number i of wf, and ones,
// the product standing at place i.
func withOnes(x, wf graph.Array, i int) (graph.Array, error) {
	d := x.Shape().Last()
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
