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
	var stride, dilation, pad, outputPad list
	var o ops.ConvOptions
	cmd := &cobra.Command{
		Use:   "conv X --weight W",
		Short: "convolution of a feature map",
		Long: `Convolves a feature map of 4 dimensions, as tf.nn.conv2d and
torch.nn.functional.conv2d do. Kernels are [h,w,in/groups,out] under nhwc,
[out,in/groups,h,w] under nchw, unless --weight-layout says otherwise.

--padding same pads as TensorFlow does, N or N,M as PyTorch does, on either
side. --transpose is conv_transpose2d, with kernels [h,w,out,in] or
[in,out,h,w]; it takes no groups and no dilation.`,
		Example: `  # U-Net's 3x3 convolution
  fusectl conv map.npy --weight k.npy --padding same --activation relu -o out.npy
  # ResNet's projection shortcut
  fusectl conv map.npy --weight k1.npy --stride 2 -o shortcut.npy`,
		Args: inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (_ graph.Array, err error) {
			if err := checkActivation("activation", activation); err != nil {
				return nil, err
			}
			if o.Stride, err = perAxis("stride", stride, 1); err != nil {
				return nil, err
			}
			if o.Dilation, err = perAxis("dilation", dilation, 1); err != nil {
				return nil, err
			}
			if o.OutputPadding, err = perAxis("output-padding", outputPad, 0); err != nil {
				return nil, err
			}
			if o.Padding, err = padding(pad); err != nil {
				return nil, err
			}
			if o.Groups < 1 {
				return nil, usagef("--groups %d: want at least 1", o.Groups)
			}
			ws, err := st.openWeights(layout, w)
			if err != nil {
				return nil, err
			}
			o.Layout, o.Activation = shape.Layout(st.layout), activation
			if err := st.twoSpatial("a convolution takes a feature map", xs[0]); err != nil {
				return nil, err
			}
			st.takesMaps(ws[0].Spatial(), xs[0])
			return ops.Conv(xs[0], ws[0], o)
		}),
	}
	w.addTo(cmd, "weight", "the `KERNEL`")
	f := cmd.Flags()
	f.Var(&pad, "padding", paddingUsage+"; default valid")
	f.Var(&stride, "stride", "positions between windows, N or N,M; default 1")
	f.Var(&dilation, "dilation", "positions between taps, N or N,M; default 1")
	f.IntVar(&o.Groups, "groups", 1, "channels are convolved in `N` groups")
	f.BoolVar(&o.Transposed, "transpose", false, "the transposed convolution, which upsamples")
	f.Var(&outputPad, "output-padding", "positions added after, with --transpose, N or N,M")
	activationFlag(cmd, &activation, "activation", "apply `NAME` to the result")
	weightLayoutFlag(cmd, &layout)
	needs(cmd, "weight")
	return cmd
}
