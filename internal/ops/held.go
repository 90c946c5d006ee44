package ops

import (
	"context"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// Held is an array that the plan computes once, into memory, before what
// reads it: for inputs that are expensive and read more than once. It is the
// only place where a whole array is held.
type Held struct {
	of   Array
	data []byte
}

// Hold returns x held in memory.
func Hold(x Array) *Held {
	if h, ok := x.(*Held); ok {
		return h
	}
	return &Held{of: x}
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
	case Resident:
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

func (h *Held) DType() dtype.Type  { return h.of.DType() }
func (h *Held) Shape() shape.Shape { return h.of.Shape() }

// Op is the name under which plans show that an array is held.
func (*Held) Op() string { return "hold" }

// Of is the array that is held.
func (h *Held) Of() Array { return h.of }

func (h *Held) Operands(visit func(*Array)) { visit(&h.of) }

// Flops is 0: nothing is computed.
func (*Held) Flops() int64 { return 0 }

// Memory is 0: what is held is counted once, by the plan.
func (h *Held) Memory(int64) int64 { return 0 }

func (h *Held) fill(ctx context.Context, p *Plan) error {
	data := kernel.Alloc(int(sizeOf(h)))
	if err := p.compute(ctx, h.of, &memoryTarget{data, int64(h.DType().Size())}, false); err != nil {
		return err
	}
	h.data = data
	return nil
}

// Bytes makes Held a Resident.
func (h *Held) Bytes() []byte { return h.data }

func (h *Held) Read(_ context.Context, dst []byte, off int64) error {
	copy(dst, h.data[off*int64(h.DType().Size()):])
	return nil
}

// byRegion is a node that reads its operands by the regions that it is itself
// read by.
type byRegion interface{ byRegion() bool }

// scatterer is a node of which all but tiles of the form that it prefers are dear.
type scatterer interface{ scattered() bool }

// scattered reports whether tiles of x are cheap only in the form that x prefers.
func scattered(x Array) bool {
	if s, ok := x.(scatterer); ok {
		return s.scattered()
	}
	n, ok := x.(byRegion)
	return ok && n.byRegion() && slices.ContainsFunc(operands(x.(Node)), scattered)
}

// holdScattered holds what is scattered below nodes that read by other regions
// than they are read by.
func holdScattered(xs []Array) {
	seen := map[Node]bool{}
	var walk func(Array)
	walk = func(x Array) {
		n, ok := x.(Node)
		if !ok || seen[n] {
			return
		}
		seen[n] = true
		r, regions := n.(byRegion)
		_, held := n.(*Held)
		n.Operands(func(x *Array) {
			walk(*x)
			if !held && (!regions || !r.byRegion()) && scattered(*x) {
				*x = Hold(*x)
			}
		})
	}
	for _, x := range xs {
		walk(x)
	}
}
