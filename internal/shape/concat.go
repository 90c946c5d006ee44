package shape

import "fmt"

// MismatchError says that an input's extent disagrees with the first one's
// on an axis along which they aren't joined. Axis is -1 when the numbers of
// dimensions disagree.
type MismatchError struct{ Input, Axis int }

func (e *MismatchError) Error() string {
	if e.Axis < 0 {
		return fmt.Sprintf("input %d has another number of dimensions than input 0", e.Input)
	}
	return fmt.Sprintf("input %d has another extent than input 0 on axis %d", e.Input, e.Axis)
}

// Concat is the shape of the inputs joined along axis (resolved by Axis).
// Shapes that don't fit give a *MismatchError; a result too large to count
// gives what Check reports.
func Concat(inputs []Shape, axis int) (Shape, error) {
	out := inputs[0].Clone()
	for i, s := range inputs[1:] {
		if len(s) != len(out) {
			return nil, &MismatchError{i + 1, -1}
		}
		for a, d := range s {
			if a == axis {
				out[a] += d
			} else if d != out[a] {
				return nil, &MismatchError{i + 1, a}
			}
		}
		if _, err := out.Check(1); err != nil { // an extent that wrapped is negative
			return nil, err
		}
	}
	return out, nil
}
