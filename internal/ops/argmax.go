package ops

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// argmax is the index of the largest element of each row.
type argmax struct {
	unary
	cols int64
}

// ArgMax is the index of the largest element along the last axis, which it
// leaves away, as numpy.argmax: the first of several, and of NaNs. The result
// is int64.
func ArgMax(x graph.Array) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	s := x.Shape()
	switch {
	case x.DType().IsComplex():
		return nil, graph.Errorf(x, "dtype %v: classes are ranked by real numbers", x.DType())
	case len(s) == 0 || s[len(s)-1] == 0:
		return nil, graph.Errorf(x, "shape %v has no last axis of classes", s)
	}
	return &argmax{unary{computed{op: "argmax", dt: dtype.Int64, sh: s[:len(s)-1].Clone()}, cast(x, dtype.Float64)}, int64(s[len(s)-1])}, nil
}

func (a *argmax) Flops() int64 { return a.x.Shape().Len() }

func (a *argmax) Tiling() graph.Tiling { return graph.Tiling{Most: max(pieceLen/a.cols, 1)} }

func (a *argmax) ReadsOnce(unit int64, say func(*graph.Array, int64)) { say(&a.x, unit*a.cols) }

func (a *argmax) Memory(n int64) int64 { return n*a.cols*8 + graph.MemoryOf(a.x, n*a.cols) }

func (a *argmax) Read(ctx context.Context, dst []byte, off int64) error {
	n := int64(len(dst)) / a.size()
	buf := graph.GetBuffer(n * a.cols * 8)
	defer graph.PutBuffer(buf)
	if err := a.x.Read(ctx, buf, off*a.cols); err != nil {
		return err
	}
	kernel.Active().ArgMaxRows[dtype.KindFloat64](kernel.View[int64](dst), buf, int(a.cols))
	return nil
}
