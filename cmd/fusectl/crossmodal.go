package main

import (
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newCrossModalCommand(e *env) *cobra.Command {
	var mode string
	var axis int
	cmd := &cobra.Command{
		Use:   "crossmodal A B...",
		Short: "fuse modalities (VQA)",
		Long: `Fuses arrays of several modalities, such as image and text features:

  concat  joins them along --axis
  add     sums them element by element
  mul     multiplies them element by element
  gate    A·sigmoid(B): each input after the first gates it

Shapes broadcast and dtypes promote as for the commands of these names.`,
		Example: `  # VQA: question features gate image features
  fusectl crossmodal image.npy question.npy --mode gate -o fused.npy`,
		Args: inputs(2, 0),
		RunE: fuses(e, func(xs []ops.Array) (ops.Array, error) {
			if err := ops.CheckCrossModalMode(mode); err != nil {
				return nil, usagef("--mode: %v", err)
			}
			return ops.CrossModal(xs, mode, axis, shape.Layout(e.layout))
		}),
	}
	cmd.Flags().StringVar(&mode, "mode", "concat", "how to fuse, `MODE`: "+strings.Join(ops.CrossModalModes, ", "))
	cmd.Flags().IntVar(&axis, "axis", 1, "join along axis `N`, in mode concat")
	complete(cmd, "mode", ops.CrossModalModes)
	return cmd
}
