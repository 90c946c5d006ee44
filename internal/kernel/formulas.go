package kernel

import "math"

// The functions of the list of activations, of a number and constants. Products that
// are added to something are rounded first, as doc.go says; what is near 0 is computed
// without a difference that cancels.

// clip leaves a zero its sign.
func clip(x float64, c []float64) float64 {
	if x < c[0] {
		x = c[0]
	}
	if x > c[1] {
		x = c[1]
	}
	return x
}

func positive([]float64) []float64 { return []float64{0, math.Inf(1)} }
func upTo6([]float64) []float64    { return []float64{0, 6} }

// threshold is given the threshold and what stands in place of numbers up to it.
func threshold(x float64, c []float64) float64 {
	if x <= c[0] {
		return c[1]
	}
	return x
}

func orZero(p []float64) []float64 { return []float64{p[0], 0} }

func leaky(x float64, c []float64) float64 {
	if x > 0 {
		return x
	}
	return c[0] * x
}

// elu is given the factors of positive numbers, of e^(rate·x)-1, and the rate.
func elu(x float64, c []float64) float64 {
	if x > 0 {
		return c[0] * x
	}
	return c[1] * expm1(float64(c[2]*x))
}

func ofElu(p []float64) []float64  { return []float64{1, p[0], 1} }
func ofCelu(p []float64) []float64 { return []float64{1, p[0], 1 / p[0]} }

// ofSelu has the constants of Klambauer et al. 2017, for which a layer keeps mean 0
// and variance 1.
func ofSelu([]float64) []float64 {
	const alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
	return []float64{scale, scale * alpha, 1}
}

func gelu(x float64) float64 { return x * phi(x) }
func silu(x float64) float64 { return x * sigmoid(x) }

// geluTanh is x·sigmoid(2z), since ½(1 + tanh(z)) is sigmoid(2z), which doesn't
// cancel.
func geluTanh(x float64) float64 {
	const a = 2 * 0.79788456080286535587989211986876 // 2·√(2/π)
	return x * sigmoid(float64(x*(a+float64(0.044715*a*float64(x*x)))))
}

func quickGelu(x float64, c []float64) float64 { return x * sigmoid(float64(c[0]*x)) }

func hardswish(x float64) float64 {
	gate := x + 3
	if gate < 0 {
		gate = 0
	}
	if gate > 6 {
		gate = 6
	}
	return x * gate / 6
}

// mish is x·n/(n+m) with n = (1+e^x)² - 1 and m = 2, both divided by e^2x where x is
// positive.
func mish(x float64) float64 {
	e := exp(-math.Abs(x))
	n, m := 1+2*e, float64(2*e*e)
	if x < 0 {
		n, m = float64(e*(e+2)), 2
	}
	return x * (n / (n + m))
}

// softplus is given beta, the threshold and 1/beta.
func softplus(x float64, c []float64) float64 {
	z := float64(c[0] * x)
	if z > c[1] {
		return x
	}
	return (max(z, 0) + logOnePlus(exp(-math.Abs(z)))) * c[2]
}

func ofSoftplus(p []float64) []float64 { return []float64{p[0], p[1], 1 / p[0]} }

func hardSigmoid(x float64, c []float64) float64 {
	return clip(float64(c[0]*x)+c[1], unit[:])
}

var unit = [...]float64{0, 1}

func logSigmoid(x float64) float64 {
	return min(x, 0) - logOnePlus(exp(-math.Abs(x)))
}

func softsign(x float64) float64 { return x / (1 + math.Abs(x)) }

func hardShrink(x float64, c []float64) float64 {
	if math.Abs(x) <= c[0] {
		return 0
	}
	return x
}

func softShrink(x float64, c []float64) float64 {
	switch {
	case x > c[0]:
		return x - c[0]
	case x < -c[0]:
		return x + c[0]
	case x != x:
		return x
	}
	return 0
}

// The coefficients of (x·cosh(x) - sinh(x))/x³ and of cosh(x) in x², the highest power
// first. For |x| < 2 what is left out is less than 1e-19 of either.
var (
	shrinkTerms = [...]float64{
		1. / 315777214062132212662272000000, 1. / 418802671169936621568000000, 1. / 646300418472124416000000,
		1. / 1175091669949317120000, 1. / 2554547108585472000, 1. / 6758061133824000, 1. / 22230464256000, 1. / 93405312000,
		1. / 518918400, 1. / 3991680, 1. / 45360, 1. / 840, 1. / 30, 1. / 3,
	}
	coshTerms = [...]float64{
		1. / 403291461126605635584000000, 1. / 620448401733239439360000, 1. / 1124000727777607680000, 1. / 2432902008176640000,
		1. / 6402373705728000, 1. / 20922789888000, 1. / 87178291200, 1. / 479001600, 1. / 3628800, 1. / 40320, 1. / 720, 1. / 24,
		1. / 2, 1,
	}
)

// tanhShrink is the quotient of two sums of positive terms where the difference cancels.
func tanhShrink(x float64) float64 {
	if math.Abs(x) < 2 {
		q := float64(x * x)
		return float64(x*q) * (horner(q, shrinkTerms[:]...) / horner(q, coshTerms[:]...))
	}
	return x - tanh(x)
}

func negative(x float64) float64 { return -x }

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x + 0 // -0 gives 0
}

func square(x float64) float64     { return x * x }
func reciprocal(x float64) float64 { return 1 / x }
func rsqrt(x float64) float64      { return 1 / sqrt(x) }

// sqrt gives one NaN on every machine.
func sqrt(x float64) float64 {
	if x < 0 {
		return math.NaN()
	}
	return math.Sqrt(x)
}
