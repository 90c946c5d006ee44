package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// alignFlags is --align, --align-at and --align-mode.
type alignFlags struct{ how, at, mode string }

func (a *alignFlags) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.how, "align", "none", "bring maps and sequences to one size, `HOW`: "+strings.Join(ops.AlignModes, ", "))
	cmd.Flags().StringVar(&a.at, "align-at", "", "what crop keeps and where pad puts an array, `PART`: "+strings.Join(ops.AlignPlaces, ", ")+"; default centre")
	cmd.Flags().StringVar(&a.mode, "align-mode", "linear", "how --align resize resizes, `MODE`: "+strings.Join(ops.ResizeModes, ", "))
	complete(cmd, "align", ops.AlignModes)
	complete(cmd, "align-at", ops.AlignPlaces)
	complete(cmd, "align-mode", ops.ResizeModes)
}

// align brings feature maps to one size, as the flags say, and leaves numbers.
func (st *step) align(a alignFlags, xs []graph.Array) ([]graph.Array, error) {
	if err := oneOf("align", a.how, ops.AlignModes); err != nil {
		return nil, err
	}
	if err := oneOf("align-mode", a.mode, ops.ResizeModes); err != nil {
		return nil, err
	}
	if a.at != "" {
		if err := oneOf("align-at", a.at, ops.AlignPlaces); err != nil {
			return nil, err
		}
		if a.how != "crop" && a.how != "pad" {
			return nil, usagef("--align-at goes with --align crop and --align pad")
		}
	}
	if a.how == "none" {
		return xs, nil
	}
	maps := slices.DeleteFunc(slices.Clone(xs), ops.IsLiteral)
	st.takesMaps(0, maps...)
	maps, err := ops.Align(maps, a.how, a.at, ops.ResizeOptions{Mode: a.mode, Layout: shape.Layout(st.layout)})
	if err != nil {
		return nil, err
	}
	return amongNumbers(xs, maps), nil
}
