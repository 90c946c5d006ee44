package kernel

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"fusectl/internal/dtype"
)

// awkward64 are arguments around every place where a function changes its
// formula or its result's form, and between.
func awkward64() []float64 {
	var x []float64
	inf := math.Inf(1)
	for _, v := range []float64{
		0, 0x1p-1074, 0x1p-1022, 0x1p-60, 0x1p-27, math.Ln2 / 2, 0.46875, 0.46875 * math.Sqrt2, 1, 4, 4 * math.Sqrt2,
		22, 38.5, 39, 103.97, 354.9, 708.3, 708.4, 709.78, 709.8, 744.44, 745.13, 745.2, 746, 1 << 20, 1e19, 1e155, 1e300, math.MaxFloat64, inf,
	} {
		below, above := v, v
		for range 50 {
			x = append(x, below, -below, above, -above)
			below, above = math.Nextafter(below, -inf), math.Nextafter(above, inf)
		}
	}
	for i := -40000; i <= 40000; i++ {
		x = append(x, float64(i)/1024, float64(i)/50)
	}
	for e := -1074; e <= 1023; e++ { // every binade
		x = append(x, math.Ldexp(1.2345, e), -math.Ldexp(1.6789, e))
	}
	for _, u := range []uint64{0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001, 0xffffffffffffffff} {
		x = append(x, math.Float64frombits(u))
	}
	return x
}

// arguments are the awkward ones and random bits.
func arguments(k dtype.Type) []byte {
	rng := rand.New(rand.NewPCG(7, 8))
	awkward := awkward64()
	const random = 1 << 18
	if k == dtype.Float64 {
		for range random {
			u := rng.Uint64()
			if u&1 == 1 { // an exponent near that of 1: most others are of one region
				u = u&^(0x7ff<<52) | (1023-30+u>>1%42)<<52
			}
			awkward = append(awkward, math.Float64frombits(u))
		}
		return Bytes(awkward)
	}
	var x []float32
	for _, v := range awkward {
		x = append(x, float32(v))
	}
	for range random {
		x = append(x, math.Float32frombits(rng.Uint32()))
	}
	return Bytes(x)
}

// TestVectorizedElementary wants the bytes of the loops in Go.
func TestVectorizedElementary(t *testing.T) {
	for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
		x := arguments(k)
		for _, a := range Activations() {
			for _, p := range parametersOf(a) {
				want := Alloc(len(x))
				newTable(genericLevel).Activation(a.Name, k.Kind(), p...)(want, x)
				for _, level := range Levels() {
					t.Run(fmt.Sprint(a.Name, p, "/", k, "/", level), func(t *testing.T) {
						t.Parallel()
						got := Alloc(len(x))
						loop := newTable(level).Activation(a.Name, k.Kind(), p...)
						loop(got, x)
						compare(t, testCase{dst: k, src: []dtype.Type{k}}, got, want, [][]byte{x})
						checkLengths(t, k, x, want, loop)
					})
				}
			}
		}
	}
}

// checkLengths runs a loop over pieces of x of all lengths, in place and not,
// and at addresses that needn't be multiples of a vector.
func checkLengths(t *testing.T, k dtype.Type, x, want []byte, loop Loop2) {
	for n := range 71 {
		from := 1000 * n * k.Size()
		size := n * k.Size()
		src, want := x[from:from+size], want[from:from+size]
		for _, inPlace := range []bool{false, true} {
			dst, unharmed := guarded(size)
			if inPlace {
				copy(dst, src)
				loop(dst, dst)
			} else {
				before := bytes.Clone(src)
				loop(dst, src)
				if !bytes.Equal(before, src) {
					t.Fatalf("n=%d: wrote to the operand", n)
				}
			}
			if !unharmed() {
				t.Fatalf("n=%d: wrote outside dst", n)
			}
			compare(t, testCase{dst: k, src: []dtype.Type{k}}, dst, want, [][]byte{src})
		}
	}
}

// TestVectorizedSoftmax wants the bytes of the loop in Go, NaNs included, for
// rows of all lengths around the vectors and the lanes of a sum.
func TestVectorizedSoftmax(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	numbers := slices.DeleteFunc(awkward64(), func(v float64) bool { return v != v || math.IsInf(v, 0) })
	near := slices.DeleteFunc(slices.Clone(numbers), func(v float64) bool { return math.Abs(v) > 40 })
	mixes := []struct { // of the values and of ordinary ones
		share  float64
		values []float64
	}{
		{0, numbers}, {1, numbers}, {0.1, numbers}, {1, near}, {0.5, near},
		{1, []float64{-inf}}, {0.5, []float64{-inf}}, {1, []float64{-inf, nan}}, {0.03, []float64{nan}},
		{0.03, []float64{inf}}, {0.5, []float64{inf, -inf, nan}}, {1, []float64{0, math.Copysign(0, -1)}},
		{1, []float64{math.MaxFloat64, -math.MaxFloat64, 1}}, {1, []float64{math.MaxFloat32, -math.MaxFloat32, 1}},
		{1, []float64{0, -85, -103, -708.3, -708.5, -740, -745.1, -745.15, -745.3, -746, -1e4}},
	}
	const most = 140
	for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
		for _, level := range Levels() {
			t.Run(fmt.Sprintf("%v/%s", k, level), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(9, 10))
				for cols := range most + 1 {
					var rows []float64
					for _, m := range mixes {
						for range cols {
							v := 2 * rng.NormFloat64()
							if rng.Float64() < m.share {
								v = m.values[rng.IntN(len(m.values))]
							}
							rows = append(rows, v)
						}
					}
					x, want := Alloc(len(rows)*k.Size()), Alloc(len(rows)*k.Size())
					Active().Convert[dtype.KindFloat64][k.Kind()](x, Bytes(rows))
					generic, table := newTable(genericLevel), newTable(level)
					for i, loop := range []func(dst, src []byte, cols int){table.SoftmaxRows[k.Kind()], table.LogSoftmaxRows[k.Kind()]} {
						[]func(dst, src []byte, cols int){generic.SoftmaxRows[k.Kind()], generic.LogSoftmaxRows[k.Kind()]}[i](want, x, cols)
						dst, unharmed := guarded(len(x))
						for _, inPlace := range []bool{false, true} {
							src := bytes.Clone(x)
							if inPlace {
								copy(dst, x)
								src = dst
							}
							loop(dst, src, cols)
							if !bytes.Equal(dst, want) || !unharmed() || !inPlace && !bytes.Equal(src, x) {
								t.Fatalf("cols=%d, in place %v, logarithms %v: the same %v, canaries unharmed %v", cols, inPlace, i == 1, bytes.Equal(dst, want), unharmed())
							}
						}
					}
				}
			})
		}
	}
}

// TestVectorizedAllocatesNothing runs lengths that aren't whole vectors.
func TestVectorizedAllocatesNothing(t *testing.T) {
	x := Alloc(8 * 37)
	for _, level := range Levels() {
		table := newTable(level)
		loops := map[string]func(){
			"softmax":     func() { table.SoftmaxRows[dtype.KindFloat64](x, x, 37) },
			"log-softmax": func() { table.LogSoftmaxRows[dtype.KindFloat64](x, x, 37) },
		}
		for _, a := range Activations() {
			loop := table.Activation(a.Name, dtype.KindFloat64)
			loops[a.Name] = func() { loop(x, x) }
		}
		for name, loop := range loops {
			if n := testing.AllocsPerRun(100, loop); n > 0 {
				t.Errorf("%s, %s: %v allocations", level, name, n)
			}
		}
	}
}

// BenchmarkElementary reports elements a nanosecond.
func BenchmarkElementary(b *testing.B) {
	for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
		src, dst := Alloc(64<<10), Alloc(64<<10)
		fillNormal(rand.New(rand.NewPCG(5, 6)), k, src)
		for _, level := range Levels() {
			table := newTable(level)
			run := func(name string, loop func()) {
				b.Run(fmt.Sprintf("%s/%v/%s", name, k, level), func(b *testing.B) {
					for b.Loop() {
						loop()
					}
					b.ReportMetric(float64(b.N*len(src)/k.Size())/float64(b.Elapsed().Nanoseconds()), "elements/ns")
				})
			}
			for _, a := range Activations() {
				loop := table.Activation(a.Name, k.Kind())
				run(a.Name, func() { loop(dst, src) })
			}
			run("log-softmax", func() { table.LogSoftmaxRows[k.Kind()](dst, src, 1024) })
			run("softmax", func() { table.SoftmaxRows[k.Kind()](dst, src, 1024) })
		}
	}
}
