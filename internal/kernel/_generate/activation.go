package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// activations writes the activations without an exponential. Comparisons and the operands of
// minima and maxima are arranged so that a NaN stays.
func (s isa) activations() {
	s.relu(f32, s.float32, VCMPPS, VMINPS)
	s.relu(f64, s.float64, VCMPPD, VMINPD)
	s.inFloat64("leakyRelu", func() func(v reg.VecVirtual) {
		factor, one := s.float64(0.01), s.float64(1)
		return func(v reg.VecVirtual) {
			by := s.vector()
			if s.bytes == 64 {
				negative := K()
				VPMOVQ2M(v, negative)
				VBLENDMPD(factor, one, negative, by)
			} else {
				VBLENDVPD(v, factor, one, by)
			}
			VMULPD(by, v, v)
		}
	})
	s.inFloat64("hardswish", func() func(v reg.VecVirtual) {
		zero, three, six := s.float64(0), s.float64(3), s.float64(6)
		return func(v reg.VecVirtual) {
			gate := s.vector()
			VADDPD(three, v, gate)
			VMAXPD(gate, zero, gate)
			VMINPD(gate, six, gate)
			VMULPD(gate, v, v)
			VDIVPD(six, v, v)
		}
	})
}

// relu writes relu and relu6.
func (s isa) relu(of number, constant func(float64) reg.VecVirtual, compare, minimum func(ops ...Op)) {
	for _, six := range []bool{false, true} {
		name := "relu"
		if six {
			name = "relu6"
		}
		s.unary(name+s.name+of.name, fmt.Sprintf("dst = %s(src), n vectors.", name), s.bytes, s.bytes, func() func(dst, src Mem) {
			const notLessOrEqual = 0x16
			zero := constant(0)
			var most reg.VecVirtual
			if six {
				most = constant(6)
			}
			return func(dst, src Mem) {
				v := s.vector()
				of.move(src, v)
				if s.bytes == 64 {
					positive := K()
					compare(U8(notLessOrEqual), zero, v, positive)
					if of.bytes == 4 {
						VMOVAPS_Z(v, positive, v)
					} else {
						VMOVAPD_Z(v, positive, v)
					}
				} else {
					positive := s.vector()
					compare(U8(notLessOrEqual), zero, v, positive)
					VANDPS(positive, v, v)
				}
				if six {
					minimum(v, most, v)
				}
				of.move(v, dst)
			}
		})
	}
}

// inFloat64 writes f for float64, and for float32 rounded once.
func (s isa) inFloat64(name string, prepare func() func(v reg.VecVirtual)) {
	s.unary(name+s.name+"F64", fmt.Sprintf("dst = %s(src), n vectors.", name), s.bytes, s.bytes, func() func(dst, src Mem) {
		f := prepare()
		return func(dst, src Mem) {
			v := s.vector()
			VMOVUPD(src, v)
			f(v)
			VMOVUPD(v, dst)
		}
	})
	s.unary(name+s.name+"F32", fmt.Sprintf("dst = %s(src), n halves of a vector.", name), s.bytes/2, s.bytes/2, func() func(dst, src Mem) {
		f := prepare()
		return func(dst, src Mem) {
			v := s.vector()
			VCVTPS2PD(src, v)
			f(v)
			s.narrow(v)
			VMOVUPS(s.half(v), dst)
		}
	})
}

func (s isa) float32(f float64) reg.VecVirtual { return s.constant32(math.Float32bits(float32(f))) }

func (s isa) float64(f float64) reg.VecVirtual { return s.constant64(math.Float64bits(f)) }
