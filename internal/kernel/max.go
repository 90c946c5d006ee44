package kernel

// maxFloat selects the bits of the greater operand, both where they are equal:
// of two zeros, only -0 and -0 give -0. nan are the bits where none of that is
// so. Comparisons select by conditional moves, which a branch on random data
// and the builtin max are slower than.
func maxFloat[F Float, U uint32 | uint64](dst, a, b []byte, nan U) {
	d, x, y := View[U](dst), View[U](a), View[U](b)
	fx, fy := View[F](a), View[F](b)
	x, y, fx, fy = x[:len(d)], y[:len(d)], fx[:len(d)], fy[:len(d)]
	for i := range d {
		u, v, f, g := x[i], y[i], fx[i], fy[i]
		r := nan
		if f == g {
			r = u & v
		}
		if f > g {
			r = u
		}
		if g > f {
			r = v
		}
		d[i] = r
	}
}

// order maps the bits of a 16-bit float to keys whose order is
//
//	-Inf < negative numbers < -0 < +0 < positive numbers < +Inf < all NaNs.
//
// Its value is the mask of the fraction's bits.
type order int32

const (
	float16Order  order = 0x03ff
	bfloat16Order order = 0x007f
)

// key turns sign and magnitude into two's complement, and then shifts the
// order down so far that -Inf is the least int16 and the NaNs below it wrap
// round to the top.
func (o order) key(bits int16) int32 {
	b := int32(bits)
	return int32(int16(b ^ b>>31&0x7fff - int32(o)))
}

// bits is the inverse of key; all NaNs become the quiet one without payload.
func (o order) bits(key int32) int16 {
	b := int32(int16(key + int32(o)))
	b ^= b >> 31 & 0x7fff
	if key > o.most() {
		b = o.nan()
	}
	return int16(b)
}

// inf returns the bits of +Inf.
func (o order) inf() int32 { return 0x7fff &^ int32(o) }

// nan returns the bits of the quiet NaN without payload.
func (o order) nan() int32 { return o.inf() | (int32(o)+1)>>1 }

// most returns the greatest key of a number: that of +Inf.
func (o order) most() int32 { return o.inf() - int32(o) }

func maxHalf(dst, a, b []byte, o order) {
	d, x, y := View[int16](dst), View[int16](a), View[int16](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		d[i] = o.bits(max(o.key(x[i]), o.key(y[i])))
	}
}

// maxInt compares in W, which is as wide as T or wider: there are conditional
// moves for 32 and 64 bits only.
func maxInt[T, W integer](dst, a, b []byte) {
	d, x, y := View[T](dst), View[T](a), View[T](b)
	for len(d) >= 4 && len(x) >= 4 && len(y) >= 4 {
		d[0] = T(max(W(x[0]), W(y[0])))
		d[1] = T(max(W(x[1]), W(y[1])))
		d[2] = T(max(W(x[2]), W(y[2])))
		d[3] = T(max(W(x[3]), W(y[3])))
		d, x, y = d[4:], x[4:], y[4:]
	}
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		d[i] = T(max(W(x[i]), W(y[i])))
	}
}

// minFloat is maxFloat with the lesser operand; of two zeros, only +0 and +0 give +0.
func minFloat[F Float, U uint32 | uint64](dst, a, b []byte, nan U) {
	d, x, y := View[U](dst), View[U](a), View[U](b)
	fx, fy := View[F](a), View[F](b)
	x, y, fx, fy = x[:len(d)], y[:len(d)], fx[:len(d)], fy[:len(d)]
	for i := range d {
		u, v, f, g := x[i], y[i], fx[i], fy[i]
		r := nan
		if f == g {
			r = u | v
		}
		if f < g {
			r = u
		}
		if g < f {
			r = v
		}
		d[i] = r
	}
}

// minHalf negates the greater one of the operands negated: NaNs are the greatest of
// both orders.
func minHalf(dst, a, b []byte, o order) {
	const sign = -1 << 15
	d, x, y := View[int16](dst), View[int16](a), View[int16](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		key := max(o.key(x[i]^sign), o.key(y[i]^sign))
		r := o.bits(key)
		if key <= o.most() {
			r ^= sign
		}
		d[i] = r
	}
}

// minInt compares as maxInt does.
func minInt[T, W integer](dst, a, b []byte) {
	d, x, y := View[T](dst), View[T](a), View[T](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		d[i] = T(min(W(x[i]), W(y[i])))
	}
}

func maxComplex[F Float](dst, a, b []byte) {
	d, x, y := View[[2]F](dst), View[[2]F](a), View[[2]F](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		if keepsFirst(x[i], y[i]) {
			d[i] = x[i]
		} else {
			d[i] = y[i]
		}
	}
}

// keepsFirst reports whether numpy.maximum(a, b) is a.
func keepsFirst[F Float](a, b [2]F) bool {
	switch {
	case a[0] != a[0] || a[1] != a[1]:
		return true
	case b[0] != b[0] || b[1] != b[1]:
		return false
	default:
		return a[0] > b[0] || a[0] == b[0] && a[1] >= b[1]
	}
}
