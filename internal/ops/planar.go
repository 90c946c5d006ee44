package ops

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// planar is a convolution of maps with their channels first, [N,C,H,W], with
// weights, a matrix [out, C/groups·h·w] in memory: the product
// of that matrix and the patches under the window, which are packed from the
// map's rows a part at a time. A linear map of channels is one, too.
type planar struct {
	computed
	windows
	maps, weights graph.Array
	groups, cn    int   // cn: channels of a group
	out           int64 // channels of the result
	end           ending
}

// newPlanar is x, seen as [N,C,H,W], by weights, seen as [out,C/groups,h,w].
func newPlanar(op string, x, weights graph.Array, on windows, groups int, end ending) graph.Array {
	s, ws := x.Shape(), weights.Shape()
	out := shape.Shape{s[0], ws[0], on.y.out, on.x.out}
	flat := graph.InMemory(reshape(weights, shape.Shape{ws[0], int(ws.Product(1, len(ws)))}))
	on.ch = s[1]
	return &planar{computed{op: op, dt: x.DType(), sh: out}, on, x, flat, groups, s[1] / groups, int64(ws[0]), end}
}

// planarLeast is the positions of a map from which on linear maps take it as
// channels first.
const planarLeast = 32

// linearPlanar maps axis of x by weights [out, in], the axes after it being its
// positions.
func linearPlanar(x, weights graph.Array, axis int, end ending) graph.Array {
	s, ws := x.Shape(), weights.Shape()
	n := int(s.Product(axis+1, len(s)))
	one := axisWindow{in: 1, out: 1, size: 1, stride: 1, dilation: 1}
	across := one
	across.in, across.out = n, n
	maps := reshape(x, shape.Shape{int(s.Product(0, axis)), s[axis], 1, n})
	y := newPlanar("linear", maps, weights, windows{one, across, s[axis]}, 1, end)
	out := s.Clone()
	out[axis] = ws[0]
	return reshape(y, out)
}

func (p *planar) Operands(visit func(*graph.Array)) {
	visit(&p.maps)
	visit(&p.weights)
	p.end.operands(visit)
}

func (p *planar) patch() int64     { return int64(p.cn * p.y.size * p.x.size) }
func (p *planar) positions() int64 { return int64(p.y.out) * int64(p.x.out) }

func (p *planar) Flops() int64 { return (2*p.patch() + p.end.flops) * p.sh.Len() }

// planarTile is the elements that a tile has at least, where it can.
const planarTile = 128 << 10

// Tiling takes all channels of some rows of positions.
func (p *planar) Tiling() graph.Tiling {
	cols := max(planarTile/max(p.out, 1), 64)
	if row := int64(p.x.out); row > 0 && p.y.out > 1 {
		cols = shape.CeilDiv(cols, row) * row
	}
	return graph.Tiling{Rows: p.out, Stride: p.positions(), TileRows: p.out, TileCols: min(cols, max(p.positions(), 1))}
}

// lines are the source rows under n positions from number first on: row lo and
// rows-1 more.
func (p *planar) lines(first, n int64) (lo, rows int) {
	y0, _ := p.at(first)
	y1, _ := p.at(first + n - 1)
	lo = max(p.y.tap(y0, 0), 0)
	return lo, max(min(p.y.tap(y1, p.y.size-1)+1, p.y.in)-lo, 0)
}

func (p *planar) Memory(n int64) int64 {
	cols := max(n/max(p.out, 1), 1)
	read := p.covered(cols)
	if p.y.in == 1 {
		read = min(read, cols*int64(p.ch))
	}
	return (graph.PeekBuffer(p.maps, read)+kernel.FillLen)*p.size() + graph.MemoryOf(p.maps, read)
}

func (p *planar) Read(ctx context.Context, dst []byte, off int64) error {
	row := p.positions()
	for len(dst) > 0 {
		image, out, col := off/(p.out*row), off/row%p.out, off%row
		rows, cols := int64(1), min(int64(len(dst))/p.size(), row-col)
		if col == 0 && cols == row {
			rows = min(int64(len(dst))/p.size()/row, p.out-out)
		}
		n := rows * cols
		if err := p.block(ctx, dst[:n*p.size()], image, out, rows, col, cols); err != nil {
			return err
		}
		dst, off = dst[n*p.size():], off+n
	}
	return nil
}

func (p *planar) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	row := p.positions()
	image, out, col := r.Off/(p.out*row), r.Off/row%p.out, r.Off%row
	if r.Stride == row && out+r.Runs <= p.out && col+r.Len <= row {
		return p.block(ctx, dst, image, out, r.Runs, col, r.Len)
	}
	return graph.ReadRuns(ctx, p, dst, r)
}

// block computes rows channels of the result from number out on, at cols
// positions from number first on of one image.
func (p *planar) block(ctx context.Context, dst []byte, image, out, rows, first, cols int64) error {
	lo, lines := p.lines(first, cols)
	width, plane := int64(p.x.in), int64(p.y.in)*int64(p.x.in)
	from, run := int64(lo)*width, int64(lines)*width
	if p.y.in == 1 && p.x.size == 1 && p.x.stride == 1 { // positions of one line
		from, run = first, cols
	}
	var src, buf []byte
	defer func() { graph.PutBuffer(buf) }()
	stride := plane
	at := image*int64(p.ch)*plane + from
	if x, ok := p.maps.(graph.Resident); ok {
		src = x.Bytes()[at*p.size():]
	} else {
		buf = graph.GetBuffer(int64(p.ch) * run * p.size())
		src, stride = buf, run
		if err := graph.ReadRegion(ctx, p.maps, src, graph.Region{Off: at, Runs: int64(p.ch), Len: run, Stride: plane}); err != nil {
			return err
		}
	}
	if p.dt == dtype.Float32 {
		planarBlock(p, kernel.View[float32](dst), kernel.View[float32](src), lo, int(from), int(stride), out, rows, first, cols)
	} else {
		planarBlock(p, kernel.View[float64](dst), kernel.View[float64](src), lo, int(from), int(stride), out, rows, first, cols)
	}
	return ctx.Err()
}

// planarBlock is block with the source at hand: its channels start stride
// elements apart, and begin with element from of their plane.
func planarBlock[T kernel.Float](p *planar, dst, src []T, lo, from, stride int, out, rows, first, cols int64) {
	t := kernel.Active()
	weights := kernel.View[T](p.weights.(graph.Resident).Bytes())
	per := p.out / int64(p.groups)
	k := p.patch()
	panel := t.Panel(p.dt.Kind())
	for rows > 0 {
		g := out / per
		m := min(rows, (g+1)*per-out)
		patches := planes[T]{p, src, from, stride, first, int(g) * p.cn, panel}
		right := kernel.Right[T]{K: int(k), N: int(cols), Depth: convDepth, Fill: patches.fill}
		block := dst[:m*cols]
		for i, b := range biasOf[T](p.end, int(out), int(m)) {
			row := block[int64(i)*cols : int64(i+1)*cols]
			for j := range row {
				row[j] = b
			}
		}
		kernel.Multiply(t, block, int(cols), kernel.Rows(weights[out*k:(out+m)*k], int(k)), right, int(m), p.end.bias != nil, kernel.Epilogue[T]{Activation: p.end.activation})
		dst, out, rows = dst[m*cols:], out+m, rows-m
	}
}

// planes are patches of channels-first maps, as the right matrix of a product:
// its rows count by channel, row of the window and tap, its columns by position.
type planes[T kernel.Float] struct {
	p            *planar
	src          []T
	from, stride int   // see planarBlock
	first        int64 // position of column 0
	c0           int   // first channel
	panel        int
}

// fill is a Right's Fill.
func (s *planes[T]) fill(buf []T, k0, k, j, n int) {
	for ; n > 0; j, n = j+s.panel, n-s.panel {
		cols := min(s.panel, n)
		if cols < s.panel {
			clear(buf[:k*s.panel])
		}
		for done := 0; done < cols; { // positions of one line at a time
			y, x := s.p.at(s.first + int64(j+done))
			take := min(cols-done, s.p.x.out-x)
			s.piece(buf[done:], k0, k, y, x, take)
			done += take
		}
		buf = buf[k*s.panel:]
	}
}

// piece fills n columns of k rows of a panel with the patches of positions
// (y,x), (y,x+1), ...: tap by tap, since the channels of a tap lie evenly spaced.
func (s *planes[T]) piece(dst []T, k0, k, y, x, n int) {
	p := s.p
	taps := p.y.size * p.x.size
	for tap := range min(taps, k) {
		at := (k0 + tap) % taps // the tap of row number tap
		sy, sx := p.y.tap(y, at/p.x.size), p.x.tap(x, at%p.x.size)
		c := s.c0 + (k0+tap)/taps
		rows := (k - tap + taps - 1) / taps
		if sy < 0 || sy >= p.y.in {
			s.each(dst[tap*s.panel:], taps, rows, func(row []T, _ int) { clear(row[:n]) })
			continue
		}
		line := c*s.stride + sy*p.x.in - s.from
		if p.x.stride > 1 {
			s.each(dst[tap*s.panel:], taps, rows, func(row []T, i int) { s.line(row[:n], line+i*s.stride, sx) })
			continue
		}
		from := min(max(-sx, 0), n) // columns [from,to) lie inside
		to := max(min(p.x.in-sx, n), from)
		if from > 0 || to < n {
			s.each(dst[tap*s.panel:], taps, rows, func(row []T, _ int) { clear(row[:from]); clear(row[to:n]) })
		}
		if from < to {
			size := int(p.size())
			kernel.CopyRows(kernel.Bytes(dst[tap*s.panel+from:]), taps*s.panel*size, kernel.Bytes(s.src[line+sx+from:]), s.stride*size, (to-from)*size, rows)
		}
	}
}

// each calls f for every taps-th row of a panel, rows of them.
func (s *planes[T]) each(dst []T, taps, rows int, f func(row []T, i int)) {
	for i := range rows {
		f(dst[i*taps*s.panel:], i)
	}
}

// line fills row with every stride-th element of the source line that begins at
// element at, from position x on; those outside are zero.
func (s *planes[T]) line(row []T, at, x int) {
	w, stride := s.p.x.in, s.p.x.stride
	for i := range row {
		row[i] = 0
		if 0 <= x && x < w {
			row[i] = s.src[at+x]
		}
		x += stride
	}
}
