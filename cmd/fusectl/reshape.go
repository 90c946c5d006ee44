package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
)

func newReshapeCommand(st *step) *cobra.Command {
	var dims list
	cmd := &cobra.Command{
		Use:   "reshape X --shape D0,D1,...",
		Short: "see the elements under another shape",
		Long: `Gives an array another shape of as many elements, which keep their order, as
numpy.reshape does. One extent may be -1: what the others leave. rearrange does
the same by names, and checks them.`,
		Example: `  # [N,H,W,C] to [N,H·W·C]
  fusectl reshape map.npy --shape 2,-1 -o flat.npy`,
		Args: inputs(1, 1),
		RunE: arranges(st, func(x graph.Array) (graph.Array, error) {
			s, err := extents(dims)
			if err != nil {
				return nil, err
			}
			return ops.Reshape(x, s)
		}),
	}
	cmd.Flags().Var(&dims, "shape", "extents of the result, such as 2,-1,64; '' for a 0-d array")
	needs(cmd, "shape")
	return cmd
}
