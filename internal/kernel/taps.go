package kernel

// Taps is the 4 source positions that a resized one is summed from, and their
// weights.
type Taps struct {
	At [4]int32
	W  [4]float64
}

// tapColumns is TapCols, by the loops of t.
func tapColumns[T Float](t *Table, dst, src []byte, taps []Taps, inner int) {
	k := kindOf[T]()
	size := inner * t.sizes[k]
	if size < fewest {
		tapCols(View[T](dst), View[T](src), taps, inner)
		return
	}
	loop := t.SumTaps[k]
	for j := range taps {
		var from [4][]byte
		for i, at := range taps[j].At {
			from[i] = src[int(at)*size : (int(at)+1)*size]
		}
		loop(dst[j*size:(j+1)*size], from, taps[j].W)
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
