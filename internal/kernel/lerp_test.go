package kernel

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"fusectl/internal/dtype"
)

// TestColumns compares LerpCols and TapCols with Lerp and SumTaps on one column
// at a time.
func TestColumns(t *testing.T) {
	const in, out = 9, 13
	rng := rand.New(rand.NewPCG(7, 8))
	lo, hi, w, taps := make([]int32, out), make([]int32, out), make([]float64, out), make([]Taps, out)
	for j := range out {
		lo[j], hi[j] = rng.Int32N(in), rng.Int32N(in)
		if j%3 > 0 {
			w[j] = rng.Float64()
		}
		for k := range taps[j].At {
			taps[j].At[k], taps[j].W[k] = rng.Int32N(in), rng.NormFloat64()
		}
	}
	eachTable(t, func(t *testing.T, table *Table) {
		for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
			for inner := range 70 {
				size := inner * k.Size()
				src := sample(rng, k, in*inner)
				column := func(i int32) []byte { return src[int(i)*size : (int(i)+1)*size] }
				got, unharmed := guarded(out * size)
				check := func(name string, want []byte) {
					compare(t, testCase{dst: k}, got, want, nil)
					if !unharmed() {
						t.Fatalf("%s, %d elements a column: wrote outside dst", name, inner)
					}
				}

				var want []byte
				for j := range out {
					c := bytes.Clone(column(lo[j]))
					if w[j] != 0 {
						generic().Lerp[k.Kind()](c, c, column(hi[j]), w[j])
					}
					want = append(want, c...)
				}
				table.LerpCols[k.Kind()](got, src, lo, hi, w, inner)
				check("LerpCols", want)

				want = nil
				for _, tap := range taps {
					c := Alloc(size)
					var rows [4][]byte
					for i, at := range tap.At {
						rows[i] = column(at)
					}
					generic().SumTaps[k.Kind()](c, rows, tap.W)
					want = append(want, c...)
				}
				table.TapCols[k.Kind()](got, src, taps, inner)
				check("TapCols", want)
			}
		}
	})
}

// Numbers beyond the source are not read.
func TestLerpAcrossStaysInside(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		if table.Name == genericLevel {
			t.Skip("Go checks each index")
		}
		const n = 64
		dst, src, w := make([]float32, n), []float32{5, 7}, make([]float64, n)
		lo, hi := make([]int32, n), make([]int32, n)
		for i := range lo {
			lo[i], hi[i], w[i] = int32(i%2), int32(1-i%2), 0.5
			if i%5 == 1 {
				lo[i], hi[i] = -1<<31, 1<<31-1
			}
		}
		table.LerpCols[dtype.KindFloat32](Bytes(dst), Bytes(src), lo, hi, w, 1)
		for i, v := range dst {
			if i%5 != 1 && v != 6 {
				t.Errorf("element %d is %v, want 6", i, v)
			}
		}
	})
}
