package ops

import (
	"cmp"
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
	u := upsampling{ConvOptions: o, x: x, first: o.Layout.Spatial()[0], post: post}
	spread, out := x.Shape().Clone(), x.Shape().Clone() // with zeros between positions, and the result's
	out[o.Layout.Channel()] = k.Shape().Last()
	apart, phases := max(o.Groups, 1) == 1, 1
	for i := range len(k.Shape()) - 2 {
		in, size := x.Shape()[u.first+i], k.Shape()[i]
		a := upsampledAxis{in: in, stride: max(pick(o.Stride, i, 1), 1), dilation: max(pick(o.Dilation, i, 1), 1)}
		reach := (size-1)*a.dilation + 1
		if err := o.upsample(x, &a, i, reach); err != nil {
			return nil, err
		}
		apart = apart && reach == size && a.stride == size && a.before == 0 && a.out == in*a.stride
		spread[u.first+i], out[u.first+i] = (in-1)*a.stride+1, a.out
		phases *= min(a.stride, mostPhases+1)
		u.axes = append(u.axes, a)
	}
	if err := cmp.Or(checkSize(x, spread), checkSize(x, out)); err != nil {
		return nil, err
	}
	switch {
	case apart:
		return onBatch(x, o.Layout, func(x graph.Array, form shape.Layout) (graph.Array, error) {
			return onLast(x, form.Channel(), func(x graph.Array) (graph.Array, error) { return convApart(x, k, post) })
		})
	case phases > mostPhases:
		return u.spread(k, spread)
	}
	// What all phases read is read once.
	u.x, k = graph.MaterializeSmall(x), graph.Materialize(k)
	if bias := post.bias; bias != nil {
		if err := checkBias(bias, k.Shape().Last()); err != nil {
			return nil, err
		}
		u.post.bias = graph.Materialize(reshape(cast(bias, x.DType()), shape.Shape{k.Shape().Last()}))
	}
	return u.phase(0, k, Window{})
}

// upsampling is a transposed convolution of x, the spatial axes of which begin with
// axis first.
type upsampling struct {
	ConvOptions
	x     graph.Array
	first int
	axes  []upsampledAxis
	post  postOps
}

// upsampledAxis is a spatial axis of in positions and out in the result: before come
// before these, of those that the kernel adds to.
type upsampledAxis struct{ in, out, before, stride, dilation int }

// mostPhases is the convolutions that a transposed one may be.
const mostPhases = 27

// phase is the result, of which the axes before number i are those of one phase that a window
// win has been found for: every stride-th position of the result along an axis takes
// the same taps, so that it is the join of a convolution for each phase. k is what these
// leave of the kernel.
func (u *upsampling) phase(i int, k graph.Array, win Window) (graph.Array, error) {
	if i == len(u.axes) {
		win.Size = k.Shape()[:i]
		return convForward(u.x, k, win, u.ConvOptions, u.post)
	}
	a := &u.axes[i]
	axis, n := u.first+i, int(shape.CeilDiv(int64(a.out), int64(a.stride)))
	phases := make([]graph.Array, min(a.stride, a.out))
	for p := range phases {
		taps, step, before := a.taps(p, k.Shape()[i], n)
		next := win
		next.Dilation = append(slices.Clone(win.Dilation), step)
		next.Padding.Each = append(slices.Clone(win.Padding.Each), [2]int{before, n - a.in - before + (taps.N-1)*step})
		y, err := u.phase(i+1, partOf(k, i, taps), next)
		if err != nil {
			return nil, err
		}
		phases[p] = reshape(y, slices.Insert(y.Shape().Clone(), axis+1, 1))
	}
	y, err := Concat(phases, axis+1)
	if err != nil {
		return nil, err
	}
	s := y.Shape().Clone()
	s[axis] *= s[axis+1]
	return partOf(reshape(y, slices.Delete(s, axis+1, axis+2)), axis, shape.Range{N: a.out, Step: 1}), nil
}

// taps gives, for phase p of an axis and a kernel of size positions, the taps that
// reach it, the last one first; how many positions of x they lie apart; and the padding before
// x with which a convolution by them gives n positions of the phase. A phase that none
// reaches takes one that lies outside.
func (a *upsampledAxis) taps(p, size, n int) (taps shape.Range, step, before int) {
	at, from := (p+a.before)%a.stride, (p+a.before)/a.stride
	common := 1 // the greatest divisor of stride and dilation
	for d := range min(a.stride, a.dilation) {
		if a.stride%(d+1) == 0 && a.dilation%(d+1) == 0 {
			common = d + 1
		}
	}
	every := a.stride / common
	step = a.dilation / common
	for t := range min(every, size) {
		if (t*a.dilation-at)%a.stride == 0 {
			m := (size - t + every - 1) / every
			return shape.Range{Start: t + (m-1)*every, N: m, Step: -every}, step, (t*a.dilation-at)/a.stride + (m-1)*step - from
		}
	}
	return shape.Range{N: 1, Step: 1}, step, n
}

// spread is the result as a convolution of x with zeros between its positions, of shape
// to, by the kernel turned around.
func (u *upsampling) spread(k graph.Array, to shape.Shape) (graph.Array, error) {
	win := Window{Size: k.Shape()[:len(u.axes)], Dilation: u.Dilation}
	var axes []insertion
	for i, a := range u.axes {
		beyond := (win.Size[i] - 1) * a.dilation
		win.Padding.Each = append(win.Padding.Each, [2]int{beyond - a.before, a.before + a.out - to[u.first+i]})
		axes = append(axes, insertion{0, a.stride})
		k = flip(k, i)
	}
	x := insertZeros(graph.MaterializeSmall(u.x), u.first, axes, to)
	return convForward(x, k, win, u.ConvOptions, u.post)
}

// upsample finds how many positions a transposed convolution gives along spatial
// axis i of x by a kernel that reaches over reach, and how many come before these. Same
// padding gives the stride times as many, unless output padding or size say
// otherwise, as Keras has it.
func (o ConvOptions) upsample(x graph.Array, a *upsampledAxis, i, reach int) error {
	if a.in == 0 {
		return graph.Errorf(x, "shape %v: %v", x.Shape(), errNoPositions)
	}
	more, below := pick(o.OutputPadding, i, 0), max(a.stride, a.dilation)
	if more >= below {
		return graph.Errorf(x, "shape %v: output padding of %d: want less than %d, the larger of stride and dilation", x.Shape(), more, below)
	}
	whole, pad := (a.in-1)*a.stride+reach, pick(o.Padding.Each, i, [2]int{})
	switch {
	case !o.Padding.Same:
		a.out = whole - pad[0] - pad[1] + more
	case len(o.OutputSize) > 0: // the least of which a convolution makes in positions
		a.out = (a.in-1)*a.stride + 1
	case len(o.OutputPadding) > 0:
		a.out = whole - reach/2*2 + more
	default:
		a.out = a.in * a.stride
	}
	if size := pick(o.OutputSize, i, a.out); size != a.out {
		if size < a.out || size >= a.out+a.stride {
			return graph.Errorf(x, "shape %v: output size %d: want %d to %d, which a convolution of that stride brings back to %d", x.Shape(), size, a.out, a.out+a.stride-1, a.in)
		}
		a.out = size
	}
	if a.out < 1 {
		return graph.Errorf(x, "shape %v: a transposed convolution gives %d positions of %d: padding of %d and %d takes them all away", x.Shape(), whole+more, a.in, pad[0], pad[1])
	}
	a.before = pad[0]
	if o.Padding.Same {
		a.before = o.Padding.lead(max(whole-a.out, 0))
	}
	return nil
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
