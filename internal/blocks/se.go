package blocks

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// SE is squeeze-and-excitation (Hu et al. 2018): each channel of x is scaled by
// sigmoid(fc2(relu(fc1(mean of the channel)))). fc1 and fc2 are linear maps of
// the channels, such as from C to C/16 and back.
func SE(x graph.Array, fc1, fc2 ops.Weights, l shape.Layout) (graph.Array, error) {
	x, t, err := working("se", x, fc1, fc2)
	if err != nil {
		return nil, err
	}
	if l, err = ops.MapForm("se", x, l, 0); err != nil {
		return nil, err
	}
	if err := fitBottleneck(x, fc1, fc2, l); err != nil {
		return nil, err
	}
	squeezed, err := ops.GlobalAvgPool(x, ops.ReduceOptions{KeepDims: true, Layout: l})
	if err != nil {
		return nil, err
	}
	gate, err := bottleneck(squeezed, fc1, fc2, l)
	if err != nil {
		return nil, err
	}
	return scaleBy(x, gate, t, l)
}

// fitBottleneck refuses an x, whose axes l names, without positions to pool, and linear maps that don't
// lead from its channels back to as many.
func fitBottleneck(x graph.Array, fc1, fc2 ops.Weights, l shape.Layout) error {
	if len(l.Spatial()) == 0 {
		return graph.Errorf(x, "shape %v has no positions to pool: want a feature map, such as %s", x.Shape(), l.Like(2, true))
	}
	axis := l.Channel()
	if err := fc1.Fits(x, axis); err != nil {
		return err
	}
	given, by := x.Shape()[axis], x
	for _, fc := range []ops.Weights{fc1, fc2} {
		if fc.Kernel == nil {
			continue
		}
		n, err := fc.Outputs()
		if err != nil {
			return err
		}
		given, by = n, fc.Kernel
	}
	if given != x.Shape()[axis] {
		return graph.Errorf(by, "shape %v: gives %d channels: want the %d of %s, which they scale", by.Shape(), given, x.Shape()[axis], graph.Described(x))
	}
	return nil
}

// bottleneck is fc2(relu(fc1(x))) over the channels.
func bottleneck(x graph.Array, fc1, fc2 ops.Weights, l shape.Layout) (graph.Array, error) {
	axis := l.Channel()
	z, err := ops.Linear(x, fc1, ops.LinearOptions{Axis: axis, Activation: "relu"})
	if err != nil {
		return nil, err
	}
	return ops.Linear(z, fc2, ops.LinearOptions{Axis: axis})
}

// scaleBy is x times the sigmoid of gate, rounded to t.
func scaleBy(x, gate graph.Array, t dtype.Type, l shape.Layout) (graph.Array, error) {
	y, err := ops.Mul([]graph.Array{x, gate}, ops.MulOptions{Gate: "sigmoid", Layout: l})
	if err != nil {
		return nil, err
	}
	return ops.Cast(y, t)
}

// working is x in the dtype that op, which takes floats alone, computes in with
// its weights, and the dtype of its result.
func working(op string, x graph.Array, weights ...ops.Weights) (graph.Array, dtype.Type, error) {
	all := []graph.Array{x}
	for _, w := range weights {
		all = append(all, w.Arrays()...)
	}
	t, err := ops.FloatType(op, all...)
	if err != nil {
		return nil, t, err
	}
	x, err = ops.Cast(x, t.Compute())
	return x, t, err
}
