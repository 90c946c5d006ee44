package kernel

import (
	"math"
	"sync"
)

// float16Values holds all values of float16 by their bits: twice as fast as
// arithmetic on the bits.
var float16Values = sync.OnceValue(func() *[1 << 16]float32 {
	values := new([1 << 16]float32)
	for h := range values {
		values[h] = float16Value(uint16(h))
	}
	return values
})

func float16To32(dst, src []byte) {
	d, s := View[float32](dst), View[uint16](src)
	values := float16Values()
	d = d[:len(s)]
	for i, h := range s {
		d[i] = values[h]
	}
}

// float16Value is the value of a float16. NaNs become quiet and keep their
// payload, as the F16C and NEON instructions have it.
func float16Value(h uint16) float32 {
	const toExponent32 = (127 - 15) << 23
	sign, rest := uint32(h&0x8000)<<16, uint32(h&0x7fff)<<13
	switch {
	case h&0x7fff > 0x7c00: // NaN
		return math.Float32frombits(sign | 0x7fc00000 | rest)
	case h&0x7c00 == 0x7c00: // Inf
		return math.Float32frombits(sign | 0x7f800000)
	case h&0x7c00 == 0: // zero or subnormal: a multiple of 2^-24
		return math.Float32frombits(math.Float32bits(float32(h&0x3ff)*0x1p-24) | sign)
	default:
		return math.Float32frombits(sign | rest + toExponent32)
	}
}

func bfloat16To32(dst, src []byte) {
	d, s := View[uint32](dst), View[uint16](src)
	d = d[:len(s)]
	for i, h := range s {
		d[i] = uint32(h) << 16
	}
}

// The four loops below round to nearest, ties to even, by two tricks. In the
// range of normal numbers, adding half of the last place kept, less one, and
// the last bit kept itself, carries into the bits kept exactly if the number is
// to be rounded up; a carry out of the fraction raises the exponent, up to
// infinity. In the range of subnormal numbers, adding a power of two whose last
// place is the subnormal's makes the machine round, and its bits are subtracted
// again. Both are computed always, since zeros are common and at random places.
// NaNs become quiet and keep the upper bits of their payload.

func float32To16(dst, src []byte) {
	const (
		minNormal = (-14 + 127) << 23 // 2^-14
		overflow  = (16 + 127) << 23  // 2^16
		rebias    = (127 - 15) << 23
		infinity  = 0xff << 23
	)
	magic := float32(0x1p-1)
	d, s := View[uint16](dst), View[uint32](src)
	d = d[:len(s)]
	for i, u := range s {
		a := u &^ (1 << 31)
		r := (a - rebias + 0xfff + a>>13&1) >> 13
		small := math.Float32bits(math.Float32frombits(a)+magic) - math.Float32bits(magic)
		if a < minNormal {
			r = small
		}
		if a >= overflow {
			r = 0x7c00
			if a > infinity {
				r = 0x7e00 | a>>13&0x3ff
			}
		}
		d[i] = uint16(u>>16&0x8000 | r)
	}
}

// float32ToB16 has both kinds of numbers in one: the exponents are the same.
func float32ToB16(dst, src []byte) {
	const quiet = 0x40
	d, s := View[uint16](dst), View[uint32](src)
	d = d[:len(s)]
	for i, u := range s {
		if u&^(1<<31) > 0xff<<23 {
			d[i] = uint16(u>>16) | quiet
		} else {
			d[i] = uint16((u + 0x7fff + u>>16&1) >> 16)
		}
	}
}

func float64To16(dst, src []byte) {
	const (
		minNormal = (-14 + 1023) << 52 // 2^-14
		overflow  = (16 + 1023) << 52  // 2^16
		rebias    = (1023 - 15) << 52
		infinity  = 0x7ff << 52
	)
	magic := float64(0x1p28)
	d, s := View[uint16](dst), View[uint64](src)
	d = d[:len(s)]
	for i, u := range s {
		a := u &^ (1 << 63)
		r := (a - rebias + 0x1ffffffffff + a>>42&1) >> 42
		small := math.Float64bits(math.Float64frombits(a)+magic) - math.Float64bits(magic)
		if a < minNormal {
			r = small
		}
		if a >= overflow {
			r = 0x7c00
			if a > infinity {
				r = 0x7e00 | a>>42&0x3ff
			}
		}
		d[i] = uint16(u>>48&0x8000 | r)
	}
}

func float64ToB16(dst, src []byte) {
	const (
		minNormal = (-126 + 1023) << 52 // 2^-126
		overflow  = (128 + 1023) << 52  // 2^128
		rebias    = (1023 - 127) << 52
		infinity  = 0x7ff << 52
	)
	magic := float64(0x1p-81)
	d, s := View[uint16](dst), View[uint64](src)
	d = d[:len(s)]
	for i, u := range s {
		a := u &^ (1 << 63)
		r := (a - rebias + 0xfffffffffff + a>>45&1) >> 45
		small := math.Float64bits(math.Float64frombits(a)+magic) - math.Float64bits(magic)
		if a < minNormal {
			r = small
		}
		if a >= overflow {
			r = 0x7f80
			if a > infinity {
				r = 0x7fc0 | a>>45&0x7f
			}
		}
		d[i] = uint16(u>>48&0x8000 | r)
	}
}
