package kernel

import "math"

// The functions below use only additions, multiplications, divisions, math.FMA,
// which rounds once on every machine, and moves of bits, every result rounded to
// float64, in the order written. Their results are therefore the same on every
// machine, which those of package math aren't. Their errors, in units in the
// last place, are bounded by the tests.

// poly returns c[0]*x^(n-1) + ... + c[n-2]*x + c[n-1], n = len(c) > 0, by
// Horner's rule.
func poly(x float64, c []float64) float64 {
	y := c[0]
	for _, v := range c[1:] {
		y = float64(y*x) + v
	}
	return y
}

// ln2Hi + ln2Lo is ln 2. ln2Hi ends in so many zero bits that its product with
// an exponent is exact.
const (
	ln2Hi = 0x1.62e42feep-01
	ln2Lo = 0x1.a39ef35793c76p-33
)

// horner is poly with each multiplication and addition fused.
func horner(x float64, c ...float64) float64 {
	y := c[0]
	for _, v := range c[1:] {
		y = math.FMA(y, x, v)
	}
	return y
}

// expSeries returns the Taylor series of (e^r-1-r)/r², 1/2! + r/3! + ... +
// r^12/14!, the even and the odd powers apart, since they can be computed at
// the same time. For |r| <= ln(2)/2 what is left out is less than 1e-18 of e^r.
func expSeries(r float64) float64 {
	q := float64(r * r)
	even := horner(q, 1./87178291200, 1./479001600, 1./3628800, 1./40320, 1./720, 1./24, 1./2)
	odd := horner(q, 1./6227020800, 1./39916800, 1./362880, 1./5040, 1./120, 1./6)
	return math.FMA(odd, r, even)
}

// expParts returns k and p such that e^x = 2^k * (1+p) and |p| < 0.42, for
// finite |x| < 2^20.
func expParts(x float64) (k int, p float64) {
	const shift = 0x1.8p52 // adding it rounds to an integer
	n := math.FMA(x, math.Log2E, shift) - shift
	r := math.FMA(-n, ln2Hi, x)
	lo := float64(n * ln2Lo)
	s := r - lo
	// What s = r-lo rounds away is added to the series' first term.
	p = math.FMA(float64(s*s), expSeries(s), r-s-lo)
	return int(n), s + p
}

// exp returns e^x, with math.Exp's special cases. Its error is below 1 ulp.
func exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709.8:
		return math.Inf(1)
	case x < -745.2:
		return 0
	}
	k, p := expParts(x)
	// Two steps, because 2^k alone may not be a float64. Only the second rounds.
	return float64((1+p)*pow2(k>>1)) * pow2(k-k>>1)
}

// pow2 returns 2^k for -1022 <= k <= 1023.
func pow2(k int) float64 { return math.Float64frombits(uint64(k+1023) << 52) }

// logTerms are the coefficients of the series of artanh(s)/s-1 in s², 1/23 to
// 1/3. For s² < 0.0295 what is left out is less than 1e-19.
var logTerms = [...]float64{
	1. / 23, 1. / 21, 1. / 19, 1. / 17, 1. / 15, 1. / 13, 1. / 11, 1. / 9, 1. / 7, 1. / 5, 1. / 3, 0,
}

// split returns k and f such that a positive normal number is 2^k·(1+f) and 1+f
// lies between √½ and √2.
func split(x float64) (k, f float64) {
	const sqrtHalf = 0x3fe6a09e667f3bcd // its bits
	u := math.Float64bits(x) - sqrtHalf
	return float64(int64(u) >> 52), math.Float64frombits(u&(1<<52-1)+sqrtHalf) - 1
}

// logSum returns k·ln 2 + log(1+f), which with s = f/(2+f) is k·ln 2 + 2·artanh(s).
func logSum(k, f float64) float64 {
	s := f / (2 + f)
	// 2·artanh(s) = 2s + 2s·t, and 2s = f - s·f.
	t := poly(float64(s*s), logTerms[:])
	tail := float64(2*s*t) - float64(s*f)
	return float64(k*ln2Hi) + (f + (tail + float64(k*ln2Lo)))
}

// log returns the natural logarithm, with math.Log's special cases.
func log(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x == 0:
		return math.Inf(-1)
	case x < 0:
		return math.NaN()
	case x < 0x1p-1022:
		k, f := split(x * 0x1p54)
		return logSum(k-54, f)
	}
	return logSum(split(x))
}

// log1p returns log(1+x), with math.Log1p's special cases.
func log1p(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x == -1:
		return math.Inf(-1)
	case x < -1:
		return math.NaN()
	}
	return math.Copysign(logOnePlus(x), x)
}

// logOnePlus returns log(1+x) for finite x > -1, not NaN, but +0 for -0. Where 1+x has the
// exponent of 1, x itself is what the sum rounds; elsewhere the logarithm is so far
// from 0 that the rounding is a small part of it.
func logOnePlus(x float64) float64 {
	k, f := split(1 + x)
	if k == 0 {
		f = x
	}
	return logSum(k, f)
}

// expm1 returns e^x - 1, with math.Expm1's special cases.
func expm1(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 40: // the 1 is less than half a unit in the last place
		return exp(x)
	case x < -50:
		return -1
	}
	k, p := expParts(x)
	scale := pow2(k)
	return math.Copysign(math.FMA(scale, p, scale-1), x)
}

// tanh returns the hyperbolic tangent, as t/(t+2) with t = e^2|x| - 1.
func tanh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case x != x:
		return x
	case a > 22: // 1 - 2/(e^44+1) rounds to 1
		return math.Copysign(1, x)
	}
	k, p := expParts(2 * a)
	scale := pow2(k)
	t := math.FMA(scale, p, scale-1)
	return math.Copysign(t/(t+2), x)
}

// sigmoid is 1/(1+e^-x), or e^x/(1+e^x) where that keeps small values exact;
// in either case the exponential is at most 1.
func sigmoid(x float64) float64 {
	e := exp(-math.Abs(x))
	num := math.Float64bits(1)
	if x < 0 {
		num = math.Float64bits(e)
	}
	return math.Float64frombits(num) / (1 + e)
}
