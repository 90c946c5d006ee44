package ops

import (
	"context"
	"fmt"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// The tree in which a reduction is accumulated is fixed by the shape alone, so that
// no schedule changes a bit of it:
//
//   - an array seen as [outer, len, inner] is cut along len into chunks of
//     chunkRows rows,
//   - a chunk is read in pieces of pieceLen elements and accumulated row by
//     row,
//   - for inner = 1 and a len beyond turnMost it is accumulated piece by piece, each in
//     lanes (see inLanes and kernel.Table.Sum); else such short rows are accumulated by a
//     loop along them (kernel.Table.RowSums), or where there is none transposed, and
//     accumulated as columns,
//   - the chunks' results are accumulated in order.
const (
	pieceLen   = 64 << 10 // elements
	pieceRows  = 4        // rows that a piece has at least, so that accumulators are seldom loaded
	chunkLen   = 1 << 20  // elements that a chunk has at least
	chunkMin   = 64       // rows that a chunk has at least, so that results are few
	chunksMax  = 1024
	resultsMax = 1 << 19 // accumulators of all chunks at most, where there are two or more
	outerMax   = 64      // with as many outer positions, or pieces of them, workers share those
	turnMost   = 1024
	turnLen    = 4096 // elements that are transposed at a time, which the first-level cache holds
	turnCols   = 64   // columns of those at least
)

func chunkRows(g shape.Group) int64 {
	if g.Outer*shape.CeilDiv(g.Inner, pieceLen) >= outerMax {
		return g.Len
	}
	chunks := max(1, min(chunksMax, resultsMax/(g.Outer*g.Inner)))
	return min(g.Len, max(shape.CeilDiv(chunkLen, g.Inner), chunkMin, shape.CeilDiv(g.Len, chunks)))
}

// accumulate turns rows into one, of accumulators of dtype t.
type accumulate struct {
	t dtype.Type
	// none is an accumulator of no row. Where it is nil, accumulators begin as the first row,
	// which may be added once more.
	none []byte
	// add accumulates rows of the input, the first of which is number at of those
	// that are reduced; merge, rows of accumulators.
	add   func(acc, rows []byte, at int64)
	merge func(acc, rows []byte)
	// Where open isn't nil, rows are added to states, of so many bytes a column: open makes them
	// ready for rows of which it is given the first, number at, and close makes accumulators of
	// what n rows have made of them.
	// along, where it isn't nil, accumulates each row of several that lie in line, of one column.
	along func(acc, rows []byte)
	state int64
	open  func(state, row []byte, at int64)
	close func(acc, state []byte, n int64)
}

// merging returns the accumulation of rows of how's own accumulators.
func (how accumulate) merging() accumulate {
	return accumulate{t: how.t, none: how.none, merge: how.merge, add: func(acc, rows []byte, _ int64) { how.merge(acc, rows) }}
}

// begin makes accumulators, or their states, ready for rows.
func (how *accumulate) begin(acc, row []byte, at int64) {
	switch {
	case how.open != nil:
		how.open(acc, row, at)
	case how.none != nil:
		kernel.Fill(acc, how.none)
	default:
		copy(acc, row)
	}
}

// states gives what rows are added to for accumulators, in a buffer that is to be put
// back if it isn't nil.
func (how *accumulate) states(acc []byte) (states, buf []byte) {
	if how.open == nil {
		return acc, nil
	}
	buf = graph.GetBuffer(int64(len(acc)/how.t.Size()) * how.state)
	return buf, buf
}

// end makes accumulators of their states.
func (how *accumulate) end(acc, states []byte, n int64) {
	if how.open != nil {
		how.close(acc, states, n)
	}
}

// reduced accumulates [outer, len, inner] to [outer, chunks, inner], a chunk
// being some rows of len.
type reduced struct {
	unary
	g      shape.Group
	rows   int64 // of a chunk
	chunks int64
	turned bool  // by transposing: inner is 1
	flops  int64 // an element
	accumulate
}

// reduce accumulates away the middle axis of x.
func reduce(op string, x graph.Array, g shape.Group, flops int64, how accumulate) graph.Array {
	rows := chunkRows(g)
	n := shape.CeilDiv(g.Len, rows)
	out := shape.Shape{int(g.Outer), int(n), int(g.Inner)}
	r := &reduced{unary{computed{op: op, dt: how.t, sh: out}, x}, g, rows, n, g.Inner == 1 && !lone(g), flops, how}
	if n == 1 {
		return r
	}
	// The chunks are what workers share; their results are few.
	g.Len = n
	last := shape.Shape{int(g.Outer), 1, int(g.Inner)}
	return &reduced{unary{computed{op: op, dt: how.t, sh: last}, graph.Materialize(r)}, g, n, 1, false, 1, how.merging()}
}

// lone says that elements of a group are accumulated in lanes.
func lone(g shape.Group) bool { return g.Inner == 1 && g.Len > turnMost }

// Tiling makes a tile of results take about a piece of input, or a few, and whole rows where
// it can, so that they are read from front to back.
func (r *reduced) Tiling() graph.Tiling {
	if per := r.rows * r.g.Inner; per < pieceLen {
		return graph.Tiling{Unit: r.g.Inner, Most: max(pieceLen/per, 1) * r.g.Inner}
	}
	if r.g.Inner <= pieceLen {
		return graph.Tiling{Unit: r.g.Inner, Most: r.g.Inner}
	}
	return graph.Tiling{Most: pieceLen}
}

func (r *reduced) Flops() int64 { return r.flops * r.x.Shape().Len() }

func (r *reduced) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if unit%r.g.Inner == 0 {
		say(&r.x, r.g.Inner)
	}
}

func (r *reduced) Memory(n int64) int64 {
	cols := min(n, r.g.Inner)
	if r.turned {
		cols = min(n, max(turnCols, turnLen/r.g.Len))
	}
	piece := min(max(pieceLen, pieceRows*cols), r.x.Shape().Len())
	size := int64(r.x.DType().Size())
	held := piece*size + cols*r.state + graph.MemoryOf(r.x, piece)
	if r.turned {
		held += cols * r.g.Len * size
	}
	return held
}

func (r *reduced) Read(ctx context.Context, dst []byte, off int64) error {
	size, inner := r.size(), r.g.Inner
	for len(dst) > 0 {
		at, col := off/inner, off%inner
		outer, chunk := at/r.chunks, at%r.chunks
		n := int64(len(dst)) / size
		var err error
		if all := r.g.Len * inner; r.turned || r.chunks == 1 && col == 0 && n >= 2*inner && 2*all <= pieceLen {
			n = min(n/inner, pieceLen/all) * inner
			err = r.several(ctx, dst[:n*size], outer)
		} else {
			n = min(n, inner-col)
			from := chunk * r.rows
			err = r.chunk(ctx, dst[:n*size], outer, from, min(r.rows, r.g.Len-from), col)
		}
		if err != nil {
			return err
		}
		dst, off = dst[n*size:], off+n
	}
	return nil
}

// chunk accumulates rows rows of an outer position from row at on, of which it takes the
// columns that acc has room for, from col on.
func (r *reduced) chunk(ctx context.Context, acc []byte, outer, at, rows, col int64) error {
	x := r.x
	size := int64(x.DType().Size())
	cols := int64(len(acc)) / r.size()
	per := max(pieceLen/cols, pieceRows)
	buf := graph.GetBuffer(min(per, rows) * cols * size)
	defer graph.PutBuffer(buf)
	states, held := r.states(acc)
	defer graph.PutBuffer(held)
	for i := int64(0); i < rows; i += per {
		n := min(per, rows-i)
		region := graph.Region{Off: (outer*r.g.Len+at+i)*r.g.Inner + col, Runs: n, Len: cols, Stride: r.g.Inner}
		piece, err := graph.Peek(ctx, x, buf[:n*cols*size], region)
		if err != nil {
			return err
		}
		if i == 0 {
			r.begin(states, piece[:cols*size], at)
		}
		r.add(states, piece, at+i)
	}
	r.end(acc, states, rows)
	return nil
}

// several accumulates all rows of several outer positions, which it reads at once.
func (r *reduced) several(ctx context.Context, acc []byte, outer int64) error {
	all := r.g.Len * r.g.Inner
	n := int64(len(acc)) / (r.g.Inner * r.size())
	data, buf, err := graph.PeekRun(ctx, r.x, outer*all, n*all)
	defer func() { graph.PutBuffer(buf) }()
	if err != nil {
		return err
	}
	if r.turned && r.along != nil {
		r.along(acc, data)
		return nil
	}
	in, out, cols := len(data)/int(n), len(acc)/int(n), int(r.g.Inner) // of one position
	step := 1
	var turned []byte
	if r.turned {
		step = min(int(n), max(turnCols, turnLen/int(all)))
		turned = graph.GetBuffer(int64(step * in))
		defer graph.PutBuffer(turned)
	}
	size := r.x.DType().Size()
	for left := int(n); left > 0; left -= step {
		step = min(step, left)
		rows, to := data[:step*in], acc[:step*out]
		if r.turned {
			kernel.Transpose(turned, rows, step, int(all), size)
			rows = turned[:len(rows)]
		}
		states, held := r.states(to)
		r.begin(states, rows[:step*cols*size], 0)
		r.add(states, rows, 0)
		r.end(to, states, r.g.Len)
		graph.PutBuffer(held)
		data, acc = data[step*in:], acc[step*out:]
	}
	return nil
}

// inLanes accumulates as how does a lone column, whose elements have size bytes: a piece of it
// is rows of as many lanes, which are merged by halves. What is left of the piece is one more
// row, of the first lanes.
func inLanes(how accumulate, size int) accumulate {
	t := how.t.Size()
	lanes := func(acc, x []byte, n int) {
		states, held := how.states(acc)
		how.begin(states, x[:n*size], 0)
		how.add(states, x, 0)
		how.end(acc, states, int64(len(x)/(n*size)))
		graph.PutBuffer(held)
	}
	return accumulate{t: how.t, none: how.none, merge: how.merge, add: func(acc, x []byte, _ int64) {
		buf := graph.GetBuffer(int64(2 * lanesMost * t))
		defer graph.PutBuffer(buf)
		all := len(x) / size
		n := lanesOf(all)
		whole := all / n * n * size
		sums, rest := buf[:n*t], buf[lanesMost*t:][:all%n*t]
		lanes(sums, x[:whole], n)
		if len(rest) > 0 {
			lanes(rest, x[whole:], len(rest)/t)
			how.merge(sums[:len(rest)], rest)
		}
		for ; n > 1; n /= 2 {
			how.merge(sums[:n/2*t], sums[n/2*t:n*t])
		}
		how.merge(acc, sums[:t])
	}}
}

const lanesMost = 64

// lanesOf is the lanes for a piece of n elements, a power of 2: merging them costs some elements each.
func lanesOf(n int) int {
	lanes := lanesMost
	for lanes > 8 && lanes*32 > n {
		lanes /= 2
	}
	for lanes > n {
		lanes /= 2
	}
	return lanes
}

// folding accumulates by a loop that takes two arrays of t to one, whose neutral element
// none is.
func folding(t dtype.Type, none float64, loop kernel.Loop3, g shape.Group) accumulate {
	merge := func(acc, rows []byte) {
		for ; len(rows) >= len(acc) && len(acc) > 0; rows = rows[len(acc):] {
			loop(acc, acc, rows[:len(acc)])
		}
	}
	how := accumulate{t: t, none: Constant(t, none).(*constant).data, merge: merge}
	how.add = func(acc, rows []byte, _ int64) { merge(acc, rows) }
	if lone(g) {
		return inLanes(how, t.Size())
	}
	return how
}

// summing accumulates float64 sums of t: a lone column in lanes, several row
// by row, however many of them a tile takes.
func summing(t dtype.Type, g shape.Group) accumulate {
	loops := &kernel.Active().SumRows
	if lone(g) {
		loops = &kernel.Active().Sum
	}
	how := sumsOf(loops[t.Kind()], kernel.Active().RowSums[t.Kind()])
	how.merge = func(acc, rows []byte) { loops[dtype.KindFloat64](kernel.View[float64](acc), rows) }
	return how
}

// summingBy makes the accumulation of float64 sums by loops over rows, SumAbsRows or
// SumSquareRows, and by loops along them; nil where there are none.
func summingBy(loops, along *[dtype.NumKinds]func(acc []float64, x []byte)) func(t dtype.Type, g shape.Group) accumulate {
	return func(t dtype.Type, g shape.Group) accumulate {
		var line func(acc []float64, x []byte)
		if along != nil {
			line = along[t.Kind()]
		}
		how := sumsOf(loops[t.Kind()], line)
		if lone(g) {
			return inLanes(how, t.Size())
		}
		return how
	}
}

// sumsOf accumulates float64 sums by a loop over rows, and by one along them that isn't
// nil.
func sumsOf(loop, along func(acc []float64, x []byte)) accumulate {
	sum := kernel.Active().SumRows[dtype.KindFloat64]
	how := accumulate{
		t: dtype.Float64, none: make([]byte, 8),
		add:   func(acc, rows []byte, _ int64) { loop(kernel.View[float64](acc), rows) },
		merge: func(acc, rows []byte) { sum(kernel.View[float64](acc), rows) },
	}
	if along != nil {
		how.along = func(acc, rows []byte) { along(kernel.View[float64](acc), rows) }
	}
	return how
}

// extreme accumulates the greatest or the least element of t, by MaxRows or MinRows.
func extreme(t dtype.Type, loop func(acc, x []byte)) accumulate {
	return accumulate{t: t, add: func(acc, rows []byte, _ int64) { loop(acc, rows) }, merge: loop}
}

// merged accumulates records of T, of which none is of no element, in memory as they are.
func merged[T any](none T, merge func(acc *T, row T)) accumulate {
	record := kernel.Bytes([]T{none})
	return accumulate{
		t: dtype.Opaque(fmt.Sprintf("|V%d", len(record)), len(record)), none: record,
		merge: func(acc, rows []byte) {
			a, s := kernel.View[T](acc), kernel.View[T](rows)
			for ; len(a) > 0 && len(s) >= len(a); s = s[len(a):] {
				for i := range a {
					merge(&a[i], s[i])
				}
			}
		},
	}
}

// moments accumulates what a variance is made of.
func moments(t dtype.Type, g shape.Group) accumulate {
	loops := kernel.Active()
	how := merged(kernel.Moments{}, (*kernel.Moments).Merge)
	how.state = 3 * 8
	how.open = func(state, row []byte, _ int64) {
		first := state[:len(state)/3]
		loops.Convert[t.Kind()][dtype.KindFloat64](first, row)
		clear(state[len(first):])
	}
	sums := loops.MomentRows[t.Kind()]
	how.add = func(state, rows []byte, _ int64) { sums(kernel.View[float64](state), rows) }
	how.close = func(acc, state []byte, n int64) {
		kernel.FoldMoments(kernel.View[kernel.Moments](acc), kernel.View[float64](state), int(n))
	}
	if lone(g) {
		return inLanes(how, t.Size())
	}
	return how
}

// logSums accumulates logarithms of sums of exponentials.
func logSums(t dtype.Type, g shape.Group) accumulate {
	loops := kernel.Active()
	how := merged(kernel.NoLogSum, (*kernel.LogSum).Merge)
	how.state = 2 * 8
	how.open = func(state, row []byte, _ int64) {
		top := state[:len(state)/2]
		loops.Convert[t.Kind()][dtype.KindFloat64](top, row)
		clear(state[len(top):])
	}
	sums := loops.LogSumRows[t.Kind()]
	how.add = func(state, rows []byte, _ int64) {
		v := kernel.View[float64](state)
		sums(v[:len(v)/2], v[len(v)/2:], rows)
	}
	how.close = func(acc, state []byte, _ int64) {
		v := kernel.View[float64](state)
		for i := range kernel.View[kernel.LogSum](acc) {
			kernel.View[kernel.LogSum](acc)[i] = kernel.LogSum{Top: v[i], Sum: v[len(v)/2+i]}
		}
	}
	if lone(g) {
		return inLanes(how, t.Size())
	}
	return how
}

// best accumulates the numbers of the rows of best elements of t, by ArgMaxRows, or ArgMinRows
// for the least.
func best(t dtype.Type, least bool) accumulate {
	loops := kernel.Active()
	loop, wide := loops.ArgMaxRows[t.Kind()], dtype.Int64
	if least {
		loop = loops.ArgMinRows[t.Kind()]
	}
	switch {
	case t.IsFloat():
		wide = dtype.Float64
	case t.IsUnsigned():
		wide = dtype.Uint64
	}
	widen, size := loops.Convert[t.Kind()][wide.Kind()], t.Size()
	how := merged(kernel.NoBest, (*kernel.Best).Merge)
	how.state = 16 // the index, and the element, which is at last as wide
	parts := func(state []byte) (index []int64, element []byte) {
		cols := len(state) / 16
		return kernel.View[int64](state)[:cols], state[8*cols:]
	}
	how.open = func(state, row []byte, at int64) {
		index, element := parts(state)
		copy(element, row)
		for i := range index {
			index[i] = at
		}
	}
	how.add = func(state, rows []byte, at int64) {
		index, element := parts(state)
		loop(element[:len(index)*size], index, rows, at)
	}
	how.close = func(acc, state []byte, _ int64) {
		index, element := parts(state)
		to := graph.GetBuffer(int64(len(element)))
		defer graph.PutBuffer(to)
		widen(to, element[:len(index)*size])
		switch dst := kernel.View[kernel.Best](acc); wide {
		case dtype.Float64:
			kernel.FoldBest(dst, kernel.View[float64](to), index, least)
		case dtype.Uint64:
			kernel.FoldBest(dst, kernel.View[uint64](to), index, least)
		default:
			kernel.FoldBest(dst, kernel.View[int64](to), index, least)
		}
	}
	return how
}

// valued is x, accumulators T, as float64.
func valued[T any](op string, x graph.Array, value func(T) float64) graph.Array {
	return mapTo(op, dtype.Float64, x, func(dst, src []byte) {
		d := kernel.View[float64](dst)
		for i, v := range kernel.View[T](src) {
			d[i] = value(v)
		}
	})
}
