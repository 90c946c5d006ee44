package ops

import (
	"errors"
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// Arrange is x arranged by a pattern, as einops.rearrange, repeat and reduce do;
// several arrays of one shape are first stacked along a new leading axis. Axes that
// vanish, if the pattern may have such, are reduced by reduce, which is given an
// array and these of its axes, none if there are none.
func Arrange(xs []graph.Array, p *shape.Pattern, reduce func(x graph.Array, axes []int) (graph.Array, error)) (x graph.Array, err error) {
	x = xs[0]
	if len(xs) > 1 {
		if x, err = Stack(xs, 0); err != nil {
			return nil, err
		}
	}
	a, err := p.On(x.Shape())
	if bad := (*shape.PatternError)(nil); errors.As(err, &bad) {
		e := graph.Errorf(x, "%s", bad.Msg)
		if bad.Hint != "" {
			e.Hint("%s", bad.Hint)
		}
		return nil, e
	}
	if err := checkSize(x, a.Out); err != nil {
		return nil, err
	}
	x = reshape(x, a.Apart)
	if reduce != nil {
		if x, err = reduce(x, a.Gone); err != nil {
			return nil, err
		}
	}
	x = repeat(reshape(x, a.Kept), a.Wide)
	return reshape(transpose(x, a.Perm), a.Out), nil
}

// Stack joins arrays of one shape along a new axis, as numpy.stack; dtypes promote
// as those of Concat.
func Stack(xs []graph.Array, axis int) (graph.Array, error) {
	s := xs[0].Shape()
	ax, err := shape.Axis(axis, len(s)+1)
	if err != nil {
		return nil, graph.Errorf(xs[0], "%v, the new one included: shape %v", err, s)
	}
	each := make([]graph.Array, len(xs))
	for i, x := range xs {
		if !x.Shape().Equal(s) {
			e := graph.Errorf(x, "shape %v differs from %v of %s: only arrays of one shape can be stacked", x.Shape(), s, graph.NameOf(xs[0]))
			return nil, e.Hint("fusectl concat joins along an axis that they have")
		}
		each[i] = reshape(x, slices.Insert(s.Clone(), ax, 1))
	}
	return Concat(each, ax)
}
