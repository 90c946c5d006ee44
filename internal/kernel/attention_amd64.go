//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

func (t *Table) vectorizeAttention(level string) {
	switch level {
	case avx512:
		t.softmax32 = inLanes(rowMaxAVX512, rowExpAVX512)
		t.Scale[dtype.KindFloat32] = scaleInLanes(rowScaleAVX512)
	case avx2:
		t.softmax32 = inLanes(rowMaxAVX2, rowExpAVX2)
		t.Scale[dtype.KindFloat32] = scaleInLanes(rowScaleAVX2)
	}
}

// inLanes makes the loops of the assembly of an instruction set.
func inLanes(most func(out, x *byte, ld, rows, n int), exp func(sum, x *byte, ld, rows, n int, top *byte)) softmaxLoops[float32] {
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
	}
}

// scaleInLanes makes Scale of the assembly of an instruction set, which takes
// whole lanes.
func scaleInLanes(loop func(x *byte, n int, by float32)) func(x []byte, by float64) {
	return func(x []byte, by float64) {
		const lanes = 4 * AttentionLanes
		whole := len(x) - len(x)%lanes
		if whole > 0 {
			loop(unsafe.SliceData(x), whole/4, float32(by))
		}
		scale[float32](x[whole:], by)
	}
}
