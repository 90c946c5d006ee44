package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newConvCommand(st *step) *cobra.Command {
	var w weightFlags
	var activation, layout string
	var stride, dilation, pad, outputPad, outputSize list
	var o ops.ConvOptions
	cmd := &cobra.Command{
		Use:   "conv X --weight W",
		Short: "convolution of a feature map, a sequence or a clip",
		Long: `Convolves a feature map along its one, two or three spatial axes, as
tf.nn.convolution and torch.nn.functional.conv1d, conv2d and conv3d do: [N,T,C],
[N,H,W,C] or [N,T,H,W,C] under nhwc, [N,C,...] under nchw. Kernels are
[k...,in/groups,out] under nhwc, [out,in/groups,k...] under nchw, with a number
for each spatial axis, unless --weight-layout says otherwise. In Keras's order,
and with as many groups as channels, [k...,C,m] is DepthwiseConv2D's kernel.

--padding same pads as TensorFlow does, same-lower as ONNX's SAME_LOWER, N on
either side as PyTorch, BEFORE:AFTER as ONNX's pads, causal as Keras's Conv1D.
Lists have a number, or a pair, for each spatial axis, or one for all.

--transpose is Keras's Conv2DTranspose and conv_transpose2d, or of as many axes
as the map has, with kernels [k...,out/groups,in] or [in,out/groups,k...].
--output-size is TensorFlow's and ONNX's output_shape, PyTorch's output_size.`,
		Example: `  # U-Net's 3x3 convolution
  fusectl conv map.npy --weight k.npy --padding same --activation relu -o out.npy
  # ResNet's projection shortcut
  fusectl conv map.npy --weight k1.npy --stride 2 -o shortcut.npy
  # MobileNet's first, which pads after
  fusectl conv map.npy --weight k.npy --stride 2 --padding 0:1 -o stem.npy
  # a sequence's, and a clip's, over time alone
  fusectl conv tokens.npy --weight k3.npy --padding causal -o past.npy
  fusectl conv clip.npy --weight k311.npy --stride 2,1,1 --padding 1,0,0 -o slow.npy`,
		Args: inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (_ graph.Array, err error) {
			if err := checkActivation("activation", activation); err != nil {
				return nil, err
			}
			if o.Causal = pad.String() == "causal"; o.Causal {
				pad = nil
			}
			if o.Padding, err = padding(pad); err != nil {
				return nil, err
			}
			for _, f := range []struct {
				to    *[]int
				name  string
				words list
				least int
			}{
				{&o.Stride, "stride", stride, 1}, {&o.Dilation, "dilation", dilation, 1},
				{&o.OutputPadding, "output-padding", outputPad, 0}, {&o.OutputSize, "output-size", outputSize, 1},
			} {
				if *f.to, err = perAxis(f.name, f.words, f.least); err != nil {
					return nil, err
				}
			}
			switch {
			case o.Groups < 1:
				return nil, usagef("--groups %d: want at least 1", o.Groups)
			case !o.Transposed && (outputPad != nil || outputSize != nil):
				return nil, usagef("--output-padding and --output-size go with --transpose")
			case outputPad != nil && outputSize != nil:
				return nil, usagef("--output-padding and --output-size both tell the result's extents: want one of them")
			case o.Transposed && o.Causal:
				return nil, usagef("--padding causal: --transpose takes same, same-lower, valid or numbers")
			}
			ws, err := st.openWeights(layout, w)
			if err != nil {
				return nil, err
			}
			o.Layout, o.Activation = shape.Layout(st.layout), activation
			st.takesMaps(ws[0].Spatial(), xs[0])
			return ops.Conv(xs[0], ws[0], o)
		}),
	}
	w.addTo(cmd, "weight", "the `KERNEL`")
	f := cmd.Flags()
	f.Var(&pad, "padding", paddingUsage+", or causal; default valid")
	f.Var(&stride, "stride", "positions between windows; default 1")
	f.Var(&dilation, "dilation", "positions between taps; default 1")
	f.IntVar(&o.Groups, "groups", 1, "channels are convolved in `N` groups")
	f.BoolVar(&o.Transposed, "transpose", false, "the transposed convolution, which upsamples")
	f.Var(&outputPad, "output-padding", "positions added after, with --transpose")
	f.Var(&outputSize, "output-size", "the result's extents, with --transpose")
	activationFlag(cmd, &activation, "activation", "apply `NAME` to the result")
	weightLayoutFlag(cmd, &layout)
	needs(cmd, "weight")
	return cmd
}
