package kernel

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"fusectl/internal/dtype"
)

// testCase is one loop of a table, in a form that one test and one benchmark
// can run. Every entry of the table has at least one: TestEveryLoopHasACase.
type testCase struct {
	entry string // the entry's name, as TestEveryLoopHasACase spells it
	name  string

	dst   dtype.Type
	src   []dtype.Type
	cols  int  // of a loop over rows, whose dst are one row; 0: elementwise
	alias bool // dst may be an operand

	run func(dst []byte, src [][]byte)
	// want computes the same in another way. It may leave dst as it is, and
	// say false, where this kind of test has nothing to compare with.
	want func(dst []byte, src [][]byte)
	ulps uint64 // by how much float results may differ
}

func cases(t *Table) []testCase {
	var all []testCase
	for _, k := range dtype.All() {
		all = append(all, arithCases(t, k)...)
		all = append(all, convertCases(t, k)...)
		all = append(all, reduceCases(t, k)...)
		all = append(all, activationCases(t, k)...)
		all = append(all, blendCases(t, k)...)
		all = append(all, normCases(t, k)...)
		all = append(all, otherCases(t, k)...)
	}
	return all
}

func arithCases(t *Table, k dtype.Type) []testCase {
	var cs []testCase
	for _, op := range []struct {
		name string
		loop Loop3
		want func(k dtype.Type, a, b value) value
	}{
		{"Add", t.Add[k.Kind()], refAdd},
		{"Sub", t.Sub[k.Kind()], refSub},
		{"Mul", t.Mul[k.Kind()], refMul},
		{"Div", t.Div[k.Kind()], refDiv},
		{"Max", t.Max[k.Kind()], refMax},
		{"Min", t.Min[k.Kind()], refMin},
		{"Pow", t.Pow[k.Kind()], refPow},
		{"Prelu", t.Prelu[k.Kind()], refPrelu},
	} {
		if op.loop == nil {
			continue
		}
		ulps := uint64(0)
		if op.name == "Pow" && k.IsFloat() {
			ulps = 1
		}
		cs = append(cs, testCase{
			entry: entryName(op.name, k), name: op.name + "/" + k.String(),
			dst: k, src: []dtype.Type{k, k}, alias: true, ulps: ulps,
			run: func(dst []byte, src [][]byte) { op.loop(dst, src[0], src[1]) },
			want: func(dst []byte, src [][]byte) {
				for i := range len(dst) / k.Size() {
					store(k, dst, i, op.want(k, load(k, src[0], i), load(k, src[1], i)))
				}
			},
		})
	}
	return cs
}

func refAdd(k dtype.Type, a, b value) value {
	if k == dtype.Bool {
		return refMax(k, a, b)
	}
	return value{a.re.add(b.re), a.im.add(b.im)}
}

func refSub(_ dtype.Type, a, b value) value {
	return value{a.re.add(b.re.neg()), a.im.add(b.im.neg())}
}

// refDiv is the quotient of exact numbers, or Smith's steps with each rounded.
func refDiv(k dtype.Type, a, b value) value {
	part := dtype.Float64
	switch k {
	case dtype.Complex64:
		part = dtype.Float32
	case dtype.Complex128:
	default:
		return value{re: a.re.quo(b.re)}
	}
	round := func(n number) number { return rounded(part, n) }
	one, c, s := fromFloat64(1), b.re, b.im
	switch {
	case c.rough() == 0 && s.rough() == 0:
		return value{a.re.quo(zero), a.im.quo(zero)}
	case !c.isNaN() && !s.isNaN() && c.magnitude().cmp(s.magnitude()) >= 0:
		ratio := round(s.quo(c))
		scale := round(one.quo(round(c.add(round(s.mul(ratio))))))
		return value{
			round(a.re.add(round(a.im.mul(ratio)))).mul(scale),
			round(a.im.add(round(a.re.mul(ratio)).neg())).mul(scale),
		}
	}
	ratio := round(c.quo(s))
	scale := round(one.quo(round(s.add(round(c.mul(ratio))))))
	return value{
		round(round(a.re.mul(ratio)).add(a.im)).mul(scale),
		round(round(a.im.mul(ratio)).add(a.re.neg())).mul(scale),
	}
}

func refPrelu(k dtype.Type, a, b value) value {
	if !a.re.isNaN() && a.re.cmp(zero) > 0 {
		return a
	}
	return refMul(k, a, b)
}

func refMul(k dtype.Type, a, b value) value {
	part := dtype.Float64
	switch k {
	case dtype.Complex64:
		part = dtype.Float32
	case dtype.Complex128:
	default:
		return value{re: a.re.mul(b.re)}
	}
	product := func(x, y number) number { return rounded(part, x.mul(y)) }
	return value{
		product(a.re, b.re).add(product(a.im, b.im).neg()),
		product(a.re, b.im).add(product(a.im, b.re)),
	}
}

// rounded is n as an element of type k.
func rounded(k dtype.Type, n number) number {
	var buf [8]byte
	store(k, buf[:], 0, value{re: n})
	return load(k, buf[:], 0).re
}

func refMax(k dtype.Type, a, b value) value {
	if a.re.isNaN() || a.im.isNaN() {
		return a
	}
	if b.re.isNaN() || b.im.isNaN() {
		return b
	}
	c := a.re.cmp(b.re)
	if c == 0 && k.IsComplex() {
		c = a.im.cmp(b.im)
	}
	zeros := c == 0 && k.IsFloat() && a.re.f != nil && a.re.f.Signbit()
	if c < 0 || zeros {
		return b
	}
	return a
}

// refMin is the negative of the maximum of the negatives; of integers, the other one.
func refMin(k dtype.Type, a, b value) value {
	if k.IsFloat() {
		m := refMax(k, value{a.re.neg(), zero}, value{b.re.neg(), zero})
		return value{m.re.neg(), zero}
	}
	if refMax(k, a, b) == a {
		return b
	}
	return a
}

// refPow is the power of big integers, and of floats e^(y·ln x) in 200 bits, with the
// special cases in the order of C17's annex F.10.4.4.
func refPow(k dtype.Type, a, b value) value {
	if k.IsInteger() {
		x, _ := a.re.f.Int(nil)
		y, _ := b.re.f.Int(nil)
		if y.Sign() < 0 {
			return value{re: fromFloat64(1)}
		}
		return value{re: fromBigInt(x.Exp(x, y, new(big.Int).Lsh(big.NewInt(1), 64)))}
	}
	x, y := a.re, b.re
	one := fromFloat64(1)
	whole := y.f == nil && !y.isNaN() || y.f != nil && y.f.IsInt()
	odd := y.f != nil && y.f.IsInt() && new(big.Float).SetPrec(exact).Quo(y.f, big.NewFloat(2)).IsInt() == false
	signed := func(f float64) value {
		if odd && math.Signbit(x.rough()) {
			f = -f
		}
		return value{re: fromFloat64(f)}
	}
	infinite := y.f == nil && !y.isNaN()
	switch {
	case !y.isNaN() && y.rough() == 0, !x.isNaN() && x.cmp(one) == 0:
		return value{re: one}
	case x.isNaN() || y.isNaN():
		return value{re: fromFloat64(math.NaN())}
	case x.rough() == 0 && y.rough() < 0:
		return signed(math.Inf(1))
	case x.rough() == 0:
		return signed(0)
	case infinite && x.magnitude().cmp(one) == 0:
		return value{re: one}
	case infinite && (x.magnitude().cmp(one) > 0) == (y.special > 0):
		return value{re: fromFloat64(math.Inf(1))}
	case infinite:
		return value{re: fromFloat64(0)}
	case x.f == nil && y.rough() < 0:
		return signed(0)
	case x.f == nil:
		return signed(math.Inf(1))
	case x.f.Sign() < 0 && !whole:
		return value{re: fromFloat64(math.NaN())}
	}
	r := bigExp(new(big.Float).SetPrec(200).Mul(y.f, bigLog(x.magnitude().f)))
	if r == nil { // beyond all floats
		if (x.magnitude().cmp(one) > 0) == (y.f.Sign() > 0) {
			return signed(math.Inf(1))
		}
		return signed(0)
	}
	if odd && x.f.Sign() < 0 {
		r.Neg(r)
	}
	return value{re: number{f: r}}
}

// bigLog is ln x of a positive number by 2·artanh((m-1)/(m+1)) + e·ln 2, x = m·2^e.
func bigLog(x *big.Float) *big.Float {
	artanh := func(s *big.Float) *big.Float {
		square := new(big.Float).Mul(s, s)
		sum, power := new(big.Float).Copy(s), new(big.Float).Copy(s)
		for i := int64(3); i < 201; i += 2 { // |s| <= 1/3: 3^-201 is less than 2^-300
			power.Mul(power, square)
			sum.Add(sum, new(big.Float).Quo(power, new(big.Float).SetInt64(i)))
		}
		return sum
	}
	at := func(f float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(f) }
	m := at(0)
	e := x.MantExp(m)
	m.SetPrec(200)
	log := artanh(at(0).Quo(at(0).Sub(m, at(1)), at(0).Add(m, at(1))))
	ln2 := artanh(at(0).Quo(at(1), at(3)))
	log.Add(log, at(0).Mul(ln2, at(float64(e))))
	return log.Add(log, log)
}

// bigExp is e^x by its series for x/2^e, |x|/2^e < 1/256, squared e times; nil beyond the
// range of float64.
func bigExp(x *big.Float) *big.Float {
	if rough, _ := x.Float64(); math.Abs(rough) > 800 {
		return nil
	}
	e := max(x.MantExp(nil)+8, 0)
	small := new(big.Float).SetMantExp(x, -e)
	sum, term := new(big.Float).SetPrec(200).SetInt64(1), new(big.Float).SetPrec(200).SetInt64(1)
	for i := int64(1); i < 28; i++ { // 256^28·28! is more than 2^300
		term.Mul(term, small)
		term.Quo(term, new(big.Float).SetInt64(i))
		sum.Add(sum, term)
	}
	for range e {
		sum.Mul(sum, sum)
	}
	return sum
}

func convertCases(t *Table, from dtype.Type) []testCase {
	var cs []testCase
	for _, to := range dtype.All() {
		loop := t.Convert[from.Kind()][to.Kind()]
		cs = append(cs, testCase{
			entry: fmt.Sprintf("Convert[%d][%d]", from.Kind(), to.Kind()),
			name:  fmt.Sprintf("Convert/%v/%v", from, to),
			dst:   to, src: []dtype.Type{from}, alias: from == to,
			run: func(dst []byte, src [][]byte) { loop(dst, src[0]) },
			want: func(dst []byte, src [][]byte) {
				for i := range len(dst) / to.Size() {
					store(to, dst, i, refConvert(from, to, load(from, src[0], i)))
				}
			},
		})
	}
	return cs
}

func refConvert(from, to dtype.Type, v value) value {
	inexact := from.IsFloat() || from.IsComplex()
	switch {
	case to == dtype.Bool:
		if v.re.rough() != 0 || v.im.rough() != 0 {
			return value{re: fromFloat64(1)}
		}
		return value{re: fromFloat64(0)}
	case inexact && to.IsInteger():
		least, most := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(8*to.Size()))
		if !to.IsUnsigned() {
			most.Rsh(most, 1)
			least.Neg(most)
		}
		most.Sub(most, big.NewInt(1))
		switch {
		case v.re.isNaN():
			return value{re: fromFloat64(0)}
		case v.re.cmp(fromBigInt(least)) < 0:
			return value{re: fromBigInt(least)}
		case v.re.cmp(fromBigInt(most)) > 0:
			return value{re: fromBigInt(most)}
		}
	case !to.IsComplex():
		v.im = fromFloat64(0)
	}
	return v
}

func reduceCases(t *Table, k dtype.Type) []testCase {
	var cs []testCase
	if loop := t.Sum[k.Kind()]; loop != nil {
		cs = append(cs, testCase{
			entry: entryName("Sum", k), name: "Sum/" + k.String(), dst: dtype.Float64, src: []dtype.Type{k}, cols: 1,
			run:  func(dst []byte, src [][]byte) { loop(View[float64](dst), src[0]) },
			want: func(dst []byte, src [][]byte) { refSum(View[float64](dst), k, src[0]) },
		})
	}
	for _, cols := range []int{1, 2, 3, 64, 1500} {
		if loop := t.SumRows[k.Kind()]; loop != nil {
			cs = append(cs, testCase{
				entry: entryName("SumRows", k), name: fmt.Sprintf("SumRows/%v/cols=%d", k, cols),
				dst: dtype.Float64, src: []dtype.Type{k}, cols: cols,
				run:  func(dst []byte, src [][]byte) { loop(View[float64](dst), src[0]) },
				want: func(dst []byte, src [][]byte) { refSumRows(View[float64](dst), k, src[0]) },
			})
		}
		if loop := t.WeighRows[k.Kind()]; loop != nil {
			weights := func(x []byte) []float64 { // among them ones that make underflow and signed zeros
				w := make([]float64, len(x)/k.Size()/cols)
				for r := range w {
					w[r] = []float64{0.3, -1.7, 0, 1e-300, 3}[r%5]
				}
				return w
			}
			cs = append(cs, testCase{
				entry: entryName("WeighRows", k), name: fmt.Sprintf("WeighRows/%v/cols=%d", k, cols),
				dst: dtype.Float64, src: []dtype.Type{k}, cols: cols,
				run: func(dst []byte, src [][]byte) { loop(View[float64](dst), src[0], weights(src[0])) },
				want: func(dst []byte, src [][]byte) {
					w := weights(src[0])
					for i := range len(src[0]) / k.Size() {
						View[float64](dst)[i%cols] += float64(sumTerm(k, src[0], i) * w[i/cols])
					}
				},
			})
		}
		for _, op := range []struct {
			name string
			loop func(acc, x []byte)
			want func(k dtype.Type, a, b value) value
		}{{"MaxRows", t.MaxRows[k.Kind()], refMax}, {"MinRows", t.MinRows[k.Kind()], refMin}} {
			if op.loop == nil {
				continue
			}
			cs = append(cs, testCase{
				entry: entryName(op.name, k), name: fmt.Sprintf("%s/%v/cols=%d", op.name, k, cols),
				dst: k, src: []dtype.Type{k}, cols: cols,
				run: func(dst []byte, src [][]byte) { op.loop(dst, src[0]) },
				want: func(dst []byte, src [][]byte) {
					for i := range len(src[0]) / k.Size() {
						store(k, dst, i%cols, op.want(k, load(k, dst, i%cols), load(k, src[0], i)))
					}
				},
			})
		}
		for _, op := range []struct {
			name string
			loop func(acc []float64, x []byte)
			of   func(x float64) float64
		}{
			{"SumAbsRows", t.SumAbsRows[k.Kind()], math.Abs},
			{"SumSquareRows", t.SumSquareRows[k.Kind()], func(x float64) float64 { return x * x }},
		} {
			if op.loop == nil {
				continue
			}
			cs = append(cs, testCase{
				entry: entryName(op.name, k), name: fmt.Sprintf("%s/%v/cols=%d", op.name, k, cols),
				dst: dtype.Float64, src: []dtype.Type{k}, cols: cols,
				run: func(dst []byte, src [][]byte) { op.loop(View[float64](dst), src[0]) },
				want: func(dst []byte, src [][]byte) {
					acc := View[float64](dst)
					for i := range len(src[0]) / k.Size() {
						term := op.of(sumTerm(k, src[0], i))
						acc[i%cols] += term
					}
				},
			})
		}
	}
	return cs
}

// sumTerm is element i as the sums take it.
func sumTerm(k dtype.Type, x []byte, i int) float64 {
	n := load(k, x, i).re
	if n.f == nil {
		return n.special
	}
	f, _ := n.f.Float64()
	return f
}

// refSumRows and refSum are the definitions in Table, word for word.
func refSumRows(acc []float64, k dtype.Type, x []byte) {
	for i := range len(x) / k.Size() {
		acc[i%len(acc)] += sumTerm(k, x, i)
	}
}

func refSum(acc []float64, k dtype.Type, x []byte) {
	var l [32]float64
	for i := range len(x) / k.Size() {
		l[i%32] += sumTerm(k, x, i)
	}
	for _, n := range []int{16, 8, 4, 2, 1} {
		for j := range n {
			l[j] += l[j+n]
		}
	}
	acc[0] += l[0]
}

func activationCases(t *Table, k dtype.Type) []testCase {
	var cs []testCase
	for i, a := range Activations() {
		for _, p := range parametersOf(a) {
			loop := t.Activation(a.Name, k.Kind(), p...)
			if loop == nil {
				continue
			}
			f := refActivation(a.Name, p)
			c := testCase{
				entry: fmt.Sprintf("activations[%d][%d]", i, k.Kind()), name: fmt.Sprint("Activation/", a.Name, p, "/", k),
				dst: k, src: []dtype.Type{k}, alias: true, ulps: activationUlps(a.Name, k),
				run: func(dst []byte, src [][]byte) { loop(dst, src[0]) },
				want: func(dst []byte, src [][]byte) {
					for i := range len(dst) / k.Size() {
						switch k {
						case dtype.Float32:
							View[float32](dst)[i] = float32(f(float64(View[float32](src[0])[i])))
						case dtype.Float64:
							View[float64](dst)[i] = f(View[float64](src[0])[i])
						default:
							store(k, dst, i, value{re: refInteger(a.Name, p, load(k, src[0], i).re)})
						}
					}
				},
			}
			if a.Name == "sin" || a.Name == "cos" {
				c.want = nil // package math's are less exact: see TestElementary
			}
			cs = append(cs, c)
		}
	}
	return cs
}

// parametersOf are the parameters that an activation is tried with: none, which are its
// defaults, and others.
func parametersOf(a Activation) [][]float64 {
	more := map[string][][]float64{
		"leaky-relu": {{-0.25}}, "rrelu": {{0}}, "thresholded-relu": {{-1.5}}, "threshold": {{1, 20}, {-0.75, -9}},
		"elu": {{0.3}, {-2}}, "celu": {{0.3}, {4}}, "quick-gelu": {{-3}}, "softplus": {{2, 5}, {0.5, -1}},
		"hard-sigmoid": {{0.2, 0.5}, {-1, 3}}, "hard-tanh": {{-0.5, 2.25}, {-3, 7}}, "hard-shrink": {{0}, {2}}, "soft-shrink": {{0}, {2}},
		"clip": {{-5, math.Inf(1)}, {math.Inf(-1), 100.5}, {-1e30, 1e30}, {0, 0}, {3, 1 << 40}},
	}[a.Name]
	return append([][]float64{nil}, more...)
}

// activationUlps is by how much a loop may differ from its reference.
func activationUlps(name string, k dtype.Type) uint64 {
	switch {
	case !k.IsFloat() || slices.Contains([]string{"relu", "relu6", "abs", "neg", "sign", "floor", "ceil", "round", "clip", "hard-tanh", "hard-shrink", "threshold", "thresholded-relu"}, name):
		return 0
	case k == dtype.Float32:
		// The float64 results beneath differ in their last places, which
		// can move one that lies near the middle of two float32s.
		return 1
	case name == "gelu":
		// The reference rounds x/√2, as the loop does, but by a division;
		// erfc multiplies that relative error by up to x², where x = -38
		// is the last argument with a result other than 0.
		return 2 * 38 * 38
	case name == "gelu-tanh" || name == "quick-gelu":
		// An exponential multiplies the relative error of its exponent, a rounding or
		// three on either side, by the exponent, which is at least -745.
		return 6 * 745
	}
	return 6 // errors of both sides' exponential or logarithm, of sums and quotients
}

// refActivation is an activation's definition by package math, in a form that neither
// overflows nor cancels. No parameters are the defaults of PyTorch.
func refActivation(name string, p []float64) func(x float64) float64 {
	or := func(defaults ...float64) (a, b float64) {
		if len(p) > 0 {
			defaults = p
		}
		return defaults[0], append(defaults, 0)[1]
	}
	above := func(least, value float64) func(float64) float64 {
		return func(x float64) float64 {
			if x <= least {
				return value
			}
			return x
		}
	}
	between := func(least, most float64) func(float64) float64 {
		return func(x float64) float64 {
			if x == 0 && least <= 0 && most >= 0 {
				return x // of either sign
			}
			return math.Min(math.Max(x, least), most)
		}
	}
	slope := func(a float64) func(float64) float64 {
		return func(x float64) float64 {
			if math.Signbit(x) {
				return a * x
			}
			return x
		}
	}
	linear := func(scale, a, b float64) func(float64) float64 { // scale·x, or a·(e^(x/b)-1)
		return func(x float64) float64 {
			if x <= 0 {
				return a * math.Expm1(x/b)
			}
			return scale * x
		}
	}
	sigmoid := func(x float64) float64 {
		if x < -30 {
			return math.Exp(x)
		}
		return 1 / (1 + math.Exp(-x))
	}
	softplus := func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	a, b := 0.0, 0.0
	switch name {
	case "relu":
		return func(x float64) float64 { return math.Max(x, 0) }
	case "relu6":
		return func(x float64) float64 { return math.Min(math.Max(x, 0), 6) }
	case "leaky-relu":
		a, _ = or(0.01)
		return slope(a)
	case "rrelu":
		a, _ = or(11. / 48)
		return slope(a)
	case "thresholded-relu":
		a, _ = or(1)
		return above(a, 0)
	case "threshold":
		a, b = or(0, 0)
		return above(a, b)
	case "elu":
		a, _ = or(1)
		return linear(1, a, 1)
	case "selu":
		return linear(1.0507009873554805, 1.0507009873554805*1.6732632423543772, 1)
	case "celu":
		a, _ = or(1)
		return linear(1, a, a)
	case "gelu":
		return func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }
	case "gelu-tanh":
		return func(x float64) float64 { return x * sigmoid(x*math.Sqrt(8/math.Pi)*(1+0.044715*x*x)) }
	case "quick-gelu":
		a, _ = or(1.702)
		return func(x float64) float64 { return x * sigmoid(a*x) }
	case "silu":
		return func(x float64) float64 { return x * sigmoid(x) }
	case "hardswish":
		return func(x float64) float64 { return x * math.Min(math.Max(x+3, 0), 6) / 6 }
	case "mish":
		return func(x float64) float64 { return x * math.Tanh(softplus(x)) }
	case "softplus":
		a, b = or(1, 20)
		return func(x float64) float64 {
			if a*x > b {
				return x
			}
			return softplus(a*x) / a
		}
	case "sigmoid":
		return sigmoid
	case "hard-sigmoid":
		a, b = or(1./6, 0.5)
		return func(x float64) float64 { return between(0, 1)(a*x + b) }
	case "log-sigmoid":
		return func(x float64) float64 { return 0 - softplus(-x) }
	case "tanh":
		return math.Tanh
	case "hard-tanh":
		return between(or(-1, 1))
	case "softsign":
		return func(x float64) float64 { return x / (1 + math.Abs(x)) }
	case "hard-shrink":
		a, _ = or(0.5)
		return func(x float64) float64 {
			if -a <= x && x <= a {
				return 0
			}
			return x
		}
	case "soft-shrink":
		a, _ = or(0.5)
		return func(x float64) float64 { return x - math.Min(math.Max(x, -a), a) }
	case "tanh-shrink":
		return refTanhShrink
	case "abs":
		return math.Abs
	case "neg":
		return func(x float64) float64 { return -x }
	case "sign":
		return func(x float64) float64 {
			if x == 0 || x != x {
				return x * x // +0 or NaN
			}
			return math.Copysign(1, x)
		}
	case "square":
		return func(x float64) float64 { return x * x }
	case "sqrt":
		return math.Sqrt
	case "rsqrt":
		return func(x float64) float64 { return 1 / math.Sqrt(x) }
	case "reciprocal":
		return func(x float64) float64 { return 1 / x }
	case "clip":
		return between(or(math.Inf(-1), math.Inf(1)))
	}
	return map[string]func(float64) float64{
		"exp": math.Exp, "expm1": math.Expm1, "log": refLog, "log1p": math.Log1p, "erf": math.Erf,
		"floor": math.Floor, "ceil": math.Ceil, "round": math.RoundToEven,
	}[name]
}

// refLog takes an exponent off, since math.Log is wrong of subnormal numbers on some
// machines.
func refLog(x float64) float64 {
	if f, e := math.Frexp(x); x > 0 && e < -1000 {
		return math.Log(f) + float64(e)*math.Ln2
	}
	return math.Log(x)
}

// refTanhShrink is (x·cosh(x) - sinh(x))/cosh(x), the numerator of which is a series
// of positive terms.
func refTanhShrink(x float64) float64 {
	if !(math.Abs(x) < 1) {
		return x - math.Tanh(x)
	}
	sum, term := 0.0, x // x^(2n+1)/(2n+1)!
	for n := 1.0; n < 14; n++ {
		term *= x * x / (2 * n * (2*n + 1))
		sum += 2 * n * term
	}
	return math.Copysign(sum/math.Cosh(x), x)
}

// refInteger is an activation of an integer, unrounded: what doesn't fit wraps when it
// is stored.
func refInteger(name string, p []float64, x number) number {
	within := func(least, most float64) number {
		if lo := fromFloat64(least); x.cmp(lo) < 0 {
			return lo
		}
		if hi := fromFloat64(most); x.cmp(hi) > 0 {
			return hi
		}
		return x
	}
	if len(p) == 0 {
		p = []float64{math.Inf(-1), math.Inf(1)}
	}
	switch name {
	case "relu":
		return within(0, math.Inf(1))
	case "relu6":
		return within(0, 6)
	case "hard-tanh":
		if math.IsInf(p[0], 0) {
			p = []float64{-1, 1}
		}
		return within(p[0], p[1])
	case "clip":
		return within(p[0], p[1])
	case "abs":
		if x.f.Sign() < 0 {
			return x.neg()
		}
	case "neg":
		return x.neg()
	case "square":
		return x.mul(x)
	case "sign":
		return fromFloat64(float64(x.f.Sign()))
	}
	return x
}

// blendCases are the weighted sums, every step of which is rounded.
func blendCases(t *Table, k dtype.Type) []testCase {
	if t.Lerp[k.Kind()] == nil {
		return nil
	}
	weights := [4]float64{-0.09, 0.59, 0.59, -0.09}
	w := func(i int) number { return rounded(k, fromFloat64(weights[i])) }
	return []testCase{{
		entry: entryName("Lerp", k), name: "Lerp/" + k.String(), dst: k, src: []dtype.Type{k, k}, alias: true,
		run: func(dst []byte, src [][]byte) { t.Lerp[k.Kind()](dst, src[0], src[1], weights[0]) },
		want: func(dst []byte, src [][]byte) {
			for i := range len(dst) / k.Size() {
				a, b := load(k, src[0], i).re, load(k, src[1], i).re
				step := rounded(k, rounded(k, b.add(a.neg())).mul(w(0)))
				store(k, dst, i, value{re: a.add(step)})
			}
		},
	}, {
		entry: entryName("SumTaps", k), name: "SumTaps/" + k.String(), dst: k, src: []dtype.Type{k, k, k, k},
		run: func(dst []byte, src [][]byte) { t.SumTaps[k.Kind()](dst, [4][]byte(src), weights) },
		want: func(dst []byte, src [][]byte) {
			for i := range len(dst) / k.Size() {
				sum := rounded(k, load(k, src[0], i).re.mul(w(0)))
				for j := 1; j < 4; j++ {
					sum = rounded(k, sum.add(rounded(k, load(k, src[j], i).re.mul(w(j)))))
				}
				store(k, dst, i, value{re: sum})
			}
		},
	}}
}

// normCases are the loops that normalise, every step of which is in float64 and
// rounded.
func normCases(t *Table, k dtype.Type) []testCase {
	if t.Normalize[k.Kind()] == nil {
		return nil
	}
	const mean, scale, bias = 0.3, -1.0 / 3, 1e-3
	double := func(n number) number { return rounded(dtype.Float64, n) }
	// norm is (v-mean) by each factor, and bias added, of element i.
	norm := func(dst []byte, src [][]byte, mean, bias func(i int) number, factors ...func(i int) number) {
		for i := range len(dst) / k.Size() {
			v := double(load(k, src[0], i).re.add(mean(i).neg()))
			for _, f := range factors {
				v = double(v.mul(f(i)))
			}
			store(k, dst, i, value{re: double(v.add(bias(i)))})
		}
	}
	one := func(f float64) func(int) number { return func(int) number { return fromFloat64(f) } }
	column := func(x []byte) func(int) number {
		return func(i int) number { return load(dtype.Float64, x, i).re }
	}
	f64 := View[float64]
	return []testCase{{
		entry: entryName("Normalize", k), name: "Normalize/" + k.String(), dst: k, src: []dtype.Type{k}, alias: true,
		run:  func(dst []byte, src [][]byte) { t.Normalize[k.Kind()](dst, src[0], mean, scale, bias) },
		want: func(dst []byte, src [][]byte) { norm(dst, src, one(mean), one(bias), one(scale)) },
	}, {
		entry: entryName("NormalizeRows", k), name: "NormalizeRows/one row of " + k.String(), dst: k, src: []dtype.Type{k, dtype.Float64, dtype.Float64}, alias: true,
		run: func(dst []byte, src [][]byte) {
			t.NormalizeRows[k.Kind()](dst, src[0], []float64{mean}, []float64{scale}, f64(src[1]), f64(src[2]))
		},
		want: func(dst []byte, src [][]byte) {
			norm(dst, src, one(mean), column(src[2]), one(scale), column(src[1]))
		},
	}, {
		entry: entryName("NormalizeCols", k), name: "NormalizeCols/" + k.String(), dst: k, src: []dtype.Type{k, dtype.Float64, dtype.Float64, dtype.Float64}, alias: true,
		run: func(dst []byte, src [][]byte) {
			t.NormalizeCols[k.Kind()](dst, src[0], f64(src[1]), f64(src[2]), f64(src[3]))
		},
		want: func(dst []byte, src [][]byte) {
			norm(dst, src, column(src[1]), column(src[3]), column(src[2]))
		},
	}}
}

// otherCases are Swap, and loops whose results have tests of their own: here
// they are run for what they touch and how fast they are.
func otherCases(t *Table, k dtype.Type) []testCase {
	var cs []testCase
	if loop := t.Swap[min(k.Size(), 8)]; k.IsUnsigned() && loop != nil {
		cs = append(cs, testCase{
			entry: fmt.Sprintf("Swap[%d]", k.Size()), name: "Swap/" + k.String(),
			dst: k, src: []dtype.Type{k}, alias: true,
			run: func(dst []byte, src [][]byte) { loop(dst, src[0]) },
			want: func(dst []byte, src [][]byte) {
				for i := 0; i < len(dst); i += k.Size() {
					copy(dst[i:], src[0][i:i+k.Size()])
					slices.Reverse(dst[i : i+k.Size()])
				}
			},
		})
	}
	if loop := t.Scale[k.Kind()]; loop != nil {
		const by = 1.0 / 3
		cs = append(cs, testCase{
			entry: entryName("Scale", k), name: "Scale/" + k.String(), dst: k, src: []dtype.Type{k}, alias: true,
			run: func(dst []byte, src [][]byte) { copy(dst, src[0]); loop(dst, by) },
			want: func(dst []byte, src [][]byte) {
				for i := range len(dst) / k.Size() {
					store(k, dst, i, value{re: load(k, src[0], i).re.mul(rounded(k, fromFloat64(by)))})
				}
			},
		})
	}
	if loop := t.AddScaled[k.Kind()]; loop != nil {
		const by = 1.0 / 3
		cs = append(cs, testCase{
			entry: entryName("AddScaled", k), name: "AddScaled/" + k.String(), dst: dtype.Float64, src: []dtype.Type{dtype.Float64, k},
			run: func(dst []byte, src [][]byte) { copy(dst, src[0]); loop(View[float64](dst), src[1], by) },
			want: func(dst []byte, src [][]byte) {
				for i := range len(dst) / 8 {
					product := rounded(dtype.Float64, load(k, src[1], i).re.mul(fromFloat64(by)))
					store(dtype.Float64, dst, i, value{re: load(dtype.Float64, src[0], i).re.add(product)})
				}
			},
		})
	}
	if loop := t.DivideBy[k.Kind()]; loop != nil {
		const by = 49
		cs = append(cs, testCase{
			entry: entryName("DivideBy", k), name: "DivideBy/" + k.String(), dst: k, src: []dtype.Type{k}, alias: true,
			run: func(dst []byte, src [][]byte) { loop(dst, src[0], by) },
			want: func(dst []byte, src [][]byte) {
				for i := range len(dst) / k.Size() {
					if k == dtype.Float64 {
						View[float64](dst)[i] = View[float64](src[0])[i] / by
					} else { // a quotient of float32 numbers is rounded once also by way of float64
						View[float32](dst)[i] = float32(float64(View[float32](src[0])[i]) / by)
					}
				}
			},
		})
	}
	if loop := t.Mask[k.Kind()]; loop != nil {
		cs = append(cs, testCase{
			entry: entryName("Mask", k), name: "Mask/" + k.String(), dst: k, src: []dtype.Type{k, k},
			run: func(dst []byte, src [][]byte) { copy(dst, src[0]); loop(dst, src[1]) },
			want: func(dst []byte, src [][]byte) {
				for i := range len(dst) / k.Size() {
					v := load(k, src[0], i)
					if load(k, src[1], i).re.rough() == 0 {
						v.re = fromFloat64(math.Inf(-1))
					}
					store(k, dst, i, v)
				}
			},
		})
	}
	if loop := t.FastNormalizeRows[k.Kind()]; loop != nil {
		cs = append(cs, testCase{
			entry: entryName("FastNormalizeRows", k), name: "FastNormalizeRows/" + k.String(), dst: k, src: []dtype.Type{k}, alias: true,
			run: func(dst []byte, src [][]byte) { loop(dst, src[0], 1, 0.5) },
		})
	}
	if loop := t.PowerRows[k.Kind()]; loop != nil {
		cs = append(cs, testCase{
			entry: entryName("PowerRows", k), name: "PowerRows/" + k.String(), dst: k, src: []dtype.Type{k}, alias: true,
			run: func(dst []byte, src [][]byte) { loop(dst, src[0], 1) },
		})
	}
	for _, of := range []struct {
		name string
		loop func(dst, src []byte, cols int)
	}{{"SoftmaxRows", t.SoftmaxRows[k.Kind()]}, {"LogSoftmaxRows", t.LogSoftmaxRows[k.Kind()]}, {"HardmaxRows", t.HardmaxRows[k.Kind()]}} {
		for _, cols := range []int{1, 10, 1000} {
			if of.loop == nil {
				continue
			}
			cs = append(cs, testCase{
				entry: entryName(of.name, k), name: fmt.Sprintf("%s/%v/cols=%d", of.name, k, cols),
				dst: k, src: []dtype.Type{k}, alias: true,
				run: func(dst []byte, src [][]byte) { of.loop(dst, src[0], cols) },
			})
		}
	}
	for _, fill := range []struct {
		name string
		loop func([]byte, uint64, int64)
	}{{"Uniform", t.Uniform[k.Kind()]}, {"Normal", t.Normal[k.Kind()]}} {
		if fill.loop != nil {
			cs = append(cs, testCase{
				entry: entryName(fill.name, k), name: fill.name + "/" + k.String(), dst: k,
				run: func(dst []byte, _ [][]byte) { fill.loop(dst, 1, 2) },
			})
		}
	}
	return cs
}

func entryName(field string, k dtype.Type) string { return fmt.Sprintf("%s[%d]", field, k.Kind()) }
