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
	read := c.batchElements(n/max(c.out(), 1), convLastTile)
	return (graph.PeekBuffer(c.maps, read)+wholeRowsMemory(n, c.out()))*c.size() + graph.MemoryOf(c.maps, read)
}

func (c *channelsLastConv) Read(ctx context.Context, dst []byte, off int64) error {
	row := c.out()
	return wholeRows(dst, off, row, c.size(), func(dst []byte, first, n int64) error {
		return c.batches(first, n, convLastTile, func(first, n int64) error {
			part := dst[:n*row*c.size()]
			dst = dst[len(part):]
			return c.batch(ctx, part, first, n)
		})
	})
}

// batch computes n positions from number first on, of one plane or of several.
func (c *channelsLastConv) batch(ctx context.Context, dst []byte, first, n int64) error {
	src := make([]source, 0, mostPlanes)
	var bufs [mostPlanes][]byte
	defer func() {
		for _, buf := range bufs {
			graph.PutBuffer(buf)
		}
	}()
	err := c.planes(first, n, func(plane, first, n int64) error {
		one, buf, err := c.read(ctx, c.maps, plane, first, n)
		bufs[len(src)] = buf
		src = append(src, one)
		return err
	})
	if err != nil {
		return err
	}
	kernel.Instance(c.dt.Kind(), convBatchLast[float32], convBatchLast[float64])(c, dst, src, first%c.perPlane(), n)
	return ctx.Err()
}

// convBatchLast computes n positions of the result, from number first of a plane on.
// Within a row of the result, if that isn't short, most patches of a strip lie
// evenly spaced.
func convBatchLast[T kernel.Float](c *channelsLastConv, dst []byte, src []source, first, n int64) {
	out := int(c.out())
	per := out / c.groups
	for g := range c.groups {
		right := group[T](c.weights.(*graph.Materialized), g)
		right.Depth = c.depth()
		p := patchRows[T]{c, src, first, g * c.cn}
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

// patchRows are the patches of a batch's positions, of the channels of a group, as
// the left matrix of a product: their elements count by row of the window, tap
// in the row and channel.
type patchRows[T kernel.Float] struct {
	c     *channelsLastConv
	src   []source // of each plane
	first int64    // position of row 0 in the first plane
	c0    int      // first channel
}

// at is the source and the position of patch number i.
func (p *patchRows[T]) at(i int) (src *source, y, x int) {
	plane, at := p.c.inPlane(p.first + int64(i))
	y, x = p.c.at(at)
	return &p.src[plane], y, x
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
	src, y, ox := p.at(i)
	inLine := ox+h <= c.x.out && (t0 == t1 || c.joined() && t1/c.x.size == row)
	x, end := c.x.tap(ox, kx), c.x.tap(ox+h-1, t1%c.x.size)
	if inLine && x >= 0 && end < c.x.in {
		if line, inside := src.line(&c.windows, y, row); inside {
			at := line + x*c.ch + p.c0 + k0%c.cn
			ld := c.x.stride * c.ch
			return kernel.View[T](src.data)[at : at+(h-1)*ld+k], ld
		}
	}
	for dst := buf; ; {
		n := min(h, c.x.out-ox)
		p.gather(dst, src, y, ox, n, k0, k)
		if h -= n; h == 0 {
			break
		}
		i, dst = i+n, dst[n*k:]
		src, y, ox = p.at(i)
	}
	return buf, k
}

// gather copies elements [k0,k0+k) of the patches of n positions of a line, (y,x),
// (y,x+1), ..., to dst: as many taps at a time as lie in line. What lies outside the map
// is zero.
func (p *patchRows[T]) gather(dst []T, src *source, y, x, n, k0, k int) {
	c := p.c
	data, stride, size := kernel.View[T](src.data), c.x.stride, int(c.size())
	for at := k0; at < k0+k; {
		tap := at / c.cn
		taps := 1
		if c.joined() {
			taps = c.x.size - tap%c.x.size
		}
		m := min((tap+taps)*c.cn, k0+k) - at
		taps = (at+m-1)/c.cn - tap + 1
		sx := c.x.tap(x, tap%c.x.size) // of the first position and tap
		line, inside := src.line(&c.windows, y, tap/c.x.size)
		col := dst[at-k0:]
		at += m
		if !inside {
			for r := range n {
				clear(col[r*k : r*k+m])
			}
			continue
		}
		from, to := c.x.within(sx, n) // positions [from,to) have the first of the taps inside, then all
		if taps > 1 {
			_, to = c.x.within(sx+taps-1, to)
			to = max(from, to)
		}
		line += p.c0
		ch := (at - m) % c.cn // the first one of the first tap
		if from < to {
			kernel.CopyRows(kernel.Bytes(col[from*k:]), k*size, kernel.Bytes(data[line+(sx+from*stride)*c.ch+ch:]), stride*c.ch*size, m*size, to-from)
		}
		for r := range n {
			if r < from || r >= to {
				p.edge(col[r*k:r*k+m], data, line, sx+r*stride, ch)
			}
		}
	}
}

// edge fills row with taps from position x of a line on, which begins with element line of
// data, from channel number ch of the first one on.
func (p *patchRows[T]) edge(row, data []T, line, x, ch int) {
	for ; len(row) > 0; x, ch = x+1, 0 {
		n := min(p.c.cn-ch, len(row))
		if x < 0 || x >= p.c.x.in {
			clear(row[:n])
		} else {
			copy(row[:n], data[line+x*p.c.ch+ch:])
		}
		row = row[n:]
	}
}
