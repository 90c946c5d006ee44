package kernel

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

// maxRowsFloat branches on comparisons that soon come out one way, since there
// is seldom a new maximum. Neither NaNs nor zeros are settled before the end.
func maxRowsFloat[F Float, U uint32 | uint64](acc, x []byte, nan U) {
	a, s := View[F](acc), View[F](x)
	cols := len(a)
	switch cols {
	case 0:
		return
	case 1:
		a[0] = maxColumn(a[0], s)
	default:
		maxColumns(a, s)
	}
	s = s[:len(s)/cols*cols]
	bits := View[U](acc)
	minusZero := ^(^U(0) >> 1)
	for c, v := range a {
		switch {
		case v != v:
			bits[c] = nan
		case bits[c] == minusZero:
			for i := c; i < len(s) && bits[c] != 0; i += cols {
				if s[i] == 0 {
					bits[c] &= View[U](x)[i]
				}
			}
		}
	}
}

// maxColumn returns the maximum of m and the elements of s, or a NaN if there
// is one among them.
func maxColumn[F Float](m F, s []F) F {
	for len(s) >= 8 {
		v := (*[8]F)(s)
		if !(v[0] <= m && v[1] <= m && v[2] <= m && v[3] <= m && v[4] <= m && v[5] <= m && v[6] <= m && v[7] <= m) {
			for _, f := range v {
				m = greater(m, f)
			}
			if m != m {
				return m
			}
		}
		s = s[8:]
	}
	for _, f := range s {
		m = greater(m, f)
	}
	return m
}

// maxColumns is maxColumn for each element of a and its column in s.
func maxColumns[F Float](a, s []F) {
	for len(s) >= 4*len(a) {
		var r0, r1, r2, r3 []F
		r0, r1, r2, r3, s = rows4(s, len(a))
		r0, r1, r2, r3 = r0[:len(a)], r1[:len(a)], r2[:len(a)], r3[:len(a)]
		for c, m := range a {
			v0, v1, v2, v3 := r0[c], r1[c], r2[c], r3[c]
			if v0 <= m && v1 <= m && v2 <= m && v3 <= m {
				continue
			}
			a[c] = greater(greater(greater(greater(m, v0), v1), v2), v3)
		}
	}
	for len(s) >= len(a) {
		row := s[:len(a)]
		for c, m := range a {
			a[c] = greater(m, row[c])
		}
		s = s[len(a):]
	}
}

// greater returns the greater of m and f, the first NaN among them, or m if
// they are equal.
func greater[F Float](m, f F) F {
	if !(f <= m) && m == m {
		return f
	}
	return m
}

// maxRowsHalf is maxRowsInt on the keys of an order.
func maxRowsHalf(acc, x []byte, o order) {
	a, s := View[int16](acc), View[int16](x)
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
		var r0, r1, r2, r3 []int16
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
