package ops

import (
	"context"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// PadModes lists what Surround puts around an array: a value, its outermost
// positions, its positions mirrored at these or beyond them, or those of the
// other end.
var PadModes = []string{"constant", "edge", "reflect", "symmetric", "wrap"}

// SurroundOptions are the options of Surround.
type SurroundOptions struct {
	// Widths are the positions before and after, for each of Axes or one pair for
	// all; negative ones are taken away.
	Widths [][2]int
	Axes   []int // all, where it is nil
	Mode   string
	Value  *float64 // in mode constant; nil is 0, and for texts none
}

// Surround adds positions at the ends of axes, as numpy.pad does in all its modes
// of moving, and torch.nn.functional.pad: its replicate is edge, its circular wrap.
// Negative widths take positions away first. The dtype stays, and the value must
// fit it.
func Surround(x graph.Array, o SurroundOptions) (graph.Array, error) {
	s := x.Shape()
	axes := o.Axes
	if axes == nil {
		for a := range s {
			axes = append(axes, a)
		}
	}
	if _, err := shape.Axes(axes, len(s)); err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	if len(o.Widths) != 1 && len(o.Widths) != len(axes) {
		e := graph.Errorf(x, "shape %v: %d widths for %d axes", s, len(o.Widths), len(axes))
		return nil, e.Hint("want a width for each axis, or one for all; before and after may differ: 1:2")
	}
	value, err := padValue(x, o.Value)
	if err != nil {
		return nil, err
	}
	out, ranges := s.Clone(), everything(s)
	for i, a := range axes {
		a, _ := shape.Axis(a, len(s))
		width := pick(o.Widths, i, [2]int{})
		taken, added := [2]int{-min(width[0], 0), -min(width[1], 0)}, [2]int{max(width[0], 0), max(width[1], 0)}
		n := s[a] - taken[0] - taken[1]
		switch {
		case width[0] < -s[a] || width[1] < -s[a] || n < 0:
			return nil, graph.Errorf(x, "shape %v: axis %d has extent %d, from which %d and %d can't be taken away", s, a, s[a], taken[0], taken[1])
		case n == 0 && o.Mode != "constant" && added != [2]int{}:
			return nil, graph.Errorf(x, "shape %v: axis %d has no positions for mode %s to repeat", s, a, o.Mode)
		}
		if out[a] = n + added[0] + added[1]; out[a] < max(n, added[0], added[1]) {
			return nil, graph.Errorf(x, "the result is too large: axis %d would have %d, %d and %d positions", a, added[0], n, added[1])
		}
		ranges[a] = shape.Range{Start: taken[0], N: n, Step: 1}
	}
	if err := checkSize(x, out); err != nil {
		return nil, err
	}
	x = sliced(x, ranges)
	for i, a := range axes {
		a, _ := shape.Axis(a, len(s))
		width := pick(o.Widths, i, [2]int{})
		x = pad(x, a, max(width[0], 0), max(width[1], 0), o.Mode, value)
	}
	return x, nil
}

// padValue is the bytes of an element of x's dtype that is v.
func padValue(x graph.Array, v *float64) ([]byte, error) {
	t := x.DType()
	switch {
	case v == nil:
		return make([]byte, t.Size()), nil
	case t.IsOpaque():
		return nil, graph.Errorf(x, "dtype %v has no number to pad with", t).Hint("without --value it is padded with zero bytes: empty texts, the date 1970-01-01")
	case fits(*v, t):
		return Constant(t, *v).(*constant).data, nil
	}
	return nil, graph.Errorf(x, "the value %v does not fit dtype %v", *v, t).Hint("--dtype pads in another dtype: --dtype float32")
}

// padded is another array, seen as [outer, n, inner], with positions added along n.
type padded struct {
	unary
	before, n int64 // positions added before, and those of the source
	len       int64 // positions in all
	inner     int64
	mode      string
	value     []byte
}

// pad is x with positions added at both ends of an axis, which has some to repeat
// unless mode is constant.
func pad(x graph.Array, axis, before, after int, mode string, value []byte) graph.Array {
	if before+after == 0 {
		return x
	}
	s := x.Shape().Clone()
	n := s[axis]
	s[axis] += before + after
	return &padded{
		unary{computed{op: "pad", dt: x.DType(), sh: s}, x},
		int64(before), int64(n), int64(s[axis]), s.Product(axis+1, len(s)), mode, value,
	}
}

func (*padded) Flops() int64 { return 0 }

func (p *padded) Memory(n int64) int64 { return n*p.size() + graph.MemoryOf(p.x, n) }

// row is the elements of all positions along the axis.
func (p *padded) row() int64 { return p.len * p.inner }

func (p *padded) Tiling() graph.Tiling {
	if unit := wholeUnit(p, p.row()); unit > 0 {
		return graph.Tiling{Unit: unit}
	}
	return graph.Tiling{Unit: wholeUnit(p, p.inner)}
}

func (p *padded) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	switch {
	case unit%max(p.row(), 1) == 0:
		say(&p.x, unit/p.row()*p.n*p.inner)
	case p.mode == "constant":
		say(&p.x, 1)
	}
}

// piece is positions that follow one another in the result. In the source they
// begin with position from and follow one another (step 1), the other way around
// (-1), or are that one (0); from is -1 where they are the value.
type piece struct{ from, step, len int64 }

// at is the positions from position i on that are one piece.
func (p *padded) at(i int64) piece {
	i -= p.before
	beyond := func(c piece) piece { // what is not inside
		end := p.len - p.before
		if i < 0 {
			end = 0
		}
		c.len = min(c.len, end-i)
		return c
	}
	mode := p.mode
	if mode == "reflect" && p.n == 1 {
		mode = "edge"
	}
	switch {
	case i >= 0 && i < p.n:
		return piece{i, 1, p.n - i}
	case mode == "constant":
		return beyond(piece{-1, 0, p.len})
	case mode == "edge":
		return beyond(piece{min(max(i, 0), p.n-1), 0, p.len})
	case mode == "wrap":
		k := modulo(i, p.n)
		return beyond(piece{k, 1, p.n - k})
	case mode == "symmetric":
		k := modulo(i, 2*p.n)
		if k < p.n {
			return beyond(piece{k, 1, p.n - k})
		}
		return beyond(piece{2*p.n - 1 - k, -1, 2*p.n - k})
	}
	k := modulo(i, 2*p.n-2) // reflect: the last position has no twin
	if k < p.n-1 {
		return beyond(piece{k, 1, p.n - 1 - k})
	}
	return beyond(piece{2*p.n - 2 - k, -1, 2*p.n - 2 - k})
}

// modulo is the remainder of a by b that isn't negative.
func modulo(a, b int64) int64 { return (a%b + b) % b }

func (p *padded) Read(ctx context.Context, dst []byte, off int64) error {
	size, row := p.size(), p.row()
	for len(dst) > 0 {
		n := int64(len(dst)) / size
		var take int64
		var err error
		if rows := n / row; off%row == 0 && rows > 0 {
			take = rows * row
			err = p.rows(ctx, dst[:take*size], off/row, rows)
		} else {
			take, err = p.within(ctx, dst[:min(n, row-off%row)*size], off/row, off%row)
		}
		if err != nil {
			return err
		}
		dst, off = dst[take*size:], off+take
	}
	return nil
}

// rows fills dst with n rows, from number first on: the source's are read at once,
// and each piece is copied to all of them.
func (p *padded) rows(ctx context.Context, dst []byte, first, n int64) error {
	from := p.n * p.inner // elements of a row of the source
	src, buf, err := graph.PeekRun(ctx, p.x, first*from, n*from)
	defer graph.PutBuffer(buf)
	if err != nil {
		return err
	}
	position := p.inner * p.size()
	out, in := p.row()*p.size(), from*p.size()
	for i := int64(0); i < p.len; {
		c := p.at(i)
		switch {
		case c.from < 0:
			one := dst[i*position:][:c.len*position]
			kernel.Fill(one, p.value)
			if n > 1 {
				kernel.CopyRows(dst[out+i*position:], int(out), one, 0, len(one), int(n-1))
			}
		case c.step == 1:
			kernel.CopyRows(dst[i*position:], int(out), src[c.from*position:], int(in), int(c.len*position), int(n))
		default:
			for k := range c.len {
				kernel.CopyRows(dst[(i+k)*position:], int(out), src[(c.from+k*c.step)*position:], int(in), int(position), int(n))
			}
		}
		i += c.len
	}
	return nil
}

// within fills the beginning of dst, which is elements of one row from number col
// on, and tells how many.
func (p *padded) within(ctx context.Context, dst []byte, row, col int64) (n int64, err error) {
	size := p.size()
	n = int64(len(dst)) / size
	in := col % p.inner
	c := p.at(col / p.inner)
	start := (row*p.n+c.from)*p.inner + in
	positions := min(n/p.inner, c.len)
	switch {
	case c.from < 0:
		n = min(n, c.len*p.inner-in)
		kernel.Fill(dst[:n*size], p.value)
	case c.step == 1:
		n = min(n, c.len*p.inner-in)
		err = p.x.Read(ctx, dst[:n*size], start)
	case in != 0 || positions == 0: // part of a position
		n = min(n, p.inner-in)
		err = p.x.Read(ctx, dst[:n*size], start)
	case c.step == 0:
		n = positions * p.inner
		if err = p.x.Read(ctx, dst[:p.inner*size], start); err == nil {
			kernel.Fill(dst[:n*size], dst[:p.inner*size])
		}
	default: // back to front
		n = positions * p.inner
		src, buf, e := graph.PeekRun(ctx, p.x, start-(positions-1)*p.inner, n)
		defer graph.PutBuffer(buf)
		each := p.inner * size
		for i := range positions {
			if e == nil {
				copy(dst[i*each:(i+1)*each], src[(positions-1-i)*each:])
			}
		}
		err = e
	}
	return n, err
}
