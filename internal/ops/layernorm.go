package ops

import (
	"math"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// NormOptions refine LayerNorm, RMSNorm and L2Normalize.
type NormOptions struct {
	Axes       []int       // that are normalised over together; may count from the end
	Weight     graph.Array // of their extents; nil: ones
	Bias       graph.Array // likewise; nil: zeros
	UnitOffset bool        // the weight is 1 + Weight, as Gemma's
	Epsilon    float64
	Activation string // applied to the result; "": none
}

// LayerNorm is (x - mean) / sqrt(variance + Epsilon) · Weight + Bias, by the
// statistics over Axes, as torch.nn.functional.layer_norm and Keras's
// LayerNormalization (Ba et al. 2016). All arrays are float16, bfloat16, float32
// or float64 and promote; statistics are of float64, and the result is rounded
// once to float32, or stays so.
func LayerNorm(x graph.Array, o NormOptions) (graph.Array, error) {
	return rowNorm{centred: true, scales: standard(o.Epsilon)}.normalize(x, o)
}

// RMSNorm is x / sqrt(mean of x² + Epsilon) · Weight + Bias, likewise, as
// torch.nn.RMSNorm (Zhang & Sennrich 2019).
func RMSNorm(x graph.Array, o NormOptions) (graph.Array, error) {
	return rowNorm{scales: standard(o.Epsilon)}.normalize(x, o)
}

// L2Normalize is x / max(length, Epsilon) · Weight + Bias, likewise, the length
// being the root of the sum of x², as torch.nn.functional.normalize.
func L2Normalize(x graph.Array, o NormOptions) (graph.Array, error) {
	return rowNorm{scales: func(_, squares, _ []float64, _ float64) {
		for i, v := range squares {
			squares[i] = 1 / max(math.Sqrt(v), o.Epsilon)
		}
	}}.normalize(x, o)
}

func (k rowNorm) normalize(x graph.Array, o NormOptions) (graph.Array, error) {
	s := x.Shape()
	if len(s) == 0 {
		return nil, graph.Errorf(x, "shape () has no axis to normalise over")
	}
	axes, err := shape.Axes(o.Axes, len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	t, err := FloatType("a normalisation", append([]graph.Array{x}, present(o.Weight, o.Bias)...)...)
	if err != nil {
		return nil, err
	}
	perm := slices.Concat(others(axes, len(s)), axes)
	rowShape := s.Permute(axes)
	cols := rowShape.Len()
	weight, err := rowOperand("weight", o.Weight, rowShape, x)
	if err != nil {
		return nil, err
	}
	if weight != nil && o.UnitOffset {
		if weight, err = Add([]graph.Array{weight, Constant(dtype.Float64, 1)}, AddOptions{}); err != nil {
			return nil, err
		}
	}
	bias, err := rowOperand("bias", o.Bias, rowShape, x)
	if err != nil {
		return nil, err
	}
	y := cast(x, t.Compute())
	if inner := s.Product(axes[len(axes)-1]+1, len(s)); inner >= shortRun && cols*inner < longRow && axes[len(axes)-1]-axes[0] == len(axes)-1 && s.Len() > 0 {
		y = k.columns(reshape(y, shape.Shape{int(s.Len() / (cols * inner)), int(cols * inner)}), int(inner), weight, bias)
		return activateAndCast(reshape(y, s), o.Activation, t, axes[len(axes)-1])
	}
	y = transpose(y, perm)
	moved := y.Shape()
	if y.Shape().Len() > 0 {
		y = reshape(y, shape.Shape{int(y.Shape().Len() / cols), int(cols)})
		if cols < longRow {
			y = k.rows(y, weight, bias)
		} else {
			y = k.longRows(y, weight, bias)
		}
	}
	y = transpose(reshape(y, moved), shape.Inverse(perm))
	return activateAndCast(y, o.Activation, t, axes[len(axes)-1])
}

// rowOperand is a weight or a bias, if there is one, as a row of float64.
func rowOperand(what string, w graph.Array, row shape.Shape, x graph.Array) (graph.Array, error) {
	if w == nil {
		return nil, nil
	}
	wide := func(n int) bool { return n == 1 }
	if !slices.Equal(slices.DeleteFunc(w.Shape().Clone(), wide), slices.DeleteFunc(row.Clone(), wide)) {
		return nil, graph.Errorf(w, "%s of shape %v: want %v, the axes that are normalised over, of %s", what, w.Shape(), row, graph.Described(x))
	}
	return reshape(cast(w, dtype.Float64), shape.Shape{int(row.Len())}), nil
}

// rows is each row of x normalised while it is in the cache.
func (k rowNorm) rows(x, weight, bias graph.Array) graph.Array {
	k.t = x.DType()
	size := k.t.Size()
	n := x.Shape()[1]
	columns := affine(weight, bias, int64(n))
	if columns == nil && n <= shortRowLen { // one loop over many rows
		columns = []graph.Array{filled(1, int64(n)), filled(0, int64(n))}
	}
	some := k.rowsAtATime(n)
	r := eachRowWith("norm", x, columns, normFlops, func(dst, src []byte, cols int, columns [][]float64) {
		buf := graph.GetBuffer(int64(rowBuffers * some * 8))
		defer graph.PutBuffer(buf)
		of := k.statistics(cols, buf)
		for len(src) > 0 {
			n := min(some*cols*size, len(src))
			mean, scale := of.of(src[:n])
			if columns == nil {
				for i, mean := range mean {
					at, to := i*cols*size, (i+1)*cols*size
					kernel.Active().Normalize[k.t.Kind()](dst[at:to], src[at:to], mean, scale[i], 0)
				}
			} else {
				kernel.Active().NormalizeRows[k.t.Kind()](dst[:n], src[:n], mean, scale, columns[0], columns[1])
			}
			dst, src = dst[n:], src[n:]
		}
	})
	r.spare = int64(rowBuffers * some * 8 / size)
	return r
}

// affine is a weight and a bias, n numbers each, if there is either.
func affine(weight, bias graph.Array, n int64) []graph.Array {
	switch {
	case weight == nil && bias == nil:
		return nil
	case weight == nil:
		weight = filled(1, n)
	case bias == nil:
		bias = filled(0, n)
	}
	return []graph.Array{weight, bias}
}

// columns is each row of x, which is a matrix of cols columns, normalised column by
// column while it is in the cache; weight and bias are of its rows.
func (k rowNorm) columns(x graph.Array, cols int, weight, bias graph.Array) graph.Array {
	rows := x.Shape()[1] / cols
	if x.Shape()[0] < outerMax { // too few for workers to share what computes them
		x = graph.MaterializeSmall(x)
	}
	k.t = x.DType()
	size := k.t.Size()
	r := eachRowWith("norm", x, affine(weight, bias, int64(rows)), normFlops, func(dst, src []byte, all int, of [][]float64) {
		buf := graph.GetBuffer(int64(columnBuffers * cols * 8))
		defer graph.PutBuffer(buf)
		c := columnStatistics{k, cols, 1, kernel.View[float64](buf)}
		mean, scale := c.row(0), c.row(1)
		by, add := scale, c.row(3)
		for ; len(src) > 0; dst, src = dst[all*size:], src[all*size:] {
			c.of(src[:all*size])
			clear(add)
			if of != nil {
				by = c.row(2)
			}
			for i := range rows {
				if of != nil {
					copy(by, scale)
					kernel.Active().Scale[dtype.KindFloat64](kernel.Bytes(by), of[0][i])
					kernel.Fill(kernel.Bytes(add), kernel.Bytes(of[1][i:i+1]))
				}
				at, to := i*cols*size, (i+1)*cols*size
				kernel.Active().NormalizeCols[k.t.Kind()](dst[at:to], src[at:to], mean, by, add)
			}
		}
	})
	r.spare = int64(columnBuffers * cols * 8 / size)
	return r
}

// longRows is each row of x normalised by statistics that are computed first.
func (k rowNorm) longRows(x, weight, bias graph.Array) graph.Array {
	s, t := x.Shape(), x.DType()
	if weight != nil || bias != nil {
		x = cast(x, dtype.Float64) // which is rounded after these
	}
	mean, squares := grouping{blocks: int64(s[0]), groups: 1, channels: 1, positions: int64(s[1])}.moments(x, k.centred)
	scale := mapTo("norm", dtype.Float64, squares, func(dst, src []byte) {
		copy(dst, src)
		scale := kernel.View[float64](dst)
		zeros := make([]float64, len(scale)) // the sums about the mean, which isn't used here
		k.scales(zeros, scale, zeros, float64(s[1]))
	})
	y := channelRuns{blocks: 1, n: int64(s[0]), inner: int64(s[1])}.apply(x, mean, scale, filled(0, int64(s[0])))
	with := func(op string, v graph.Array, loops *[dtype.NumKinds]kernel.Loop3) {
		if v != nil {
			y = &nary{computed{op: op, dt: dtype.Float64, sh: s}, []graph.Array{y, repeat(v, s)}, loops[dtype.KindFloat64]}
		}
	}
	with("mul", weight, &kernel.Active().Mul)
	with("add", bias, &kernel.Active().Add)
	return cast(y, t)
}
