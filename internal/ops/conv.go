package ops

import (
	"context"
	"strconv"
	"strings"

	"fusectl/internal/dtype"
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
func Conv(x Array, w Weights, o ConvOptions) (Array, error) {
	if len(x.Shape()) != 4 {
		return nil, errorf(x, "shape %v: a convolution takes a feature map of 4 dimensions, %s", x.Shape(), o.Layout)
	}
	if w.Kernel == nil {
		return nil, &Error{Msg: "a convolution needs a kernel"}
	}
	if len(w.Kernel.Shape()) != 4 {
		return nil, errorf(w.Kernel, "shape %v: want a kernel of 4 dimensions, %s", w.Kernel.Shape(), kernelAxes(w.Layout, o.Transposed))
	}
	work, t, err := floatWork("a convolution", x, w)
	if err != nil {
		return nil, err
	}
	out, err := conv(work, w, o)
	if err != nil {
		return nil, err
	}
	return finish(out, o.Activation, t, o.Layout)
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

// conv is Conv in x's dtype, which is float32 or float64, unrounded.
func conv(x Array, w Weights, o ConvOptions) (Array, error) {
	// The kernel as [h, w, out, in], whichever way round it came: in is what
	// it sums over.
	perm := []int{0, 1, 3, 2}
	switch {
	case w.Layout == Torch && o.Transposed:
		perm = []int{2, 3, 1, 0}
	case w.Layout == Torch:
		perm = []int{2, 3, 0, 1}
	case o.Transposed:
		perm = []int{0, 1, 2, 3}
	}
	k := transpose(cast(w.Kernel, x.DType()), perm)
	axis := o.Layout.Channel(4)
	groups := max(o.Groups, 1)
	ks, channels := k.Shape(), x.Shape()[axis]
	switch {
	case ks[3]*groups != channels:
		want := strings.NewReplacer("h", strconv.Itoa(ks[0]), "w", strconv.Itoa(ks[1])).Replace(kernelAxes(w.Layout, o.Transposed))
		e := errorf(w.Kernel, "kernel of shape %v takes %d channels in %d groups: want %s, in being the %d channels of %s, whose shape is %v", w.Kernel.Shape(), ks[3]*groups, groups, want, channels, NameOf(x), x.Shape())
		return nil, e.hint("kernels are read as %s; --weight-layout says otherwise", kernelAxes(w.Layout, o.Transposed))
	case ks[2]%groups != 0:
		return nil, errorf(w.Kernel, "%d output channels don't split into %d groups", ks[2], groups)
	case o.Transposed && (groups > 1 || max(o.Dilation[0], o.Dilation[1]) > 1):
		return nil, &Error{Msg: "a transposed convolution takes no groups and no dilation"}
	}
	var failed error
	out := onLast(x, axis, func(x Array) Array {
		var y Array
		if o.Transposed {
			y, failed = convTransposed(x, k, o)
		} else {
			win := Window{[2]int{ks[0], ks[1]}, o.Stride, o.Dilation, o.Padding}
			y, failed = convolve(x, transpose(k, []int{2, 0, 1, 3}), win, groups)
		}
		if failed != nil {
			return x
		}
		return y
	})
	if failed != nil {
		return nil, failed
	}
	return addBias(out, w.Bias, axis)
}

// convolve is the convolution of x [N,H,W,C] with kernels [out,h,w,C/groups].
func convolve(x, k Array, win Window, groups int) (Array, error) {
	ks := k.Shape()
	flat := Hold(reshape(k, shape.Shape{ks[0], int(ks.Product(1, 4))}))
	if ks[1] == 1 && ks[2] == 1 && groups == 1 && win.plain() {
		return multiplyRows(x, flat), nil
	}
	x = holdSmall(x) // rows of it are read for each row of the kernel
	on, err := win.over(x)
	if err != nil {
		return nil, err
	}
	out := shape.Shape{x.Shape()[0], on.y.out, on.x.out, ks[0]}
	if _, err := out.Check(x.DType().Size()); err != nil {
		return nil, errorf(x, "the result is too large: %v", err)
	}
	return &convolved{computed{op: "conv", dt: x.DType(), sh: out, in: []Array{x, flat}}, on, groups, ks[3]}, nil
}

// convolved is a convolution of input 0 [N,H,W,C] with input 1, a held matrix
// [out, h·w·C/groups]. The patches under the window are laid out for a block of
// positions at a time and multiplied by it.
type convolved struct {
	computed
	windows
	groups, cn int // cn: channels of a group
}

const convBlock = 64 // positions whose patches are laid out at once

func (c *convolved) patch() int64 { return int64(c.y.size * c.x.size * c.cn) }
func (c *convolved) out() int64   { return int64(c.sh[3]) }

func (c *convolved) Flops() int64 { return 2 * c.patch() * c.sh.Len() }

// Tiling takes more rows where those of the input are computed, since tiles
// next to each other both compute the rows between them.
func (c *convolved) Tiling() Tiling {
	return Tiling{Unit: c.out(), Size: c.windows.worth(c.in[0], convBlock) * c.out()}
}

func (c *convolved) Memory(n int64) int64 {
	read := c.covered(n / max(c.out(), 1))
	return (read+convBlock*c.patch()+wholeRowsMemory(n, c.out()))*c.size() + memoryOf(c.in[0], read)
}

func (c *convolved) Read(ctx context.Context, dst []byte, off int64) error {
	row := c.out()
	return wholeRows(&c.scratch, dst, off, row, c.size(), func(dst []byte, first, n int64) error {
		return c.images(first, n, func(image, first, n int64) error {
			part := dst[:n*row*c.size()]
			dst = dst[len(part):]
			src, lo, err := c.lines(ctx, &c.scratch, c.in[0], image, first, n)
			defer c.put(src)
			if err != nil {
				return err
			}
			if c.dt == dtype.Float32 {
				convolveLines[float32](c, part, src, lo, first, n)
			} else {
				convolveLines[float64](c, part, src, lo, first, n)
			}
			return ctx.Err()
		})
	})
}

// convolveLines computes n positions from number first on out of source lines.
func convolveLines[T kernel.Float](c *convolved, dst, src []byte, lo int, first, n int64) {
	k := c.patch()
	w := kernel.View[T](c.in[1].(*Held).data)
	out := kernel.View[T](dst)
	buf := c.get(convBlock * k * c.size())
	defer c.put(buf)
	per := int(c.out()) / c.groups
	for i := int64(0); i < n; i += convBlock {
		m := min(convBlock, n-i)
		for g := range c.groups {
			c.patches(buf[:m*k*c.size()], src, lo, first+i, m, g*c.cn)
			kernel.MatMul(out[i*c.out()+int64(g*per):], int(c.out()), kernel.View[T](buf), int(k), w[int64(g*per)*k:], int(k), int(m), per, int(k), 1, 0)
		}
	}
}

// patches fills dst with the patches of n positions from number first on, cn
// channels each from channel c0 on; what lies outside is zero.
func (c *convolved) patches(dst, src []byte, lo int, first, n int64, c0 int) {
	size := int(c.size())
	cell, pixel, skip := c.cn*size, c.ch*size, c0*size
	line := c.x.in * pixel
	for i := range n {
		oy, ox := c.at(first + i)
		for ky := range c.y.size {
			y := c.y.tap(oy, ky)
			taps := dst[:c.x.size*cell]
			dst = dst[c.x.size*cell:]
			x := c.x.tap(ox, 0)
			switch {
			case y < 0 || y >= c.y.in:
				clear(taps)
			case cell == pixel && c.x.dilation == 1 && x >= 0 && x+c.x.size <= c.x.in:
				copy(taps, src[(y-lo)*line+x*pixel:])
			default:
				for kx := range c.x.size {
					tap := taps[kx*cell : (kx+1)*cell]
					if at := c.x.tap(ox, kx); at < 0 || at >= c.x.in {
						clear(tap)
					} else {
						copy(tap, src[(y-lo)*line+at*pixel+skip:])
					}
				}
			}
		}
	}
}

// convTransposed is the transposed convolution of x [N,H,W,C] with kernels
// [h,w,out,C].
func convTransposed(x, k Array, o ConvOptions) (Array, error) {
	s, ks := x.Shape(), k.Shape()
	stride := [2]int{max(o.Stride[0], 1), max(o.Stride[1], 1)}
	if stride == [2]int{ks[0], ks[1]} && o.Padding == (Padding{}) && o.OutputPadding == [2]int{} {
		// Patches that don't overlap: each position becomes h·w·out numbers, which
		// only have to be put in place.
		y := multiplyRows(x, Hold(reshape(k, shape.Shape{int(ks.Product(0, 3)), ks[3]})))
		y = reshape(y, shape.Shape{s[0] * s[1], s[2], ks[0], ks[1] * ks[2]})
		y = transpose(y, []int{0, 2, 1, 3})
		return reshape(y, shape.Shape{s[0], s[1] * ks[0], s[2] * ks[1], ks[2]}), nil
	}
	// Zeros between positions, and the kernel turned around.
	pad := o.Padding.Each
	if o.Padding.Same {
		pad = [2]int{max(ks[0]-stride[0], 0) / 2, max(ks[1]-stride[1], 0) / 2}
	}
	for i := range 2 {
		if pad[i] > ks[i]-1 || o.OutputPadding[i] >= max(stride[i], 1) || s[1+i] == 0 {
			return nil, errorf(x, "a transposed convolution of shape %v by a kernel of %d by %d can't take padding %v and output padding %v", s, ks[0], ks[1], pad, o.OutputPadding)
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
	z.computed = computed{op: "stuff", dt: x.DType(), sh: wide, in: []Array{holdSmall(x)}}
	turned := reverse(reverse(k, 0), 1)
	return convolve(z, transpose(turned, []int{2, 0, 1, 3}), Window{Size: [2]int{ks[0], ks[1]}}, 1)
}

// stuffed is x [N,H,W,C] with stride-1 zeros between its positions and zeros
// around them.
type stuffed struct {
	computed
	stride, before [2]int
}

func (z *stuffed) Memory(n int64) int64 {
	line := z.in[0].Shape().Product(2, 4)
	return (line+2*z.sh.Product(2, 4))*z.size() + memoryOf(z.in[0], line)
}

func (z *stuffed) Tiling() Tiling { return Tiling{Unit: z.sh.Product(2, 4)} }

func (z *stuffed) Read(ctx context.Context, dst []byte, off int64) error {
	s := z.in[0].Shape()
	line, wide := s.Product(2, 4), z.sh.Product(2, 4)
	return wholeRows(&z.scratch, dst, off, wide, z.size(), func(dst []byte, row, n int64) error {
		clear(dst)
		src := z.get(line * z.size())
		defer z.put(src)
		for i := range n {
			image, y := (row+i)/int64(z.sh[1]), int((row+i)%int64(z.sh[1]))-z.before[0]
			if y < 0 || y%z.stride[0] != 0 || y/z.stride[0] >= s[1] {
				continue
			}
			if err := z.in[0].Read(ctx, src, (image*int64(s[1])+int64(y/z.stride[0]))*line); err != nil {
				return err
			}
			pixel := s[3] * int(z.size())
			kernel.CopyRows(dst[i*wide*z.size()+int64(z.before[1]*pixel):], z.stride[1]*pixel, src, pixel, pixel, s[2])
		}
		return nil
	})
}

// Part is part i of x cut into n equal parts along its first axis.
func Part(x Array, i, n int) (Array, error) {
	s := x.Shape()
	if len(s) == 0 || s[0]%n != 0 {
		return nil, errorf(x, "shape %v doesn't split into %d parts along its first axis", s, n)
	}
	return rowsOf(x, i*(s[0]/n), s[0]/n), nil
}

// Rows is n rows of x, along its first axis, from row first on.
func Rows(x Array, first, n int) (Array, error) {
	if s := x.Shape(); len(s) == 0 || first < 0 || n < 0 || first+n > s[0] {
		return nil, errorf(x, "shape %v has no rows %d to %d", s, first, first+n-1)
	}
	return rowsOf(x, first, n), nil
}

// rowsOf is Rows for rows known to be there.
func rowsOf(x Array, first, n int) Array {
	s := x.Shape().Clone()
	s[0] = n
	return &part{computed{op: "slice", dt: x.DType(), sh: s, in: []Array{x}}, int64(first) * s.Product(1, len(s))}
}

// part is a run of another array's elements under a shape.
type part struct {
	computed
	from int64
}

func (p *part) Memory(n int64) int64 { return memoryOf(p.in[0], n) }
func (p *part) Read(ctx context.Context, dst []byte, off int64) error {
	return p.in[0].Read(ctx, dst, p.from+off)
}

// reverse turns x around along an axis, as numpy.flip: a join of its parts.
func reverse(x Array, axis int) Array {
	n := len(x.Shape())
	perm := append([]int{axis}, shape.MoveToLast(axis, n)[:n-1]...)
	front := transpose(x, perm)
	parts := make([]Array, 0, front.Shape()[0])
	for i := front.Shape()[0] - 1; i >= 0; i-- {
		parts = append(parts, rowsOf(front, i, 1))
	}
	out, err := Concat(parts, 0)
	if err != nil {
		panic(err) // parts of one array fit one another
	}
	return transpose(out, shape.Inverse(perm))
}
