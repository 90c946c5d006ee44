package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// blends are weighted sums of rows, every step of which is rounded: no fused
// multiply-add.
func (s isa) blends() {
	s.lerp(f32, VSUBPS, VMULPS)
	s.lerp(f64, VSUBPD, VMULPD)
	s.taps(f32, VMULPS)
	s.taps(f64, VMULPD)
	s.addScaled(f32)
	s.addScaled(f64)
	s.divideBy(f32, VDIVPS)
	s.divideBy(f64, VDIVPD)
	s.lerpAcross()
}

func (s isa) addScaled(of number) {
	loop("addScaled"+s.name+of.name, "acc += x·by, n vectors of float64.", []string{"acc", "x"}, []int{s.bytes, s.bytes / 8 * of.bytes}, ", by float64", func() step {
		by := s.weight(f64, "by")
		return func(acc Mem, src []Mem) {
			x := s.vector()
			if of.bytes == 4 {
				VCVTPS2PD(src[0], x)
				VMULPD(by, x, x)
			} else {
				VMULPD(src[0], by, x)
			}
			VADDPD(acc, x, x)
			VMOVUPD(x, acc)
		}
	})
}

func (s isa) divideBy(of number, divide func(ops ...Op)) {
	loop("divideBy"+s.name+of.name, "dst = src / by, n vectors.", []string{"dst", "src"}, []int{s.bytes, s.bytes}, ", by float64", func() step {
		by := s.weight(of, "by")
		return func(dst Mem, src []Mem) {
			x := s.vector()
			of.move(src[0], x)
			divide(by, x, x)
			of.move(x, dst)
		}
	})
}

// lerpAcross blends pairs of float32s from anywhere in src.
func (s isa) lerpAcross() {
	TEXT("lerpAcross"+s.name, NOSPLIT, "func(dst, src, lo, hi, w *byte, n, size int)")
	Pragma("noescape")
	Doc("dst[i] = a + (b-a)·w[i] of a = src[lo[i]] and b = src[hi[i]], a where w[i] is 0, for n vectors.",
		"What isn't one of the size elements of src isn't read.")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	lo, hi, w := Load(Param("lo"), GP64()), Load(Param("hi"), GP64()), Load(Param("w"), GP64())
	n := Load(Param("n"), GP64())
	size, sizes := XMM(), s.vector()
	VMOVD(Load(Param("size"), GP64()).(reg.GPVirtual).As32(), size)
	VPBROADCASTD(size, sizes)
	Label("loop")
	weights, a, b := s.vector(), s.gather(lo, src, sizes), s.gather(hi, src, sizes)
	if s.bytes == 64 {
		low, high := YMM(), YMM()
		VCVTPD2PS(Mem{Base: w}, low)
		VCVTPD2PS(Mem{Base: w, Disp: 64}, high)
		VINSERTF32X8(U8(1), high, low.AsZ(), weights)
	} else {
		low, high := XMM(), XMM()
		VCVTPD2PSY(Mem{Base: w}, low)
		VCVTPD2PSY(Mem{Base: w, Disp: 32}, high)
		VINSERTF128(U8(1), high, low.AsY(), weights)
	}
	VSUBPS(a, b, b)
	VMULPS(weights, b, b)
	VADDPS(b, a, b)
	none := s.vector() // of b
	s.zero(none)
	if s.bytes == 64 {
		alone := K()
		VCMPPS(U8(0), none, weights, alone)
		VBLENDMPS(a, b, alone, b)
	} else {
		VCMPPS(U8(0), none, weights, none)
		VBLENDVPS(none, a, b, b)
	}
	VMOVUPS(b, Mem{Base: dst})
	for _, p := range []reg.Register{dst, lo, hi} {
		ADDQ(U8(s.bytes), p)
	}
	ADDQ(U32(2*s.bytes), w)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// gather is a vector of the float32s of src whose numbers are at at, and less
// than those of sizes.
func (s isa) gather(at, src reg.Register, sizes reg.VecVirtual) reg.VecVirtual {
	which, v := s.vector(), s.vector()
	from := Mem{Base: src, Index: which, Scale: 4}
	s.zero(v)
	if s.bytes == 64 {
		const less = 1
		VMOVDQU32(Mem{Base: at}, which)
		inside := K()
		VPCMPUD(U8(less), sizes, which, inside)
		VGATHERDPS(from, inside, v)
		return v
	}
	VMOVUPS(Mem{Base: at}, which)
	inside, negative := s.vector(), s.vector()
	VPCMPGTD(which, sizes, inside)
	VPSRAD(U8(31), which, negative)
	VPANDN(inside, negative, inside)
	VGATHERDPS(inside, from, v)
	return v
}

func (s isa) lerp(of number, subtract, multiply func(ops ...Op)) {
	loop("lerp"+s.name+of.name, "dst = a + (b-a)·w, n vectors.", []string{"dst", "a", "b"}, []int{s.bytes, s.bytes, s.bytes}, ", w float64", func() step {
		w := s.weight(of, "w")
		return func(dst Mem, src []Mem) {
			a, v := s.vector(), s.vector()
			of.move(src[0], a)
			of.move(src[1], v)
			subtract(a, v, v)
			multiply(w, v, v)
			of.add(v, a, a)
			of.move(a, dst)
		}
	})
}

func (s isa) taps(of number, multiply func(ops ...Op)) {
	loop("taps"+s.name+of.name, "dst = a·wa + b·wb + c·wc + d·wd, n vectors.", []string{"dst", "a", "b", "c", "d"},
		[]int{s.bytes, s.bytes, s.bytes, s.bytes, s.bytes}, ", wa, wb, wc, wd float64", func() step {
			var w []reg.VecVirtual
			for _, name := range []string{"wa", "wb", "wc", "wd"} {
				w = append(w, s.weight(of, name))
			}
			return func(dst Mem, src []Mem) {
				sum := s.vector()
				multiply(src[0], w[0], sum)
				for i := 1; i < 4; i++ {
					term := s.vector()
					multiply(src[i], w[i], term)
					of.add(term, sum, sum)
				}
				of.move(sum, dst)
			}
		})
}

// weight is a vector of the float64 parameter, rounded to the type. Load would
// take an instruction of SSE, which is slow once a vector register is in use.
func (s isa) weight(of number, name string) reg.VecVirtual {
	from, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	w, v := XMM(), s.vector()
	VMOVSD(from.Addr, w)
	if of.bytes == 4 {
		VCVTSD2SS(w, w, w)
	}
	of.broadcast(w, v)
	return v
}
