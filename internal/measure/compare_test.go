package measure

import (
	"context"
	"errors"
	"math"
	"strconv"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// The comparison against one loop over all elements, for several threads.
func TestCompareIsALoop(t *testing.T) {
	const n = 300_000 // some tiles
	a, b := graphtest.Randn(1, n), graphtest.Randn(1, n)
	va, vb := kernel.View[float32](a.Data), kernel.View[float32](b.Data)
	for i := 0; i < n; i += 7 {
		vb[i] += float32(i) * 1e-6
	}
	va[12], vb[13], va[14], vb[14] = float32(math.NaN()), float32(math.NaN()), float32(math.NaN()), float32(math.NaN())
	c := CompareOptions{RTol: 1e-3, ATol: 1e-2, EqualNaN: true}
	va[15], vb[16] = float32(math.Inf(1)), float32(math.Inf(-1))
	want := Comparison{Count: n, NaN: 2, Inf: 2, Worst: -1, Finite: true}
	for i := range n {
		x, y := float64(va[i]), float64(vb[i])
		if x == y || x != x && y != y {
			continue
		}
		want.Unequal++
		off := math.Abs(x - y)
		if !(off <= c.ATol+c.RTol*math.Abs(y)) || math.IsInf(off, 0) {
			want.Different++
		}
		if off-off == 0 {
			if off > want.MaxAbs {
				want.Worst, want.MaxAbs = int64(i), off
				want.A, want.B = strconv.FormatFloat(x, 'g', -1, 32), strconv.FormatFloat(y, 'g', -1, 32)
			}
			want.MaxRel = max(want.MaxRel, off/math.Abs(y))
			ulp := float64(math.Nextafter32(float32(math.Abs(y)), float32(math.Inf(1)))) - math.Abs(y)
			want.MaxULP = max(want.MaxULP, off/ulp)
		}
	}
	for _, threads := range []int{1, 3} {
		got, err := Compare(context.Background(), a, b, c, graph.Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%d threads: got\n%+v, want\n%+v", threads, got, want)
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	var e *graph.Error
	if _, err := Compare(context.Background(), graphtest.Randn(1, 3), graphtest.Randn(1, 4), CompareOptions{}, graph.Options{}); !errors.As(err, &e) {
		t.Errorf("shapes: got %v", err)
	}
	raw := &graphtest.Mem{Label: "r.npy", Type: dtype.Opaque("|V3", 3), Dims: shape.Shape{1}, Data: make([]byte, 3)}
	if _, err := Compare(context.Background(), raw, raw, CompareOptions{}, graph.Options{}); !errors.As(err, &e) {
		t.Errorf("raw: got %v", err)
	}
}

// Arrays in Fortran order, which come transposed, measure as those in C order.
func TestTransposedArrays(t *testing.T) {
	s := shape.Shape{70, 90, 64}
	reverse := []int{2, 1, 0}
	c := graphtest.Randn(1, s...)
	f := graphtest.Permuted(c, reverse)
	asC := func() graph.Array { return graphtest.Must(ops.Transpose(f, reverse)) }
	for _, x := range []graph.Array{asC(), graphtest.Must(ops.Add([]graph.Array{asC(), ops.Constant(dtype.Float32, 0)}, ops.AddOptions{}))} {
		stats, err := Summarize(t.Context(), x, graph.Options{Threads: 2})
		want, err2 := Summarize(t.Context(), c, graph.Options{})
		if err != nil || err2 != nil || stats.Min != want.Min || stats.Max != want.Max || math.Abs(stats.Mean-want.Mean) > 1e-15 {
			t.Errorf("statistics: %+v, %v: want %+v, but for the rounding of sums of 400,000 numbers in another order", stats, err, want)
		}
	}
	same, err := Compare(t.Context(), asC(), c, CompareOptions{}, graph.Options{Threads: 2})
	if err != nil || same.Unequal != 0 || same.Count != s.Len() {
		t.Errorf("compared: %+v, %v", same, err)
	}
	other := graphtest.Randn(1, s...)
	for _, at := range []int64{400000, 7, 300001} {
		kernel.View[float32](other.Data)[at] += 5
	}
	off, err := Compare(t.Context(), asC(), graphtest.Must(ops.Transpose(graphtest.Permuted(other, reverse), reverse)), CompareOptions{}, graph.Options{Threads: 2})
	if err != nil || off.Unequal != 3 {
		t.Errorf("compared: %+v, %v", off, err)
	}
}
