package ops

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// rowLoop is a loop over rows of cols elements; dst may be src.
type rowLoop = func(dst, src []byte, cols int)

// rowwise applies a loop to whole rows along the last axis of x.
type rowwise struct {
	unary
	columns []graph.Array // of float64, in memory: what the loop takes besides
	cols    int64
	flops   int64 // an element
	spare   int64 // elements that the loop has in a buffer
	loop    func(dst, src []byte, cols int, columns [][]float64)
}

// eachRow is x through loop, row by row along the last axis.
func eachRow(op string, x graph.Array, loop rowLoop) graph.Array {
	return eachRowWith(op, x, nil, elementary, func(dst, src []byte, cols int, _ [][]float64) { loop(dst, src, cols) })
}

// eachRowWith is x through loop, row by row along the last axis. Arrays of one
// element for each column, such as a scale, are given to it whole, in float64.
// flops are the operations for an element.
func eachRowWith(op string, x graph.Array, columns []graph.Array, flops int64, loop func(dst, src []byte, cols int, columns [][]float64)) *rowwise {
	r := &rowwise{unary: unary{computed{op: op, dt: x.DType(), sh: x.Shape()}, x}, cols: int64(x.Shape().Last()), flops: flops, loop: loop}
	for _, c := range columns {
		r.columns = append(r.columns, graph.InMemory(cast(c, dtype.Float64)))
	}
	return r
}

func (r *rowwise) Operands(visit func(*graph.Array)) {
	visit(&r.x)
	for i := range r.columns {
		visit(&r.columns[i])
	}
}

// Tiling takes as many rows at least as a product beneath wants.
func (r *rowwise) Tiling() graph.Tiling {
	t := graph.Tiling{Unit: r.cols}
	if of := graph.TilingOf(r.x); of.Unit == r.cols {
		t.Size = of.Size
	}
	return t
}

func (r *rowwise) Flops() int64 { return r.flops * r.sh.Len() }

func (r *rowwise) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if unit%max(r.cols, 1) == 0 {
		say(&r.x, unit)
	}
}

func (r *rowwise) Memory(n int64) int64 {
	whole := max(n, wholeRowsMemory(n, r.cols))
	return (wholeRowsMemory(n, r.cols)+r.spare)*r.size() + graph.MemoryOf(r.x, whole)
}

func (r *rowwise) Read(ctx context.Context, dst []byte, off int64) error {
	var columns [][]float64
	for _, c := range r.columns {
		columns = append(columns, kernel.View[float64](c.(graph.Resident).Bytes()))
	}
	return wholeRows(dst, off, r.cols, r.size(), func(dst []byte, row, n int64) error {
		if err := r.x.Read(ctx, dst, row*r.cols); err != nil {
			return err
		}
		r.loop(dst, dst, int(r.cols), columns)
		return nil
	})
}

// wholeRows serves a run of any bounds from a node that computes whole rows of
// cols elements: fill computes n rows from row on, in dst itself where the
// run's bounds allow and in a buffer of which the wanted part is taken where
// they don't.
func wholeRows(dst []byte, off, cols, size int64, fill func(dst []byte, row, n int64) error) error {
	n := int64(len(dst)) / size
	if n == 0 {
		return nil
	}
	from, to := off/cols, shape.CeilDiv(off+n, cols)
	if off == from*cols && n == (to-from)*cols {
		return fill(dst, from, to-from)
	}
	buf := graph.GetBuffer((to - from) * cols * size)
	defer graph.PutBuffer(buf)
	if err := fill(buf, from, to-from); err != nil {
		return err
	}
	copy(dst, buf[(off-from*cols)*size:])
	return nil
}

// wholeRowsMemory is the elements that wholeRows buffers for a run of n: none
// where tiles are whole rows, as the engine makes them where it can.
func wholeRowsMemory(n, cols int64) int64 {
	if cols == 0 || n%cols == 0 {
		return 0
	}
	return (n/cols + 2) * cols
}

// onLast applies f to the last axis in place of another one: it moves the axis
// there and back.
func onLast(x graph.Array, axis int, f func(graph.Array) (graph.Array, error)) (graph.Array, error) {
	perm := shape.MoveToLast(axis, len(x.Shape()))
	y, err := f(transpose(x, perm))
	if err != nil {
		return nil, err
	}
	return transpose(y, shape.Inverse(perm)), nil
}
