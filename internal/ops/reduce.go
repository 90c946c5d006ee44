package ops

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// The tree in which a reduction is summed is fixed by the shape alone, so that
// no schedule changes a bit of it:
//
//   - an array seen as [outer, len, inner] is cut along len into chunks of
//     chunkRows rows,
//   - a chunk is read in pieces of pieceLen elements and accumulated row by
//     row (for inner = 1 in the lanes that kernel.Table.Sum documents,
//     piece by piece),
//   - the chunks' results are accumulated in order.
const (
	pieceLen  = 64 << 10 // elements
	chunkLen  = 1 << 20  // elements that a chunk has at least
	chunkMin  = 64       // rows that a chunk has at least, so that results are few
	chunksMax = 1024
	outerMax  = 64 // with as many outer positions, workers share those
)

func chunkRows(g shape.Group) int64 {
	if g.Outer >= outerMax {
		return g.Len
	}
	return min(g.Len, max(shape.CeilDiv(chunkLen, g.Inner), chunkMin, shape.CeilDiv(g.Len, chunksMax)))
}

// reduced accumulates [outer, len, inner] to [outer, chunks, inner], a chunk
// being some rows of len.
type reduced struct {
	unary
	g      shape.Group
	rows   int64 // of a chunk
	chunks int64
	accumulate
}

// accumulate turns rows into one.
type accumulate struct {
	// start sets the accumulators before the first piece, which begins with
	// the row given.
	start func(acc, row []byte)
	// add accumulates rows of the input; merge, rows of accumulators.
	add, merge func(acc, rows []byte)
}

// reduce accumulates away the middle axis of x. Accumulators have dtype t.
func reduce(op string, t dtype.Type, x graph.Array, g shape.Group, how accumulate) graph.Array {
	rows := chunkRows(g)
	n := shape.CeilDiv(g.Len, rows)
	out := shape.Shape{int(g.Outer), int(n), int(g.Inner)}
	r := &reduced{unary{computed{op: op, dt: t, sh: out}, x}, g, rows, n, how}
	if n == 1 {
		return r
	}
	// The chunks are what workers share; their results are few.
	g.Len, how.add = n, how.merge
	last := shape.Shape{int(g.Outer), 1, int(g.Inner)}
	return &reduced{unary{computed{op: op, dt: t, sh: last}, graph.Materialize(r)}, g, n, 1, how}
}

// Tiling makes a tile of results take about a piece of input, or a few.
func (r *reduced) Tiling() graph.Tiling {
	if per := r.rows * r.g.Inner; per < pieceLen {
		return graph.Tiling{Unit: r.g.Inner, Most: max(pieceLen/per, 1) * r.g.Inner}
	}
	return graph.Tiling{Most: min(r.g.Inner, pieceLen)}
}

func (r *reduced) Flops() int64 { return r.x.Shape().Len() }

func (r *reduced) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if unit%r.g.Inner == 0 {
		say(&r.x, r.g.Inner)
	}
}

func (r *reduced) Memory(n int64) int64 {
	piece := max(pieceLen, min(n, r.g.Inner))
	return piece*int64(r.x.DType().Size()) + graph.MemoryOf(r.x, piece)
}

func (r *reduced) Read(ctx context.Context, dst []byte, off int64) error {
	size, inner := r.size(), r.g.Inner
	for len(dst) > 0 {
		at, col := off/inner, off%inner
		outer, chunk := at/r.chunks, at%r.chunks
		n := min(int64(len(dst))/size, inner-col)
		if many := int64(len(dst)) / size / inner; r.chunks == 1 && col == 0 && many > 1 && 2*r.g.Len*inner <= pieceLen {
			many = min(many, pieceLen/(r.g.Len*inner))
			if err := r.small(ctx, dst[:many*inner*size], outer); err != nil {
				return err
			}
			dst, off = dst[many*inner*size:], off+many*inner
			continue
		}
		from := chunk * r.rows
		if err := r.chunk(ctx, dst[:n*size], outer*r.g.Len+from, min(r.rows, r.g.Len-from), col); err != nil {
			return err
		}
		dst, off = dst[n*size:], off+n
	}
	return nil
}

// small accumulates the rows of several outer positions, from number outer on, which
// are so few that they are read in one piece.
func (r *reduced) small(ctx context.Context, acc []byte, outer int64) error {
	one, row := r.g.Inner*r.size(), r.g.Inner*int64(r.x.DType().Size())
	n := int64(len(acc)) / one * r.g.Len
	buf := graph.GetBuffer(n * row)
	defer graph.PutBuffer(buf)
	x, err := graph.Peek(ctx, r.x, buf, graph.OneRun(outer*r.g.Len*r.g.Inner, n*r.g.Inner))
	if err != nil {
		return err
	}
	for ; len(acc) > 0; acc, x = acc[one:], x[r.g.Len*row:] {
		r.start(acc[:one], x[:row])
		r.add(acc[:one], x[:r.g.Len*row])
	}
	return nil
}

// chunk accumulates rows rows from row on, of which it takes the columns that
// acc has room for.
func (r *reduced) chunk(ctx context.Context, acc []byte, row, rows, col int64) error {
	x := r.x
	size := int64(x.DType().Size())
	cols := int64(len(acc)) / r.size()
	per := max(pieceLen/cols, 1)
	buf := graph.GetBuffer(min(per, rows) * cols * size)
	defer graph.PutBuffer(buf)
	for i := int64(0); i < rows; i += per {
		n := min(per, rows-i)
		piece, err := graph.Peek(ctx, x, buf[:n*cols*size], graph.Region{Off: (row+i)*r.g.Inner + col, Runs: n, Len: cols, Stride: r.g.Inner})
		if err != nil {
			return err
		}
		if i == 0 {
			r.start(acc, piece[:cols*size])
		}
		r.add(acc, piece)
	}
	return nil
}

// ReduceOptions say over which axes a pooling goes.
type ReduceOptions struct {
	Axes     []int // may count from the end; nil: all but batch and channel
	KeepDims bool
	Layout   shape.Layout
}

// axes resolves the axes of a reduction of x and refuses one over no element.
func (o ReduceOptions) axes(op string, x graph.Array) ([]int, error) {
	s := x.Shape()
	axes := o.Axes
	if axes == nil {
		form, err := MapForm(op, x, o.Layout, 0)
		if err != nil {
			return nil, err
		}
		if axes = form.Spatial(); len(axes) == 0 {
			return nil, graph.Errorf(x, "shape %v has no axes between batch and channel for %s to pool", s, op).
				Hint("name the axes, such as --axes 0")
		}
	}
	axes, err := shape.Axes(axes, len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	for _, a := range axes {
		if s[a] == 0 {
			return nil, graph.Errorf(x, "shape %v: %s over axis %d pools no element", s, op, a)
		}
	}
	return axes, nil
}

// GlobalAvgPool is the mean over axes, as numpy.mean: integers and booleans
// give float64, every other dtype itself. Sums are kept in float64 and rounded
// once, after the division, so that a float32 mean is the correctly rounded
// quotient of its float64 sum.
func GlobalAvgPool(x graph.Array, o ReduceOptions) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	axes, err := o.axes("gap", x)
	if err != nil {
		return nil, err
	}
	s, t := x.Shape(), x.DType()
	count := float64(1)
	for _, a := range axes {
		count *= float64(s[a])
	}
	out := s.Reduced(axes, o.KeepDims)
	if out.Len() == 0 {
		return empty(t.Inexact(), out), nil
	}
	work := x
	if t.IsComplex() { // summed as pairs of floats
		s = append(s.Clone(), 2)
		work = reinterpret(x, realOf(t), s)
	}
	for _, g := range s.Groups(axes) {
		work = reduce("gap", dtype.Float64, work, g, summing(work.DType(), g))
	}
	work = cast(work, dtype.Float64) // no axis longer than 1: nothing was summed
	divide := kernel.Active().DivideBy[dtype.KindFloat64]
	work = mapTo("gap", dtype.Float64, work, func(dst, src []byte) { divide(dst, src, count) })
	if t.IsComplex() {
		return cast(reinterpret(work, dtype.Complex128, out), t), nil
	}
	return cast(reshape(work, out), t.Inexact()), nil
}

// Sum is the sum over axes of real float arrays, kept in float64 and rounded once.
func Sum(x graph.Array, o ReduceOptions) (graph.Array, error) {
	t, err := FloatType("a sum", x)
	if err != nil {
		return nil, err
	}
	axes, err := o.axes("sum", x)
	if err != nil {
		return nil, err
	}
	out := x.Shape().Reduced(axes, o.KeepDims)
	if out.Len() == 0 {
		return empty(t, out), nil
	}
	return cast(reshape(sums(x, axes), out), t), nil
}

// sums is x without some axes (sorted, none of them empty), along which it is
// summed: floats in float64 and complex numbers in complex128, both to be rounded;
// integers wrap, and booleans are or-ed.
func sums(x graph.Array, axes []int) graph.Array {
	s, t := x.Shape(), x.DType()
	out, work, wide := s.Reduced(axes, false), x, dtype.Float64
	accumulates := func(g shape.Group) accumulate { return summing(work.DType(), g) }
	switch {
	case t.IsComplex(): // pairs of floats
		work = reinterpret(x, realOf(t), append(s.Clone(), 2))
	case !t.IsFloat():
		wide = t
		accumulates = func(shape.Group) accumulate { return adding(t) }
	}
	for _, g := range work.Shape().Groups(axes) {
		work = reduce("sum", wide, work, g, accumulates(g))
	}
	work = cast(work, wide) // no axis longer than 1: nothing was summed
	if t.IsComplex() {
		return reinterpret(work, dtype.Complex128, out)
	}
	return reshape(work, out)
}

// realOf is the dtype of the parts of complex numbers of dtype t.
func realOf(t dtype.Type) dtype.Type {
	if t == dtype.Complex128 {
		return dtype.Float64
	}
	return dtype.Float32
}

// GlobalMaxPool is the maximum over axes, as numpy.max: the dtype stays, NaN
// propagates, complex numbers compare by their real parts first.
func GlobalMaxPool(x graph.Array, o ReduceOptions) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	axes, err := o.axes("gmp", x)
	if err != nil {
		return nil, err
	}
	out := x.Shape().Reduced(axes, o.KeepDims)
	if out.Len() == 0 {
		return empty(x.DType(), out), nil
	}
	work := x
	for _, g := range x.Shape().Groups(axes) {
		loop := kernel.Active().MaxRows[x.DType().Kind()]
		first := func(acc, row []byte) { copy(acc, row) }
		work = reduce("gmp", x.DType(), work, g, accumulate{first, loop, loop})
	}
	return reshape(work, out), nil
}

// summing accumulates float64 sums of t: a lone column in lanes, several row
// by row, however many of them a tile takes.
func summing(t dtype.Type, g shape.Group) accumulate {
	loops := &kernel.Active().SumRows
	if g.Inner == 1 {
		loops = &kernel.Active().Sum
	}
	sum := func(loop func(acc []float64, x []byte)) func(acc, x []byte) {
		return func(acc, x []byte) { loop(kernel.View[float64](acc), x) }
	}
	zero := func(acc, _ []byte) { clear(acc) }
	return accumulate{zero, sum(loops[t.Kind()]), sum(loops[dtype.KindFloat64])}
}

// adding accumulates sums of integers, which wrap, or of booleans, which are or-ed: so
// the order makes no difference.
func adding(t dtype.Type) accumulate {
	const lanes = 512 // bytes
	loop, size := kernel.Active().Add[t.Kind()], t.Size()
	add := func(acc, rows []byte) {
		if len(acc) == size && len(rows) >= 2*lanes { // a lone column
			sum := graph.GetBuffer(lanes)
			defer graph.PutBuffer(sum)
			clear(sum)
			for ; len(rows) >= lanes; rows = rows[lanes:] {
				loop(sum, sum, rows[:lanes])
			}
			for n := lanes / 2; n >= size; n /= 2 {
				loop(sum[:n], sum[:n], sum[n:2*n])
			}
			loop(acc, acc, sum[:size])
		}
		for ; len(rows) > 0; rows = rows[len(acc):] {
			loop(acc, acc, rows[:len(acc)])
		}
	}
	return accumulate{func(acc, _ []byte) { clear(acc) }, add, add}
}
