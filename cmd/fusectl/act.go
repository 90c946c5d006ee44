package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
)

func newActCommand(st *step) *cobra.Command {
	var activation string
	cmd := &cobra.Command{
		Use:   "act X --activation NAME",
		Short: "apply an activation",
		Long: `Applies an activation, with PyTorch's defaults: gelu is the exact one,
leaky-relu has slope 0.01, softmax runs over the channels.`,
		Example: `  fusectl act map.npy --activation softmax -o probabilities.npy`,
		Args:    inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (graph.Array, error) {
			if err := checkActivation("activation", activation); err != nil {
				return nil, err
			}
			return ops.Activate(activation, xs[0], st.channel(xs[0]))
		}),
	}
	activationFlag(cmd, &activation, "activation", "one of "+activations())
	needs(cmd, "activation")
	return cmd
}
