package shape

import (
	"fmt"
	"slices"
)

// Axis resolves an axis that may count from the end, as NumPy does.
func Axis(axis, ndim int) (int, error) {
	if axis < -ndim || axis >= ndim {
		return 0, fmt.Errorf("axis %d is out of bounds for an array of %d dimensions", axis, ndim)
	}
	if axis < 0 {
		axis += ndim
	}
	return axis, nil
}

// Axes resolves a list of axes and sorts it. An axis named twice is an error.
func Axes(axes []int, ndim int) ([]int, error) {
	out := make([]int, 0, len(axes))
	for _, a := range axes {
		a, err := Axis(a, ndim)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, a) {
			return nil, fmt.Errorf("axis %d is named twice", a)
		}
		out = append(out, a)
	}
	slices.Sort(out)
	return out, nil
}

// MoveToLast is the permutation that takes axis to the end and keeps the order
// of the others: out axis i is source axis perm[i].
func MoveToLast(axis, ndim int) []int {
	perm := make([]int, 0, ndim)
	for a := range ndim {
		if a != axis {
			perm = append(perm, a)
		}
	}
	return append(perm, axis)
}

// Permute returns the shape whose axis i is axis perm[i] of s.
func (s Shape) Permute(perm []int) Shape {
	out := make(Shape, len(perm))
	for i, p := range perm {
		out[i] = s[p]
	}
	return out
}

// Inverse is the permutation that undoes perm.
func Inverse(perm []int) []int {
	inv := make([]int, len(perm))
	for i, p := range perm {
		inv[p] = i
	}
	return inv
}

// Product is the number of elements in the axes from (included) to to
// (excluded).
func (s Shape) Product(from, to int) int64 { return s[from:to].Len() }

// CountAxes says how many axes there are: "1 axis", "2 spatial axes" if kind is "spatial ".
func CountAxes(n int, kind string) string {
	word := "axes"
	if n == 1 {
		word = "axis"
	}
	return fmt.Sprintf("%d %s%s", n, kind, word)
}
