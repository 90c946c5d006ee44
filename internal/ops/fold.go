package ops

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// folded is w with its normalisation folded into its kernel and its bias, which
// costs no pass over the result: scale·(W·x + b - mean) + bias is another map of
// x. The fold is computed in float64 and rounded once, to t. given is the
// kernel that messages name.
func (w Weights) folded(t dtype.Type, given graph.Array) (Weights, error) {
	n := w.Norm
	if n == nil {
		return w, nil
	}
	s := w.Kernel.Shape()
	out := len(s) - 1 // the axis of the output channels
	if w.Layout == Torch {
		out = 0
	}
	channels := s[out]
	scale, shift, err := n.scaleAndShift(channels, w.Bias, "output channel of "+graph.Described(given))
	if err != nil {
		return w, err
	}
	along := make(shape.Shape, len(s))
	for i := range along {
		along[i] = 1
	}
	along[out] = channels
	k, err := Mul([]graph.Array{cast(w.Kernel, dtype.Float64), reshape(scale, along)}, MulOptions{})
	if err != nil {
		return w, err
	}
	return Weights{Kernel: cast(k, t), Bias: cast(shift, t), Layout: w.Layout}, nil
}

// scaleAndShift is the numbers by which n scales and shifts the channels of what
// before is added to, in float64, [channels]; one names a channel in messages.
func (n *BatchNorm) scaleAndShift(channels int, before graph.Array, one string) (scale, shift graph.Array, err error) {
	columns := make([]graph.Array, 0, kernel.NormColumns)
	for _, c := range []struct {
		x      graph.Array
		absent float64
	}{{n.Variance, 1}, {n.Mean, 0}, {n.Weight, 1}, {n.Bias, 0}, {before, 0}} {
		x, err := eachChannel(c.x, c.absent, channels, one)
		if err != nil {
			return nil, nil, err
		}
		columns = append(columns, reshape(x, shape.Shape{channels, 1}))
	}
	rows, err := Concat(columns, 1)
	if err != nil {
		return nil, nil, err
	}
	fold := kernel.Active().FoldNormRows[dtype.KindFloat64]
	rows = eachRow("batchnorm", rows, func(dst, src []byte, _ int) { fold(dst, src, n.Epsilon) })
	across := transpose(rows, []int{1, 0}) // row 0 is the scales, row 1 the shifts
	row := func(i int) graph.Array { return reshape(rowsOf(across, i, 1), shape.Shape{channels}) }
	return row(0), row(1), nil
}

// eachChannel is a number for each channel in float64: x, or if that is nil, all
// of them absent; one names a channel in messages.
func eachChannel(x graph.Array, absent float64, channels int, one string) (graph.Array, error) {
	switch {
	case x == nil:
		return filled(absent, int64(channels)), nil
	case x.Shape().Len() != int64(channels):
		return nil, graph.Errorf(x, "shape %v: want (%d,), a number for each %s", x.Shape(), channels, one)
	default:
		return reshape(cast(x, dtype.Float64), shape.Shape{channels}), nil
	}
}
