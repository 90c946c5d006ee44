package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newWindowPoolCommand(st *step) *cobra.Command {
	var mode, power string
	var window, output, stride, dilation, pad list
	var o ops.PoolOptions
	cmd := &cobra.Command{
		Use:   "pool X --window N | --output-size N",
		Short: "max, average or power pooling under a moving window",
		Long: `Takes the maximum, the average or the lp norm under a window that moves over
the one, two or three spatial axes of a feature map. Numbers are given for each
axis, or one for all. Padding counts for none of them, unless
--count-include-pad counts it as zeros in averages (PyTorch's default). The
maximum keeps the dtype; the others are summed in float64 and rounded once.

--ceil-mode has a last window reach beyond the map where the stride leaves
positions over, if it begins inside the map or the padding before it, as
PyTorch and ONNX have it. What lies beyond the padding never counts.

--mode lp is PyTorch's lp_pool, (sum of x^P)^(1/P): 2 is the root of the sum of
squares, 1 the sum. ONNX's LpPool takes |x|, which is another where P isn't
even: act X --activation abs then pool - --mode lp.

--output-size is adaptive pooling: position i of out pools positions
floor(i·in/out) to ceil((i+1)·in/out), as PyTorch's adaptive_max_pool and
adaptive_avg_pool; none keeps an axis as it is.`,
		Example: `  fusectl pool map.npy --window 2 -o halved.npy
  # ResNet's, whose stride leaves a position over
  fusectl pool map.npy --window 3 --stride 2 --ceil-mode -o pooled.npy
  # as many positions whatever the map has
  fusectl pool map.npy --mode average --output-size 3,2 -o bins.npy`,
		Args: inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (_ graph.Array, err error) {
			if err := oneOf("mode", mode, ops.PoolModes); err != nil {
				return nil, err
			}
			switch {
			case (window == nil) == (output == nil):
				return nil, usagef("needs one of --window and --output-size")
			case output != nil && (stride != nil || dilation != nil || pad != nil || o.Ceil || o.CountPadding):
				return nil, usagef("--output-size has bins in place of a window: --stride, --dilation, --padding, --ceil-mode and --count-include-pad go with --window")
			case power != "" && mode != "lp":
				return nil, usagef("--p goes with --mode lp")
			case o.CountPadding && mode != "average":
				return nil, usagef("--count-include-pad goes with --mode average")
			}
			if o.P, err = powerOf(power); err != nil {
				return nil, err
			}
			if o.Size, err = perAxis("window", window, 1); err != nil {
				return nil, err
			}
			if o.Output, err = outputSize(output); err != nil {
				return nil, err
			}
			if o.Stride, err = perAxis("stride", stride, 1); err != nil {
				return nil, err
			}
			if o.Dilation, err = perAxis("dilation", dilation, 1); err != nil {
				return nil, err
			}
			if stride == nil {
				o.Stride = o.Size
			}
			if o.Padding, err = padding(pad); err != nil {
				return nil, err
			}
			if o.Ceil && o.Padding.Same {
				return nil, usagef("--padding %s has every position under a window: --ceil-mode goes with numbers", pad.String())
			}
			o.Layout = shape.Layout(st.layout)
			st.takesMaps(o.Told(), xs[0])
			return ops.Pool(xs[0], mode, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&mode, "mode", "max", "`MODE`: "+strings.Join(ops.PoolModes, ", "))
	f.StringVar(&power, "p", "", "lp: the power `P`, above 0; default 2")
	f.Var(&window, "window", "its extent along each axis")
	f.Var(&output, "output-size", "the result's extent along each axis, none to keep it")
	f.Var(&stride, "stride", "positions between windows; default the window's extent")
	f.Var(&dilation, "dilation", "positions between a window's taps; default 1")
	f.Var(&pad, "padding", paddingUsage+"; default valid")
	f.BoolVar(&o.Ceil, "ceil-mode", false, "a last window may reach beyond the map and its padding")
	f.BoolVar(&o.CountPadding, "count-include-pad", false, "padding counts as zeros in averages")
	complete(cmd, "mode", ops.PoolModes)
	return cmd
}

// outputSize reads --output-size.
func outputSize(words list) ([]int, error) {
	var out []int
	for _, word := range words {
		n := []int{ops.KeepExtent}
		if word != "none" {
			var err error
			if n, err = perAxis("output-size", list{word}, 1); err != nil {
				return nil, usagef("--output-size %s: want a number of at least 1, or none, for each spatial axis or for all", words.String())
			}
		}
		out = append(out, n...)
	}
	return out, nil
}

// powerOf reads --p.
func powerOf(word string) (float64, error) {
	if word == "" {
		return 2, nil
	}
	p, err := strconv.ParseFloat(word, 64)
	if err != nil || !(p > 0) || math.IsInf(p, 0) {
		return 0, usagef("--p %s: want a number above 0", word)
	}
	return p, nil
}
