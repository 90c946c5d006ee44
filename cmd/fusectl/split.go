package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
)

func newSplitCommand(st *step) *cobra.Command {
	var axis, parts int
	var sizes list
	cmd := &cobra.Command{
		Use:   "split X --parts N -o 'part{}.npy'",
		Short: "cut an array into parts along one axis",
		Long: `Cuts an array along one axis, the last unless --axis says otherwise, into --parts
equal ones, as numpy.split, or into parts of --sizes, as torch.split: one of
these may be -1, what the others leave. concat joins them again.

The parts are written to an output with {} in its name, which numbers them from
0, or to an archive.`,
		Example: `  # queries, keys and values of a joined projection
  fusectl split words.npy --sizes 4,4,8 -o 'qkv{}.npy'
  # two halves of the channels, in one archive
  fusectl split map.npy --parts 2 -o 'halves.npz:half{}'`,
		Args: inputs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if byParts := cmd.Flags().Changed("parts"); byParts == (sizes != nil) {
				return usagef("needs --parts N or --sizes N,M,..., and not both")
			}
			if err := st.checkOutput(true); err != nil {
				return err
			}
			extents, err := numbers("sizes", sizes)
			if err != nil {
				return err
			}
			x, err := st.open(args[0])
			if err != nil {
				return err
			}
			var outs []graph.Array
			if sizes != nil {
				outs, err = ops.Split(x, axis, extents)
			} else {
				outs, err = ops.SplitEqually(x, axis, parts)
			}
			if err != nil {
				return err
			}
			return st.finishNumbered(cmd.Context(), outs, 0)
		},
	}
	f := cmd.Flags()
	f.IntVar(&axis, "axis", -1, "cut along axis `N`; negative ones count from the end")
	f.IntVar(&parts, "parts", 0, "how many equal parts, `N`")
	f.Var(&sizes, "sizes", "extents of the parts along the axis, such as 3,5 or 3,-1")
	return cmd
}
