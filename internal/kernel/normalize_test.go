package kernel

import (
	"math"
	"math/rand/v2"
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

// TestMoments compares with the definition in Table, word for word, over all
// lengths around a block, misaligned, and with a NaN.
func TestMoments(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		rng := rand.New(rand.NewPCG(11, 12))
		for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
			x := Alloc(200 * k.Size())
			fillNormal(rng, k, x)
			for n := range 190 {
				for skip := range 2 {
					row := x[skip*k.Size() : (skip+n)*k.Size()]
					about := rng.NormFloat64()
					var sums, squares [16]float64
					for i := range n {
						d := sumTerm(k, row, i) - about
						sums[i%16] += d
						squares[i%16] += float64(d * d)
					}
					for _, h := range []int{8, 4, 2, 1} {
						for j := range h {
							sums[j] += sums[j+h]
							squares[j] += squares[j+h]
						}
					}
					if s, q := table.Moments[k.Kind()](row, about); s != sums[0] || q != squares[0] {
						t.Fatalf("%v, %d elements: got %v and %v, want %v and %v", k, n, s, q, sums[0], squares[0])
					}
				}
			}
			store(k, x, 77, value{re: fromFloat64(math.NaN())})
			if s, q := table.Moments[k.Kind()](x, 0); s == s || q == q {
				t.Errorf("%v with a NaN: got %v and %v", k, s, q)
			}
		}
	})
}

// TestMomentsRows compares with the definition in Table, word for word, over all
// numbers of columns around a strip, between canaries, and with a NaN.
func TestMomentsRows(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		rng := rand.New(rand.NewPCG(13, 14))
		for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
			for cols := range 70 {
				for rows := range 4 {
					skip := rows % 2
					x := Alloc((rows*cols + skip) * k.Size())
					fillNormal(rng, k, x)
					x = x[skip*k.Size():]
					if cols > 5 && rows > 2 {
						store(k, x, 4, value{re: fromFloat64(math.NaN())})
					}
					acc, unharmed := guarded(2 * cols * 8)
					clear(acc)
					sums, squares := View[float64](acc)[:cols], View[float64](acc)[cols:]
					about, wantSums, wantSquares := make([]float64, cols), make([]float64, cols), make([]float64, cols)
					for c := range cols {
						about[c], sums[c] = rng.NormFloat64(), rng.NormFloat64()
						wantSums[c] = sums[c]
						for r := range rows {
							d := sumTerm(k, x, r*cols+c) - about[c]
							wantSums[c] += d
							wantSquares[c] += float64(d * d)
						}
					}
					table.MomentsRows[k.Kind()](sums, squares, x, about)
					compare(t, testCase{dst: dtype.Float64}, Bytes(sums), Bytes(wantSums), nil)
					compare(t, testCase{dst: dtype.Float64}, Bytes(squares), Bytes(wantSquares), nil)
					if !unharmed() {
						t.Fatalf("%v, %d columns: wrote outside", k, cols)
					}
				}
			}
		}
	})
}
