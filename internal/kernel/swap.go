package kernel

import "math/bits"

func (t *Table) fillSwap() {
	t.Swap[2], t.Swap[4], t.Swap[8] = swap16, swap32, swap64
}

func swap16(dst, src []byte) {
	d, s := View[uint16](dst), View[uint16](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = bits.ReverseBytes16(v)
	}
}

func swap32(dst, src []byte) {
	d, s := View[uint32](dst), View[uint32](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = bits.ReverseBytes32(v)
	}
}

func swap64(dst, src []byte) {
	d, s := View[uint64](dst), View[uint64](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = bits.ReverseBytes64(v)
	}
}
