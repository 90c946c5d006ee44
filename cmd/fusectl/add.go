package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newAddCommand(st *step) *cobra.Command {
	var coef list
	var activation string
	var align alignFlags
	cmd := &cobra.Command{
		Use:   "add A B...",
		Short: "sum arrays element by element (ResNet)",
		Long: `Sums any number of arrays, with NumPy's broadcasting and NumPy 2's promotion.
Integers wrap, booleans are or-ed; float16 and bfloat16 are summed in float32
and rounded once.

--coef gives a weight to each input. As Python numbers in NumPy 2, integers
leave integer arrays what they are and other numbers make them float64.`,
		Example: `  # ResNet: the shortcut, and the activation after it
  fusectl add branch.npy shortcut.npy --activation relu -o block.npy
  # a difference
  fusectl add a.npy b.npy --coef 1,-1 -o difference.npy`,
		Args: inputs(1, 0),
		RunE: fuses(st, func(xs []graph.Array) (_ graph.Array, err error) {
			if err := checkActivation("activation", activation); err != nil {
				return nil, err
			}
			c, err := coefficients(coef)
			if err != nil {
				return nil, err
			}
			if xs, err = st.align(align, xs); err != nil {
				return nil, err
			}
			return ops.Add(xs, ops.AddOptions{Coef: c, Activation: activation, Layout: shape.Layout(st.layout)})
		}),
	}
	cmd.Flags().Var(&coef, "coef", "weights, one for each input, such as 0.5,2")
	activationFlag(cmd, &activation, "activation", "apply `NAME` to the sum: "+activations())
	align.addTo(cmd)
	return cmd
}
