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
