package ops

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// FastNormalize is relu(x) / (Σ relu(x) + epsilon) along the last axis, the weights
// of BiFPN's fast normalised fusion (Tan et al. 2020).
func FastNormalize(x graph.Array, epsilon float64) (graph.Array, error) {
	return normalize("fast-normalize", x, func(kind dtype.Kind) rowLoop {
		loop := kernel.Active().FastNormalizeRows[kind]
		return func(dst, src []byte, cols int) { loop(dst, src, cols, epsilon) }
	})
}

// PowerNormalize is sign(x)·sqrt(|x|) along the last axis, divided by its length:
// the power and l2 normalisation of bilinear features (Yu et al. 2017).
func PowerNormalize(x graph.Array) (graph.Array, error) {
	return normalize("power-normalize", x, func(kind dtype.Kind) rowLoop { return kernel.Active().PowerRows[kind] })
}

// normalize is x through the loop for its kind, row by row along the last axis of a
// float array.
func normalize(op string, x graph.Array, loop func(dtype.Kind) rowLoop) (graph.Array, error) {
	if len(x.Shape()) == 0 {
		return nil, graph.Errorf(x, "shape () has no axis to normalize")
	}
	t, err := FloatType(op, x)
	if err != nil {
		return nil, err
	}
	work := t.Compute()
	rows := eachRow("normalize", cast(x, work), loop(work.Kind()))
	return cast(rows, t), nil
}
