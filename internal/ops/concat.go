package ops

import (
	"context"
	"errors"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// concat joins arrays along one axis: each row of the result is a part of
// each input, one after the other.
type concat struct {
	computed
	xs   []graph.Array
	part []int64 // elements of a row from each input
	row  int64   // their sum
}

// Concat joins xs along axis, which may count from the end, as
// numpy.concatenate: the dtypes promote, and all other extents must agree.
// Types without arithmetic promote among their kind, see dtype.Promote.
func Concat(xs []graph.Array, axis int) (graph.Array, error) {
	ax, err := shape.Axis(axis, len(xs[0].Shape()))
	if err != nil {
		return nil, graph.Errorf(xs[0], "%v: shape %v", err, xs[0].Shape())
	}
	shapes := make([]shape.Shape, len(xs))
	for i, x := range xs {
		shapes[i] = x.Shape()
	}
	out, err := shape.Concat(shapes, ax)
	if m := (*shape.MismatchError)(nil); errors.As(err, &m) {
		x := xs[m.Input]
		if m.Axis < 0 {
			return nil, graph.Errorf(x, "shape %v has %d dimensions, %v of %s has %d", x.Shape(), len(x.Shape()), shapes[0], graph.NameOf(xs[0]), len(shapes[0]))
		}
		e := graph.Errorf(x, "shape %v does not join with %v of %s along axis %d: axis %d differs", x.Shape(), shapes[0], graph.NameOf(xs[0]), ax, m.Axis)
		return nil, hintAlign(e, x)
	} else if err != nil {
		return nil, &graph.Error{Msg: "the result is too large: " + err.Error()}
	}
	xs, t, err := Promote(xs)
	if err != nil {
		return nil, err
	}
	if _, err := out.Check(t.Size()); err != nil {
		return nil, &graph.Error{Msg: "the result is too large: " + err.Error()}
	}
	c := &concat{computed: computed{op: "concat", dt: t, sh: out}, xs: xs}
	for _, x := range xs {
		p := x.Shape().Product(ax, len(out))
		c.part = append(c.part, p)
		c.row += p
	}
	return c, nil
}

func (*concat) ReadsByRegion() bool { return true }

func (c *concat) Operands(visit func(*graph.Array)) {
	for i := range c.xs {
		visit(&c.xs[i])
	}
}

// ReadsInTurn is true of a join along the first axis.
func (c *concat) ReadsInTurn() bool { return c.row == c.sh.Len() }

func (c *concat) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	for i := range c.xs {
		of := int64(1)
		if unit%c.row == 0 {
			of = unit / c.row * c.part[i]
		}
		say(&c.xs[i], of)
	}
}

func (*concat) Flops() int64 { return 0 }

func (c *concat) Memory(n int64) int64 {
	blocked := c.Tiling().Rows > 1
	most := int64(0)
	for i, x := range c.xs {
		part := n
		if !blocked {
			part = min(n, (n/max(c.row, 1)+1)*c.part[i])
		}
		most = max(most, part*c.size()+graph.MemoryOf(x, part))
	}
	return most
}

// Tiling follows the first input that prefers blocks.
func (c *concat) Tiling() graph.Tiling {
	for i, x := range c.xs {
		t, p := graph.TilingOf(x), c.part[i]
		if t.Rows <= 1 || p == 0 {
			continue
		}
		switch block := t.Rows * t.Stride; {
		case t.Stride%p == 0: // the axis is one of those that a run takes
			t.Stride = t.Stride / p * c.row
			if c.row <= max(t.TileCols, shortRow) { // rows stay whole
				t.TileCols = max(t.TileCols/c.row, 1) * c.row
			}
		case block%p == 0: // one of those that runs count through
			t.Rows = block / p * c.row / t.Stride
		case p%block != 0:
			continue
		}
		return graph.Tiling{Rows: t.Rows, Stride: t.Stride, TileRows: t.TileRows, TileCols: t.TileCols}
	}
	return graph.Tiling{}
}

// shortRow is the elements up to which a row is short.
const shortRow = 64

// ReadRegion asks each input for a region of its own, where the runs of one lie
// one under the other.
func (c *concat) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	size := c.size()
	row, col := r.Off/c.row, r.Off%c.row
	switch {
	case r.Stride%c.row == 0 && col == 0 && r.Len%c.row == 0:
		return c.rows(ctx, dst, r)
	case r.Stride%c.row == 0 && col+r.Len <= c.row:
		at := int64(0)
		for i, p := range c.part {
			from, to := max(col, at), min(col+r.Len, at+p)
			if from < to {
				in := graph.Region{Off: row*p + from - at, Runs: r.Runs, Len: to - from, Stride: r.Stride / c.row * p}
				if err := c.place(ctx, dst[(from-col)*size:], r.Len, i, in, in.Len); err != nil {
					return err
				}
			}
			at += p
		}
		return nil
	case col+(r.Runs-1)*r.Stride+r.Len <= c.row:
		at := int64(0) // where the part of input i begins
		for i, p := range c.part {
			for r.Runs > 0 && col < at+p {
				var n int64 // runs that end in this part
				var err error
				if left := at + p - col - r.Len; left >= 0 {
					n = min(r.Runs, left/r.Stride+1)
					err = graph.ReadRegion(ctx, c.xs[i], dst[:n*r.Len*size], graph.Region{Off: row*p + col - at, Runs: n, Len: r.Len, Stride: r.Stride})
				} else {
					n = 1
					err = c.Read(ctx, dst[:r.Len*size], row*c.row+col)
				}
				if err != nil {
					return err
				}
				dst, col, r.Runs = dst[n*r.Len*size:], col+n*r.Stride, r.Runs-n
			}
			at += p
		}
		return nil
	}
	return graph.ReadRuns(ctx, c, dst, r)
}

func (c *concat) Read(ctx context.Context, dst []byte, off int64) error {
	size := c.size()
	for len(dst) > 0 {
		row, col := off/c.row, off%c.row
		n := int64(len(dst)) / size
		if col == 0 && n >= c.row && len(c.xs) > 1 {
			n -= n % c.row
			if err := c.rows(ctx, dst[:n*size], graph.OneRun(off, n)); err != nil {
				return err
			}
			dst, off = dst[n*size:], off+n
			continue
		}
		// Part of a row: the rest of the part that off lies in.
		for i, p := range c.part {
			if col >= p {
				col -= p
				continue
			}
			take := min(n, p-col)
			if err := c.xs[i].Read(ctx, dst[:take*size], row*p+col); err != nil {
				return err
			}
			dst, off = dst[take*size:], off+take
			break
		}
	}
	return nil
}

// rows fills dst with a region whose runs are whole rows: each input gives its
// part of all of them.
func (c *concat) rows(ctx context.Context, dst []byte, r graph.Region) error {
	at := int64(0)
	for i, p := range c.part {
		if p == 0 {
			continue
		}
		in := graph.Region{Off: r.Off / c.row * p, Runs: r.Runs, Len: r.Len / c.row * p, Stride: r.Stride / c.row * p}
		if err := c.place(ctx, dst[at*c.size():], c.row, i, in, p); err != nil {
			return err
		}
		at += p
	}
	return nil
}

// place fills dst with a region of input i, in pieces of n elements that start
// stride elements apart.
func (c *concat) place(ctx context.Context, dst []byte, stride int64, i int, r graph.Region, n int64) error {
	all, size := r.Runs*r.Len, c.size()
	if all == n || n == stride {
		return graph.ReadRegion(ctx, c.xs[i], dst[:all*size], r)
	}
	buf := graph.GetBuffer(all * size)
	defer graph.PutBuffer(buf)
	if err := graph.ReadRegion(ctx, c.xs[i], buf, r); err != nil {
		return err
	}
	kernel.CopyRows(dst, int(stride*size), buf, int(n*size), int(n*size), int(all/n))
	return nil
}
