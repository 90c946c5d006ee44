//go:build !noasm

package kernel

import "unsafe"

func (t *Table) vectorizeAttention(level string) {
	switch level {
	case avx512:
		t.softmax32 = inLanes(rowMaxAVX512, rowExpAVX512, rowScaleAVX512)
	case avx2:
		t.softmax32 = inLanes(rowMaxAVX2, rowExpAVX2, rowScaleAVX2)
	}
}

// inLanes makes the loops of the assembly of an instruction set.
func inLanes(most func(out, x *byte, ld, rows, n int), exp func(sum, x *byte, ld, rows, n int, top *byte), scale func(x *byte, n int, by float32)) softmaxLoops[float32] {
	at := func(x []float32) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(x))) }
	return softmaxLoops[float32]{
		max: func(out, x []float32, ld, n int) {
			if rows := len(out); rows > 0 {
				_ = x[(rows-1)*ld+n-1]
				most(at(out), at(x), 4*ld, rows, n)
			}
		},
		exp: func(sum, x []float32, ld, n int, top []float32) {
			if rows := len(sum); rows > 0 {
				_, _ = x[(rows-1)*ld+n-1], top[rows-1]
				exp(at(sum), at(x), 4*ld, rows, n, at(top))
			}
		},
		scale: func(x []float32, by float32) {
			whole := len(x) - len(x)%AttentionLanes
			if whole > 0 {
				scale(at(x), whole, by)
			}
			rowScale(x[whole:], by)
		},
	}
}
