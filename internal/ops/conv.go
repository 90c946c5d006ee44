package ops

import (
	"cmp"
	"errors"
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
	if w.Kernel == nil {
		return nil, &graph.Error{Msg: "a convolution needs a kernel"}
	}
	told := w.Spatial()
	if told < 1 || told > maxSpatial {
		return nil, graph.Errorf(w.Kernel, "shape %v: want a kernel of 3, 4 or 5 dimensions, such as %s", w.Kernel.Shape(), kernelAxes(w.Layout, o.Transposed, spatialNames(2)))
	}
	form, err := movesOver("a convolution", x, o.Layout, told)
	if e := (*graph.Error)(nil); errors.As(err, &e) {
		return nil, e.Hint("the kernel has %d spatial %s: its shape %v is read as %s", told, plural(told, "axis", "axes"), w.Kernel.Shape(), kernelAxes(w.Layout, o.Transposed, spatialNames(told)))
	}
	o.Layout = form
	work, t, err := floatWork("a convolution", x, w)
	if err != nil {
		return nil, err
	}
	fused, after := fuse(o.Activation, work.DType())
	o.Activation = fused
	var from *origin
	if after == "" && fused == "" && w.Norm == nil {
		from = &origin{axis: form.Channel(), normalized: func(n *BatchNorm, activation string) (graph.Array, error) {
			w, o := w, o
			w.Norm, o.Activation = n, activation
			return Conv(x, w, o)
		}}
	}
	out, err := conv(work, w, o, from)
	if err != nil {
		return nil, err
	}
	out, err = activateAndCast(out, after, t, form.Channel())
	if err == nil && from != nil {
		from.result = out
	}
	return out, err
}

// conv is Conv in x's dtype, which is float32 or float64, unrounded, with an
// activation that a product applies by itself. o.Layout names the axes of x.
func conv(x graph.Array, w Weights, o ConvOptions, from *origin) (graph.Array, error) {
	w, err := w.folded(x.DType(), o.Transposed)
	if err != nil {
		return nil, err
	}
	k := cast(w.Kernel, x.DType())
	n := len(k.Shape()) - 2
	order := kernelOrder(w.Layout, o.Transposed, n)
	ks := k.Shape().Permute(order)
	size, in, out := ks[:n], ks[n], ks[n+1]
	groups, channels := max(o.Groups, 1), x.Shape()[o.Layout.Channel()]
	win := Window{Size: size, Stride: o.Stride, Dilation: o.Dilation, Padding: o.Padding}
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
	post := postOps{bias: w.Bias, activation: o.Activation, from: from}
	epi, err := post.materialize(x.DType(), out)
	if err != nil {
		return nil, err
	}
	var on windows
	if !o.Transposed {
		if on, err = win.resolve(x, o.Layout); err != nil {
			return nil, err
		}
	}
	return onBatch(x, o.Layout, func(x graph.Array, form shape.Layout) (graph.Array, error) {
		switch {
		case o.Transposed:
			return onLast(x, form.Channel(), func(x graph.Array) (graph.Array, error) {
				return convTransposed(x, transpose(k, order), o, post)
			})
		case form.ChannelsFirst():
			return convFirst(x, transpose(k, channelsFirst(order)), on, groups, epi)
		case groups > 1 && out/groups < narrowGroup:
			last := shape.MoveToLast(1, n+2) // the channels, from second place
			y, err := convFirst(transpose(x, shape.Inverse(last)), transpose(k, channelsFirst(order)), on, groups, epi)
			if err != nil {
				return nil, err
			}
			return transpose(y, last), nil
		}
		return convLast(x, transpose(k, order), on, groups, epi)
	})
}

// narrowGroup is the output channels of a group from which on they fill a
// vector: for fewer, as in a depthwise convolution, positions do, with the
// channels first.
const narrowGroup = 16
