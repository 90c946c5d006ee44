package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
)

func newPadCommand(st *step) *cobra.Command {
	var widths, axes list
	var mode string
	var value float64
	cmd := &cobra.Command{
		Use:   "pad X --pad N",
		Short: "add positions at the ends of axes",
		Long: `Adds positions at both ends of each axis, or of --axes, as numpy.pad does: --pad
is one width for all axes or one for each, the first axis first, and a width
may have two numbers, before:after. A negative one takes positions away.

--mode says what stands there: constant, --value or 0; edge, the outermost
position (replicate in PyTorch); reflect, the positions mirrored at the
outermost one; symmetric, mirrored with it; wrap, those of the other end
(circular in PyTorch). Of texts, dates and records, constant adds zero bytes.`,
		Example: `  # a border of zeros around the positions of a map
  fusectl pad map.npy --pad 1 --axes 1,2 -o border.npy
  # mirrored, two before and one after along the height
  fusectl pad map.npy --pad 0,2:1,0,0 --mode reflect -o mirrored.npy`,
		Args: inputs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("mode", mode, ops.PadModes); err != nil {
				return err
			}
			o := ops.SurroundOptions{Mode: mode}
			var err error
			if o.Widths, err = padWidths(widths); err != nil {
				return err
			}
			if o.Axes, err = numbers("axes", axes); err != nil {
				return err
			}
			if cmd.Flags().Changed("value") {
				if mode != "constant" {
					return usagef("--value goes with --mode constant, not %s", mode)
				}
				o.Value = &value
			}
			return fuses(st, func(xs []graph.Array) (graph.Array, error) { return ops.Surround(xs[0], o) })(cmd, args)
		},
	}
	f := cmd.Flags()
	f.Var(&widths, "pad", "positions added, N or before:after, for each axis or for all")
	f.Var(&axes, "axes", "pad these axes, such as 1,2; default all")
	f.StringVar(&mode, "mode", "constant", "`MODE`: "+strings.Join(ops.PadModes, ", "))
	f.Float64Var(&value, "value", 0, "what a constant border holds, `V`; also nan, inf and -inf")
	complete(cmd, "mode", ops.PadModes)
	needs(cmd, "pad")
	return cmd
}

// padWidths reads the widths of --pad.
func padWidths(words []string) (widths [][2]int, err error) {
	for _, w := range words {
		first, second, two := strings.Cut(w, ":")
		if !two {
			second = first
		}
		before, err := strconv.Atoi(first)
		if err != nil {
			return nil, padError(words)
		}
		after, err := strconv.Atoi(second)
		if err != nil {
			return nil, padError(words)
		}
		widths = append(widths, [2]int{before, after})
	}
	return widths, nil
}

func padError(words []string) error {
	return usagef("--pad %s: want a number for each axis, or before:after, such as 0,1:2", strings.Join(words, ","))
}
