package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// moves copy rows too short for a call of memmove each, of a vector or more: the
// last vector of a row may overlap the one before.
func moves() {
	for _, s := range []isa{avx512, avx2} {
		TEXT("copyRows"+s.name, NOSPLIT, "func(dst *byte, dstStride int, src *byte, srcStride, bytes, rows int)")
		Pragma("noescape")
		Doc(fmt.Sprintf("dst[r,i] = src[r,i] for rows > 0 rows of %d bytes or more, some bytes apart.", s.bytes))
		dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
		src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
		last, rows := Load(Param("bytes"), GP64()), Load(Param("rows"), GP64())
		SUBQ(U8(s.bytes), last) // where the last vector begins
		Label("row")
		at, v := GP64(), s.vector()
		XORQ(at, at)
		JMP(LabelRef("check"))
		Label("vector")
		VMOVUPS(Mem{Base: src, Index: at, Scale: 1}, v)
		VMOVUPS(v, Mem{Base: dst, Index: at, Scale: 1})
		ADDQ(U8(s.bytes), at)
		Label("check")
		CMPQ(at, last)
		JLT(LabelRef("vector"))
		VMOVUPS(Mem{Base: src, Index: last, Scale: 1}, v)
		VMOVUPS(v, Mem{Base: dst, Index: last, Scale: 1})
		ADDQ(srcStride, src)
		ADDQ(dstStride, dst)
		DECQ(rows)
		JNZ(LabelRef("row"))
		VZEROUPPER()
		RET()
	}
}
