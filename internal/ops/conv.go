package ops

import (
	"context"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// ConvOptions refine Conv. A list has a number for each spatial axis, outermost
// first, or one for all.
type ConvOptions struct {
	Stride, Dilation []int // empty is 1
	Padding          Padding
	Groups           int // 0 is 1
	Transposed       bool
	Activation       string // applied to the result; "": none
	OutputPadding    []int  // Transposed: positions added after, as PyTorch's output_padding; empty is 0
	Layout           shape.Layout
}

// Conv is the convolution of a map of 1, 2 or 3 spatial axes with a kernel,
// [k..., in/groups, out] for Keras's layout or [out, in/groups, k...] for
// PyTorch's, plus a bias: cross-correlation, as tf.nn.convolution and
// torch.nn.functional.conv1d, conv2d and conv3d. Transposed is the gradient of
// that, as conv_transpose2d, with kernels [k..., out, in] or [in, out, k...]; it
// takes no groups and no dilation. Arrays are float16, bfloat16, float32 or
// float64 and promote; the work is done in float32 or float64.
func Conv(x graph.Array, w Weights, o ConvOptions) (graph.Array, error) {
	n, err := spatialAxes("a convolution", x, o.Layout)
	if err != nil {
		return nil, err
	}
	if w.Kernel == nil {
		return nil, &graph.Error{Msg: "a convolution needs a kernel"}
	}
	if s := w.Kernel.Shape(); len(s) != n+2 {
		return nil, graph.Errorf(w.Kernel, "shape %v: want a kernel of %d dimensions, %s", s, n+2, kernelAxes(w.Layout, o.Transposed, spatialNames(n)))
	}
	work, t, err := floatWork("a convolution", x, w)
	if err != nil {
		return nil, err
	}
	fused, after := fuse(o.Activation, work.DType())
	o.Activation = fused
	out, err := conv(work, w, o)
	if err != nil {
		return nil, err
	}
	return finish(out, after, t, o.Layout.Channel(n+2))
}

// spatialNames names n spatial axes as PyTorch does.
func spatialNames(n int) string { return []string{"l", "h,w", "d,h,w"}[n-1] }

// kernelAxes is a kernel's shape in words, its spatial axes being called along.
func kernelAxes(l WeightLayout, transposed bool, along string) string {
	switch {
	case l == Torch && transposed:
		return "(in,out," + along + ")"
	case l == Torch:
		return "(out,in/groups," + along + ")"
	case transposed:
		return "(" + along + ",out,in)"
	}
	return "(" + along + ",in/groups,out)"
}

// kernelOrder lists the axes of a kernel of n spatial ones: these, then the
// channels that it sums over, then those that it gives.
func kernelOrder(l WeightLayout, transposed bool, n int) []int {
	first, in, out := 0, n, n+1
	if l == Torch {
		first, in, out = 2, 1, 0
	}
	if transposed {
		in, out = out, in
	}
	order := make([]int, 0, n+2)
	for i := range n {
		order = append(order, first+i)
	}
	return append(order, in, out)
}

// channelsFirst is an order of axes, the last two of which are channels that are
// summed over and given, with these in front, the given ones first.
func channelsFirst(order []int) []int {
	n := len(order) - 2
	return append([]int{order[n+1], order[n]}, order[:n]...)
}

// conv is Conv in x's dtype, which is float32 or float64, unrounded, with an
// activation that a product applies by itself.
func conv(x graph.Array, w Weights, o ConvOptions) (graph.Array, error) {
	w, err := w.folded(x.DType(), o.Transposed)
	if err != nil {
		return nil, err
	}
	k := cast(w.Kernel, x.DType())
	n := len(k.Shape()) - 2
	order := kernelOrder(w.Layout, o.Transposed, n)
	ks := k.Shape().Permute(order)
	size, in, out := ks[:n], ks[n], ks[n+1]
	axis := o.Layout.Channel(n + 2)
	groups, channels := max(o.Groups, 1), x.Shape()[axis]
	win := Window{size, o.Stride, o.Dilation, o.Padding}
	switch {
	case o.Transposed && (groups > 1 || slices.Max(append([]int{1}, o.Dilation...)) > 1):
		return nil, &graph.Error{Msg: "a transposed convolution takes no groups and no dilation"}
	case in*groups != channels:
		e := graph.Errorf(w.Kernel, "kernel of shape %v takes %d channels in %d groups: want %s, in being the %d channels of %s",
			w.Kernel.Shape(), in*groups, groups, kernelAxes(w.Layout, o.Transposed, joined(size, ",")), channels, graph.Described(x))
		if s := w.Kernel.Shape(); w.Layout == Keras && groups == channels && s[n] == channels {
			return nil, e.Hint("Keras's DepthwiseConv%dD has (%s,C,m): reshape it to %v", n, spatialNames(n), append(s[:n:n], 1, s[n]*s[n+1]))
		}
		return nil, e.Hint("kernels are read as %s; --weight-layout says otherwise", kernelAxes(w.Layout, o.Transposed, spatialNames(n)))
	case out%groups != 0:
		return nil, graph.Errorf(w.Kernel, "%d output channels don't split into %d groups", out, groups)
	}
	e := epilogue{bias: w.Bias, activation: o.Activation}
	end, err := e.hold(x.DType(), out)
	if err != nil {
		return nil, err
	}
	if o.Transposed {
		return onLast(x, axis, func(x graph.Array) (graph.Array, error) {
			return convTransposed(x, transpose(k, order), o, e)
		})
	}
	if o.Layout == shape.NCHW {
		return convPlanar(x, transpose(k, channelsFirst(order)), win, groups, end)
	}
	if groups > 1 && out/groups < narrowGroup {
		if _, err := win.over(x, 1); err != nil { // which tells of x as it is
			return nil, err
		}
		last := shape.MoveToLast(1, n+2) // the channels, from second place
		y, err := convPlanar(transpose(x, shape.Inverse(last)), transpose(k, channelsFirst(order)), win, groups, end)
		if err != nil {
			return nil, err
		}
		return transpose(y, last), nil
	}
	return convolve(x, transpose(k, order), win, groups, end)
}

// narrowGroup is the output channels of a group from which on they fill a
// vector: for fewer, as in a depthwise convolution, positions do, with the
// channels first.
const narrowGroup = 16

// convPlanar is the convolution of x [N,C,...] with kernels [out,C/groups,k...].
func convPlanar(x, k graph.Array, win Window, groups int, end ending) (graph.Array, error) {
	on, err := win.over(x, 2)
	if err != nil {
		return nil, err
	}
	out := append(shape.Shape{x.Shape()[0], k.Shape()[0]}, on.outs()...)
	if err := checkSize(x, out); err != nil {
		return nil, err
	}
	if !win.plain() {
		x = graph.MaterializeSmall(x) // rows of it are read for each row of the kernel
	}
	return newPlanar("conv", x, k, on, groups, end), nil
}

// convolve is the convolution of x [N,...,C] with kernels [k...,C/groups,out].
func convolve(x, k graph.Array, win Window, groups int, end ending) (graph.Array, error) {
	ks := k.Shape()
	n := len(ks) - 2
	weights := pack(reshape(k, shape.Shape{int(ks.Product(0, n+1)), ks[n+1]}), groups)
	if win.plain() && groups == 1 {
		return multiplyRows(x, weights, end), nil
	}
	on, err := win.over(x, 1)
	if err != nil {
		return nil, err
	}
	out := append(shape.Shape{x.Shape()[0]}, on.outs()...)
	out = append(out, ks[n+1])
	if err := checkSize(x, out); err != nil {
		return nil, err
	}
	x = graph.MaterializeSmall(x) // rows of it are read for each row of the kernel
	return &convolved{computed{op: "conv", dt: x.DType(), sh: out}, on, x, weights, groups, ks[n], end}, nil
}

// checkSize refuses a result of shape out, of x's dtype, that no array can have.
func checkSize(x graph.Array, out shape.Shape) error {
	if _, err := out.Check(x.DType().Size()); err != nil {
		return graph.Errorf(x, "the result is too large: %v", err)
	}
	return nil
}

// convolved is a convolution of maps [N,...,C] with weights, a matrix
// [taps·C/groups, out] that pack has held: an implicit matrix product, whose left
// rows are the patches under the window, read where they lie in the map.
type convolved struct {
	computed
	windows
	maps, weights graph.Array
	groups, cn    int // cn: channels of a group
	end           ending
}

// convTile is the positions that a tile has at least.
const convTile = 512

func (c *convolved) Operands(visit func(*graph.Array)) {
	visit(&c.maps)
	visit(&c.weights)
	c.end.operands(visit)
}

func (c *convolved) patch() int64 { return int64(c.taps() * c.cn) }
func (c *convolved) out() int64   { return int64(c.sh.Last()) }

func (c *convolved) Flops() int64 { return (2*c.patch() + c.end.flops) * c.sh.Len() }

// Tiling takes more rows where those of the input are computed, since tiles
// next to each other both compute the rows between them.
func (c *convolved) Tiling() graph.Tiling {
	return graph.Tiling{Unit: c.out(), Size: c.windows.worth(c.maps, convTile) * c.out()}
}

func (c *convolved) Memory(n int64) int64 {
	read := c.covered(n / max(c.out(), 1))
	return (graph.PeekBuffer(c.maps, read)+wholeRowsMemory(n, c.out()))*c.size() + graph.MemoryOf(c.maps, read)
}

func (c *convolved) Read(ctx context.Context, dst []byte, off int64) error {
	row := c.out()
	return wholeRows(dst, off, row, c.size(), func(dst []byte, first, n int64) error {
		return c.planes(first, n, func(plane, first, n int64) error {
			part := dst[:n*row*c.size()]
			dst = dst[len(part):]
			src, buf, err := c.read(ctx, c.maps, plane, first, n)
			defer graph.PutBuffer(buf)
			if err != nil {
				return err
			}
			if c.dt == dtype.Float32 {
				convolvePlane[float32](c, part, src, first, n)
			} else {
				convolvePlane[float64](c, part, src, first, n)
			}
			return ctx.Err()
		})
	})
}

// convolvePlane computes n positions of one plane of the result, from number
// first on. Within a row of the result, if that isn't short, most patches of a
// strip lie evenly spaced.
func convolvePlane[T kernel.Float](c *convolved, dst []byte, src source, first, n int64) {
	out := int(c.out())
	per := out / c.groups
	for g := range c.groups {
		right := group[T](c.weights.(*graph.Materialized), g)
		right.Depth = c.depth()
		p := patches[T]{c, &src, kernel.View[T](src.data), first, g * c.cn}
		left := kernel.Left[T]{At: p.rows}
		if c.x.out >= 16 {
			_, x := c.at(first)
			left.Line, left.Begun = c.x.out, x
		}
		kernel.Multiply(kernel.Active(), kernel.View[T](dst)[g*per:], out, left, right, int(n), false, endingOf[T](c.end, g*per, per))
	}
}

// joined reports whether the taps of one row of the window lie in line in the
// map.
func (c *convolved) joined() bool { return c.cn == c.ch && c.x.dilation == 1 }

// convDepth is the most elements of a patch that are summed in a row. Patches are
// long, and the error of a sum grows with its length: sums of so many are as
// exact as oneDNN's, of twice as many they aren't.
const convDepth = 128

// depth is the blocks in which patches are summed: such that each lies in line
// in the map, unless that would make them short.
func (c *convolved) depth() int {
	const least = convDepth / 2
	run := c.cn
	if c.joined() {
		run *= c.x.size
	}
	for d := min(run, convDepth); d >= least; d-- {
		if run%d == 0 {
			return d
		}
	}
	return convDepth
}

// patches are the patches of a tile's positions, of the channels of a group, as
// the left matrix of a product: their elements count by row of the window, tap
// in the row and channel.
type patches[T kernel.Float] struct {
	c     *convolved
	src   *source
	data  []T   // src's
	first int64 // position of row 0
	c0    int   // first channel
}

// rows is a kernel.Left. Rows of one line whose part of the patch lies in line
// and within the map are read where they are.
func (p *patches[T]) rows(buf []T, i, h, k0, k int) ([]T, int) {
	c := p.c
	if k == 0 {
		return nil, 0
	}
	t0, t1 := k0/c.cn, (k0+k-1)/c.cn
	row, kx := t0/c.x.size, t0%c.x.size
	y, ox := c.at(p.first + int64(i))
	endY, endX := c.at(p.first + int64(i+h-1))
	inLine := t0 == t1 || c.joined() && t1/c.x.size == row
	x, end := c.x.tap(ox, kx), c.x.tap(endX, t1%c.x.size)
	if inLine && y == endY && x >= 0 && end < c.x.in {
		if line, inside := p.src.line(&c.windows, y, row); inside {
			at := line + x*c.ch + p.c0 + k0%c.cn
			ld := c.x.stride * c.ch
			return p.data[at : at+(h-1)*ld+k], ld
		}
	}
	p.gather(buf, i, h, k0, k)
	return buf[:h*k], k
}

// gather copies elements [k0,k0+k) of h patches from number i on to dst; what
// lies outside the map is zero.
func (p *patches[T]) gather(dst []T, i, h, k0, k int) {
	c := p.c
	for r := range h {
		y, ox := c.at(p.first + int64(i+r))
		row := dst[r*k : (r+1)*k]
		for at := k0; at < k0+k; {
			tap := at / c.cn
			ky, kx := tap/c.x.size, tap%c.x.size
			x := c.x.tap(ox, kx)
			taps := 1
			if c.joined() && x >= 0 { // as many as lie in line
				taps = max(min(c.x.size-kx, c.x.in-x), 1)
			}
			n := min((tap+taps)*c.cn, k0+k) - at
			line, inside := p.src.line(&c.windows, y, ky)
			if !inside || x < 0 || x >= c.x.in {
				clear(row[:n])
			} else {
				copy(row[:n], p.data[line+x*c.ch+p.c0+at%c.cn:])
			}
			row, at = row[n:], at+n
		}
	}
}
