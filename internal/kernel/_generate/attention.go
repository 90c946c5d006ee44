package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The loops of attention's softmax go over rows, ld bytes apart, of a multiple
// of 16 float32s, in 16 lanes: one register of AVX-512 or two of AVX2.
const lanes = 16

// Constants of expNegative, which the Go twin in kernel/attention.go explains.
var expConstants = []struct {
	name  string
	value float32
}{
	{"log2e", math.Log2E}, {"magic", 0x1.8p23}, {"ln2hi", -0.693359375}, {"ln2lo", 2.12194440e-4},
	{"p0", 1.9875691500e-4}, {"p1", 1.3981999507e-3}, {"p2", 8.3334519073e-3},
	{"p3", 4.1665795894e-2}, {"p4", 1.6666665459e-1}, {"p5", 5.0000001201e-1},
	{"one", 1}, {"least", -87},
}

func attentions() {
	constant := map[string]Mem{}
	for _, c := range expConstants {
		m := GLOBL(c.name+"32", RODATA|NOPTR)
		for i := range 8 {
			DATA(4*i, U32(math.Float32bits(c.value)))
		}
		constant[c.name] = m
	}
	for _, s := range []isa{avx512, avx2} {
		rowMax(s)
		rowExp(s, constant)
		rowScale(s)
	}
}

// eachRow calls row for each row from x on, and moves the pointers in step from
// one float32 to the next with it. row must leave x as it was.
func eachRow(x reg.Register, step []reg.Register, row func()) {
	rows, ld := Load(Param("rows"), GP64()), Load(Param("ld"), GP64())
	Label("row")
	row()
	ADDQ(ld, x)
	for _, p := range step {
		ADDQ(U8(4), p)
	}
	DECQ(rows)
	JNZ(LabelRef("row"))
}

// along is the loop over n elements from x on, 16 at a time.
func along(x reg.Register, body func(at reg.Register)) {
	n, at := Load(Param("n"), GP64()), GP64()
	MOVQ(x, at)
	Label("along")
	body(at)
	ADDQ(U8(4*lanes), at)
	SUBQ(U8(lanes), n)
	JNZ(LabelRef("along"))
}

// wide are the registers of 16 lanes.
func (s isa) wide() []reg.VecVirtual {
	var v []reg.VecVirtual
	for i := 0; i < 4*lanes; i += s.bytes {
		v = append(v, s.vector())
	}
	return v
}

// fold combines the lanes by halves into the lowest one.
func (s isa) fold(v []reg.VecVirtual, op func(ops ...Op)) reg.VecVirtual {
	half := YMM()
	if s.bytes == 64 {
		VEXTRACTF32X8(U8(1), v[0], half)
		op(v[0].(reg.VecVirtual).AsY(), half, half)
	} else {
		op(v[0], v[1], half)
	}
	x, y := XMM(), XMM()
	VEXTRACTF128(U8(1), half, x)
	op(half.AsX(), x, x)
	VPERMILPD(U8(1), x, y)
	op(x, y, x)
	VPSHUFD(U8(1), x, y)
	op(x, y, x)
	return x
}

func rowMax(s isa) {
	TEXT("rowMax"+s.name, NOSPLIT, "func(out *byte, x *byte, ld, rows, n int)")
	Pragma("noescape")
	Doc("out[r] is the greatest of row r's n > 0 float32s, a multiple of 16, NaNs apart.")
	out, x := Load(Param("out"), GP64()), Load(Param("x"), GP64())
	least := s.vector()
	bits, first := GP32(), XMM()
	MOVL(U32(math.Float32bits(float32(math.Inf(-1)))), bits)
	VMOVD(bits, first)
	VBROADCASTSS(first, least)
	eachRow(x, []reg.Register{out}, func() {
		acc := s.wide()
		for _, v := range acc {
			VMOVAPS(least, v)
		}
		along(x, func(at reg.Register) {
			for i, v := range acc {
				// of a NaN and a number the instruction gives the last operand.
				y := s.vector()
				VMOVUPS(Mem{Base: at, Disp: i * s.bytes}, y)
				VMAXPS(v, y, v)
			}
		})
		VMOVSS(s.fold(acc, VMAXPS).AsX(), Mem{Base: out})
	})
	VZEROUPPER()
	RET()
}

func rowExp(s isa, constant map[string]Mem) {
	TEXT("rowExp"+s.name, NOSPLIT, "func(sum *byte, x *byte, ld, rows, n int, top *byte)")
	Pragma("noescape")
	Doc("x[r,i] = e^(x[r,i]-top[r]) for rows of n > 0 float32s, a multiple of 16; sum[r] is their sum.")
	sum, x, tops := Load(Param("sum"), GP64()), Load(Param("x"), GP64()), Load(Param("top"), GP64())
	c := func(name string) Op { return constant[name] }
	if s.bytes == 64 { // registers for all
		held := map[string]reg.VecVirtual{}
		for _, k := range expConstants {
			held[k.name] = ZMM()
			VBROADCASTSS(constant[k.name], held[k.name])
		}
		c = func(name string) Op { return held[name] }
	}
	eachRow(x, []reg.Register{sum, tops}, func() {
		top := s.vector()
		VBROADCASTSS(Mem{Base: tops}, top)
		acc := s.wide()
		for _, v := range acc {
			s.zero(v)
		}
		along(x, func(at reg.Register) {
			for i := range acc {
				expNegative(s, c, Mem{Base: at, Disp: i * s.bytes}, top, acc[i])
			}
		})
		VMOVSS(s.fold(acc, VADDPS).AsX(), Mem{Base: sum})
	})
	VZEROUPPER()
	RET()
}

// expNegative puts e^(x-top) in the place of the vector x at at, and adds it to
// acc.
func expNegative(s isa, c func(name string) Op, at Mem, top, acc reg.VecVirtual) {
	v, k, r, p := s.vector(), s.vector(), s.vector(), s.vector()
	VMOVUPS(at, v)
	VSUBPS(top, v, v)
	VMOVUPS(c("magic"), k)
	VFMADD231PS(c("log2e"), v, k)
	low := s.vector() // k's integer, in its low bits
	if s.bytes == 32 {
		VPSLLD(U8(23), k, low)
		VPADDD(c("one"), low, low)
	}
	VSUBPS(c("magic"), k, k)
	VMOVAPS(v, r)
	VFMADD231PS(c("ln2hi"), k, r)
	VFMADD231PS(c("ln2lo"), k, r)
	q, p1, p2 := s.vector(), s.vector(), s.vector()
	VMULPS(r, r, q)
	for i, v := range []reg.VecVirtual{p, p1, p2} { // pairs of terms: short chains
		VMOVUPS(c(fmt.Sprint("p", 2*i)), v)
		VFMADD213PS(c(fmt.Sprint("p", 2*i+1)), r, v)
	}
	VFMADD213PS(p1, q, p)
	VFMADD213PS(p2, q, p)
	VADDPS(c("one"), r, r)
	VFMADD213PS(r, q, p)
	// Less than -87 gives 0; a NaN, which is not less, stays.
	if s.bytes == 64 {
		keep := K()
		VCMPPS(U8(5), c("least"), v, keep)
		VSCALEFPS_Z(k, p, keep, p)
	} else {
		VMULPS(low, p, p)
		VCMPPS(U8(5), c("least"), v, v)
		VANDPS(v, p, p)
	}
	VMOVUPS(p, at)
	VADDPS(p, acc, acc)
}

func rowScale(s isa) {
	TEXT("rowScale"+s.name, NOSPLIT, "func(x *byte, n int, by float32)")
	Pragma("noescape")
	Doc("x[i] *= by for n > 0 float32s, a multiple of 16.")
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	by := s.vector()
	VBROADCASTSS(NewParamAddr("by", 16), by)
	Label("loop")
	for i := range s.wide() {
		v := s.vector()
		VMULPS(Mem{Base: x, Disp: i * s.bytes}, by, v)
		VMOVUPS(v, Mem{Base: x, Disp: i * s.bytes})
	}
	ADDQ(U8(4*lanes), x)
	SUBQ(U8(lanes), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
