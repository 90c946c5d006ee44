package main

import (
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newFPNCommand(e *env) *cobra.Command {
	var (
		upsample, weightLayout string
		lateral, bias          list
		all                    bool
		first                  int
	)
	cmd := &cobra.Command{
		Use:   "fpn C2 C3...",
		Short: "top-down feature pyramid (FPN in RetinaNet, Faster R-CNN)",
		Long: `Fuses the levels of a feature pyramid from the top down: each level is
lateral(level) + upsample(coarser level). Levels are feature maps of 4
dimensions, given finest or coarsest first. The result is the finest fused
level; --all writes all of them, finest first.

Bilinear upsampling has half-pixel centres, as tf.image.resize; nearest is
torch.nn.functional.interpolate's, as torchvision's pyramid uses it.

Laterals are 1x1 convolutions, named finest level first, none where a level
has none: [in,out] or [1,1,in,out] under nhwc, [out,in] or [out,in,1,1] under
nchw, unless --weight-layout says otherwise.`,
		Example: `  # three levels with as many channels
  fusectl fpn c2.npy c3.npy c4.npy -o p2.npy
  # laterals bring 256, 512 and 1024 channels to 256
  fusectl fpn c2.npy c3.npy c4.npy --lateral w2.npy,w3.npy,w4.npy \
      --lateral-bias b2.npy,b3.npy,b4.npy --all -o 'p{}.npy'`,
		Args: inputs(2, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ops.CheckResizeMode(upsample); err != nil {
				return usagef("--upsample: %v", err)
			}
			if err := e.checkOutput(all); err != nil {
				return err
			}
			levels, err := e.openAll(args)
			if err != nil {
				return err
			}
			weights, err := e.laterals(len(levels), lateral, bias, weightLayout)
			if err != nil {
				return err
			}
			fused, err := ops.FPN(levels, ops.FPNOptions{Upsample: upsample, Lateral: weights, Layout: shape.Layout(e.layout)})
			if err != nil {
				return err
			}
			if !all {
				return e.finish(cmd.Context(), fused[0])
			}
			return e.finishNumbered(cmd.Context(), fused, first)
		},
	}
	f := cmd.Flags()
	f.StringVar(&upsample, "upsample", "bilinear", "upsampling `MODE`: "+strings.Join(ops.ResizeModes, ", "))
	f.Var(&lateral, "lateral", "1x1 convolutions of the levels, finest first; none is the identity")
	f.Var(&bias, "lateral-bias", "their biases, likewise")
	f.BoolVar(&all, "all", false, "write all fused levels, to an output with {} in its name")
	f.IntVar(&first, "first-level", 2, "the `NUMBER` of the finest level in the names of --all")
	weightLayoutFlag(cmd, &weightLayout)
	complete(cmd, "upsample", ops.ResizeModes)
	return cmd
}

// laterals opens the lateral convolutions of a pyramid of n levels; nil where
// there are none.
func (e *env) laterals(n int, kernels, biases list, layout string) ([]ops.Weights, error) {
	if kernels == nil && biases == nil {
		return nil, nil
	}
	for _, f := range []struct {
		name string
		list list
	}{{"lateral", kernels}, {"lateral-bias", biases}} {
		if f.list != nil && len(f.list) != n {
			return nil, usagef("--%s names %d for %d levels: want one each, none where a level has none", f.name, len(f.list), n)
		}
	}
	flags := make([]weightFlags, n)
	for i := range flags {
		if kernels != nil {
			flags[i].kernel = kernels[i]
		}
		if biases != nil {
			flags[i].bias = biases[i]
		}
	}
	return e.openWeights(layout, flags...)
}
