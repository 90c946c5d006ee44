package ops

import (
	"context"
	"fmt"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// packed is matrices [K,N], such as weights, in the panels that kernel.Right has, one
// matrix after the other. They are held by what multiplies by them.
type packed struct {
	unary
	k, n, groups int // groups: matrices
	row, next    int // elements from a row to the next, and from a matrix to the next
	panel        int
}

// pack holds a matrix [K, groups·N] packed, as matrices of N columns each.
func pack(b graph.Array, groups int) *graph.Materialized {
	s := b.Shape()
	return newPacked(b, packed{k: s[0], n: s[1] / groups, groups: groups, row: s[1], next: s[1] / groups})
}

// packEach holds matrices [groups, K, N] packed.
func packEach(b graph.Array) *graph.Materialized {
	s := b.Shape()
	return newPacked(b, packed{k: s[1], n: s[2], groups: s[0], row: s[2], next: s[1] * s[2]})
}

func newPacked(b graph.Array, p packed) *graph.Materialized {
	p.panel = kernel.Active().Panel(b.DType().Kind())
	if graph.FarApart(int64(p.row * b.DType().Size())) {
		b = graph.Materialize(b) // its short runs lie too far apart to be read in one piece
	}
	across := (p.n + p.panel - 1) / p.panel
	p.unary = unary{computed{op: "pack", dt: b.DType(), sh: shape.Shape{p.groups * across, p.k, p.panel}}, b}
	return graph.Materialize(&p)
}

func (p *packed) Flops() int64 { return 0 }

func (p *packed) Tiling() graph.Tiling { return graph.Tiling{Unit: int64(p.k * p.panel)} }

func (p *packed) Memory(n int64) int64 {
	one := int64(p.k * p.panel)
	return (one+wholeRowsMemory(n, one))*p.size() + graph.MemoryOf(p.x, one)
}

func (p *packed) Read(ctx context.Context, dst []byte, off int64) error {
	one := int64(p.k * p.panel)
	return wholeRows(dst, off, one, p.size(), func(dst []byte, first, n int64) error {
		for i := range n {
			if err := p.read(ctx, dst[i*one*p.size():(i+1)*one*p.size()], int(first+i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// read fills dst with panel number i.
func (p *packed) read(ctx context.Context, dst []byte, i int) error {
	across := p.sh[0] / p.groups
	group, j := i/across, i%across*p.panel
	cols := min(p.panel, p.n-j)
	r := graph.Region{Off: int64(group*p.next + j), Runs: int64(p.k), Len: int64(cols), Stride: int64(p.row)}
	if cols == p.panel {
		return graph.ReadRegion(ctx, p.x, dst, r)
	}
	size := int(p.size())
	part := graph.GetBuffer(int64(p.k * cols * size))
	defer graph.PutBuffer(part)
	if err := graph.ReadRegion(ctx, p.x, part, r); err != nil {
		return err
	}
	clear(dst)
	kernel.CopyRows(dst, p.panel*size, part, cols*size, cols*size, p.k)
	return nil
}

// Derivation lets the engine keep what many graphs pack of one weight.
func (p *packed) Derivation() (source graph.Array, how string) {
	source, how = derivation(p.x)
	return source, fmt.Sprintf("%s packed %d %d %d %d %d", how, p.k, p.n, p.groups, p.row, p.panel)
}

// derivation is the source that x is moved and converted from, and by what; nil
// where it is computed otherwise.
func derivation(x graph.Array) (source graph.Array, how string) {
	from, by := x, ""
	switch n := x.(type) {
	case *graph.Materialized:
		from = n.Of()
	case transposition:
		var perm []int
		from, perm = n.from()
		by = fmt.Sprint(perm)
	case *view:
		from = n.x
	case *slice:
		from, by = n.x, fmt.Sprint(n.from, n.run, n.axes)
	case *mapped:
		if n.op != "cast" {
			return nil, ""
		}
		from = n.x
	case graph.Node:
		return nil, ""
	default:
		return x, ""
	}
	source, how = derivation(from)
	return source, fmt.Sprintf("%s %v %v %s", how, x.DType(), x.Shape(), by)
}

// isPacked reports whether h is what pack holds.
func isPacked(h *graph.Materialized) bool {
	_, ok := h.Of().(*packed)
	return ok
}

// group is one matrix of what pack holds, to multiply by.
func group[T kernel.Float](h *graph.Materialized, i int) kernel.Right[T] {
	p := h.Of().(*packed)
	data := kernel.View[T](h.Bytes())
	per := len(data) / p.groups
	return kernel.Right[T]{Data: data[i*per : (i+1)*per], K: p.k, N: p.n}
}

// postOps are the operations that a product applies to its elements while they
// are in the cache: it adds a residual of its own shape and a bias, a number for
// each output channel, and then applies an activation.
type postOps struct {
	residual   graph.Array // nil: none; in the product's dtype
	bias       graph.Array // nil: none
	activation string
}

// fuse says whether a product of dtype t can apply an activation itself; otherwise
// it comes after.
func fuse(activation string, t dtype.Type) (fused, after string) {
	if kernel.Active().Activation(activation, t.Kind()) == nil {
		return "", activation
	}
	return activation, ""
}

// epilogue is postOps with their arrays in memory, as operands of the node.
type epilogue struct {
	bias       graph.Array // nil: none; in memory
	residual   graph.Array // nil: none
	activation func(dst, src []byte)
	flops      int64 // an element
}

// materialize makes them ready for products of dtype t with n output channels.
func (post postOps) materialize(t dtype.Type, n int) (epilogue, error) {
	out := epilogue{residual: post.residual}
	if post.residual != nil {
		out.flops++
	}
	if post.bias != nil {
		if err := checkBias(post.bias, n); err != nil {
			return out, err
		}
		out.bias = graph.Materialize(reshape(cast(post.bias, t), shape.Shape{n}))
		out.flops++
	}
	if post.activation != "" {
		out.activation = kernel.Active().Activation(post.activation, t.Kind())
		out.flops += kernel.ActivationFlops(post.activation)
	}
	return out, nil
}

// operands visits those that there are, for the Operands of the node.
func (e *epilogue) operands(visit func(*graph.Array)) {
	if e.bias != nil {
		visit(&e.bias)
	}
	if e.residual != nil {
		visit(&e.residual)
	}
}

// biasOf is the bias of n channels from number first on; nil if there is none.
func biasOf[T kernel.Float](e epilogue, first, n int) []T {
	if e.bias == nil {
		return nil
	}
	return kernel.View[T](e.bias.(graph.Resident).Bytes())[first : first+n]
}

// kernelEpilogue is the epilogue of n channels from number first on, likewise.
func kernelEpilogue[T kernel.Float](e epilogue, first, n int) kernel.Epilogue[T] {
	return kernel.Epilogue[T]{Bias: biasOf[T](e, first, n), Activation: e.activation}
}
