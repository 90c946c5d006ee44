package ops

import (
	"context"
	"math"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// attention computes blocks of queries against blocks of keys with a running
// maximum and sum (Milakov & Gimelshein 2018; Dao et al. 2022). The blocks of
// keys are the same whatever the queries, so a query's result doesn't depend
// on those computed with it.
type attention struct {
	computed
	q, k, v, mask graph.Array // mask: nil if there is none
	nq, nk, d, dv int64
	group         int64 // heads of queries that share one of keys
	lead          int   // leading axes of keys that are batch like the queries'
	scale         float64
	causal        bool
	boolean       bool // the mask says where to attend; otherwise it is added
	form          string
}

const (
	queryBlock = 48
	keyBlock   = 256
	// queryTile is the queries of a tile: they share each block of keys that is
	// packed.
	queryTile = 16 * queryBlock
)

// Tiling is some blocks of queries; or a whole sequence, where its keys are
// read for it alone.
func (a *attention) Tiling() graph.Tiling {
	if a.streams() {
		return graph.Tiling{Unit: a.nq * a.dv, Size: a.nq * a.dv, Most: a.nq * a.dv}
	}
	// No more than a sequence, if that is long: tiles of two would pack keys twice.
	unit := min(int64(queryTile), max(shape.CeilDiv(a.nq, shape.CeilDiv(a.nq, queryTile)), queryBlock)) * a.dv
	return graph.Tiling{Unit: unit, Size: unit}
}

func (a *attention) Operands(visit func(*graph.Array)) {
	for _, x := range []*graph.Array{&a.q, &a.k, &a.v, &a.mask} {
		if *x != nil {
			visit(x)
		}
	}
}

// streams reports whether keys and values are read batch by batch.
func (a *attention) streams() bool {
	_, held := a.k.(graph.Resident)
	return !held
}

func (a *attention) Flops() int64 {
	rows := a.sh.Len() / max(a.dv, 1)
	return rows * a.nk * (2*(a.d+a.dv) + elementary)
}

func (a *attention) Memory(n int64) int64 {
	rows := min(max(n/max(a.dv, 1), 1), a.nq)
	m := wholeRowsMemory(n, a.dv) + rows*(a.d+2) + 2*queryBlock*keyBlock + keyBlock*(a.d+a.dv+2*panelMost)
	if a.streams() {
		m += a.nk * (a.d + a.dv)
	}
	for _, x := range graph.Operands(a) {
		m += graph.MemoryOf(x, rows*a.d) / a.size()
	}
	return m * a.size()
}

// panelMost is the most columns that a panel of a packed matrix has.
const panelMost = 32

func (a *attention) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(dst, off, a.dv, a.size(), func(dst []byte, row, n int64) error {
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

// linear reports whether scores are weights as they are, over the number of
// keys, and not through softmax.
func (a *attention) linear() bool { return a.form == "dot-product" || a.form == "concatenation" }

// attendRows computes rows queries from q0 on of one batch. What is hidden
// doesn't count, but its weight of 0 times a NaN or an infinity among the values
// is NaN: such rows, which the result shows, are computed again with care.
func attendRows[T kernel.Float](ctx context.Context, a *attention, dst []T, batch, q0, rows int64) error {
	err := attendBlocks(ctx, a, dst, batch, q0, rows, false)
	if err == nil && (a.causal || a.boolean) && kernel.HasNaN(dst) {
		err = attendBlocks(ctx, a, dst, batch, q0, rows, true)
	}
	return err
}

// attendBlocks is attendRows: each block of keys is packed once for all queries.
// Under care, values that aren't finite are added apart, for the queries that
// see them.
func attendBlocks[T kernel.Float](ctx context.Context, a *attention, dst []T, batch, q0, rows int64, care bool) error {
	w, give, err := newAttentionWork[T](ctx, a, batch, q0, rows)
	defer give()
	if err != nil {
		return err
	}
	for i := range w.peak {
		w.peak[i], w.sum[i] = T(math.Inf(-1)), 0
	}
	t := kernel.Active()
	for k0 := int64(0); k0 < a.seen(q0+rows-1); k0 += keyBlock {
		m := min(keyBlock, a.nk-k0)
		v := w.v[k0*a.dv : (k0+m)*a.dv]
		var apart []position
		if care {
			v, apart = withoutInfinite(v, a.dv)
		}
		keys, values := w.packKeys(t, a, k0, m), w.rightValues(t, a, v, m)
		for i := int64(0); i < rows; i += queryBlock {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(queryBlock, rows-i)
			if k0 >= a.seen(q0+i+n-1) {
				continue
			}
			if err := w.score(ctx, t, a, keys, batch, q0, i, n, k0, m); err != nil {
				return err
			}
			out := dst[i*a.dv : (i+n)*a.dv]
			if !a.linear() {
				kernel.AttentionBlock(t, w.scores, keyBlock, int(n), int(m), w.peak[i:i+n], w.sum[i:i+n], out, int(a.dv), w.work)
			}
			kernel.Multiply(t, out, int(a.dv), kernel.Rows(w.scores, keyBlock), values, int(n), k0 > 0, kernel.Epilogue[T]{})
			for _, p := range apart {
				for j := range n {
					if a.causal && k0+p.row > q0+i+j || a.boolean && w.mask[j*m+p.row] == 0 {
						continue
					}
					out[j*a.dv+p.col] += w.scores[j*keyBlock+p.row] * w.v[(k0+p.row)*a.dv+p.col]
				}
			}
		}
	}
	if a.linear() {
		for i := range w.sum {
			w.sum[i] = T(a.nk)
		}
	}
	kernel.AttentionFinish(t, dst, w.sum, int(a.dv))
	return nil
}

// position is that of an element of a matrix.
type position struct{ row, col int64 }

// withoutInfinite is rows of cols values with zeros in place of NaNs and
// infinities, and where these stood.
func withoutInfinite[T kernel.Float](v []T, cols int64) ([]T, []position) {
	var at []position
	for i, x := range v {
		if x-x == 0 {
			continue
		}
		if at == nil {
			v = slices.Clone(v)
		}
		v[i] = 0
		at = append(at, position{int64(i) / cols, int64(i) % cols})
	}
	return v, at
}

// seen is how many keys, from the first on, query q may attend to.
func (a *attention) seen(q int64) int64 {
	if a.causal {
		return min(a.nk, q+1)
	}
	return a.nk
}

// attentionWork is the buffers of one worker.
type attentionWork[T kernel.Float] struct {
	q                       []T // scaled
	k, v                    []T // of the batch
	keys, values            []T // a block of each, packed
	scores, mask, peak, sum []T
	work                    []T // kernel.AttentionBlock's
}

// newAttentionWork borrows buffers for rows queries of one batch, and reads
// those and the batch's keys and values; give gives the buffers back.
func newAttentionWork[T kernel.Float](ctx context.Context, a *attention, batch, q0, rows int64) (w attentionWork[T], give func(), err error) {
	var borrowed [][]byte
	give = func() {
		for _, b := range borrowed {
			graph.PutBuffer(b)
		}
	}
	take := func(n int) []T {
		b := graph.GetBuffer(int64(n) * a.size())
		borrowed = append(borrowed, b)
		return kernel.View[T](b)
	}
	keys := func(x graph.Array, width int64) (v []T) {
		if err != nil {
			return nil
		}
		var data, buf []byte
		data, buf, err = graph.PeekRun(ctx, x, batch/a.group*a.nk*width, a.nk*width)
		borrowed = append(borrowed, buf)
		return kernel.View[T](data)
	}
	t := kernel.Active()
	w = attentionWork[T]{
		q: take(int(rows * a.d)), scores: take(queryBlock * keyBlock), peak: take(int(rows)), sum: take(int(rows)), work: take(2 * queryBlock),
		keys: take(kernel.PackedLen[T](t, int(a.d), int(min(keyBlock, a.nk)))),
		k:    keys(a.k, a.d), v: keys(a.v, a.dv),
	}
	if a.mask != nil {
		w.mask = take(queryBlock * keyBlock)
	}
	if !t.InPlace(a.dt.Kind()) {
		w.values = take(kernel.PackedLen[T](t, int(min(keyBlock, a.nk)), int(a.dv)))
	}
	if err == nil {
		err = a.q.Read(ctx, kernel.Bytes(w.q), (batch*a.nq+q0)*a.d)
	}
	if a.scale != 1 {
		kernel.Scale(t, w.q, T(a.scale))
	}
	return w, give, err
}

// packKeys is m keys from k0 on as the right matrix of the scores.
func (w *attentionWork[T]) packKeys(t *kernel.Table, a *attention, k0, m int64) kernel.Right[T] {
	return kernel.Pack(t, w.keys, w.k[k0*a.d:(k0+m)*a.d], int(a.d), int(a.d), int(m), true)
}

// rightValues is v, m values [m,dv], as the right matrix of the result: where
// they lie, if that will do, since their rows are the matrix's.
func (w *attentionWork[T]) rightValues(t *kernel.Table, a *attention, v []T, m int64) kernel.Right[T] {
	if t.InPlace(a.dt.Kind()) {
		return kernel.Right[T]{Data: v, K: int(m), N: int(a.dv), Stride: int(a.dv)}
	}
	return kernel.Pack(t, w.values, v, int(a.dv), int(m), int(a.dv), false)
}

// score fills w.scores with those of n queries against m keys from k0 on, a row
// of keyBlock for each query. The queries are those of w from number i on, that
// one being number q0+i of the batch.
func (w *attentionWork[T]) score(ctx context.Context, t *kernel.Table, a *attention, keys kernel.Right[T], batch, q0, i, n, k0, m int64) error {
	q := kernel.Rows(w.q[i*a.d:(i+n)*a.d], int(a.d))
	kernel.Multiply(t, w.scores, keyBlock, q, keys, int(n), false, kernel.Epilogue[T]{})
	if a.mask != nil {
		r := graph.Region{Off: (batch*a.nq+q0+i)*a.nk + k0, Runs: n, Len: m, Stride: a.nk}
		if err := graph.ReadRegion(ctx, a.mask, kernel.Bytes(w.mask[:n*m]), r); err != nil {
			return err
		}
		kernel.AttentionMask(w.scores, keyBlock, w.mask, int(n), int(m), a.boolean)
	}
	if a.causal {
		kernel.AttentionCausal(w.scores, keyBlock, int(n), int(m), int(q0+i-k0))
	}
	if a.form == "concatenation" {
		kernel.Relu(w.scores[:n*keyBlock])
	}
	return nil
}

// attentionScores is the weights that attention gives the values, [.., queries,
// keys]: computed whole rows at a time, for those who want to see them.
type attentionScores struct {
	computed
	of *attention
}

func (a *attention) scores() graph.Array {
	s := append(a.sh[:len(a.sh)-1].Clone(), int(a.nk))
	return &attentionScores{computed{op: "scores", dt: a.dt, sh: s}, a}
}

func (p *attentionScores) Operands(visit func(*graph.Array)) { p.of.Operands(visit) }

func (p *attentionScores) Flops() int64 { return p.sh.Len() * (2*p.of.d + elementary) }

func (p *attentionScores) Tiling() graph.Tiling {
	return graph.Tiling{Unit: p.of.nk, Size: queryBlock * p.of.nk, Most: queryBlock * p.of.nk}
}

func (p *attentionScores) Memory(n int64) int64 {
	return p.of.Memory(queryBlock*p.of.dv) + queryBlock*p.of.nk*p.size()
}

func (p *attentionScores) Read(ctx context.Context, dst []byte, off int64) error {
	a := p.of
	return wholeRows(dst, off, a.nk, p.size(), func(dst []byte, row, n int64) error {
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

// scoreRows computes n <= queryBlock rows of weights, of queries from q0 on of
// one batch.
func scoreRows[T kernel.Float](ctx context.Context, p *attentionScores, dst []T, batch, q0, n int64) error {
	a, t := p.of, kernel.Active()
	w, give, err := newAttentionWork[T](ctx, a, batch, q0, n)
	defer give()
	if err != nil {
		return err
	}
	for k0 := int64(0); k0 < a.nk; k0 += keyBlock {
		m := min(keyBlock, a.nk-k0)
		if err := w.score(ctx, t, a, w.packKeys(t, a, k0, m), batch, q0, 0, n, k0, m); err != nil {
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
	t.SoftmaxRows[a.dt.Kind()](kernel.Bytes(dst), kernel.Bytes(dst), int(a.nk))
	return nil
}
