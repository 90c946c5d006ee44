package ops

import (
	"context"

	"fusectl/internal/graph"
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
