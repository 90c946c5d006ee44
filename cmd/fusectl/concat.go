package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
)

func newConcatCommand(st *step) *cobra.Command {
	var axis int
	var given func(string) bool
	var align alignFlags
	cmd := &cobra.Command{
		Use:   "concat A B...",
		Short: "join arrays along one axis (U-Net, inception)",
		Long: `Joins arrays along one axis, as numpy.concatenate does: the channels of maps,
wherever --layout has them, the last axis of other arrays, or --axis. All other
axes must agree, and dtypes promote as NumPy 2 has it; texts, dates and records
do so among their kind.

--align brings feature maps of unequal sizes to one first:
crop takes the centre, to the smallest; pad surrounds by zeros and resize
scales, to the largest.`,
		Example: `  # U-Net: a decoder's features beside the encoder's, along the channels
  fusectl concat up.npy skip.npy -o joined.npy
  # the same where the encoder's are larger
  fusectl concat up.npy wide.npy --align crop -o joined.npy`,
		Args: inputs(1, 0),
		RunE: fuses(st, func(xs []graph.Array) (_ graph.Array, err error) {
			if xs, err = st.align(align, xs); err != nil {
				return nil, err
			}
			if !given("axis") {
				axis = st.channel(xs[0])
			}
			return ops.Concat(xs, axis)
		}),
	}
	cmd.Flags().IntVar(&axis, "axis", -1, "join along axis `N`; negative ones count from the end (default the channels of maps, the last axis of others)")
	given = cmd.Flags().Changed
	align.addTo(cmd)
	return cmd
}
