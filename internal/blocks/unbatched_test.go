package blocks

import (
	"fmt"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// A map without a batch gives what a batch of that one gives: where a kernel or a
// size tells it, and where its layout names it.
func TestUnbatchedMapIsABatchOfOne(t *testing.T) {
	keras := func(seed uint64, dims ...int) ops.Weights {
		return ops.Weights{Kernel: graphtest.Randn(seed, dims...), Layout: ops.Keras}
	}
	one := func(x graph.Array, err error) graph.Array { return graphtest.Must(x, err) }
	level := func(i int) func([]graph.Array, error) graph.Array {
		return func(levels []graph.Array, err error) graph.Array { return graphtest.Must(levels[i], err) }
	}
	cases := []struct {
		name  string
		told  bool // by a kernel, sizes or a window
		build func(x graph.Array, l shape.Layout) graph.Array
	}{
		{"conv", true, func(x graph.Array, l shape.Layout) graph.Array {
			return one(ops.Conv(x, keras(1, 3, 3, 4, 5), ops.ConvOptions{Padding: ops.Pad(1), Layout: l, Activation: "relu"}))
		}},
		{"pointwise conv", true, func(x graph.Array, l shape.Layout) graph.Array {
			return one(ops.Conv(x, keras(1, 1, 1, 4, 5), ops.ConvOptions{Layout: l}))
		}},
		{"depthwise conv", true, func(x graph.Array, l shape.Layout) graph.Array {
			return one(ops.Conv(x, keras(1, 3, 3, 1, 4), ops.ConvOptions{Groups: 4, Stride: []int{2}, Layout: l}))
		}},
		{"transposed conv", true, func(x graph.Array, l shape.Layout) graph.Array {
			return one(ops.Conv(x, keras(1, 3, 3, 5, 4), ops.ConvOptions{Stride: []int{2}, Transposed: true, Layout: l}))
		}},
		{"pool", true, func(x graph.Array, l shape.Layout) graph.Array {
			return one(ops.Pool(x, "average", ops.PoolOptions{Window: ops.Window{Size: []int{3, 2}, Stride: []int{2}}, Layout: l}))
		}},
		{"resize", true, func(x graph.Array, l shape.Layout) graph.Array {
			return one(ops.Resize(x, []int{7, 5}, ops.ResizeOptions{Mode: "bilinear", Layout: l}))
		}},
		{"cbam", true, func(x graph.Array, l shape.Layout) graph.Array {
			return one(CBAM(x, keras(1, 4, 2), keras(2, 2, 4), keras(3, 3, 3, 2, 1), "mean,max", l))
		}},
		{"se", false, func(x graph.Array, l shape.Layout) graph.Array {
			return one(SE(x, keras(1, 4, 2), keras(2, 2, 4), l))
		}},
		{"gap", false, func(x graph.Array, l shape.Layout) graph.Array {
			return one(ops.GlobalAvgPool(x, ops.ReduceOptions{KeepDims: true, Layout: l}))
		}},
		{"fpn", false, func(x graph.Array, l shape.Layout) graph.Array {
			coarse := one(ops.Pool(x, "max", ops.PoolOptions{Window: ops.Window{Size: []int{2, 2}, Stride: []int{2}, Padding: ops.Padding{Same: true}}, Layout: l}))
			return level(1)(FPN([]graph.Array{x, coarse}, FPNOptions{Layout: l, BottomUp: true, Merge: "weighted"}))
		}},
		{"fpn of kernels", true, func(x graph.Array, l shape.Layout) graph.Array {
			coarse := one(ops.Pool(x, "max", ops.PoolOptions{Window: ops.Window{Size: []int{2, 2}, Stride: []int{2}, Padding: ops.Padding{Same: true}}, Layout: l}))
			return level(0)(FPN([]graph.Array{x, coarse}, FPNOptions{Layout: l, Output: []ops.Weights{keras(1, 3, 3, 4, 4), keras(2, 3, 3, 4, 4)}}))
		}},
		{"attention", false, func(x graph.Array, l shape.Layout) graph.Array {
			return one(Attention(x, AttentionOptions{Scale: 1, Spatial: true, Residual: true, Layout: l}))
		}},
	}
	for _, c := range cases {
		for _, l := range []shape.Layout{"hwc", "chw", shape.NHWC, shape.NCHW} {
			if l.Family() && !c.told {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", c.name, l), func(t *testing.T) {
				x := graphtest.Randn(9, 9, 6, 4)
				if l.ChannelsFirst() {
					x = graphtest.Randn(9, 4, 9, 6)
				}
				batch := l
				if !l.Family() {
					batch = "n" + l
				}
				want := c.build(graphtest.Must(ops.Reshape(x, append(shape.Shape{1}, x.Dims...))), batch)
				got := graphtest.Result(t, func() graph.Array { return c.build(x, l) })
				if s := c.build(x, l).Shape(); !want.Shape().Equal(append(shape.Shape{1}, s...)) {
					t.Fatalf("shape %v, want %v without its batch", s, want.Shape())
				}
				if string(got) != string(graphtest.Result(t, func() graph.Array { return want })) {
					t.Error("differs from a batch of one")
				}
			})
		}
	}
}
