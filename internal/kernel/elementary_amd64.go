//go:build !noasm

package kernel

import (
	"math"
	"slices"
	"unsafe"

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
		t.Pow[dtype.KindFloat32], t.Pow[dtype.KindFloat64] = padded3(powAVX512F32, 8, 4), padded3(powAVX512F64, 8, 8)
		t.SoftmaxRows[dtype.KindFloat32] = softmaxInVectors[float32](8, softmaxMaxAVX512F32, softmaxExpAVX512F32, softmaxDivideAVX512F32)
		t.SoftmaxRows[dtype.KindFloat64] = softmaxInVectors[float64](8, softmaxMaxAVX512F64, softmaxExpAVX512F64, softmaxDivideAVX512F64)
	case avx2:
		t.elementwise("sigmoid", 4, sigmoidAVX2F32, sigmoidAVX2F64)
		t.elementwise("tanh", 4, tanhAVX2F32, tanhAVX2F64)
		t.elementwise("silu", 4, siluAVX2F32, siluAVX2F64)
		t.elementwise("gelu", 4, geluAVX2F32, geluAVX2F64)
		t.Pow[dtype.KindFloat32], t.Pow[dtype.KindFloat64] = padded3(powAVX2F32, 4, 4), padded3(powAVX2F64, 4, 8)
		t.SoftmaxRows[dtype.KindFloat32] = softmaxInVectors[float32](4, softmaxMaxAVX2F32, softmaxExpAVX2F32, softmaxDivideAVX2F32)
		t.SoftmaxRows[dtype.KindFloat64] = softmaxInVectors[float64](4, softmaxMaxAVX2F64, softmaxExpAVX2F64, softmaxDivideAVX2F64)
	}
}

// elementwise puts loops over vectors of so many elements in place.
func (t *Table) elementwise(name string, vector int, f32, f64 elementwise) {
	loops := &t.activations[slices.Index(activationNames[:], name)]
	loops[dtype.KindFloat32] = padded(f32, vector, 4)
	loops[dtype.KindFloat64] = padded(f64, vector, 8)
}

// mostElements is the elements of a call, which can't be preempted.
const mostElements = 1 << 14

// padded makes a loop for any number of elements: what is less than a vector
// goes by way of a whole one.
func padded(loop elementwise, vector, size int) Loop2 {
	step := vector * size
	return func(dst, src []byte) {
		for len(src) >= step {
			n := min(len(src)/step*step, mostElements*size)
			loop(&dst[0], &src[0], n/size)
			dst, src = dst[n:], src[n:]
		}
		if len(src) > 0 {
			buf := scratch.Get().(*buffer)
			piece := Bytes(buf[:])[:step]
			clear(piece[copy(piece, src):])
			loop(&piece[0], &piece[0], vector)
			copy(dst, piece[:len(src)])
			scratch.Put(buf)
		}
	}
}

// padded3 is padded for a loop over two inputs.
func padded3(loop func(dst, a, b *byte, n int), vector, size int) Loop3 {
	step := vector * size
	return func(dst, a, b []byte) {
		for len(dst) >= step {
			n := min(len(dst)/step*step, mostElements*size)
			_, _ = a[n-1], b[n-1]
			loop(&dst[0], &a[0], &b[0], n/size)
			dst, a, b = dst[n:], a[n:], b[n:]
		}
		if len(dst) > 0 {
			buf := scratch.Get().(*buffer)
			x, y := Bytes(buf[:])[:step], Bytes(buf[:])[step:2*step]
			clear(x[copy(x, a[:len(dst)]):])
			clear(y[copy(y, b[:len(dst)]):])
			loop(&x[0], &x[0], &y[0], vector)
			copy(dst, x)
			scratch.Put(buf)
		}
	}
}

// softmaxInVectors makes SoftmaxRows of three passes over a row. They take
// whole vectors; what is less goes by way of one of its own, filled up with
// -Inf, of which the exponential adds nothing.
func softmaxInVectors[F Float](
	vector int,
	most func(x *byte, n int, least float64) float64,
	exp func(dst, src *byte, n int, top float64, sums *byte, mask int),
	divide func(x *byte, n int, by float64),
) func(dst, src []byte, cols int) {
	at := func(x []F) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(x))) }
	return func(dst, src []byte, cols int) {
		if cols < 4 {
			softmaxRows[F](dst, src, cols)
			return
		}
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		sums := (*lanes)(buf[:])
		const mask = int(unsafe.Sizeof(*sums)) - 1
		in := View[F](Bytes(buf[len(sums):]))[:vector]
		out := View[F](Bytes(buf[len(sums)+vector:]))[:vector]
		whole := cols / vector * vector
		for i := range in {
			in[i] = F(math.Inf(-1))
		}
		d, s := View[F](dst), View[F](src)
		for ; len(s) >= cols; d, s = d[cols:], s[cols:] {
			rest := copy(in, s[whole:cols])
			top := math.Inf(-1)
			if whole > 0 {
				top = most(at(s), whole, top)
			}
			if rest > 0 {
				top = most(at(in), vector, top)
			}
			if math.IsInf(top, 0) {
				softmax(d[:cols], s[:cols])
				continue
			}
			*sums = lanes{}
			if whole > 0 {
				exp(at(d), at(s), whole, top, (*byte)(unsafe.Pointer(sums)), mask)
			}
			if rest > 0 {
				exp(at(out), at(in), vector, top, (*byte)(unsafe.Pointer(&sums[whole%len(sums)])), mask)
			}
			sum := sums.sum()
			if sum != sum { // there is a NaN in the row
				for i := range d[:cols] {
					d[i] = F(math.NaN())
				}
				continue
			}
			if whole > 0 {
				divide(at(d), whole, sum)
			}
			if rest > 0 {
				divide(at(out), vector, sum)
				copy(d[whole:cols], out)
			}
		}
	}
}
