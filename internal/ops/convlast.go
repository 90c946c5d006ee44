package ops

import (
	"context"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// convLast is the convolution of x [N,...,C] with kernels [k...,C/groups,out], on
// being their windows.
func convLast(x, k graph.Array, on windows, groups int, epi epilogue) (graph.Array, error) {
	ks := k.Shape()
	n := len(ks) - 2
	weights := pack(reshape(k, shape.Shape{int(ks.Product(0, n+1)), ks[n+1]}), groups)
	if on.plain() && groups == 1 {
		return multiplyRows(x, weights, epi), nil
	}
	out := append(shape.Shape{x.Shape()[0]}, on.outs()...)
	out = append(out, ks[n+1])
	if err := checkSize(x, out); err != nil {
		return nil, err
	}
	x = graph.MaterializeSmall(x) // rows of it are read for each row of the kernel
	return &channelsLastConv{computed{op: "conv", dt: x.DType(), sh: out}, on, x, weights, groups, ks[n], epi}, nil
}

// channelsLastConv is a convolution of maps [N,...,C] with weights, a matrix
// [taps·C/groups, out] that pack has held: an implicit matrix product, whose left
// rows are the patches under the window, read where they lie in the map.
type channelsLastConv struct {
	computed
	windows
	maps, weights graph.Array
	groups, cn    int // cn: channels of a group
	epilogue      epilogue
}

// convLastTile is the positions that a tile has at least.
const convLastTile = 512

func (c *channelsLastConv) Operands(visit func(*graph.Array)) {
	visit(&c.maps)
	visit(&c.weights)
	c.epilogue.operands(visit)
}

func (c *channelsLastConv) patch() int64 { return int64(c.taps() * c.cn) }
func (c *channelsLastConv) out() int64   { return int64(c.sh.Last()) }

func (c *channelsLastConv) Flops() int64 { return (2*c.patch() + c.epilogue.flops) * c.sh.Len() }

// Tiling takes more rows where those of the input are computed, since tiles
// next to each other both compute the rows between them.
func (c *channelsLastConv) Tiling() graph.Tiling {
	return graph.Tiling{Unit: c.out(), Size: c.windows.tilePositions(c.maps, convLastTile) * c.out()}
}

func (c *channelsLastConv) Memory(n int64) int64 {
	read := c.spanElements(n / max(c.out(), 1))
	return (graph.PeekBuffer(c.maps, read)+wholeRowsMemory(n, c.out()))*c.size() + graph.MemoryOf(c.maps, read)
}

func (c *channelsLastConv) Read(ctx context.Context, dst []byte, off int64) error {
	row := c.out()
	return wholeRows(dst, off, row, c.size(), func(dst []byte, first, n int64) error {
		return c.planes(first, n, func(plane, first, n int64) error {
			part := dst[:n*row*c.size()]
			dst = dst[len(part):]
			src, buf, err := c.read(ctx, c.maps, plane, first, n)
			defer graph.PutBuffer(buf)
			if err != nil {
				return err
			}
			kernel.Instance(c.dt.Kind(), convPlaneLast[float32], convPlaneLast[float64])(c, part, src, first, n)
			return ctx.Err()
		})
	})
}

// convPlaneLast computes n positions of one plane of the result, from number
// first on. Within a row of the result, if that isn't short, most patches of a
// strip lie evenly spaced.
func convPlaneLast[T kernel.Float](c *channelsLastConv, dst []byte, src source, first, n int64) {
	out := int(c.out())
	per := out / c.groups
	for g := range c.groups {
		right := group[T](c.weights.(*graph.Materialized), g)
		right.Depth = c.depth()
		p := patchRows[T]{c, &src, kernel.View[T](src.data), first, g * c.cn}
		left := kernel.Left[T]{At: p.rows}
		if c.x.out >= 16 {
			_, x := c.at(first)
			left.Line, left.Begun = c.x.out, x
		}
		to := kernel.Matrix[T]{Data: kernel.View[T](dst)[g*per:], Stride: out, Rows: int(n), Cols: per}
		kernel.Multiply(kernel.Active(), to, left, right, false, kernelEpilogue[T](c.epilogue, g*per, per))
	}
}

// joined reports whether the taps of one row of the window lie in line in the
// map.
func (c *channelsLastConv) joined() bool { return c.cn == c.ch && c.x.dilation == 1 }

// depth is the blocks in which patches are summed: such that each lies in line
// in the map, unless that would make them short.
func (c *channelsLastConv) depth() int {
	const least = convDepth / 2
	run := c.cn
	if c.joined() {
		run *= c.x.size
	}
	for d := min(run, convDepth); d >= least; d-- {
		if run%d == 0 {
			return d
		}
	}
	return convDepth
}

// patchRows are the patches of a tile's positions, of the channels of a group, as
// the left matrix of a product: their elements count by row of the window, tap
// in the row and channel.
type patchRows[T kernel.Float] struct {
	c     *channelsLastConv
	src   *source
	data  []T   // src's
	first int64 // position of row 0
	c0    int   // first channel
}

// rows is a kernel.Left. Rows of one line whose part of the patch lies in line
// and within the map are read where they are.
func (p *patchRows[T]) rows(buf []T, i, h, k0, k int) ([]T, int) {
	c := p.c
	if k == 0 {
		return nil, 0
	}
	t0, t1 := k0/c.cn, (k0+k-1)/c.cn
	row, kx := t0/c.x.size, t0%c.x.size
	y, ox := c.at(p.first + int64(i))
	endY, endX := c.at(p.first + int64(i+h-1))
	inLine := t0 == t1 || c.joined() && t1/c.x.size == row
	x, end := c.x.tap(ox, kx), c.x.tap(endX, t1%c.x.size)
	if inLine && y == endY && x >= 0 && end < c.x.in {
		if line, inside := p.src.line(&c.windows, y, row); inside {
			at := line + x*c.ch + p.c0 + k0%c.cn
			ld := c.x.stride * c.ch
			return p.data[at : at+(h-1)*ld+k], ld
		}
	}
	p.gather(buf, i, h, k0, k)
	return buf[:h*k], k
}

// gather copies elements [k0,k0+k) of h patches from number i on to dst; what
// lies outside the map is zero.
func (p *patchRows[T]) gather(dst []T, i, h, k0, k int) {
	c := p.c
	for r := range h {
		y, ox := c.at(p.first + int64(i+r))
		row := dst[r*k : (r+1)*k]
		for at := k0; at < k0+k; {
			tap := at / c.cn
			ky, kx := tap/c.x.size, tap%c.x.size
			x := c.x.tap(ox, kx)
			taps := 1
			if c.joined() && x >= 0 { // as many as lie in line
				taps = max(min(c.x.size-kx, c.x.in-x), 1)
			}
			n := min((tap+taps)*c.cn, k0+k) - at
			line, inside := p.src.line(&c.windows, y, ky)
			if !inside || x < 0 || x >= c.x.in {
				clear(row[:n])
			} else {
				copy(row[:n], p.data[line+x*c.ch+p.c0+at%c.cn:])
			}
			row, at = row[n:], at+n
		}
	}
}
