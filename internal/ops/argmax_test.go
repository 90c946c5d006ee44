package ops

import (
	"math"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

func TestArgMax(t *testing.T) {
	nan := math.NaN()
	x := graphtest.ArrayOf("x.npy", dtype.Float64, shape.Shape{2, 3, 4}, []float64{
		0, 1, 2, 3, 3, 3, 1, 0, -1, -2, -1, -5,
		math.Inf(-1), math.Inf(-1), 0, 0, 1, nan, 5, nan, nan, 9, 9, 9,
	})
	got := kernel.View[int64](graphtest.Result(t, func() graph.Array { return graphtest.Must(ArgMax(x)) }))
	for i, want := range []int64{3, 0, 0, 2, 1, 0} {
		if got[i] != want {
			t.Errorf("row %d: got %d, want %d", i, got[i], want)
		}
	}
	for _, bad := range []graph.Array{graphtest.Randn(1), graphtest.Randn(1, 3, 0)} {
		if _, err := ArgMax(bad); err == nil {
			t.Errorf("shape %v is taken", bad.Shape())
		}
	}
}
