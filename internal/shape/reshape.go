package shape

import "fmt"

// Reshaped is the shape dims for the elements of s, as numpy.reshape has it: one
// extent may be -1, what the others leave.
func (s Shape) Reshaped(dims Shape) (Shape, error) {
	out := dims.Clone()
	at := -1
	for i, d := range dims {
		switch {
		case d < -1:
			return nil, fmt.Errorf("shape %v has an extent of %d: want at least 0, or -1 for what the others leave", dims, d)
		case d == -1 && at >= 0:
			return nil, fmt.Errorf("shape %v has two extents of -1: only one follows from the others", dims)
		case d == -1:
			at, out[i] = i, 1
		}
	}
	n, err := out.Check(1)
	switch {
	case err != nil:
		return nil, err
	case at >= 0 && (n == 0 || s.Len()%n != 0), at < 0 && s.Len() != n:
		return nil, fmt.Errorf("shape %v has %d elements, %v has %s", s, s.Len(), dims, count(n, at))
	case at >= 0:
		out[at] = int(s.Len() / n)
	}
	return out, nil
}

// count is the elements of a shape, n of which come for each position along an axis
// of unknown extent, if it has one, the at-th.
func count(n int64, at int) string {
	if at < 0 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("a multiple of %d", n)
}

// Parts are the extents into which an axis of n positions is cut, one of which may
// be -1, what the others leave. It reports false where they don't add up.
func Parts(n int, extents []int) ([]int, bool) {
	out := append([]int(nil), extents...)
	at, sum := -1, 0
	for i, d := range extents {
		switch {
		case d == -1 && at < 0:
			at = i
		case d < 0 || d > n-sum:
			return nil, false
		default:
			sum += d
		}
	}
	if at >= 0 {
		out[at] = n - sum
	}
	return out, at >= 0 || sum == n
}
