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
		loop := t.MaxRows[k.Kind()]
		cs = append(cs, testCase{
			entry: entryName("MaxRows", k), name: fmt.Sprintf("MaxRows/%v/cols=%d", k, cols),
			dst: k, src: []dtype.Type{k}, cols: cols,
			run: func(dst []byte, src [][]byte) { loop(dst, src[0]) },
			want: func(dst []byte, src [][]byte) {
				for i := range len(src[0]) / k.Size() {
					store(k, dst, i%cols, refMax(k, load(k, dst, i%cols), load(k, src[0], i)))
				}
			},
		})
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
	for i, name := range Activations() {
		loop := t.Activation(name, k.Kind())
		if loop == nil {
			continue
		}
		c := testCase{
			entry: fmt.Sprintf("activations[%d][%d]", i, k.Kind()), name: "Activation/" + name + "/" + k.String(),
			dst: k, src: []dtype.Type{k}, alias: true,
			run: func(dst []byte, src [][]byte) { loop(dst, src[0]) },
			want: func(dst []byte, src [][]byte) {
				for i := range len(dst) / k.Size() {
					x := load(k, src[0], i)
					if k.IsFloat() {
						x.re = fromFloat64(refActivation(name, x.re))
					} else {
						x = refMax(k, x, value{fromFloat64(0), fromFloat64(0)})
						if six := fromFloat64(6); name == "relu6" && x.re.cmp(six) > 0 {
							x.re = six
						}
					}
					store(k, dst, i, x)
				}
			},
		}
		switch {
		case k == dtype.Float32:
			// The float64 results beneath differ in their last places, which
			// can move one that lies near the middle of two float32s.
			c.ulps = 1
		case name == "gelu":
			// The reference rounds x/√2, as the loop does, but by a division;
			// erfc multiplies that relative error by up to x², where x = -38
			// is the last argument with a result other than 0.
			c.ulps = 2 * 38 * 38
		case k == dtype.Float64:
			c.ulps = 6 // errors of both sides' exp, of sums and quotients
		}
		cs = append(cs, c)
	}
	return cs
}

// refActivation is the textbook's definition, where it doesn't overflow.
func refActivation(name string, n number) float64 {
	x := n.special
	if n.f != nil {
		x, _ = n.f.Float64()
	}
	sigmoid := 1 / (1 + math.Exp(-x))
	if x < -30 {
		sigmoid = math.Exp(x)
	}
	switch name {
	case "relu":
		return math.Max(x, 0)
	case "relu6":
		return math.Min(math.Max(x, 0), 6)
	case "leaky-relu":
		if x <= 0 {
			return 0.01 * x
		}
		return x
	case "sigmoid":
		return sigmoid
	case "tanh":
		return math.Tanh(x)
	case "gelu":
		return x * math.Erfc(-x/math.Sqrt2) / 2
	case "silu":
		return x * sigmoid
	default: // hardswish
		return x * math.Min(math.Max(x+3, 0), 6) / 6
	}
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
		entry: entryName("NormalizeRow", k), name: "NormalizeRow/" + k.String(), dst: k, src: []dtype.Type{k, dtype.Float64, dtype.Float64}, alias: true,
		run: func(dst []byte, src [][]byte) {
			t.NormalizeRow[k.Kind()](dst, src[0], mean, scale, f64(src[1]), f64(src[2]))
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
	if loop := t.SoftmaxRows[k.Kind()]; loop != nil {
		for _, cols := range []int{1, 10, 1000} {
			cs = append(cs, testCase{
				entry: entryName("SoftmaxRows", k), name: fmt.Sprintf("SoftmaxRows/%v/cols=%d", k, cols),
				dst: k, src: []dtype.Type{k}, alias: true,
				run: func(dst []byte, src [][]byte) { loop(dst, src[0], cols) },
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
