package ops

import (
	"context"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// SplitPart is part i of x cut into n equal parts along its first axis.
func SplitPart(x graph.Array, i, n int) (graph.Array, error) {
	s := x.Shape()
	if len(s) == 0 || s[0]%n != 0 {
		return nil, graph.Errorf(x, "shape %v doesn't split into %d parts along its first axis", s, n)
	}
	return rowsOf(x, i*(s[0]/n), s[0]/n), nil
}

// Rows is n rows of x, along its first axis, from row first on.
func Rows(x graph.Array, first, n int) (graph.Array, error) {
	if s := x.Shape(); len(s) == 0 || first < 0 || n < 0 || first+n > s[0] {
		return nil, graph.Errorf(x, "shape %v has no rows %d to %d", s, first, first+n-1)
	}
	return rowsOf(x, first, n), nil
}

// rowsOf is Rows for rows known to be there.
func rowsOf(x graph.Array, first, n int) graph.Array {
	s := x.Shape().Clone()
	s[0] = n
	return &slice{unary{computed{op: "slice", dt: x.DType(), sh: s}, x}, int64(first) * s.Product(1, len(s))}
}

// slice is a run of another array's elements under a shape.
type slice struct {
	unary
	from int64
}

func (*slice) Flops() int64 { return 0 }

func (p *slice) Memory(n int64) int64 { return graph.MemoryOf(p.x, n) }
func (p *slice) Read(ctx context.Context, dst []byte, off int64) error {
	return p.x.Read(ctx, dst, p.from+off)
}

// flip reverses the order of x along an axis, as numpy.flip: it joins its
// slices.
func flip(x graph.Array, axis int) graph.Array {
	n := len(x.Shape())
	perm := append([]int{axis}, shape.MoveToLast(axis, n)[:n-1]...)
	front := transpose(x, perm)
	parts := make([]graph.Array, 0, front.Shape()[0])
	for i := front.Shape()[0] - 1; i >= 0; i-- {
		parts = append(parts, rowsOf(front, i, 1))
	}
	out, err := Concat(parts, 0)
	if err != nil {
		panic(err) // parts of one array fit one another
	}
	return transpose(out, shape.Inverse(perm))
}
