package ops

import (
	"cmp"
	"errors"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// Conv is the convolution of a map of 1, 2 or 3 spatial axes with a kernel,
// [k..., in/groups, out] for Keras's layout or [out, in/groups, k...] for
// PyTorch's, plus a bias: cross-correlation, as tf.nn.convolution and
// torch.nn.functional.conv1d, conv2d and conv3d. In Keras's layout, and with as many
// groups as channels, a kernel [k..., in, m] is one of DepthwiseConv1D or
// DepthwiseConv2D: output channel in·m+i is map i of input channel in. Transposed is the
// gradient of all that, as conv_transpose1d, conv_transpose2d and conv_transpose3d, with
// kernels [k..., out/groups, in] or [in, out/groups, k...]. Arrays are float16,
// bfloat16, float32 or float64 and promote; the work is done in float32 or
// float64.
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
		return nil, e.Hint("the kernel has %s: its shape %v is read as %s", shape.CountAxes(told, "spatial "), w.Kernel.Shape(), kernelAxes(w.Layout, o.Transposed, spatialNames(told)))
	}
	o.Layout = form
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
	out, err = activateAndCast(out, after, t, form.Channel())
	if err == nil && fused+after == "" && w.Norm == nil {
		madeBy(out, &origin{form.Channel(), func(n *BatchNorm, activation string) (graph.Array, error) {
			w, o := w, o
			w.Norm, o.Activation = n, activation
			return Conv(x, w, o)
		}})
	}
	return out, err
}

// conv is Conv in x's dtype, which is float32 or float64, unrounded, with an
// activation that a product applies by itself. o.Layout names the axes of x.
func conv(x graph.Array, w Weights, o ConvOptions) (graph.Array, error) {
	n := len(w.Kernel.Shape()) - 2
	win := Window{Stride: o.Stride, Dilation: o.Dilation, Padding: o.Padding}
	if err := cmp.Or(win.check(x, n), checkList(x, "output padding", o.OutputPadding, n), checkList(x, "output size", o.OutputSize, n)); err != nil {
		return nil, err
	}
	k, err := kernelFor(x, w, o)
	if err != nil {
		return nil, err
	}
	w, err = Weights{Kernel: k, Bias: w.Bias, Layout: Keras, Norm: w.Norm}.folded(x.DType(), w.Kernel)
	if err != nil {
		return nil, err
	}
	k = cast(w.Kernel, x.DType())
	post := postOps{bias: w.Bias, activation: o.Activation}
	if o.Transposed {
		return convTransposed(x, k, o, post)
	}
	win.Size = k.Shape()[:n]
	if o.Causal {
		for i, size := range win.Size {
			win.Padding.Each = append(win.Padding.Each, [2]int{(size - 1) * max(pick(o.Dilation, i, 1), 1), 0})
		}
	}
	return convForward(x, k, win, o, post)
}
