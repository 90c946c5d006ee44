package ops

import (
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// AlignModes lists the ways in which Align reconciles spatial sizes.
var AlignModes = []string{"none", "resize", "crop", "pad"}

// AlignPlaces lists the parts that Align's crop keeps, and that pad puts an array in.
var AlignPlaces = []string{"centre", "start", "end"}

// Align brings maps of as many spatial axes to one size, as U-Net does with its
// skip connections: resize (by o.Mode) and pad (with zeros around) to the largest
// extent along each axis, crop to the smallest ones. at is one of AlignPlaces: a crop
// takes the centre, from floor((large-small)/2) on, the start or the end, and pad puts
// an array there. none leaves all as they are.
func Align(xs []graph.Array, how, at string, o ResizeOptions) ([]graph.Array, error) {
	if how == "none" {
		return xs, nil
	}
	var to []int
	forms := make([]shape.Layout, len(xs))
	for i, x := range xs {
		var err error
		if forms[i], err = movesOver("--align", x, o.Layout, 0); err != nil {
			return nil, err
		}
		size := spatialSize(x, forms[i])
		if i == 0 {
			to = size
		} else if len(size) != len(to) {
			return nil, graph.Errorf(x, "shape %v: --align takes maps of as many dimensions as %s, which has %v", x.Shape(), graph.NameOf(xs[0]), xs[0].Shape())
		}
		for k, extent := range size {
			if how == "crop" {
				to[k] = min(to[k], extent)
			} else {
				to[k] = max(to[k], extent)
			}
		}
	}
	out := make([]graph.Array, len(xs))
	for i, x := range xs {
		var err error
		o.Layout = forms[i]
		switch {
		case slices.Equal(spatialSize(x, forms[i]), to):
			out[i] = x
		case how == "resize":
			out[i], err = Resize(x, to, o)
		default:
			out[i], err = fitted(x, to, at, forms[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// placed gives where a small extent begins in a large one.
func placed(at string, small, large int) int {
	switch at {
	case "start":
		return 0
	case "end":
		return large - small
	}
	return (large - small) / 2
}

// fitted is x with other spatial extents: positions are taken away or added around what
// at says.
func fitted(x graph.Array, to []int, at string, form shape.Layout) (graph.Array, error) {
	out := x.Shape().Clone()
	axes := form.Spatial()
	for i, a := range axes {
		out[a] = to[i]
	}
	if err := checkSize(x, out); err != nil {
		return nil, err
	}
	ranges := everything(x.Shape())
	for _, a := range axes {
		if n := x.Shape()[a]; n > out[a] {
			ranges[a] = shape.Range{Start: placed(at, out[a], n), N: out[a], Step: 1}
		}
	}
	x = sliced(x, ranges)
	for _, a := range axes {
		n := x.Shape()[a]
		before := placed(at, n, out[a])
		x = pad(x, a, before, out[a]-n-before, "constant", make([]byte, x.DType().Size()))
	}
	return x, nil
}
