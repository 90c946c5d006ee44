//go:build !noasm

package kernel

import (
	"math"
	"unsafe"
)

func (t *Table) vectorizeAttention(level string) {
	switch level {
	case avx512:
		t.softmax32 = inLanes(rowMaxAVX512, rowExpAVX512, rowScaleAVX512)
	case avx2:
		t.softmax32 = inLanes(rowMaxAVX2, rowExpAVX2, rowScaleAVX2)
	}
}

// inLanes makes loops for rows of any length of those for multiples of
// attentionLanes: what is left over goes by way of a piece of that length.
func inLanes(most func(x *byte, n int) float32, exp func(x *byte, n int, top float32) float32, scale func(x *byte, n int, by float32)) softmaxLoops[float32] {
	at := func(x []float32) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(x))) }
	return softmaxLoops[float32]{
		max: func(x []float32) float32 {
			whole, rest := cutLanes(x)
			top := rowMax(rest)
			if len(whole) > 0 {
				top = max(top, most(at(whole), len(whole)))
			}
			return top
		},
		exp: func(x []float32, top float32) float32 {
			whole, rest := cutLanes(x)
			sum := float32(0)
			if len(whole) > 0 {
				sum = exp(at(whole), len(whole), top)
			}
			if len(rest) > 0 {
				buf := scratch.Get().(*buffer)
				piece := View[float32](Bytes(buf[:]))[:attentionLanes]
				for i := copy(piece, rest); i < len(piece); i++ {
					piece[i] = -math.MaxFloat32 // its weight is 0
				}
				sum += exp(at(piece), len(piece), top)
				copy(rest, piece)
				scratch.Put(buf)
			}
			return sum
		},
		scale: func(x []float32, by float32) {
			whole, rest := cutLanes(x)
			if len(whole) > 0 {
				scale(at(whole), len(whole), by)
			}
			rowScale(rest, by)
		},
	}
}
