package ops

import (
	"context"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// nary combines arrays of one shape and dtype element by element, from left
// to right.
type nary struct {
	computed
	xs   []graph.Array
	loop kernel.Loop3
}

func (f *nary) Operands(visit func(*graph.Array)) {
	for i := range f.xs {
		visit(&f.xs[i])
	}
}

func (f *nary) Flops() int64 {
	each := int64(1)
	if f.op == "pow" {
		each = elementary
	}
	return int64(len(f.xs)-1) * each * f.sh.Len()
}

func (f *nary) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	for i := range f.xs {
		say(&f.xs[i], unit)
	}
}

func (f *nary) Memory(n int64) int64 {
	most := int64(0)
	for i, x := range f.xs {
		m := graph.MemoryOf(x, n)
		if i > 0 {
			m += n * f.size()
		}
		most = max(most, m)
	}
	return most
}

func (*nary) ReadsByRegion() bool { return true }

// Tiling follows the first input that prefers blocks; whole rows of the others
// fit into it where they can.
func (f *nary) Tiling() graph.Tiling {
	t := graph.TilingOf(f.xs[0])
	for _, x := range f.xs[1:] {
		o := graph.TilingOf(x)
		switch {
		case t.Rows > 1 && o.Rows <= 1 && o.Unit > 1 && t.TileCols > o.Unit:
			t.TileCols -= t.TileCols % o.Unit
		case t.Rows <= 1 && o.Rows > 1, t.Unit < o.Unit && t.Rows <= 1:
			t = o
		}
	}
	return t
}

func (f *nary) Read(ctx context.Context, dst []byte, off int64) error {
	return f.ReadRegion(ctx, dst, graph.OneRun(off, int64(len(dst))/f.size()))
}

func (f *nary) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	acc, err := graph.Peek(ctx, f.xs[0], dst, r)
	if err != nil {
		return err
	}
	buf := graph.GetBuffer(int64(len(dst)))
	defer graph.PutBuffer(buf)
	for _, x := range f.xs[1:] {
		next, err := graph.Peek(ctx, x, buf, r)
		if err != nil {
			return err
		}
		f.loop(dst, acc, next)
		acc = dst
	}
	return nil
}
