package kernel

import "fusectl/internal/dtype"

// fillMinRows makes minima of maxima: with all bits of an integer flipped, or the
// sign of a float, their order is the other way round.
func (t *Table) fillMinRows() {
	const ones = ^uint64(0)
	for _, k := range []dtype.Kind{
		dtype.KindInt8, dtype.KindInt16, dtype.KindInt32, dtype.KindInt64,
		dtype.KindUint8, dtype.KindUint16, dtype.KindUint32, dtype.KindUint64,
	} {
		t.MinRows[k] = t.minRows(k, ones, nil)
	}
	t.MinRows[dtype.KindBool] = t.minRows(dtype.KindBool, ones/0xff, nil)
	t.MinRows[dtype.KindFloat16] = t.minRows(dtype.KindFloat16, ones/0xffff<<15, settleNaNs(uint16(float16Order.nan())))
	t.MinRows[dtype.KindBFloat16] = t.minRows(dtype.KindBFloat16, ones/0xffff<<15, settleNaNs(uint16(bfloat16Order.nan())))
	t.MinRows[dtype.KindFloat32] = t.minRows(dtype.KindFloat32, ones/0xffffffff<<31, settleNaNs(uint32(quietNaN32)))
	t.MinRows[dtype.KindFloat64] = t.minRows(dtype.KindFloat64, 1<<63, settleNaNs(uint64(quietNaN64)))
}

// minRows makes the loop of MaxRows between two flips of bits. settle, if there is
// one, puts NaNs right.
func (t *Table) minRows(k dtype.Kind, bits uint64, settle func(acc []byte)) func(acc, x []byte) {
	return func(acc, x []byte) {
		if len(acc) == 0 {
			return
		}
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		room := Bytes(buf[:])
		most := t.MaxRows[k]
		flip(acc, acc, bits)
		if rows := len(room) / len(acc); rows > 0 {
			for len(x) >= len(acc) {
				n := min(rows, len(x)/len(acc)) * len(acc)
				flip(room, x[:n], bits)
				most(acc, room[:n])
				x = x[n:]
			}
		} else {
			for ; len(x) >= len(acc); x = x[len(acc):] {
				for at := 0; at < len(acc); at += len(room) {
					part := acc[at:min(at+len(room), len(acc))]
					flip(room, x[at:at+len(part)], bits)
					most(part, room[:len(part)])
				}
			}
		}
		flip(acc, acc, bits)
		if settle != nil {
			settle(acc)
		}
	}
}

// flip computes dst = src with bits flipped that are the same in all elements, which may
// be the same memory.
func flip(dst, src []byte, bits uint64) {
	for len(src) >= 32 && len(dst) >= 32 {
		a, b, c, d := le.Uint64(src), le.Uint64(src[8:]), le.Uint64(src[16:]), le.Uint64(src[24:])
		le.PutUint64(dst, a^bits)
		le.PutUint64(dst[8:], b^bits)
		le.PutUint64(dst[16:], c^bits)
		le.PutUint64(dst[24:], d^bits)
		dst, src = dst[32:], src[32:]
	}
	for i, b := range src {
		dst[i] = b ^ byte(bits>>(i%8*8))
	}
}

// settleNaNs makes the function that takes the sign off a NaN that is nan but for it.
func settleNaNs[U uint16 | uint32 | uint64](nan U) func(acc []byte) {
	minus := ^(^U(0) >> 1)
	return func(acc []byte) {
		a := View[U](acc)
		for i, v := range a {
			if v == nan|minus {
				a[i] = nan
			}
		}
	}
}
