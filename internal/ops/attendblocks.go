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
