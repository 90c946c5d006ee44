package ops

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// grouping is an array seen as blocks of groups of channels, [blocks, groups,
// channels, positions], or with the channels last, [blocks, positions, groups,
// channels].
type grouping struct {
	blocks, groups, channels, positions int64
	last                                bool
}

// count is the elements of a group.
func (g grouping) count() int64 { return g.channels * g.positions }

// runs says where the channels of all blocks lie.
func (g grouping) runs() channelRuns {
	if g.last {
		return channelRuns{g.blocks, g.groups * g.channels, 1}
	}
	return channelRuns{1, g.blocks * g.groups * g.channels, g.positions}
}

// spread is numbers of shape [blocks, groups, channels], of which each extent may
// be 1, for each channel of each block.
func (g grouping) spread(v graph.Array, from ...int) graph.Array {
	each := shape.Shape{int(g.blocks), int(g.groups), int(g.channels)}
	return reshape(repeat(reshape(v, from), each), shape.Shape{int(each.Len())})
}

// moments are the mean of each group and the sum of the squares about it, or if
// that isn't taken off, zeros and the sum of the squares: arrays of float64,
// [blocks·groups], for which x is read once.
func (g grouping) moments(x graph.Array, centred bool) (mean, squares graph.Array) {
	if !centred {
		return filled(0, g.blocks*g.groups), g.accumulated(x, 2, summingBy(&kernel.Active().SumSquareRows, &kernel.Active().RowSquares))
	}
	all := graph.Materialize(g.accumulated(x, 5, moments))
	mean = valued("mean", all, func(m kernel.Moments) float64 { return m.Mean })
	return mean, valued("squares", all, func(m kernel.Moments) float64 { return m.Squares })
}

// accumulated is each group accumulated, [blocks·groups]. flops are the operations
// for an element.
func (g grouping) accumulated(x graph.Array, flops int64, how func(t dtype.Type, g shape.Group) accumulate) graph.Array {
	t, steps := x.DType(), []shape.Group{{Outer: g.blocks * g.groups, Len: g.count(), Inner: 1}}
	if g.last {
		steps = []shape.Group{
			{Outer: g.blocks, Len: g.positions, Inner: g.groups * g.channels},
			{Outer: g.blocks * g.groups, Len: g.channels, Inner: 1},
		}
	}
	for i, s := range steps {
		acc := how(t, s)
		if i > 0 {
			if s.Len == 1 {
				break
			}
			acc, flops = acc.merging(), 1
		}
		x = reduce("norm", x, s, flops, acc)
	}
	return reshape(x, shape.Shape{int(g.blocks * g.groups)})
}

// divided is numbers of float64 divided by n.
func divided(x graph.Array, n float64) graph.Array {
	divide := kernel.Active().DivideBy[dtype.KindFloat64]
	return mapTo("divide", dtype.Float64, x, func(dst, src []byte) { divide(dst, src, n) })
}
