package ops

import (
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// diagonal is x of which axes with one label, of one extent, are one, where the first of
// them is, with the labels that are left.
func diagonal(x graph.Array, labels []shape.Label) (graph.Array, []shape.Label) {
	s := x.Shape()
	var left []shape.Label
	var out shape.Shape
	var steps []int64
	for a, l := range labels {
		at := slices.Index(left, l)
		if at < 0 {
			at = len(left)
			left, out, steps = append(left, l), append(out, s[a]), append(steps, 0)
		}
		steps[at] += s.Product(a+1, len(s))
	}
	if len(left) == len(labels) {
		return x, labels
	}
	return evenly("diagonal", graph.MaterializeComputed(x), out, 0, steps), left
}
