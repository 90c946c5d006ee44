package ops

import (
	"fmt"
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// WeightLayout says in which order a weight's axes stand.
type WeightLayout string

// Keras stores a dense kernel as [in, out] and a convolution's as [h, w, in,
// out]; PyTorch as [out, in] and [out, in, h, w].
const (
	Keras WeightLayout = "keras"
	Torch WeightLayout = "torch"
)

// Spatial is the number of a kernel's spatial axes; 0 where there is no kernel, or a matrix.
func (w Weights) Spatial() int {
	if w.Kernel == nil {
		return 0
	}
	return max(len(w.Kernel.Shape())-2, 0)
}

// DefaultWeights is the weight layout that goes with a layout.
func DefaultWeights(l shape.Layout) WeightLayout {
	if l.ChannelsFirst() {
		return Torch
	}
	return Keras
}

// Weights is a linear map with an optional bias.
type Weights struct {
	Kernel graph.Array // of a linear map two dimensions, or a 1×1 convolution's; nil: the identity
	Bias   graph.Array // as many elements as the map has outputs; nil: none
	Layout WeightLayout
	Norm   *BatchNorm // what normalises the map's outputs; nil: nothing
}

// Arrays are the arrays that there are.
func (w Weights) Arrays() []graph.Array {
	all := present(w.Kernel, w.Bias)
	if w.Norm != nil {
		all = append(all, w.Norm.arrays()...)
	}
	return all
}

// matrix is the kernel as two dimensions, [in, out] for Keras's layout and
// [out, in] for PyTorch's.
func (w Weights) matrix() (graph.Array, error) {
	k := w.Kernel
	s := k.Shape()
	switch n := len(s); {
	case n == 2:
	case 2 < n && n <= 2+maxSpatial && w.Layout == Torch && s.Product(2, n) == 1: // a 1×1 convolution's
		k = reshape(k, s[:2])
	case 2 < n && n <= 2+maxSpatial && w.Layout == Keras && s.Product(0, n-2) == 1:
		k = reshape(k, s[n-2:])
	case w.Layout == Torch:
		return nil, graph.Errorf(k, "shape %v: want a linear weight, (out,in) or (out,in,1,1)", s)
	default:
		return nil, graph.Errorf(k, "shape %v: want a linear weight, (in,out) or (1,1,in,out)", s)
	}
	return k, nil
}

// Outputs is the features that a linear map with a kernel gives.
func (w Weights) Outputs() (int, error) {
	k, err := w.matrix()
	if err != nil {
		return 0, err
	}
	if w.Layout == Torch {
		return k.Shape()[0], nil
	}
	return k.Shape()[1], nil
}

// toLayout is a kernel of layout from, [in, out] or [out, in], in layout to.
func toLayout(k graph.Array, from, to WeightLayout) graph.Array {
	if from == to {
		return k
	}
	return transpose(k, []int{1, 0})
}

// Fits refuses a kernel of a linear map that doesn't take as many channels as an
// axis of x has.
func (w Weights) Fits(x graph.Array, axis int) error {
	if w.Kernel == nil {
		return nil
	}
	k, err := w.matrix()
	if err != nil {
		return err
	}
	s := x.Shape()
	in, want := k.Shape()[0], fmt.Sprintf("(%d,out)", s[axis])
	if w.Layout == Torch {
		in, want = k.Shape()[1], fmt.Sprintf("(out,%d)", s[axis])
	}
	if in == s[axis] {
		return nil
	}
	return graph.Errorf(w.Kernel, "weight of shape %v takes %d channels: want %s for the %d of %s", w.Kernel.Shape(), in, want, s[axis], graph.Described(x)).
		Hint("weights are read in %s's order; --weight-layout says otherwise", w.Layout)
}

// floatWork is x in the dtype that it and its weights are computed in, and the
// dtype that the result is rounded to.
func floatWork(op string, x graph.Array, weights ...Weights) (graph.Array, dtype.Type, error) {
	all := []graph.Array{x}
	for _, w := range weights {
		all = append(all, w.Arrays()...)
	}
	_, t, err := needFloat(op, all)
	if err != nil {
		return nil, t, err
	}
	return cast(x, t.Compute()), t, nil
}
