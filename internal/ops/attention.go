package ops

import (
	"context"
	"math"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// AttentionOptions refine Attention. The zero value is plain self-attention.
type AttentionOptions struct {
	Context           Array // keys and values come from it; nil: from X
	Query, Key, Value Array // projected inputs, in place of X; all or none
	WQ, WK, WV, WO    Weights
	Heads, KVHeads    int // 0: one head; as many as Heads
	Scale             float64
	AutoScale         bool  // 1/√d of a head in place of Scale
	Mask              Array // broadcasts to the scores; nil: none
	Causal            bool  // position i attends to positions up to i
	Spatial           bool  // all spatial positions form one sequence
	Residual          bool  // X is added to the result
	Layout            shape.Layout
}

// Attention is softmax(Q·Kᵀ·scale + mask)·V over the last two axes, sequence
// and features, with all leading axes as batch (Vaswani et al. 2017; under
// Spatial the embedded Gaussian form of Wang et al. 2018, Non-local Neural
// Networks). Features of the projected arrays split into heads as in
// torch.nn.MultiheadAttention; keys and values may have fewer heads than
// queries (grouped-query attention). A boolean mask is true where a query
// attends, a float mask is added to the scores; a query that attends to
// nothing gives zeros. Scores are never held whole: memory is O(N·d).
func Attention(x Array, o AttentionOptions) (Array, error) {
	q, k, v, err := o.inputs(x)
	if err != nil {
		return nil, err
	}
	all := []Array{q, k, v}
	for _, w := range []Weights{o.WQ, o.WK, o.WV, o.WO} {
		all = append(all, w.arrays()...)
	}
	if all, _, err = needFloat("attention", all); err != nil {
		return nil, err
	}
	t := all[0].DType()
	sequence := func(a Array) Array {
		a = cast(a, t.Compute())
		if o.Spatial {
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
		x *Array
		w Weights
	}{{&q, o.WQ}, {&k, o.WK}, {&v, o.WV}} {
		if *p.x, err = linear(*p.x, p.w, len((*p.x).Shape())-1); err != nil {
			return nil, err
		}
	}
	out, err := o.heads(q, k, v)
	if err != nil {
		return nil, err
	}
	if out, err = linear(out, o.WO, len(out.Shape())-1); err != nil {
		return nil, err
	}
	if o.Spatial {
		out = o.unflatten(out, x.Shape())
	}
	if !o.Residual {
		return cast(out, t), nil
	}
	if !out.Shape().Equal(x.Shape()) {
		return nil, errorf(x, "shape %v can't be added to the attention's result of shape %v: --residual wants equal shapes", x.Shape(), out.Shape()).
			hint("an output projection of the input's width makes them equal")
	}
	sum, err := Add([]Array{cast(x, t.Compute()), out}, AddOptions{})
	if err != nil {
		return nil, err
	}
	return cast(sum, t), nil
}

// inputs settles which arrays give queries, keys and values.
func (o AttentionOptions) inputs(x Array) (q, k, v Array, err error) {
	given := 0
	for _, a := range []Array{o.Query, o.Key, o.Value} {
		if a != nil {
			given++
		}
	}
	switch {
	case given == 0 && x == nil:
		return nil, nil, nil, &Error{Msg: "attention needs an input X, or --query, --key and --value"}
	case given == 0:
		q, k, v = x, x, x
		if o.Context != nil {
			k, v = o.Context, o.Context
		}
	case given < 3 || x != nil || o.Context != nil:
		return nil, nil, nil, &Error{Msg: "--query, --key and --value go together, without X and --context"}
	case o.Residual || o.Spatial:
		return nil, nil, nil, &Error{Msg: "--residual and --spatial need an input X"}
	default:
		q, k, v = o.Query, o.Key, o.Value
	}
	low := 2
	if o.Spatial {
		low = 3
	}
	for _, a := range []Array{q, k, v} {
		if len(a.Shape()) < low {
			return nil, nil, nil, errorf(a, "shape %v: attention takes at least %d dimensions", a.Shape(), low)
		}
	}
	return q, k, v, nil
}

// flatten makes one sequence [batch, positions, channels] of a feature map.
func (o AttentionOptions) flatten(x Array) Array {
	n := len(x.Shape())
	x = transpose(x, shape.MoveToLast(o.Layout.Channel(n), n))
	s := x.Shape()
	return reshape(x, shape.Shape{s[0], int(s.Product(1, n-1)), s[n-1]})
}

// unflatten undoes flatten for a map of shape s, whose channels may have
// changed.
func (o AttentionOptions) unflatten(x Array, s shape.Shape) Array {
	perm := shape.MoveToLast(o.Layout.Channel(len(s)), len(s))
	last := s.Permute(perm)
	last[len(last)-1] = x.Shape()[2]
	return transpose(reshape(x, last), shape.Inverse(perm))
}

// heads splits features into heads, attends, and joins them again.
func (o AttentionOptions) heads(q, k, v Array) (Array, error) {
	h, kv := max(o.Heads, 1), o.KVHeads
	if kv == 0 {
		kv = h
	}
	split := h > 1 || kv > 1
	if split {
		if o.Query != nil && len(q.Shape()) == 4 {
			return nil, &Error{Msg: "--heads splits features of sequences; projected inputs of 4 dimensions have their heads on the second axis"}
		}
		var err error
		if q, err = splitHeads(q, h); err != nil {
			return nil, err
		}
		if k, err = splitHeads(k, kv); err != nil {
			return nil, err
		}
		if v, err = splitHeads(v, kv); err != nil {
			return nil, err
		}
	}
	if split && k.Shape()[len(k.Shape())-1] != q.Shape()[len(q.Shape())-1] && kv != h {
		return nil, errorf(k, "keys have %d features a head, queries %d: want as many", last(k), last(q))
	}
	out, err := attend(q, k, v, split, o)
	if err != nil || !split {
		return out, err
	}
	n := len(out.Shape())
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	perm[n-3], perm[n-2] = n-2, n-3
	joined := transpose(out, perm)
	s := joined.Shape()
	return reshape(joined, append(s[:n-2].Clone(), s[n-2]*s[n-1])), nil
}

func last(x Array) int { return x.Shape()[len(x.Shape())-1] }

// splitHeads takes [.., N, h·d] to [.., h, N, d].
func splitHeads(x Array, h int) (Array, error) {
	s := x.Shape()
	n := len(s)
	if s[n-1]%h != 0 {
		return nil, errorf(x, "%d features don't split into %d heads", s[n-1], h)
	}
	parts := append(s[:n-1].Clone(), h, s[n-1]/h)
	perm := make([]int, n+1)
	for i := range perm {
		perm[i] = i
	}
	perm[n-2], perm[n-1] = n-1, n-2
	return transpose(reshape(x, parts), perm), nil
}

// attend is attention proper, of [.., Nq, d], [.., Nk, d] and [.., Nk, dv].
func attend(q, k, v Array, split bool, o AttentionOptions) (Array, error) {
	qs, ks, vs := q.Shape(), k.Shape(), v.Shape()
	n := len(qs)
	if len(ks) != n || len(vs) != n {
		return nil, errorf(k, "shapes %v of queries, %v of keys and %v of values differ in dimensions", qs, ks, vs)
	}
	if qs[n-1] != ks[n-1] {
		return nil, errorf(k, "keys of shape %v have %d features, queries of shape %v have %d: want as many", ks, ks[n-1], qs, qs[n-1])
	}
	if !ks[:n-1].Equal(vs[:n-1]) {
		return nil, errorf(v, "values of shape %v don't go with keys of shape %v: only the last axis may differ", vs, ks)
	}
	a := &attention{d: int64(qs[n-1]), dv: int64(vs[n-1]), nq: int64(qs[n-2]), nk: int64(ks[n-2]), causal: o.Causal}
	a.group, a.lead = 1, n-2
	grouped := n >= 3 && ks[n-3] != 0 && qs[n-3] != ks[n-3] && qs[n-3]%ks[n-3] == 0 && (split || o.Query != nil)
	if grouped { // heads of queries share those of keys
		a.group = int64(qs[n-3] / ks[n-3])
		a.lead--
	}
	if !qs[:a.lead].Equal(ks[:a.lead]) {
		e := errorf(k, "keys of shape %v and queries of shape %v differ in their leading axes", ks, qs)
		if split || o.Query != nil {
			e.hint("the heads of queries must be a multiple of those of keys and values")
		}
		return nil, e
	}
	if a.nk == 0 && a.nq > 0 {
		return nil, errorf(k, "keys of shape %v leave nothing to attend to", ks)
	}
	a.scale = o.Scale
	if o.AutoScale {
		a.scale = 1 / math.Sqrt(float64(max(a.d, 1)))
	}
	sameKV := k == v
	if batches := ks[:n-2].Len(); batches < 16 || sizeOf(k)+sizeOf(v) <= heldKeys {
		k = Hold(k)
		if sameKV {
			v = k
		} else {
			v = Hold(v)
		}
	}
	a.computed = computed{op: "attention", dt: q.DType(), sh: append(qs[:n-1].Clone(), vs[n-1]), in: []Array{q, k, v}}
	if o.Mask != nil {
		if err := a.setMask(o.Mask, append(qs[:n-1].Clone(), ks[n-2]), split); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// heldKeys is the bytes of keys and values that are held whatever the batch.
const heldKeys = 16 << 20

// setMask makes the mask one that is added to the scores. Where the call has
// split the heads, a mask without an axis for them counts for all.
func (a *attention) setMask(m Array, scores shape.Shape, split bool) error {
	n := len(scores)
	if split && len(m.Shape()) == n-1 {
		s := m.Shape()
		m = reshape(m, slices.Insert(s.Clone(), n-3, 1))
	}
	if b, ok := shape.Broadcast(m.Shape(), scores); !ok || !b.Equal(scores) {
		return errorf(m, "mask of shape %v does not broadcast to the scores' shape %v", m.Shape(), scores)
	}
	t := m.DType()
	if t != dtype.Bool && !t.IsFloat() {
		return errorf(m, "mask of dtype %v: want bool, true where a query attends, or a float that is added to the scores", t)
	}
	a.boolean = t == dtype.Bool
	m = cast(m, a.dt)
	a.in = append(a.in, repeat(m, scores))
	return nil
}

// attention computes blocks of queries against blocks of keys with a running
// maximum and sum (Milakov & Gimelshein 2018; Dao et al. 2022). The blocks of
// keys are the same whatever the queries, so a query's result doesn't depend
// on those computed with it.
type attention struct {
	computed
	nq, nk, d, dv int64
	group         int64 // heads of queries that share one of keys
	lead          int   // leading axes of keys that are batch like the queries'
	scale         float64
	causal        bool
	boolean       bool // the mask, input 3, says where to attend; otherwise it is added
}

const (
	queryBlock = 64
	keyBlock   = 256
)

// Tiling is a block of queries; or a whole sequence, where its keys are read
// for it alone.
func (a *attention) Tiling() Tiling {
	if a.streams() {
		return Tiling{Unit: a.nq * a.dv, Size: a.nq * a.dv, Most: a.nq * a.dv}
	}
	return Tiling{Unit: queryBlock * a.dv, Size: queryBlock * a.dv}
}

// streams reports whether keys and values are read batch by batch.
func (a *attention) streams() bool {
	_, held := a.in[1].(*Held)
	return !held
}

func (a *attention) Memory(n int64) int64 {
	rows := n/max(a.dv, 1) + 2
	m := rows*a.dv + queryBlock*(a.d+2*keyBlock) + keyBlock*a.dv
	if a.streams() {
		m += a.nk * (a.d + a.dv)
	}
	for _, x := range a.in {
		m += memoryOf(x, queryBlock*a.d) / a.size()
	}
	return m * a.size()
}

func (a *attention) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(&a.scratch, dst, off, a.dv, a.size(), func(dst []byte, row, n int64) error {
		for n > 0 {
			batch, q := row/a.nq, row%a.nq
			rows := min(n, a.nq-q)
			var err error
			if a.dt == dtype.Float32 {
				err = attendRows(ctx, a, kernel.View[float32](dst[:rows*a.dv*4]), batch, q, rows)
			} else {
				err = attendRows(ctx, a, kernel.View[float64](dst[:rows*a.dv*8]), batch, q, rows)
			}
			if err != nil {
				return err
			}
			dst, row, n = dst[rows*a.dv*a.size():], row+rows, n-rows
		}
		return nil
	})
}

// keys is one batch of keys or values, input 1 or 2, with a buffer to give
// back if it was read for the caller.
func (a *attention) keys(ctx context.Context, input int, batch, width int64) (data, buf []byte, err error) {
	per := a.nk * width
	if h, ok := a.in[input].(*Held); ok {
		return h.data[batch*per*a.size() : (batch+1)*per*a.size()], nil, nil
	}
	buf = a.get(per * a.size())
	return buf, buf, a.in[input].Read(ctx, buf, batch*per)
}

// attendRows computes rows queries from q0 on of one batch.
func attendRows[T kernel.Float](ctx context.Context, a *attention, dst []T, batch, q0, rows int64) error {
	var borrowed [][]byte
	defer func() {
		for _, b := range borrowed {
			a.put(b)
		}
	}()
	take := func(n int64) []T {
		b := a.get(n * a.size())
		borrowed = append(borrowed, b)
		return kernel.View[T](b)
	}
	kb, buf, err := a.keys(ctx, 1, batch/a.group, a.d)
	if buf != nil {
		borrowed = append(borrowed, buf)
	}
	if err != nil {
		return err
	}
	vb, buf, err := a.keys(ctx, 2, batch/a.group, a.dv)
	if buf != nil {
		borrowed = append(borrowed, buf)
	}
	if err != nil {
		return err
	}
	w := attentionWork[T]{
		q: take(queryBlock * a.d), scores: take(queryBlock * keyBlock), mask: take(queryBlock * keyBlock),
		vt: take(keyBlock * a.dv), peak: take(queryBlock), sum: take(queryBlock),
		k: kernel.View[T](kb), v: kernel.View[T](vb),
	}
	for i := int64(0); i < rows; i += queryBlock {
		n := min(queryBlock, rows-i)
		if err := w.block(ctx, a, dst[i*a.dv:(i+n)*a.dv], batch, q0+i, n); err != nil {
			return err
		}
	}
	return nil
}

// attentionWork is the buffers of one worker.
type attentionWork[T kernel.Float] struct {
	q, scores, mask, vt, peak, sum []T
	k, v                           []T
}

// block computes n queries from q0 on into out.
func (w *attentionWork[T]) block(ctx context.Context, a *attention, out []T, batch, q0, n int64) error {
	if err := a.in[0].Read(ctx, kernel.Bytes(w.q[:n*a.d]), (batch*a.nq+q0)*a.d); err != nil {
		return err
	}
	for i := range n {
		w.peak[i], w.sum[i] = T(math.Inf(-1)), 0
	}
	clear(out)
	end := a.nk
	if a.causal {
		end = min(end, q0+n)
	}
	for k0 := int64(0); k0 < end; k0 += keyBlock {
		if err := ctx.Err(); err != nil {
			return err
		}
		m := min(keyBlock, a.nk-k0)
		if err := w.against(ctx, a, out, batch, q0, n, k0, m); err != nil {
			return err
		}
	}
	kernel.AttentionFinish(out, w.sum[:n], int(a.dv))
	return nil
}

// against takes one block of m keys from k0 on into account.
func (w *attentionWork[T]) against(ctx context.Context, a *attention, out []T, batch, q0, n, k0, m int64) error {
	k := w.k[k0*a.d : (k0+m)*a.d]
	kernel.MatMul(w.scores, keyBlock, w.q, int(a.d), k, int(a.d), int(n), int(m), int(a.d), T(a.scale), 0)
	if len(a.in) > 3 {
		r := Region{(batch*a.nq+q0)*a.nk + k0, n, m, a.nk}
		if err := readRegion(ctx, &a.scratch, a.in[3], kernel.Bytes(w.mask[:n*m]), r); err != nil {
			return err
		}
		kernel.AttentionMask(w.scores, keyBlock, w.mask, int(n), int(m), a.boolean)
	}
	if a.causal {
		kernel.AttentionCausal(w.scores, keyBlock, int(n), int(m), int(q0-k0))
	}
	kernel.AttentionBlock(w.scores, keyBlock, int(n), int(m), w.peak, w.sum, out, int(a.dv))
	kernel.Transpose(kernel.Bytes(w.vt), kernel.Bytes(w.v[k0*a.dv:(k0+m)*a.dv]), int(m), int(a.dv), int(a.size()))
	kernel.MatMul(out, int(a.dv), w.scores, keyBlock, w.vt, int(m), int(n), int(a.dv), int(m), 1, 1)
	return nil
}
