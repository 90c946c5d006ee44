package ops

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// Crop and pad by indexing.
func TestAlignIsIndexing(t *testing.T) {
	for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
		small, large := graphtest.Randn(1, 2, 3, 5, 4), graphtest.Randn(2, 2, 8, 6, 4)
		if l == shape.NCHW {
			small, large = graphtest.Randn(1, 2, 4, 3, 5), graphtest.Randn(2, 2, 4, 8, 6)
		}
		axes := l.Spatial()
		for _, how := range []string{"crop", "pad"} {
			from, to := large, small
			if how == "pad" {
				from, to = small, large
			}
			got := kernel.View[float32](graphtest.Result(t, func() graph.Array {
				xs, err := Align([]graph.Array{small, large}, how, "", ResizeOptions{Layout: l})
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range xs {
					if !x.Shape().Equal(to.Dims) {
						t.Fatalf("%s: shape %v, want %v", how, x.Shape(), to.Dims)
					}
				}
				if how == "pad" {
					return xs[0]
				}
				return xs[1]
			}))
			src := kernel.View[float32](from.Data)
			i := 0
			graphtest.Indices(to.Dims, func(at []int) {
				in, inside := append([]int(nil), at...), true
				for _, a := range axes {
					if how == "crop" {
						in[a] += (from.Dims[a] - to.Dims[a]) / 2
					} else {
						in[a] -= (to.Dims[a] - from.Dims[a]) / 2
					}
					inside = inside && in[a] >= 0 && in[a] < from.Dims[a]
				}
				want := float32(0)
				if inside {
					want = src[graphtest.FlatIndex(from.Dims, in)]
				}
				if got[i] != want {
					t.Fatalf("%s %s at %v: got %v, want %v", l, how, at, got[i], want)
				}
				i++
			})
		}
	}
}

func TestAlignResizesToTheLargestOfEach(t *testing.T) {
	a, b := graphtest.Randn(1, 1, 3, 9, 2), graphtest.Randn(2, 1, 7, 4, 2)
	o := ResizeOptions{Mode: "nearest", Layout: shape.NHWC}
	xs, err := Align([]graph.Array{a, b}, "resize", "", o)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range []graph.Array{a, b} {
		if got, want := graphtest.WriteAt(t, xs[i], graph.Options{}), graphtest.WriteAt(t, graphtest.Must(Resize(x, []int{7, 9}, o)), graph.Options{}); !bytes.Equal(got, want) {
			t.Errorf("input %d is not what Resize gives", i)
		}
	}
	same, err := Align([]graph.Array{a, a}, "resize", "", o)
	if err != nil || same[0] != graph.Array(a) {
		t.Errorf("arrays of one size are not left alone: %v", err)
	}
}

func TestAlignRefuses(t *testing.T) {
	var e *graph.Error
	if _, err := Align([]graph.Array{graphtest.Randn(1, 1, 2, 3, 4), graphtest.Randn(2, 3, 4)}, "crop", "", ResizeOptions{Layout: shape.NHWC}); !errors.As(err, &e) || !strings.Contains(err.Error(), "x2.npy: shape (3,4)") {
		t.Errorf("rank 2: got %v", err)
	}
	_, err := Concat([]graph.Array{graphtest.Randn(1, 1, 2, 3, 4), graphtest.Randn(2, 1, 4, 3, 4)}, -1)
	if !errors.As(err, &e) || len(e.Hints) == 0 || !strings.Contains(e.Hints[0], "--align") {
		t.Errorf("sizes that differ: got %v, hints %v", err, e.Hints)
	}
}
