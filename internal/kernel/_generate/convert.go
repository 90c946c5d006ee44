package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// unary is a loop over one operand, of which a step takes src bytes, and dst
// bytes of the result.
func (s isa) unary(name, doc string, dst, src int, prepare func() func(dst, src Mem)) {
	loop(name, doc, []string{"dst", "src"}, []int{dst, src}, "", func() step {
		body := prepare()
		return func(dst Mem, src []Mem) { body(dst, src[0]) }
	})
}

// half is the lower half of a vector.
func (s isa) half(v reg.VecVirtual) reg.Register {
	if s.bytes == 64 {
		return v.AsY()
	}
	return v.AsX()
}

// narrow rounds a vector of float64 to half a vector of float32, in place.
func (s isa) narrow(v reg.VecVirtual) {
	if s.bytes == 64 {
		VCVTPD2PS(v, v.AsY())
	} else {
		VCVTPD2PSY(v, v.AsX())
	}
}

// conversions round to nearest, ties to even.
func (s isa) conversions() {
	whole, half := s.bytes, s.bytes/2
	convert := func(from, to string, dst, src int, prepare func() func(dst, src Mem)) {
		s.unary(fmt.Sprintf("convert%s%sTo%s", s.name, from, to), fmt.Sprintf("dst = src, n times %d bytes of dst.", dst), dst, src, prepare)
	}
	convert("F32", "F64", whole, half, func() func(dst, src Mem) {
		return func(dst, src Mem) {
			v := s.vector()
			VCVTPS2PD(src, v)
			VMOVUPD(v, dst)
		}
	})
	convert("F64", "F32", half, whole, func() func(dst, src Mem) {
		return func(dst, src Mem) {
			v := s.vector()
			VMOVUPD(src, v)
			s.narrow(v)
			VMOVUPS(s.half(v), dst)
		}
	})
	convert("F16", "F32", whole, half, func() func(dst, src Mem) {
		return func(dst, src Mem) {
			v := s.vector()
			VCVTPH2PS(src, v)
			VMOVUPS(v, dst)
		}
	})
	convert("F32", "F16", half, whole, func() func(dst, src Mem) {
		return func(dst, src Mem) {
			const nearestEven = 0
			v := s.vector()
			VMOVUPS(src, v)
			VCVTPS2PH(U8(nearestEven), v, dst)
		}
	})
	convert("BF16", "F32", whole, half, func() func(dst, src Mem) {
		return func(dst, src Mem) {
			v := s.vector()
			VPMOVZXWD(src, v)
			VPSLLD(U8(16), v, v)
			VMOVUPS(v, dst)
		}
	})
	convert("F32", "BF16", half, whole, s.toBFloat16)
}

// toBFloat16 is float32ToB16: half of the last place kept, less one, and the
// last bit kept are added, or a bit of quiet NaNs set.
func (s isa) toBFloat16() func(dst, src Mem) {
	const unordered = 3
	one, round, quiet := s.constant32(1), s.constant32(0x7fff), s.constant32(0x40)
	return func(dst, src Mem) {
		v, kept, sum := s.vector(), s.vector(), s.vector()
		VMOVUPS(src, v)
		VPSRLD(U8(16), v, kept)
		if s.bytes == 64 {
			isNaN := K()
			VCMPPS(U8(unordered), v, v, isNaN)
			VPANDD(one, kept, sum)
			VPADDD(round, sum, sum)
			VPADDD(v, sum, sum)
			VPSRLD(U8(16), sum, sum)
			VPORD(quiet, kept, isNaN, sum)
			VPMOVDW(sum, dst)
			return
		}
		isNaN := s.vector()
		VCMPPS(U8(unordered), v, v, isNaN)
		VPAND(one, kept, sum)
		VPADDD(round, sum, sum)
		VPADDD(v, sum, sum)
		VPSRLD(U8(16), sum, sum)
		VPOR(quiet, kept, kept)
		VPBLENDVB(isNaN, kept, sum, sum)
		VPACKUSDW(sum, sum, sum)     // in either half of the vector
		VPERMQ(U8(0b1000), sum, sum) // both halves of it to the lower one
		VMOVDQU(sum.AsX(), dst)
	}
}

// swaps reverse the bytes of elements.
func (s isa) swaps() {
	for _, size := range []int{2, 4, 8} {
		s.unary(fmt.Sprintf("swap%sx%d", s.name, 8*size), fmt.Sprintf("dst = src with the bytes of each %d reversed, n vectors.", size),
			s.bytes, s.bytes, func() func(dst, src Mem) {
				var order [16]byte
				for i := range order {
					order[i] = byte(i ^ (size - 1))
				}
				from := s.vector()
				m := constant(fmt.Sprintf("swap%d", size), String(order[:]))
				if s.bytes == 64 {
					VBROADCASTI32X4(m, from)
				} else {
					VBROADCASTI128(m, from)
				}
				return func(dst, src Mem) {
					v := s.vector()
					VMOVUPS(src, v)
					VPSHUFB(from, v, v)
					VMOVUPS(v, dst)
				}
			})
	}
}
