package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// Softmax is the activation that works on a whole axis, the channels.
const softmaxName = "softmax"

// Activations lists the names that --activation and --gate take.
func Activations() []string { return append(kernel.Activations(), softmaxName) }

// Activate applies an activation, with PyTorch's default parameters: gelu is
// the exact one, leaky-relu has slope 0.01, softmax runs over the axis given,
// which may count from the end. relu and relu6 keep integers; the others give
// float64 of them. Complex arrays have none.
func Activate(name string, x graph.Array, axis int) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	out, err := activate(name, x, axis)
	if err == nil && x.DType().IsFloat() {
		out = cast(out, x.DType())
	}
	return out, err
}

// activate is Activate without the rounding of 16-bit floats, which stay as
// the float32 they are computed in.
func activate(name string, x graph.Array, axis int) (graph.Array, error) {
	t := x.DType()
	if err := needReal("an activation", []graph.Array{x}); err != nil {
		return nil, err
	}
	if name == softmaxName {
		x = cast(x, t.Inexact().Compute())
		if len(x.Shape()) == 0 {
			return nil, graph.Errorf(x, "shape () has no channel axis for softmax")
		}
		axis, err := shape.Axis(axis, len(x.Shape()))
		if err != nil {
			return nil, graph.Errorf(x, "%v: shape %v", err, x.Shape())
		}
		return onLast(x, axis, func(x graph.Array) (graph.Array, error) { return softmax(x), nil })
	}
	if loop := kernel.Active().Activation(name, t.Kind()); loop != nil {
		return mapTo(name, t, x, loop), nil
	}
	w := t.Inexact().Compute()
	return mapTo(name, w, cast(x, w), kernel.Active().Activation(name, w.Kind())), nil
}

// softmax is exp(x - max) / sum over the last axis of a float32 or float64
// array. A row of nothing but -inf, which leaves nothing to attend to, gives
// zeros.
func softmax(x graph.Array) graph.Array {
	return eachRow(softmaxName, x, kernel.Active().SoftmaxRows[x.DType().Kind()])
}
