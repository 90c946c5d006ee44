//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

// steps3 is an assembly loop over n vectors of each operand.
type steps3 = func(dst, a, b *byte, n int)

// vectorizeLoops lets each instruction set do what it can of a loop, and leave
// what is less than its vector to the next lower one.
func (t *Table) vectorizeLoops(level string) {
	t.loopsAVX2()
	if level == avx512 {
		t.loopsAVX512()
	}
}

func (t *Table) loopsAVX2() {
	const width = 32
	over3(&t.Add, width, [dtype.NumKinds]steps3{
		dtype.KindBool:       orAVX2,
		dtype.KindInt8:       addAVX2I8,
		dtype.KindInt16:      addAVX2I16,
		dtype.KindInt32:      addAVX2I32,
		dtype.KindInt64:      addAVX2I64,
		dtype.KindUint8:      addAVX2I8,
		dtype.KindUint16:     addAVX2I16,
		dtype.KindUint32:     addAVX2I32,
		dtype.KindUint64:     addAVX2I64,
		dtype.KindFloat32:    addAVX2F32,
		dtype.KindFloat64:    addAVX2F64,
		dtype.KindComplex64:  addAVX2F32,
		dtype.KindComplex128: addAVX2F64,
	})
	over3(&t.Mul, width, [dtype.NumKinds]steps3{
		dtype.KindBool:    andAVX2,
		dtype.KindInt16:   mulAVX2I16,
		dtype.KindInt32:   mulAVX2I32,
		dtype.KindUint16:  mulAVX2I16,
		dtype.KindUint32:  mulAVX2I32,
		dtype.KindFloat32: mulAVX2F32,
		dtype.KindFloat64: mulAVX2F64,
	})
	over3(&t.Max, width, [dtype.NumKinds]steps3{
		dtype.KindBool:    orAVX2,
		dtype.KindInt8:    maxAVX2I8,
		dtype.KindInt16:   maxAVX2I16,
		dtype.KindInt32:   maxAVX2I32,
		dtype.KindInt64:   maxAVX2I64,
		dtype.KindUint8:   maxAVX2U8,
		dtype.KindUint16:  maxAVX2U16,
		dtype.KindUint32:  maxAVX2U32,
		dtype.KindUint64:  maxAVX2U64,
		dtype.KindFloat32: maxAVX2F32,
		dtype.KindFloat64: maxAVX2F64,
	})
}

func (t *Table) loopsAVX512() {
	const width = 64
	over3(&t.Add, width, [dtype.NumKinds]steps3{
		dtype.KindBool:       orAVX512,
		dtype.KindInt8:       addAVX512I8,
		dtype.KindInt16:      addAVX512I16,
		dtype.KindInt32:      addAVX512I32,
		dtype.KindInt64:      addAVX512I64,
		dtype.KindUint8:      addAVX512I8,
		dtype.KindUint16:     addAVX512I16,
		dtype.KindUint32:     addAVX512I32,
		dtype.KindUint64:     addAVX512I64,
		dtype.KindFloat32:    addAVX512F32,
		dtype.KindFloat64:    addAVX512F64,
		dtype.KindComplex64:  addAVX512F32,
		dtype.KindComplex128: addAVX512F64,
	})
	over3(&t.Mul, width, [dtype.NumKinds]steps3{
		dtype.KindBool:    andAVX512,
		dtype.KindInt16:   mulAVX512I16,
		dtype.KindInt32:   mulAVX512I32,
		dtype.KindInt64:   mulAVX512I64,
		dtype.KindUint16:  mulAVX512I16,
		dtype.KindUint32:  mulAVX512I32,
		dtype.KindUint64:  mulAVX512I64,
		dtype.KindFloat32: mulAVX512F32,
		dtype.KindFloat64: mulAVX512F64,
	})
	over3(&t.Max, width, [dtype.NumKinds]steps3{
		dtype.KindBool:    orAVX512,
		dtype.KindInt8:    maxAVX512I8,
		dtype.KindInt16:   maxAVX512I16,
		dtype.KindInt32:   maxAVX512I32,
		dtype.KindInt64:   maxAVX512I64,
		dtype.KindUint8:   maxAVX512U8,
		dtype.KindUint16:  maxAVX512U16,
		dtype.KindUint32:  maxAVX512U32,
		dtype.KindUint64:  maxAVX512U64,
		dtype.KindFloat32: maxAVX512F32,
		dtype.KindFloat64: maxAVX512F64,
	})
}

// over3 puts steps before the loops they can do the most of, width bytes of
// each operand a step.
func over3(loops *[dtype.NumKinds]Loop3, width int, steps [dtype.NumKinds]steps3) {
	for k, step := range steps {
		if step == nil {
			continue
		}
		rest := loops[k]
		loops[k] = func(dst, a, b []byte) {
			if n := len(dst) / width; n > 0 {
				whole := n * width
				_, _ = a[whole-1], b[whole-1]
				step(unsafe.SliceData(dst), unsafe.SliceData(a), unsafe.SliceData(b), n)
				dst, a, b = dst[whole:], a[whole:], b[whole:]
			}
			if len(dst) > 0 {
				rest(dst, a, b)
			}
		}
	}
}
