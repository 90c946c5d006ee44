package ops

import "fusectl/internal/shape"

// ConvOptions refine Conv. A list has a number for each spatial axis, outermost
// first, or one for all.
type ConvOptions struct {
	Stride, Dilation []int // empty is 1
	Padding          Padding
	Groups           int // 0 is 1
	Transposed       bool
	Activation       string // applied to the result; "": none
	OutputPadding    []int  // Transposed: positions added after, as PyTorch's output_padding; empty is 0
	Layout           shape.Layout
}

// spatialNames names n spatial axes as PyTorch does.
func spatialNames(n int) string { return []string{"l", "h,w", "d,h,w"}[n-1] }

// kernelAxes is a kernel's shape in words, its spatial axes being called along.
func kernelAxes(l WeightLayout, transposed bool, along string) string {
	switch {
	case l == Torch && transposed:
		return "(in,out," + along + ")"
	case l == Torch:
		return "(out,in/groups," + along + ")"
	case transposed:
		return "(" + along + ",out,in)"
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
