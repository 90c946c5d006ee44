package ops

import (
	"fmt"
	"math"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/shape"
)

// pooledAxis is the positions that are pooled along an axis, those of each position
// of the result, and how many of the window count besides where padding does.
type pooledAxis struct {
	from    [][]int
	counted []int
}

// windowAxis is the definition of PyTorch's pooling along axis i of in positions.
func windowAxis(w Window, i, in int) (a pooledAxis) {
	size, stride, dilation, pad := pick(w.Size, i, 1), pick(w.Stride, i, 1), pick(w.Dilation, i, 1), pick(w.Padding.Each, i, [2]int{})
	for at := -pad[0]; ; at += stride {
		end := at + (size-1)*dilation + 1
		fits := end <= in+pad[1]
		if !fits && (!w.Ceil || at >= in || end-stride >= in+pad[1]) {
			return a // the one before it reaches the end, or it begins where no position is
		}
		var from []int
		counted := 0
		for k := at; k < end; k += dilation {
			if k < in+pad[1] {
				counted++
			}
			if k >= 0 && k < in {
				from = append(from, k)
			}
		}
		a.from, a.counted = append(a.from, from), append(a.counted, counted)
	}
}

// binAxis is the definition of PyTorch's adaptive pooling.
func binAxis(in, out int) (a pooledAxis) {
	for i := range out {
		var from []int
		for k := int(math.Floor(float64(i) * float64(in) / float64(out))); k < int(math.Ceil(float64(i+1)*float64(in)/float64(out))); k++ {
			from = append(from, k)
		}
		a.from, a.counted = append(a.from, from), append(a.counted, len(from))
	}
	return a
}

func TestPoolOptionsAreTheirDefinition(t *testing.T) {
	for _, c := range []struct {
		size shape.Shape
		o    PoolOptions
	}{
		{shape.Shape{12}, PoolOptions{Window: Window{Size: []int{3}, Stride: []int{2}, Ceil: true}}},
		{shape.Shape{4}, PoolOptions{Window: Window{Size: []int{2}, Stride: []int{2}, Padding: Padding{Each: [][2]int{{0, 1}}}, Ceil: true}}},         // the last would begin in the padding after
		{shape.Shape{2}, PoolOptions{Window: Window{Size: []int{3}, Stride: []int{2}, Ceil: true}}},                                                   // the one is wider than the map
		{shape.Shape{9}, PoolOptions{Window: Window{Size: []int{3}, Stride: []int{3}, Dilation: []int{2}, Padding: Pad(2), Ceil: true}}},              // it begins in the map
		{shape.Shape{4}, PoolOptions{Window: Window{Size: []int{3}, Stride: []int{3}, Padding: Padding{Each: [][2]int{{2, 0}}}, Ceil: true}}},         // a window over padding and the map
		{shape.Shape{7, 10}, PoolOptions{Window: Window{Size: []int{3, 2}, Stride: []int{2, 3}, Dilation: []int{1, 4}, Padding: Pad(1), Ceil: true}}}, // taps apart by more than the padding
		{shape.Shape{3, 3}, PoolOptions{Window: Window{Size: []int{3}, Dilation: []int{4}, Padding: Pad(4)}}},                                         // taps apart by more than the map
		{shape.Shape{4, 5, 6}, PoolOptions{Window: Window{Size: []int{2, 3, 2}, Stride: []int{3, 2, 4}, Padding: Pad(1), Ceil: true}}},
		{shape.Shape{10}, PoolOptions{Output: []int{4}}},
		{shape.Shape{3}, PoolOptions{Output: []int{7}}},
		{shape.Shape{11, 6}, PoolOptions{Output: []int{5, 3}}},
		{shape.Shape{40, 7}, PoolOptions{Output: []int{3, KeepExtent}}},
		{shape.Shape{5, 8, 7}, PoolOptions{Output: []int{3}}},
	} {
		x := graphtest.Randn(21, append(append(shape.Shape{2}, c.size...), 3)...)
		v := values(x)
		n := len(c.size)
		axes, outs := make([]pooledAxis, n), shape.Shape{2}
		for i, in := range c.size {
			if axes[i] = windowAxis(c.o.Window, i, in); c.o.Output != nil {
				out := pick(c.o.Output, i, 0)
				if out == KeepExtent {
					out = in
				}
				axes[i] = binAxis(in, out)
			}
			outs = append(outs, len(axes[i].from))
		}
		outs = append(outs, 3)
		var most, mean, counted, total, length []float64
		graphtest.Indices(outs, func(at []int) {
			taps, all, whole := shape.Shape{}, 1, 1
			for i := range n {
				taps, all = append(taps, len(axes[i].from[at[1+i]])), all*axes[i].counted[at[1+i]]
				whole *= pick(c.o.Size, i, 0)
			}
			top, sum, squares := math.Inf(-1), 0.0, 0.0
			graphtest.Indices(taps, func(tap []int) {
				from := []int{at[0]}
				for i := range n {
					from = append(from, axes[i].from[at[1+i]][tap[i]])
				}
				e := v[graphtest.FlatIndex(x.Dims, append(from, at[n+1]))]
				top, sum, squares = max(top, e), sum+e, squares+e*e
			})
			most, mean, counted = append(most, top), append(mean, sum/float64(taps.Len())), append(counted, sum/float64(all))
			part := float64(whole) / float64(all) // PyTorch's lp_pool is an average of powers times the window's size
			total, length = append(total, sum*part), append(length, math.Sqrt(squares*part))
		})
		for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
			last := shape.MoveToLast(1, n+2)
			for _, p := range []struct {
				mode      string
				count     bool
				power     float64
				want      []float64
				tolerance float64
			}{ // chosen; the others are summed in float64 and rounded once
				{"max", false, 0, most, 0}, {"average", false, 0, mean, 1e-7}, {"average", true, 0, counted, 1e-7},
				{"lp", false, 1, total, 1e-7}, {"lp", false, 2, length, 1e-7},
			} {
				if p.mode == "lp" && c.o.Output != nil {
					continue // which has no bins
				}
				t.Run(fmt.Sprintf("%v/%v %v/%s/%s/%v/%v", c.size, c.o.Size, c.o.Output, l, p.mode, p.count, p.power), func(t *testing.T) {
					o := c.o
					o.Layout, o.CountPadding, o.P = l, p.count, p.power
					build := func() graph.Array {
						if l == shape.NHWC {
							return graphtest.Must(Pool(x, p.mode, o))
						}
						return graphtest.Must(Transpose(graphtest.Must(Pool(graphtest.Must(Transpose(x, shape.Inverse(last))), p.mode, o)), last))
					}
					if !build().Shape().Equal(outs) {
						t.Fatalf("shape %v, want %v", build().Shape(), outs)
					}
					within(t, floats(build(), graphtest.Result(t, build)), p.want, p.tolerance)
				})
			}
		}
	}
}
