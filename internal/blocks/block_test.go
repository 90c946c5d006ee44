package blocks

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// PyTorch's results are in testdata/golden; here, no schedule and no cut may
// change a byte of what scales channels and positions.
func TestGatesDontDependOnTiles(t *testing.T) {
	for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
		x := graphtest.Randn(1, 2, 9, 8, 6)
		fc1, fc2, k7 := graphtest.Randn(2, 6, 3), graphtest.Randn(3, 3, 6), graphtest.Randn(5, 7, 7, 2, 1)
		layout := ops.Keras
		if l == shape.NCHW {
			x = graphtest.Randn(1, 2, 6, 9, 8)
			fc1, fc2, k7 = graphtest.Randn(2, 3, 6), graphtest.Randn(3, 6, 3), graphtest.Randn(5, 1, 2, 7, 7)
			layout = ops.Torch
		}
		w := func(k graph.Array) ops.Weights { return ops.Weights{Kernel: k, Layout: layout} }
		for name, build := range map[string]func() graph.Array{
			"se":   func() graph.Array { return graphtest.Must(SE(x, w(fc1), w(fc2), l)) },
			"cbam": func() graph.Array { return graphtest.Must(CBAM(x, w(fc1), w(fc2), w(k7), "mean,max", l)) },
		} {
			t.Run(fmt.Sprintf("%s/%s", l, name), func(t *testing.T) { graphtest.Result(t, build) })
		}
	}
}

func TestGatesRefuse(t *testing.T) {
	x := graphtest.Randn(1, 2, 9, 8, 6)
	w := func(dims ...int) ops.Weights {
		return ops.Weights{Kernel: graphtest.Randn(1, dims...), Layout: ops.Keras}
	}
	for want, build := range map[string]func() (graph.Array, error){
		"weight of shape (5,3) takes 5 channels: want (": func() (graph.Array, error) { return SE(x, w(5, 3), w(3, 6), shape.NHWC) },
		"gives 5 channels: want the 6 of x1.npy":         func() (graph.Array, error) { return SE(x, w(6, 3), w(3, 5), shape.NHWC) },
		"cbam over 2 spatial axes takes 4": func() (graph.Array, error) {
			return CBAM(graphtest.Randn(1, 2, 6), w(6, 3), w(3, 6), w(7, 7, 2, 1), "mean,max", shape.NHWC)
		},
	} {
		out, err := build()
		var e *graph.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v; want an error that says %q", out, err, want)
		}
	}
}
