package main

import (
	"fmt"
	mathbits "math/bits"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// folded is the number of vectors that a step of foldCRC takes: as many as keep
// the multipliers busy.
const folded = 8

// checksums fold bytes for the CRC-32 of zip and gzip, as V. Gopal and others,
// "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction"
// (Intel, 2009), have it, in as many lanes of 128 bits as there are.
func checksums() {
	for _, s := range []isa{avx512, avx2} {
		step := folded * s.bytes
		low, high := power(8*step+32), power(8*step-32)
		constants := GLOBL("foldCRC"+s.name+"Powers", RODATA|NOPTR)
		DATA(0, U64(low))
		DATA(8, U64(high))

		TEXT("foldCRC"+s.name, NOSPLIT, "func(state, src *byte, steps int)")
		Pragma("noescape")
		Doc(fmt.Sprintf("state = state·x^%d + src modulo the polynomial of CRC-32, for each of steps > 0 blocks of %d bytes.", 8*step, step))
		state, src := Load(Param("state"), GP64()), Load(Param("src"), GP64())
		steps := Load(Param("steps"), GP64())
		powers := s.vector()
		if s.bytes == 64 {
			VBROADCASTI32X4(constants, powers)
		} else {
			VBROADCASTI128(constants, powers)
		}
		var acc [folded]reg.VecVirtual
		for i := range acc {
			acc[i] = s.vector()
			VMOVUPS(Mem{Base: state, Disp: i * s.bytes}, acc[i])
		}
		t := s.vector()
		Label("step")
		for i, a := range acc {
			carryless(U8(0x00), powers, a, t)
			carryless(U8(0x11), powers, a, a)
			s.xor(t, a, a)
			if at := (Mem{Base: src, Disp: i * s.bytes}); s.bytes == 64 {
				VPXORQ(at, a, a)
			} else {
				VPXOR(at, a, a)
			}
		}
		ADDQ(U32(step), src)
		DECQ(steps)
		JNZ(LabelRef("step"))
		for i, a := range acc {
			VMOVUPS(a, Mem{Base: state, Disp: i * s.bytes})
		}
		VZEROUPPER()
		RET()
	}

	TEXT("extendedFeatures", NOSPLIT, "func() uint32")
	Doc("What CPUID says in ECX for leaf 7: x/sys/cpu keeps the bits of it that AVX-512 has alone.")
	MOVL(U32(7), reg.EAX)
	XORL(reg.ECX, reg.ECX)
	CPUID()
	Store(reg.ECX, ReturnIndex(0))
	RET()
}

// carryless is VPCLMULQDQ, which avo 0.5 knows of 128 bits alone.
func carryless(halves Op, a, b, dst reg.VecVirtual) {
	Instruction(&ir.Instruction{
		Opcode:   "VPCLMULQDQ",
		Operands: []Op{halves, a, b, dst},
		Inputs:   []Op{a, b},
		Outputs:  []Op{dst},
	})
}

// power is x^n modulo the polynomial of CRC-32, with the lowest power in the
// highest bit of 32, moved by one bit: the product of two reflected
// polynomials is one short.
func power(n int) uint64 {
	const polynomial = 0x04c11db7
	p := uint32(1)
	for range n {
		carry := p >> 31
		p = p<<1 ^ carry*polynomial
	}
	return uint64(mathbits.Reverse32(p)) << 1
}
