package main

import (
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/dtype"
	"fusectl/internal/ops"
)

func newRandomCommand(st *step) *cobra.Command {
	var dims list
	var seed uint64
	var distribution string
	cmd := &cobra.Command{
		Use:   "random --shape D0,D1,...",
		Short: "draw an array, normal or uniform, from a seed",
		Long: `Draws an array from the standard normal distribution or the uniform one on
[0,1). A seed gives the same bytes on every machine, with any number of
threads. --dtype is float32 unless given.`,
		Example: `  fusectl random --shape 1,64,64,64 --seed 1 -o a.npy`,
		Args:    inputs(0, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("takes no inputs: got %s", args[0])
			}
			if !cmd.Flags().Changed("shape") {
				return usagef("needs a shape: --shape 1,64,64,64, or --shape '' for a 0-d array")
			}
			s, err := extents(dims)
			if err != nil {
				return err
			}
			t := st.dtype.t
			if t.Size() == 0 {
				t = dtype.Float32
			}
			out, err := ops.Random(distribution, s, t, seed)
			if err != nil {
				return err
			}
			return st.finish(cmd.Context(), out)
		},
	}
	cmd.Flags().Var(&dims, "shape", "extents of the array, such as 1,64,64,64")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "what the numbers depend on, `N`")
	cmd.Flags().StringVar(&distribution, "distribution", "normal", "`NAME`: "+strings.Join(ops.Distributions, " or "))
	complete(cmd, "distribution", ops.Distributions)
	return cmd
}
