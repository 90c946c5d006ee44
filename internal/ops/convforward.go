package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// convForward is the convolution of x, whose axes o.Layout names, with kernels
// [k..., C/groups, out].
func convForward(x, k graph.Array, win Window, o ConvOptions, post postOps) (graph.Array, error) {
	ks := k.Shape()
	n, groups, out := len(ks)-2, max(o.Groups, 1), ks[len(ks)-1]
	epi, err := post.materialize(x.DType(), out)
	if err != nil {
		return nil, err
	}
	on, err := win.resolve(x, o.Layout)
	if err != nil {
		return nil, err
	}
	first := channelsFirst(kernelOrder(Keras, false, n)) // the order of the kernel's axes for maps that have them first
	return onBatch(x, o.Layout, func(x graph.Array, form shape.Layout) (graph.Array, error) {
		switch {
		case form.ChannelsFirst():
			return convFirst(x, transpose(k, first), on, groups, epi)
		case groups == 1 || out/groups >= narrowGroup:
			return convLast(x, k, on, groups, epi)
		}
		last := shape.MoveToLast(1, n+2) // the channels, from second place
		y, err := convFirst(transpose(x, shape.Inverse(last)), transpose(k, first), on, groups, epi)
		if err != nil {
			return nil, err
		}
		return transpose(y, last), nil
	})
}

// narrowGroup is the output channels of a group from which on they fill a
// vector: for fewer, as in a depthwise convolution, positions do, with the
// channels first.
const narrowGroup = 16
