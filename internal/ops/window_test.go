package ops

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/shape"
)

// PyTorch's results are in testdata/golden; here, no schedule and no cut may
// change a byte of convolutions and pooling.
func TestPartsDontDependOnTiles(t *testing.T) {
	for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
		x := graphtest.Randn(1, 2, 9, 8, 6)
		k, up := graphtest.Randn(4, 3, 3, 6, 5), graphtest.Randn(6, 3, 3, 5, 6)
		layout := Keras
		if l == shape.NCHW {
			x = graphtest.Randn(1, 2, 6, 9, 8)
			k, up = graphtest.Randn(4, 5, 6, 3, 3), graphtest.Randn(6, 6, 5, 3, 3)
			layout = Torch
		}
		w := func(k graph.Array) Weights { return Weights{Kernel: k, Layout: layout} }
		for name, build := range map[string]func() graph.Array{
			"conv": func() graph.Array {
				return graphtest.Must(Conv(x, w(k), ConvOptions{Padding: Padding{Same: true}, Layout: l}))
			},
			"strided": func() graph.Array { return graphtest.Must(Conv(x, w(k), ConvOptions{Stride: []int{2, 1}, Layout: l})) },
			"transposed": func() graph.Array {
				return graphtest.Must(Conv(x, w(up), ConvOptions{Stride: []int{2}, Transposed: true, Layout: l}))
			},
			"max": func() graph.Array {
				return graphtest.Must(Pool(x, "max", PoolOptions{Window: Window{Size: []int{3, 2}}, Layout: l}))
			},
			"average": func() graph.Array {
				return graphtest.Must(Pool(x, "average", PoolOptions{Window: Window{Size: []int{3}, Padding: Padding{Same: true}}, Layout: l}))
			},
			"conv of what is computed": func() graph.Array {
				y := graphtest.Must(Add([]graph.Array{x, x}, AddOptions{}))
				return graphtest.Must(Conv(y, w(k), ConvOptions{Layout: l, Activation: "relu"}))
			},
		} {
			t.Run(fmt.Sprintf("%s/%s", l, name), func(t *testing.T) { graphtest.Result(t, build) })
		}
	}
}

func TestPartsRefuse(t *testing.T) {
	x, k := graphtest.Randn(1, 2, 9, 8, 6), graphtest.Randn(4, 3, 3, 6, 5)
	w := Weights{Kernel: k, Layout: Keras}
	for want, build := range map[string]func() (graph.Array, error){
		"a convolution over 2 spatial axes takes 4, such as nhwc, or 3 without a batch": func() (graph.Array, error) { return Conv(graphtest.Randn(1, 3, 3), w, ConvOptions{Layout: shape.NHWC}) },
		"takes 6 channels: want (3,3,in/groups,out), in being the 4 channels of x2.npy": func() (graph.Array, error) {
			return Conv(graphtest.Randn(2, 1, 9, 9, 4), w, ConvOptions{Layout: shape.NHWC})
		},
		"don't split into 2 groups": func() (graph.Array, error) {
			return Conv(graphtest.Randn(1, 1, 9, 9, 12), w, ConvOptions{Groups: 2, Layout: shape.NHWC})
		},
		"reaches over 3 positions does not fit 2": func() (graph.Array, error) {
			return Conv(graphtest.Randn(1, 1, 2, 9, 6), w, ConvOptions{Layout: shape.NHWC})
		},
		"bias of shape (4,): want (5,)": func() (graph.Array, error) {
			return Conv(x, Weights{Kernel: k, Bias: graphtest.Randn(1, 4), Layout: Keras}, ConvOptions{Layout: shape.NHWC})
		},
		"has 2 spatial axes: 3 numbers say the stride": func() (graph.Array, error) {
			return Conv(x, w, ConvOptions{Stride: []int{1, 2, 1}, Layout: shape.NHWC})
		},
		"has 2 spatial axes: 3 numbers say the output padding": func() (graph.Array, error) {
			return Conv(x, Weights{Kernel: graphtest.Randn(1, 2, 2, 5, 6), Layout: Keras}, ConvOptions{OutputPadding: []int{0, 0, 0}, Transposed: true, Layout: shape.NHWC})
		},
		"has 2 spatial axes: 3 numbers say the output size": func() (graph.Array, error) {
			return Conv(x, Weights{Kernel: graphtest.Randn(1, 2, 2, 5, 6), Layout: Keras}, ConvOptions{OutputSize: []int{9, 9, 9}, Transposed: true, Layout: shape.NHWC})
		},
		"pooling over 4 spatial axes takes 6": func() (graph.Array, error) {
			return Pool(x, "max", PoolOptions{Window: Window{Size: []int{2, 2, 2, 2}}, Layout: shape.NHWC})
		},
		"has 2 spatial axes: 3 numbers say the padding": func() (graph.Array, error) {
			return Pool(x, "max", PoolOptions{Window: Window{Size: []int{2, 2}, Padding: Pad(1, 1, 1)}, Layout: shape.NHWC})
		},
		"has 2 spatial axes: 3 numbers say the scale": func() (graph.Array, error) {
			return Resize(x, []int{4, 4}, ResizeOptions{Mode: "linear", Scale: []float64{1, 2, 3}, Layout: shape.NHWC})
		},
		"nothing but padding": func() (graph.Array, error) {
			return Pool(x, "max", PoolOptions{Window: Window{Size: []int{2}, Padding: Pad(2, 0)}, Layout: shape.NHWC})
		},
	} {
		out, err := build()
		var e *graph.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v; want an error that says %q", out, err, want)
		}
	}
}

// Of a long line only what lies under a tile's windows is read.
func TestLinesAreReadInPart(t *testing.T) {
	for name, build := range map[string]func(x graph.Array) graph.Array{
		"conv": func(x graph.Array) graph.Array {
			return graphtest.Must(Conv(x, Weights{Kernel: graphtest.Randn(2, 5, 8, 16), Layout: Keras}, ConvOptions{Padding: Pad(2), Layout: shape.NHWC}))
		},
		"conv of channels first": func(x graph.Array) graph.Array {
			return graphtest.Must(Conv(x, Weights{Kernel: graphtest.Randn(2, 16, 8, 5), Layout: Torch}, ConvOptions{Padding: Pad(2), Layout: shape.NCHW}))
		},
		"pool": func(x graph.Array) graph.Array {
			return graphtest.Must(Pool(x, "average", PoolOptions{Window: Window{Size: []int{4}, Stride: []int{4}}, Layout: shape.NHWC}))
		},
	} {
		dims := []int{1, 60000, 8}
		if name == "conv of channels first" {
			dims = []int{1, 8, 60000}
		}
		x := graphtest.NewPipe(graphtest.Randn(1, dims...), 1, 0)
		graphtest.WriteAt(t, build(x), graph.Options{})
		read := 0
		for _, n := range x.Times {
			read += n
		}
		if most := len(x.Times) * 11 / 10; read > most { // a tile also reads what its window reaches over
			t.Errorf("%s: read %d elements, %d are there", name, read, len(x.Times))
		}
	}
}
