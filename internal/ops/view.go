package ops

import (
	"context"
	"fmt"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// view is the same bytes under another shape, or with elements of another
// size: no data moves.
type view struct{ computed }

// Reshape is x under another shape of as many elements, as numpy.reshape.
func Reshape(x Array, s shape.Shape) (Array, error) {
	if x.Shape().Len() != s.Len() {
		return nil, errorf(x, "shape %v can't be seen as %v", x.Shape(), s)
	}
	return reshape(x, s), nil
}

func reshape(x Array, s shape.Shape) Array {
	if x.Shape().Equal(s) {
		return x
	}
	return reinterpret(x, x.DType(), s)
}

// reinterpret is x's bytes as elements of t, such as complex numbers as pairs
// of floats. The bytes of both must be equally many.
func reinterpret(x Array, t dtype.Type, s shape.Shape) Array {
	if x.Shape().Len()*int64(x.DType().Size()) != s.Len()*int64(t.Size()) {
		panic(fmt.Sprintf("ops: %v of %v seen as %v of %v", x.Shape(), x.DType(), s, t))
	}
	return &view{computed{op: "view", dt: t, sh: s, in: []Array{x}}}
}

func (v *view) once(_ int, unit int64) (int64, bool) {
	size := int64(v.in[0].DType().Size())
	return unit * v.size() / max(size, 1), size > 0 && unit*v.size()%size == 0
}

func (*view) Flops() int64 { return 0 }

func (v *view) Memory(n int64) int64 {
	return memoryOf(v.in[0], n*v.size()/max(int64(v.in[0].DType().Size()), 1))
}

// byRegion is true where elements stay as large as they are.
func (v *view) byRegion() bool { return v.in[0].DType().Size() == v.dt.Size() }

func (v *view) Tiling() Tiling {
	if v.in[0].DType() != v.dt {
		return Tiling{}
	}
	return tilingOf(v.in[0])
}

func (v *view) Read(ctx context.Context, dst []byte, off int64) error {
	size := int64(v.in[0].DType().Size())
	at, n := off*v.size(), int64(len(dst))
	if at%size == 0 && n%size == 0 {
		return v.in[0].Read(ctx, dst, at/size)
	}
	// The run cuts a larger source element: fetch the whole ones around it.
	from, to := at/size, ceilDiv(at+n, size)
	buf := getBuffer((to - from) * size)
	defer putBuffer(buf)
	if err := v.in[0].Read(ctx, buf, from); err != nil {
		return err
	}
	copy(dst, buf[at-from*size:])
	return nil
}

func (v *view) ReadRegion(ctx context.Context, dst []byte, r Region) error {
	if v.in[0].DType().Size() == v.dt.Size() {
		return readRegion(ctx, v.in[0], dst, r)
	}
	return eachRun(ctx, v, dst, r)
}
