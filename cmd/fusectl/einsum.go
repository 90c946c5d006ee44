package main

import (
	"errors"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newEinsumCommand(st *step) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "einsum SPEC A B...",
		Short: "sums of products of any axes, in Einstein's notation",
		Long: `Multiplies arrays and sums over some of their axes, as numpy.einsum does. SPEC
names each axis of each array by a letter, and those of the result after ->:
axes of one letter go together, and what the result doesn't name is summed over.
... stands for any number of axes, which broadcast; a letter that an array has
twice is its diagonal. Without -> the result has the letters that stand once, in
alphabetical order. Spaces mean nothing.

Dtypes promote; integers wrap, booleans are and-ed and or-ed; float16 and
bfloat16 are computed in float32 and rounded once. Of several arrays the two
whose product is the smallest are multiplied first.`,
		Example: `  # bilinear pooling: the outer product of the features of two maps, summed over positions
  fusectl einsum 'nhwc,nhwd->ncd' map.npy map.npy -o bilinear.npy
  # attention's scores, of queries and keys with heads
  fusectl einsum 'bqhd,bkhd->bhqk' a.npy b.npy -o scores.npy
  # the trace of each of some matrices
  fusectl einsum '...ii->...' wq.npy -o trace.npy`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				u := usagef("needs SPEC, such as ij,jk->ik, and an input for each of its operands")
				u.hints = []string{"usage: fusectl " + cmd.Use}
				return u
			}
			_, _, err := einsum(args)
			return err
		},
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		e, paths, err := einsum(args)
		if err != nil {
			return err
		}
		return fuses(st, func(xs []graph.Array) (graph.Array, error) {
			for i, x := range xs {
				if n, more := e.Axes(i); more || n != len(x.Shape()) {
					st.namesAxes(x, "")
				} else {
					st.namesAxes(x, e.Subscripts(i))
				}
			}
			return ops.Einsum(e, xs)
		})(cmd, paths)
	}
	return cmd
}

// einsum cuts the notation off some arguments: the first, or the second after the result
// so far. It is to have as many operands as there are others.
func einsum(args []string) (*shape.Einsum, []string, error) {
	spec, paths := args[0], args[1:]
	if isResult(spec) && len(args) > 1 {
		spec, paths = args[1], append([]string{args[0]}, args[2:]...)
	}
	e, err := shape.ParseEinsum(spec)
	if bad := (*shape.EinsumError)(nil); errors.As(err, &bad) {
		u := usagef("%s", bad.Msg)
		if bad.Hint != "" {
			u.hints = []string{bad.Hint}
		}
		return nil, nil, u
	}
	if n := e.Operands(); n != len(paths) {
		return nil, nil, usagef("%q has %d operand%s: got %d input%s", spec, n, plural(n), len(paths), plural(len(paths)))
	}
	return e, paths, nil
}
