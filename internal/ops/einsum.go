package ops

import (
	"errors"
	"fmt"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// Einsum is the sum of products that e says, as numpy.einsum: dtypes promote,
// integers wrap, booleans are and-ed and or-ed. float16 and bfloat16 are computed in
// float32 and rounded once. Of more than two operands the two whose product is
// the smallest are multiplied first.
func Einsum(e *shape.Einsum, xs []graph.Array) (graph.Array, error) {
	if len(xs) != e.Operands() {
		return nil, &graph.Error{Msg: fmt.Sprintf("%q has %d operands: got %d", e, e.Operands(), len(xs))}
	}
	t, err := commonType(xs)
	if err != nil {
		return nil, err
	}
	shapes := make([]shape.Shape, len(xs))
	for i, x := range xs {
		shapes[i] = x.Shape()
	}
	indices, err := e.Of(shapes)
	if err != nil {
		return nil, einsumError(e, xs, err)
	}
	return contract(t, xs, indices)
}

// einsumError is an error of e.Of with the names of the arrays.
func einsumError(e *shape.Einsum, xs []graph.Array, err error) error {
	var (
		rank     *shape.RankError
		extent   *shape.ExtentError
		ellipsis *shape.EllipsisError
	)
	switch {
	case errors.As(err, &rank):
		x, labels := xs[rank.Input], e.Subscripts(rank.Input)
		n, more := e.Axes(rank.Input)
		if more {
			return graph.Errorf(x, "shape %v has %d axes: %q, operand %d of %q, has at least %d", x.Shape(), len(x.Shape()), labels, rank.Input+1, e, n)
		}
		out := graph.Errorf(x, "shape %v has %d axes: %q, operand %d of %q, has %d", x.Shape(), len(x.Shape()), labels, rank.Input+1, e, n)
		if len(x.Shape()) > n {
			out.Hint("an ellipsis stands for axes without a label: ...%s", labels)
		}
		return out
	case errors.As(err, &extent) && extent.Input == extent.Other:
		x := xs[extent.Input]
		return graph.Errorf(x, "shape %v: axes %d and %d are both %v in %q, and must be equal for a diagonal", x.Shape(), extent.With, extent.Axis, extent.Label, e)
	case errors.As(err, &extent):
		x, other := xs[extent.Input], xs[extent.Other]
		name := ""
		if extent.Label > 0 {
			name = fmt.Sprintf(", %v in %q,", extent.Label, e)
		}
		return graph.Errorf(x, "shape %v: axis %d%s has the extent %d: want %d, as axis %d of %s, or 1",
			x.Shape(), extent.Axis, name, x.Shape()[extent.Axis], other.Shape()[extent.With], extent.With, graph.Described(other))
	case errors.As(err, &ellipsis):
		x := xs[ellipsis.Input]
		return graph.Errorf(x, "shape %v: the ellipsis of %q in %q stands for axes that the result has no place for", x.Shape(), e.Subscripts(ellipsis.Input), e).
			Hint("write ... in the result, too; axes to sum over need labels")
	}
	return err
}
