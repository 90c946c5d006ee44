package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// loops are the elementwise loops.
func (s isa) loops() {
	s.arithmetic()
	s.conversions()
	s.activations()
	s.swaps()
}

// step computes a vector of dst from one of each operand.
type step func(dst Mem, src []Mem)

// loop writes a function over n steps, four at a time as long as there are so
// many. A step takes bytes[i] bytes of operand params[i]; the first one is
// dst. prepare loads the step's constants, and further parameters, more.
func loop(name, doc string, params []string, bytes []int, more string, prepare func() step) {
	signature := "func("
	for i, p := range params {
		if i > 0 {
			signature += ", "
		}
		signature += p
	}
	TEXT(name, NOSPLIT, signature+" *byte, n int"+more+")")
	Pragma("noescape")
	Doc(doc)
	var at []reg.Register
	for _, p := range params {
		at = append(at, Load(Param(p), GP64()))
	}
	n := Load(Param("n"), GP64())
	one := prepare()
	steps := func(count int) {
		for i := range count {
			var m []Mem
			for j, r := range at {
				m = append(m, Mem{Base: r, Disp: i * bytes[j]})
			}
			one(m[0], m[1:])
		}
		for j, r := range at {
			ADDQ(U32(count*bytes[j]), r)
		}
	}
	SUBQ(U8(4), n)
	JB(LabelRef("rest"))
	Label("four")
	steps(4)
	SUBQ(U8(4), n)
	JAE(LabelRef("four"))
	Label("rest")
	ADDQ(U8(4), n)
	JZ(LabelRef("done"))
	Label("one")
	steps(1)
	DECQ(n)
	JNZ(LabelRef("one"))
	Label("done")
	VZEROUPPER()
	RET()
}

// binary is dst = op(a, b), of operands of one type; more are further parameters.
func (s isa) binary(op, kind, more string, prepare func() func(a, b reg.VecVirtual)) {
	loop(op+s.name+kind, fmt.Sprintf("dst = %s(a, b), n vectors of %s.", op, kind),
		[]string{"dst", "a", "b"}, []int{s.bytes, s.bytes, s.bytes}, more, func() step {
			into := prepare()
			return func(dst Mem, src []Mem) {
				a, b := s.vector(), s.vector()
				VMOVUPS(src[0], a)
				VMOVUPS(src[1], b)
				into(a, b)
				VMOVUPS(b, dst)
			}
		})
}

func (s isa) arithmetic() {
	direct := func(op, kind string, instruction func(ops ...Op)) {
		s.binary(op, kind, "", func() func(a, b reg.VecVirtual) {
			return func(a, b reg.VecVirtual) { instruction(b, a, b) }
		})
	}
	or := func(ops ...Op) { VPOR(ops[0], ops[1], ops[2]) }
	and := func(ops ...Op) { VPAND(ops[0], ops[1], ops[2]) }
	if s.bytes == 64 {
		or, and = VPORQ, VPANDQ
	}
	direct("or", "", or)
	direct("and", "", and)
	direct("add", "I8", VPADDB)
	direct("add", "I16", VPADDW)
	direct("add", "I32", VPADDD)
	direct("add", "I64", VPADDQ)
	direct("add", "F32", VADDPS)
	direct("add", "F64", VADDPD)
	direct("sub", "I8", VPSUBB)
	direct("sub", "I16", VPSUBW)
	direct("sub", "I32", VPSUBD)
	direct("sub", "I64", VPSUBQ)
	direct("sub", "F32", VSUBPS)
	direct("sub", "F64", VSUBPD)
	direct("div", "F32", VDIVPS)
	direct("div", "F64", VDIVPD)
	direct("mul", "I16", VPMULLW)
	direct("mul", "I32", VPMULLD)
	if s.bytes == 64 {
		direct("mul", "I64", VPMULLQ)
	}
	direct("mul", "F32", VMULPS)
	direct("mul", "F64", VMULPD)
	for _, op := range []string{"max", "min"} {
		for _, kind := range ordered {
			s.binary(op, kind, extra(kind), func() func(a, b reg.VecVirtual) {
				m := s.extremum(kind, op == "min")
				return func(a, b reg.VecVirtual) {
					m.begin(b)
					m.into(a, b)
					m.settle(b)
				}
			})
		}
	}
}
