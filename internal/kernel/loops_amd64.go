//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

// Assembly loops over n steps, for AVX2 and for AVX-512, whose steps are twice
// as long.
type (
	steps2 = [2]func(dst, src *byte, n int)
	steps3 = [2]func(dst, a, b *byte, n int)
)

// widths are the bytes of a vector of either set.
var widths = [2]int{32, 64}

// vectorizeLoops lets each instruction set do what it can of a loop, and leave
// what is less than a step to the next lower one.
func (t *Table) vectorizeLoops(level string) {
	sets := 1
	if level == avx512 {
		sets = 2
	}
	for set := range sets {
		t.vectorizeArith(set)
		t.vectorizeConvert(set)
		t.vectorizeActivations(set)
		t.vectorizeBlends(set)
		t.vectorizeNorms(set)
		t.vectorizeReduce(set)
	}
}

func (t *Table) vectorizeArith(set int) {
	over3(&t.Add, set, [dtype.NumKinds]steps3{
		dtype.KindBool:       {orAVX2, orAVX512},
		dtype.KindInt8:       {addAVX2I8, addAVX512I8},
		dtype.KindInt16:      {addAVX2I16, addAVX512I16},
		dtype.KindInt32:      {addAVX2I32, addAVX512I32},
		dtype.KindInt64:      {addAVX2I64, addAVX512I64},
		dtype.KindUint8:      {addAVX2I8, addAVX512I8},
		dtype.KindUint16:     {addAVX2I16, addAVX512I16},
		dtype.KindUint32:     {addAVX2I32, addAVX512I32},
		dtype.KindUint64:     {addAVX2I64, addAVX512I64},
		dtype.KindFloat32:    {addAVX2F32, addAVX512F32},
		dtype.KindFloat64:    {addAVX2F64, addAVX512F64},
		dtype.KindComplex64:  {addAVX2F32, addAVX512F32},
		dtype.KindComplex128: {addAVX2F64, addAVX512F64},
	})
	over3(&t.Sub, set, [dtype.NumKinds]steps3{
		dtype.KindInt8:       {subAVX2I8, subAVX512I8},
		dtype.KindInt16:      {subAVX2I16, subAVX512I16},
		dtype.KindInt32:      {subAVX2I32, subAVX512I32},
		dtype.KindInt64:      {subAVX2I64, subAVX512I64},
		dtype.KindUint8:      {subAVX2I8, subAVX512I8},
		dtype.KindUint16:     {subAVX2I16, subAVX512I16},
		dtype.KindUint32:     {subAVX2I32, subAVX512I32},
		dtype.KindUint64:     {subAVX2I64, subAVX512I64},
		dtype.KindFloat32:    {subAVX2F32, subAVX512F32},
		dtype.KindFloat64:    {subAVX2F64, subAVX512F64},
		dtype.KindComplex64:  {subAVX2F32, subAVX512F32},
		dtype.KindComplex128: {subAVX2F64, subAVX512F64},
	})
	over3(&t.Div, set, [dtype.NumKinds]steps3{
		dtype.KindFloat32: {divAVX2F32, divAVX512F32},
		dtype.KindFloat64: {divAVX2F64, divAVX512F64},
	})
	over3(&t.Mul, set, [dtype.NumKinds]steps3{
		dtype.KindBool:    {andAVX2, andAVX512},
		dtype.KindInt16:   {mulAVX2I16, mulAVX512I16},
		dtype.KindInt32:   {mulAVX2I32, mulAVX512I32},
		dtype.KindInt64:   {nil, mulAVX512I64},
		dtype.KindUint16:  {mulAVX2I16, mulAVX512I16},
		dtype.KindUint32:  {mulAVX2I32, mulAVX512I32},
		dtype.KindUint64:  {nil, mulAVX512I64},
		dtype.KindFloat32: {mulAVX2F32, mulAVX512F32},
		dtype.KindFloat64: {mulAVX2F64, mulAVX512F64},
	})
	over3(&t.Max, set, [dtype.NumKinds]steps3{
		dtype.KindBool:     {orAVX2, orAVX512},
		dtype.KindInt8:     {maxAVX2I8, maxAVX512I8},
		dtype.KindInt16:    {maxAVX2I16, maxAVX512I16},
		dtype.KindInt32:    {maxAVX2I32, maxAVX512I32},
		dtype.KindInt64:    {maxAVX2I64, maxAVX512I64},
		dtype.KindUint8:    {maxAVX2U8, maxAVX512U8},
		dtype.KindUint16:   {maxAVX2U16, maxAVX512U16},
		dtype.KindUint32:   {maxAVX2U32, maxAVX512U32},
		dtype.KindUint64:   {maxAVX2U64, maxAVX512U64},
		dtype.KindFloat16:  {float16Order.steps(maxAVX2Half), float16Order.steps(maxAVX512Half)},
		dtype.KindBFloat16: {bfloat16Order.steps(maxAVX2Half), bfloat16Order.steps(maxAVX512Half)},
		dtype.KindFloat32:  {maxAVX2F32, maxAVX512F32},
		dtype.KindFloat64:  {maxAVX2F64, maxAVX512F64},
	})
	over3(&t.Min, set, [dtype.NumKinds]steps3{
		dtype.KindBool:     {andAVX2, andAVX512},
		dtype.KindInt8:     {minAVX2I8, minAVX512I8},
		dtype.KindInt16:    {minAVX2I16, minAVX512I16},
		dtype.KindInt32:    {minAVX2I32, minAVX512I32},
		dtype.KindInt64:    {minAVX2I64, minAVX512I64},
		dtype.KindUint8:    {minAVX2U8, minAVX512U8},
		dtype.KindUint16:   {minAVX2U16, minAVX512U16},
		dtype.KindUint32:   {minAVX2U32, minAVX512U32},
		dtype.KindUint64:   {minAVX2U64, minAVX512U64},
		dtype.KindFloat16:  {float16Order.steps(minAVX2Half), float16Order.steps(minAVX512Half)},
		dtype.KindBFloat16: {bfloat16Order.steps(minAVX2Half), bfloat16Order.steps(minAVX512Half)},
		dtype.KindFloat32:  {minAVX2F32, minAVX512F32},
		dtype.KindFloat64:  {minAVX2F64, minAVX512F64},
	})
}

// steps makes a loop over one of the 16-bit floats of an assembly loop for both.
func (o order) steps(steps func(dst, a, b *byte, n int, order *byte)) func(dst, a, b *byte, n int) {
	words := o.words()
	return func(dst, a, b *byte, n int) { steps(dst, a, b, n, words) }
}

// words returns o as assembly takes it: its value, the greatest key of a number and
// the NaN that a maximum gives, each twice.
func (o order) words() *byte {
	const twice = 0x10001
	return &Bytes([]uint32{uint32(o) * twice, uint32(o.most()) * twice, uint32(o.nan()) * twice})[0]
}

func (t *Table) vectorizeConvert(set int) {
	half := widths[set] / 2
	convert := func(from, to dtype.Kind, src, dst int, steps steps2) {
		over2(&t.Convert[from][to], src, dst, steps[set])
	}
	convert(dtype.KindFloat32, dtype.KindFloat64, half, 2*half, steps2{convertAVX2F32ToF64, convertAVX512F32ToF64})
	convert(dtype.KindFloat64, dtype.KindFloat32, 2*half, half, steps2{convertAVX2F64ToF32, convertAVX512F64ToF32})
	convert(dtype.KindComplex64, dtype.KindComplex128, half, 2*half, steps2{convertAVX2F32ToF64, convertAVX512F32ToF64})
	convert(dtype.KindComplex128, dtype.KindComplex64, 2*half, half, steps2{convertAVX2F64ToF32, convertAVX512F64ToF32})
	convert(dtype.KindFloat16, dtype.KindFloat32, half, 2*half, steps2{convertAVX2F16ToF32, convertAVX512F16ToF32})
	convert(dtype.KindFloat32, dtype.KindFloat16, 2*half, half, steps2{convertAVX2F32ToF16, convertAVX512F32ToF16})
	convert(dtype.KindBFloat16, dtype.KindFloat32, half, 2*half, steps2{convertAVX2BF16ToF32, convertAVX512BF16ToF32})
	convert(dtype.KindFloat32, dtype.KindBFloat16, 2*half, half, steps2{convertAVX2F32ToBF16, convertAVX512F32ToBF16})
	for size, steps := range map[int]steps2{
		2: {swapAVX2x16, swapAVX512x16},
		4: {swapAVX2x32, swapAVX512x32},
		8: {swapAVX2x64, swapAVX512x64},
	} {
		over2(&t.Swap[size], widths[set], widths[set], steps[set])
	}
}

func (t *Table) vectorizeActivations(set int) {
	for _, v := range []struct {
		name     string
		f32, f64 steps2
	}{
		{"relu", steps2{reluAVX2F32, reluAVX512F32}, steps2{reluAVX2F64, reluAVX512F64}},
		{"relu6", steps2{relu6AVX2F32, relu6AVX512F32}, steps2{relu6AVX2F64, relu6AVX512F64}},
	} {
		loops := &t.activations[indexOf(v.name)]
		f32, f64 := loops[dtype.KindFloat32](nil), loops[dtype.KindFloat64](nil)
		over2(&f32, widths[set], widths[set], v.f32[set])
		over2(&f64, widths[set], widths[set], v.f64[set])
		t.floats(v.name, fixed(f32), fixed(f64))
	}
}

// over2 puts an assembly loop before loop, for what makes whole steps, of src
// and dst bytes of the two operands each.
func over2(loop *Loop2, src, dst int, steps func(dst, src *byte, n int)) {
	rest := *loop
	*loop = func(d, s []byte) {
		if n := len(s) / src; n > 0 {
			_ = d[n*dst-1]
			steps(unsafe.SliceData(d), unsafe.SliceData(s), n)
			d, s = d[n*dst:], s[n*src:]
		}
		if len(s) > 0 {
			rest(d, s)
		}
	}
}

// over3 is over2 for each of several loops over vectors of three operands.
func over3(loops *[dtype.NumKinds]Loop3, set int, steps [dtype.NumKinds]steps3) {
	width := widths[set]
	for k := range steps {
		step, rest := steps[k][set], loops[k]
		if step == nil {
			continue
		}
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
