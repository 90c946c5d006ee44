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
