package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// Split cuts x along axis, which may count from the end, into parts of these
// extents, as numpy.split and torch.split do; one of them may be -1, what the
// others leave.
func Split(x graph.Array, axis int, sizes []int) ([]graph.Array, error) {
	s := x.Shape()
	ax, err := shape.Axis(axis, len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	extents, ok := shape.Parts(s[ax], sizes)
	if !ok {
		e := graph.Errorf(x, "shape %v doesn't split into parts of %s along axis %d, whose extent is %d", s, joined(sizes, ","), ax, s[ax])
		return nil, e.Hint("the extents add up to that of the axis; one of them may be -1, what the others leave")
	}
	return cut(x, ax, extents), nil
}

// SplitEqually cuts x along axis into n parts of one extent, as numpy.split.
func SplitEqually(x graph.Array, axis, n int) ([]graph.Array, error) {
	s := x.Shape()
	ax, err := shape.Axis(axis, len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	if n < 1 || s[ax]%n != 0 {
		return nil, graph.Errorf(x, "shape %v doesn't split into %d equal parts along axis %d, whose extent is %d", s, n, ax, s[ax])
	}
	extents := make([]int, n)
	for i := range extents {
		extents[i] = s[ax] / n
	}
	return cut(x, ax, extents), nil
}

// cut is the parts of x along axis, which have its extents together.
func cut(x graph.Array, axis int, extents []int) (parts []graph.Array) {
	from := 0
	for _, n := range extents {
		parts = append(parts, partOf(x, axis, shape.Range{Start: from, N: n, Step: 1}))
		from += n
	}
	return parts
}
