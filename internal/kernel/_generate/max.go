package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// ordered are the types that have a maximum and a minimum; Half is both 16-bit floats.
var ordered = []string{"I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "Half", "F32", "F64"}

// extra are the parameters that a loop over these takes after the others.
func extra(kind string) string {
	if kind == "Half" {
		return ", order *byte"
	}
	return ""
}

// extremum writes m = max(m, x), or the minimum: into takes one x after the other,
// after begin and before settle.
type extremum struct {
	begin, settle func(m reg.VecVirtual)
	into          func(x, m reg.VecVirtual)
}

func (s isa) extremum(kind string, least bool) extremum {
	switch kind {
	case "Half":
		return s.extremumHalf(least)
	case "F32":
		max := VMAXPS
		if least {
			max = VMINPS
		}
		return s.extremumFloat(least, s.constant32(0x7fc00000), max, VRANGEPS, VCMPPS, VMOVAPS, VBLENDVPS)
	case "F64":
		max := VMAXPD
		if least {
			max = VMINPD
		}
		return s.extremumFloat(least, s.constant64(0x7ff8<<48), max, VRANGEPD, VCMPPD, VMOVAPD, VBLENDVPD)
	}
	if s.bytes == 32 && (kind == "I64" || kind == "U64") {
		return s.extremum64(least, kind == "U64")
	}
	instruction := map[string]func(ops ...Op){
		"I8": VPMAXSB, "I16": VPMAXSW, "I32": VPMAXSD, "I64": VPMAXSQ,
		"U8": VPMAXUB, "U16": VPMAXUW, "U32": VPMAXUD, "U64": VPMAXUQ,
	}
	if least {
		instruction = map[string]func(ops ...Op){
			"I8": VPMINSB, "I16": VPMINSW, "I32": VPMINSD, "I64": VPMINSQ,
			"U8": VPMINUB, "U16": VPMINUW, "U32": VPMINUD, "U64": VPMINUQ,
		}
	}
	return extremum{nothing, nothing, func(x, m reg.VecVirtual) { instruction[kind](x, m, m) }}
}

// extremum64 compares, since AVX2 has no maximum of 64-bit integers, nor a
// comparison of unsigned ones.
func (s isa) extremum64(least, unsigned bool) extremum {
	var signs reg.VecVirtual
	if unsigned {
		signs = s.constant64(1 << 63)
	}
	return extremum{nothing, nothing, func(x, m reg.VecVirtual) {
		a, b, greater := x, m, s.vector()
		if unsigned {
			a, b = s.vector(), s.vector()
			VPXOR(signs, x, a)
			VPXOR(signs, m, b)
		}
		VPCMPGTQ(a, b, greater)
		if least {
			VBLENDVPD(greater, x, m, m)
		} else {
			VBLENDVPD(greater, m, x, m)
		}
	}}
}

// extremumFloat is IEEE 754-2019's maximum, or its minimum, with one NaN for all.
// AVX512's range instruction orders zeros, and ignores NaNs. The older maximum gives its
// second operand where there is a NaN, and of two zeros: the latter is put
// right by taking it both ways and and-ing, +0 being no bits (of minima, or-ing), and the
// former by or-ing what a comparison gives, which is all bits and a NaN.
func (s isa) extremumFloat(least bool, nan reg.VecVirtual, max, inRange, compare, move func(ops ...Op), blend func(mask, yes, no, dst Op)) extremum {
	if s.bytes == 64 {
		signed := U8(0b0101)
		if least {
			signed = 0b0100
		}
		return extremum{nothing, nothing, func(x, m reg.VecVirtual) {
			k := K()
			compare(U8(unordered), x, m, k)
			inRange(signed, x, m, m)
			move(nan, k, m)
		}}
	}
	settle := func(m reg.VecVirtual) {
		isNaN := s.vector()
		compare(U8(unordered), m, m, isNaN)
		blend(isNaN, nan, m, m)
	}
	return extremum{nothing, settle, func(x, m reg.VecVirtual) {
		a, b, isNaN := s.vector(), s.vector(), s.vector()
		compare(U8(unordered), x, m, isNaN)
		max(x, m, a)
		max(m, x, b)
		if least {
			VORPS(a, b, b)
		} else {
			VANDPS(a, b, b)
		}
		VORPS(b, isNaN, m)
	}}
}

// extremumHalf compares the keys that the type order in Go explains, of numbers negated
// where it writes a minimum. The parameter order has, twice 16 bits each, its value, the
// key of +Inf and the NaN to give.
func (s isa) extremumHalf(least bool) extremum {
	words := Load(Param("order"), GP64())
	order, most, nan := s.vector(), s.vector(), s.vector()
	for i, v := range []reg.VecVirtual{order, most, nan} {
		VBROADCASTSS(Mem{Base: words, Disp: 4 * i}, v)
	}
	negate := nothing
	if least {
		sign := s.constant32(0x80008000)
		negate = func(v reg.VecVirtual) { s.xor(sign, v, v) }
	}
	flip := func(v reg.VecVirtual) { // all bits of negative numbers but the sign
		signs := s.vector()
		VPSRAW(U8(15), v, signs)
		VPSRLW(U8(1), signs, signs)
		s.xor(signs, v, v)
	}
	key := func(v reg.VecVirtual) {
		negate(v)
		flip(v)
		VPSUBW(order, v, v)
	}
	settle := func(m reg.VecVirtual) {
		if s.bytes == 64 {
			isNaN := K()
			VPCMPGTW(most, m, isNaN)
			VPADDW(order, m, m)
			flip(m)
			negate(m)
			VMOVDQU16(nan, isNaN, m)
			return
		}
		isNaN := s.vector()
		VPCMPGTW(most, m, isNaN)
		VPADDW(order, m, m)
		flip(m)
		negate(m)
		VPBLENDVB(isNaN, nan, m, m)
	}
	return extremum{key, settle, func(x, m reg.VecVirtual) {
		key(x)
		VPMAXSW(x, m, m)
	}}
}

// constants holds the constants of the current file, by their names.
var constants = map[string]Mem{}

func constant(name string, c Constant) Mem {
	m, ok := constants[name]
	if !ok {
		m = ConstData(name, c)
		constants[name] = m
	}
	return m
}

// constant32 is a vector of these bits.
func (s isa) constant32(bits uint32) reg.VecVirtual {
	v := s.vector()
	VBROADCASTSS(constant(fmt.Sprintf("bits%08x", bits), U32(bits)), v)
	return v
}

// constant64 is a vector of these bits.
func (s isa) constant64(bits uint64) reg.VecVirtual {
	v := s.vector()
	VBROADCASTSD(constant(fmt.Sprintf("bits%016x", bits), U64(bits)), v)
	return v
}
