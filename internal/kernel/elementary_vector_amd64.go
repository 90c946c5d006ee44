//go:build !noasm

package kernel

import (
	"slices"

	"fusectl/internal/dtype"
)

// elementwise is a loop over n > 0 elements, a multiple of the float64s in a
// vector, whatever the elements are.
type elementwise = func(dst, src *byte, n int)

func (t *Table) vectorizeElementary(level string) {
	switch level {
	case avx512:
		t.elementwise("sigmoid", 8, sigmoidAVX512F32, sigmoidAVX512F64)
		t.elementwise("tanh", 8, tanhAVX512F32, tanhAVX512F64)
		t.elementwise("silu", 8, siluAVX512F32, siluAVX512F64)
		t.elementwise("gelu", 8, geluAVX512F32, geluAVX512F64)
	case avx2:
		t.elementwise("sigmoid", 4, sigmoidAVX2F32, sigmoidAVX2F64)
		t.elementwise("tanh", 4, tanhAVX2F32, tanhAVX2F64)
		t.elementwise("silu", 4, siluAVX2F32, siluAVX2F64)
		t.elementwise("gelu", 4, geluAVX2F32, geluAVX2F64)
	}
}

// elementwise puts loops over vectors of so many elements in place.
func (t *Table) elementwise(name string, vector int, f32, f64 elementwise) {
	loops := &t.activations[slices.Index(activationNames[:], name)]
	loops[dtype.KindFloat32] = padded(f32, vector, 4)
	loops[dtype.KindFloat64] = padded(f64, vector, 8)
}

// padded makes a loop for any number of elements: what is less than a vector
// goes by way of a whole one.
func padded(loop elementwise, vector, size int) Loop2 {
	step := vector * size
	return func(dst, src []byte) {
		whole := len(src) / step * step
		if whole > 0 {
			loop(&dst[0], &src[0], whole/size)
		}
		if rest := src[whole:]; len(rest) > 0 {
			buf := scratch.Get().(*buffer)
			piece := Bytes(buf[:])[:step]
			clear(piece[copy(piece, rest):])
			loop(&piece[0], &piece[0], vector)
			copy(dst[whole:], piece[:len(rest)])
			scratch.Put(buf)
		}
	}
}
