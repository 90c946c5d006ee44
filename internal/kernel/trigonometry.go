package kernel

import (
	"math"
	"math/bits"
)

// halfPi1 + halfPi2 + halfPi3 is π/2 to 160 bits. halfPi1 is a multiple of 2^-52.
const (
	halfPi1 = 0x1.921fb54442d18p+0
	halfPi2 = 0x1.1a62633145c07p-54
	halfPi3 = -0x1.f1976b7ed8fbcp-110
)

// twoOverPi holds the bits of 2/π behind the point.
var twoOverPi = [...]uint64{
	0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e,
	0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7,
	0x4f463f669e5fea2d, 0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
}

// quadrant returns n modulo 4 and the number hi+lo between -π/4 and π/4, or a little
// beyond, such that x = n·π/2 + hi + lo, for finite x. lo is less than half a unit in
// the last place of hi.
func quadrant(x float64) (n int, hi, lo float64) {
	const shift = 0x1.8p52 // adding it rounds to an integer
	if math.Abs(x) > 1<<20 {
		return farQuadrant(x)
	}
	k := math.FMA(x, 2/math.Pi, shift) - shift
	r := math.FMA(-k, halfPi1, x) // exact
	w := float64(k * halfPi2)
	rest := math.FMA(-k, halfPi2, w) - float64(k*halfPi3)
	t := r - w
	hi, lo = sumOf(t, r-t-w+rest)
	return int(k) & 3, hi, lo
}

// farQuadrant multiplies by as many bits of 2/π as matter, those that give no
// multiple of 4 (Payne and Hanek 1983).
func farQuadrant(x float64) (n int, hi, lo float64) {
	u := math.Float64bits(x)
	m := u&(1<<52-1) | 1<<52
	// x is m·2^e. The product with bits at places from e-61 on, 2^e times those before
	// being multiples of 2^61 and so, times m, of more.
	e := int(u>>52&0x7ff) - 1075
	word := func(i int) uint64 { // 64 bits of 2/π from the place e-1+64·i behind the point
		at := e - 2 + 64*i
		if at < 0 {
			return twoOverPi[0] >> -at
		}
		v := twoOverPi[at/64] << (at % 64)
		if at%64 > 0 {
			v |= twoOverPi[at/64+1] >> (64 - at%64)
		}
		return v
	}
	// The upper two bits of 128 are the quadrant, the others the part of the next one.
	high, low := bits.Mul64(word(1), m)
	carryHigh, _ := bits.Mul64(word(2), m)
	low, carry := bits.Add64(low, carryHigh, 0)
	high += word(0)*m + carry
	n = int(high >> 62)
	high, low = high<<2|low>>62, low<<2
	negative := high>>63 == 1 // half a quadrant or more: one less from the next
	if negative {
		n++
		high, low = ^high, ^low
	}
	// As a number, the first 53 bits apart from those after.
	z := bits.LeadingZeros64(high)
	high, low = high<<z|low>>(64-z), low<<z
	f := math.Ldexp(float64(high>>11), -53-z)
	g := math.Ldexp(float64(high<<53>>1|low>>12), -116-z)
	w := float64(f * halfPi1)
	hi, lo = sumOf(w, math.FMA(f, halfPi1, -w)+(float64(f*halfPi2)+float64(g*halfPi1)))
	if math.Signbit(x) != negative {
		hi, lo = -hi, -lo
	}
	if math.Signbit(x) {
		n = -n
	}
	return n & 3, hi, lo
}

// sumOf returns a+b as the nearest number and the rest, b being much smaller.
func sumOf(a, b float64) (hi, lo float64) {
	hi = a + b
	return hi, a - hi + b
}

// The coefficients of Taylor's series of (sin(r)-r)/r³ and (cos(r)-1+r²/2)/r⁴ in r²,
// the highest power first. For |r| < 0.8 what is left out is less than 1e-18.
var (
	sinTerms = [...]float64{-1. / 121645100408832000, 1. / 355687428096000, -1. / 1307674368000, 1. / 6227020800, -1. / 39916800, 1. / 362880, -1. / 5040, 1. / 120, -1. / 6}
	cosTerms = [...]float64{-1. / 6402373705728000, 1. / 20922789888000, -1. / 87178291200, 1. / 479001600, -1. / 3628800, 1. / 40320, -1. / 720, 1. / 24}
)

// sinOf and cosOf are of hi+lo, as quadrant gives it.
func sinOf(hi, lo float64) float64 {
	q := float64(hi * hi)
	return hi + math.FMA(float64(q*hi), horner(q, sinTerms[:]...), float64(lo*(1-q/2)))
}

func cosOf(hi, lo float64) float64 {
	q := float64(hi * hi)
	half := q / 2
	one := 1 - half
	// What 1 - q/2 rounds away, what q has, and lo's part.
	rest := 1 - one - half - math.FMA(hi, hi, -q)/2 - float64(hi*lo)
	return one + math.FMA(float64(q*q), horner(q, cosTerms[:]...), rest)
}

// sin and cos have math.Sin's and math.Cos's special cases.
func sin(x float64) float64 {
	if x == 0 {
		return x
	}
	return wave(x, 0)
}

func cos(x float64) float64 { return wave(x, 1) }

// wave is sin(x + quarters·π/2).
func wave(x float64, quarters int) float64 {
	if x-x != 0 {
		return math.NaN()
	}
	n, hi, lo := quadrant(x)
	n += quarters
	y := 0.0
	if n&1 == 0 {
		y = sinOf(hi, lo)
	} else {
		y = cosOf(hi, lo)
	}
	if n&2 != 0 {
		y = -y
	}
	return y
}
