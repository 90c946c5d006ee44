package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowLoops are the loops that reduce: many elements to one, or rows to one row.
func rowLoops() {
	for _, s := range []isa{avx512, avx2} {
		for _, n := range []number{f32, f64} {
			s.sum(n)
			for _, width := range strips {
				s.sumRows(n, width)
			}
		}
		for _, kind := range ordered {
			for _, width := range strips {
				s.maxRows(kind, width)
			}
		}
	}
}

// strips are the numbers of vectors that a loop over rows takes of each.
var strips = []int{1, 2, 3, 4, 8}

// addWidened adds as many numbers as a vector has float64s.
func (s isa) addWidened(n number, x Mem, acc reg.VecVirtual) {
	if n.bytes == 8 {
		VADDPD(x, acc, acc)
		return
	}
	wide := s.vector()
	VCVTPS2PD(x, wide)
	VADDPD(wide, acc, acc)
}

// sum adds n blocks of 32 numbers to the 32 lanes, all of which are in
// registers: more chains of additions than an addition takes cycles. n isn't 0.
func (s isa) sum(of number) {
	TEXT("sum"+s.name+of.name, NOSPLIT, "func(lanes *float64, x *byte, n int)")
	Pragma("noescape")
	Doc("lanes[j] += x[32·i+j], for n blocks i of 32 elements, in order.")
	lanes, x, n := Load(Param("lanes"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	const count = 32
	each := s.bytes / 8
	var acc []reg.VecVirtual
	for i := 0; i < count; i += each {
		v := s.vector()
		VMOVUPD(Mem{Base: lanes, Disp: 8 * i}, v)
		acc = append(acc, v)
	}
	Label("loop")
	for i, v := range acc {
		s.addWidened(of, Mem{Base: x, Disp: i * each * of.bytes}, v)
	}
	ADDQ(U32(count*of.bytes), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	for i, v := range acc {
		VMOVUPD(v, Mem{Base: lanes, Disp: i * s.bytes})
	}
	VZEROUPPER()
	RET()
}

// strip writes a loop that reduces a strip of columns, width vectors wide, of
// rows that begin stride bytes apart. The last vector begins last bytes into
// the strip's x, where the vector before it ends or earlier: where they overlap,
// both compute and store the same. An element of acc has ratio times the bytes
// of one of x. There is at least one row.
func (s isa) strip(name, doc string, width, ratio int, prepare func() func(x Mem, acc reg.VecVirtual)) {
	TEXT(name, NOSPLIT, "func(acc *byte, x *byte, stride int, rows int, last int)")
	Pragma("noescape")
	Doc(doc)
	acc, x := Load(Param("acc"), GP64()), Load(Param("x"), GP64())
	stride, rows := Load(Param("stride"), GP64()), Load(Param("rows"), GP64())
	last := Load(Param("last"), GP64())
	into := prepare()
	var v []reg.VecVirtual
	at := func(base reg.Register, i, scale int) Mem {
		if i == width-1 {
			return Mem{Base: base, Index: last, Scale: uint8(scale)}
		}
		return Mem{Base: base, Disp: i * scale * s.bytes / ratio}
	}
	for i := range width {
		v = append(v, s.vector())
		VMOVUPS(at(acc, i, ratio), v[i])
	}
	Label("loop")
	for i := range width {
		into(at(x, i, 1), v[i])
	}
	ADDQ(stride, x)
	DECQ(rows)
	JNZ(LabelRef("loop"))
	for i := range width {
		VMOVUPS(v[i], at(acc, i, ratio))
	}
	VZEROUPPER()
	RET()
}

func (s isa) sumRows(of number, width int) {
	s.strip(fmt.Sprintf("sumRows%s%sx%d", s.name, of.name, width),
		fmt.Sprintf("acc[c] += x[r,c] for %d vectors of columns c, in the order of the rows r.", width),
		width, 8/of.bytes, func() func(x Mem, acc reg.VecVirtual) {
			return func(x Mem, acc reg.VecVirtual) { s.addWidened(of, x, acc) }
		})
}

func (s isa) maxRows(kind string, width int) {
	s.strip(fmt.Sprintf("maxRows%s%sx%d", s.name, kind, width),
		fmt.Sprintf("acc[c] = max(acc[c], x[r,c]) for %d vectors of columns c and all rows r.", width),
		width, 1, func() func(x Mem, acc reg.VecVirtual) {
			into := s.maximum(kind)
			return func(x Mem, acc reg.VecVirtual) {
				v := s.vector()
				VMOVUPS(x, v)
				into(v, acc)
			}
		})
}
