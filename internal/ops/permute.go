package ops

import (
	"context"
	"math"
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// permuted is an array with its axes in another order, where one exchange of
// neighbouring blocks doesn't give that: an array of 3 and more axes in Fortran
// order, say. It is read in tiles of which neither side is cut short.
type permuted struct {
	unary
	perm    []int
	axes    []movedAxis // of the result, outermost first; those that stay together are one
	inOrder []int       // their numbers as x has them, outermost first
}

// movedAxis is an axis with the elements that one step on it takes in the result
// and in the source.
type movedAxis struct{ len, out, src int64 }

func newPermuted(x graph.Array, perm []int) *permuted {
	s := x.Shape()
	p := &permuted{unary: unary{computed{op: "transpose", dt: x.DType(), sh: s.Permute(perm)}, x}, perm: perm}
	for i, a := range perm {
		n, src := int64(s[a]), s.Product(a+1, len(s))
		switch at := len(p.axes) - 1; {
		case n == 1:
			continue
		case at >= 0 && p.axes[at].src == n*src: // it follows in the source, too
			p.axes[at].len *= n
			p.axes[at].src = src
			p.axes[at].out /= n
			continue
		}
		p.axes = append(p.axes, movedAxis{n, p.sh.Product(i+1, len(s)), src})
	}
	for i := range p.axes {
		p.inOrder = append(p.inOrder, i)
	}
	slices.SortFunc(p.inOrder, func(a, b int) int { return int(p.axes[b].src - p.axes[a].src) })
	return p
}

func (*permuted) Scattered() bool { return true }

func (p *permuted) from() (graph.Array, []int) { return p.x, p.perm }

func (*permuted) Flops() int64 { return 0 }

func (p *permuted) Memory(n int64) int64 {
	return graph.PeekBuffer(p.x, n)*p.size() + graph.MemoryOf(p.x, n)
}

// permutedTile is the bytes of a tile.
const permutedTile = 1 << 20

// Tiling cuts the axes where both runs, of the result and of the source, are
// long: of all rectangles it takes the one that makes the sum of both kinds of
// runs fewest.
func (p *permuted) Tiling() (best graph.Tiling) {
	most := max(permutedTile/p.size(), 1)
	fewest := math.Inf(1)
	for cut := 1; cut < len(p.axes); cut++ {
		stride := p.axes[cut-1].out
		rows := p.sh.Len() / stride
		for cols := int64(1); ; cols *= 2 {
			takes := make([]int64, len(p.axes)) // positions of each axis
			c := p.take(takes, cut, len(p.axes), cols)
			r := p.take(takes, 0, cut, max(most/c, 1))
			out := c
			if c == stride {
				out *= r
			}
			if runs := 1/float64(out) + 1/float64(p.sourceRun(takes)); runs < fewest {
				fewest, best = runs, graph.Tiling{Rows: rows, Stride: stride, TileRows: r, TileCols: c}
			}
			if cols >= min(stride, most) {
				break
			}
		}
	}
	return best
}

// take gives the axes [from,to) as many positions as n elements have room for,
// the last ones first, and tells how many elements these are.
func (p *permuted) take(takes []int64, from, to int, n int64) int64 {
	all := int64(1)
	for i := to - 1; i >= from; i-- {
		takes[i] = min(p.axes[i].len, n/all)
		all *= takes[i]
		if takes[i] < p.axes[i].len {
			for j := from; j < i; j++ {
				takes[j] = 1
			}
			break
		}
	}
	return all
}

// sourceRun is the elements that lie together in the source of so many positions
// of each axis.
func (p *permuted) sourceRun(takes []int64) int64 {
	n := int64(1)
	for _, a := range slices.Backward(p.inOrder) {
		n *= takes[a]
		if takes[a] < p.axes[a].len {
			break
		}
	}
	return n
}

func (p *permuted) Read(ctx context.Context, dst []byte, off int64) error {
	return p.ReadRegion(ctx, dst, graph.OneRun(off, int64(len(dst))/p.size()))
}

func (p *permuted) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	boxes := make([]side, len(p.axes))
	if r.Runs == 1 {
		return p.boxes(boxes, 0, len(p.axes), r.Off, r.Len, func() error { return p.box(ctx, dst, boxes, r, 0) })
	}
	cut := slices.IndexFunc(p.axes, func(a movedAxis) bool { return a.out == r.Stride }) + 1
	if cut == 0 || r.Off%r.Stride+r.Len > r.Stride {
		return graph.ReadRuns(ctx, p, dst, r)
	}
	return p.boxes(boxes, 0, cut, r.Off/r.Stride, r.Runs, func() error {
		return p.boxes(boxes, cut, len(p.axes), r.Off%r.Stride, r.Len, func() error { return p.box(ctx, dst, boxes, r, cut) })
	})
}

// side is the positions of a box along an axis.
type side struct{ at, len int64 }

// boxes cuts n positions from number off on, which count through the axes
// [from,to), into boxes, and calls do with the sides of each.
func (p *permuted) boxes(sides []side, from, to int, off, n int64, do func() error) error {
	if from == to {
		return do()
	}
	inner := int64(1)
	for _, a := range p.axes[from+1 : to] {
		inner *= a.len
	}
	for n > 0 {
		i, in := off/inner, off%inner
		take := min(n, inner-in)
		sides[from] = side{i, 1}
		var err error
		if in == 0 && n >= inner { // whole positions of this axis
			take = n - n%inner
			sides[from].len = take / inner
			err = p.boxes(sides, from+1, to, 0, inner, do)
		} else {
			err = p.boxes(sides, from+1, to, in, take, do)
		}
		if err != nil {
			return err
		}
		off, n = off+take, n-take
	}
	return nil
}

// box fills its part of dst, which is region r. Axes before number cut count the
// runs of the region.
func (p *permuted) box(ctx context.Context, dst []byte, sides []side, r graph.Region, cut int) error {
	size := p.size()
	axes := make([]movedAxis, len(sides)) // of the box, with steps in dst and in src
	to, from, n := -r.Off, int64(0), int64(1)
	if cut > 0 {
		to = -(r.Off/r.Stride*r.Len + r.Off%r.Stride)
	}
	for i, s := range sides {
		a := p.axes[i]
		a.len = s.len
		from += s.at * a.src
		if i < cut {
			a.out = a.out / r.Stride * r.Len
		}
		to += s.at * a.out
		axes[i], n = a, n*s.len
	}
	if x, ok := p.x.(graph.Resident); ok {
		permute(dst[to*size:], x.Bytes()[from*size:], axes, int(size))
		return nil
	}
	buf := graph.GetBuffer(n * size)
	defer graph.PutBuffer(buf)
	if err := p.fetch(ctx, buf, axes, from); err != nil {
		return err
	}
	step := int64(1) // the box comes without gaps
	for _, i := range slices.Backward(p.inOrder) {
		axes[i].src = step
		step *= axes[i].len
	}
	permute(dst[to*size:], buf, axes, int(size))
	return nil
}

// fetch fills buf with a box of the source, whose first element is number from.
func (p *permuted) fetch(ctx context.Context, buf []byte, axes []movedAxis, from int64) error {
	order := slices.DeleteFunc(slices.Clone(p.inOrder), func(i int) bool { return axes[i].len == 1 })
	last := func() movedAxis { return axes[order[len(order)-1]] }
	r := graph.OneRun(from, 1)
	for len(order) > 0 && last().src == r.Len { // these lie together
		r.Len *= last().len
		order = order[:len(order)-1]
	}
	if len(order) > 0 {
		r.Runs, r.Stride = last().len, last().src
		order = order[:len(order)-1]
	}
	piece := r.Runs * r.Len * p.size()
	var walk func(order []int, off int64) error
	walk = func(order []int, off int64) error {
		if len(order) == 0 {
			at := r
			at.Off = off
			dst := buf[:piece]
			buf = buf[piece:]
			return graph.ReadRegion(ctx, p.x, dst, at)
		}
		a := axes[order[0]]
		for i := range a.len {
			if err := walk(order[1:], off+i*a.src); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(order, from)
}

// permute copies a box of elements of size bytes from src to dst, in which its
// axes have the steps given, in elements.
func permute(dst, src []byte, axes []movedAxis, size int) {
	axes = slices.DeleteFunc(slices.Clone(axes), func(a movedAxis) bool { return a.len == 1 })
	d := slices.IndexFunc(axes, func(a movedAxis) bool { return a.out == 1 })
	s := slices.IndexFunc(axes, func(a movedAxis) bool { return a.src == 1 })
	bytes := func(step int64) int { return int(step) * size }
	var block func(dst, src []byte)
	switch {
	case d >= 0 && s >= 0 && d != s:
		rows, cols := axes[d], axes[s]
		block = func(dst, src []byte) {
			kernel.TransposeRows(dst, bytes(cols.out), src, bytes(rows.src), int(rows.len), int(cols.len), size)
		}
	default:
		row := size
		if d >= 0 && d == s {
			row *= int(axes[d].len)
		} else {
			d, s = -1, -1
		}
		rows, at := movedAxis{len: 1}, -1 // the longest of the others
		for i, a := range axes {
			if i != d && a.len > rows.len {
				rows, at = a, i
			}
		}
		s = at
		block = func(dst, src []byte) {
			kernel.CopyRows(dst, bytes(rows.out), src, bytes(rows.src), row, int(rows.len))
		}
	}
	var walk func(i int, dst, src []byte)
	walk = func(i int, dst, src []byte) {
		for i == d || i == s && i >= 0 {
			i++
		}
		if i == len(axes) {
			block(dst, src)
			return
		}
		for n := range axes[i].len {
			walk(i+1, dst[bytes(n*axes[i].out):], src[bytes(n*axes[i].src):])
		}
	}
	walk(0, dst, src)
}
