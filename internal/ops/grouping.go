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
// [blocks·groups].
func (g grouping) moments(x graph.Array, centred bool) (mean, squares graph.Array) {
	mean = filled(0, g.blocks*g.groups)
	if centred {
		mean = graph.Materialize(divided(g.sum(x), float64(g.count())))
		if x.DType() == dtype.Float64 { // what it was rounded by, so that equal numbers differ by nothing
			off := divided(g.sum(g.less(x, mean)), float64(g.count()))
			mean = graph.Materialize(&nary{computed{op: "add", dt: dtype.Float64, sh: mean.Shape()}, []graph.Array{mean, off}, kernel.Active().Add[dtype.KindFloat64]})
		}
	}
	multiply := kernel.Active().Mul[dtype.KindFloat64]
	square := func(dst, src []byte) { multiply(dst, src, src) }
	return mean, g.sum(mapTo("square", dtype.Float64, g.less(cast(x, dtype.Float64), mean), square))
}

// sum is the sum of each group, in float64.
func (g grouping) sum(x graph.Array) graph.Array {
	steps := []shape.Group{{Outer: g.blocks * g.groups, Len: g.count(), Inner: 1}}
	if g.last {
		steps = []shape.Group{
			{Outer: g.blocks, Len: g.positions, Inner: g.groups * g.channels},
			{Outer: g.blocks * g.groups, Len: g.channels, Inner: 1},
		}
	}
	for _, s := range steps {
		if s.Len > 1 {
			x = reduce("sum", x, s, 1, summing(x.DType(), s))
		}
	}
	return reshape(cast(x, dtype.Float64), shape.Shape{int(g.blocks * g.groups)})
}

// less is x without the mean of its group.
func (g grouping) less(x, mean graph.Array) graph.Array {
	all := g.blocks * g.groups * g.channels
	return g.runs().apply(x, g.spread(mean, int(g.blocks), int(g.groups), 1), filled(1, all), filled(0, all))
}

// divided is numbers of float64 divided by n.
func divided(x graph.Array, n float64) graph.Array {
	divide := kernel.Active().DivideBy[dtype.KindFloat64]
	return mapTo("divide", dtype.Float64, x, func(dst, src []byte) { divide(dst, src, n) })
}
