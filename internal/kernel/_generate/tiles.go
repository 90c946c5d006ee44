package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tiles are the inner tiles of the matrix product: as many rows as there are
// registers for, and all lower heights for the edges; two vectors wide, and
// one for narrow products.
func tiles() {
	for _, s := range []isa{avx512, avx2} {
		peak(s, f32)
		peak(s, f64)
	}
	for _, n := range []number{f32, f64} {
		for width := 1; width <= 2; width++ {
			for h := 1; h <= 12; h++ {
				tile(avx512, n, h, width)
			}
			for h := 1; h <= 6; h++ {
				tile(avx2, n, h, width)
			}
		}
	}
}

// peakChains are the chains of multiply-adds that peak keeps going: more than
// the instruction's latency times its throughput.
const peakChains = 12

// peak is what benchmarks hold products against: multiply-adds in registers
// and nothing else.
func peak(s isa, n number) {
	TEXT("peak"+s.name+n.name, NOSPLIT, "func(n int)")
	Doc(fmt.Sprintf("n times %d multiply-adds of whole vectors, in chains that don't depend on each other.", peakChains))
	count := Load(Param("n"), GP64())
	x := s.vector()
	s.zero(x)
	var chains []reg.VecVirtual
	for range peakChains {
		v := s.vector()
		s.zero(v)
		chains = append(chains, v)
	}
	Label("loop")
	for _, v := range chains {
		n.fma(x, x, v)
	}
	DECQ(count)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// tile is C = A·B, or C += A·B, for h rows of A and width vectors of B's
// columns: each element of the product is one chain of multiply-adds over k, in
// order, from zero, and is then stored or added to C's. Rows of A, B and C
// start lda, ldb and ldc bytes apart.
func tile(s isa, n number, h, width int) {
	TEXT(fmt.Sprintf("tile%s%sx%dx%d", s.name, n.name, h, width), NOSPLIT,
		"func(c *byte, ldc int, a *byte, lda int, b *byte, ldb int, k int, accumulate bool)")
	Pragma("noescape")
	Doc(fmt.Sprintf("c[i,j] (+)= Σ a[i,p]·b[p,j] for %d rows i and %d vectors of columns j.", h, width))
	c, ldc := Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	a := rows(Load(Param("a"), GP64()), Load(Param("lda"), GP64()), h)
	b, ldb := Load(Param("b"), GP64()), Load(Param("ldb"), GP64())
	k := Load(Param("k"), GP64())
	acc := make([][]reg.VecVirtual, h)
	for r := range acc {
		for range width {
			v := s.vector()
			s.zero(v)
			acc[r] = append(acc[r], v)
		}
	}
	TESTQ(k, k)
	JZ(LabelRef("done"))
	Label("loop")
	x := s.vector()
	var of []reg.VecVirtual // b's row
	for w := range width {
		v := s.vector()
		n.move(Mem{Base: b, Disp: w * s.bytes}, v)
		of = append(of, v)
	}
	for r := range acc {
		n.broadcast(a[r], x)
		for w := range width {
			n.fma(x, of[w], acc[r][w])
		}
	}
	for r := 0; r < h; r += 3 {
		ADDQ(U8(n.bytes), a[r].Base)
	}
	ADDQ(ldb, b)
	DECQ(k)
	JNZ(LabelRef("loop"))
	Label("done")
	accumulate := Load(Param("accumulate"), GP8())
	TESTB(accumulate, accumulate)
	JZ(LabelRef("store"))
	at := GP64()
	MOVQ(c, at)
	for r := range acc {
		for w, v := range acc[r] {
			n.add(Mem{Base: at, Disp: w * s.bytes}, v, v)
		}
		if r < h-1 {
			ADDQ(ldc, at)
		}
	}
	Label("store")
	for r := range acc {
		for w, v := range acc[r] {
			n.move(v, Mem{Base: c, Disp: w * s.bytes})
		}
		if r < h-1 {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

// rows are the addresses of h rows that start stride bytes apart: every third
// one has a register, and the two after it are reached by the stride.
func rows(first, stride reg.Register, h int) []Mem {
	all := make([]Mem, h)
	base := first
	for r := range all {
		if r > 0 && r%3 == 0 {
			next := GP64()
			LEAQ(Mem{Base: base, Index: stride, Scale: 2}, next)
			ADDQ(stride, next)
			base = next
		}
		all[r] = Mem{Base: base}
		if r%3 > 0 {
			all[r].Index, all[r].Scale = stride, uint8(r%3)
		}
	}
	return all
}
