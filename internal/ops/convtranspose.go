package ops

import (
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// convTransposed is the transposed convolution of x with kernels
// [k..., C/groups, out]: each position of x adds the kernel, times its channels, to
// the result, at its own place times the stride.
func convTransposed(x, k graph.Array, o ConvOptions, post postOps) (graph.Array, error) {
	if o.Causal {
		return nil, &graph.Error{Msg: "causal padding goes with a convolution that isn't transposed"}
	}
	s, n := x.Shape(), len(k.Shape())-2
	first := o.Layout.Spatial()[0]
	win := Window{Size: k.Shape()[:n], Dilation: o.Dilation}
	to, apart := s.Clone(), max(o.Groups, 1) == 1
	var axes []insertion
	for i, size := range win.Size {
		in, stride := s[first+i], max(pick(o.Stride, i, 1), 1)
		reach := (size-1)*max(pick(o.Dilation, i, 1), 1) + 1
		before, out, err := o.upsampled(x, i, in, reach)
		if err != nil {
			return nil, err
		}
		apart = apart && reach == size && stride == size && before == 0 && out == in*stride
		to[first+i] = (in-1)*stride + 1
		win.Padding.Each = append(win.Padding.Each, [2]int{reach - 1 - before, before + out - to[first+i]})
		axes = append(axes, insertion{0, stride})
	}
	if apart {
		return onBatch(x, o.Layout, func(x graph.Array, form shape.Layout) (graph.Array, error) {
			return onLast(x, form.Channel(), func(x graph.Array) (graph.Array, error) { return convApart(x, k, post) })
		})
	}
	// Zeros between positions, and the kernel turned around.
	if !slices.Equal(to, s) {
		if err := checkSize(x, to); err != nil {
			return nil, err
		}
		x = insertZeros(graph.MaterializeSmall(x), first, axes, to)
	}
	for i := range n {
		k = flip(k, i)
	}
	return convForward(x, k, win, o, post)
}

// upsampled tells how many positions a transposed convolution gives along spatial
// axis i of x, which has in of them, by a kernel that reaches over reach; and how
// many that the kernel adds to come before these. Same padding gives the stride
// times as many, unless output padding or size say otherwise, as Keras has it.
func (o ConvOptions) upsampled(x graph.Array, i, in, reach int) (before, out int, err error) {
	if in == 0 {
		return 0, 0, graph.Errorf(x, "shape %v: %v", x.Shape(), errNoPositions)
	}
	stride := max(pick(o.Stride, i, 1), 1)
	more, below := pick(o.OutputPadding, i, 0), max(stride, pick(o.Dilation, i, 1))
	if more >= below {
		return 0, 0, graph.Errorf(x, "shape %v: output padding of %d: want less than %d, the larger of stride and dilation", x.Shape(), more, below)
	}
	whole, pad := (in-1)*stride+reach, pick(o.Padding.Each, i, [2]int{})
	switch {
	case !o.Padding.Same:
		out = whole - pad[0] - pad[1] + more
	case len(o.OutputSize) > 0: // the least of which a convolution makes in positions
		out = (in-1)*stride + 1
	case len(o.OutputPadding) > 0:
		out = whole - reach/2*2 + more
	default:
		out = in * stride
	}
	if size := pick(o.OutputSize, i, out); size != out {
		if size < out || size >= out+stride {
			return 0, 0, graph.Errorf(x, "shape %v: output size %d: want %d to %d, which a convolution of that stride brings back to %d", x.Shape(), size, out, out+stride-1, in)
		}
		out = size
	}
	if out < 1 {
		return 0, 0, graph.Errorf(x, "shape %v: a transposed convolution gives %d positions of %d: padding of %d and %d takes them all away", x.Shape(), whole+more, in, pad[0], pad[1])
	}
	before = pad[0]
	if o.Padding.Same {
		before = o.Padding.lead(max(whole-out, 0))
	}
	return before, out, nil
}

// convApart is the transposed convolution of patches that don't overlap: each
// position becomes taps·out numbers, which only have to be put in place.
func convApart(x, k graph.Array, post postOps) (graph.Array, error) {
	s, ks := x.Shape(), k.Shape()
	n := len(ks) - 2
	taps, out := int(ks.Product(0, n)), ks[n+1]
	if post.bias != nil {
		each := repeat(reshape(post.bias, shape.Shape{1, out}), shape.Shape{taps, out})
		post.bias = reshape(each, shape.Shape{taps * out})
	}
	epi, err := post.materialize(x.DType(), taps*out)
	if err != nil {
		return nil, err
	}
	wide := []int{n} // of the kernel's axes, the channels that it sums over go first
	placed := []int{0}
	tiled := shape.Shape{s[0]}
	apart := s[: n+1 : n+1]
	for i := range n {
		wide = append(wide, i)
		placed = append(placed, 1+i, 1+n+i)
		tiled = append(tiled, s[1+i]*ks[i])
	}
	wide, placed = append(wide, n+1), append(placed, 1+2*n)
	y := multiplyRows(x, pack(reshape(transpose(k, wide), shape.Shape{ks[n], taps * out}), 1), epi)
	y = reshape(y, append(append(apart, ks[:n]...), out)) // [N,s...,k...,out]
	return reshape(transpose(y, placed), append(tiled, out)), nil
}
