package kernel

import "unsafe"

// order maps the bits of an IEEE float of I's width, read as a signed integer,
// to keys whose integer order is
//
//	-Inf < negative numbers < -0 < +0 < positive numbers < +Inf < all NaNs.
//
// Integers are compared without branches and a NaN wins by itself, which no
// comparison of floats in Go can do.
type order[I int16 | int32 | int64] struct {
	inf  I // the bits of +Inf: all of the exponent's
	frac I // the bits of the fraction
}

var (
	float16Order  = order[int16]{0x7c00, 0x03ff}
	bfloat16Order = order[int16]{0x7f80, 0x007f}
	float32Order  = order[int32]{0x7f800000, 0x007fffff}
	float64Order  = order[int64]{0x7ff0000000000000, 0x000fffffffffffff}
)

// key turns sign and magnitude into two's complement, and then shifts the
// order down so far that -Inf is the least integer and the NaNs below it wrap
// round to the top.
func (o order[I]) key(bits I) I { return o.flip(bits) - o.frac }

// bits is the inverse of key; all NaNs become the quiet one without payload.
func (o order[I]) bits(key I) I {
	b := o.flip(key + o.frac)
	if key > o.inf-o.frac {
		b = o.inf | (o.frac+1)>>1
	}
	return b
}

// flip inverts all bits but the sign if the sign is set: its own inverse.
func (o order[I]) flip(bits I) I {
	sign := bits >> (8*unsafe.Sizeof(bits) - 1)
	return bits ^ sign&(o.inf|o.frac)
}

func maxFloat[I int16 | int32 | int64](dst, a, b []byte, o order[I]) {
	d, x, y := View[I](dst), View[I](a), View[I](b)
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
