package ops

import (
	"context"
	"math"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
)

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
	form          string
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

func (a *attention) Flops() int64 {
	rows := a.sh.Len() / max(a.dv, 1)
	return rows * a.nk * (2*(a.d+a.dv) + elementary)
}

func (a *attention) Memory(n int64) int64 {
	m := wholeRowsMemory(n, a.dv) + queryBlock*(a.d+2*keyBlock) + keyBlock*a.dv
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

// linear reports whether scores are weights as they are, over the number of
// keys, and not through softmax.
func (a *attention) linear() bool { return a.form == "dot-product" || a.form == "concatenation" }

// attendRows computes rows queries from q0 on of one batch.
func attendRows[T kernel.Float](ctx context.Context, a *attention, dst []T, batch, q0, rows int64) error {
	w, give, err := newAttentionWork[T](ctx, a, batch)
	defer give()
	if err != nil {
		return err
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

// newAttentionWork borrows buffers for one batch and reads its keys and values;
// give gives them back.
func newAttentionWork[T kernel.Float](ctx context.Context, a *attention, batch int64) (w attentionWork[T], give func(), err error) {
	var borrowed [][]byte
	give = func() {
		for _, b := range borrowed {
			a.put(b)
		}
	}
	take := func(n int64) []T {
		b := a.get(n * a.size())
		borrowed = append(borrowed, b)
		return kernel.View[T](b)
	}
	keys := func(input int, width int64) (v []T) {
		if err != nil {
			return nil
		}
		var data, buf []byte
		data, buf, err = a.keys(ctx, input, batch/a.group, width)
		if buf != nil {
			borrowed = append(borrowed, buf)
		}
		return kernel.View[T](data)
	}
	w = attentionWork[T]{
		q: take(queryBlock * a.d), scores: take(queryBlock * keyBlock), mask: take(queryBlock * keyBlock),
		vt: take(keyBlock * a.dv), peak: take(queryBlock), sum: take(queryBlock),
		k: keys(1, a.d), v: keys(2, a.dv),
	}
	return w, give, err
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
	if a.linear() {
		for i := range n {
			w.sum[i] = T(a.nk)
		}
	}
	kernel.AttentionFinish(out, w.sum[:n], int(a.dv))
	return nil
}

// score fills w.scores with those of n queries from q0 on against m keys from
// k0 on, a row of keyBlock for each query.
func (w *attentionWork[T]) score(ctx context.Context, a *attention, batch, q0, n, k0, m int64) error {
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
	if a.form == "concatenation" {
		kernel.Relu(w.scores[:n*keyBlock])
	}
	return nil
}

// against takes one block of m keys from k0 on into account.
func (w *attentionWork[T]) against(ctx context.Context, a *attention, out []T, batch, q0, n, k0, m int64) error {
	if err := w.score(ctx, a, batch, q0, n, k0, m); err != nil {
		return err
	}
	if !a.linear() {
		kernel.AttentionBlock(w.scores, keyBlock, int(n), int(m), w.peak, w.sum, out, int(a.dv))
	}
	kernel.Transpose(kernel.Bytes(w.vt), kernel.Bytes(w.v[k0*a.dv:(k0+m)*a.dv]), int(m), int(a.dv), int(a.size()))
	kernel.MatMul(out, int(a.dv), w.scores, keyBlock, w.vt, int(m), int(n), int(a.dv), int(m), 1, 1)
	return nil
}

// attentionScores is the weights that attention gives the values, [.., queries,
// keys]: computed whole rows at a time, for those who want to see them.
type attentionScores struct {
	computed
	of *attention
}

func (a *attention) scores() Array {
	s := append(a.sh[:len(a.sh)-1].Clone(), int(a.nk))
	return &attentionScores{computed{op: "scores", dt: a.dt, sh: s, in: a.in}, a}
}

func (p *attentionScores) Flops() int64 { return p.sh.Len() * (2*p.of.d + elementary) }

func (p *attentionScores) Tiling() Tiling {
	return Tiling{Unit: p.of.nk, Size: queryBlock * p.of.nk, Most: queryBlock * p.of.nk}
}

func (p *attentionScores) Memory(n int64) int64 {
	return p.of.Memory(queryBlock*p.of.dv) + queryBlock*p.of.nk*p.size()
}

func (p *attentionScores) Read(ctx context.Context, dst []byte, off int64) error {
	a := p.of
	return wholeRows(&p.scratch, dst, off, a.nk, p.size(), func(dst []byte, row, n int64) error {
		for n > 0 {
			batch, q := row/a.nq, row%a.nq
			rows := min(n, a.nq-q, queryBlock)
			var err error
			if a.dt == dtype.Float32 {
				err = scoreRows(ctx, p, kernel.View[float32](dst[:rows*a.nk*4]), batch, q, rows)
			} else {
				err = scoreRows(ctx, p, kernel.View[float64](dst[:rows*a.nk*8]), batch, q, rows)
			}
			if err != nil {
				return err
			}
			dst, row, n = dst[rows*a.nk*p.size():], row+rows, n-rows
		}
		return nil
	})
}

// scoreRows computes n rows of weights, of queries from q0 on of one batch.
func scoreRows[T kernel.Float](ctx context.Context, p *attentionScores, dst []T, batch, q0, n int64) error {
	a := p.of
	w, give, err := newAttentionWork[T](ctx, a, batch)
	defer give()
	if err != nil {
		return err
	}
	if err := a.in[0].Read(ctx, kernel.Bytes(w.q[:n*a.d]), (batch*a.nq+q0)*a.d); err != nil {
		return err
	}
	for k0 := int64(0); k0 < a.nk; k0 += keyBlock {
		m := min(keyBlock, a.nk-k0)
		if err := w.score(ctx, a, batch, q0, n, k0, m); err != nil {
			return err
		}
		for i := range n {
			copy(dst[i*a.nk+k0:], w.scores[i*keyBlock:i*keyBlock+m])
		}
	}
	if a.linear() {
		for i, v := range dst {
			dst[i] = v / T(a.nk)
		}
		return nil
	}
	kernel.Active().SoftmaxRows[a.dt.Kind()](kernel.Bytes(dst), kernel.Bytes(dst), int(a.nk))
	return nil
}
