package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// ordered are the types that have a maximum; Half is both 16-bit floats.
var ordered = []string{"I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "Half", "F32", "F64"}

// extra are the parameters that a loop over maxima takes after the others.
func extra(kind string) string {
	if kind == "Half" {
		return ", order *byte"
	}
	return ""
}

// maximum writes m = max(m, x): into takes one x after the other, after
// begin and before settle.
type maximum struct {
	begin, settle func(m reg.VecVirtual)
	into          func(x, m reg.VecVirtual)
}

func (s isa) maximum(kind string) maximum {
	switch kind {
	case "Half":
		return s.maximumHalf()
	case "F32":
		return s.maximumFloat(s.constant32(0x7fc00000), VMAXPS, VRANGEPS, VCMPPS, VMOVAPS, VBLENDVPS)
	case "F64":
		return s.maximumFloat(s.constant64(0x7ff8<<48), VMAXPD, VRANGEPD, VCMPPD, VMOVAPD, VBLENDVPD)
	}
	if s.bytes == 32 && (kind == "I64" || kind == "U64") {
		return s.maximum64(kind == "U64")
	}
	instruction := map[string]func(ops ...Op){
		"I8": VPMAXSB, "I16": VPMAXSW, "I32": VPMAXSD, "I64": VPMAXSQ,
		"U8": VPMAXUB, "U16": VPMAXUW, "U32": VPMAXUD, "U64": VPMAXUQ,
	}[kind]
	return maximum{nothing, nothing, func(x, m reg.VecVirtual) { instruction(x, m, m) }}
}

// maximum64 compares, since AVX2 has no maximum of 64-bit integers, nor a
// comparison of unsigned ones.
func (s isa) maximum64(unsigned bool) maximum {
	var signs reg.VecVirtual
	if unsigned {
		signs = s.constant64(1 << 63)
	}
	return maximum{nothing, nothing, func(x, m reg.VecVirtual) {
		a, b, greater := x, m, s.vector()
		if unsigned {
			a, b = s.vector(), s.vector()
			VPXOR(signs, x, a)
			VPXOR(signs, m, b)
		}
		VPCMPGTQ(a, b, greater)
		VBLENDVPD(greater, m, x, m)
	}}
}

// maximumFloat is IEEE 754-2019's maximum, with one NaN for all. AVX512's range
// instruction orders zeros, and ignores NaNs. The older maximum gives its
// second operand where there is a NaN, and of two zeros: the latter is put
// right by taking it both ways and and-ing, +0 being no bits, and the former
// by or-ing what a comparison gives, which is all bits and a NaN.
func (s isa) maximumFloat(nan reg.VecVirtual, max, inRange, compare, move func(ops ...Op), blend func(mask, yes, no, dst Op)) maximum {
	const unordered = 3
	if s.bytes == 64 {
		const maximumSigned = 0b0101
		return maximum{nothing, nothing, func(x, m reg.VecVirtual) {
			k := K()
			compare(U8(unordered), x, m, k)
			inRange(U8(maximumSigned), x, m, m)
			move(nan, k, m)
		}}
	}
	settle := func(m reg.VecVirtual) {
		isNaN := s.vector()
		compare(U8(unordered), m, m, isNaN)
		blend(isNaN, nan, m, m)
	}
	return maximum{nothing, settle, func(x, m reg.VecVirtual) {
		a, b, isNaN := s.vector(), s.vector(), s.vector()
		compare(U8(unordered), x, m, isNaN)
		max(x, m, a)
		max(m, x, b)
		VANDPS(a, b, b)
		VORPS(b, isNaN, m)
	}}
}

// maximumHalf compares the keys that the type order in Go explains. The parameter
// order has, twice 16 bits each, its value, the key of +Inf and the NaN to give.
func (s isa) maximumHalf() maximum {
	words := Load(Param("order"), GP64())
	order, most, nan := s.vector(), s.vector(), s.vector()
	for i, v := range []reg.VecVirtual{order, most, nan} {
		VBROADCASTSS(Mem{Base: words, Disp: 4 * i}, v)
	}
	flip := func(v reg.VecVirtual) { // all bits of negative numbers but the sign
		signs := s.vector()
		VPSRAW(U8(15), v, signs)
		VPSRLW(U8(1), signs, signs)
		s.xor(signs, v, v)
	}
	key := func(v reg.VecVirtual) {
		flip(v)
		VPSUBW(order, v, v)
	}
	settle := func(m reg.VecVirtual) {
		if s.bytes == 64 {
			isNaN := K()
			VPCMPGTW(most, m, isNaN)
			VPADDW(order, m, m)
			flip(m)
			VMOVDQU16(nan, isNaN, m)
			return
		}
		isNaN := s.vector()
		VPCMPGTW(most, m, isNaN)
		VPADDW(order, m, m)
		flip(m)
		VPBLENDVB(isNaN, nan, m, m)
	}
	return maximum{key, settle, func(x, m reg.VecVirtual) {
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
