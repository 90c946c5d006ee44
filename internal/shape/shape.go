package shape

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// MaxDims is NumPy 2's limit on the number of dimensions.
const MaxDims = 64

// Shape is the extents of an array, slowest axis first. The empty shape is
// that of a 0-d array, which has one element.
type Shape []int

// String writes the shape as NumPy does, without spaces: (2,3), (4,), ().
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = strconv.Itoa(d)
	}
	if len(s) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ",") + ")"
}

// Clone returns a copy that shares nothing with s.
func (s Shape) Clone() Shape { return slices.Clone(s) }

// Equal reports whether the two shapes are the same.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// Check returns the number of elements, or an error if a dimension is
// negative, there are more than MaxDims of them, or the array would have more
// than 2^63-1 elements or bytes, at size bytes an element. As in NumPy, the product of the
// non-zero dimensions must fit even where another one is zero.
func (s Shape) Check(size int) (int64, error) {
	if len(s) > MaxDims {
		return 0, fmt.Errorf("shape has %d dimensions: want at most %d", len(s), MaxDims)
	}
	product, empty := uint64(max(size, 1)), false
	for _, d := range s {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v has the negative dimension %d", s, d)
		case d == 0:
			empty = true
			continue
		}
		hi, lo := bits.Mul64(product, uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			if size == 0 {
				return 0, fmt.Errorf("shape %v has more than 2^63-1 elements", s)
			}
			return 0, fmt.Errorf("shape %v at %d bytes an element takes more than 2^63-1 bytes", s, size)
		}
		product = lo
	}
	if empty {
		return 0, nil
	}
	return int64(product) / int64(max(size, 1)), nil
}

// Len is the number of elements of a shape that has passed Check.
func (s Shape) Len() int64 {
	n := int64(1)
	for _, d := range s {
		n *= int64(d)
	}
	return n
}

// Last is the extent of the last axis, which there must be.
func (s Shape) Last() int { return s[len(s)-1] }

// CeilDiv is a/b, rounded up; a isn't negative and b is positive.
func CeilDiv(a, b int64) int64 { return (a + b - 1) / b }
