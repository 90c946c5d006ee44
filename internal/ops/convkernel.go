package ops

import (
	"fmt"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// ConvOptions refine Conv. A list has a number for each spatial axis, outermost
// first, or one for all.
type ConvOptions struct {
	Stride, Dilation []int // empty is 1
	Padding          Padding
	Causal           bool // in its place: as many positions before as a window reaches back, as Keras's Conv1D
	Groups           int  // 0 is 1
	Transposed       bool
	Activation       string // applied to the result; "": none
	Layout           shape.Layout

	// Of a transposed convolution: the positions added after the result, as Keras's
	// and PyTorch's output_padding, or all of its positions, as their output_shape and
	// output_size; empty: neither.
	OutputPadding, OutputSize []int
}

// spatialNames names n spatial axes as PyTorch does.
func spatialNames(n int) string { return []string{"l", "h,w", "d,h,w"}[n-1] }

// kernelAxes is a kernel's shape in words, its spatial axes being called along.
func kernelAxes(l WeightLayout, transposed bool, along string) string {
	switch {
	case l == Torch && transposed:
		return "(in,out/groups," + along + ")"
	case l == Torch:
		return "(out,in/groups," + along + ")"
	case transposed:
		return "(" + along + ",out/groups,in)"
	}
	return "(" + along + ",in/groups,out)"
}

// kernelOrder lists the axes of a kernel of n spatial ones: these, then the
// channels that it sums over, then those that it gives.
func kernelOrder(l WeightLayout, transposed bool, n int) []int {
	first, in, out := 0, n, n+1
	if l == Torch {
		first, in, out = 2, 1, 0
	}
	if transposed {
		in, out = out, in
	}
	order := make([]int, 0, n+2)
	for i := range n {
		order = append(order, first+i)
	}
	return append(order, in, out)
}

// channelsFirst is an order of axes, the last two of which are channels that are
// summed over and given, with these in front, the given ones first.
func channelsFirst(order []int) []int {
	n := len(order) - 2
	return append([]int{order[n+1], order[n]}, order[:n]...)
}

// kernelFor is the kernel of w, for a convolution of x, as [k..., in/groups, out].
func kernelFor(x graph.Array, w Weights, o ConvOptions) (graph.Array, error) {
	n := len(w.Kernel.Shape()) - 2
	groups, channels := max(o.Groups, 1), x.Shape()[o.Layout.Channel()]
	k := transpose(w.Kernel, kernelOrder(w.Layout, o.Transposed, n))
	ks := k.Shape()
	size, in, out := ks[:n:n], ks[n], ks[n+1]
	if w.Layout == Keras && !o.Transposed && groups == channels && in == channels { // DepthwiseConv2D's: [k..., in, m]
		return reshape(k, append(size, 1, in*out)), nil
	}
	takes := in
	if !o.Transposed {
		takes *= groups
	}
	switch {
	case takes != channels:
		within := ""
		if groups > 1 {
			within = fmt.Sprintf(" in %d groups", groups)
		}
		return nil, graph.Errorf(w.Kernel, "kernel of shape %v takes %d channels%s: want %s, in being the %d channels of %s",
			w.Kernel.Shape(), takes, within, kernelAxes(w.Layout, o.Transposed, joined(size, ",")), channels, graph.Described(x)).
			Hint("kernels are read as %s; --weight-layout says otherwise", kernelAxes(w.Layout, o.Transposed, spatialNames(n)))
	case channels%groups != 0:
		return nil, graph.Errorf(x, "shape %v: %d channels don't split into %d groups", x.Shape(), channels, groups)
	case !o.Transposed && out%groups != 0:
		return nil, graph.Errorf(w.Kernel, "%d output channels don't split into %d groups", out, groups)
	case o.Transposed && groups > 1: // each group's outputs are beside one another
		k = reshape(k, append(size, groups, in/groups, out))
		order := make([]int, 0, n+3)
		for i := range n {
			order = append(order, i)
		}
		k = transpose(k, append(order, n+1, n, n+2))
		return reshape(k, append(size, in/groups, groups*out)), nil
	}
	return k, nil
}
