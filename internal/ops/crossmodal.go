package ops

import (
	"fmt"
	"slices"
	"strings"

	"fusectl/internal/shape"
)

// CrossModalModes lists the ways in which CrossModal fuses.
var CrossModalModes = []string{"concat", "add", "mul", "gate"}

// CrossModal fuses modalities: concat joins them along axis, add and mul
// combine them element by element, gate is the first times the sigmoid of each
// other one (gated multimodal fusion). Shapes and dtypes follow Concat, Add
// and Mul.
func CrossModal(xs []Array, mode string, axis int, l shape.Layout) (Array, error) {
	switch mode {
	case "concat":
		return Concat(xs, axis)
	case "add":
		return Add(xs, AddOptions{Layout: l})
	case "mul":
		return Mul(xs, MulOptions{Layout: l})
	case "gate":
		return Mul(xs, MulOptions{Gate: "sigmoid", Layout: l})
	}
	return nil, CheckCrossModalMode(mode)
}

// CheckCrossModalMode refuses a name that is none of CrossModalModes.
func CheckCrossModalMode(mode string) error {
	if slices.Contains(CrossModalModes, mode) {
		return nil
	}
	return fmt.Errorf("unknown mode %q: want one of %s", mode, strings.Join(CrossModalModes, ", "))
}
