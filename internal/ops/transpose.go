package ops

import (
	"context"
	"math"
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// blockTranspose exchanges two neighbouring blocks of axes: source [outer, A, B,
// inner] seen as [outer, B, A, inner].
type blockTranspose struct {
	unary
	perm []int
	s    shape.Swap
}

// Transpose permutes the axes as numpy.transpose: axis i of the result is
// axis perm[i] of x.
func Transpose(x graph.Array, perm []int) (graph.Array, error) {
	axes, err := shape.Axes(perm, len(x.Shape()))
	if err != nil || len(axes) != len(x.Shape()) {
		return nil, graph.Errorf(x, "shape %v can't be transposed by %v", x.Shape(), perm)
	}
	return transpose(x, perm), nil
}

// transposition is a node that permutes the axes of another array.
type transposition interface {
	from() (x graph.Array, perm []int)
}

// Untransposed is the array that x is a transposition of, for what the order of
// axes says nothing to; other arrays are returned as they are.
func Untransposed(x graph.Array) graph.Array {
	if t, ok := x.(transposition); ok {
		x, _ = t.from()
	}
	return x
}

func (t *blockTranspose) from() (graph.Array, []int) { return t.x, t.perm }

// transpose is Transpose for what is known to be a permutation.
func transpose(x graph.Array, perm []int) graph.Array {
	if t, ok := x.(transposition); ok { // both at once
		from, before := t.from()
		both := make([]int, len(perm))
		for i, a := range perm {
			both[i] = before[a]
		}
		x, perm = from, both
	}
	out := x.Shape().Permute(perm)
	switch swaps := x.Shape().Swaps(perm); {
	case slices.IsSorted(perm):
		return x
	case len(swaps) == 0 || graph.SizeOf(x) == 0: // no byte moves
		return reshape(x, out)
	case len(swaps) == 1:
		return &blockTranspose{unary{computed{op: "transpose", dt: x.DType(), sh: out}, x}, perm, swaps[0]}
	}
	if k, ok := x.(graph.Keeper); ok {
		if reading, _ := k.Keeps(); reading > 0 {
			return newPermuted(graph.Materialize(x), perm) // it is best read in order
		}
	}
	return newPermuted(graph.MaterializeComputed(x), perm)
}

func (*blockTranspose) Flops() int64 { return 0 }

func (t *blockTranspose) Memory(n int64) int64 {
	return graph.PeekBuffer(t.x, n)*t.size() + graph.MemoryOf(t.x, n)
}

// block is the elements of which no others take a place.
func (t *blockTranspose) block() int64 { return t.s.A * t.s.B * t.s.Inner }

// ReadsOnce is so by whole blocks.
func (t *blockTranspose) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if unit%t.block() == 0 {
		say(&t.x, unit)
	}
}

// Tiling takes whole blocks where they are small. Otherwise it takes all of B with
// a range of A, since the source then gives one run, or where that would be too
// much, a square of both.
func (t *blockTranspose) Tiling() graph.Tiling {
	if unit := wholeUnit(t, t.block()); unit > 0 {
		return graph.Tiling{Unit: unit}
	}
	s := t.s
	const most = 1 << 18 // elements of a tile
	rows := s.B
	if rows*s.Inner > most/64 {
		rows = min(s.B, max(int64(math.Sqrt(float64(most/s.Inner))), 1))
	}
	cols := max(most/(rows*s.Inner), 1)
	return graph.Tiling{Rows: s.B, Stride: s.A * s.Inner, TileRows: rows, TileCols: cols * s.Inner}
}

func (t *blockTranspose) Read(ctx context.Context, dst []byte, off int64) error {
	s, size := t.s, t.size()
	row := s.A * s.Inner
	for len(dst) > 0 {
		outer, b, col := off/(s.B*row), off/row%s.B, off%row
		n := int64(len(dst)) / size
		var take int64
		switch in := col % s.Inner; {
		case off%t.block() == 0 && n >= t.block():
			take = n - n%t.block()
			if err := t.blocks(ctx, dst[:take*size], off); err != nil {
				return err
			}
		case in != 0 || n < s.Inner: // within one position
			take = min(n, s.Inner-in)
			if err := t.x.Read(ctx, dst[:take*size], ((outer*s.A+col/s.Inner)*s.B+b)*s.Inner+in); err != nil {
				return err
			}
		case col != 0 || n < row: // part of one row
			cols := min(n, row-col) / s.Inner
			take = cols * s.Inner
			if err := t.box(ctx, dst[:take*size], outer, b, 1, col/s.Inner, cols); err != nil {
				return err
			}
		default: // whole rows
			rows := min(n/row, s.B-b)
			take = rows * row
			if err := t.box(ctx, dst[:take*size], outer, b, rows, 0, s.A); err != nil {
				return err
			}
		}
		dst, off = dst[take*size:], off+take
	}
	return nil
}

// blocks fills dst with whole blocks, of which the first begins with element off in
// the source, too.
func (t *blockTranspose) blocks(ctx context.Context, dst []byte, off int64) error {
	src, buf, err := graph.PeekRun(ctx, t.x, off, int64(len(dst))/t.size())
	defer graph.PutBuffer(buf)
	if err != nil {
		return err
	}
	for block := int(t.block() * t.size()); len(dst) > 0; dst, src = dst[block:], src[block:] {
		kernel.Transpose(dst[:block], src[:block], int(t.s.A), int(t.s.B), int(t.s.Inner*t.size()))
	}
	return nil
}

func (t *blockTranspose) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	s := t.s
	row := s.A * s.Inner
	outer, b, col := r.Off/(s.B*row), r.Off/row%s.B, r.Off%row
	if r.Stride == row && b+r.Runs <= s.B && col+r.Len <= row && col%s.Inner == 0 && r.Len%s.Inner == 0 {
		return t.box(ctx, dst, outer, b, r.Runs, col/s.Inner, r.Len/s.Inner)
	}
	return graph.ReadRuns(ctx, t, dst, r)
}

// box fills dst with rows b to b+nb by columns a to a+na of one outer block.
func (t *blockTranspose) box(ctx context.Context, dst []byte, outer, b, nb, a, na int64) error {
	s := t.s
	src := graph.Region{Off: ((outer*s.A+a)*s.B + b) * s.Inner, Runs: na, Len: nb * s.Inner, Stride: s.B * s.Inner}
	if x, ok := t.x.(graph.Resident); ok {
		size := int(s.Inner * t.size())
		kernel.TransposeRows(dst, int(na)*size, x.Bytes()[src.Off*t.size():], int(src.Stride*t.size()), int(na), int(nb), size)
		return nil
	}
	buf := graph.GetBuffer(int64(len(dst)))
	defer graph.PutBuffer(buf)
	if err := graph.ReadRegion(ctx, t.x, buf, src); err != nil {
		return err
	}
	kernel.Transpose(dst, buf, int(na), int(nb), int(s.Inner)*t.dt.Size())
	return nil
}
