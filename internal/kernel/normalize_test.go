package kernel

import (
	"math"
	"testing"

	"fusectl/internal/dtype"
)

func TestFastNormalizeRows(t *testing.T) {
	src := []float64{3, 1, -2, 0, 0, 0, math.NaN(), 1, 1}
	dst := make([]float64, len(src))
	generic().FastNormalizeRows[dtype.KindFloat64](Bytes(dst), Bytes(src), 3, 1)
	for i, want := range []float64{0.6, 0.2, 0, 0, 0, 0, math.NaN(), math.NaN(), math.NaN()} {
		if got := dst[i]; got != want && !(got != got && want != want) {
			t.Errorf("element %d: got %v, want %v", i, got, want)
		}
	}
	f := []float32{3, 1}
	generic().FastNormalizeRows[dtype.KindFloat32](Bytes(f), Bytes(f), 2, 0)
	if f[0] != 0.75 || f[1] != 0.25 {
		t.Errorf("in place: got %v", f)
	}
	generic().FastNormalizeRows[dtype.KindFloat32](nil, nil, 0, 0)
}

func TestPowerRows(t *testing.T) {
	src := []float64{9, -16, 0, 0, math.NaN(), 1}
	generic().PowerRows[dtype.KindFloat64](Bytes(src), Bytes(src), 2)
	for i, want := range []float64{0.6, -0.8, 0, 0, math.NaN(), math.NaN()} {
		if got := src[i]; math.Abs(got-want) > 1e-15 || (got != got) != (want != want) {
			t.Errorf("element %d: got %v, want %v", i, got, want)
		}
	}
	f := []float32{-4}
	generic().PowerRows[dtype.KindFloat32](Bytes(f), Bytes(f), 1)
	if f[0] != -1 {
		t.Errorf("float32: got %v", f)
	}
}

func TestFoldNormRows(t *testing.T) {
	row := []float64{3, 5, 4, 7, 6} // variance, mean, weight, bias, the bias before
	generic().FoldNormRows[dtype.KindFloat64](Bytes(row), Bytes(row), 1)
	if row[0] != 2 || row[1] != 7+(6-5)*2 {
		t.Errorf("got %v", row[:2])
	}
}
