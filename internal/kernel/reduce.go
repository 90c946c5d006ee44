package kernel

import "fusectl/internal/dtype"

func (t *Table) fillReduce() {
	t.SumRows = [dtype.NumKinds]func(acc []float64, x []byte){
		dtype.KindBool:     sumRows[uint8],
		dtype.KindInt8:     sumRows[int8],
		dtype.KindInt16:    sumRows[int16],
		dtype.KindInt32:    sumRows[int32],
		dtype.KindInt64:    sumRows[int64],
		dtype.KindUint8:    sumRows[uint8],
		dtype.KindUint16:   sumRows[uint16],
		dtype.KindUint32:   sumRows[uint32],
		dtype.KindUint64:   sumRows[uint64],
		dtype.KindFloat16:  t.sumRowsHalf(dtype.KindFloat16),
		dtype.KindBFloat16: t.sumRowsHalf(dtype.KindBFloat16),
		dtype.KindFloat32:  sumRows[float32],
		dtype.KindFloat64:  sumRows[float64],
	}
	t.MaxRows = [dtype.NumKinds]func(acc, x []byte){
		dtype.KindBool:       maxRowsInt[uint8, uint32],
		dtype.KindInt8:       maxRowsInt[int8, int32],
		dtype.KindInt16:      maxRowsInt[int16, int32],
		dtype.KindInt32:      maxRowsInt[int32, int32],
		dtype.KindInt64:      maxRowsInt[int64, int64],
		dtype.KindUint8:      maxRowsInt[uint8, uint32],
		dtype.KindUint16:     maxRowsInt[uint16, uint32],
		dtype.KindUint32:     maxRowsInt[uint32, uint32],
		dtype.KindUint64:     maxRowsInt[uint64, uint64],
		dtype.KindFloat16:    func(acc, x []byte) { maxRowsFloat(acc, x, float16Order) },
		dtype.KindBFloat16:   func(acc, x []byte) { maxRowsFloat(acc, x, bfloat16Order) },
		dtype.KindFloat32:    func(acc, x []byte) { maxRowsFloat(acc, x, float32Order) },
		dtype.KindFloat64:    func(acc, x []byte) { maxRowsFloat(acc, x, float64Order) },
		dtype.KindComplex64:  maxRowsComplex[float32],
		dtype.KindComplex128: maxRowsComplex[float64],
	}
}

// rows4 cuts four rows of cols elements off s.
func rows4[T any](s []T, cols int) (r0, r1, r2, r3, rest []T) {
	return s[:cols], s[cols : 2*cols], s[2*cols : 3*cols], s[3*cols : 4*cols], s[4*cols:]
}

func sumRows[T integer | Float](acc []float64, x []byte) {
	s := View[T](x)
	if len(acc) == 1 {
		var l lanes
		addLanes(&l, s)
		acc[0] += l.sum()
		return
	}
	addRows(acc, s)
}

// addRows takes four rows at a time, so that a sum is loaded and stored once
// for four elements; they are added one after the other all the same.
func addRows[T integer | Float](acc []float64, s []T) {
	cols := len(acc)
	if cols == 0 {
		return
	}
	for len(s) >= 4*cols {
		var r0, r1, r2, r3 []T
		r0, r1, r2, r3, s = rows4(s, cols)
		r0, r1, r2, r3 = r0[:len(acc)], r1[:len(acc)], r2[:len(acc)], r3[:len(acc)]
		for c := range acc {
			acc[c] = acc[c] + float64(r0[c]) + float64(r1[c]) + float64(r2[c]) + float64(r3[c])
		}
	}
	for len(s) >= cols {
		row := s[:len(acc)]
		for c := range acc {
			acc[c] += float64(row[c])
		}
		s = s[cols:]
	}
}

// lanes are the 16 partial sums of a sum of one column.
type lanes [16]float64

// addLanes adds s, whose first element belongs to lane 0.
func addLanes[T integer | Float](l *lanes, s []T) {
	for len(s) >= 16 {
		v := (*[16]T)(s)
		l[0] += float64(v[0])
		l[1] += float64(v[1])
		l[2] += float64(v[2])
		l[3] += float64(v[3])
		l[4] += float64(v[4])
		l[5] += float64(v[5])
		l[6] += float64(v[6])
		l[7] += float64(v[7])
		l[8] += float64(v[8])
		l[9] += float64(v[9])
		l[10] += float64(v[10])
		l[11] += float64(v[11])
		l[12] += float64(v[12])
		l[13] += float64(v[13])
		l[14] += float64(v[14])
		l[15] += float64(v[15])
		s = s[16:]
	}
	for j, v := range s {
		l[j] += float64(v)
	}
}

// sum combines the lanes by halves.
func (l lanes) sum() float64 {
	for n := len(l) / 2; n > 0; n /= 2 {
		for j := range n {
			l[j] += l[j+n]
		}
	}
	return l[0]
}

// sumRowsHalf sums a 16-bit kind by way of float32, a buffer at a time.
func (t *Table) sumRowsHalf(k dtype.Kind) func(acc []float64, x []byte) {
	return func(acc []float64, x []byte) {
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		f := View[float32](Bytes(buf[:]))
		widen := func(n int) []float32 {
			t.Convert[k][dtype.KindFloat32](Bytes(f[:n]), x[:2*n])
			x = x[2*n:]
			return f[:n]
		}
		switch cols := len(acc); {
		case cols == 0:
		case cols == 1:
			var l lanes
			for len(x) > 0 {
				addLanes(&l, widen(min(len(f), len(x)/2)))
			}
			acc[0] += l.sum()
		case cols <= len(f):
			for len(x) > 0 {
				addRows(acc, widen(min(len(f)/cols*cols, len(x)/2)))
			}
		default:
			for len(x) > 0 {
				for c := 0; c < cols; c += len(f) {
					part := acc[c:min(c+len(f), cols)]
					addRows(part, widen(len(part)))
				}
			}
		}
	}
}

// maxRowsInt takes four rows at a time, so that a maximum is loaded and stored
// once for four elements; for one column it takes four lanes. W is as in
// maxInt.
func maxRowsInt[T, W integer](acc, x []byte) {
	a, s := View[T](acc), View[T](x)
	cols := len(a)
	switch cols {
	case 0:
		return
	case 1:
		m0 := W(a[0])
		m1, m2, m3 := m0, m0, m0
		for len(s) >= 4 {
			m0, m1 = max(m0, W(s[0])), max(m1, W(s[1]))
			m2, m3 = max(m2, W(s[2])), max(m3, W(s[3]))
			s = s[4:]
		}
		a[0] = T(max(m0, m1, m2, m3))
	}
	for len(s) >= 4*cols {
		var r0, r1, r2, r3 []T
		r0, r1, r2, r3, s = rows4(s, cols)
		r0, r1, r2, r3 = r0[:len(a)], r1[:len(a)], r2[:len(a)], r3[:len(a)]
		for c := range a {
			a[c] = T(max(W(a[c]), W(r0[c]), W(r1[c]), W(r2[c]), W(r3[c])))
		}
	}
	for len(s) >= cols {
		row := s[:len(a)]
		for c := range a {
			a[c] = T(max(W(a[c]), W(row[c])))
		}
		s = s[cols:]
	}
}

// maxRowsFloat is maxRowsInt on the keys of an order.
func maxRowsFloat[I int16 | int32 | int64](acc, x []byte, o order[I]) {
	a, s := View[I](acc), View[I](x)
	cols := len(a)
	switch cols {
	case 0:
		return
	case 1:
		m0 := o.key(a[0])
		m1, m2, m3 := m0, m0, m0
		for len(s) >= 4 {
			m0, m1 = max(m0, o.key(s[0])), max(m1, o.key(s[1]))
			m2, m3 = max(m2, o.key(s[2])), max(m3, o.key(s[3]))
			s = s[4:]
		}
		a[0] = o.bits(max(m0, m1, m2, m3))
	}
	for len(s) >= 4*cols {
		var r0, r1, r2, r3 []I
		r0, r1, r2, r3, s = rows4(s, cols)
		r0, r1, r2, r3 = r0[:len(a)], r1[:len(a)], r2[:len(a)], r3[:len(a)]
		for c := range a {
			m := max(o.key(r0[c]), o.key(r1[c]), o.key(r2[c]), o.key(r3[c]))
			a[c] = o.bits(max(m, o.key(a[c])))
		}
	}
	for len(s) >= cols {
		row := s[:len(a)]
		for c := range a {
			a[c] = o.bits(max(o.key(a[c]), o.key(row[c])))
		}
		s = s[cols:]
	}
}

// maxRowsComplex goes row by row: of several numbers with NaNs in them the
// first one wins.
func maxRowsComplex[F Float](acc, x []byte) {
	a, s := View[[2]F](acc), View[[2]F](x)
	for len(a) > 0 && len(s) >= len(a) {
		row := s[:len(a)]
		for c := range a {
			if !keepsFirst(a[c], row[c]) {
				a[c] = row[c]
			}
		}
		s = s[len(a):]
	}
}
