package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newGapCommand(st *step) *cobra.Command {
	return newPoolCommand(st, &cobra.Command{
		Use:   "gap X",
		Short: "global average pooling (GoogLeNet)",
		Long: `Averages over all axes but batch and channel, or over --axes, as numpy.mean does.
Integers and booleans give float64, other dtypes themselves. Sums are kept in
float64 and rounded once; NaN propagates.`,
		Example: `  # [N,H,W,C] to [N,C]
  fusectl gap map.npy -o pooled.npy
  # SENet's squeeze, [N,1,1,C], which broadcasts against the map
  fusectl gap map.npy --keepdims -o squeezed.npy`,
	}, ops.GlobalAvgPool)
}

func newGmpCommand(st *step) *cobra.Command {
	return newPoolCommand(st, &cobra.Command{
		Use:   "gmp X",
		Short: "global max pooling (CBAM)",
		Long: `Takes the maximum over all axes but batch and channel, or over --axes, as
numpy.max does. The dtype stays; NaN propagates.`,
		Example: `  # [N,H,W,C] to [N,C]
  fusectl gmp map.npy -o peaks.npy
  # the maximum over the channels: where anything responds
  fusectl gmp map.npy --axes -1 --keepdims -o saliency.npy`,
	}, ops.GlobalMaxPool)
}

func newPoolCommand(st *step, cmd *cobra.Command, pool func(graph.Array, ops.ReduceOptions) (graph.Array, error)) *cobra.Command {
	var axes list
	var keepdims bool
	cmd.Args = inputs(1, 1)
	cmd.RunE = fuses(st, func(xs []graph.Array) (graph.Array, error) {
		over, err := numbers("axes", axes)
		if err != nil {
			return nil, err
		}
		if over == nil {
			st.takesMaps(0, xs[0])
		}
		return pool(xs[0], ops.ReduceOptions{Axes: over, KeepDims: keepdims, Layout: shape.Layout(st.layout)})
	})
	cmd.Flags().Var(&axes, "axes", "pool over these axes, such as 1,2; default all but batch and channel")
	cmd.Flags().BoolVar(&keepdims, "keepdims", false, "leave the pooled axes in the shape, with extent 1")
	return cmd
}
