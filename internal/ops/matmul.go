package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// MatMulOptions refine MatMul: an operand's last two axes may be exchanged.
type MatMulOptions struct{ TransposeA, TransposeB bool }

// MatMul is the product of matrices, the last two axes of each operand, as
// numpy.matmul: the axes before them broadcast, and a vector is a row on the left and a
// column on the right, whose axis of 1 the result hasn't. Dtypes are those of Einsum.
func MatMul(a, b graph.Array, o MatMulOptions) (graph.Array, error) {
	left, sumA, err := matrixLabels(a, "m", "k", o.TransposeA, 1)
	if err != nil {
		return nil, err
	}
	right, sumB, err := matrixLabels(b, "k", "n", o.TransposeB, 0)
	if err != nil {
		return nil, err
	}
	if n, k := a.Shape()[sumA], b.Shape()[sumB]; n != k { // which don't broadcast
		e := graph.Errorf(b, "shape %v: axis %d has the extent %d: want %d, as axis %d of %s", b.Shape(), sumB, k, n, sumA, graph.Described(a))
		switch {
		case !o.TransposeB && otherExtent(b, sumB) == n:
			e.Hint("--transpose-b exchanges its last two axes")
		case !o.TransposeA && otherExtent(a, sumA) == k:
			e.Hint("--transpose-a exchanges the last two axes of %s", graph.NameOf(a))
		}
		return nil, e
	}
	out := "..."
	if len(a.Shape()) > 1 {
		out += "m"
	}
	if len(b.Shape()) > 1 {
		out += "n"
	}
	e, err := shape.ParseEinsum(left + "," + right + "->" + out)
	if err != nil {
		return nil, err
	}
	return Einsum(e, []graph.Array{a, b})
}

// matrixLabels are the labels of an operand, with rows and columns, and the number of
// the axis that is summed over, the one labelled k.
func matrixLabels(x graph.Array, rows, columns string, transposed bool, sum int) (labels string, axis int, err error) {
	n := len(x.Shape())
	switch {
	case n == 0:
		return "", 0, graph.Errorf(x, "shape () is no matrix: want at least 1 axis").Hint("mul multiplies by a number")
	case n == 1 && transposed:
		return "", 0, graph.Errorf(x, "shape %v is a vector's, which has no two axes to exchange", x.Shape())
	case n == 1:
		return "k", 0, nil
	case transposed:
		return "..." + columns + rows, n - 1 - sum, nil
	}
	return "..." + rows + columns, n - 2 + sum, nil
}

// otherExtent is the extent of the one of x's last two axes that isn't axis; -1 of a
// vector.
func otherExtent(x graph.Array, axis int) int {
	if n := len(x.Shape()); n > 1 {
		return x.Shape()[2*n-3-axis]
	}
	return -1
}
