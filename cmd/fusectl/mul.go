package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newMulCommand(st *step) *cobra.Command {
	var gate string
	var flags elementwiseFlags
	cmd := &cobra.Command{
		Use:   "mul A B...",
		Short: "multiply arrays element by element (SENet)",
		Long: `Multiplies any number of arrays, with NumPy's broadcasting and NumPy 2's
promotion. Integers wrap, booleans are and-ed; float16 and bfloat16 are
multiplied in float32 and rounded once.

--gate applies an activation to every input after the first, before the
product: A·sigmoid(B) is --gate sigmoid. A number may stand in place of an
array, where no file has such a name: as a Python number in NumPy 2 it takes
the dtype of the arrays.`,
		Example: `  # SENet: scale the channels of [N,H,W,C] by [N,1,1,C]
  fusectl mul map.npy excitation.npy --gate sigmoid -o scaled.npy`,
		Args: inputs(1, 0),
		RunE: combines(st, &flags, func(xs []graph.Array) (graph.Array, error) {
			if err := checkActivation("gate", gate); err != nil {
				return nil, err
			}
			return ops.Mul(xs, ops.MulOptions{Gate: gate, Activation: flags.activation, Layout: shape.Layout(st.layout)})
		}),
	}
	activationFlag(cmd, &gate, "gate", "apply `NAME` to every input after the first")
	flags.addTo(cmd, "product")
	return cmd
}

// complete has the shell complete a flag by words.
func complete(cmd *cobra.Command, flag string, words []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag isn't defined, or twice: a fault of the program
	}
}
