package main

import (
	"math"
	"path/filepath"
	"testing"

	"fusectl/internal/kernel"
)

// What testdata/demo.sh says of its results must be so.
func TestDemoSaysWhatIsSo(t *testing.T) {
	digits := "../../testdata/digits/"
	_, data, err := load(digits + "labels.npy")
	if err != nil {
		t.Fatal(err)
	}
	labels := kernel.View[int64](data)
	out := filepath.Join(t.TempDir(), "out.npy")
	vectors := func(width int, args ...string) [][]float32 {
		if status, stderr := fusectl(t, append(args, "-o", out)...); status != 0 {
			t.Fatalf("%v: status %d, %s", args, status, stderr)
		}
		_, data, err := load(out)
		if err != nil {
			t.Fatal(err)
		}
		v := kernel.View[float32](data)
		rows := make([][]float32, len(labels))
		for i := range rows {
			rows[i] = v[i*width : (i+1)*width]
		}
		return rows
	}
	right := 0
	pooled := vectors(8, "gap", digits+"edges.npy")
	for i, x := range pooled {
		best, at := math.Inf(1), int64(-1)
		for _, digit := range []int64{0, 1, 4, 7} {
			if d := distance(x, classMean(pooled, labels, digit, i)); d < best {
				best, at = d, digit
			}
		}
		if at == labels[i] {
			right++
		}
	}
	if right != 29 {
		t.Errorf("nearest class mean names %d of 32 digits: the demo says 29", right)
	}
	spread := func(rows [][]float32) (sum float64) {
		for i, x := range rows {
			sum += distance(x, classMean(rows, labels, labels[i], -1))
		}
		return sum / float64(len(rows))
	}
	before := spread(vectors(16, "add", digits+"sequence.npy"))
	after := spread(vectors(16, "attention", digits+"sequence.npy", "--scale", "auto"))
	if after > before/2 {
		t.Errorf("distance from the digit's mean: %.2f before attention, %.2f after; the demo says it falls", before, after)
	}
}

// classMean is the mean of the rows of one digit, without row number but.
func classMean(rows [][]float32, labels []int64, digit int64, but int) []float32 {
	mean, n := make([]float32, len(rows[0])), float32(0)
	for i, x := range rows {
		if labels[i] == digit && i != but {
			n++
			for c, v := range x {
				mean[c] += v
			}
		}
	}
	for c := range mean {
		mean[c] /= n
	}
	return mean
}

func distance(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += math.Pow(float64(a[i]-b[i]), 2)
	}
	return math.Sqrt(sum)
}
