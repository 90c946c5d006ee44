package kernel

import "fusectl/internal/dtype"

// fewest is the number of bytes from which on a row of a column's elements is
// worth a call of a loop of the table.
const fewest = 128

func (t *Table) fillBlends() {
	t.LerpCols[dtype.KindFloat32] = func(dst, src []byte, lo, hi []int32, w []float64, inner int) {
		lerpColumns[float32](t, dst, src, lo, hi, w, inner)
	}
	t.LerpCols[dtype.KindFloat64] = func(dst, src []byte, lo, hi []int32, w []float64, inner int) {
		lerpColumns[float64](t, dst, src, lo, hi, w, inner)
	}
	t.TapCols[dtype.KindFloat32] = func(dst, src []byte, taps []Taps, inner int) { tapColumns[float32](t, dst, src, taps, inner) }
	t.TapCols[dtype.KindFloat64] = func(dst, src []byte, taps []Taps, inner int) { tapColumns[float64](t, dst, src, taps, inner) }
	t.Lerp[dtype.KindFloat32] = func(dst, a, b []byte, w float64) {
		lerp(View[float32](dst), View[float32](a), View[float32](b), float32(w))
	}
	t.Lerp[dtype.KindFloat64] = func(dst, a, b []byte, w float64) {
		lerp(View[float64](dst), View[float64](a), View[float64](b), w)
	}
	t.SumTaps[dtype.KindFloat32] = func(dst []byte, rows [4][]byte, w [4]float64) {
		sumTaps(View[float32](dst), views[float32](rows), w)
	}
	t.SumTaps[dtype.KindFloat64] = func(dst []byte, rows [4][]byte, w [4]float64) {
		sumTaps(View[float64](dst), views[float64](rows), w)
	}
}

func lerp[T Float](dst, a, b []T, w T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + T((b[i]-a[i])*w)
	}
}

// lerpColumns is LerpCols, by the loops of t.
func lerpColumns[T Float](t *Table, dst, src []byte, lo, hi []int32, w []float64, inner int) {
	k := kindOf[T]()
	size := inner * t.sizes[k]
	switch {
	case size >= fewest:
		loop := t.Lerp[k]
		for j := range lo {
			d, a := dst[j*size:(j+1)*size], src[int(lo[j])*size:(int(lo[j])+1)*size]
			if w[j] == 0 {
				copy(d, a)
			} else {
				loop(d, a, src[int(hi[j])*size:(int(hi[j])+1)*size], w[j])
			}
		}
	default:
		lerpCols(View[T](dst), View[T](src), lo, hi, w, inner)
	}
}

// lerpAcross is LerpCols for columns of one element.
func lerpAcross[T Float](dst, src []T, lo, hi []int32, w []float64) {
	for j := range lo {
		a := src[lo[j]]
		if w := T(w[j]); w != 0 {
			a += T((src[hi[j]] - a) * w)
		}
		dst[j] = a
	}
}

func lerpCols[T Float](dst, src []T, lo, hi []int32, w []float64, inner int) {
	if inner == 1 {
		lerpAcross(dst, src, lo, hi, w)
		return
	}
	for j := range lo {
		d := dst[j*inner : (j+1)*inner]
		a := src[int(lo[j])*inner : (int(lo[j])+1)*inner]
		if w[j] == 0 {
			copy(d, a)
			continue
		}
		lerp(d, a, src[int(hi[j])*inner:(int(hi[j])+1)*inner], T(w[j]))
	}
}
