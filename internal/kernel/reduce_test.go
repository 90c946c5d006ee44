package kernel

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
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
// others that are negative, or zeros of the other sign; and, all negated, for the minimum.
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
						for i := range x {
							x[i] = -x[i]
						}
						least := make([]float32, cols)
						for i := range least {
							least[i] = -c.others
						}
						table.MinRows[dtype.KindFloat32](Bytes(least), Bytes(x))
						for i, v := range least {
							if got, want := math.Float32bits(v), math.Float32bits(-acc[i]); got != want && !(v != v && got == 0x7fc00000) {
								t.Fatalf("negated %s: %d rows, %d columns, at %d: column %d is %#x, want %#x", c.name, rows, cols, at, i, got, want)
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
				for what, loops := range map[string][2]func(best []byte, index []int64, x []byte, at int64){
					"greatest": {table.ArgMaxRows[k.Kind()], want.ArgMaxRows[k.Kind()]},
					"least":    {table.ArgMinRows[k.Kind()], want.ArgMinRows[k.Kind()]},
				} {
					if loops[0] == nil {
						continue
					}
					got, unharmed := guarded(cols * k.Size())
					copy(got, x)
					ref := append(Alloc(0), got...)
					at, refAt := make([]int64, cols), make([]int64, cols)
					loops[0](got, at, x, 7)
					loops[1](ref, refAt, x, 7)
					if !bytes.Equal(got, ref) || !slices.Equal(at, refAt) || !unharmed() {
						t.Fatalf("the %s of %v, %d columns: % x in rows %v, want % x in %v", what, k, cols, got, at, ref, refAt)
					}
				}
				for what, loops := range map[string][2]func(acc []float64, x []byte){
					"magnitudes": {table.SumAbsRows[k.Kind()], want.SumAbsRows[k.Kind()]},
					"squares":    {table.SumSquareRows[k.Kind()], want.SumSquareRows[k.Kind()]},
				} {
					if loops[0] == nil {
						continue
					}
					got, unharmed := guarded(8 * cols)
					clear(got)
					ref := Alloc(len(got))
					loops[0](View[float64](got), x)
					loops[1](View[float64](ref), x)
					if !bytes.Equal(got, ref) || !unharmed() {
						t.Fatalf("sums of %s of %v, %d columns: % x, want % x", what, k, cols, got, ref)
					}
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
			if least := table.MinRows[k.Kind()]; least != nil {
				least(nil, nil)
			}
			for _, sums := range [][dtype.NumKinds]func(acc []float64, x []byte){table.SumAbsRows, table.SumSquareRows, table.MomentRows} {
				if sum := sums[k.Kind()]; sum != nil {
					sum(nil, nil)
				}
			}
		}
		table.SoftmaxRows[dtype.KindFloat32](nil, nil, 0)
	})
}

// Keys of every kind are in the order of the elements, whatever way the columns lie.
func TestArgRows(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	minus := math.Copysign(0, -1)
	columns := []struct {
		x           []float64
		most, least int64
		floats      bool
	}{
		{x: []float64{0, 1, 2, 3}, most: 3},
		{x: []float64{3, 3, 1, 0}, least: 3},
		{x: []float64{5, 5, 5, 5}},
		{x: []float64{0, 0, 1, 1}, most: 2},
		{x: []float64{-1, -2, -1, -5}, least: 3, floats: true},
		{x: []float64{0.25, -inf, inf, inf}, most: 2, least: 1, floats: true},
		{x: []float64{-inf, -inf, -inf, -inf}, floats: true},
		{x: []float64{1, nan, inf, nan}, most: 1, least: 1, floats: true},
		{x: []float64{-inf, 9, 9, nan}, most: 3, least: 3, floats: true},
		{x: []float64{minus, 0, minus, 0}, floats: true},
	}
	eachTable(t, func(t *testing.T, table *Table) {
		for _, k := range dtype.All() {
			most, least := table.ArgMaxRows[k.Kind()], table.ArgMinRows[k.Kind()]
			if most == nil {
				continue
			}
			for _, c := range columns {
				if c.floats && !k.IsFloat() {
					continue
				}
				for _, cols := range []int{1, 3, 37} { // 37: vectors, and one that overlaps
					x := Alloc(len(c.x) * cols * k.Size())
					for i, v := range c.x {
						if k == dtype.Bool {
							v = min(v, 1)
						}
						for j := range cols {
							table.Convert[dtype.KindFloat64][k.Kind()](x[(i*cols+j)*k.Size():][:k.Size()], Bytes([]float64{v}))
						}
					}
					for _, side := range []struct {
						what  string
						loop  func(best []byte, index []int64, x []byte, at int64)
						least bool
						want  int64
					}{{"greatest", most, false, c.most}, {"least", least, true, c.least}} {
						want := side.want
						if k == dtype.Bool && c.x[0] == 0 && c.x[1] == 1 && want == 3 {
							want = 1 // of 0, 1, 1, 1
						}
						row := cols * k.Size()
						for cut := 1; cut <= len(c.x); cut++ { // in two calls, the rows from number 100 on
							best, unharmed := guarded(row)
							copy(best, x)
							index := slices.Repeat([]int64{100}, cols)
							side.loop(best, index, x[:cut*row], 100)
							side.loop(best, index, x[cut*row:], 100+int64(cut))
							for i, got := range index {
								if at := int(got-100)*row + i*k.Size(); got != 100+want || !unharmed() || !bytes.Equal(best[i*k.Size():][:k.Size()], x[at:at+k.Size()]) {
									t.Errorf("%v: the %s of %v, cut at %d, is %d, want %d", k, side.what, c.x, cut, got, 100+want)
								}
							}
						}
						v := make([]float64, len(c.x))
						for i := range v {
							table.Convert[k.Kind()][dtype.KindFloat64](Bytes(v[i:i+1]), x[i*row:][:k.Size()])
						}
						if got := bestOf(v, side.least); got != want {
							t.Errorf("%v: the %s of %v, merged, is %d, want %d", k, side.what, c.x, got, want)
						}
					}
				}
			}
		}
	})
	// What is no float64 is told apart.
	if got := bestOf([]int64{math.MaxInt64 - 1, math.MaxInt64, math.MinInt64}, false); got != 1 {
		t.Errorf("the greatest int64 is %d", got)
	}
	if got := bestOf([]uint64{math.MaxUint64 - 1, math.MaxUint64, 0, 0}, true); got != 2 {
		t.Errorf("the least uint64 is %d", got)
	}
	if got := bestOf([]int64{math.MinInt64, math.MinInt64}, false); got != 0 {
		t.Errorf("of two least int64 the greatest is %d", got)
	}
}

// bestOf merges each element by itself, the last one first.
func bestOf[T int64 | uint64 | float64](v []T, least bool) int64 {
	all := NoBest
	for i := len(v) - 1; i >= 0; i-- {
		one := make([]Best, 1)
		FoldBest(one, v[i:i+1], []int64{int64(i)}, least)
		all.Merge(one[0])
	}
	return all.At
}

// TestMomentRows runs the definition in Table, word for word, over all widths around a few
// vectors.
func TestMomentRows(t *testing.T) {
	const widest, rows = 100, 5
	rng := rand.New(rand.NewPCG(3, 3))
	eachTable(t, func(t *testing.T, table *Table) {
		for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
			all := sample(rng, k, rows*widest)
			clearSpecials(k, all)
			for cols := range widest {
				x := all[:rows*cols*k.Size()]
				got, unharmed := guarded(3 * 8 * cols)
				acc, want := View[float64](got), make([]float64, 3*cols)
				for i := range acc {
					acc[i] = rng.NormFloat64()
				}
				copy(want, acc)
				for i := range rows * cols {
					c := i % cols
					d := sumTerm(k, x, i) - want[c]
					square := d * d
					want[cols+c] += d
					want[2*cols+c] += square
				}
				table.MomentRows[k.Kind()](acc, x[:2*cols*k.Size()]) // in any number of calls
				table.MomentRows[k.Kind()](acc, x[2*cols*k.Size():])
				if !unharmed() || !bytes.Equal(got, Bytes(want)) {
					t.Fatalf("%v, %d columns: %v, want %v", k, cols, acc, want)
				}
			}
		}
	})
}

// Moments of parts, merged, are those of the whole, against sums in 200 bits.
func TestMomentsAreTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, c := range []struct {
		what       string
		at, spread float64
		outlier    bool
		n, of      int // n parts of so many values
		limit      float64
	}{
		// A sum of so many squares rounds by 1e-16 each, the ones of a part in order.
		{"around 0", 0, 1, false, 40, 100, 2e-14},
		{"around a billion", 1e9, 1, false, 40, 100, 2e-14},
		{"beyond a mean's precision", 1e16, 100, false, 40, 100, 2e-14},
		// The part that begins with it loses a factor of its length, 100.
		{"behind one that is far away", 1e9, 1, true, 40, 100, 2e-12},
		{"one by one", 1e9, 1, false, 1000, 1, 2e-14},
	} {
		var parts []Moments
		var x []float64
		for range c.n {
			part := make([]float64, c.of)
			for i := range part {
				part[i] = c.at + c.spread*rng.NormFloat64()
			}
			if c.outlier && len(parts) == 0 {
				part[0] = 0
			}
			x = append(x, part...)
			acc, m := []float64{part[0], 0, 0}, make([]Moments, 1)
			momentRows[float64](acc, Bytes(part))
			FoldMoments(m, acc, c.of)
			parts = append(parts, m[0])
		}
		var all Moments
		for len(parts) > 1 { // by halves, and then what has no partner
			half := len(parts) / 2
			for i := range half {
				parts[i].Merge(parts[half+i])
			}
			parts = append(parts[:half], parts[2*half:]...)
		}
		all.Merge(parts[0])
		mean, squares := new(big.Float).SetPrec(200), new(big.Float).SetPrec(200)
		for _, v := range x {
			mean.Add(mean, big.NewFloat(v))
		}
		mean.Quo(mean, big.NewFloat(float64(len(x))))
		for _, v := range x {
			d := new(big.Float).Sub(new(big.Float).SetPrec(200).SetFloat64(v), mean)
			squares.Add(squares, d.Mul(d, d))
		}
		want, _ := squares.Float64()
		want /= float64(len(x)) - 1
		if got := all.Variance(1); math.Abs(got-want) > c.limit*want || all.N != float64(len(x)) {
			t.Errorf("%s: the variance of %v is %v, want %v: off by %.2g", c.what, all.N, got, want, math.Abs(got-want)/want)
		}
	}
	same, inf := Moments{3, 1e300, 0, 0}, Moments{1, math.Inf(1), 0, math.NaN()}
	same.Merge(Moments{2, 1e300, 0, 0})
	if same.Variance(0) != 0 || same.Mean != 1e300 {
		t.Errorf("of a constant: %v", same)
	}
	if same.Merge(inf); same.Squares == same.Squares {
		t.Errorf("with an infinity: %v", same)
	}
}

// The logarithm of a sum of exponentials against math's, and where that overflows.
func TestLogSumRows(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	rng := rand.New(rand.NewPCG(5, 5))
	random := make([]float64, 300)
	exact := 0.0
	for i := range random {
		random[i] = 3 * rng.NormFloat64()
		exact += math.Exp(random[i])
	}
	columns := []struct {
		x    []float64
		want float64
	}{
		{[]float64{1}, 1}, {[]float64{1000, 1000}, 1000 + math.Ln2}, {[]float64{-1000, -1000, -1e6}, -1000 + math.Ln2},
		{[]float64{-inf, -inf}, -inf}, {[]float64{-inf, 2, -inf}, 2}, {[]float64{3, inf, inf, -inf}, inf}, {[]float64{1, nan, inf}, nan},
		{[]float64{inf, nan}, nan}, {[]float64{nan, -inf}, nan}, {nil, -inf}, {random, math.Log(exact)},
	}
	eachTable(t, func(t *testing.T, table *Table) {
		for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
			for _, c := range columns {
				for _, cols := range []int{1, 2, 4, 8, 21} {
					x := Alloc(len(c.x) * cols * k.Size())
					for i, v := range c.x {
						for j := range cols {
							table.Convert[dtype.KindFloat64][k.Kind()](x[(i*cols+j)*k.Size():][:k.Size()], Bytes([]float64{v}))
						}
					}
					bytes, unharmed := guarded(2 * 8 * cols)
					acc := View[float64](bytes)
					top, sum := acc[:cols], acc[cols:]
					for i := range top {
						top[i], sum[i] = -inf, 0
					}
					cut := len(c.x) / 2 * cols * k.Size()
					table.LogSumRows[k.Kind()](top, sum, x[:cut])
					table.LogSumRows[k.Kind()](top, sum, x[cut:])
					for i := range top {
						// Exponentials round by 1e-16 of the greatest and, of float32 arguments, by those.
						limit := map[dtype.Type]float64{dtype.Float32: 1e-6, dtype.Float64: 1e-14}[k]
						got := LogSum{top[i], sum[i]}.Value()
						if got != c.want && !(math.Abs(got-c.want) <= limit*max(1, math.Abs(c.want))) && (got == got || c.want == c.want) || !unharmed() {
							t.Errorf("%v of %v, %d columns: %v, want %v", k, c.x, cols, got, c.want)
						}
					}
				}
			}
			// All levels compute the same, of numbers of any kind.
			const cols, rows = 37, 40
			x := sample(rng, k, rows*cols)
			clearSpecials(k, x[:len(x)/2])
			got, want := make([]float64, 2*cols), make([]float64, 2*cols)
			table.LogSumRows[k.Kind()](got[:cols], got[cols:], x)
			generic().LogSumRows[k.Kind()](want[:cols], want[cols:], x)
			compare(t, testCase{dst: dtype.Float64, src: []dtype.Type{k}}, Bytes(got), Bytes(want), nil)
		}
	})
	// Parts, merged in any order, are the whole.
	for _, c := range columns {
		all := NoLogSum
		for i := len(c.x) - 1; i >= 0; i-- {
			all.Merge(LogSum{c.x[i], 1})
		}
		if got := all.Value(); !(math.Abs(got-c.want) <= 1e-14*max(1, math.Abs(c.want))) && got != c.want && (got == got || c.want == c.want) {
			t.Errorf("merged of %v: %v, want %v", c.x, got, c.want)
		}
	}
}
