package ops

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// Held is an array that the plan computes once, into memory, before what
// reads it: for inputs that are expensive and read more than once. It is the
// only place where a whole array is held.
type Held struct {
	unary
	data []byte
}

// Hold returns x held in memory.
func Hold(x Array) *Held {
	if h, ok := x.(*Held); ok {
		return h
	}
	return &Held{unary: unary{computed{op: "hold", dt: x.DType(), sh: x.Shape()}, x}}
}

// inMemory returns x if it lies in memory, and otherwise x held.
func inMemory(x Array) Resident {
	if r, ok := x.(Resident); ok {
		return r
	}
	return Hold(x)
}

// holdComputed returns x held if it is computed, and as it is if it is a file,
// which can be read again for less.
func holdComputed(x Array) Array {
	switch x.(type) {
	case *Held, *constant:
		return x
	case Node:
		return Hold(x)
	}
	return x
}

// holdMost is the bytes up to which an array is held for windows that overlap.
const holdMost = 64 << 20

// holdSmall is holdComputed for what windows move over: a large array isn't
// held, since its rows between two tiles are cheap enough to compute twice.
func holdSmall(x Array) Array {
	if sizeOf(x) > holdMost {
		return x
	}
	return holdComputed(x)
}

func (*Held) Flops() int64 { return 0 }

// Memory is 0: what is held is counted once, by the plan.
func (h *Held) Memory(int64) int64 { return 0 }

func (h *Held) fill(ctx context.Context, p *Plan) error {
	data := kernel.Alloc(int(sizeOf(h)))
	if err := p.compute(ctx, h.x, &memoryTarget{data, h.size()}, false); err != nil {
		return err
	}
	h.data = data
	return nil
}

// Bytes makes Held a Resident.
func (h *Held) Bytes() []byte { return h.data }

func (h *Held) Read(_ context.Context, dst []byte, off int64) error {
	copy(dst, h.data[off*h.size():])
	return nil
}

// constant is a small array known in advance.
type constant struct {
	computed
	data []byte
}

// Constant is the 0-d array of one value, converted to t from float64 as a
// cast does.
func Constant(t dtype.Type, value float64) Array {
	c := &constant{computed: computed{op: "constant", dt: t}, data: make([]byte, t.Size())}
	kernel.Active().Convert[dtype.KindFloat64][t.Kind()](c.data, kernel.Bytes([]float64{value}))
	return c
}

// empty is an array without elements.
func empty(t dtype.Type, s shape.Shape) Array {
	return &constant{computed: computed{op: "empty", dt: t, sh: s}}
}

func (*constant) Operands(func(*Array)) {}

func (*constant) Flops() int64 { return 0 }

func (c *constant) Memory(int64) int64 { return 0 }

func (c *constant) Read(_ context.Context, dst []byte, off int64) error {
	copy(dst, c.data[off*c.size():])
	return nil
}
