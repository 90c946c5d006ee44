package kernel

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"fusectl/internal/dtype"
)

// powArguments are pairs whose powers are finite, of all magnitudes; near 1, by large
// exponents, where an error of the logarithm counts most; and of numbers below 0.
func powArguments(n int) (x, y []float64) {
	rng := rand.New(rand.NewPCG(21, 22))
	for range n {
		a := exp(1400 * (rng.Float64() - 0.5))
		if rng.IntN(2) == 0 {
			a = 1 + math.Ldexp(rng.Float64()-0.5, -rng.IntN(50))
		}
		b := 1400 * (rng.Float64() - 0.5) / math.Abs(log(a))
		switch rng.IntN(4) {
		case 0:
			b = math.Round(b)
			a = -a
		case 1:
			b = float64(rng.IntN(9))/2 - 2
		}
		x, y = append(x, a), append(y, b)
	}
	return x, y
}

// TestPowIsAccurate compares with 200 bits. An ulp is that of the result where it is
// normal.
func TestPowIsAccurate(t *testing.T) {
	const most = 0.75 // 0.5 of it is the last rounding; the worst of thirty times as many is 0.67
	x, y := powArguments(4000)
	worst := 0.0
	for i := range x {
		want := refPow(dtype.Float64, value{re: fromFloat64(x[i])}, value{re: fromFloat64(y[i])}).re
		got := pow(x[i], y[i])
		if want.f == nil || math.IsInf(got, 0) || math.Abs(got) < 0x1p-1022 {
			continue // TestLoops has these
		}
		off := new(big.Float).Sub(want.f, new(big.Float).SetFloat64(got))
		d, _ := off.Abs(off).Float64()
		d /= dtype.Float64.ULP(got)
		worst = max(worst, d)
		if d > most {
			t.Errorf("pow(%v, %v) = %v: off by %.3f ulp", x[i], y[i], got, d)
		}
	}
	t.Logf("%.3f ulp", worst)
}

// Powers that float64 holds are exact, and a float32's square is its product with
// itself, rounded.
func TestPowIsExactWhereItCanBe(t *testing.T) {
	for n := 1; n <= 40; n++ {
		exact := 1.0
		for e := range 12 {
			if exact > 1<<53 {
				break
			}
			for _, c := range [][3]float64{
				{float64(n), float64(e), exact}, {-float64(n), float64(e), math.Copysign(exact, math.Pow(-1, float64(e)))},
				{exact, 0.5, math.Sqrt(exact)}, {exact, 1, exact}, {math.Ldexp(exact, 50), 1, math.Ldexp(exact, 50)},
			} {
				if root := c[2]; c[1] == 0.5 && root != math.Trunc(root) {
					continue
				}
				if got := pow(c[0], c[1]); got != c[2] {
					t.Errorf("pow(%v, %v) = %v, want %v", c[0], c[1], got, c[2])
				}
			}
			exact *= float64(n)
		}
	}
	x := View[float32](sample(rand.New(rand.NewPCG(23, 24)), dtype.Float32, 3000))
	two, got := make([]float32, len(x)), make([]float32, len(x))
	for i := range two {
		two[i] = 2
	}
	Active().Pow[dtype.KindFloat32](Bytes(got), Bytes(x), Bytes(two))
	for i, v := range x {
		if want := v * v; got[i] != want && want == want {
			t.Errorf("pow(%v, 2) = %v, want %v", v, got[i], want)
		}
	}
}

// C's special cases, one by one.
func TestPowSpecialCases(t *testing.T) {
	inf, nan, minus := math.Inf(1), math.NaN(), math.Copysign(0, -1)
	const tiny, huge = 0x1p-1074, math.MaxFloat64
	for _, c := range [][3]float64{
		{nan, 0, 1}, {nan, minus, 1}, {1, nan, 1}, {1, inf, 1}, {1, -inf, 1}, {0, 0, 1}, {inf, 0, 1}, {-2, 0, 1}, {-inf, minus, 1},
		{nan, 1, nan}, {-1, nan, nan}, {2, nan, nan}, {0, nan, nan}, {-1, inf, 1}, {-1, -inf, 1},
		{0, -1, inf}, {minus, -1, -inf}, {minus, -2, inf}, {minus, -0.5, inf}, {0, -inf, inf}, {minus, -inf, inf}, {minus, -3, -inf},
		{0, 1, 0}, {minus, 1, minus}, {minus, 2, 0}, {minus, 0.5, 0}, {0, inf, 0}, {minus, inf, 0}, {0, tiny, 0}, {minus, tiny, 0},
		{0.5, inf, 0}, {-0.5, inf, 0}, {0.5, -inf, inf}, {-0.5, -inf, inf}, {2, inf, inf}, {-2, inf, inf}, {2, -inf, 0}, {-2, -inf, 0},
		{inf, 1, inf}, {inf, -1, 0}, {inf, tiny, inf}, {inf, -tiny, 0}, {-inf, 1, -inf}, {-inf, 2, inf}, {-inf, 0.5, inf}, {-inf, -1, minus},
		{-inf, -2, 0}, {-inf, -0.5, 0}, {inf, inf, inf}, {-inf, inf, inf}, {-inf, -inf, 0}, {inf, -inf, 0},
		{-1, 0.5, nan}, {-2, -1.5, nan}, {-huge, 0.5, nan}, {-tiny, 0.5, nan}, {-tiny, tiny, nan}, {-1, huge, 1}, {-1, 1<<53 - 1, -1}, {-1, 1 << 53, 1},
		{huge, 2, inf}, {-huge, 3, -inf}, {huge, -2, 0}, {-huge, -3, minus}, {tiny, 2, 0}, {tiny, -1, inf}, {tiny, 1, tiny}, {-tiny, 1, -tiny},
		{2, 1023, 0x1p1023}, {2, 1024, inf}, {2, -1074, tiny}, {2, -1075, 0}, {2, -1076, 0}, {huge, 1, huge}, {0x1p-1060, 0.5, 0x1p-530},
		{huge, tiny, 1}, {tiny, tiny, 1}, {2, -1022, 0x1p-1022}, {4, 511.5, 0x1p1023}, {0x1p-537, 2, tiny},
	} {
		eachTable(t, func(t *testing.T, table *Table) {
			const n = 11 // a vector and some rest
			x, y, got := make([]float64, n), make([]float64, n), make([]float64, n)
			for i := range n {
				x[i], y[i] = c[0], c[1]
			}
			table.Pow[dtype.KindFloat64](Bytes(got), Bytes(x), Bytes(y))
			for i, g := range got {
				if math.Float64bits(g) != math.Float64bits(c[2]) && (g == g || c[2] == c[2]) {
					t.Errorf("%d: pow(%v, %v) = %v, want %v", i, c[0], c[1], g, c[2])
				}
			}
		})
	}
}

// TestVectorizedPow wants the bytes of the loop in Go, NaNs included.
func TestVectorizedPow(t *testing.T) {
	var x, y []float64
	awkward := awkward64()
	rng := rand.New(rand.NewPCG(25, 26))
	for range 1 << 17 {
		x, y = append(x, awkward[rng.IntN(len(awkward))]), append(y, awkward[rng.IntN(len(awkward))])
	}
	a, b := powArguments(1 << 17)
	x, y = append(x, a...), append(y, b...)
	for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
		convert := func(v []float64) []byte {
			out := Alloc(len(v) * k.Size())
			Active().Convert[dtype.KindFloat64][k.Kind()](out, Bytes(v))
			return out
		}
		src := [][]byte{convert(x), convert(y)}
		want := Alloc(len(src[0]))
		newTable(genericLevel).Pow[k.Kind()](want, src[0], src[1])
		for _, level := range Levels() {
			t.Run(fmt.Sprintf("%v/%s", k, level), func(t *testing.T) {
				got := Alloc(len(want))
				newTable(level).Pow[k.Kind()](got, src[0], src[1])
				compare(t, testCase{dst: k, src: []dtype.Type{k, k}}, got, want, src)
				if !bytes.Equal(got, want) {
					t.Error("the NaNs differ")
				}
			})
		}
	}
}

// TestPowBy wants the bytes of Pow for every sign, exponent and case of float32, with some of
// the digits each.
func TestPowBy(t *testing.T) {
	var x []float32
	rng := rand.New(rand.NewPCG(27, 28))
	for high := range uint32(1 << 12) { // sign, exponent and the three first digits
		for _, low := range []uint32{0, 1, 2, 1<<20 - 2, 1<<20 - 1} {
			x = append(x, math.Float32frombits(high<<20|low))
		}
		for range 60 {
			x = append(x, math.Float32frombits(high<<20|rng.Uint32N(1<<20)))
		}
	}
	all := []struct {
		what string
		x    []float32
	}{{"all", x}, {"without -Inf and NaN", slices.DeleteFunc(slices.Clone(x), func(v float32) bool { return !(v >= -math.MaxFloat32) })}}
	eachTable(t, func(t *testing.T, table *Table) {
		for _, y := range []float32{1, 2, 0.5, -1} {
			loop := table.PowBy(float64(y))
			for _, of := range all {
				want, got := make([]float32, len(of.x)), slices.Clone(of.x)
				table.Pow[dtype.KindFloat32](Bytes(want), Bytes(of.x), Bytes(slices.Repeat([]float32{y}, len(of.x))))
				loop(Bytes(got), Bytes(got))
				for i, v := range got {
					if math.Float32bits(v) != math.Float32bits(want[i]) {
						t.Fatalf("%s: pow(%v, %v) = %v, want %v", of.what, of.x[i], y, v, want[i])
					}
				}
			}
		}
		if table.PowBy(3) != nil || table.PowBy(0) != nil || table.PowBy(math.NaN()) != nil {
			t.Error("a loop for an exponent that has none")
		}
	})
}

// TestPowBytes pins results to the last bit: they must be the same on every machine.
func TestPowBytes(t *testing.T) {
	x, y := powArguments(5000)
	out := make([]float64, len(x))
	Active().Pow[dtype.KindFloat64](Bytes(out), Bytes(x), Bytes(y))
	checkHash(t, Bytes(out), "a642a2c1698df1f5")
}
