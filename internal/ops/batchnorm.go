package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// BatchNormalize is n done to an axis of x, which may count from the end, and then
// an activation, "" being none. All arrays are float16, bfloat16, float32 or float64
// and promote; the work is done in float64 and rounded to float32, or stays so.
// What a convolution or a linear map has just given takes no pass: where nothing
// else reads that, its weights are folded.
func BatchNormalize(x graph.Array, axis int, n BatchNorm, activation string) (graph.Array, error) {
	s := x.Shape()
	if len(s) == 0 {
		return nil, graph.Errorf(x, "shape () has no channels to normalise")
	}
	axis, err := shape.Axis(axis, len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	t, err := FloatType("a normalisation", append([]graph.Array{x}, n.arrays()...)...)
	if err != nil {
		return nil, err
	}
	on := channelRuns{blocks: 1, n: int64(s[axis]), inner: s.Product(axis+1, len(s))}
	y, err := normalizeRuns(cast(x, t.Compute()), on, n, "channel of "+graph.Described(x))
	if err != nil {
		return nil, err
	}
	if y, err = activateAndCast(y, activation, t, axis); err != nil {
		return nil, err
	}
	if o := originOf(x); o != nil && o.axis == axis {
		folded, err := o.normalized(&n, activation)
		return newFoldable(x, y, folded), err
	}
	return y, nil
}

// normalizeRuns is x, of float32 or float64, normalised by n's arrays, which have a
// number for each channel of each block; one names a channel in messages.
func normalizeRuns(x graph.Array, c channelRuns, n BatchNorm, one string) (graph.Array, error) {
	all := int(c.blocks * c.n)
	scale, _, err := (&BatchNorm{Weight: n.Weight, Variance: n.Variance, Epsilon: n.Epsilon}).scaleAndShift(all, nil, one)
	if err != nil {
		return nil, err
	}
	mean, err := eachChannel(n.Mean, 0, all, one)
	if err != nil {
		return nil, err
	}
	bias, err := eachChannel(n.Bias, 0, all, one)
	if err != nil {
		return nil, err
	}
	return c.apply(x, mean, scale, bias), nil
}

// foldable is a normalised map by weights: one with the normalisation in its
// weights, where nothing else reads the map itself, or else the normalised map.
type foldable struct {
	view
	of, apart, folded graph.Array
}

func newFoldable(of, apart, folded graph.Array) graph.Array {
	return &foldable{view{unary{computed{op: "norm", dt: apart.DType(), sh: apart.Shape()}, apart}}, of, apart, folded}
}

// Foldable makes it a graph.Folder.
func (f *foldable) Foldable() graph.Array { return f.of }

// Fold is called by a plan.
func (f *foldable) Fold(alone bool) {
	if f.x = f.apart; alone {
		f.x = f.folded
	}
}
