package kernel

import "math"

// The coefficients of W. J. Cody, "Rational Chebyshev approximations for the
// error function", Mathematics of Computation 23 (1969), from the highest
// power down: erf(x)/x in x² up to 0.46875, erfc(x)·e^x² in x up to 4, and
// beyond 4 a correction to 1/√π in 1/x².
var (
	erfNum = [...]float64{
		1.85777706184603153e-1, 3.16112374387056560e+0, 1.13864154151050156e+2,
		3.77485237685302021e+2, 3.20937758913846947e+3,
	}
	erfDen = [...]float64{
		1, 2.36012909523441209e+1, 2.44024637934444173e+2,
		1.28261652607737228e+3, 2.84423683343917062e+3,
	}
	erfcNum = [...]float64{
		2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e+0,
		6.61191906371416295e+1, 2.98635138197400131e+2, 8.81952221241769090e+2,
		1.71204761263407058e+3, 2.05107837782607147e+3, 1.23033935479799725e+3,
	}
	erfcDen = [...]float64{
		1, 1.57449261107098347e+1, 1.17693950891312499e+2,
		5.37181101862009858e+2, 1.62138957456669019e+3, 3.29079923573345963e+3,
		4.36261909014324716e+3, 3.43936767414372164e+3, 1.23033935480374942e+3,
	}
	farNum = [...]float64{
		1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
		1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4,
	}
	farDen = [...]float64{
		1, 2.56852019228982242e+0, 1.87295284992346725e+0,
		5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3,
	}
)

// erfcTail is erfc(z)·e^z² for z > 0.46875.
func erfcTail(z float64) float64 {
	const oneOverSqrtPi = 0.56418958354775628695
	if z <= 4 {
		return horner(z, erfcNum[:]...) / horner(z, erfcDen[:]...)
	}
	y := 1 / float64(z*z)
	return (oneOverSqrtPi - float64(y*horner(y, farNum[:]...))/horner(y, farDen[:]...)) / z
}

// phi returns the probability that a normal variable is less than x: ½erfc(-x/√2),
// without the cancellation, and with e^-x²/2 of x itself, since rounding x/√2
// first would cost up to x² units in the last place.
func phi(x float64) float64 {
	a := math.Abs(x)
	z := float64(a * (1 / math.Sqrt2))
	if !(z > 0.46875) {
		y := float64(z * z)
		erf := float64(x*(1/math.Sqrt2)) * (horner(y, erfNum[:]...) / horner(y, erfDen[:]...))
		return 0.5 + float64(0.5*erf)
	}
	tail := 0.0
	if a < 39 { // else e^-760 is 0
		tail = erfcTail(z)
		// e^-a²/2 is that of a number with an exact square, and of a small rest.
		h := math.Float64frombits(math.Float64bits(a) &^ (1<<27 - 1))
		d := float64((a-h)*(a+h)) / 2
		tail = float64(0.5*tail) * (1 - float64(d*(1-float64(d/2*(1-d/3))))) * exp(-h*h/2)
	}
	if x > 0 {
		return 1 - tail
	}
	return tail
}

// erf returns the error function, with math.Erf's special cases.
func erf(x float64) float64 {
	a := math.Abs(x)
	if !(a > 0.46875) {
		y := float64(x * x)
		return x * (horner(y, erfNum[:]...) / horner(y, erfDen[:]...))
	}
	tail := 0.0
	if a < 6 { // else less than half a unit in the last place of 1
		tail = erfcTail(a) * exp(float64(-a*a))
	}
	return math.Copysign(1-tail, x)
}
