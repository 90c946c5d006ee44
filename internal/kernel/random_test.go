package kernel

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mathext"

	"fusectl/internal/dtype"
)

// checkHash compares SHA-256, shortened.
func checkHash(t *testing.T, b []byte, want string) {
	t.Helper()
	sum := sha256.Sum256(b)
	if got := hex.EncodeToString(sum[:8]); got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

// TestDraw compares with the numbers that Vigna's splitmix64.c and Java's
// SplittableRandom print for the seed 1234567.
func TestDraw(t *testing.T) {
	for i, want := range []uint64{
		6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
	} {
		if got := draw(1234567, int64(i)); got != want {
			t.Errorf("draw %d: %d, want %d", i, got, want)
		}
	}
}

// random returns n elements as float64.
func random(loops [dtype.NumKinds]func([]byte, uint64, int64), k dtype.Type, n int) []float64 {
	b := Alloc(n * k.Size())
	loops[k.Kind()](b, 42, 0)
	f := make([]float64, n)
	Active().Convert[k.Kind()][dtype.KindFloat64](Bytes(f), b)
	return f
}

// TestRandomDistribution measures 400 000 numbers. Moments have standard
// errors of at most √(96/n), that of the fourth moment; the limit is five of
// them. The distance of Kolmogorov and Smirnov exceeds 1.95/√n once in a
// thousand seeds.
func TestRandomDistribution(t *testing.T) {
	const n = 400_000
	for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
		for _, c := range []struct {
			name        string
			x           []float64
			moments     [4]float64
			probability func(float64) float64
		}{
			{"uniform", random(Active().Uniform, k, n), [4]float64{1. / 2, 1. / 3, 1. / 4, 1. / 5}, func(x float64) float64 { return x }},
			{"normal", random(Active().Normal, k, n), [4]float64{0, 1, 0, 3}, func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }},
		} {
			for m, want := range c.moments {
				sum := 0.0
				for _, v := range c.x {
					sum += math.Pow(v, float64(m+1))
				}
				if math.Abs(sum/n-want) > 5*math.Sqrt(96./n) {
					t.Errorf("%s %v: moment %d is %v, want %v", c.name, k, m+1, sum/n, want)
				}
			}
			slices.Sort(c.x)
			if c.name == "uniform" && (c.x[0] < 0 || c.x[n-1] >= 1) {
				t.Errorf("%s %v: from %v to %v", c.name, k, c.x[0], c.x[n-1])
			}
			distance := 0.0
			for i, v := range c.x {
				p := c.probability(v)
				distance = max(distance, p-float64(i)/n, float64(i+1)/n-p)
			}
			if distance > 1.95/math.Sqrt(n) {
				t.Errorf("%s %v: distance %v", c.name, k, distance)
			}
		}
	}
}

// TestRandomOffsets pins that element i is the same however it is come by.
func TestRandomOffsets(t *testing.T) {
	for _, k := range []dtype.Type{dtype.Float32, dtype.Float64} {
		for name, loop := range map[string]func([]byte, uint64, int64){
			"uniform": Active().Uniform[k.Kind()], "normal": Active().Normal[k.Kind()],
		} {
			whole := Alloc(100 * k.Size())
			loop(whole, 7, 1<<40)
			for off := range 100 {
				part := Alloc((100 - off) * k.Size())
				loop(part, 7, 1<<40+int64(off))
				if !bytes.Equal(part, whole[off*k.Size():]) {
					t.Fatalf("%s %v: other elements from %d on", name, k, off)
				}
			}
		}
	}
}

// TestNormalQuantile compares with gonum, which has the same approximation with
// math.Log, and multiplications and additions in another order: some ten
// roundings on either side, of 2^-53 each.
func TestNormalQuantile(t *testing.T) {
	check := func(u float64) {
		got, want := normalQuantile(u), mathext.NormalQuantile(u)
		if !(math.Abs(got-want) <= 20*0x1p-53*math.Abs(want)) {
			t.Errorf("normalQuantile(%v) = %v, want %v", u, got, want)
		}
	}
	for i := range 100_000 {
		check((float64(i) + 0.5) / 100_000)
	}
	for e := 2; e <= 53; e++ { // the tails, with the least and greatest u there are
		check(math.Ldexp(1, -e))
		check(1 - math.Ldexp(1, -e))
	}
}

// TestRandomBytes pins the sequences: the same on every machine, for ever.
func TestRandomBytes(t *testing.T) {
	for _, c := range []struct {
		name  string
		loops [dtype.NumKinds]func([]byte, uint64, int64)
		k     dtype.Type
		want  string
	}{
		{"uniform", Active().Uniform, dtype.Float32, "a9cc719f3b4050bd"},
		{"uniform", Active().Uniform, dtype.Float64, "0ba738f57823a4e6"},
		{"normal", Active().Normal, dtype.Float32, "67594127235f5e84"},
		{"normal", Active().Normal, dtype.Float64, "bdd3008eb875f193"},
	} {
		t.Run(c.name+"/"+c.k.String(), func(t *testing.T) {
			b := Alloc(100_000 * c.k.Size())
			c.loops[c.k.Kind()](b, 2024, -5)
			checkHash(t, b, c.want)
		})
	}
}
