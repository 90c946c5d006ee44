package ops

import (
	"cmp"
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// Conv is the convolution of a map of 1, 2 or 3 spatial axes with a kernel,
// [k..., in/groups, out] for Keras's layout or [out, in/groups, k...] for
// PyTorch's, plus a bias: cross-correlation, as tf.nn.convolution and
// torch.nn.functional.conv1d, conv2d and conv3d. Transposed is the gradient of
// that, as conv_transpose2d, with kernels [k..., out, in] or [in, out, k...]; it
// takes no groups and no dilation. Arrays are float16, bfloat16, float32 or
// float64 and promote; the work is done in float32 or float64.
func Conv(x graph.Array, w Weights, o ConvOptions) (graph.Array, error) {
	n, err := spatialAxes("a convolution", x, o.Layout)
	if err != nil {
		return nil, err
	}
	if w.Kernel == nil {
		return nil, &graph.Error{Msg: "a convolution needs a kernel"}
	}
	if s := w.Kernel.Shape(); len(s) != n+2 {
		return nil, graph.Errorf(w.Kernel, "shape %v: want a kernel of %d dimensions, %s", s, n+2, kernelAxes(w.Layout, o.Transposed, spatialNames(n)))
	}
	work, t, err := floatWork("a convolution", x, w)
	if err != nil {
		return nil, err
	}
	fused, after := fuse(o.Activation, work.DType())
	o.Activation = fused
	out, err := conv(work, w, o)
	if err != nil {
		return nil, err
	}
	return activateAndCast(out, after, t, o.Layout.Channel(n+2))
}

// conv is Conv in x's dtype, which is float32 or float64, unrounded, with an
// activation that a product applies by itself.
func conv(x graph.Array, w Weights, o ConvOptions) (graph.Array, error) {
	w, err := w.folded(x.DType(), o.Transposed)
	if err != nil {
		return nil, err
	}
	k := cast(w.Kernel, x.DType())
	n := len(k.Shape()) - 2
	order := kernelOrder(w.Layout, o.Transposed, n)
	ks := k.Shape().Permute(order)
	size, in, out := ks[:n], ks[n], ks[n+1]
	axis := o.Layout.Channel(n + 2)
	groups, channels := max(o.Groups, 1), x.Shape()[axis]
	win := Window{size, o.Stride, o.Dilation, o.Padding}
	if err := cmp.Or(win.check(x, n), checkList(x, "output padding", o.OutputPadding, n)); err != nil {
		return nil, err
	}
	switch {
	case o.Transposed && (groups > 1 || slices.Max(append([]int{1}, o.Dilation...)) > 1):
		return nil, &graph.Error{Msg: "a transposed convolution takes no groups and no dilation"}
	case in*groups != channels:
		e := graph.Errorf(w.Kernel, "kernel of shape %v takes %d channels in %d groups: want %s, in being the %d channels of %s",
			w.Kernel.Shape(), in*groups, groups, kernelAxes(w.Layout, o.Transposed, joined(size, ",")), channels, graph.Described(x))
		if s := w.Kernel.Shape(); w.Layout == Keras && groups == channels && s[n] == channels {
			return nil, e.Hint("Keras's DepthwiseConv%dD has (%s,C,m): reshape it to %v", n, spatialNames(n), append(s[:n:n], 1, s[n]*s[n+1]))
		}
		return nil, e.Hint("kernels are read as %s; --weight-layout says otherwise", kernelAxes(w.Layout, o.Transposed, spatialNames(n)))
	case out%groups != 0:
		return nil, graph.Errorf(w.Kernel, "%d output channels don't split into %d groups", out, groups)
	}
	post := postOps{bias: w.Bias, activation: o.Activation}
	epi, err := post.materialize(x.DType(), out)
	if err != nil {
		return nil, err
	}
	if o.Transposed {
		return onLast(x, axis, func(x graph.Array) (graph.Array, error) {
			return convTransposed(x, transpose(k, order), o, post)
		})
	}
	if o.Layout == shape.NCHW {
		return convFirst(x, transpose(k, channelsFirst(order)), win, groups, epi)
	}
	if groups > 1 && out/groups < narrowGroup {
		if _, err := win.resolve(x, 1); err != nil { // which tells of x as it is
			return nil, err
		}
		last := shape.MoveToLast(1, n+2) // the channels, from second place
		y, err := convFirst(transpose(x, shape.Inverse(last)), transpose(k, channelsFirst(order)), win, groups, epi)
		if err != nil {
			return nil, err
		}
		return transpose(y, last), nil
	}
	return convLast(x, transpose(k, order), win, groups, epi)
}

// narrowGroup is the output channels of a group from which on they fill a
// vector: for fewer, as in a depthwise convolution, positions do, with the
// channels first.
const narrowGroup = 16
