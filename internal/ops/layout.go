package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// MapForm names the axes of a map, a letter each, as layout l has them. told is the
// number of spatial axes where a kernel or a size tells it, so that a map without
// a batch is known; 0 where nothing does. A word that doesn't fit is an error, which
// shows one that would. operation begins what it says, such as "a convolution".
func MapForm(operation string, x graph.Array, l shape.Layout, told int) (shape.Layout, error) {
	s := x.Shape()
	form, ok := l.Of(len(s), told)
	if ok {
		return form, nil
	}
	if told > 0 && len(s) != told+2 && len(s) != told+1 {
		return "", graph.Errorf(x, "shape %v has %s: %s over %s takes %d, such as %s, or %d without a batch, such as %s",
			s, shape.CountAxes(len(s), ""), operation, shape.CountAxes(told, "spatial "), told+2, l.Like(told, true), told+1, l.Like(told, false))
	}
	e := graph.Errorf(x, "shape %v has %d axes: layout %s names %d", s, len(s), l, len(l))
	if spatial := max(told, len(s)-2); spatial > 0 {
		form = l.Like(spatial, len(s) == spatial+2)
		return "", e.Hint("--layout %s takes it as %s", form, form.Sized(s))
	}
	return "", e
}

// onBatch has f compute with a batch of maps: x, the axes of which form names, is one
// where it has no batch.
func onBatch(x graph.Array, form shape.Layout, f func(x graph.Array, form shape.Layout) (graph.Array, error)) (graph.Array, error) {
	if form.Batched() {
		return f(x, form)
	}
	y, err := f(reshape(x, append(shape.Shape{1}, x.Shape()...)), "n"+form)
	if err != nil {
		return nil, err
	}
	return reshape(y, y.Shape()[1:]), nil
}

// spatialSize is the extents of a map's spatial axes.
func spatialSize(x graph.Array, form shape.Layout) []int {
	var size []int
	for _, a := range form.Spatial() {
		size = append(size, x.Shape()[a])
	}
	return size
}
