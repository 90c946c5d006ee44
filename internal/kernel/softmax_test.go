package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"fusectl/internal/dtype"
)

// TestSoftmax compares with the definition in float64. A result is two
// roundings to float32 away from it, each half a unit in the last place.
func TestSoftmax(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for cols := 1; cols < 70; cols++ {
		x := make([]float32, 3*cols)
		for i := range x {
			x[i] = float32(20 * rng.NormFloat64())
		}
		got := make([]float32, len(x))
		Active().SoftmaxRows[dtype.KindFloat32](Bytes(got), Bytes(x), cols)
		for r := range 3 {
			row := x[r*cols : (r+1)*cols]
			greatest, sum := math.Inf(-1), 0.0
			for _, v := range row {
				greatest = math.Max(greatest, float64(v))
			}
			for _, v := range row {
				sum += math.Exp(float64(v) - greatest)
			}
			for c, v := range row {
				want := math.Exp(float64(v)-greatest) / sum
				// Subnormal numbers round by half of 2^-149.
				if g := float64(got[r*cols+c]); math.Abs(g-want) > 1.01*0x1p-23*want+0x1p-149 {
					t.Errorf("cols=%d: %v, want %v", cols, g, want)
				}
			}
		}
		Active().SoftmaxRows[dtype.KindFloat32](Bytes(x), Bytes(x), cols)
		for i := range x {
			if x[i] != got[i] {
				t.Fatalf("cols=%d: in place %v, else %v", cols, x[i], got[i])
			}
		}
	}
}

func TestSoftmaxOfMaskedRows(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	x := []float64{-inf, -inf, -inf, 1, nan, 2, 1, inf, -inf, -inf, 0, -inf}
	want := []float64{0, 0, 0, nan, nan, nan, nan, nan, nan, 0, 1, 0}
	Active().SoftmaxRows[dtype.KindFloat64](Bytes(x), Bytes(x), 3)
	for i := range x {
		if x[i] != want[i] && !(x[i] != x[i] && want[i] != want[i]) {
			t.Errorf("row %d, column %d: %v, want %v", i/3, i%3, x[i], want[i])
		}
	}
}
