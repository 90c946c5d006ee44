package ops

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// gated is one half of each row of its operand times an activation of the other half.
type gated struct {
	unary
	cols  int64 // of a half
	gate  kernel.Loop2
	first bool // the first half is the gate
	flops int64
}

// glu is op, the gated linear unit a·sigmoid(b) of an axis's halves a and b, as
// torch.nn.GLU has it, or with another gate (Dauphin et al. 2017; Shazeer 2020).
// first has a for the gate. float32 is computed in float64.
func glu(op string, x graph.Array, gate string, axis int, first bool) (graph.Array, error) {
	s, w := x.Shape(), x.DType().Inexact().Compute()
	if s[axis]%2 != 0 {
		return nil, graph.Errorf(x, "shape %v: %s takes the two halves of axis %d, whose extent is odd", s, op, axis)
	}
	if w == x.DType() {
		w = dtype.Float64 // a product of a rounded gate would round twice
	}
	return onLast(cast(x, w), axis, func(x graph.Array) (graph.Array, error) {
		out := x.Shape().Clone()
		out[len(out)-1] /= 2
		return &gated{
			unary{computed{op: op, dt: w, sh: out}, x}, int64(out.Last()),
			kernel.Active().Activation(gate, w.Kind()), first, kernel.ActivationFlops(gate) + 1,
		}, nil
	})
}

func (g *gated) Tiling() graph.Tiling { return graph.Tiling{Unit: g.cols} }

func (g *gated) Flops() int64 { return g.flops * g.sh.Len() }

func (g *gated) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if unit%max(g.cols, 1) == 0 {
		say(&g.x, 2*unit)
	}
}

func (g *gated) Memory(n int64) int64 {
	whole := max(n, wholeRowsMemory(n, g.cols))
	return (wholeRowsMemory(n, g.cols)+2*whole)*g.size() + graph.MemoryOf(g.x, 2*whole)
}

func (g *gated) Read(ctx context.Context, dst []byte, off int64) error {
	half := g.cols * g.size()
	multiply := kernel.Active().Mul[g.dt.Kind()]
	return wholeRows(dst, off, g.cols, g.size(), func(dst []byte, row, n int64) error {
		buf := graph.GetBuffer(2 * int64(len(dst)))
		defer graph.PutBuffer(buf)
		if err := g.x.Read(ctx, buf, row*2*g.cols); err != nil {
			return err
		}
		for r := range n {
			value, gate := buf[2*r*half:(2*r+1)*half], buf[(2*r+1)*half:(2*r+2)*half]
			if g.first {
				value, gate = gate, value
			}
			g.gate(gate, gate)
			multiply(dst[r*half:(r+1)*half], value, gate)
		}
		return nil
	})
}
