//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

func (t *Table) vectorizeAttention(level string) {
	switch level {
	case avx512:
		t.attentionInLanes(rowMaxAVX512, rowExpAVX512)
		t.Scale[dtype.KindFloat32] = scaleInLanes(rowScaleAVX512)
	case avx2:
		t.attentionInLanes(rowMaxAVX2, rowExpAVX2)
		t.Scale[dtype.KindFloat32] = scaleInLanes(rowScaleAVX2)
	}
}

// attentionInLanes puts the assembly of an instruction set in place, for float32.
func (t *Table) attentionInLanes(most func(out, x *byte, ld, rows, n int), exp func(sum, x *byte, ld, rows, n int, top *byte)) {
	const size = 4
	t.attentionMax[dtype.KindFloat32] = func(out, x []byte, ld, n int) {
		if rows := len(out) / size; rows > 0 {
			_ = x[((rows-1)*ld+n)*size-1]
			most(unsafe.SliceData(out), unsafe.SliceData(x), ld*size, rows, n)
		}
	}
	t.attentionExp[dtype.KindFloat32] = func(sum, x, top []byte, ld, n int) {
		if rows := len(sum) / size; rows > 0 {
			_, _ = x[((rows-1)*ld+n)*size-1], top[rows*size-1]
			exp(unsafe.SliceData(sum), unsafe.SliceData(x), ld*size, rows, n, unsafe.SliceData(top))
		}
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
