package kernel

import "fusectl/internal/dtype"

// Taps is the 4 source positions that a resized one is summed from, and their
// weights.
type Taps struct {
	At [4]int32
	W  [4]float64
}

// TapCols sums columns of one row of float32 or float64, a column being inner
// elements: column j of dst is the sum over k of src[taps[j].At[k]]·W[k], in
// order, every step rounded.
func TapCols(k dtype.Kind, dst, src []byte, taps []Taps, inner int) {
	if k == dtype.KindFloat32 {
		tapCols(View[float32](dst), View[float32](src), taps, inner)
	} else {
		tapCols(View[float64](dst), View[float64](src), taps, inner)
	}
}

func tapCols[T Float](dst, src []T, taps []Taps, inner int) {
	for j := range taps {
		t := &taps[j]
		var from [4][]T
		for k, at := range t.At {
			from[k] = src[int(at)*inner : (int(at)+1)*inner]
		}
		sumTaps(dst[j*inner:(j+1)*inner], from, t.W)
	}
}

// TapRows is the sum over k of rows[k]·w[k], element by element, likewise.
func TapRows(k dtype.Kind, dst []byte, rows [4][]byte, w [4]float64) {
	if k == dtype.KindFloat32 {
		sumTaps(View[float32](dst), views[float32](rows), w)
	} else {
		sumTaps(View[float64](dst), views[float64](rows), w)
	}
}

func views[T Float](rows [4][]byte) (out [4][]T) {
	for k, r := range rows {
		out[k] = View[T](r)
	}
	return out
}

func sumTaps[T Float](dst []T, from [4][]T, w [4]float64) {
	a, b, c, d := from[0][:len(dst)], from[1][:len(dst)], from[2][:len(dst)], from[3][:len(dst)]
	wa, wb, wc, wd := T(w[0]), T(w[1]), T(w[2]), T(w[3])
	for i := range dst {
		dst[i] = T(T(T(a[i]*wa)+T(b[i]*wb))+T(c[i]*wc)) + T(d[i]*wd)
	}
}
