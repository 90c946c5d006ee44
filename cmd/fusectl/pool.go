package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newWindowPoolCommand(st *step) *cobra.Command {
	var mode string
	var window, stride, pad list
	var countPadding bool
	cmd := &cobra.Command{
		Use:   "pool X --window N",
		Short: "max or average pooling under a moving window",
		Long: `Takes the maximum or the average under a window that moves over the two spatial
axes of a feature map. Padding counts for neither, unless --count-include-pad
counts it as zeros in averages (PyTorch's default). The maximum keeps the
dtype; averages are summed in float64 and rounded once.`,
		Example: `  fusectl pool map.npy --window 2 -o halved.npy`,
		Args:    inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (_ graph.Array, err error) {
			if err := oneOf("mode", mode, ops.PoolModes); err != nil {
				return nil, err
			}
			o := ops.PoolOptions{CountPadding: countPadding, Layout: shape.Layout(st.layout)}
			if o.Size, err = perAxis("window", window, 1); err != nil {
				return nil, err
			}
			if o.Stride, err = perAxis("stride", stride, 1); err != nil {
				return nil, err
			}
			if stride == nil {
				o.Stride = o.Size
			}
			if o.Padding, err = padding(pad); err != nil {
				return nil, err
			}
			if err := st.twoSpatial("pooling takes a feature map", xs[0]); err != nil {
				return nil, err
			}
			return ops.Pool(xs[0], mode, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&mode, "mode", "max", "`MODE`: max or average")
	f.Var(&window, "window", "its extent, N or N,M")
	f.Var(&stride, "stride", "positions between windows, N or N,M; default the window's extent")
	f.Var(&pad, "padding", paddingUsage+"; default valid")
	f.BoolVar(&countPadding, "count-include-pad", false, "padding counts as zeros in averages")
	complete(cmd, "mode", ops.PoolModes)
	needs(cmd, "window")
	return cmd
}
