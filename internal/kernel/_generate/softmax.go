package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The loops of attention's softmax go over rows of a multiple of 16 float32s,
// in 16 lanes: one register of AVX-512 or two of AVX2.
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

func softmaxes() {
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

// eachRow is the loop over n elements from x on, 16 at a time.
func eachRow(n, x reg.Register, body func()) {
	Label("loop")
	body()
	ADDQ(U8(4*lanes), x)
	SUBQ(U8(lanes), n)
	JNZ(LabelRef("loop"))
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
	TEXT("rowMax"+s.name, NOSPLIT, "func(x *byte, n int) float32")
	Pragma("noescape")
	Doc("The greatest of n > 0 float32s, a multiple of 16, NaNs apart.")
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	acc := s.wide()
	first := XMM()
	bits := GP32()
	MOVL(U32(math.Float32bits(float32(math.Inf(-1)))), bits)
	VMOVD(bits, first)
	for _, v := range acc {
		VBROADCASTSS(first, v)
	}
	eachRow(n, x, func() {
		for i, v := range acc {
			// Of a NaN and a number the instruction gives the last operand.
			y := s.vector()
			VMOVUPS(Mem{Base: x, Disp: i * s.bytes}, y)
			VMAXPS(v, y, v)
		}
	})
	Store(s.fold(acc, VMAXPS), ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func rowExp(s isa, constant map[string]Mem) {
	TEXT("rowExp"+s.name, NOSPLIT, "func(x *byte, n int, top float32) float32")
	Pragma("noescape")
	Doc("x[i] = e^(x[i]-top) for n > 0 float32s, a multiple of 16; returns their sum.")
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	top := s.vector()
	VBROADCASTSS(NewParamAddr("top", 16), top)
	c := func(name string) Op { return constant[name] }
	if s.bytes == 64 { // registers for all
		held := map[string]reg.VecVirtual{}
		for _, k := range expConstants {
			held[k.name] = ZMM()
			VBROADCASTSS(constant[k.name], held[k.name])
		}
		c = func(name string) Op { return held[name] }
	}
	acc := s.wide()
	for _, v := range acc {
		s.zero(v)
	}
	eachRow(n, x, func() {
		for i := range acc {
			at := Mem{Base: x, Disp: i * s.bytes}
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
			VMOVUPS(c("p0"), p)
			for _, name := range []string{"p1", "p2", "p3", "p4", "p5"} {
				VFMADD213PS(c(name), r, p)
			}
			q := s.vector()
			VMULPS(r, r, q)
			VFMADD213PS(r, q, p)
			VADDPS(c("one"), p, p)
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
			VADDPS(p, acc[i], acc[i])
		}
	})
	Store(s.fold(acc, VADDPS), ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func rowScale(s isa) {
	TEXT("rowScale"+s.name, NOSPLIT, "func(x *byte, n int, by float32)")
	Pragma("noescape")
	Doc("x[i] *= by for n > 0 float32s, a multiple of 16.")
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	by := s.vector()
	VBROADCASTSS(NewParamAddr("by", 16), by)
	eachRow(n, x, func() {
		for i := range s.wide() {
			v := s.vector()
			VMULPS(Mem{Base: x, Disp: i * s.bytes}, by, v)
			VMOVUPS(v, Mem{Base: x, Disp: i * s.bytes})
		}
	})
	VZEROUPPER()
	RET()
}
