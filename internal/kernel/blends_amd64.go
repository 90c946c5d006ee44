//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

func (t *Table) vectorizeBlends(set int) {
	width := widths[set]
	// Columns of one float32 go by vectors. An element whose lo or hi isn't less than
	// len(src) is undefined.
	across, rest := [2]func(dst, src, lo, hi, w *byte, n, size int){lerpAcrossAVX2, lerpAcrossAVX512}[set], t.LerpCols[dtype.KindFloat32]
	t.LerpCols[dtype.KindFloat32] = func(dst, src []byte, lo, hi []int32, w []float64, inner int) {
		n := len(lo) / (width / 4)
		if whole := n * (width / 4); n > 0 && inner == 1 {
			_, _, _ = dst[4*whole-1], hi[whole-1], w[whole-1]
			across(&dst[0], unsafe.SliceData(src), &Bytes(lo)[0], &Bytes(hi)[0], &Bytes(w)[0], n, len(src)/4)
			dst, lo, hi, w = dst[4*whole:], lo[whole:], hi[whole:], w[whole:]
		}
		rest(dst, src, lo, hi, w, inner)
	}
	for k, steps := range map[dtype.Kind][2]func(acc, x *byte, n int, by float64){
		dtype.KindFloat32: {addScaledAVX2F32, addScaledAVX512F32},
		dtype.KindFloat64: {addScaledAVX2F64, addScaledAVX512F64},
	} {
		step, rest := steps[set], t.AddScaled[k]
		t.AddScaled[k] = func(acc []float64, x []byte, by float64) {
			each := width / 8
			if n := len(acc) / each; n > 0 {
				size := len(x) / len(acc)
				_ = x[n*each*size-1]
				step(&Bytes(acc)[0], unsafe.SliceData(x), n, by)
				acc, x = acc[n*each:], x[n*each*size:]
			}
			if len(acc) > 0 {
				rest(acc, x, by)
			}
		}
	}
	for k, steps := range map[dtype.Kind][2]func(dst, src *byte, n int, by float64){
		dtype.KindFloat32: {divideByAVX2F32, divideByAVX512F32},
		dtype.KindFloat64: {divideByAVX2F64, divideByAVX512F64},
	} {
		step, rest := steps[set], t.DivideBy[k]
		t.DivideBy[k] = func(dst, src []byte, by float64) {
			if n := len(src) / width; n > 0 {
				whole := n * width
				_ = dst[whole-1]
				step(unsafe.SliceData(dst), unsafe.SliceData(src), n, by)
				dst, src = dst[whole:], src[whole:]
			}
			if len(src) > 0 {
				rest(dst, src, by)
			}
		}
	}
	for k, steps := range map[dtype.Kind][2]func(dst, a, b *byte, n int, w float64){
		dtype.KindFloat32: {lerpAVX2F32, lerpAVX512F32},
		dtype.KindFloat64: {lerpAVX2F64, lerpAVX512F64},
	} {
		step, rest := steps[set], t.Lerp[k]
		t.Lerp[k] = func(dst, a, b []byte, w float64) {
			if n := len(dst) / width; n > 0 {
				whole := n * width
				_, _ = a[whole-1], b[whole-1]
				step(unsafe.SliceData(dst), unsafe.SliceData(a), unsafe.SliceData(b), n, w)
				dst, a, b = dst[whole:], a[whole:], b[whole:]
			}
			if len(dst) > 0 {
				rest(dst, a, b, w)
			}
		}
	}
	for k, steps := range map[dtype.Kind][2]func(dst, a, b, c, d *byte, n int, wa, wb, wc, wd float64){
		dtype.KindFloat32: {tapsAVX2F32, tapsAVX512F32},
		dtype.KindFloat64: {tapsAVX2F64, tapsAVX512F64},
	} {
		step, rest := steps[set], t.SumTaps[k]
		t.SumTaps[k] = func(dst []byte, rows [4][]byte, w [4]float64) {
			if n := len(dst) / width; n > 0 {
				whole := n * width
				var at [4]*byte
				for i, r := range rows {
					rows[i] = r[whole:]
					at[i] = unsafe.SliceData(r)
				}
				step(unsafe.SliceData(dst), at[0], at[1], at[2], at[3], n, w[0], w[1], w[2], w[3])
				dst = dst[whole:]
			}
			if len(dst) > 0 {
				rest(dst, rows, w)
			}
		}
	}
}
