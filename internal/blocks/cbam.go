package blocks

import (
	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// SpatialOrders lists the orders of the two channels that CBAM convolves: the paper's, and
// that of the authors' code.
var SpatialOrders = []string{"mean,max", "max,mean"}

// CBAM is the convolutional block attention module (Woo et al. 2018): channels
// are scaled by sigmoid(mlp(mean) + mlp(max)), mlp being fc2(relu(fc1)), and
// then positions by the sigmoid of a convolution, padded to the same size, of
// the mean and the maximum over the channels, stacked in order, one of SpatialOrders.
func CBAM(x graph.Array, fc1, fc2, spatial ops.Weights, order string, l shape.Layout) (graph.Array, error) {
	x, t, err := working("cbam", x, fc1, fc2, spatial)
	if err != nil {
		return nil, err
	}
	if l, err = ops.MapForm("cbam", x, l, spatial.Spatial()); err != nil {
		return nil, err
	}
	if err := fitBottleneck(x, fc1, fc2, l); err != nil {
		return nil, err
	}
	o := ops.ReduceOptions{KeepDims: true, Layout: l}
	mean, top, err := meanAndMax(x, o)
	if err != nil {
		return nil, err
	}
	for _, pooled := range []*graph.Array{&mean, &top} {
		if *pooled, err = bottleneck(*pooled, fc1, fc2, l); err != nil {
			return nil, err
		}
	}
	gate, err := ops.Add([]graph.Array{mean, top}, ops.AddOptions{})
	if err != nil {
		return nil, err
	}
	if x, err = scaleBy(x, gate, x.DType(), l); err != nil {
		return nil, err
	}
	channel := l.Channel()
	o.Axes = []int{channel}
	if mean, top, err = meanAndMax(x, o); err != nil {
		return nil, err
	}
	if order == SpatialOrders[1] {
		mean, top = top, mean
	}
	stacked, err := ops.Concat([]graph.Array{mean, top}, channel)
	if err != nil {
		return nil, err
	}
	where, err := ops.Conv(stacked, spatial, ops.ConvOptions{Padding: ops.Padding{Same: true}, Layout: l})
	if err != nil {
		return nil, err
	}
	return scaleBy(x, where, t, l)
}

// meanAndMax pools x both ways.
func meanAndMax(x graph.Array, o ops.ReduceOptions) (mean, top graph.Array, err error) {
	if mean, err = ops.GlobalAvgPool(x, o); err != nil {
		return nil, nil, err
	}
	top, err = ops.GlobalMaxPool(x, o)
	return mean, top, err
}
