package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// alignFlags is --align and --align-mode.
type alignFlags struct{ how, mode string }

func (a *alignFlags) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.how, "align", "none", "reconcile unequal heights and widths, `HOW`: "+strings.Join(ops.AlignModes, ", "))
	cmd.Flags().StringVar(&a.mode, "align-mode", "bilinear", "how --align resize resizes, `MODE`: "+strings.Join(ops.ResizeModes, ", "))
	complete(cmd, "align", ops.AlignModes)
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
	if a.how == "none" {
		return xs, nil
	}
	maps := slices.DeleteFunc(slices.Clone(xs), ops.IsLiteral)
	if err := st.twoSpatial("--align takes feature maps", maps...); err != nil {
		return nil, err
	}
	st.takesMaps(0, maps...)
	maps, err := ops.Align(maps, a.how, ops.ResizeOptions{Mode: a.mode, Layout: shape.Layout(st.layout)})
	if err != nil {
		return nil, err
	}
	return amongNumbers(xs, maps), nil
}
