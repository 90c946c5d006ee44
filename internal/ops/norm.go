package ops

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// folded is w with its normalisation folded into its kernel and its bias, which
// costs no pass over the result: scale·(W·x + b - mean) + bias is another map of
// x. The fold is computed in float64 and rounded once, to t. transposed says
// that the kernel is a transposed convolution's.
func (w Weights) folded(t dtype.Type, transposed bool) (Weights, error) {
	n := w.Norm
	if n == nil {
		return w, nil
	}
	s := w.Kernel.Shape()
	out := len(s) - 1 // the axis of the output channels
	switch {
	case w.Layout == Torch && transposed:
		out = 1
	case w.Layout == Torch:
		out = 0
	case transposed:
		out = len(s) - 2
	}
	channels := s[out]
	columns := make([]graph.Array, 0, kernel.NormColumns)
	for _, c := range []struct {
		x      graph.Array
		absent float64
	}{{n.Variance, 1}, {n.Mean, 0}, {n.Weight, 1}, {n.Bias, 0}, {w.Bias, 0}} {
		if c.x == nil {
			c.x = repeat(Constant(dtype.Float64, c.absent), shape.Shape{channels})
		}
		if c.x.Shape().Len() != int64(channels) {
			return w, graph.Errorf(c.x, "shape %v: want (%d,), a number for each output channel of %s", c.x.Shape(), channels, graph.Described(w.Kernel))
		}
		columns = append(columns, reshape(cast(c.x, dtype.Float64), shape.Shape{channels, 1}))
	}
	rows, err := Concat(columns, 1)
	if err != nil {
		return w, err
	}
	fold := kernel.Active().FoldNormRows[dtype.KindFloat64]
	rows = eachRow("batchnorm", rows, func(dst, src []byte, _ int) { fold(dst, src, n.Epsilon) })
	across := transpose(rows, []int{1, 0}) // row 0 is the scales, row 1 the shifts
	along := make(shape.Shape, len(s))
	for i := range along {
		along[i] = 1
	}
	along[out] = channels
	k, err := Mul([]graph.Array{cast(w.Kernel, dtype.Float64), reshape(rowsOf(across, 0, 1), along)}, MulOptions{})
	if err != nil {
		return w, err
	}
	return Weights{
		Kernel: cast(k, t),
		Bias:   cast(reshape(rowsOf(across, 1, 1), shape.Shape{channels}), t),
		Layout: w.Layout,
	}, nil
}
