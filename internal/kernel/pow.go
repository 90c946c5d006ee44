package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

func (t *Table) fillPow() {
	t.Pow = [dtype.NumKinds]Loop3{
		dtype.KindInt8:    powInt[int8],
		dtype.KindInt16:   powInt[int16],
		dtype.KindInt32:   powInt[int32],
		dtype.KindInt64:   powInt[int64],
		dtype.KindUint8:   powInt[uint8],
		dtype.KindUint16:  powInt[uint16],
		dtype.KindUint32:  powInt[uint32],
		dtype.KindUint64:  powInt[uint64],
		dtype.KindFloat32: powFloat[float32],
		dtype.KindFloat64: powFloat[float64],
	}
}

// powInt multiplies by the squares that the exponent's bits choose.
func powInt[T integer](dst, a, b []byte) {
	d, x, y := View[T](dst), View[T](a), View[T](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		r, square := T(1), x[i]
		for e := y[i]; e > 0; e >>= 1 {
			if e&1 == 1 {
				r *= square
			}
			square *= square
		}
		d[i] = r
	}
}

func powFloat[F Float](dst, a, b []byte) {
	d, x, y := View[F](dst), View[F](a), View[F](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		d[i] = F(pow(float64(x[i]), float64(y[i])))
	}
}

// pow returns x^y with the special cases of C's pow, and one NaN. Its error is below 1 ulp,
// and what float64 holds exactly is exact. Vectors compute the same without a branch.
func pow(x, y float64) float64 {
	a := math.Abs(x)
	whole := math.Floor(y) == y
	half := 0.5 * y
	odd := whole && math.Floor(half) != half
	r := 1.0
	if a != 1 && y != 0 {
		r = expProduct(y, a)
	}
	if r != r || x < 0 && !math.IsInf(x, -1) && !whole {
		return math.Float64frombits(quietNaN64)
	}
	if odd && math.Signbit(x) {
		r = -r
	}
	return r
}

// PowBy returns a loop that computes dst[i] = src[i] to the power y of float32 by what takes less
// time than Pow and gives the same bytes, or nil if there is none. dst may be src.
//
// Pow rounds a float64 that is exact where float64 holds the power, as for 1 and 2, and else
// within an ulp. The middle m of two float32 numbers has 25 bits. Neither m² is an x of 24
// bits nor m·x a 1, and they miss by their last place at least, of 50 bits: roots and
// reciprocals are further than an ulp from m, and round as the float64 does. A maximum
// makes one NaN of all, and with 0 it makes 0 of -0.
func (t *Table) PowBy(y float64) Loop2 {
	const kind = dtype.KindFloat32
	multiply, greater, least, pow := t.Mul[kind], t.Max[kind], t.MinRows[kind], t.Pow[kind]
	sqrt, reciprocal := t.Activation("sqrt", kind), t.Activation("reciprocal", kind)
	switch y {
	case 1:
		return func(dst, src []byte) { greater(dst, src, src) }
	case -1:
		return inBlocks(func(dst, src, _ []byte) {
			reciprocal(dst, src)
			greater(dst, dst, dst)
		})
	case 2:
		return inBlocks(func(dst, src, _ []byte) {
			multiply(dst, src, src)
			greater(dst, dst, dst)
		})
	case 0.5:
		root := inBlocks(func(dst, src, buf []byte) {
			sqrt(dst, src)
			clear(buf)
			greater(dst, dst, buf)
		})
		powers := inBlocks(func(dst, src, buf []byte) {
			Fill(buf, Bytes([]float32{0.5}))
			pow(dst, src, buf)
		})
		return func(dst, src []byte) {
			const piece = 32 << 10 // bytes
			low := make([]float32, 1)
			for len(src) > 0 {
				n := min(piece, len(src))
				low[0] = float32(math.Inf(1))
				least(Bytes(low), src[:n])
				if low[0] > float32(math.Inf(-1)) {
					root(dst[:n], src[:n])
				} else { // the root of -Inf is NaN, its power isn't
					powers(dst[:n], src[:n])
				}
				dst, src = dst[n:], src[n:]
			}
		}
	}
	return nil
}

// inBlocks makes a loop of one over blocks that stay in the first-level cache, which is given as
// many bytes to work in.
func inBlocks(loop func(dst, src, buf []byte)) Loop2 {
	return func(dst, src []byte) {
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		for b := Bytes(buf[:]); len(src) > 0; {
			n := min(len(b), len(src))
			loop(dst[:n], src[:n], b[:n])
			dst, src = dst[n:], src[n:]
		}
	}
}

// thirdLo is 1/3 less the float64 nearest to it.
const thirdLo = 0x1.5555555555555p-56

// artanhSeries returns 1/5 + z/7 + z²/9 + ... + z^10/25 of z = s²: artanh(s) is s + s³/3 +
// s^5 of it. Even and odd powers are apart, since they can be computed at the same time.
// For z < 0.0295 what is left out is less than 1e-18.
func artanhSeries(z float64) float64 {
	q := float64(z * z)
	even := horner(q, 1./25, 1./21, 1./17, 1./13, 1./9, 1./5)
	odd := horner(q, 1./23, 1./19, 1./15, 1./11, 1./7)
	return math.FMA(odd, z, even)
}

// logParts returns the natural logarithm of x >= 0 as the sum of two numbers, of which
// the second is small. Their relative error is below 2^-64, so that of its product with
// a number, where an exponential takes it, is below 2^-54. It is computed as log is, with
// what each step rounds away carried along, but for the series beyond s³/3.
func logParts(x float64) (hi, lo float64) {
	const sqrtHalf = 0x3fe6a09e667f3bcd // its bits
	switch {
	case x == 0:
		return math.Inf(-1), 0
	case !(x < math.Inf(1)):
		return x, 0
	}
	k := 0.0
	if x < 0x1p-1022 {
		x *= 0x1p54
		k = -54
	}
	u := math.Float64bits(x) - sqrtHalf
	k += float64(int64(u) >> 52)
	m := math.Float64frombits(u&(1<<52-1) + sqrtHalf)

	f, d := m-1, m+1
	s := f / d
	sLo := float64(math.FMA(-s, m-(d-1), math.FMA(-s, d, f)) * (1 / d))
	z := float64(s * s)
	zLo := math.FMA(s+s, sLo, math.FMA(s, s, -z))
	q := artanhSeries(z)
	p := float64(z * q)
	pLo := math.FMA(zLo, q, math.FMA(z, q, -p))
	t := 1./3 + p
	tLo := 1./3 - t + p + (pLo + thirdLo)
	w := float64(z * t)
	wLo := math.FMA(z, tLo, math.FMA(zLo, t, math.FMA(z, t, -w)))
	v := float64(s * w)
	vLo := math.FMA(sLo, w, math.FMA(s, wLo, math.FMA(s, w, -v)))
	half := s + v
	halfLo := s - half + v + (vLo + sLo)

	whole := float64(k * ln2Hi)
	hi = whole + (half + half)
	lo = whole - hi + (half + half) + math.FMA(k, ln2Lo, halfLo+halfLo)
	return hi, lo
}

// expProduct returns x^y for x >= 0, but NaN where one of ln x and y is 0 and the other
// isn't finite.
func expProduct(y, x float64) float64 {
	const shift = 0x1.8p52 // adding it rounds to an integer
	hi, lo := logParts(x)
	exact := float64(y * hi)
	t := exact
	// Beyond, the result is 0 or infinite.
	if t > 710 {
		t = 710
	}
	if t < -746 {
		t = -746
	}
	tLo := 0.0
	if t == exact {
		tLo = math.FMA(y, lo, math.FMA(y, hi, -exact))
	}
	n := math.FMA(t, math.Log2E, shift) - shift
	r := math.FMA(-n, ln2Hi, t)
	rest := math.FMA(n, ln2Lo, -tLo)
	s := r - rest
	p := math.FMA(float64(s*s), expSeries(s), r-s-rest)
	e := 1 + s
	e += 1 - e + s + p
	if e != e {
		return e
	}
	k := int(n)
	return float64(e*pow2(k>>1)) * pow2(k-k>>1)
}
