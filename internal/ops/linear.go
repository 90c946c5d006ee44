package ops

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// LinearOptions refine Linear.
type LinearOptions struct {
	Axis       int         // the axis that is mapped; may count from the end
	Residual   graph.Array // added to the result, of its shape; nil: nothing
	Activation string      // applied to the sum; "": none
}

// Linear maps an axis of x by weights, as Keras's Dense, torch.nn.Linear and a
// 1×1 convolution do: y = activation(x·W + b + residual). All arrays are
// float16, bfloat16, float32 or float64 and promote; the work is done in float32
// or float64.
func Linear(x graph.Array, w Weights, o LinearOptions) (graph.Array, error) {
	s := x.Shape()
	if len(s) == 0 {
		return nil, graph.Errorf(x, "shape () has no channels to map")
	}
	axis, err := shape.Axis(o.Axis, len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	all := append([]graph.Array{x}, w.Arrays()...)
	if o.Residual != nil {
		all = append(all, o.Residual)
	}
	t, err := FloatType("a linear map", all...)
	if err != nil {
		return nil, err
	}
	var post postOps
	if o.Residual != nil {
		want := s.Clone()
		if w.Kernel != nil {
			if want[axis], err = w.Outputs(); err != nil {
				return nil, err
			}
		}
		if !o.Residual.Shape().Equal(want) {
			return nil, graph.Errorf(o.Residual, "shape %v: want %v, the shape of what it is added to", o.Residual.Shape(), want)
		}
		post.residual = cast(o.Residual, t.Compute())
	}
	fused, after := fuse(o.Activation, t.Compute())
	post.activation = fused
	work := cast(x, t.Compute())
	if post.residual == nil || axis == len(s)-1 {
		work, err = linearThen(work, w, axis, post)
	} else if work, err = linear(work, w, axis); err == nil { // a product adds it to rows alone
		work, err = post.apply(work, axis)
	}
	if err != nil {
		return nil, err
	}
	out, err := activateAndCast(work, after, t, axis)
	if err == nil && o.Residual == nil && o.Activation == "" && w.Kernel != nil && w.Norm == nil {
		madeBy(out, &origin{axis, func(n *BatchNorm, activation string) (graph.Array, error) {
			w, o := w, o
			w.Norm, o.Activation = n, activation
			return Linear(x, w, o)
		}})
	}
	return out, err
}

// activateAndCast applies an activation, "" being none, and rounds to t; axis is what a
// softmax runs over.
func activateAndCast(x graph.Array, activation string, t dtype.Type, axis int) (graph.Array, error) {
	if activation != "" {
		var err error
		if x, err = activate(activation, x, axis); err != nil {
			return nil, err
		}
	}
	return cast(x, t), nil
}

// linear maps one axis of x in x's dtype, which is float32 or float64.
func linear(x graph.Array, w Weights, axis int) (graph.Array, error) {
	return linearThen(x, w, axis, postOps{})
}

// linearThen is linear with what a product does besides, the bias apart; a
// residual is for the last axis alone.
func linearThen(x graph.Array, w Weights, axis int, post postOps) (graph.Array, error) {
	t, s := x.DType(), x.Shape()
	w, err := w.folded(t, w.Kernel)
	if err != nil {
		return nil, err
	}
	post.bias = w.Bias
	if w.Kernel == nil {
		return post.apply(x, axis)
	}
	k, err := w.matrix()
	if err != nil {
		return nil, err
	}
	if err := w.Fits(x, axis); err != nil {
		return nil, err
	}
	in, out := k.Shape()[0], k.Shape()[1]
	if w.Layout == Torch {
		in, out = out, in
	}
	epi, err := post.materialize(t, out)
	if err != nil {
		return nil, err
	}
	k = cast(k, t)
	if axis < len(s)-1 && s.Product(axis+1, len(s)) >= linearFirstLeast {
		return linearFirst(x, toLayout(k, w.Layout, Torch), axis, epi), nil
	}
	k = toLayout(k, w.Layout, Keras)
	if in > 0 && s.Len() < int64(in)*kernel.FewRows && kernel.Active().InPlace(t.Kind()) {
		weights := graph.InMemory(k)
		return onLast(x, axis, func(x graph.Array) (graph.Array, error) {
			return newProduct("linear", x, weights, rowsIn(x), in, out, epi), nil
		})
	}
	weights := pack(k, 1)
	return onLast(x, axis, func(x graph.Array) (graph.Array, error) { return multiplyRows(x, weights, epi), nil })
}

// apply is e done to x, which is no product.
func (post postOps) apply(x graph.Array, axis int) (graph.Array, error) {
	x, err := addBias(x, post.bias, axis)
	if err == nil && post.residual != nil {
		x, err = Add([]graph.Array{post.residual, x}, AddOptions{})
	}
	if err == nil && post.activation != "" {
		x, err = activate(post.activation, x, axis)
	}
	return x, err
}

// addBias adds one number to each position of an axis; nil is none.
func addBias(x, bias graph.Array, axis int) (graph.Array, error) {
	if bias == nil {
		return x, nil
	}
	s := x.Shape()
	if err := checkBias(bias, s[axis]); err != nil {
		return nil, err
	}
	along := make(shape.Shape, len(s))
	for i := range along {
		along[i] = 1
	}
	along[axis] = s[axis]
	each := repeat(reshape(cast(bias, x.DType()), along), s)
	return &nary{computed{op: "bias", dt: x.DType(), sh: s}, []graph.Array{x, each}, kernel.Active().Add[x.DType().Kind()]}, nil
}
