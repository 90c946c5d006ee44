package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// convTransposed is the transposed convolution of x [N,...,C] with kernels
// [k...,C,out].
func convTransposed(x, k graph.Array, o ConvOptions, post postOps) (graph.Array, error) {
	s, ks := x.Shape(), k.Shape()
	n := len(ks) - 2
	size := ks[:n]
	apart := !o.Padding.Same
	for i := range n {
		apart = apart && pick(o.Stride, i, 1) == size[i] && pick(o.Padding.Each, i, [2]int{}) == [2]int{} && pick(o.OutputPadding, i, 0) == 0
	}
	if apart {
		return convApart(x, k, post)
	}
	// Zeros between positions, and the kernel turned around.
	to := s.Clone()
	var axes []insertion
	for i := range n {
		in, stride := s[1+i], max(pick(o.Stride, i, 1), 1)
		pad, more := pick(o.Padding.Each, i, [2]int{}), pick(o.OutputPadding, i, 0)
		if o.Padding.Same { // in·stride positions come out
			pad[0] = o.Padding.lead(max(size[i]-stride, 0))
			pad[1] = pad[0]
		}
		if max(pad[0], pad[1]) > size[i]-1 || more >= stride || in == 0 {
			return nil, cantTranspose(x, size, o)
		}
		before, spread := size[i]-1-pad[0], (in-1)*stride+1
		after := size[i] - 1 - pad[1] + more
		if o.Padding.Same {
			after = max(in*stride+size[i]-1-before-spread, 0)
		}
		axes = append(axes, insertion{before, stride})
		to[1+i] = before + spread + after
		k = flip(k, i)
	}
	epi, err := post.materialize(x.DType(), ks[n+1])
	if err != nil {
		return nil, err
	}
	spread := insertZeros(graph.MaterializeSmall(x), 1, axes, to)
	on, err := Window{Size: size}.resolve(spread, shape.NHWC.Like(n, true))
	if err != nil {
		return nil, err
	}
	return convLast(spread, k, on, 1, epi)
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

// cantTranspose says which paddings a transposed convolution of x can't take.
func cantTranspose(x graph.Array, size []int, o ConvOptions) error {
	n := len(size)
	pad, more := make([]int, n), make([]int, n)
	for i := range n {
		pad[i], more[i] = pick(o.Padding.Each, i, [2]int{})[0], pick(o.OutputPadding, i, 0)
	}
	return graph.Errorf(x, "a transposed convolution of shape %v by a kernel of %s can't take padding %s and output padding %s", x.Shape(), joined(size, " by "), joined(pad, ","), joined(more, ","))
}
