package ops

import (
	"context"
	"fmt"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// view is the same bytes under another shape, or with elements of another
// size: no data moves.
type view struct{ unary }

// Reshape is x under another shape of as many elements, as numpy.reshape: one extent
// may be -1, what the others leave.
func Reshape(x graph.Array, s shape.Shape) (graph.Array, error) {
	s, err := x.Shape().Reshaped(s)
	if err != nil {
		return nil, graph.Errorf(x, "%v", err)
	}
	return reshape(x, s), nil
}

func reshape(x graph.Array, s shape.Shape) graph.Array {
	if x.Shape().Equal(s) {
		return x
	}
	return reinterpret(x, x.DType(), s)
}

// reinterpret is x's bytes as elements of t, such as complex numbers as pairs
// of floats. The bytes of both must be equally many.
func reinterpret(x graph.Array, t dtype.Type, s shape.Shape) graph.Array {
	if x.Shape().Len()*int64(x.DType().Size()) != s.Len()*int64(t.Size()) {
		panic(fmt.Sprintf("ops: %v of %v seen as %v of %v", x.Shape(), x.DType(), s, t))
	}
	return &view{unary{computed{op: "view", dt: t, sh: s}, x}}
}

func (v *view) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if size := int64(v.x.DType().Size()); size > 0 && unit*v.size()%size == 0 {
		say(&v.x, unit*v.size()/size)
	}
}

func (*view) Flops() int64 { return 0 }

func (v *view) Memory(n int64) int64 {
	return graph.MemoryOf(v.x, n*v.size()/max(int64(v.x.DType().Size()), 1))
}

// ReadsByRegion is true where elements stay as large as they are.
func (v *view) ReadsByRegion() bool { return v.x.DType().Size() == v.dt.Size() }

func (v *view) Tiling() graph.Tiling {
	if v.x.DType() != v.dt {
		return graph.Tiling{}
	}
	return graph.TilingOf(v.x)
}

func (v *view) Read(ctx context.Context, dst []byte, off int64) error {
	size := int64(v.x.DType().Size())
	at, n := off*v.size(), int64(len(dst))
	if at%size == 0 && n%size == 0 {
		return v.x.Read(ctx, dst, at/size)
	}
	// The run cuts a larger source element: fetch the whole ones around it.
	from, to := at/size, shape.CeilDiv(at+n, size)
	buf := graph.GetBuffer((to - from) * size)
	defer graph.PutBuffer(buf)
	if err := v.x.Read(ctx, buf, from); err != nil {
		return err
	}
	copy(dst, buf[at-from*size:])
	return nil
}

func (v *view) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	if v.x.DType().Size() == v.dt.Size() {
		return graph.ReadRegion(ctx, v.x, dst, r)
	}
	return graph.ReadRuns(ctx, v, dst, r)
}
