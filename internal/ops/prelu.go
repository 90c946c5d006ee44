package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// prelu is x where it is positive, else slope·x, as torch.nn.PReLU and Keras's PReLU
// have it. The slope is one number, one for each position of an axis, or an array
// that broadcasts to x. The result has the dtype that both promote to, or float64 of
// integers.
func prelu(x, slope graph.Array, axis int) (graph.Array, error) {
	xs, t, err := Promote([]graph.Array{x, slope})
	if err != nil {
		return nil, err
	}
	if t.IsOpaque() || t.IsComplex() {
		return nil, graph.Errorf(slope, "dtype %v: an activation takes real numbers", slope.DType())
	}
	t = t.Inexact()
	s, along := x.Shape(), slope.Shape()
	fits := along.Len() == 1
	switch {
	case fits:
		along = shape.Shape{}
	case len(along) == 1 && len(s) > 0:
		fits = along[0] == s[axis]
		for range s[axis+1:] {
			along = append(along[:len(along):len(along)], 1)
		}
	default:
		to, ok := shape.Broadcast(along, s)
		fits = ok && to.Equal(s)
	}
	if !fits {
		return nil, graph.Errorf(slope, "shape %v: want one number, one for each channel, or what broadcasts to %s", slope.Shape(), graph.Described(x))
	}
	each := repeat(reshape(cast(xs[1], t.Compute()), along), s)
	work := &nary{computed{op: "prelu", dt: t.Compute(), sh: s}, []graph.Array{cast(xs[0], t.Compute()), each}, kernel.Active().Prelu[t.Compute().Kind()]}
	return cast(work, t), nil
}
