package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// activations writes those that need no arithmetic. Comparisons and the operands of
// minima are arranged so that a NaN stays.
func (s isa) activations() {
	s.relu(f32, s.float32, VCMPPS, VMINPS)
	s.relu(f64, s.float64, VCMPPD, VMINPD)
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

func (s isa) float32(f float64) reg.VecVirtual { return s.constant32(math.Float32bits(float32(f))) }

func (s isa) float64(f float64) reg.VecVirtual { return s.constant64(math.Float64bits(f)) }
