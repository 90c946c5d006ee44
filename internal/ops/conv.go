package ops

import (
	"context"
	"strconv"
	"strings"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// ConvOptions refine Conv.
type ConvOptions struct {
	Stride, Dilation [2]int // 0 is 1
	Padding          Padding
	Groups           int // 0 is 1
	Transposed       bool
	Activation       string // applied to the result; "": none
	OutputPadding    [2]int // Transposed: positions added after, as PyTorch's output_padding
	Layout           shape.Layout
}

// Conv is the convolution of a rank-4 feature map with a kernel, [h, w,
// in/groups, out] for Keras's layout or [out, in/groups, h, w] for PyTorch's,
// plus a bias: cross-correlation, as tf.nn.conv2d and
// torch.nn.functional.conv2d. Transposed is the gradient of that, as
// conv_transpose2d, with kernels [h, w, out, in] or [in, out, h, w]; it takes
// no groups and no dilation. Arrays are float16, bfloat16, float32 or float64
// and promote; the work is done in float32 or float64.
func Conv(x graph.Array, w Weights, o ConvOptions) (graph.Array, error) {
	if len(x.Shape()) != 4 {
		return nil, graph.Errorf(x, "shape %v: a convolution takes a feature map of 4 dimensions, %s", x.Shape(), o.Layout)
	}
	if w.Kernel == nil {
		return nil, &graph.Error{Msg: "a convolution needs a kernel"}
	}
	if len(w.Kernel.Shape()) != 4 {
		return nil, graph.Errorf(w.Kernel, "shape %v: want a kernel of 4 dimensions, %s", w.Kernel.Shape(), kernelAxes(w.Layout, o.Transposed))
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
	return finish(out, after, t, o.Layout.Channel(4))
}

func kernelAxes(l WeightLayout, transposed bool) string {
	switch {
	case l == Torch && transposed:
		return "(in,out,h,w)"
	case l == Torch:
		return "(out,in/groups,h,w)"
	case transposed:
		return "(h,w,out,in)"
	}
	return "(h,w,in/groups,out)"
}

// conv is Conv in x's dtype, which is float32 or float64, unrounded, with an
// activation that a product applies by itself.
func conv(x graph.Array, w Weights, o ConvOptions) (graph.Array, error) {
	w, err := w.folded(x.DType(), o.Transposed)
	if err != nil {
		return nil, err
	}
	// The axes h, w, in and out of the kernel, whichever way round it came: in is
	// what it sums over.
	perm := []int{0, 1, 2, 3}
	switch {
	case w.Layout == Torch && o.Transposed:
		perm = []int{2, 3, 0, 1}
	case w.Layout == Torch:
		perm = []int{2, 3, 1, 0}
	case o.Transposed:
		perm = []int{0, 1, 3, 2}
	}
	k := cast(w.Kernel, x.DType())
	axis := o.Layout.Channel(4)
	groups := max(o.Groups, 1)
	ks, channels := k.Shape().Permute(perm), x.Shape()[axis]
	switch {
	case o.Transposed && (groups > 1 || max(o.Dilation[0], o.Dilation[1]) > 1):
		return nil, &graph.Error{Msg: "a transposed convolution takes no groups and no dilation"}
	case ks[2]*groups != channels:
		want := strings.NewReplacer("h", strconv.Itoa(ks[0]), "w", strconv.Itoa(ks[1])).Replace(kernelAxes(w.Layout, o.Transposed))
		e := graph.Errorf(w.Kernel, "kernel of shape %v takes %d channels in %d groups: want %s, in being the %d channels of %s", w.Kernel.Shape(), ks[2]*groups, groups, want, channels, graph.Described(x))
		if s := w.Kernel.Shape(); w.Layout == Keras && groups == channels && s[2] == channels {
			return nil, e.Hint("Keras's DepthwiseConv2D has (h,w,C,m): reshape it to (%d,%d,1,%d)", s[0], s[1], s[2]*s[3])
		}
		return nil, e.Hint("kernels are read as %s; --weight-layout says otherwise", kernelAxes(w.Layout, o.Transposed))
	case ks[3]%groups != 0:
		return nil, graph.Errorf(w.Kernel, "%d output channels don't split into %d groups", ks[3], groups)
	}
	e := epilogue{bias: w.Bias, activation: o.Activation}
	end, err := e.hold(x.DType(), ks[3])
	if err != nil {
		return nil, err
	}
	win := Window{[2]int{ks[0], ks[1]}, o.Stride, o.Dilation, o.Padding}
	if first := o.Layout == shape.NCHW; !o.Transposed && (first || groups > 1 && ks[3]/groups < narrowGroup) {
		k = transpose(k, []int{perm[3], perm[2], perm[0], perm[1]})
		if first {
			return convPlanar(x, k, win, groups, end)
		}
		if _, err := win.over(x, 1); err != nil { // which tells of x as it is
			return nil, err
		}
		y, err := convPlanar(transpose(x, []int{0, 3, 1, 2}), k, win, groups, end)
		if err != nil {
			return nil, err
		}
		return transpose(y, []int{0, 2, 3, 1}), nil
	}
	k = transpose(k, perm)
	var failed error
	out := onLast(x, axis, func(x graph.Array) graph.Array {
		var y graph.Array
		if o.Transposed {
			y, failed = convTransposed(x, k, o, e)
		} else {
			y, failed = convolve(x, k, win, groups, end)
		}
		if failed != nil {
			return x
		}
		return y
	})
	return out, failed
}

// narrowGroup is the output channels of a group from which on they fill a
// vector: for fewer, as in a depthwise convolution, positions do, with the
// channels first.
const narrowGroup = 16

// convPlanar is the convolution of x [N,C,H,W] with kernels [out,C/groups,h,w].
func convPlanar(x, k graph.Array, win Window, groups int, end ending) (graph.Array, error) {
	s := x.Shape()
	on, err := win.over(x, 2)
	if err != nil {
		return nil, err
	}
	out := shape.Shape{s[0], k.Shape()[0], on.y.out, on.x.out}
	if _, err := out.Check(x.DType().Size()); err != nil {
		return nil, graph.Errorf(x, "the result is too large: %v", err)
	}
	if !win.plain() || win.Size != [2]int{1, 1} {
		x = graph.MaterializeSmall(x) // rows of it are read for each row of the kernel
	}
	return newPlanar("conv", x, k, on, groups, end), nil
}

// convolve is the convolution of x [N,H,W,C] with kernels [h,w,C/groups,out].
func convolve(x, k graph.Array, win Window, groups int, end ending) (graph.Array, error) {
	ks := k.Shape()
	weights := pack(reshape(k, shape.Shape{int(ks.Product(0, 3)), ks[3]}), groups)
	if ks[0] == 1 && ks[1] == 1 && groups == 1 && win.plain() {
		return multiplyRows(x, weights, end), nil
	}
	x = graph.MaterializeSmall(x) // rows of it are read for each row of the kernel
	on, err := win.over(x, 1)
	if err != nil {
		return nil, err
	}
	out := shape.Shape{x.Shape()[0], on.y.out, on.x.out, ks[3]}
	if _, err := out.Check(x.DType().Size()); err != nil {
		return nil, graph.Errorf(x, "the result is too large: %v", err)
	}
	return &convolved{computed{op: "conv", dt: x.DType(), sh: out}, on, x, weights, groups, ks[2], end}, nil
}

// convolved is a convolution of maps [N,H,W,C] with weights, a matrix
// [h·w·C/groups, out] that pack has held: an implicit matrix product, whose left
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

func (c *convolved) patch() int64 { return int64(c.y.size * c.x.size * c.cn) }
func (c *convolved) out() int64   { return int64(c.sh[3]) }

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
		return c.images(first, n, func(image, first, n int64) error {
			part := dst[:n*row*c.size()]
			dst = dst[len(part):]
			src, buf, lo, err := c.lines(ctx, c.maps, image, first, n)
			defer graph.PutBuffer(buf)
			if err != nil {
				return err
			}
			if c.dt == dtype.Float32 {
				convolveLines(c, kernel.View[float32](part), kernel.View[float32](src), lo, first, n)
			} else {
				convolveLines(c, kernel.View[float64](part), kernel.View[float64](src), lo, first, n)
			}
			return ctx.Err()
		})
	})
}

// convolveLines computes n positions from number first on out of source lines,
// the first of which is line lo. Within a row of the result, if that isn't short,
// most patches of a strip lie evenly spaced.
func convolveLines[T kernel.Float](c *convolved, dst, src []T, lo int, first, n int64) {
	out := int(c.out())
	per := out / c.groups
	for g := range c.groups {
		right := group[T](c.weights.(*graph.Materialized), g)
		right.Depth = c.depth()
		p := patches[T]{c, src, lo, first, g * c.cn}
		left := kernel.Left[T]{At: p.rows}
		if c.x.out >= 16 {
			_, x := c.at(first)
			left.Line, left.Begun = c.x.out, x
		}
		kernel.Multiply(kernel.Active(), dst[g*per:], out, left, right, int(n), false, endingOf[T](c.end, g*per, per))
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
// and channel.
type patches[T kernel.Float] struct {
	c     *convolved
	src   []T // lines of the map from number lo on
	lo    int
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
	ky, kx := t0/c.x.size, t0%c.x.size
	oy, ox := c.at(p.first + int64(i))
	endY, endX := c.at(p.first + int64(i+h-1))
	y, x := c.y.tap(oy, ky), c.x.tap(ox, kx)
	end := c.x.tap(endX, t1%c.x.size)
	inLine := t0 == t1 || c.joined() && t1/c.x.size == ky
	if !inLine || oy != endY || y < 0 || y >= c.y.in || x < 0 || end >= c.x.in {
		p.gather(buf, i, h, k0, k)
		return buf[:h*k], k
	}
	at := ((y-p.lo)*c.x.in+x)*c.ch + p.c0 + k0%c.cn
	ld := c.x.stride * c.ch
	return p.src[at : at+(h-1)*ld+k], ld
}

// gather copies elements [k0,k0+k) of h patches from number i on to dst; what
// lies outside the map is zero.
func (p *patches[T]) gather(dst []T, i, h, k0, k int) {
	c := p.c
	for r := range h {
		oy, ox := c.at(p.first + int64(i+r))
		row := dst[r*k : (r+1)*k]
		for at := k0; at < k0+k; {
			tap := at / c.cn
			ky, kx := tap/c.x.size, tap%c.x.size
			taps := 1
			if c.joined() && c.x.tap(ox, kx) >= 0 { // as many as lie in line
				taps = max(min(c.x.size-kx, c.x.in-c.x.tap(ox, kx)), 1)
			}
			n := min((tap+taps)*c.cn, k0+k) - at
			y, x := c.y.tap(oy, ky), c.x.tap(ox, kx)
			if y < 0 || y >= c.y.in || x < 0 || x >= c.x.in {
				clear(row[:n])
			} else {
				copy(row[:n], p.src[((y-p.lo)*c.x.in+x)*c.ch+p.c0+at%c.cn:])
			}
			row, at = row[n:], at+n
		}
	}
}

// convTransposed is the transposed convolution of x [N,H,W,C] with kernels
// [h,w,C,out].
func convTransposed(x, k graph.Array, o ConvOptions, e epilogue) (graph.Array, error) {
	s, ks := x.Shape(), k.Shape()
	stride := [2]int{max(o.Stride[0], 1), max(o.Stride[1], 1)}
	if stride == [2]int{ks[0], ks[1]} && o.Padding == (Padding{}) && o.OutputPadding == [2]int{} {
		// Patches that don't overlap: each position becomes h·w·out numbers, which
		// only have to be put in place.
		wide := transpose(k, []int{2, 0, 1, 3})
		taps := int(ks.Product(0, 2))
		if e.bias != nil {
			each := repeat(reshape(e.bias, shape.Shape{1, ks[3]}), shape.Shape{taps, ks[3]})
			e.bias = reshape(each, shape.Shape{taps * ks[3]})
		}
		end, err := e.hold(x.DType(), taps*ks[3])
		if err != nil {
			return nil, err
		}
		y := multiplyRows(x, pack(reshape(wide, shape.Shape{ks[2], taps * ks[3]}), 1), end)
		y = reshape(y, shape.Shape{s[0] * s[1], s[2], ks[0], ks[1] * ks[3]})
		y = transpose(y, []int{0, 2, 1, 3})
		return reshape(y, shape.Shape{s[0], s[1] * ks[0], s[2] * ks[1], ks[3]}), nil
	}
	// Zeros between positions, and the kernel turned around.
	pad := o.Padding.Each
	if o.Padding.Same {
		pad = [2]int{max(ks[0]-stride[0], 0) / 2, max(ks[1]-stride[1], 0) / 2}
	}
	for i := range 2 {
		if pad[i] > ks[i]-1 || o.OutputPadding[i] >= max(stride[i], 1) || s[1+i] == 0 {
			return nil, graph.Errorf(x, "a transposed convolution of shape %v by a kernel of %d by %d can't take padding %d,%d and output padding %d,%d", s, ks[0], ks[1], pad[0], pad[1], o.OutputPadding[0], o.OutputPadding[1])
		}
	}
	z := &stuffed{stride: stride}
	wide := shape.Shape{s[0], 0, 0, s[3]}
	for i := range 2 {
		z.before[i] = ks[i] - 1 - pad[i]
		after := z.before[i] + o.OutputPadding[i]
		if o.Padding.Same { // in·stride positions come out
			after = s[1+i]*stride[i] + ks[i] - 1 - z.before[i] - ((s[1+i]-1)*stride[i] + 1)
		}
		wide[1+i] = z.before[i] + (s[1+i]-1)*stride[i] + 1 + max(after, 0)
	}
	z.unary = unary{computed{op: "stuff", dt: x.DType(), sh: wide}, graph.MaterializeSmall(x)}
	turned := reverse(reverse(k, 0), 1)
	end, err := e.hold(x.DType(), ks[3])
	if err != nil {
		return nil, err
	}
	return convolve(z, turned, Window{Size: [2]int{ks[0], ks[1]}}, 1, end)
}

// stuffed is x [N,H,W,C] with stride-1 zeros between its positions and zeros
// around them.
type stuffed struct {
	unary
	stride, before [2]int
}

func (*stuffed) Flops() int64 { return 0 }

func (z *stuffed) Memory(n int64) int64 {
	line := z.x.Shape().Product(2, 4)
	return (line+2*z.sh.Product(2, 4))*z.size() + graph.MemoryOf(z.x, line)
}

func (z *stuffed) Tiling() graph.Tiling { return graph.Tiling{Unit: z.sh.Product(2, 4)} }

func (z *stuffed) Read(ctx context.Context, dst []byte, off int64) error {
	s := z.x.Shape()
	line, wide := s.Product(2, 4), z.sh.Product(2, 4)
	return wholeRows(dst, off, wide, z.size(), func(dst []byte, row, n int64) error {
		clear(dst)
		src := graph.GetBuffer(line * z.size())
		defer graph.PutBuffer(src)
		for i := range n {
			image, y := (row+i)/int64(z.sh[1]), int((row+i)%int64(z.sh[1]))-z.before[0]
			if y < 0 || y%z.stride[0] != 0 || y/z.stride[0] >= s[1] {
				continue
			}
			if err := z.x.Read(ctx, src, (image*int64(s[1])+int64(y/z.stride[0]))*line); err != nil {
				return err
			}
			pixel := s[3] * int(z.size())
			kernel.CopyRows(dst[i*wide*z.size()+int64(z.before[1]*pixel):], z.stride[1]*pixel, src, pixel, pixel, s[2])
		}
		return nil
	})
}

// Part is part i of x cut into n equal parts along its first axis.
func Part(x graph.Array, i, n int) (graph.Array, error) {
	s := x.Shape()
	if len(s) == 0 || s[0]%n != 0 {
		return nil, graph.Errorf(x, "shape %v doesn't split into %d parts along its first axis", s, n)
	}
	return rowsOf(x, i*(s[0]/n), s[0]/n), nil
}

// Rows is n rows of x, along its first axis, from row first on.
func Rows(x graph.Array, first, n int) (graph.Array, error) {
	if s := x.Shape(); len(s) == 0 || first < 0 || n < 0 || first+n > s[0] {
		return nil, graph.Errorf(x, "shape %v has no rows %d to %d", s, first, first+n-1)
	}
	return rowsOf(x, first, n), nil
}

// rowsOf is Rows for rows known to be there.
func rowsOf(x graph.Array, first, n int) graph.Array {
	s := x.Shape().Clone()
	s[0] = n
	return &part{unary{computed{op: "slice", dt: x.DType(), sh: s}, x}, int64(first) * s.Product(1, len(s))}
}

// part is a run of another array's elements under a shape.
type part struct {
	unary
	from int64
}

func (*part) Flops() int64 { return 0 }

func (p *part) Memory(n int64) int64 { return graph.MemoryOf(p.x, n) }
func (p *part) Read(ctx context.Context, dst []byte, off int64) error {
	return p.x.Read(ctx, dst, p.from+off)
}

// reverse turns x around along an axis, as numpy.flip: a join of its parts.
func reverse(x graph.Array, axis int) graph.Array {
	n := len(x.Shape())
	perm := append([]int{axis}, shape.MoveToLast(axis, n)[:n-1]...)
	front := transpose(x, perm)
	parts := make([]graph.Array, 0, front.Shape()[0])
	for i := front.Shape()[0] - 1; i >= 0; i-- {
		parts = append(parts, rowsOf(front, i, 1))
	}
	out, err := Concat(parts, 0)
	if err != nil {
		panic(err) // parts of one array fit one another
	}
	return transpose(out, shape.Inverse(perm))
}
