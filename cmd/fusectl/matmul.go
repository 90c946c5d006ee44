package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
)

func newMatMulCommand(st *step) *cobra.Command {
	var o ops.MatMulOptions
	cmd := &cobra.Command{
		Use:   "matmul A B",
		Short: "products of matrices, the last two axes of A and B",
		Long: `Multiplies the matrices that the last two axes of A and B hold, as numpy.matmul
does: the axes before them broadcast; a vector is a row on the left and a column
on the right. Dtypes promote; integers wrap, booleans are and-ed and or-ed.

The larger operand is read in pieces; the other one is held, or, where there
are many small matrices, read in pieces, too.`,
		Example: `  # the similarities of all rows of two arrays of features
  fusectl matmul image.npy question.npy --transpose-b -o similarities.npy`,
		Args: inputs(2, 2),
		RunE: fuses(st, func(xs []graph.Array) (graph.Array, error) {
			for _, x := range xs {
				st.namesAxes(x, "")
			}
			return ops.MatMul(xs[0], xs[1], o)
		}),
	}
	cmd.Flags().BoolVar(&o.TransposeA, "transpose-a", false, "exchange the last two axes of A")
	cmd.Flags().BoolVar(&o.TransposeB, "transpose-b", false, "exchange the last two axes of B")
	return cmd
}
