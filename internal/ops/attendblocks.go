package ops

import (
	"context"
	"math"
	"slices"

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
	return a.eachRun(dst, off, a.dv, a.nq, func(dst []byte, r queryRun) error {
		return kernel.Instance(a.dt.Kind(), attendRows[float32], attendRows[float64])(ctx, a, dst, r)
	})
}

// queryRun is n queries of one batch, from number first on.
type queryRun struct{ batch, first, n int64 }

// eachRun calls f for the queries whose results, of width elements each, dst holds
// from element off on: as runs of at most most of them.
func (a *attention) eachRun(dst []byte, off, width, most int64, f func(dst []byte, r queryRun) error) error {
	return wholeRows(dst, off, width, a.size(), func(dst []byte, row, n int64) error {
		for n > 0 {
			r := queryRun{row / a.nq, row % a.nq, 0}
			r.n = min(n, a.nq-r.first, most)
			run := dst[:r.n*width*a.size()]
			if err := f(run, r); err != nil {
				return err
			}
			dst, row, n = dst[len(run):], row+r.n, n-r.n
		}
		return nil
	})
}

// linear reports whether scores are weights as they are, over the number of
// keys, and not through softmax.
func (a *attention) linear() bool { return a.form == "dot-product" || a.form == "concatenation" }

// attendRows computes a run of queries. What is hidden doesn't count, but its
// weight of 0 times a NaN or an infinity among the values is NaN: such rows, which
// the result shows, are computed again with care.
func attendRows[T kernel.Float](ctx context.Context, a *attention, dst []byte, r queryRun) error {
	out := kernel.Dense(kernel.View[T](dst), int(r.n), int(a.dv))
	err := attendBlocks(ctx, a, out, r, false)
	if err == nil && (a.causal || a.boolean) && kernel.Active().HasNaN[a.dt.Kind()](dst) {
		err = attendBlocks(ctx, a, out, r, true)
	}
	return err
}

// attendBlocks is attendRows: each block of keys is packed once for all queries.
// Under care, values that aren't finite are added apart, for the queries that
// see them.
func attendBlocks[T kernel.Float](ctx context.Context, a *attention, dst kernel.Matrix[T], r queryRun, care bool) error {
	w, release, err := newAttentionWork[T](ctx, a, r)
	defer release()
	if err != nil {
		return err
	}
	for i := range w.peak {
		w.peak[i], w.sum[i] = T(math.Inf(-1)), 0
	}
	t := kernel.Active()
	for k0 := 0; k0 < int(a.visibleKeys(r.first+r.n-1)); k0 += keyBlock {
		m := min(keyBlock, int(a.nk)-k0)
		v := w.v.Slice(k0, m)
		var apart []position
		if care {
			v, apart = withoutInfinite(v)
		}
		keys, values := w.packKeys(k0, m), w.rightValues(v)
		for i := 0; i < dst.Rows; i += queryBlock {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(queryBlock, dst.Rows-i)
			first := int(r.first) + i
			if k0 >= int(a.visibleKeys(int64(first+n-1))) {
				continue
			}
			scores, err := w.score(ctx, keys, i, n, k0)
			if err != nil {
				return err
			}
			out := dst.Slice(i, n)
			if !a.linear() {
				kernel.AttentionBlock(t, scores, w.peak[i:i+n], w.sum[i:i+n], out, w.work)
			}
			kernel.Multiply(t, out, scores.Left(), values, k0 > 0, kernel.Epilogue[T]{})
			for _, p := range apart {
				for j := range n {
					if a.causal && k0+p.row > first+j || a.boolean && w.mask[j*m+p.row] == 0 {
						continue
					}
					out.Row(j)[p.col] += scores.Row(j)[p.row] * w.v.Row(k0 + p.row)[p.col]
				}
			}
		}
	}
	if a.linear() {
		for i := range w.sum {
			w.sum[i] = T(a.nk)
		}
	}
	kernel.AttentionFinish(t, dst, w.sum)
	return nil
}

// position locates an element of a matrix.
type position struct{ row, col int }

// withoutInfinite is v, whose rows follow one another, with zeros in place of NaNs
// and infinities, and where these stood.
func withoutInfinite[T kernel.Float](v kernel.Matrix[T]) (kernel.Matrix[T], []position) {
	var at []position
	for i, x := range v.Data[:v.Rows*v.Cols] {
		if x-x == 0 {
			continue
		}
		if at == nil {
			v.Data = slices.Clone(v.Data[:v.Rows*v.Cols])
		}
		v.Data[i] = 0
		at = append(at, position{i / v.Cols, i % v.Cols})
	}
	return v, at
}

// visibleKeys is the number of keys, from the first on, that query q may attend
// to.
func (a *attention) visibleKeys(q int64) int64 {
	if a.causal {
		return min(a.nk, q+1)
	}
	return a.nk
}

// attentionWork is the buffers of one worker.
type attentionWork[T kernel.Float] struct {
	of                      *attention
	run                     queryRun
	q                       kernel.Matrix[T] // the run's queries, scaled
	k, v                    kernel.Matrix[T] // of the batch
	keys, values            []T              // a block of each, packed
	scores, mask, peak, sum []T
	work                    []T // kernel.AttentionBlock's
}

// newAttentionWork takes buffers for a run of queries, and reads those and the
// batch's keys and values; release gives the buffers back.
func newAttentionWork[T kernel.Float](ctx context.Context, a *attention, r queryRun) (w attentionWork[T], release func(), err error) {
	var buffers [][]byte
	release = func() {
		for _, b := range buffers {
			graph.PutBuffer(b)
		}
	}
	take := func(n int) []T {
		b := graph.GetBuffer(int64(n) * a.size())
		buffers = append(buffers, b)
		return kernel.View[T](b)
	}
	keys := func(x graph.Array, width int64) (v kernel.Matrix[T]) {
		if err != nil {
			return v
		}
		var data, buf []byte
		data, buf, err = graph.PeekRun(ctx, x, r.batch/a.group*a.nk*width, a.nk*width)
		buffers = append(buffers, buf)
		return kernel.Dense(kernel.View[T](data), int(a.nk), int(width))
	}
	t := kernel.Active()
	w = attentionWork[T]{
		of: a, run: r,
		q:      kernel.Dense(take(int(r.n*a.d)), int(r.n), int(a.d)),
		scores: take(queryBlock * keyBlock), peak: take(int(r.n)), sum: take(int(r.n)), work: take(2 * queryBlock),
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
		err = a.q.Read(ctx, kernel.Bytes(w.q.Data), (r.batch*a.nq+r.first)*a.d)
	}
	if a.scale != 1 {
		t.Scale[a.dt.Kind()](kernel.Bytes(w.q.Data), a.scale)
	}
	return w, release, err
}

// packKeys is m keys from number k0 on as the right matrix of the scores.
func (w *attentionWork[T]) packKeys(k0, m int) kernel.Right[T] {
	return kernel.Pack(kernel.Active(), w.keys, w.k.Slice(k0, m), true)
}

// rightValues is a block of values as the right matrix of the result: where they
// lie, if that will do, since their rows are the matrix's.
func (w *attentionWork[T]) rightValues(v kernel.Matrix[T]) kernel.Right[T] {
	if t := kernel.Active(); !t.InPlace(w.of.dt.Kind()) {
		return kernel.Pack(t, w.values, v, false)
	}
	return v.Right()
}

// score gives the scores of n queries of the run, from number i on, against keys,
// the first of which is number k0.
func (w *attentionWork[T]) score(ctx context.Context, keys kernel.Right[T], i, n, k0 int) (kernel.Matrix[T], error) {
	a, first := w.of, int(w.run.first)+i
	scores := kernel.Matrix[T]{Data: w.scores, Stride: keyBlock, Rows: n, Cols: keys.N}
	kernel.Multiply(kernel.Active(), scores, w.q.Slice(i, n).Left(), keys, false, kernel.Epilogue[T]{})
	if a.mask != nil {
		mask := kernel.Dense(w.mask[:n*keys.N], n, keys.N)
		r := graph.Region{Off: (w.run.batch*a.nq+int64(first))*a.nk + int64(k0), Runs: int64(n), Len: int64(keys.N), Stride: a.nk}
		if err := graph.ReadRegion(ctx, a.mask, kernel.Bytes(mask.Data), r); err != nil {
			return scores, err
		}
		kernel.AttentionMask(kernel.Active(), scores, mask, a.boolean)
	}
	if a.causal {
		kernel.AttentionCausal(scores, first-k0)
	}
	if a.form == "concatenation" {
		relu := kernel.Active().Activation("relu", a.dt.Kind())
		for i := range n {
			row := kernel.Bytes(scores.Row(i))
			relu(row, row)
		}
	}
	return scores, nil
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
	return p.of.eachRun(dst, off, p.of.nk, queryBlock, func(dst []byte, r queryRun) error {
		return kernel.Instance(p.dt.Kind(), scoreRows[float32], scoreRows[float64])(ctx, p.of, dst, r)
	})
}

// scoreRows computes the weights of a run of at most queryBlock queries.
func scoreRows[T kernel.Float](ctx context.Context, a *attention, dst []byte, r queryRun) error {
	w, release, err := newAttentionWork[T](ctx, a, r)
	defer release()
	if err != nil {
		return err
	}
	out := kernel.Dense(kernel.View[T](dst), int(r.n), int(a.nk))
	for k0 := 0; k0 < out.Cols; k0 += keyBlock {
		scores, err := w.score(ctx, w.packKeys(k0, min(keyBlock, out.Cols-k0)), 0, out.Rows, k0)
		if err != nil {
			return err
		}
		for i := range out.Rows {
			copy(out.Row(i)[k0:], scores.Row(i))
		}
	}
	if a.linear() {
		kernel.Active().DivideBy[a.dt.Kind()](dst, dst, float64(a.nk))
	} else {
		kernel.Active().SoftmaxRows[a.dt.Kind()](dst, dst, out.Cols)
	}
	return nil
}
