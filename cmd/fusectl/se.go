package main

import (
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/blocks"
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

func newSECommand(st *step) *cobra.Command {
	var fc1, fc2 weightFlags
	var layout string
	cmd := &cobra.Command{
		Use:   "se X --fc1 W --fc2 W",
		Short: "squeeze-and-excitation (SENet)",
		Long: `Scales each channel of X by sigmoid(fc2(relu(fc1(mean of the channel)))): the
block of Hu et al. 2018. Weights are those of linear.`,
		Example: `  fusectl se map.npy --fc1 fc1.npy --fc2 fc2.npy -o scaled.npy`,
		Args:    inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (graph.Array, error) {
			w, err := st.openWeights(layout, fc1, fc2)
			if err != nil {
				return nil, err
			}
			st.takesMaps(0, xs[0])
			return blocks.SE(xs[0], w[0], w[1], shape.Layout(st.layout))
		}),
	}
	fc1.addTo(cmd, "fc1", "the `MATRIX` that squeezes")
	fc2.addTo(cmd, "fc2", "the `MATRIX` that excites")
	weightLayoutFlag(cmd, &layout)
	needs(cmd, "fc1", "fc2")
	return cmd
}

func newCBAMCommand(st *step) *cobra.Command {
	var fc1, fc2, conv weightFlags
	var layout, order string
	cmd := &cobra.Command{
		Use:   "cbam X --fc1 W --fc2 W --conv K",
		Short: "channel and spatial attention (CBAM)",
		Long: `Scales channels by sigmoid(mlp(mean) + mlp(max)), mlp being fc2(relu(fc1)), and
then positions by the sigmoid of a convolution, padded to the same size, of
the mean and the maximum over the channels: the module of Woo et al. 2018.
Weights are those of linear and conv. The paper stacks mean and maximum; the
kernels of its authors' code take --spatial-order max,mean.`,
		Example: `  fusectl cbam map.npy --fc1 fc1.npy --fc2 fc2.npy --conv k7.npy -o refined.npy`,
		Args:    inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (graph.Array, error) {
			if err := oneOf("spatial-order", order, blocks.SpatialOrders); err != nil {
				return nil, err
			}
			w, err := st.openWeights(layout, fc1, fc2, conv)
			if err != nil {
				return nil, err
			}
			st.takesMaps(w[2].Spatial(), xs[0])
			return blocks.CBAM(xs[0], w[0], w[1], w[2], order, shape.Layout(st.layout))
		}),
	}
	fc1.addTo(cmd, "fc1", "the first `MATRIX` of both poolings' mlp")
	fc2.addTo(cmd, "fc2", "the second `MATRIX`")
	conv.addTo(cmd, "conv", "the spatial `KERNEL`, of 2 channels in and 1 out")
	cmd.Flags().StringVar(&order, "spatial-order", blocks.SpatialOrders[0], "the kernel's channels, `ORDER`: "+strings.Join(blocks.SpatialOrders, " or "))
	complete(cmd, "spatial-order", blocks.SpatialOrders)
	weightLayoutFlag(cmd, &layout)
	needs(cmd, "fc1", "fc2", "conv")
	return cmd
}
