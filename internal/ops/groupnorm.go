package ops

import (
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// GroupNormOptions refine GroupNorm.
type GroupNormOptions struct {
	Axis         int         // of the channels; may count from the end
	Spatial      []int       // the axes of the positions, likewise
	Groups       int         // of channels that are normalised together; 0: each by itself
	Weight, Bias graph.Array // a number for each channel; nil: ones, zeros
	Epsilon      float64
	Activation   string // applied to the result; "": none
}

// Arrays lists those that there are.
func (o GroupNormOptions) Arrays() []graph.Array { return present(o.Weight, o.Bias) }

// GroupNorm is (x - mean) / sqrt(variance + Epsilon) · Weight + Bias, by the
// statistics of each group of channels over all positions, as torch's group_norm
// and Keras's GroupNormalization (Wu & He 2018); with a group for each channel it
// is instance normalisation (Ulyanov et al. 2016). All arrays are float16,
// bfloat16, float32 or float64 and promote; statistics are of float64, and the
// result is rounded once to float32, or stays so.
func GroupNorm(x graph.Array, o GroupNormOptions) (graph.Array, error) {
	s := x.Shape()
	axis, err := shape.Axis(o.Axis, len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	axes, err := shape.Axes(append([]int{axis}, o.Spatial...), len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	n := s[axis]
	groups := o.Groups
	if groups == 0 {
		groups = n
	}
	if groups < 0 || n > 0 && n%groups != 0 {
		return nil, graph.Errorf(x, "shape %v: its %d channels don't split into %d groups", s, n, groups)
	}
	t, err := FloatType("a normalisation", append([]graph.Array{x}, o.Arrays()...)...)
	if err != nil {
		return nil, err
	}
	one := "channel of " + graph.Described(x)
	weight, err := eachChannel(o.Weight, 1, n, one)
	if err != nil {
		return nil, err
	}
	bias, err := eachChannel(o.Bias, 0, n, one)
	if err != nil {
		return nil, err
	}
	y := cast(x, t.Compute())
	if s.Len() == 0 {
		return cast(y, t), nil
	}
	// The channels stay where they are, after or before all positions, if the blocks come first.
	batch, spatial := others(axes, len(s)), slices.DeleteFunc(axes, func(a int) bool { return a == axis })
	last := axis == len(s)-1
	perm := slices.Concat(batch, []int{axis}, spatial)
	if last {
		perm = slices.Concat(batch, spatial, []int{axis})
	}
	blocks := int(s.Permute(batch).Len())
	y = transpose(y, perm)
	g := grouping{int64(blocks), int64(groups), int64(n / groups), s.Len() / int64(blocks*n), last}
	if block := g.positions * int64(n); block < longRow {
		y = g.rows(reshape(y, shape.Shape{blocks, int(block)}), weight, bias, o.Epsilon)
	} else if y, err = g.byStatistics(y, weight, bias, o.Epsilon); err != nil {
		return nil, err
	}
	y = transpose(reshape(y, s.Permute(perm)), shape.Inverse(perm))
	return activateAndCast(y, o.Activation, t, axis)
}

// rows is each block, a row of x, normalised while it is in the cache.
func (g grouping) rows(x, weight, bias graph.Array, epsilon float64) graph.Array {
	if g.blocks < outerMax { // too few for workers to share what computes them
		x = graph.MaterializeSmall(x)
	}
	k := rowNorm{centred: true, scales: standard(epsilon), t: x.DType()}
	if g.last {
		return g.lastRows(k, x, weight, bias)
	}
	if g.positions <= shortRun {
		weight, bias = g.eachElement(weight), g.eachElement(bias)
	}
	size, n := x.DType().Size(), int(g.count())
	some := k.rowsAtATime(n)
	r := eachRowWith("norm", x, []graph.Array{weight, bias}, normFlops, func(dst, src []byte, cols int, columns [][]float64) {
		buf := graph.GetBuffer(int64(rowBuffers * some * 8))
		defer graph.PutBuffer(buf)
		of := k.statistics(n, buf)
		for ; len(src) > 0; dst, src = dst[cols*size:], src[cols*size:] {
			g.block(of, some, dst[:cols*size], src[:cols*size], columns[0], columns[1])
		}
	})
	r.spare = int64(rowBuffers * some * 8 / size)
	return r
}

// lastRows is rows for blocks that are matrices with the channels in their columns.
func (g grouping) lastRows(k rowNorm, x, weight, bias graph.Array) graph.Array {
	channels, size := int(g.groups*g.channels), x.DType().Size()
	times := max(min(shortRowLen/channels, int(g.positions)), 1) // a row for the loop is so many
	r := eachRowWith("norm", x, []graph.Array{weight, bias}, normFlops, func(dst, src []byte, all int, of [][]float64) {
		buf := graph.GetBuffer(int64((columnBuffers + 3*times) * channels * 8))
		defer graph.PutBuffer(buf)
		numbers := kernel.View[float64](buf)
		c := columnStatistics{k, channels, int(g.channels), numbers[:columnBuffers*channels]}
		numbers = numbers[len(c.buf):]
		n := times * channels
		mean, scale, add := numbers[:n], numbers[n:2*n], numbers[2*n:]
		kernel.Fill(kernel.Bytes(add), kernel.Bytes(of[1]))
		for ; len(src) > 0; dst, src = dst[all*size:], src[all*size:] {
			c.of(src[:all*size])
			for i, w := range of[0] {
				c.row(1)[i] *= w
			}
			kernel.Fill(kernel.Bytes(mean), kernel.Bytes(c.row(0)))
			kernel.Fill(kernel.Bytes(scale), kernel.Bytes(c.row(1)))
			for at := 0; at < all; at += n {
				to := min(at+n, all)
				kernel.Active().NormalizeCols[k.t.Kind()](dst[at*size:to*size], src[at*size:to*size], mean[:to-at], scale[:to-at], add[:to-at])
			}
		}
	})
	r.spare = int64((columnBuffers + 3*times) * channels * 8 / size)
	return r
}

// eachElement is a number for each channel repeated for its positions.
func (g grouping) eachElement(v graph.Array) graph.Array {
	n, m := int(g.groups*g.channels), int(g.positions)
	return reshape(repeat(reshape(v, shape.Shape{n, 1}), shape.Shape{n, m}), shape.Shape{n * m})
}

// block normalises a block with its channels first, some groups at a time. weight
// and bias are of channels, or where these are short of elements.
func (g grouping) block(of rowStatistics, some int, dst, src []byte, weight, bias []float64) {
	t, kind, n := kernel.Active(), of.k.t.Kind(), int(g.count())
	size := len(src) / (n * int(g.groups))
	run := int(g.positions) * size
	for first := 0; len(src) > 0; first += some {
		groups := src[:min(some*n*size, len(src))]
		mean, scale := of.of(groups)
		for j := range mean {
			i, at, to := first+j, j*n*size, (j+1)*n*size
			if g.positions <= shortRun {
				t.NormalizeRows[kind](dst[at:to], groups[at:to], mean[j:j+1], scale[j:j+1], weight[i*n:(i+1)*n], bias[i*n:(i+1)*n])
				continue
			}
			for c := range int(g.channels) {
				at, of := at+c*run, i*int(g.channels)+c
				t.Normalize[kind](dst[at:at+run], groups[at:at+run], mean[j], float64(scale[j]*weight[of]), bias[of])
			}
		}
		dst, src = dst[len(groups):], src[len(groups):]
	}
}

// byStatistics is x normalised by statistics that are computed first.
func (g grouping) byStatistics(x, weight, bias graph.Array, epsilon float64) (graph.Array, error) {
	groups, channels := int(g.groups), int(g.channels)
	mean, squares := g.moments(x, true)
	return normalizeRuns(x, g.runs(), BatchNorm{
		Weight: g.spread(weight, 1, groups, channels), Bias: g.spread(bias, 1, groups, channels),
		Mean: g.spread(mean, int(g.blocks), groups, 1), Variance: g.spread(divided(squares, float64(g.count())), int(g.blocks), groups, 1),
		Epsilon: epsilon,
	}, "channel")
}
