package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newAddCommand(st *step) *cobra.Command {
	var coef list
	var flags elementwiseFlags
	cmd := &cobra.Command{
		Use:   "add A B...",
		Short: "sum arrays element by element (ResNet)",
		Long: `Sums any number of arrays, with NumPy's broadcasting and NumPy 2's promotion.
Integers wrap, booleans are or-ed; float16 and bfloat16 are summed in float32
and rounded once.

--coef gives a weight to each input. As Python numbers in NumPy 2, integers
leave integer arrays what they are and other numbers make them float64. A number
may also stand in place of an array, where no file has such a name.`,
		Example: `  # ResNet: the shortcut, and the activation after it
  fusectl add branch.npy shortcut.npy --activation relu -o block.npy
  # a difference
  fusectl add a.npy b.npy --coef 1,-1 -o difference.npy`,
		Args: inputs(1, 0),
		RunE: combines(st, &flags, func(xs []graph.Array) (graph.Array, error) {
			c, err := coefficients(coef)
			if err != nil {
				return nil, err
			}
			return ops.Add(xs, ops.AddOptions{Coef: c, Activation: flags.activation, Layout: shape.Layout(st.layout)})
		}),
	}
	cmd.Flags().Var(&coef, "coef", "weights, one for each input, such as 0.5,2")
	flags.addTo(cmd, "sum")
	return cmd
}
