package shape

import "slices"

// Reduced is the shape that is left when axes (sorted, as Axes returns them)
// are reduced: without them, or with extent 1 in their place under keepdims.
func (s Shape) Reduced(axes []int, keepdims bool) Shape {
	out := Shape{}
	for a, d := range s {
		switch {
		case !slices.Contains(axes, a):
			out = append(out, d)
		case keepdims:
			out = append(out, 1)
		}
	}
	return out
}

// Group is one step of a reduction: the array seen as [Outer, Len, Inner]
// with the middle axis reduced away.
type Group struct{ Outer, Len, Inner int64 }

// Groups turns a reduction over axes (sorted) into steps, each over one group
// of neighbouring axes, the last group first, since it lies closest together
// in memory. Axes of extent 1 cost nothing.
func (s Shape) Groups(axes []int) []Group {
	var groups []Group
	inner := int64(1)
	for a := len(s) - 1; a >= 0; {
		if !slices.Contains(axes, a) {
			inner *= int64(s[a])
			a--
			continue
		}
		length := int64(1)
		for ; a >= 0 && (slices.Contains(axes, a) || s[a] == 1); a-- {
			length *= int64(s[a])
		}
		if length != 1 {
			groups = append(groups, Group{s.Product(0, a+1), length, inner})
		}
	}
	return groups
}
