package ops

import (
	"context"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// convFirst is the convolution of x [N,C,...] with kernels [out,C/groups,k...], on
// being their windows.
func convFirst(x, k graph.Array, on windows, groups int, epi epilogue) (graph.Array, error) {
	out := append(shape.Shape{x.Shape()[0], k.Shape()[0]}, on.outs()...)
	if err := checkSize(x, out); err != nil {
		return nil, err
	}
	if !on.plain() {
		x = graph.MaterializeSmall(x) // rows of it are read for each row of the kernel
	}
	return newChannelsFirst("conv", x, k, on, groups, epi), nil
}

// channelsFirstConv is a convolution of maps with their channels first, [N,C,...], with
// weights, a matrix [out, C/groups·taps] in memory: the product of that matrix
// and the patches under the window, which are packed from the map's rows a part
// at a time. A linear map of channels is one, too.
type channelsFirstConv struct {
	computed
	windows
	maps, weights graph.Array
	groups, cn    int   // cn: channels of a group
	out           int64 // channels of the result
	epilogue      epilogue
}

// newChannelsFirst is x, seen as [N,C,...], by weights, seen as [out,C/groups,k...].
func newChannelsFirst(op string, x, weights graph.Array, on windows, groups int, epi epilogue) graph.Array {
	s, ws := x.Shape(), weights.Shape()
	out := append(shape.Shape{s[0], ws[0]}, on.outs()...)
	flat := graph.InMemory(reshape(weights, shape.Shape{ws[0], int(ws.Product(1, len(ws)))}))
	on.ch = s[1]
	return &channelsFirstConv{computed{op: op, dt: x.DType(), sh: out}, on, x, flat, groups, s[1] / groups, int64(ws[0]), epi}
}

// linearFirstLeast is the positions of a map from which on linear maps take it as
// channels first.
const linearFirstLeast = 32

// linearFirst maps axis of x by weights [out, in], the axes after it being its
// positions.
func linearFirst(x, weights graph.Array, axis int, epi epilogue) graph.Array {
	s, ws := x.Shape(), weights.Shape()
	n := int(s.Product(axis+1, len(s)))
	across := absent
	across.in, across.out = n, n
	maps := reshape(x, shape.Shape{int(s.Product(0, axis)), s[axis], n})
	y := newChannelsFirst("linear", maps, weights, windows{z: absent, y: absent, x: across, axes: 1, ch: s[axis]}, 1, epi)
	out := s.Clone()
	out[axis] = ws[0]
	return reshape(y, out)
}

func (p *channelsFirstConv) Operands(visit func(*graph.Array)) {
	visit(&p.maps)
	visit(&p.weights)
	p.epilogue.operands(visit)
}

func (p *channelsFirstConv) patch() int64 { return int64(p.cn * p.taps()) }

func (p *channelsFirstConv) Flops() int64 { return (2*p.patch() + p.epilogue.flops) * p.sh.Len() }

// convFirstTile is the elements that a tile has at least, where it can.
const convFirstTile = 128 << 10

// Tiling takes all channels of some rows of positions.
func (p *channelsFirstConv) Tiling() graph.Tiling {
	cols := max(convFirstTile/max(p.out, 1), 64)
	if row := int64(p.x.out); row > 0 && p.y.out > 1 {
		cols = shape.CeilDiv(cols, row) * row
	}
	return graph.Tiling{Rows: p.out, Stride: p.positions(), TileRows: p.out, TileCols: min(cols, max(p.positions(), 1))}
}

func (p *channelsFirstConv) Memory(n int64) int64 {
	cols := max(n/max(p.out, 1), 1)
	read := p.batchElements(cols, convFirstBatch)
	if p.lined() {
		read = min(read, cols*int64(p.ch))
	}
	room := int64(kernel.FillLen)
	if p.narrow() {
		room = p.narrowElements(cols)
	}
	return (graph.PeekBuffer(p.maps, read)+room)*p.size() + graph.MemoryOf(p.maps, read)
}

func (p *channelsFirstConv) Read(ctx context.Context, dst []byte, off int64) error {
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

func (p *channelsFirstConv) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	row := p.positions()
	image, out, col := r.Off/(p.out*row), r.Off/row%p.out, r.Off%row
	if r.Stride == row && out+r.Runs <= p.out && col+r.Len <= row {
		return p.block(ctx, dst, image, out, r.Runs, col, r.Len)
	}
	return graph.ReadRuns(ctx, p, dst, r)
}

// lined reports whether the maps' planes are lines, and those of the result as
// long, position by position: of these, only those asked for are read.
func (p *channelsFirstConv) lined() bool {
	return p.y.in == 1 && p.y.out == 1 && p.x.size == 1 && p.x.stride == 1 && p.x.before == 0 && p.x.out == p.x.in
}

// block computes rows channels of the result from number out on, at cols
// positions from number first on of one map. The rows lie in line in dst.
func (p *channelsFirstConv) block(ctx context.Context, dst []byte, image, out, rows, first, cols int64) error {
	return p.batches(image*p.positions()+first, cols, convFirstBatch, func(from, n int64) error {
		err := p.batch(ctx, dst, from, box{out, rows, from % p.perPlane(), n, cols})
		dst = dst[n*p.size():]
		return err
	})
}

// convFirstBatch is the positions that a batch has at least.
const convFirstBatch = 512

// batch computes a box of the result whose windows are counted from number first on.
func (p *channelsFirstConv) batch(ctx context.Context, dst []byte, first int64, b box) error {
	src := make([]channels, 0, mostPlanes)
	var bufs [mostPlanes][]byte
	defer func() {
		for _, buf := range bufs {
			graph.PutBuffer(buf)
		}
	}()
	err := p.planes(first, b.n, func(plane, first, n int64) error {
		one, buf, err := p.readChannels(ctx, plane, first, n)
		bufs[len(src)] = buf
		src = append(src, one)
		return err
	})
	if err != nil {
		return err
	}
	if p.narrow() {
		kernel.Instance(p.dt.Kind(), convNarrow[float32], convNarrow[float64])(p, dst, src, b)
	} else {
		kernel.Instance(p.dt.Kind(), convBatchFirst[float32], convBatchFirst[float64])(p, dst, src, b)
	}
	return ctx.Err()
}

// channels is a source of maps [N,C,...]: the lines of a span, of each channel.
type channels struct {
	source
	stride int // elements from one channel to the next
}

// readChannels gives the source of n windows of a plane of the result. buf is to
// be put back.
func (p *channelsFirstConv) readChannels(ctx context.Context, plane, first, n int64) (src channels, buf []byte, err error) {
	src.span = p.span(plane, first, n)
	if src.lines == 0 || src.planes == 0 {
		return src, nil, nil
	}
	src.width = p.x.in
	perPlane := int64(p.y.in * p.x.in)
	from, run := int64(src.y*src.width), int64(src.lines*src.width)
	if p.lined() {
		from, run, src.skip = first, n, int(first)
	}
	image, z := plane/int64(p.z.out), p.z.tap(int(plane%int64(p.z.out)), src.z)
	ch := int64(p.ch)
	r := graph.Region{
		Off:  (image*ch*int64(p.z.in)+int64(z))*perPlane + from,
		Runs: ch, Len: run, Stride: int64(p.z.in) * perPlane,
	}
	next := int64(p.z.dilation) * perPlane // from a plane to the one under the next tap
	if m, ok := p.maps.(graph.Resident); ok {
		src.data, src.stride, src.apart = m.Bytes()[r.Off*p.size():], int(r.Stride), int(next)
		return src, nil, nil
	}
	each := ch * run
	src.stride, src.apart = int(run), int(each)
	src.data = graph.GetBuffer(int64(src.planes) * each * p.size())
	for i := range int64(src.planes) {
		if err := graph.ReadRegion(ctx, p.maps, src.data[i*each*p.size():(i+1)*each*p.size()], r); err != nil {
			return src, src.data, err
		}
		r.Off += next
	}
	return src, src.data, nil
}

// box is a part of a result: channels [out,out+rows) at n positions from number
// first of a plane on. A channel's begin stride elements after the one before's.
type box struct{ out, rows, first, n, stride int64 }

// convBatchFirst computes a box of the result.
func convBatchFirst[T kernel.Float](p *channelsFirstConv, dst []byte, src []channels, b box) {
	t := kernel.Active()
	k, per := int(p.patch()), int(p.out)/p.groups
	weights := kernel.Dense(kernel.View[T](p.weights.(graph.Resident).Bytes()), int(p.out), k)
	result := kernel.Matrix[T]{Data: kernel.View[T](dst), Stride: int(b.stride), Rows: int(b.rows), Cols: int(b.n)}
	for i := 0; i < result.Rows; {
		out := int(b.out) + i
		g := out / per
		m := min(result.Rows-i, (g+1)*per-out)
		patches := patchColumns[T]{p, src, b.first, g * p.cn, t.Panel(p.dt.Kind())}
		right := kernel.Right[T]{K: k, N: result.Cols, Depth: convDepth, Fill: patches.fill}
		for j, bias := range biasOf[T](p.epilogue, out, m) {
			row := result.Row(i + j)
			for x := range row {
				row[x] = bias
			}
		}
		kernel.Multiply(t, result.Slice(i, m), weights.Slice(out, m).Left(), right, p.epilogue.bias != nil, kernel.Epilogue[T]{Activation: p.epilogue.activation})
		i += m
	}
}

// patchColumns are patches of channels-first maps, as the right matrix of a product:
// its rows count by channel, row of the window and tap in the row, its columns by
// position.
type patchColumns[T kernel.Float] struct {
	p     *channelsFirstConv
	src   []channels // of each plane
	first int64      // position of column 0 in the first plane
	c0    int        // first channel
	panel int
}

// fill is a Right's Fill.
func (s *patchColumns[T]) fill(buf []T, k0, k, j, n int) {
	for ; n > 0; j, n = j+s.panel, n-s.panel {
		cols := min(s.panel, n)
		if cols < s.panel {
			clear(buf[:k*s.panel])
		}
		for done := 0; done < cols; { // positions of one line at a time
			plane, at := s.p.inPlane(s.first + int64(j+done))
			y, x := s.p.at(at)
			take := min(cols-done, s.p.x.out-x)
			s.fillRows(buf[done:], &s.src[plane], k0, k, y, x, take)
			done += take
		}
		buf = buf[k*s.panel:]
	}
}

// fillRows fills n columns of k rows of a panel with the patches of positions
// (y,x), (y,x+1), ...: tap by tap, since the channels of a tap lie evenly spaced.
func (s *patchColumns[T]) fillRows(dst []T, src *channels, k0, k, y, x, n int) {
	p := s.p
	data, taps, size := kernel.View[T](src.data), p.taps(), int(p.size())
	ch, tap := s.c0+k0/taps, k0%taps
	row, kx := tap/p.x.size, tap%p.x.size
	line, inside := src.line(&p.windows, y, row)
	whole, rest := k/taps, k%taps
	for i := range min(taps, k) { // from row i on, every taps-th has this tap
		rows, col := whole, dst[i*s.panel:]
		if i < rest {
			rows++
		}
		sx := p.x.tap(x, kx)
		from, to := 0, 0 // those that lie inside
		if inside {
			from, to = p.x.within(sx, n)
		}
		if from > 0 || to < n {
			clearAround(col, taps*s.panel, rows, from, to, n)
		}
		switch first := line + ch*src.stride + sx + from*p.x.stride; {
		case from == to:
		case p.x.stride == 1:
			kernel.CopyRows(kernel.Bytes(col[from:]), taps*s.panel*size, kernel.Bytes(data[first:]), src.stride*size, (to-from)*size, rows)
		default:
			for r := range rows {
				everyNth(col[r*taps*s.panel:][from:to], data[first+r*src.stride:], p.x.stride)
			}
		}
		if kx++; kx == p.x.size { // the next row, or the next channel's first
			kx, row = 0, row+1
			if row == p.z.size*p.y.size {
				row, ch = 0, ch+1
			}
			line, inside = src.line(&p.windows, y, row)
		}
	}
}

// clearAround clears n elements of each of some rows, which begin stride elements
// apart, but for those from number from to before number to.
func clearAround[T kernel.Float](dst []T, stride, rows, from, to, n int) {
	for r := range rows {
		row := dst[r*stride:][:n]
		if from == to {
			clear(row)
			continue
		}
		for i := range row[:from] { // a few
			row[i] = 0
		}
		for i := range row[to:] {
			row[to+i] = 0
		}
	}
}

// everyNth fills dst with elements 0, n, 2·n, ... of src.
func everyNth[T kernel.Float](dst, src []T, n int) {
	src = src[:(len(dst)-1)*n+1]
	for i := range dst {
		dst[i] = src[i*n]
	}
}

// convDepth is the most elements of a patch that are summed in a row. Patches are
// long, and the error of a sum grows with its length: sums of so many are as
// exact as oneDNN's, of twice as many they aren't.
const convDepth = 128
