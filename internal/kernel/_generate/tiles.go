package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tiles are the inner loops of the matrix product, width vectors wide: two, and
// one for narrow products. They have as many rows as there are registers for, and
// all lower heights for the edges.
func (s isa) tiles(n number, width int) {
	most := 6
	if s.bytes == 64 {
		most = 12 // of twice as many registers
	}
	if width == 2 {
		peak(s, n)
	}
	for h := 1; h <= most; h++ {
		tile(s, n, h, width)
	}
}

// peakChains are the chains of multiply-adds that peak keeps going: more than
// the instruction's latency times its throughput.
const peakChains = 12

// peak gives benchmarks their measure of products: multiply-adds of numbers in
// registers, and nothing else. How fast a processor goes depends on the numbers:
// all zeros take less power than those of a real product. Every other
// multiply-add takes away what the one before has added.
func peak(s isa, n number) {
	TEXT("peak"+s.name+n.name, NOSPLIT, "func(n int, x *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("n times %d multiply-adds of whole vectors, in half as many chains that don't depend on each other, of four vectors at x.", 2*peakChains))
	count, x := Load(Param("n"), GP64()), Load(Param("x"), GP64())
	var factors, chains []reg.VecVirtual
	for i := range 4 {
		v := s.vector()
		n.move(Mem{Base: x, Disp: i * s.bytes}, v)
		factors = append(factors, v)
	}
	for i := range peakChains {
		v := s.vector()
		n.move(Mem{Base: x, Disp: i % 4 * s.bytes}, v)
		chains = append(chains, v)
	}
	Label("loop")
	for _, op := range []func(ops ...Op){n.fma, n.fnma} {
		for i, v := range chains {
			op(factors[i%4], factors[(i+1)%4], v)
		}
	}
	DECQ(count)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// tile is C = A·B, or C += A·B, for h rows of A and some panels of B, width
// vectors of columns each: each element of the product is one chain of
// multiply-adds over k, in order, from zero, and is then stored or added to C's.
// Rows of A, of a panel and of C start lda, ldb and ldc bytes apart, panels of B
// next bytes; those of C follow one another.
func tile(s isa, n number, h, width int) {
	TEXT(fmt.Sprintf("tile%s%sx%dx%d", s.name, n.name, h, width), NOSPLIT,
		"func(c *byte, ldc int, a *byte, lda int, b *byte, ldb, next, panels, k int, accumulate bool)")
	Pragma("noescape")
	Doc(fmt.Sprintf("c[i,j] (+)= Σ a[i,p]·b[p,j] for %d rows i and panels of %d vectors of columns j.", h, width))
	c, ldc := Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	a := rows(Load(Param("a"), GP64()), Load(Param("lda"), GP64()), h)
	first, ldb := Load(Param("b"), GP64()), Load(Param("ldb"), GP64())
	panels := Load(Param("panels"), GP64())
	advance := func(op func(_, _ Op), by Op) {
		for r := 0; r < h; r += 3 {
			op(by, a[r].Base)
		}
	}
	Label("panel")
	acc := make([][]reg.VecVirtual, h)
	for r := range acc {
		for range width {
			v := s.vector()
			s.zero(v)
			acc[r] = append(acc[r], v)
		}
	}
	b := GP64()
	MOVQ(first, b)
	step := func(i int) { // the i-th k from where a is
		x := s.vector()          // a number of a, repeated
		var row []reg.VecVirtual // of b
		for w := range width {
			v := s.vector()
			n.move(Mem{Base: b, Disp: w * s.bytes}, v)
			row = append(row, v)
		}
		ADDQ(ldb, b)
		for r := range acc {
			if s.bytes == 64 && width == 1 { // one use of the number
				n.fmaScalar(a[r].Offset(i*n.bytes), row[0], acc[r][0])
				continue
			}
			n.broadcast(a[r].Offset(i*n.bytes), x)
			for w := range width {
				n.fma(x, row[w], acc[r][w])
			}
		}
	}
	k := Load(Param("k"), GP64())
	SUBQ(U8(s.unroll), k)
	JLT(LabelRef("rest"))
	Label("loop")
	for i := range s.unroll {
		step(i)
	}
	advance(ADDQ, U8(s.unroll*n.bytes))
	SUBQ(U8(s.unroll), k)
	JGE(LabelRef("loop"))
	Label("rest")
	ADDQ(U8(s.unroll), k)
	JZ(LabelRef("done"))
	Label("single")
	step(0)
	advance(ADDQ, U8(n.bytes))
	DECQ(k)
	JNZ(LabelRef("single"))
	Label("done")
	at := GP64()
	accumulate := Load(Param("accumulate"), GP8())
	TESTB(accumulate, accumulate)
	JZ(LabelRef("store"))
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
	MOVQ(c, at)
	for r := range acc {
		for w, v := range acc[r] {
			n.move(v, Mem{Base: at, Disp: w * s.bytes})
		}
		if r < h-1 {
			ADDQ(ldc, at)
		}
	}
	back := Load(Param("k"), GP64())
	SHLQ(U8(n.bytes/4+1), back) // elements of 4 or 8 bytes
	advance(SUBQ, back)
	next := Load(Param("next"), GP64())
	ADDQ(next, first)
	ADDQ(U32(width*s.bytes), c)
	DECQ(panels)
	JNZ(LabelRef("panel"))
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
