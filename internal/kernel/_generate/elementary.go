package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The functions of kernel/elementary.go, kernel/phi.go and kernel/formulas.go, whose comments say
// why they are as they are, in the same operations in the same order, so that
// they give the same bytes. Where those branch on a special case, these limit
// the argument to where the formula itself gives that case's result, or compute
// both results and choose.

// elementaries are loops over n > 0 elements, a multiple of the float64s in a
// vector.
func (s isa) elementaries() {
	d := doubles{s}
	for _, of := range []number{f32, f64} {
		d.activations(of)
		d.pow(of)
		d.addExp(of)
		d.softmaxMax(of)
		d.softmaxExp(of)
		d.softmaxDivide(of)
	}
}

type vec = reg.VecVirtual

// doubles is the arithmetic of vectors of float64. An operand y is a vector or
// a constant in memory.
type doubles struct{ isa }

// doubleConstants are all that were asked for, by their bits.
var doubleConstants = map[uint64]Mem{}

// bits is a constant in memory, as long as a vector of AVX2, which can't
// repeat one.
func bits(u uint64) Mem {
	m, ok := doubleConstants[u]
	if !ok {
		m = GLOBL(fmt.Sprintf("f64_%x", u), RODATA|NOPTR)
		for i := range 4 {
			DATA(8*i, U64(u))
		}
		doubleConstants[u] = m
	}
	return m
}

func value(f float64) Mem { return bits(math.Float64bits(f)) }

// fill is a vector of one constant.
func (d doubles) fill(f float64) vec {
	v := d.vector()
	if d.bytes == 64 {
		VBROADCASTSD(value(f), v)
	} else {
		VMOVUPD(value(f), v)
	}
	return v
}

// on emits an instruction, or its form that repeats a constant.
func (d doubles) on(plain, repeating func(ops ...Op), x vec, y Op) vec {
	to := d.vector()
	if isConstant(y) && d.bytes == 64 {
		repeating(y, x, to)
	} else {
		plain(y, x, to)
	}
	return to
}

func (d doubles) add(x vec, y Op) vec  { return d.on(VADDPD, VADDPD_BCST, x, y) }
func (d doubles) sub(x vec, y Op) vec  { return d.on(VSUBPD, VSUBPD_BCST, x, y) }
func (d doubles) mul(x vec, y Op) vec  { return d.on(VMULPD, VMULPD_BCST, x, y) }
func (d doubles) div(x vec, y Op) vec  { return d.on(VDIVPD, VDIVPD_BCST, x, y) }
func (d doubles) and(x vec, y Op) vec  { return d.on(VANDPD, VANDPD_BCST, x, y) }
func (d doubles) or(x vec, y Op) vec   { return d.on(VORPD, VORPD_BCST, x, y) }
func (d doubles) addI(x vec, y Op) vec { return d.on(VPADDQ, VPADDQ_BCST, x, y) }

// shift shifts bits left, or right if by is negative.
func (d doubles) shift(x vec, by int) vec {
	to := d.vector()
	if by < 0 {
		VPSRLQ(U8(-by), x, to)
	} else {
		VPSLLQ(U8(by), x, to)
	}
	return to
}

func (d doubles) abs(x vec) vec  { return d.and(x, bits(math.MaxInt64)) }
func (d doubles) sign(x vec) vec { return d.and(x, bits(1<<63)) }

// atMost and atLeast leave a NaN and a zero's sign, since of a NaN and a number, or of
// two zeros, the instruction gives the operand that is the first here.
func (d doubles) atMost(x vec, f float64) vec  { return d.lesser(x, d.fill(f)) }
func (d doubles) atLeast(x vec, f float64) vec { return d.larger(x, d.fill(f)) }

func (d doubles) lesser(x, y vec) vec {
	v := d.vector()
	VMINPD(x, y, v)
	return v
}

func (d doubles) larger(x, y vec) vec {
	v := d.vector()
	VMAXPD(x, y, v)
	return v
}

// rounded rounds to an integer: down, up, or to the nearest.
func (d doubles) rounded(x vec, way uint8) vec {
	const quietly = 8
	to := d.vector()
	if d.bytes == 64 {
		VRNDSCALEPD(U8(way|quietly), x, to)
	} else {
		VROUNDPD(U8(way|quietly), x, to)
	}
	return to
}

const (
	toNearest = 0
	down      = 1
	up        = 2
)

func (d doubles) floor(x vec) vec { return d.rounded(x, down) }

// negative marks the lanes whose sign bit is set, for blend.
func (d doubles) negative(x vec) Op {
	if d.bytes == 32 {
		return x
	}
	m := K()
	VPMOVQ2M(x, m)
	return m
}

// Predicates of comparisons. Of a NaN, unordered and the negations are true alone.
const (
	equal      = 0x00
	unordered  = 0x03
	unequal    = 0x04
	notLess    = 0x05
	isNumber   = 0x07 // of two numbers
	less       = 0x11
	atMost     = 0x12
	greater    = 0x1e
	notAtMost  = 0x16
	notAtLeast = 0x19
	notGreater = 0x1a
)

// compare marks the lanes for which the predicate holds of x and y, for blend.
func (d doubles) compare(predicate uint8, x vec, y Op) Op {
	if d.bytes == 32 {
		m := d.vector()
		VCMPPD(U8(predicate), y, x, m)
		return m
	}
	m := K()
	if isConstant(y) {
		VCMPPD_BCST(U8(predicate), y, x, m)
	} else {
		VCMPPD(U8(predicate), y, x, m)
	}
	return m
}

// above marks the lanes greater than f.
func (d doubles) above(x vec, f float64) Op { return d.compare(greater, x, value(f)) }

// skipIfNone jumps to the label if no lane is marked.
func (d doubles) skipIfNone(mask Op, label string) {
	if d.bytes == 64 {
		KORTESTB(mask, mask)
	} else {
		VTESTPD(mask, mask)
	}
	JZ(LabelRef(label))
}

// choose is blend into a new vector.
func (d doubles) choose(mask Op, yes, no vec) vec {
	to := d.vector()
	d.blend(mask, yes, no, to)
	return to
}

// blend takes the marked lanes from yes, the others from no.
func (d doubles) blend(mask Op, yes, no, to vec) {
	if d.bytes == 64 {
		VBLENDMPD(yes, no, mask, to)
	} else {
		VBLENDVPD(mask, yes, no, to)
	}
}

// load widens float32.
func (d doubles) load(of number, from Mem) vec {
	v := d.vector()
	if of.bytes == 4 {
		VCVTPS2PD(from, v)
	} else {
		VMOVUPD(from, v)
	}
	return v
}

// store rounds to float32.
func (d doubles) store(of number, v vec, to Mem) {
	switch {
	case of.bytes == 8:
		VMOVUPD(v, to)
	case d.bytes == 64:
		half := YMM()
		VCVTPD2PS(v, half)
		VMOVUPS(half, to)
	default:
		half := XMM()
		VCVTPD2PSY(v, half)
		VMOVUPS(half, to)
	}
}

// advance goes on to the next vector, and back to the label while there is one.
func (d doubles) advance(of number, n reg.Register, pointers ...reg.Register) {
	for _, p := range pointers {
		ADDQ(U8(d.bytes/8*of.bytes), p)
	}
	SUBQ(U8(d.bytes/8), n)
	JNZ(LabelRef("loop"))
}

func (d doubles) each(name string, of number, f func(x vec) vec) {
	d.eachVector(name, of, func() func(dst, src Mem) {
		return func(dst, src Mem) { d.store(of, f(d.load(of, src)), dst) }
	})
}

// eachVector writes a loop of a function; prepare loads what it needs.
func (d doubles) eachVector(name string, of number, prepare func() func(dst, src Mem)) {
	TEXT(name+d.name+of.name, NOSPLIT, "func(dst, src *byte, n int, c *float64)")
	Pragma("noescape")
	Doc(fmt.Sprintf("dst[i] = %s(src[i]) for n elements, c being its constants.", name))
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	one := prepare()
	Label("loop")
	one(Mem{Base: dst}, Mem{Base: src})
	d.advance(of, n, dst, src)
	VZEROUPPER()
	RET()
}

// fma is x·y + z.
func (d doubles) fma(x vec, y, z Op) vec {
	to := d.vector()
	VMOVAPD(x, to)
	switch {
	case isConstant(z) && d.bytes == 64:
		VFMADD213PD_BCST(z, y, to)
	case isConstant(y) && d.bytes == 64:
		VFMADD132PD_BCST(y, z, to)
	case isConstant(y):
		VFMADD132PD(y, z, to)
	default:
		VFMADD213PD(z, y, to)
	}
	return to
}

// fms is x·y - z.
func (d doubles) fms(x vec, y, z Op) vec {
	to := d.vector()
	VMOVAPD(x, to)
	VFMSUB213PD(z, y, to)
	return to
}

// fnma is z - x·y.
func (d doubles) fnma(x vec, y, z Op) vec {
	to := d.vector()
	VMOVAPD(x, to)
	VFNMADD213PD(z, y, to)
	return to
}

func isConstant(x Op) bool {
	_, constant := x.(Mem)
	return constant
}

// horner sums a polynomial whose coefficients begin with the highest power's.
func (d doubles) horner(x vec, c []float64) vec {
	y := d.fill(c[0])
	for _, v := range c[1:] {
		if d.bytes == 64 {
			VFMADD213PD_BCST(value(v), x, y)
		} else {
			VFMADD213PD(value(v), x, y)
		}
	}
	return y
}

// poly is horner with each product rounded.
func (d doubles) poly(x vec, c []float64) vec {
	y := d.fill(c[0])
	for _, v := range c[1:] {
		y = d.add(d.mul(y, x), value(v))
	}
	return y
}

// expSeries is given q = r².
func (d doubles) expSeries(r, q vec) vec {
	even := d.horner(q, []float64{1. / 87178291200, 1. / 479001600, 1. / 3628800, 1. / 40320, 1. / 720, 1. / 24, 1. / 2})
	odd := d.horner(q, []float64{1. / 6227020800, 1. / 39916800, 1. / 362880, 1. / 5040, 1. / 120, 1. / 6})
	return d.fma(odd, r, even)
}

const (
	shift = 0x1.8p52
	ln2Hi = 0x1.62e42feep-01
	ln2Lo = 0x1.a39ef35793c76p-33
)

// expParts returns k as a float64 and, in low, as an integer in the low 51
// bits.
func (d doubles) expParts(x vec) (k, low, p vec) {
	low = d.fma(d.fill(math.Log2E), x, value(shift))
	k = d.sub(low, value(shift))
	r := d.fma(k, value(-ln2Hi), x)
	lo := d.mul(k, value(ln2Lo))
	s := d.sub(r, lo)
	q := d.mul(s, s)
	p = d.fma(q, d.expSeries(s, q), d.sub(d.sub(r, s), lo))
	return k, low, d.add(s, p)
}

// exp is e^x for x <= 720, which covers all that is finite. Where that is 0 nothing
// underflows, which processors take long for.
func (d doubles) exp(x vec) vec {
	if d.bytes == 64 {
		nonzero := K()
		VCMPPD_BCST(U8(notLess), value(-745.2), x, nonzero)
		k, _, p := d.expParts(x)
		y := d.add(p, value(1))
		VSCALEFPD_Z(k, y, nonzero, y) // rounds once
		return y
	}
	nonzero := d.vector()
	VCMPPD(U8(notLess), value(-745.2), x, nonzero)
	k, low, p := d.expParts(d.and(x, nonzero))
	return d.scale(d.and(d.add(p, value(1)), nonzero), k, low)
}

// scale is y·2^k, rounded once, of a k that low has in its low 51 bits.
func (d doubles) scale(y, k, low vec) vec {
	if d.bytes == 64 {
		to := d.vector()
		VSCALEFPD(k, y, to)
		return to
	}
	// k+2*1023 is positive, and halves can be taken without its sign.
	both := d.addI(low, bits(2*1023))
	half, rest := d.shift(both, -1), d.vector()
	VPSUBQ(half, both, rest)
	return d.mul(d.mul(y, d.shift(half, 52)), d.shift(rest, 52))
}

// expMinus is e^-|x|.
func (d doubles) expMinus(x vec) vec { return d.exp(d.or(x, bits(1<<63))) }

// expm1 is for x <= 40.
func (d doubles) expm1(x vec) vec {
	_, low, p := d.expParts(d.atLeast(x, -50))
	power := d.shift(d.addI(low, bits(1023)), 52)
	return d.or(d.fma(p, power, d.sub(power, value(1))), d.sign(x))
}

var logTerms = []float64{
	1. / 23, 1. / 21, 1. / 19, 1. / 17, 1. / 15, 1. / 13, 1. / 11, 1. / 9, 1. / 7, 1. / 5, 1. / 3, 0,
}

// split is for positive normal numbers. It makes k of the exponent that 2^52+k+1023
// has as the low bits.
func (d doubles) split(x vec) (k, f vec) {
	const sqrtHalf = 0x3fe6a09e667f3bcd
	u := d.addI(x, bits(1023<<52-sqrtHalf))
	k = d.sub(d.or(d.shift(u, -52), bits(0x433<<52)), value(1<<52+1023))
	f = d.sub(d.addI(d.and(u, bits(1<<52-1)), bits(sqrtHalf)), value(1))
	return k, f
}

func (d doubles) logSum(k, f vec) vec {
	s := d.div(f, d.add(f, value(2)))
	t := d.poly(d.mul(s, s), logTerms)
	tail := d.sub(d.mul(d.add(s, s), t), d.mul(s, f))
	return d.add(d.add(d.add(tail, d.mul(k, value(ln2Lo))), f), d.mul(k, value(ln2Hi)))
}

// logOnePlus is for finite numbers > -1.
func (d doubles) logOnePlus(x vec) vec {
	k, f := d.split(d.add(x, value(1)))
	return d.logSum(k, d.choose(d.compare(equal, k, value(0)), x, f))
}

func (d doubles) log(x vec) vec {
	small := d.compare(less, x, value(0x1p-1022))
	scaled, off := d.choose(small, d.mul(x, value(0x1p54)), x), d.choose(small, d.fill(-54), d.fill(0))
	k, f := d.split(scaled)
	y := d.logSum(d.add(k, off), f)
	y = d.choose(d.above(x, math.MaxFloat64), x, y)
	none := d.choose(d.compare(equal, x, value(0)), d.fill(math.Inf(-1)), d.fill(math.NaN()))
	return d.choose(d.compare(notGreater, x, value(0)), none, y)
}

func (d doubles) sigmoid(x vec) vec {
	e := d.expMinus(x)
	num := d.fill(1)
	d.blend(d.negative(x), e, num, num)
	return d.div(num, d.add(e, value(1)))
}

// tanh gives 1 where its argument is limited.
func (d doubles) tanh(x vec) vec {
	a := d.atMost(d.abs(x), 22)
	_, low, p := d.expParts(d.add(a, a))
	scale := d.shift(d.addI(low, bits(1023)), 52)
	t := d.fma(p, scale, d.sub(scale, value(1)))
	return d.or(d.div(t, d.add(t, value(2))), d.sign(x))
}

var (
	erfNum = []float64{
		1.85777706184603153e-1, 3.16112374387056560e+0, 1.13864154151050156e+2,
		3.77485237685302021e+2, 3.20937758913846947e+3,
	}
	erfDen = []float64{
		1, 2.36012909523441209e+1, 2.44024637934444173e+2,
		1.28261652607737228e+3, 2.84423683343917062e+3,
	}
	erfcNum = []float64{
		2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e+0,
		6.61191906371416295e+1, 2.98635138197400131e+2, 8.81952221241769090e+2,
		1.71204761263407058e+3, 2.05107837782607147e+3, 1.23033935479799725e+3,
	}
	erfcDen = []float64{
		1, 1.57449261107098347e+1, 1.17693950891312499e+2,
		5.37181101862009858e+2, 1.62138957456669019e+3, 3.29079923573345963e+3,
		4.36261909014324716e+3, 3.43936767414372164e+3, 1.23033935480374942e+3,
	}
	farNum = []float64{
		1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
		1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4,
	}
	farDen = []float64{
		1, 2.56852019228982242e+0, 1.87295284992346725e+0,
		5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3,
	}
)

// phi computes the two formulas for the middle in all lanes, with one division
// of what each divides, and the one for beyond 4 if any lane needs it.
func (d doubles) phi(x vec) vec {
	const oneOverSqrtPi = 0.56418958354775628695
	a := d.atMost(d.abs(x), 39) // beyond it e^-a²/2 is 0
	z := d.mul(a, value(1/math.Sqrt2))
	y := d.mul(z, z)
	outer := d.above(z, 0.46875)
	num, den := d.horner(y, erfNum), d.horner(y, erfDen)
	d.blend(outer, d.horner(z, erfcNum), num, num)
	d.blend(outer, d.horner(z, erfcDen), den, den)
	quotient := d.div(num, den)
	far := d.above(z, 4)
	d.skipIfNone(far, "near")
	w := d.div(d.fill(1), y)
	beyond := d.div(d.mul(d.horner(w, farNum), w), d.horner(w, farDen))
	d.blend(far, d.div(d.sub(d.fill(oneOverSqrtPi), beyond), z), quotient, quotient)
	Label("near")

	h := d.and(a, bits(^uint64(1<<27-1)))
	e := d.mul(d.mul(d.sub(a, h), d.add(a, h)), value(0.5))
	rest := d.sub(d.fill(1), d.div(e, value(3)))
	rest = d.sub(d.fill(1), d.mul(d.mul(e, value(0.5)), rest))
	rest = d.sub(d.fill(1), d.mul(e, rest))
	tail := d.mul(d.mul(quotient, value(0.5)), rest)
	tail = d.mul(tail, d.exp(d.mul(d.mul(h, h), value(-0.5))))
	d.blend(d.negative(x), tail, d.sub(d.fill(1), tail), tail)

	inner := d.mul(d.mul(x, value(1/math.Sqrt2)), quotient)
	inner = d.add(d.mul(inner, value(0.5)), value(0.5))
	d.blend(outer, tail, inner, inner)
	return inner
}

func (d doubles) log1p(x vec) vec {
	y := d.or(d.abs(d.logOnePlus(x)), d.sign(x))
	y = d.choose(d.above(x, math.MaxFloat64), x, y)
	none := d.choose(d.compare(equal, x, value(-1)), d.fill(math.Inf(-1)), d.fill(math.NaN()))
	return d.choose(d.compare(notGreater, x, value(-1)), none, y)
}

// activations writes functions of the list in kernel/activation.go, or those that
// several of it are.
func (d doubles) activations(of number) {
	d.each("sigmoid", of, d.sigmoid)
	d.each("tanh", of, d.tanh)
	d.each("silu", of, func(x vec) vec { return d.mul(x, d.sigmoid(x)) })
	d.each("gelu", of, func(x vec) vec { return d.mul(x, d.phi(x)) })
	d.each("geluTanh", of, func(x vec) vec {
		const a = 2 * 0.79788456080286535587989211986876
		return d.mul(x, d.sigmoid(d.mul(d.add(d.mul(d.mul(x, x), value(0.044715*a)), value(a)), x)))
	})
	d.each("quickGelu", of, func(x vec) vec { return d.mul(x, d.sigmoid(d.mul(x, d.constant(0)))) })
	d.each("hardswish", of, func(x vec) vec {
		return d.div(d.mul(x, d.atMost(d.atLeast(d.add(x, value(3)), 0), 6)), value(6))
	})
	d.each("mish", of, d.mish)
	d.each("softplus", of, d.softplus)
	d.each("logSigmoid", of, func(x vec) vec { return d.sub(d.atMost(x, 0), d.logOnePlus(d.expMinus(x))) })
	d.each("hardSigmoid", of, func(x vec) vec {
		return d.atMost(d.atLeast(d.add(d.mul(x, d.constant(0)), d.constant(1)), 0), 1)
	})
	d.each("softsign", of, func(x vec) vec { return d.div(x, d.add(d.abs(x), value(1))) })
	d.each("elu", of, func(x vec) vec {
		least := d.expm1(d.atMost(d.mul(x, d.constant(2)), 0))
		return d.choose(d.above(x, 0), d.mul(x, d.constant(0)), d.mul(least, d.constant(1)))
	})
	d.each("leaky", of, func(x vec) vec { return d.mul(x, d.choose(d.negative(x), d.constant(0), d.fill(1))) })
	d.each("clip", of, func(x vec) vec { return d.lesser(d.larger(x, d.constant(0)), d.constant(1)) })
	d.each("abs", of, d.abs)
	d.each("neg", of, func(x vec) vec {
		to := d.vector()
		VXORPD(d.fill(math.Copysign(0, -1)), x, to)
		return to
	})
	d.each("square", of, func(x vec) vec { return d.mul(x, x) })
	if of.bytes == 4 {
		d.sqrt32()
	} else {
		d.each("sqrt", of, d.sqrt)
	}
	d.each("rsqrt", of, func(x vec) vec { return d.div(d.fill(1), d.sqrt(x)) })
	d.each("reciprocal", of, func(x vec) vec { return d.div(d.fill(1), x) })
	d.each("exp", of, func(x vec) vec { return d.exp(d.atMost(x, 720)) })
	d.each("expm1", of, func(x vec) vec {
		return d.choose(d.above(x, 40), d.exp(d.atMost(x, 720)), d.expm1(d.atMost(x, 40)))
	})
	d.each("log", of, d.log)
	d.each("log1p", of, d.log1p)
	d.each("floor", of, d.floor)
	d.each("ceil", of, func(x vec) vec { return d.rounded(x, up) })
	d.each("round", of, func(x vec) vec { return d.rounded(x, toNearest) })
	d.each("sign", of, func(x vec) vec {
		return d.choose(d.above(x, 0), d.fill(1), d.choose(d.compare(less, x, value(0)), d.fill(-1), d.add(x, value(0))))
	})
	d.each("threshold", of, func(x vec) vec { return d.choose(d.compare(atMost, x, d.constant(0)), d.constant(1), x) })
	d.each("hardShrink", of, func(x vec) vec { return d.choose(d.compare(atMost, d.abs(x), d.constant(0)), d.fill(0), x) })
	d.each("softShrink", of, func(x vec) vec {
		by := d.constant(0)
		near := d.choose(d.compare(unordered, x, x), x, d.fill(0))
		below := d.choose(d.compare(less, x, d.sub(d.fill(0), by)), d.add(x, by), near)
		return d.choose(d.compare(greater, x, by), d.sub(x, by), below)
	})
}

// constant is number i of the function's constants, in all lanes.
func (d doubles) constant(i int) vec {
	v := d.vector()
	VBROADCASTSD(Mem{Base: Load(Param("c"), GP64()), Disp: 8 * i}, v)
	return v
}

func (d doubles) mish(x vec) vec {
	e := d.expMinus(x)
	n := d.add(d.add(e, e), value(1))
	m := d.mul(d.add(e, e), e)
	below := d.negative(x)
	n = d.choose(below, d.mul(d.add(e, value(2)), e), n)
	m = d.choose(below, d.fill(2), m)
	return d.mul(x, d.div(n, d.add(n, m)))
}

func (d doubles) softplus(x vec) vec {
	z := d.mul(x, d.constant(0))
	y := d.mul(d.add(d.atLeast(z, 0), d.logOnePlus(d.expMinus(z))), d.constant(2))
	return d.choose(d.compare(greater, z, d.constant(1)), x, y)
}

func (d doubles) sqrt(x vec) vec {
	y := d.vector()
	VSQRTPD(x, y)
	return d.choose(d.compare(less, x, value(0)), d.fill(math.NaN()), y)
}

// sqrt32 takes roots of float32 as such, as many as a vector has float64s: one of float64
// that is rounded again is the same.
func (d doubles) sqrt32() {
	vector := func() reg.VecVirtual {
		if d.bytes == 64 {
			return YMM()
		}
		return XMM()
	}
	d.eachVector("sqrt", f32, func() func(dst, src Mem) {
		zero, nan := vector(), vector()
		VXORPS(zero, zero, zero)
		VBROADCASTSS(constant("nan32", U32(0x7fc00000)), nan)
		return func(dst, src Mem) {
			x, y := vector(), vector()
			VMOVUPS(src, x)
			VSQRTPS(x, y)
			VCMPPS(U8(less), zero, x, x)
			VBLENDVPS(x, nan, y, y)
			VMOVUPS(y, dst)
		}
	})
}

// addExp computes both sums, with the element and with the greatest exponent made 1, and
// chooses.
func (d doubles) addExp(of number) {
	TEXT("addExp"+d.name+of.name, NOSPLIT, "func(top, sum, x *byte, n int)")
	Pragma("noescape")
	Doc("Adds e^x[i] to e^top[i]·sum[i] for n elements.")
	tops, sums, xs := Load(Param("top"), GP64()), Load(Param("sum"), GP64()), Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	Label("loop")
	x, top, sum := d.load(of, Mem{Base: xs}), d.load(f64, Mem{Base: tops}), d.load(f64, Mem{Base: sums})
	apart := d.or(d.sub(x, top), bits(1<<63))
	d.blend(d.compare(equal, x, top), d.fill(0), apart, apart)
	e := d.exp(apart)
	scaled := d.add(d.mul(sum, e), value(1))
	below := d.compare(atMost, x, top)
	d.blend(below, d.add(sum, e), scaled, sum)
	d.blend(below, top, x, top)
	VMOVUPD(top, Mem{Base: tops})
	VMOVUPD(sum, Mem{Base: sums})
	ADDQ(U8(d.bytes), tops)
	ADDQ(U8(d.bytes), sums)
	d.advance(of, n, xs)
	VZEROUPPER()
	RET()
}

// parameter is a float64 in all lanes.
func (d doubles) parameter(name string) vec {
	x, v := XMM(), d.vector()
	Load(Param(name), x)
	VBROADCASTSD(x, v)
	return v
}

func (d doubles) softmaxMax(of number) {
	TEXT("softmaxMax"+d.name+of.name, NOSPLIT, "func(x *byte, n int, least float64) float64")
	Pragma("noescape")
	Doc("The greatest of least and of n elements, NaNs apart.")
	x, n, acc := Load(Param("x"), GP64()), Load(Param("n"), GP64()), d.parameter("least")
	Label("loop")
	VMAXPD(acc, d.load(of, Mem{Base: x}), acc) // of a NaN and a number the first operand
	d.advance(of, n, x)
	y := acc.AsY()
	if d.bytes == 64 {
		half := YMM()
		VEXTRACTF64X4(U8(1), acc, half)
		VMAXPD(y, half, half)
		y = half.AsY()
	}
	half, most := XMM(), XMM()
	VEXTRACTF128(U8(1), y, half)
	VMAXPD(y.(reg.Vec).AsX(), half, half)
	VPERMILPD(U8(1), half, most)
	VMAXPD(half, most, most)
	VZEROUPPER() // first, since Store's instruction is one of SSE
	Store(most, ReturnIndex(0))
	RET()
}

func (d doubles) softmaxExp(of number) {
	TEXT("softmaxExp"+d.name+of.name, NOSPLIT, "func(dst, src *byte, n int, top float64, sums *byte, mask int)")
	Pragma("noescape")
	Doc("dst[i] = e^(src[i]-top) for n elements, none greater than top. Before they",
		"are rounded they are added to the float64s at sums in turn, which begin",
		"again where mask cuts an offset in bytes off.")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	top, sums, mask := d.parameter("top"), Load(Param("sums"), GP64()), Load(Param("mask"), GP64())
	off := GP64()
	XORQ(off, off)
	Label("loop")
	e := d.exp(d.sub(d.load(of, Mem{Base: src}), top))
	d.store(of, e, Mem{Base: dst})
	at := Mem{Base: sums, Index: off, Scale: 1}
	VADDPD(at, e, e)
	VMOVUPD(e, at)
	ADDQ(U8(d.bytes), off)
	ANDQ(mask, off)
	d.advance(of, n, dst, src)
	VZEROUPPER()
	RET()
}

func (d doubles) softmaxDivide(of number) {
	TEXT("softmaxDivide"+d.name+of.name, NOSPLIT, "func(x *byte, n int, by float64)")
	Pragma("noescape")
	Doc("x[i] /= by for n elements.")
	x, n, by := Load(Param("x"), GP64()), Load(Param("n"), GP64()), d.parameter("by")
	Label("loop")
	d.store(of, d.div(d.load(of, Mem{Base: x}), by), Mem{Base: x})
	d.advance(of, n, x)
	VZEROUPPER()
	RET()
}
