package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newReduceCommand(st *step) *cobra.Command {
	var op, exponent string
	var axes, sizes list
	o := ops.ReduceOptions{}
	cmd := &cobra.Command{
		Use:   "reduce X [PATTERN] --op NAME",
		Short: "reduce axes to a sum, a norm, an index and the like",
		Long: `Takes the elements along --axes to one, or along all axes where none are named,
as NumPy's functions do; or by a pattern, as einops.reduce does: axes that only
its left side names are reduced, and the others arranged as rearrange does.
--op is one of

  sum, mean, max, min, prod   as numpy.sum, ...
  var, std                    variance and deviation; --ddof 1 is PyTorch's default
  l1, l2, sum-square          sums of magnitudes, lengths, sums of squares
  lp                          (Σ|x|^p)^(1/p), --p
  gem                         (Σ max(x, eps)^p / n)^(1/p), --p, --eps: generalised mean
  logsumexp, log-sum          log of the sum of exponentials, of the sum
  argmax, argmin              the index along the axis, or through all elements
  any, all                    whether an element, or every one, isn't 0

Integers and booleans give int64 or uint64 as sums and products, their own dtype
as extremes, float64 otherwise. Floats are accumulated in float64 and rounded
once; NaN propagates.`,
		Example: `  # a map's deviation along its channels, [N,H,W,1]
  fusectl reduce map.npy --op std --axes -1 --keepdims -o std.npy
  # the length of the whole map
  fusectl reduce map.npy --op l2 -o length.npy
  # generalised-mean pooling, as image retrieval has it
  fusectl reduce map.npy 'n h w c -> n c' --op gem -o descriptor.npy
  # max pooling by 2
  fusectl reduce map.npy 'n (h p) (w q) c -> n h w c' --sizes p=2,q=2 --op max -o halved.npy`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch pattern := slices.ContainsFunc(args, isPattern); {
			case pattern && len(args) < 2:
				return usagef("needs an input beside the pattern")
			case pattern:
				return nil
			}
			return inputs(1, 1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("op", op, ops.Reductions()); err != nil {
				return err
			}
			if cmd.Flags().Changed("ddof") && op != "var" && op != "std" {
				return usagef("--ddof goes with --op var and std")
			}
			if o.DDof < 0 {
				return usagef("--ddof %d: want a number of at least 0", o.DDof)
			}
			if cmd.Flags().Changed("eps") && op != "gem" {
				return usagef("--eps goes with --op gem")
			}
			if !(o.Eps >= 0) {
				return usagef("--eps %g: want a number of at least 0", o.Eps)
			}
			if cmd.Flags().Changed("p") && op != "gem" && op != "lp" {
				return usagef("--p goes with --op lp and gem")
			}
			if op == "lp" && exponent == "" {
				return usagef("--op lp needs --p")
			}
			if op == "gem" || op == "lp" {
				p, err := st.openTerms([]string{cmp.Or(exponent, "3")})
				if err != nil {
					return err
				}
				o.P = p[0]
			}
			over, err := numbers("axes", axes)
			if err != nil {
				return err
			}
			reduce := func(xs []graph.Array) (graph.Array, error) {
				o.Axes = over
				return ops.Reduce(xs[0], op, o)
			}
			if slices.ContainsFunc(args, isPattern) {
				if axes != nil || o.KeepDims {
					return usagef("--axes and --keepdims don't go with a pattern, which says what is left")
				}
				var text string
				text, args = patternAmong(args)
				p, err := pattern(text, shape.ToReduce, sizes)
				if err != nil {
					return err
				}
				reduce = func(xs []graph.Array) (graph.Array, error) {
					return ops.Arrange(xs, p, func(x graph.Array, gone []int) (graph.Array, error) {
						o.Axes = gone
						return ops.Reduce(x, op, o)
					})
				}
			} else if sizes != nil {
				return usagef("--sizes goes with a pattern, such as 'n (h p) w c -> n h c'")
			}
			open := st.openOperands
			if strings.HasPrefix(op, "arg") { // indices don't depend on the dtype that they have in the end
				open = st.openAll
			}
			xs, err := open(args)
			if err != nil {
				return err
			}
			out, err := reduce(xs)
			if err != nil {
				return err
			}
			return st.finish(cmd.Context(), out)
		},
	}
	f := cmd.Flags()
	f.StringVar(&op, "op", "", "`NAME`: one of "+strings.Join(ops.Reductions(), ", "))
	f.Var(&axes, "axes", "reduce these axes, such as 1,2; default all")
	f.BoolVar(&o.KeepDims, "keepdims", false, "leave the reduced axes in the shape, with extent 1")
	sizesFlag(cmd, &sizes)
	f.StringVar(&exponent, "p", "", "with lp and gem: the exponent, a number above 0 or an array `P` of one; default 3 of gem")
	f.Float64Var(&o.Eps, "eps", 1e-6, "with gem: what is less counts as `E`")
	f.IntVar(&o.DDof, "ddof", 0, "with var and std: divide by the number of elements less `N`")
	complete(cmd, "op", ops.Reductions())
	needs(cmd, "op")
	return cmd
}
