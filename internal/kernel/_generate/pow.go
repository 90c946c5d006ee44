package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The function of kernel/pow.go, whose comments say why it is as it is, in the same
// operations in the same order. Special cases are chosen among results.

var quietNaN = math.Float64frombits(0x7ff8 << 48)

// pow writes a loop over n > 0 elements, a multiple of the float64s in a vector. It
// loads its operands where it needs them: registers are few.
func (d doubles) pow(of number) {
	TEXT("pow"+d.name+of.name, NOSPLIT, "func(dst, a, b *byte, n int)")
	Pragma("noescape")
	Doc("dst[i] = a[i] to the power b[i] for n elements.")
	dst, a, b := Load(Param("dst"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64())
	n := Load(Param("n"), GP64())
	operand := func(base reg.Register) vec { return d.load(of, Mem{Base: base}) }
	Label("loop")
	hi, lo := d.logParts(d.abs(operand(a)))
	r := d.expProduct(operand(b), hi, lo)
	one := d.fill(1)
	d.blend(d.compare(equal, d.abs(operand(a)), value(1)), one, r, r)
	y := operand(b)
	d.blend(d.compare(equal, y, value(0)), one, r, r)

	x, whole := operand(a), d.vector()
	d.xor(r, d.sign(x), whole)
	half := d.mul(y, value(0.5))
	d.blend(d.compare(unequal, d.floor(half), half), whole, r, whole) // odd powers
	nan, broken := d.fill(quietNaN), d.vector()
	d.blend(d.compare(less, x, value(0)), nan, r, broken)
	d.blend(d.compare(greater, x, value(math.Inf(-1))), broken, r, broken)
	d.blend(d.compare(equal, d.floor(y), y), whole, broken, r)
	d.blend(d.compare(unordered, r, r), nan, r, r)
	d.store(of, r, Mem{Base: dst})
	d.advance(of, n, dst, a, b)
	VZEROUPPER()
	RET()
}

func (d doubles) logParts(x vec) (hi, lo vec) {
	const (
		sqrtHalf = 0x3fe6a09e667f3bcd
		bias     = 1023
		integer  = 0x433 // the exponent of 2^52, whose last place is 1
	)
	scaled, zero := d.vector(), d.vector()
	small := d.compare(less, x, value(0x1p-1022))
	d.blend(small, d.mul(x, value(0x1p54)), x, scaled)
	d.blend(small, d.fill(1<<52+bias+54), d.fill(1<<52+bias), zero)
	u := d.addI(scaled, bits(bias<<52-sqrtHalf))
	k := d.sub(d.or(d.shift(u, -52), bits(integer<<52)), zero)
	m := d.addI(d.and(u, bits(1<<52-1)), bits(sqrtHalf))

	f, den := d.sub(m, value(1)), d.add(m, value(1))
	s := d.div(f, den)
	sLo := d.mul(d.fnma(s, d.sub(m, d.sub(den, value(1))), d.fnma(s, den, f)), d.div(d.fill(1), den))
	z := d.mul(s, s)
	zLo := d.fma(d.add(s, s), sLo, d.fms(s, s, z))
	square := d.mul(z, z)
	even := d.horner(square, []float64{1. / 25, 1. / 21, 1. / 17, 1. / 13, 1. / 9, 1. / 5})
	odd := d.horner(square, []float64{1. / 23, 1. / 19, 1. / 15, 1. / 11, 1. / 7})
	q := d.fma(odd, z, even)
	p := d.mul(z, q)
	pLo := d.fma(zLo, q, d.fms(z, q, p))
	t := d.add(p, value(1./3))
	tLo := d.add(d.add(d.sub(d.fill(1./3), t), p), d.add(pLo, value(0x1.5555555555555p-56)))
	w := d.mul(z, t)
	wLo := d.fma(z, tLo, d.fma(zLo, t, d.fms(z, t, w)))
	v := d.mul(s, w)
	vLo := d.fma(sLo, w, d.fma(s, wLo, d.fms(s, w, v)))
	half := d.add(s, v)
	halfLo := d.add(d.add(d.sub(s, half), v), d.add(vLo, sLo))

	whole, two := d.mul(k, value(ln2Hi)), d.add(half, half)
	hi = d.add(whole, two)
	lo = d.add(d.add(d.sub(whole, hi), two), d.fma(k, value(ln2Lo), d.add(halfLo, halfLo)))
	d.blend(d.compare(notLess, x, value(math.Inf(1))), x, hi, hi)
	d.blend(d.compare(equal, x, value(0)), d.fill(math.Inf(-1)), hi, hi)
	return hi, lo
}

func (d doubles) expProduct(y, hi, lo vec) vec {
	exact := d.mul(y, hi)
	t := d.atLeast(d.atMost(exact, 710), -746)
	tLo := d.fma(y, lo, d.fms(y, hi, exact))
	none := d.fill(0)
	d.blend(d.compare(equal, t, exact), tLo, none, tLo)
	low := d.fma(d.fill(math.Log2E), t, value(shift))
	k := d.sub(low, value(shift))
	r := d.fma(k, value(-ln2Hi), t)
	rest := d.fms(d.fill(ln2Lo), k, tLo)
	s := d.sub(r, rest)
	q := d.mul(s, s)
	p := d.fma(q, d.expSeries(s, q), d.sub(d.sub(r, s), rest))
	e := d.add(s, value(1))
	return d.scale(d.add(e, d.add(d.add(d.sub(d.fill(1), e), s), p)), k, low)
}
