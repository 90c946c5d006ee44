package ops

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/shape"
)

// spatialCase is a window over a map of 1, 2 or 3 spatial axes.
type spatialCase struct {
	size                   []int // of the map
	window                 Window
	channels, out, groups  int
	outputPadding, resized []int
}

var spatialCases = []spatialCase{
	{size: []int{37}, window: Window{Size: []int{5}, Stride: []int{2}, Padding: Padding{Each: [][2]int{{3, 1}}}}, channels: 6, out: 20, groups: 1, resized: []int{50}},
	{size: []int{300}, window: Window{Size: []int{3}, Dilation: []int{4}, Padding: Padding{Same: true}}, channels: 4, out: 4, groups: 4, resized: []int{111}},
	{size: []int{8, 11}, window: Window{Size: []int{4, 3}, Stride: []int{1, 2}, Padding: Padding{Same: true, Lower: true}}, channels: 3, out: 4, groups: 1, resized: []int{4, 30}},
	{size: []int{9, 21}, window: Window{Size: []int{3, 2}, Stride: []int{1, 3}, Dilation: []int{2, 1}, Padding: Padding{Each: [][2]int{{0, 2}, {1, 0}}}}, channels: 6, out: 34, groups: 2, resized: []int{14, 13}},
	{size: []int{5, 6, 7}, window: Window{Size: []int{3}, Padding: Pad(1)}, channels: 5, out: 18, groups: 1, resized: []int{8, 3, 11}},
	{size: []int{6, 5, 20}, window: Window{Size: []int{2, 3, 1}, Stride: []int{2, 1, 1}, Padding: Padding{Same: true}}, channels: 4, out: 36, groups: 2, resized: []int{6, 10, 9}},
	{size: []int{7, 4, 5}, window: Window{Size: []int{3, 1, 2}, Stride: []int{1, 2, 3}, Dilation: []int{3, 1, 2}, Padding: Pad(2, 0, 1)}, channels: 4, out: 8, groups: 4, resized: []int{3, 9, 5}},
	// Few channels a group, whose lines are summed: more rows than go at once, strides, taps that lie outside.
	{size: []int{40, 60}, window: Window{Size: []int{3}, Padding: Padding{Same: true}}, channels: 3, out: 3, groups: 3, resized: []int{7, 8}},
	{size: []int{13, 17}, window: Window{Size: []int{5, 3}, Stride: []int{2, 3}, Padding: Padding{Same: true}}, channels: 4, out: 8, groups: 4, resized: []int{7, 8}},
	{size: []int{3, 6, 5}, window: Window{Size: []int{3}, Dilation: []int{1, 2, 1}, Padding: Padding{Each: [][2]int{{4, 0}, {3, 2}, {0, 1}}}}, channels: 2, out: 2, groups: 1, resized: []int{2, 2, 2}},
	// Windows of one tap along x, whose result is wider than the map or has more lines.
	{size: []int{20}, window: Window{Size: []int{1}, Padding: Padding{Each: [][2]int{{2, 1}}}}, channels: 3, out: 17, groups: 1, resized: []int{7}},
	{size: []int{1, 20}, window: Window{Size: []int{3, 1}, Padding: Pad(2, 0)}, channels: 3, out: 17, groups: 1, resized: []int{2, 7}},
	{size: []int{2, 3, 4}, window: Window{Size: []int{2, 2, 2}, Stride: []int{2}}, channels: 3, out: 17, groups: 1, resized: []int{1, 1, 1}},
}

// eachSpatial runs f for every case and layout. x is [N,...,C]; as gives an array
// of that form in the layout, and back gives one of the layout in that form.
func eachSpatial(t *testing.T, f func(t *testing.T, c spatialCase, l shape.Layout, x *graphtest.Mem, as, back func(graph.Array) graph.Array)) {
	for _, c := range spatialCases {
		n := len(c.size)
		x := graphtest.Randn(11, append(append(shape.Shape{2}, c.size...), c.channels)...)
		last := shape.MoveToLast(1, n+2)
		move := func(perm []int) func(graph.Array) graph.Array {
			return func(x graph.Array) graph.Array { return graphtest.Must(Transpose(x, perm)) }
		}
		same := func(x graph.Array) graph.Array { return x }
		t.Run(fmt.Sprintf("%v by %v/nhwc", c.size, c.window.Size), func(t *testing.T) { f(t, c, shape.NHWC, x, same, same) })
		t.Run(fmt.Sprintf("%v by %v/nchw", c.size, c.window.Size), func(t *testing.T) {
			f(t, c, shape.NCHW, x, move(shape.Inverse(last)), move(last))
		})
	}
}

// surrounded is the positions before and those of the result along axis i, by the
// definitions of tf.nn.convolution and torch.nn.functional.
func (c spatialCase) surrounded(i int) (before, out int) {
	in, stride := c.size[i], pick(c.window.Stride, i, 1)
	reach := (pick(c.window.Size, i, 1)-1)*pick(c.window.Dilation, i, 1) + 1
	switch p := c.window.Padding; {
	case p.Same:
		out = (in + stride - 1) / stride
		around := max((out-1)*stride+reach-in, 0)
		if p.Lower {
			return around - around/2, out
		}
		return around / 2, out
	}
	pad := pick(c.window.Padding.Each, i, [2]int{})
	return pad[0], (in+pad[0]+pad[1]-reach)/stride + 1
}

// outSize is the result's extents.
func (c spatialCase) outSize() shape.Shape {
	var out shape.Shape
	for i := range c.size {
		_, n := c.surrounded(i)
		out = append(out, n)
	}
	return out
}

// kernelSize is the window's extents.
func (c spatialCase) kernelSize() shape.Shape {
	var out shape.Shape
	for i := range c.size {
		out = append(out, pick(c.window.Size, i, 1))
	}
	return out
}

// eachTap calls f for the taps of the window at a position of the result that lie
// inside the map.
func (c spatialCase) eachTap(at []int, f func(tap, from []int)) {
	graphtest.Indices(c.kernelSize(), func(tap []int) {
		from := make([]int, len(tap))
		for i := range tap {
			before, _ := c.surrounded(i)
			from[i] = at[i]*pick(c.window.Stride, i, 1) - before + tap[i]*pick(c.window.Dilation, i, 1)
			if from[i] < 0 || from[i] >= c.size[i] {
				return
			}
		}
		f(tap, from)
	})
}

// at is element [n, pos..., ch] of x.
func at(x *graphtest.Mem, v []float64, n int, pos []int, ch int) float64 {
	return v[graphtest.FlatIndex(x.Dims, append(append([]int{n}, pos...), ch))]
}

func TestConvIsItsDefinition(t *testing.T) {
	eachSpatial(t, func(t *testing.T, c spatialCase, l shape.Layout, x *graphtest.Mem, as, back func(graph.Array) graph.Array) {
		n, cn := len(c.size), c.channels/c.groups
		k, b := graphtest.Randn(12, append(c.kernelSize(), cn, c.out)...), graphtest.Randn(13, c.out)
		xv, kv, bv := values(x), values(k), values(b)
		outs := c.outSize()
		var want []float64
		graphtest.Indices(append(append(shape.Shape{2}, outs...), c.out), func(i []int) {
			o := i[n+1]
			sum := bv[o]
			c.eachTap(i[1:n+1], func(tap, from []int) {
				for ch := range cn {
					sum += at(x, xv, i[0], from, o/(c.out/c.groups)*cn+ch) * kv[graphtest.FlatIndex(k.Dims, append(slices.Clone(tap), ch, o))]
				}
			})
			want = append(want, sum)
		})
		o := ConvOptions{Stride: c.window.Stride, Dilation: c.window.Dilation, Padding: c.window.Padding, Groups: c.groups, Layout: l}
		for _, layout := range []WeightLayout{Keras, Torch} {
			var w graph.Array = k
			if layout == Torch {
				w = graphtest.Must(Transpose(k, channelsFirst(kernelOrder(Keras, false, n))))
			}
			for name, of := range map[string]func() graph.Array{
				"of a file":          func() graph.Array { return as(x) },
				"of what's computed": func() graph.Array { return graphtest.Must(Mul([]graph.Array{as(x)}, MulOptions{})) },
			} {
				t.Run(fmt.Sprintf("%s/%s", layout, name), func(t *testing.T) {
					build := func() graph.Array {
						return back(graphtest.Must(Conv(of(), Weights{Kernel: w, Bias: b, Layout: layout}, o)))
					}
					// A few dozen products of float32 are summed; 1e-5 is some 80 roundings.
					within(t, floats(build(), graphtest.Result(t, build)), want, 1e-5)
				})
			}
		}
	})
}

// transposedCase is a transposed convolution of a map, and the extents of its
// result by Keras's or PyTorch's formula.
type transposedCase struct {
	spatialCase
	outputSize []int
	outs       shape.Shape
}

var transposedCases = []transposedCase{
	{spatialCase{size: []int{37}, window: Window{Size: []int{5}, Stride: []int{2}, Padding: Padding{Each: [][2]int{{3, 1}}}}, channels: 6, out: 20, groups: 1, outputPadding: []int{1}}, nil, shape.Shape{74}},
	// The kernel stays within its own stride; positions are left out, or added.
	{spatialCase{size: []int{19}, window: Window{Size: []int{2}, Stride: []int{3}}, channels: 4, out: 6, groups: 2}, nil, shape.Shape{56}},
	{spatialCase{size: []int{19}, window: Window{Size: []int{3}, Stride: []int{3}, Padding: Padding{Same: true}}, channels: 4, out: 6, groups: 1}, nil, shape.Shape{57}},
	{spatialCase{size: []int{19}, window: Window{Size: []int{1}, Stride: []int{3}, Padding: Padding{Same: true}}, channels: 4, out: 3, groups: 1}, nil, shape.Shape{57}},
	// More phases than positions of the result, and so many that zeros are put between positions instead.
	{spatialCase{size: []int{1}, window: Window{Size: []int{9}, Stride: []int{8}, Padding: Pad(3)}, channels: 2, out: 3, groups: 1}, nil, shape.Shape{3}},
	{spatialCase{size: []int{3, 4}, window: Window{Size: []int{8, 7}, Stride: []int{6, 5}, Padding: Padding{Each: [][2]int{{2, 1}, {9, 0}}}}, channels: 4, out: 6, groups: 2}, nil, shape.Shape{17, 13}},
	{spatialCase{size: []int{2, 3, 2}, window: Window{Size: []int{3, 2, 5}, Stride: []int{4, 3, 3}, Padding: Padding{Same: true}}, channels: 3, out: 2, groups: 1}, nil, shape.Shape{8, 9, 6}},
	// More padding than the kernel reaches over, on one side alone.
	{spatialCase{size: []int{12}, window: Window{Size: []int{3}, Padding: Padding{Each: [][2]int{{5, 0}}}}, channels: 3, out: 17, groups: 1}, nil, shape.Shape{9}},
	{spatialCase{size: []int{12, 9}, window: Window{Size: []int{3, 1}, Stride: []int{2, 1}, Padding: Padding{Each: [][2]int{{1, 7}, {0, 4}}}}, channels: 3, out: 5, groups: 1}, nil, shape.Shape{17, 5}},
	{spatialCase{size: []int{4, 20}, window: Window{Size: []int{1}, Padding: Padding{Each: [][2]int{{1, 0}, {2, 0}}}}, channels: 3, out: 2, groups: 1}, nil, shape.Shape{3, 18}},
	{spatialCase{size: []int{300}, window: Window{Size: []int{3}, Dilation: []int{4}, Padding: Padding{Same: true}}, channels: 4, out: 4, groups: 4}, nil, shape.Shape{300}},
	// Keras's same padding with output padding, TensorFlow's with a size, ONNX's SAME_LOWER.
	{spatialCase{size: []int{9, 7}, window: Window{Size: []int{3, 4}, Stride: []int{2, 3}, Padding: Padding{Same: true}}, channels: 6, out: 4, groups: 2, outputPadding: []int{0, 1}}, nil, shape.Shape{17, 19}},
	{spatialCase{size: []int{9, 7}, window: Window{Size: []int{4}, Stride: []int{2, 3}, Padding: Padding{Same: true}}, channels: 6, out: 5, groups: 1}, []int{17, 20}, shape.Shape{17, 20}},
	{spatialCase{size: []int{9, 7}, window: Window{Size: []int{3, 4}, Stride: []int{2, 1}, Padding: Padding{Same: true, Lower: true}}, channels: 6, out: 5, groups: 1}, nil, shape.Shape{18, 7}},
	// PyTorch's padding, dilation, groups and output padding or size.
	{spatialCase{size: []int{9, 21}, window: Window{Size: []int{3, 2}, Stride: []int{1, 3}, Dilation: []int{2, 4}, Padding: Padding{Each: [][2]int{{0, 2}, {1, 0}}}}, channels: 6, out: 34, groups: 2, outputPadding: []int{1, 2}}, nil, shape.Shape{12, 66}},
	{spatialCase{size: []int{6, 5}, window: Window{Size: []int{3}, Stride: []int{2}, Padding: Pad(1)}, channels: 3, out: 4, groups: 1}, []int{12, 9}, shape.Shape{12, 9}},
	{spatialCase{size: []int{5, 6, 7}, window: Window{Size: []int{3}, Padding: Pad(1)}, channels: 5, out: 18, groups: 1}, nil, shape.Shape{5, 6, 7}},
	{spatialCase{size: []int{7, 4, 5}, window: Window{Size: []int{3, 1, 2}, Stride: []int{1, 2, 3}, Dilation: []int{3, 1, 2}, Padding: Pad(2, 0, 1)}, channels: 4, out: 8, groups: 4, outputPadding: []int{0, 1, 2}}, nil, shape.Shape{9, 8, 15}},
	{spatialCase{size: []int{2, 3, 4}, window: Window{Size: []int{2, 3, 2}, Stride: []int{2, 3, 2}}, channels: 3, out: 17, groups: 1}, nil, shape.Shape{4, 9, 8}},
	{spatialCase{size: []int{2, 3, 4}, window: Window{Size: []int{3}, Stride: []int{2, 1, 2}, Padding: Padding{Same: true}}, channels: 4, out: 40, groups: 2}, nil, shape.Shape{4, 3, 8}},
}

// The transposed convolution is the gradient of the convolution that makes a map of
// x's extents of one of the result's: each position of x adds the kernel, times its
// channels, to the positions under the window that gives it.
func TestTransposedConvIsItsDefinition(t *testing.T) {
	for _, c := range transposedCases {
		n, cn, per := len(c.size), c.channels/c.groups, c.out/c.groups
		down := c.spatialCase
		down.size = c.outs
		for i, in := range c.size {
			wider := pick(c.outputPadding, i, 0) / pick(c.window.Stride, i, 1) // as PyTorch allows by the dilation
			if _, out := down.surrounded(i); out != in+wider {
				t.Errorf("%+v: a convolution gives %d of %d positions, want %d", c, out, c.outs[i], in)
			}
		}
		x := graphtest.Randn(11, append(append(shape.Shape{2}, c.size...), c.channels)...)
		k, b := graphtest.Randn(14, append(c.kernelSize(), per, c.channels)...), graphtest.Randn(15, c.out)
		xv, kv, bv := values(x), values(k), values(b)
		outs := append(append(shape.Shape{2}, c.outs...), c.out)
		want := make([]float64, outs.Len())
		graphtest.Indices(outs, func(i []int) { want[graphtest.FlatIndex(outs, i)] = bv[i[n+1]] })
		graphtest.Indices(x.Dims[:n+1], func(i []int) {
			down.eachTap(i[1:], func(tap, to []int) {
				for ch := range c.channels {
					for o := range per {
						want[graphtest.FlatIndex(outs, append(append([]int{i[0]}, to...), ch/cn*per+o))] += at(x, xv, i[0], i[1:], ch) * kv[graphtest.FlatIndex(k.Dims, append(slices.Clone(tap), o, ch))]
					}
				}
			})
		})
		for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
			o := ConvOptions{
				Stride: c.window.Stride, Dilation: c.window.Dilation, Padding: c.window.Padding, Groups: c.groups, Transposed: true,
				OutputPadding: c.outputPadding, OutputSize: c.outputSize, Layout: l,
			}
			t.Run(fmt.Sprintf("%v by %v in %d groups/%s", c.size, c.window.Size, c.groups, l), func(t *testing.T) {
				build := func() graph.Array {
					if l == shape.NHWC {
						return graphtest.Must(Conv(x, Weights{Kernel: k, Bias: b, Layout: Keras}, o))
					}
					// PyTorch's kernels are [in,out/groups,k...]: the axes of Keras's with the channels in front.
					torch := graphtest.Must(Transpose(k, append([]int{n + 1, n}, shape.MoveToLast(n, n+2)[:n]...)))
					last := shape.MoveToLast(1, n+2)
					y := graphtest.Must(Conv(graphtest.Must(Transpose(x, shape.Inverse(last))), Weights{Kernel: torch, Bias: b, Layout: Torch}, o))
					return graphtest.Must(Transpose(y, last))
				}
				if got := build().Shape(); !got.Equal(outs) {
					t.Fatalf("shape %v, want %v", got, outs)
				}
				within(t, floats(build(), graphtest.Result(t, build)), want, 1e-5) // as above
			})
		}
	}
}

// An infinity reaches the positions that the kernel adds it to, and no other.
func TestTransposedConvKeepsInfinitiesApart(t *testing.T) {
	inf := float32(math.Inf(1))
	x := graphtest.ArrayOf("x.npy", graphtest.Randn(1, 1).Type, shape.Shape{1, 5, 1}, []float32{1, 1, inf, 1, 1})
	k := graphtest.ArrayOf("k.npy", x.Type, shape.Shape{3, 1, 1}, []float32{1, 1, 1})
	build := func() graph.Array {
		return graphtest.Must(Conv(x, Weights{Kernel: k, Layout: Keras}, ConvOptions{Stride: []int{2}, Transposed: true, Layout: shape.NHWC}))
	}
	for i, v := range floats(build(), graphtest.Result(t, build)) {
		if math.IsInf(v, 1) != (4 <= i && i <= 6) || math.IsNaN(v) {
			t.Errorf("position %d: got %v; want the infinity at 4 to 6 alone", i, v)
		}
	}
}

// A causal window ends with its own position: it is one with that much padding before.
func TestCausalConvLooksBack(t *testing.T) {
	x, k := graphtest.Randn(1, 2, 40, 3), graphtest.Randn(2, 4, 3, 5)
	o := ConvOptions{Dilation: []int{3}, Layout: shape.NHWC}
	padded := o
	padded.Padding.Each = [][2]int{{9, 0}}
	want := graphtest.Must(Conv(x, Weights{Kernel: k, Layout: Keras}, padded))
	o.Causal = true
	build := func() graph.Array { return graphtest.Must(Conv(x, Weights{Kernel: k, Layout: Keras}, o)) }
	if got := build().Shape(); !got.Equal(shape.Shape{2, 40, 5}) {
		t.Fatalf("shape %v, want as many positions as before", got)
	}
	within(t, floats(build(), graphtest.Result(t, build)), floats(want, graphtest.WriteAt(t, want, graph.Options{})), 0) // the same sums
}

// A kernel of Keras's DepthwiseConv2D is [k...,C,m]: output channel c·m+i is input
// channel c under kernel [k...,c,i].
func TestDepthwiseKernelsOfKeras(t *testing.T) {
	eachSpatial(t, func(t *testing.T, c spatialCase, l shape.Layout, x *graphtest.Mem, as, back func(graph.Array) graph.Array) {
		const m = 3
		n := len(c.size)
		k, b := graphtest.Randn(12, append(c.kernelSize(), c.channels, m)...), graphtest.Randn(13, c.channels*m)
		xv, kv, bv := values(x), values(k), values(b)
		var want []float64
		graphtest.Indices(append(append(shape.Shape{2}, c.outSize()...), c.channels*m), func(i []int) {
			ch, sum := i[n+1]/m, bv[i[n+1]]
			c.eachTap(i[1:n+1], func(tap, from []int) {
				sum += at(x, xv, i[0], from, ch) * kv[graphtest.FlatIndex(k.Dims, append(slices.Clone(tap), ch, i[n+1]%m))]
			})
			want = append(want, max(sum, 0))
		})
		build := func() graph.Array {
			o := ConvOptions{Stride: c.window.Stride, Dilation: c.window.Dilation, Padding: c.window.Padding, Groups: c.channels, Activation: "relu", Layout: l}
			return back(graphtest.Must(Conv(as(x), Weights{Kernel: k, Bias: b, Layout: Keras}, o)))
		}
		within(t, floats(build(), graphtest.Result(t, build)), want, 2e-6) // up to 27 products: by chance some 5 roundings
	})
}

func TestPoolIsItsDefinition(t *testing.T) {
	eachSpatial(t, func(t *testing.T, c spatialCase, l shape.Layout, x *graphtest.Mem, as, back func(graph.Array) graph.Array) {
		xv := values(x)
		n := len(c.size)
		for i := range n {
			if p := pick(c.window.Padding.Each, i, [2]int{}); max(p[0], p[1]) >= c.kernelSize()[i] {
				c.window.Padding = Padding{}
			}
		}
		whole := float64(c.kernelSize().Len())
		var most, mean, counted []float64
		graphtest.Indices(append(append(shape.Shape{2}, c.outSize()...), c.channels), func(i []int) {
			top, sum, taps := math.Inf(-1), 0.0, 0.0
			c.eachTap(i[1:n+1], func(_, from []int) {
				v := at(x, xv, i[0], from, i[n+1])
				top, sum, taps = max(top, v), sum+v, taps+1
			})
			most, mean, counted = append(most, top), append(mean, sum/taps), append(counted, sum/whole)
		})
		for _, p := range []struct {
			name, mode string
			count      bool
			want       []float64
			tolerance  float64
		}{
			{"max", "max", false, most, 0},                                                                    // it chooses one
			{"average", "average", false, mean, 1e-7}, {"average of padding", "average", true, counted, 1e-7}, // summed in float64, rounded once
		} {
			t.Run(p.name, func(t *testing.T) {
				build := func() graph.Array {
					return back(graphtest.Must(Pool(as(x), p.mode, PoolOptions{Window: c.window, CountPadding: p.count, Layout: l})))
				}
				within(t, floats(build(), graphtest.Result(t, build)), p.want, p.tolerance)
			})
		}
	})
}

// A map is resized along one axis after the other, so a map of three axes is one
// of two followed by one of one.
func TestResizeIsSeparable(t *testing.T) {
	eachSpatial(t, func(t *testing.T, c spatialCase, l shape.Layout, x *graphtest.Mem, as, back func(graph.Array) graph.Array) {
		n := len(c.size)
		for _, c2 := range []struct {
			o         ResizeOptions
			tolerance float64
		}{
			// Each axis blends with a rounding or two a product, cubic with weights beyond 1;
			// the others choose, or are summed in float64.
			{ResizeOptions{Mode: "linear"}, 1e-6}, {ResizeOptions{Mode: "cubic"}, 2e-6}, {ResizeOptions{Mode: "nearest"}, 0}, {ResizeOptions{Mode: "nearest-exact"}, 0},
			{ResizeOptions{Mode: "area"}, 1e-7}, {ResizeOptions{Mode: "linear", Antialias: true}, 3e-7}, {ResizeOptions{Mode: "cubic", Antialias: true}, 3e-7},
			{ResizeOptions{Mode: "cubic", Antialias: true, CubicCoeff: -0.75}, 3e-7},
		} {
			o := c2.o
			t.Run(fmt.Sprintf("%s/%v/%v", o.Mode, o.Antialias, o.CubicCoeff), func(t *testing.T) {
				v, s := values(x), x.Dims.Clone()
				for axis := n; axis >= 1; axis-- { // the innermost first
					to := s.Clone()
					to[axis] = c.resized[axis-1]
					var next []float64
					graphtest.Indices(to, func(i []int) {
						next = append(next, resizedAt(v, s, i, axis, to[axis], o))
					})
					v, s = next, to
				}
				o.Layout = l
				build := func() graph.Array { return back(graphtest.Must(Resize(as(x), c.resized, o))) }
				within(t, floats(build(), graphtest.Result(t, build)), v, c2.tolerance)
			})
		}
	})
}

// resizedAt is an element of v, of shape s, resized along one axis to out.
func resizedAt(v []float64, s shape.Shape, at []int, axis, out int, o ResizeOptions) float64 {
	in := s[axis]
	from := func(p int) float64 {
		i := slices.Clone(at)
		i[axis] = min(max(p, 0), in-1)
		return v[graphtest.FlatIndex(s, i)]
	}
	p := (float64(at[axis])+0.5)*float64(in)/float64(out) - 0.5
	lo := int(math.Floor(p))
	f := p - float64(lo)
	keys := func(a, d float64) float64 { // Keys 1981
		switch d = math.Abs(d); {
		case d <= 1:
			return (a+2)*d*d*d - (a+3)*d*d + 1
		case d < 2:
			return a*d*d*d - 5*a*d*d + 8*a*d - 4*a
		}
		return 0
	}
	sum, weights := 0.0, 0.0
	switch {
	case o.Mode == "nearest":
		return from(at[axis] * in / out)
	case o.Mode == "nearest-exact":
		return from(int(math.Floor(p + 0.5)))
	case o.Mode == "area":
		bin := binAxis(in, out).from[at[axis]]
		for _, i := range bin {
			sum += from(i) / float64(len(bin))
		}
		return sum
	case o.Antialias: // over all positions: the kernel says which count
		shrink := max(float64(in)/float64(out), 1)
		for i := range in {
			d := (float64(i) - p) / shrink
			w := max(1-math.Abs(d), 0)
			if o.Mode == "cubic" {
				w = keys(cmp.Or(o.CubicCoeff, -0.5), d)
			}
			sum, weights = sum+w*from(i), weights+w
		}
		return sum / weights
	case o.Mode == "linear":
		return from(lo)*(1-f) + from(lo+1)*f
	}
	for k := -1; k <= 2; k++ {
		sum += from(lo+k) * keys(-0.75, f-float64(k))
	}
	return sum
}

// An absent axis isn't blended with itself, which would make NaN of an infinity.
func TestAbsentAxesKeepInfinities(t *testing.T) {
	inf := float32(math.Inf(1))
	x := graphtest.ArrayOf("x.npy", graphtest.Randn(1, 1).Type, shape.Shape{1, 6, 1}, []float32{1, 1, 1, inf, 1, 1})
	for _, mode := range []string{"linear", "cubic"} {
		build := func() graph.Array {
			return graphtest.Must(Resize(x, []int{5}, ResizeOptions{Mode: mode, Layout: shape.NHWC}))
		}
		// Position 2 lies halfway between 2 and 3, of which both have a weight above 0.
		if got := floats(build(), graphtest.Result(t, build))[2]; !math.IsInf(got, 1) {
			t.Errorf("%s: got %v, want the infinity", mode, got)
		}
	}
}

func TestAlignOfAnyRank(t *testing.T) {
	for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
		for _, sizes := range [][2][]int{{{9}, {4}}, {{5, 8, 3}, {4, 3, 6}}} {
			n := len(sizes[0])
			of := func(seed uint64, size []int) *graphtest.Mem {
				s := append(append(shape.Shape{2}, size...), 3)
				if l == shape.NCHW {
					s = append(shape.Shape{2, 3}, size...)
				}
				return graphtest.Randn(seed, s...)
			}
			xs := []*graphtest.Mem{of(1, sizes[0]), of(2, sizes[1])}
			// Where the smaller of two extents that differ by d begins in the larger one.
			places := map[string]func(d int) int{
				"":       func(d int) int { return d / 2 },
				"centre": func(d int) int { return d / 2 },
				"start":  func(int) int { return 0 },
				"end":    func(d int) int { return d },
			}
			for place, begins := range places {
				for _, how := range []string{"crop", "pad"} {
					for i, x := range xs {
						t.Run(fmt.Sprintf("%s/%s/%s/%v", l, how, place, x.Dims), func(t *testing.T) {
							build := func() graph.Array {
								ys, err := Align([]graph.Array{xs[0], xs[1]}, how, place, ResizeOptions{Layout: l})
								return graphtest.Must(ys[i], err)
							}
							v, to := values(x), build().Shape()
							axes := l.Like(n, true).Spatial()
							var want []float64
							graphtest.Indices(to, func(at []int) {
								from := slices.Clone(at)
								for _, a := range axes {
									if d := x.Dims[a] - to[a]; d >= 0 {
										from[a] += begins(d)
									} else {
										from[a] -= begins(-d)
									}
									if from[a] < 0 || from[a] >= x.Dims[a] {
										want = append(want, 0)
										return
									}
								}
								want = append(want, v[graphtest.FlatIndex(x.Dims, from)])
							})
							within(t, floats(build(), graphtest.Result(t, build)), want, 0)
						})
					}
				}
			}
		}
	}
}
