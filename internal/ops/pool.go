package ops

import (
	"context"
	"fmt"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// PoolModes lists the modes of Pool.
var PoolModes = []string{"max", "average"}

// PoolOptions refine Pool.
type PoolOptions struct {
	Window
	CountPadding bool // average: padding counts as zeros, as PyTorch's default has it
	Layout       shape.Layout
}

// Pool takes the maximum or the average under a moving window, over the two
// spatial axes of a rank-4 feature map, as tf.nn.max_pool2d and avg_pool2d and
// PyTorch's. Padding counts for neither unless CountPadding says so. The
// maximum keeps the dtype and lets NaN through; averages are summed in float64
// and rounded once, integers and booleans giving float64.
func Pool(x graph.Array, mode string, o PoolOptions) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	t := x.DType()
	switch {
	case len(x.Shape()) != 4:
		return nil, graph.Errorf(x, "shape %v: pooling takes a feature map of 4 dimensions, %s", x.Shape(), o.Layout)
	case t.IsComplex():
		return nil, graph.Errorf(x, "dtype %v: pooling takes real numbers", t)
	case o.Padding.Each[0] >= o.Size[0] && o.Size[0] > 0 || o.Padding.Each[1] >= o.Size[1] && o.Size[1] > 0:
		return nil, &graph.Error{Msg: fmt.Sprintf("padding of %d by %d beside a window of %d by %d: a window of nothing but padding has nothing to pool", o.Padding.Each[0], o.Padding.Each[1], o.Size[0], o.Size[1])}
	}
	var failed error
	out := onLast(x, o.Layout.Channel(4), func(x graph.Array) graph.Array {
		on, err := o.over(x, 1)
		if err != nil {
			failed = err
			return x
		}
		s := shape.Shape{x.Shape()[0], on.y.out, on.x.out, on.ch}
		p := &pooled{computed: computed{op: "pool", dt: t, sh: s}, maps: graph.MaterializeSmall(x), windows: on, countPadding: o.CountPadding}
		if mode == "average" {
			p.dt, p.average = dtype.Float64, true
		}
		return p
	})
	if failed != nil {
		return nil, failed
	}
	if mode == "average" {
		out = cast(out, t.Inexact())
	}
	return out, nil
}

// pooled reduces each window to one row of channels: the maximum in the
// source's dtype, or the average in float64.
type pooled struct {
	computed
	windows
	maps                  graph.Array
	average, countPadding bool
}

func (p *pooled) Operands(visit func(*graph.Array)) { visit(&p.maps) }

func (p *pooled) Tiling() graph.Tiling {
	return graph.Tiling{Unit: int64(p.x.out * p.ch), Size: p.worth(p.maps, 1) * int64(p.ch)}
}

func (p *pooled) Flops() int64 { return int64(p.y.size*p.x.size) * p.sh.Len() }

func (p *pooled) Memory(n int64) int64 {
	read := p.covered(n / max(int64(p.ch), 1))
	return graph.PeekBuffer(p.maps, read)*int64(p.maps.DType().Size()) + wholeRowsMemory(n, int64(p.ch))*p.size() + graph.MemoryOf(p.maps, read)
}

func (p *pooled) Read(ctx context.Context, dst []byte, off int64) error {
	row := int64(p.ch)
	return wholeRows(dst, off, row, p.size(), func(dst []byte, first, n int64) error {
		return p.images(first, n, func(image, first, n int64) error {
			err := p.pool(ctx, dst[:n*row*p.size()], image, first, n)
			dst = dst[n*row*p.size():]
			return err
		})
	})
}

// pool computes n windows of one image from number first on.
func (p *pooled) pool(ctx context.Context, dst []byte, image, first, n int64) error {
	src, buf, lo, err := p.lines(ctx, p.maps, image, first, n)
	defer graph.PutBuffer(buf)
	if err != nil {
		return err
	}
	kind := p.maps.DType().Kind()
	loops := kernel.Active()
	sum, most := loops.SumRows[kind], loops.Max[kind]
	pixel := p.ch * p.maps.DType().Size()
	line := p.x.in * pixel
	row := p.ch * int(p.size())
	for i := range n {
		acc := dst[int(i)*row : (int(i)+1)*row]
		taps := 0
		p.each(first+i, func(y, x int) {
			tap := src[(y-lo)*line+x*pixel:][:pixel]
			switch {
			case p.average && taps == 0:
				clear(acc)
				fallthrough
			case p.average:
				sum(kernel.View[float64](acc), tap)
			case taps == 0:
				copy(acc, tap)
			default:
				most(acc, acc, tap)
			}
			taps++
		})
		if p.average {
			if p.countPadding {
				taps = p.y.size * p.x.size
			}
			divide(acc, acc, float64(taps))
		}
	}
	return nil
}

// each calls f for the taps of the i-th window that lie inside.
func (p *pooled) each(i int64, f func(y, x int)) {
	oy, ox := p.at(i)
	for ky := range p.y.size {
		y := p.y.tap(oy, ky)
		if y < 0 || y >= p.y.in {
			continue
		}
		for kx := range p.x.size {
			if x := p.x.tap(ox, kx); x >= 0 && x < p.x.in {
				f(y, x)
			}
		}
	}
}
