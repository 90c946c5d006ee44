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

// TestRowMoments compares with the definition in Table, word for word, over all
// lengths around a block, some rows of them, misaligned, between canaries and at
// the end of what can be read, and with a NaN.
func TestRowMoments(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		rng := rand.New(rand.NewPCG(11, 12))
		for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
			for cols := range 70 {
				for rows := range 4 {
					skip := rows % 2
					x := Alloc((rows*cols + skip) * k.Size())
					fillNormal(rng, k, x)
					x = x[skip*k.Size():]
					if cols > 5 && rows > 2 {
						store(k, x, cols-1, value{re: fromFloat64(math.NaN())})
						store(k, x, cols, value{re: fromFloat64(math.Inf(-1))})
					}
					about, zeros := make([]float64, rows), make([]float64, rows)
					for r := range about {
						about[r] = rng.NormFloat64()
					}
					check := func(name string, about []float64, loop func(sums, squares []float64)) {
						acc, unharmed := guarded(2 * rows * 8)
						got, want := View[float64](acc), make([]float64, 2*rows)
						for r := range rows {
							want[r], want[rows+r] = rowMomentsOf(k, x, r*cols, cols, about[r])
						}
						loop(got[:rows], got[rows:])
						for i, w := range want {
							if g := got[i]; math.Float64bits(g) != math.Float64bits(w) && (g == g || w == w) {
								t.Fatalf("%s of %v, %d rows of %d: number %d is %v, want %v", name, k, rows, cols, i, g, w)
							}
						}
						if !unharmed() {
							t.Fatalf("%s of %v, %d rows of %d: wrote outside", name, k, rows, cols)
						}
					}
					check("RowMoments", about, func(sums, squares []float64) { table.RowMoments[k.Kind()](sums, squares, x, about) })
					check("RowSums and RowSquares", zeros, func(sums, squares []float64) {
						table.RowSums[k.Kind()](sums, x)
						table.RowSquares[k.Kind()](squares, x)
					})
				}
			}
		}
	})
}

// rowMomentsOf is the definition of RowMoments for a row of cols elements from number at on.
func rowMomentsOf(k dtype.Type, x []byte, at, cols int, about float64) (sum, square float64) {
	var sums, squares [16]float64
	for i := range cols {
		d := sumTerm(k, x, at+i) - about
		sums[i%16] += d
		squares[i%16] += float64(d * d)
	}
	for _, h := range []int{8, 4, 2, 1} {
		for j := range h {
			sums[j] += sums[j+h]
			squares[j] += squares[j+h]
		}
	}
	return sums[0], squares[0]
}

// TestNormalizeRows compares rows with each of them by itself, over all lengths around a
// block, in place and between canaries; cases compare one row with the definition.
func TestNormalizeRows(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		rng := rand.New(rand.NewPCG(15, 16))
		for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
			for cols := range 70 {
				const rows = 3
				size := cols * k.Size()
				x, unharmed := guarded(rows * size)
				fillNormal(rng, k, x)
				numbers := make([]float64, 2*rows+2*cols)
				for i := range numbers {
					numbers[i] = rng.NormFloat64()
				}
				mean, scale := numbers[:rows], numbers[rows:2*rows]
				weight, bias := numbers[2*rows:2*rows+cols], numbers[2*rows+cols:]
				want := make([]byte, rows*size)
				for r := range rows {
					generic().NormalizeRows[k.Kind()](want[r*size:(r+1)*size], x[r*size:(r+1)*size], mean[r:r+1], scale[r:r+1], weight, bias)
				}
				table.NormalizeRows[k.Kind()](x, x, mean, scale, weight, bias)
				compare(t, testCase{dst: k}, x, want, nil)
				if !unharmed() {
					t.Fatalf("%v, %d columns: wrote outside", k, cols)
				}
			}
		}
		table.NormalizeRows[dtype.KindFloat32](nil, nil, nil, nil, nil, nil)
	})
}

// TestStandardize compares with the definition in Table, word for word, over all
// numbers around a vector, with squares that rounding makes negative, a NaN and
// infinity.
func TestStandardize(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		rng := rand.New(rand.NewPCG(17, 18))
		for n := range 40 {
			acc, unharmed := guarded(2 * n * 8)
			mean, scale, sums := View[float64](acc)[:n], View[float64](acc)[n:], make([]float64, n)
			wantMean, wantScale := make([]float64, n), make([]float64, n)
			for i := range n {
				mean[i], sums[i] = rng.NormFloat64(), rng.NormFloat64()
				scale[i] = 5 * rng.Float64()
				switch i % 7 {
				case 1:
					scale[i] = sums[i] * sums[i] / 100 // less than the product
				case 3:
					scale[i] = math.NaN()
				case 5:
					scale[i] = math.Inf(1)
				}
				off := sums[i] / 48
				wantMean[i] = mean[i] + off
				v := scale[i] - float64(off*sums[i])
				if v < 0 {
					v = 0
				}
				wantScale[i] = 1 / math.Sqrt(v/48+1e-5)
			}
			table.Standardize(mean, scale, sums, 48, 1e-5)
			compare(t, testCase{dst: dtype.Float64}, Bytes(mean), Bytes(wantMean), nil)
			compare(t, testCase{dst: dtype.Float64}, Bytes(scale), Bytes(wantScale), nil)
			if !unharmed() {
				t.Fatalf("%d numbers: wrote outside", n)
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
