package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"fusectl/internal/dtype"
)

// TestSumIsAccurate compares with the exact sum. Each of n/16 additions in a
// lane and four after them rounds by at most 2^-53 of a partial sum, which is
// no greater than the sum of all magnitudes.
func TestSumIsAccurate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, 100_003)
	sum, magnitude := new(big.Float).SetPrec(400), 0.0
	for i := range x {
		x[i] = float32(rng.NormFloat64() * math.Exp(5*rng.NormFloat64()))
		sum.Add(sum, big.NewFloat(float64(x[i])))
		magnitude += math.Abs(float64(x[i]))
	}
	acc := []float64{0}
	Active().Sum[dtype.KindFloat32](acc, Bytes(x))
	want, _ := sum.Float64()
	if limit := float64(len(x)/16+5) * 0x1p-53 * magnitude; math.Abs(acc[0]-want) > limit {
		t.Errorf("%v, want %v ± %v", acc[0], want, limit)
	}
}

// TestSumRowsInPieces pins that rows may come in
// any number of calls.
func TestSumRowsInPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const cols, rows = 7, 41
	x := make([]float32, rows*cols)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	whole := make([]float64, cols)
	Active().SumRows[dtype.KindFloat32](whole, Bytes(x))
	for cut := range rows {
		acc := make([]float64, cols)
		Active().SumRows[dtype.KindFloat32](acc, Bytes(x[:cut*cols]))
		Active().SumRows[dtype.KindFloat32](acc, Bytes(x[cut*cols:]))
		for c := range acc {
			if acc[c] != whole[c] {
				t.Fatalf("cut at %d: column %d: %v, want %v", cut, c, acc[c], whole[c])
			}
		}
	}
}

// TestMaxRowsSettlesZerosAndNaNs puts one awkward value at each place among
// others that are negative, or zeros of the other sign.
func TestMaxRowsSettlesZerosAndNaNs(t *testing.T) {
	minus := float32(math.Copysign(0, -1))
	nan := math.Float32frombits(0xff800001)
	for _, c := range []struct {
		name           string
		others, one    float32
		want, wantRest uint32
	}{
		{"+0 among negative zeros", minus, 0, 0, 1 << 31},
		{"-0 among positive zeros", 0, minus, 0, 0},
		{"-0 among negative numbers", -1, minus, 1 << 31, 0xbf800000},
		{"NaN", 1, nan, 0x7fc00000, 0x3f800000},
		{"NaN among infinities", float32(math.Inf(1)), nan, 0x7fc00000, 0x7f800000},
		{"infinity", 1, float32(math.Inf(1)), 0x7f800000, 0x3f800000},
	} {
		for _, cols := range []int{1, 2, 5} {
			for rows := range 12 {
				for at := range rows * cols {
					x := make([]float32, rows*cols)
					for i := range x {
						x[i] = c.others
					}
					x[at] = c.one
					acc := make([]float32, cols)
					for i := range acc {
						acc[i] = c.others
					}
					Active().MaxRows[dtype.KindFloat32](Bytes(acc), Bytes(x))
					for i, v := range acc {
						want := c.wantRest
						if i == at%cols {
							want = c.want
						}
						if got := math.Float32bits(v); got != want {
							t.Fatalf("%s: %d rows, %d columns, at %d: column %d is %#x, want %#x", c.name, rows, cols, at, i, got, want)
						}
					}
				}
			}
		}
	}
}

// TestRowsOfNoColumns must neither loop for ever nor touch anything.
func TestRowsOfNoColumns(t *testing.T) {
	for _, k := range dtype.All() {
		if sum := Active().SumRows[k.Kind()]; sum != nil {
			sum(nil, nil)
		}
		Active().MaxRows[k.Kind()](nil, nil)
	}
	Active().SoftmaxRows[dtype.KindFloat32](nil, nil, 0)
}
