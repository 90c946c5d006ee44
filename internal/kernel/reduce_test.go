package kernel

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"fusectl/internal/dtype"
)

// TestSumIsAccurate compares with the exact sum. Each of n/32 additions in a
// lane and five after them rounds by at most 2^-53 of a partial sum, which is
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
	want, _ := sum.Float64()
	limit := float64(len(x)/32+6) * 0x1p-53 * magnitude
	eachTable(t, func(t *testing.T, table *Table) {
		acc := []float64{0}
		table.Sum[dtype.KindFloat32](acc, Bytes(x))
		if math.Abs(acc[0]-want) > limit {
			t.Errorf("%v, want %v ± %v", acc[0], want, limit)
		}
	})
}

// TestSumRowsInPieces pins that rows may come in
// any number of calls.
func TestSumRowsInPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const rows = 41
	for _, cols := range []int{7, 37} {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		eachTable(t, func(t *testing.T, table *Table) {
			loop := table.SumRows[dtype.KindFloat32]
			whole := make([]float64, cols)
			loop(whole, Bytes(x))
			for cut := range rows {
				acc := make([]float64, cols)
				loop(acc, Bytes(x[:cut*cols]))
				loop(acc, Bytes(x[cut*cols:]))
				for c := range acc {
					if acc[c] != whole[c] {
						t.Fatalf("cut at %d: column %d: %v, want %v", cut, c, acc[c], whole[c])
					}
				}
			}
		})
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
		eachTable(t, func(t *testing.T, table *Table) {
			for _, cols := range []int{1, 2, 5, 37} {
				for _, rows := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 300} {
					for at := 0; at < rows*cols; at += 1 + rows/16 {
						x := make([]float32, rows*cols)
						for i := range x {
							x[i] = c.others
						}
						x[at] = c.one
						acc := make([]float32, cols)
						for i := range acc {
							acc[i] = c.others
						}
						table.MaxRows[dtype.KindFloat32](Bytes(acc), Bytes(x))
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
		})
	}
}

// TestRowsOfAnyWidth compares with the loops in Go on all widths around those
// of a few vectors.
func TestRowsOfAnyWidth(t *testing.T) {
	const widest, rows = 160, 5
	want := generic()
	rng := rand.New(rand.NewPCG(2, 2))
	var all [dtype.NumKinds][]byte
	for _, k := range dtype.All() {
		all[k.Kind()] = sample(rng, k, rows*widest)
		clearSpecials(k, all[k.Kind()])
	}
	eachTable(t, func(t *testing.T, table *Table) {
		for _, k := range dtype.All() {
			for cols := range widest {
				x := all[k.Kind()][:rows*cols*k.Size()]
				if loop := table.SumRows[k.Kind()]; loop != nil {
					got, unharmed := guarded(8 * cols)
					clear(got)
					ref := Alloc(len(got))
					loop(View[float64](got), x)
					want.SumRows[k.Kind()](View[float64](ref), x)
					if !bytes.Equal(got, ref) || !unharmed() {
						t.Fatalf("sums of %v, %d columns: % x, want % x", k, cols, got, ref)
					}
				}
				got, unharmed := guarded(cols * k.Size())
				clear(got)
				ref := Alloc(len(got))
				table.MaxRows[k.Kind()](got, x)
				want.MaxRows[k.Kind()](ref, x)
				if !bytes.Equal(got, ref) || !unharmed() {
					t.Fatalf("maxima of %v, %d columns: % x, want % x", k, cols, got, ref)
				}
			}
		}
	})
}

// TestRowsOfNoColumns must neither loop for ever nor touch anything.
func TestRowsOfNoColumns(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		for _, k := range dtype.All() {
			if sum := table.SumRows[k.Kind()]; sum != nil {
				sum(nil, nil)
			}
			table.MaxRows[k.Kind()](nil, nil)
		}
		table.SoftmaxRows[dtype.KindFloat32](nil, nil, 0)
	})
}

func TestArgMaxRows(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	rows := []float64{
		0, 1, 2, 3, 3, 3, 1, 0, -1, -2, -1, -5,
		-inf, -inf, -inf, -inf, 1, nan, inf, nan, nan, 9, 9, 9,
	}
	want := []int64{3, 0, 0, 0, 1, 0}
	eachTable(t, func(t *testing.T, table *Table) {
		got := make([]int64, len(want))
		table.ArgMaxRows[dtype.KindFloat64](got, Bytes(rows), 4)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("row %d: got %d, want %d", i, got[i], want[i])
			}
		}
	})
}
