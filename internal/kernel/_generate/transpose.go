package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transposes exchange rows and columns of one square block, a vector's elements
// on a side: rows of src and dst start srcStride and dstStride bytes apart.
func transposes() {
	for _, s := range []isa{avx512, avx2} {
		for _, n := range []number{f32, f64} {
			transpose(s, n)
		}
	}
}

// transpose interleaves pairs of registers at growing distances: numbers and
// then pairs of numbers within lanes of 16 bytes, and then those lanes.
func transpose(s isa, n number) {
	side := s.bytes / n.bytes
	TEXT(fmt.Sprintf("transpose%s%s", s.name, n.name), NOSPLIT, "func(dst *byte, dstStride int, src *byte, srcStride int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("dst[c,r] = src[r,c] for %d rows and columns.", side))
	dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	v := make([]reg.VecVirtual, side)
	for r := range v {
		v[r] = s.vector()
		n.move(Mem{Base: src}, v[r])
		if r < side-1 {
			ADDQ(srcStride, src)
		}
	}
	if n.bytes == 4 {
		v = pairs(s, v, 1, VUNPCKLPS, VUNPCKHPS)
		v = pairs(s, v, 2, VUNPCKLPD, VUNPCKHPD)
	} else {
		v = pairs(s, v, 1, VUNPCKLPD, VUNPCKHPD)
	}
	// Now register r has, in each lane of 16 bytes, a piece of one column.
	lane := 16 / n.bytes
	out := make([]reg.VecVirtual, side)
	if s.bytes == 32 {
		for r := range lane {
			out[r], out[r+lane] = s.vector(), s.vector()
			VPERM2F128(U8(0x20), v[r+lane], v[r], out[r])
			VPERM2F128(U8(0x31), v[r+lane], v[r], out[r+lane])
		}
	} else {
		for r := range lane {
			// Lanes 0 and 2 of two registers, then 1 and 3, of all four; then the same
			// again of what that gives.
			a, b, c, d := v[r], v[r+lane], v[r+2*lane], v[r+3*lane]
			ab, cd := s.vector(), s.vector()
			VSHUFF32X4(U8(0x88), b, a, ab)
			VSHUFF32X4(U8(0x88), d, c, cd)
			out[r], out[r+2*lane] = s.vector(), s.vector()
			VSHUFF32X4(U8(0x88), cd, ab, out[r])
			VSHUFF32X4(U8(0xdd), cd, ab, out[r+2*lane])
			ab2, cd2 := s.vector(), s.vector()
			VSHUFF32X4(U8(0xdd), b, a, ab2)
			VSHUFF32X4(U8(0xdd), d, c, cd2)
			out[r+lane], out[r+3*lane] = s.vector(), s.vector()
			VSHUFF32X4(U8(0x88), cd2, ab2, out[r+lane])
			VSHUFF32X4(U8(0xdd), cd2, ab2, out[r+3*lane])
		}
	}
	for r := range out {
		n.move(out[r], Mem{Base: dst})
		if r < side-1 {
			ADDQ(dstStride, dst)
		}
	}
	VZEROUPPER()
	RET()
}

// pairs interleaves registers r and r+distance, in groups of twice the
// distance; the result's order is that of columns.
func pairs(s isa, v []reg.VecVirtual, distance int, low, high func(ops ...Op)) []reg.VecVirtual {
	out := make([]reg.VecVirtual, len(v))
	for g := 0; g < len(v); g += 2 * distance {
		for r := range distance {
			a, b := v[g+r], v[g+r+distance]
			lo, hi := s.vector(), s.vector()
			low(b, a, lo)
			high(b, a, hi)
			out[g+2*r], out[g+2*r+1] = lo, hi
		}
	}
	return out
}
