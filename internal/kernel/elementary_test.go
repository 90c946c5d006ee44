package kernel

import (
	"fmt"
	"math"
	"testing"

	"fusectl/internal/dtype"
)

// TestElementary compares with correctly rounded results. What is allowed is
// what was found with ten times as many arguments: the functions end in one
// rounding (exp, log) to some four (phi: two polynomials, their quotient, an
// exponential).
func TestElementary(t *testing.T) {
	for name, entry := range readGolden(t).Elementary {
		var low, high float64
		var function string
		if _, err := fmt.Sscan(name, &function, &low, &high); err != nil {
			t.Fatal(err)
		}
		c := map[string]struct {
			f    func(float64) float64
			ulps uint64
		}{
			"exp": {exp, 1}, "log": {log, 1}, "tanh": {tanh, 2}, "phi": {phi, 5}, "sigmoid": {sigmoid, 2},
			"expm1": {expm1, 1}, "log1p": {log1p, 2}, "erf": {erf, 3}, "sin": {sin, 1}, "cos": {cos, 1},
			"mish": {mish, 4}, "softplus": {func(x float64) float64 { return softplus(x, ofSoftplus([]float64{1, 800})) }, 2},
			"logSigmoid": {logSigmoid, 2}, "tanhShrink": {tanhShrink, 3}, "geluTanh": {geluTanh, 20}, "quickGelu": {func(x float64) float64 { return quickGelu(x, []float64{1.702}) }, 20},
		}[function]
		b := operands(t, entry)
		x, want := View[float64](b[0]), View[float64](b[1])
		var worst uint64
		for i, v := range x {
			d := ulpsApart(dtype.Float64, Bytes([]float64{c.f(v)}), Bytes(want[i:i+1]))
			worst = max(worst, d)
			if d > c.ulps {
				t.Errorf("%s(%v) = %v, want %v", function, v, c.f(v), want[i])
			}
		}
		t.Logf("%s: %d ulp", name, worst)
	}
}

func TestElementarySpecialCases(t *testing.T) {
	inf, nan, minus := math.Inf(1), math.NaN(), math.Copysign(0, -1)
	for _, c := range []struct {
		name    string
		f       func(float64) float64
		x, want float64
	}{
		{"exp", exp, inf, inf}, {"exp", exp, -inf, 0}, {"exp", exp, nan, nan}, {"exp", exp, 0, 1}, {"exp", exp, minus, 1},
		{"exp", exp, 709.79, inf}, {"exp", exp, -745.14, 0}, {"exp", exp, 1e308, inf}, {"exp", exp, -745.13, 0x1p-1074},
		{"log", log, 1, 0}, {"log", log, math.E, 1}, {"log", log, 0, -inf}, {"log", log, minus, -inf}, {"log", log, -1e-320, nan},
		{"log", log, inf, inf}, {"log", log, nan, nan}, {"log", log, 0x1p-1074, -1074 * math.Ln2},
		{"log1p", log1p, minus, minus}, {"log1p", log1p, 0x1p-1074, 0x1p-1074}, {"log1p", log1p, -1, -inf}, {"log1p", log1p, -1.5, nan},
		{"log1p", log1p, inf, inf}, {"log1p", log1p, nan, nan},
		{"expm1", expm1, minus, minus}, {"expm1", expm1, -0x1p-1074, -0x1p-1074}, {"expm1", expm1, -inf, -1}, {"expm1", expm1, inf, inf},
		{"expm1", expm1, 709.79, inf}, {"expm1", expm1, nan, nan}, {"expm1", expm1, -50, -1}, {"expm1", expm1, -50.5, -1},
		{"erf", erf, minus, minus}, {"erf", erf, inf, 1}, {"erf", erf, -inf, -1}, {"erf", erf, nan, nan}, {"erf", erf, 6, 1}, {"erf", erf, -1e300, -1},
		{"sin", sin, minus, minus}, {"sin", sin, inf, nan}, {"sin", sin, -inf, nan}, {"sin", sin, nan, nan}, {"sin", sin, 0x1p-1074, 0x1p-1074},
		{"cos", cos, minus, 1}, {"cos", cos, inf, nan}, {"cos", cos, nan, nan}, {"cos", cos, 0x1p-1074, 1},
		{"tanhShrink", tanhShrink, inf, inf}, {"tanhShrink", tanhShrink, -inf, -inf}, {"tanhShrink", tanhShrink, 1e-200, 0},
		{"sign", sign, minus, 0}, {"sqrt", sqrt, minus, minus}, {"sqrt", sqrt, -1, nan}, {"softShrink", func(x float64) float64 { return softShrink(x, []float64{0.5}) }, nan, nan},
		{"tanh", tanh, inf, 1}, {"tanh", tanh, -inf, -1}, {"tanh", tanh, nan, nan}, {"tanh", tanh, minus, minus},
		{"tanh", tanh, 0x1p-1074, 0x1p-1074}, {"tanh", tanh, 1e308, 1},
		{"phi", phi, inf, 1}, {"phi", phi, -inf, 0}, {"phi", phi, nan, nan}, {"phi", phi, 0, 0.5}, {"phi", phi, -1e200, 0},
		{"sigmoid", sigmoid, -1000, 0}, {"sigmoid", sigmoid, 1000, 1}, {"sigmoid", sigmoid, -inf, 0}, {"sigmoid", sigmoid, nan, nan},
		{"sigmoid", sigmoid, 0, 0.5},
	} {
		if got := c.f(c.x); math.Float64bits(got) != math.Float64bits(c.want) && !(got != got && c.want != c.want) {
			t.Errorf("%s(%v) = %v, want %v", c.name, c.x, got, c.want)
		}
	}
}

// TestElementaryBytes pins results to the last bit: they must be the same on
// every machine.
func TestElementaryBytes(t *testing.T) {
	var x []float64
	for i := -4000; i <= 4000; i++ {
		x = append(x, float64(i)/128)
	}
	var out []float64
	for _, v := range x {
		out = append(out, exp(v), log(math.Abs(v)+1e-3), tanh(v), phi(v))
	}
	for _, a := range Activations() {
		y := make([]float64, len(x))
		Active().Activation(a.Name, dtype.KindFloat64)(Bytes(y), Bytes(x))
		out = append(out, y...)
	}
	y := make([]float64, len(x))
	Active().SoftmaxRows[dtype.KindFloat64](Bytes(y), Bytes(x), len(x)/9)
	out = append(out, y...)
	checkHash(t, Bytes(out), "d831981d22fd681c")
}
