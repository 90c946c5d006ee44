package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
)

func newStackCommand(st *step) *cobra.Command {
	var axis int
	cmd := &cobra.Command{
		Use:   "stack A B...",
		Short: "join arrays of one shape along a new axis",
		Long: `Joins arrays of one shape along a new axis, the first unless --axis says
otherwise, as numpy.stack does; dtypes promote as those of concat.`,
		Example: `  # maps one by one to a batch
  fusectl stack a.npy b.npy -o batch.npy`,
		Args: inputs(1, 0),
		RunE: fuses(st, func(xs []graph.Array) (graph.Array, error) { return ops.Stack(xs, axis) }),
	}
	cmd.Flags().IntVar(&axis, "axis", 0, "the place of the new axis in the result, `N`; negative ones count from the end")
	return cmd
}
