package ops

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// constant is a small array known in advance.
type constant struct {
	computed
	data []byte
}

// Constant is the 0-d array of one value, converted to t from float64 as a
// cast does.
func Constant(t dtype.Type, value float64) graph.Array {
	c := &constant{computed: computed{op: "constant", dt: t}, data: make([]byte, t.Size())}
	kernel.Active().Convert[dtype.KindFloat64][t.Kind()](c.data, kernel.Bytes([]float64{value}))
	return c
}

// Numbers is the vector of some numbers, of float64.
func Numbers(v ...float64) graph.Array {
	return &constant{computed{op: "constant", dt: dtype.Float64, sh: shape.Shape{len(v)}}, kernel.Bytes(v)}
}

// empty is an array without elements.
func empty(t dtype.Type, s shape.Shape) graph.Array {
	return &constant{computed: computed{op: "empty", dt: t, sh: s}}
}

// Bytes makes it a Resident.
func (c *constant) Bytes() []byte { return c.data }

func (*constant) Operands(func(*graph.Array)) {}

func (*constant) Flops() int64 { return 0 }

func (c *constant) Memory(int64) int64 { return 0 }

func (c *constant) Read(_ context.Context, dst []byte, off int64) error {
	copy(dst, c.data[off*c.size():])
	return nil
}

// filled is one number of float64, n times.
func filled(value float64, n int64) graph.Array {
	return repeat(Constant(dtype.Float64, value), shape.Shape{int(n)})
}
