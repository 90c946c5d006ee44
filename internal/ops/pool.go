package ops

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// PoolModes lists the modes of Pool.
var PoolModes = []string{"max", "average", "lp"}

// PoolOptions refine Pool.
type PoolOptions struct {
	Window
	// Output is the result's extents, along each axis or all, in place of a window:
	// adaptive pooling. KeepExtent leaves an axis as it is.
	Output       []int
	CountPadding bool    // average: padding counts as zeros, as PyTorch's default has it
	P            float64 // lp: the power
	Layout       shape.Layout
}

// KeepExtent is the extent of Output that leaves an axis as it is.
const KeepExtent = -1

// Pool takes the maximum or the average under a moving window, over the 1, 2 or
// 3 spatial axes of a map, as tf.nn.max_pool and avg_pool and PyTorch's. Padding
// counts for neither unless CountPadding says so. lp is the sum of the powers P to the
// power 1/P, as PyTorch's lp_pool: of the numbers themselves, so that what is negative
// may give NaN, and under Ceil a last window is brought to a whole one's size. With Output it cuts each axis into
// as many bins, position i of the result being that of floor(i·in/out) to
// ceil((i+1)·in/out), as PyTorch's adaptive_max_pool and adaptive_avg_pool. The
// maximum keeps the dtype and lets NaN through; the others are summed in float64 and
// rounded once, integers and booleans giving float64.
func Pool(x graph.Array, mode string, o PoolOptions) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	form, err := movesOver("pooling", x, o.Layout, o.Told())
	if err != nil {
		return nil, err
	}
	n := len(form.Spatial())
	t := x.DType()
	if err := needReal("pooling", []graph.Array{x}); err != nil {
		return nil, err
	}
	if err := cmp.Or(o.check(x, n), checkList(x, "output size", o.Output, n)); err != nil {
		return nil, err
	}
	on, err := resolveAxes(x, form, o.resolveAxis)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(on.all(), (*axisWindow).onlyPadding) {
		return nil, o.onlyPadding(n)
	}
	if mode == "lp" {
		if o.Output != nil {
			return nil, &graph.Error{Msg: "mode lp has a window, not bins: --output-size goes with max and average"}
		}
		if x, err = power(cast(x, dtype.Float64), o.P); err != nil {
			return nil, err
		}
	}
	out, err := onBatch(x, form, func(x graph.Array, form shape.Layout) (graph.Array, error) {
		return onLast(x, form.Channel(), func(x graph.Array) (graph.Array, error) {
			s := append(append(shape.Shape{x.Shape()[0]}, on.outs()...), on.ch)
			p := &pooled{computed: computed{op: "pool", dt: t, sh: s}, maps: graph.MaterializeSmall(x), windows: on, countPadding: o.CountPadding}
			if mode != "max" {
				p.dt, p.sums, p.total = dtype.Float64, true, mode == "lp"
			}
			return p, checkSizeOf(x, p.dt, s)
		})
	})
	if err == nil && mode == "lp" {
		out, err = power(out, 1/o.P)
	}
	if err != nil || mode == "max" {
		return out, err
	}
	return cast(out, t.Inexact()), nil
}

// power is x to the power p.
func power(x graph.Array, p float64) (graph.Array, error) {
	if p == 1 {
		return x, nil
	}
	return Pow(x, Literal(Number{Value: p}), ElementwiseOptions{})
}

// Told is the number of spatial axes that the options tell; 0 if all have one number for
// all.
func (o *PoolOptions) Told() int { return max(o.told(), told(len(o.Output))) }

// resolveAxis resolves the window, or the bins, along spatial axis i of in positions.
func (o *PoolOptions) resolveAxis(i, in int) (axisWindow, error) {
	if o.Output == nil {
		return o.Window.resolveAxis(i, in)
	}
	out := pick(o.Output, i, 0)
	switch {
	case out == KeepExtent:
		out = in
	case out < 1:
		return absent, fmt.Errorf("an output of %s: want at least 1 along each axis", joined(o.Output, " by "))
	}
	if in == 0 {
		return absent, errNoPositions
	}
	return binned(in, out), nil
}

// onlyPadding refuses a window over n axes that may lie over padding alone.
func (o *PoolOptions) onlyPadding(n int) error {
	size, pad, apart := make([]int, n), make([]int, n), ""
	for i := range n {
		p := pick(o.Padding.Each, i, [2]int{})
		size[i], pad[i] = pick(o.Size, i, 0), max(p[0], p[1])
	}
	if o.Dilation != nil {
		apart = ", dilation " + joined(o.Dilation, " by ")
	}
	return &graph.Error{Msg: fmt.Sprintf("padding of %s beside a window of %s%s: a window of nothing but padding has nothing to pool", joined(pad, " by "), joined(size, " by "), apart)}
}

// pooled reduces each window to one row of channels: the maximum in the
// source's dtype, or in float64 the average, or the total of a whole window that has
// such an average.
type pooled struct {
	computed
	windows
	maps                      graph.Array
	sums, total, countPadding bool
}

func (p *pooled) Operands(visit func(*graph.Array)) { visit(&p.maps) }

func (p *pooled) Tiling() graph.Tiling {
	unit := cmp.Or(wholeUnit(p, int64(p.x.out*p.ch)), int64(p.ch))
	return graph.Tiling{Unit: unit, Size: p.tilePositions(p.maps, 1) * int64(p.ch)}
}

func (p *pooled) Flops() int64 { return int64(p.taps()) * p.sh.Len() }

func (p *pooled) Memory(n int64) int64 {
	read := p.spanElements(n / max(int64(p.ch), 1))
	return graph.PeekBuffer(p.maps, read)*int64(p.maps.DType().Size()) + wholeRowsMemory(n, int64(p.ch))*p.size() + graph.MemoryOf(p.maps, read)
}

func (p *pooled) Read(ctx context.Context, dst []byte, off int64) error {
	row := int64(p.ch)
	return wholeRows(dst, off, row, p.size(), func(dst []byte, first, n int64) error {
		return p.planes(first, n, func(plane, first, n int64) error {
			err := p.pool(ctx, dst[:n*row*p.size()], plane, first, n)
			dst = dst[n*row*p.size():]
			return err
		})
	})
}

// pool computes n windows of one plane of the result, from number first on.
func (p *pooled) pool(ctx context.Context, dst []byte, plane, first, n int64) error {
	src, buf, err := p.read(ctx, p.maps, plane, first, n)
	defer graph.PutBuffer(buf)
	if err != nil {
		return err
	}
	loops, kind, size := kernel.Active(), p.maps.DType().Kind(), p.maps.DType().Size()
	sum, most := loops.SumRows[kind], loops.Max[kind]
	row := p.ch * int(p.size())
	deep := p.z.counted(int(plane % int64(p.z.out)))
	y, x := p.at(first)
	top, bottom := p.y.inside(y)
	for ; len(dst) > 0; x++ {
		if x == p.x.out {
			y, x = y+1, 0
			top, bottom = p.y.inside(y)
		}
		from, to := p.x.inside(x)
		acc := dst[:row]
		dst = dst[row:]
		if p.sums {
			clear(acc)
		}
		for z := range src.planes {
			for ky := top; ky < bottom; ky++ {
				line := z*src.apart + (p.y.tap(y, ky)-src.y)*src.width - src.skip
				taps, each := to-from, 1 // at a time: those that lie together
				if p.sums && p.x.dilation == 1 {
					taps, each = 1, taps
				}
				for k := range taps {
					at := line + p.x.tap(x, from+k)*p.ch
					some := src.data[at*size : (at+each*p.ch)*size]
					switch {
					case p.sums:
						sum(kernel.View[float64](acc), some)
					case z == 0 && ky == top && k == 0:
						copy(acc, some)
					default:
						most(acc, acc, some)
					}
				}
			}
		}
		if p.sums {
			by := src.planes * (bottom - top) * (to - from)
			if p.countPadding || p.total {
				by = deep * p.y.counted(y) * p.x.counted(x)
			}
			if whole := p.taps(); !p.total {
				loops.DivideBy[dtype.KindFloat64](acc, acc, float64(by))
			} else if by < whole {
				loops.DivideBy[dtype.KindFloat64](acc, acc, float64(by)/float64(whole))
			}
		}
	}
	return nil
}
