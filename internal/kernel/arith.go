package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

// The NaNs that a maximum and a minimum give.
const (
	quietNaN32 uint32 = 0x7fc00000
	quietNaN64 uint64 = 0x7ff8000000000000
)

func (t *Table) fillArith() {
	t.Add = [dtype.NumKinds]Loop3{
		dtype.KindBool:       or,
		dtype.KindInt8:       add[uint8],
		dtype.KindInt16:      add[uint16],
		dtype.KindInt32:      add[uint32],
		dtype.KindInt64:      add[uint64],
		dtype.KindUint8:      add[uint8],
		dtype.KindUint16:     add[uint16],
		dtype.KindUint32:     add[uint32],
		dtype.KindUint64:     add[uint64],
		dtype.KindFloat32:    add[float32],
		dtype.KindFloat64:    add[float64],
		dtype.KindComplex64:  add[float32],
		dtype.KindComplex128: add[float64],
	}
	t.Sub = [dtype.NumKinds]Loop3{
		dtype.KindInt8:       sub[uint8],
		dtype.KindInt16:      sub[uint16],
		dtype.KindInt32:      sub[uint32],
		dtype.KindInt64:      sub[uint64],
		dtype.KindUint8:      sub[uint8],
		dtype.KindUint16:     sub[uint16],
		dtype.KindUint32:     sub[uint32],
		dtype.KindUint64:     sub[uint64],
		dtype.KindFloat32:    sub[float32],
		dtype.KindFloat64:    sub[float64],
		dtype.KindComplex64:  sub[float32],
		dtype.KindComplex128: sub[float64],
	}
	t.Mul = [dtype.NumKinds]Loop3{
		dtype.KindBool:       and,
		dtype.KindInt8:       mul[uint8],
		dtype.KindInt16:      mul[uint16],
		dtype.KindInt32:      mul[uint32],
		dtype.KindInt64:      mul[uint64],
		dtype.KindUint8:      mul[uint8],
		dtype.KindUint16:     mul[uint16],
		dtype.KindUint32:     mul[uint32],
		dtype.KindUint64:     mul[uint64],
		dtype.KindFloat32:    mul[float32],
		dtype.KindFloat64:    mul[float64],
		dtype.KindComplex64:  mulComplex[float32],
		dtype.KindComplex128: mulComplex[float64],
	}
	t.Div = [dtype.NumKinds]Loop3{
		dtype.KindFloat32:    div[float32],
		dtype.KindFloat64:    div[float64],
		dtype.KindComplex64:  divComplex[float32],
		dtype.KindComplex128: divComplex[float64],
	}
	t.MulAdd = [dtype.NumKinds]func(c, a, b []byte, k, cols int){
		dtype.KindInt8:   mulAdd[uint8],
		dtype.KindInt16:  mulAdd[uint16],
		dtype.KindInt32:  mulAdd[uint32],
		dtype.KindInt64:  mulAdd[uint64],
		dtype.KindUint8:  mulAdd[uint8],
		dtype.KindUint16: mulAdd[uint16],
		dtype.KindUint32: mulAdd[uint32],
		dtype.KindUint64: mulAdd[uint64],
	}
	t.Max = [dtype.NumKinds]Loop3{
		dtype.KindBool:       or,
		dtype.KindInt8:       maxInt[int8, int32],
		dtype.KindInt16:      maxInt[int16, int32],
		dtype.KindInt32:      maxInt[int32, int32],
		dtype.KindInt64:      maxInt[int64, int64],
		dtype.KindUint8:      maxInt[uint8, uint32],
		dtype.KindUint16:     maxInt[uint16, uint32],
		dtype.KindUint32:     maxInt[uint32, uint32],
		dtype.KindUint64:     maxInt[uint64, uint64],
		dtype.KindFloat16:    func(dst, a, b []byte) { maxHalf(dst, a, b, float16Order) },
		dtype.KindBFloat16:   func(dst, a, b []byte) { maxHalf(dst, a, b, bfloat16Order) },
		dtype.KindFloat32:    func(dst, a, b []byte) { maxFloat[float32](dst, a, b, quietNaN32) },
		dtype.KindFloat64:    func(dst, a, b []byte) { maxFloat[float64](dst, a, b, quietNaN64) },
		dtype.KindComplex64:  maxComplex[float32],
		dtype.KindComplex128: maxComplex[float64],
	}
	t.Min = [dtype.NumKinds]Loop3{
		dtype.KindBool:     and,
		dtype.KindInt8:     minInt[int8, int32],
		dtype.KindInt16:    minInt[int16, int32],
		dtype.KindInt32:    minInt[int32, int32],
		dtype.KindInt64:    minInt[int64, int64],
		dtype.KindUint8:    minInt[uint8, uint32],
		dtype.KindUint16:   minInt[uint16, uint32],
		dtype.KindUint32:   minInt[uint32, uint32],
		dtype.KindUint64:   minInt[uint64, uint64],
		dtype.KindFloat16:  func(dst, a, b []byte) { minHalf(dst, a, b, float16Order) },
		dtype.KindBFloat16: func(dst, a, b []byte) { minHalf(dst, a, b, bfloat16Order) },
		dtype.KindFloat32:  func(dst, a, b []byte) { minFloat[float32](dst, a, b, quietNaN32) },
		dtype.KindFloat64:  func(dst, a, b []byte) { minFloat[float64](dst, a, b, quietNaN64) },
	}
	t.AddScaled[dtype.KindFloat32], t.AddScaled[dtype.KindFloat64] = addScaled[float32], addScaled[float64]
	t.Prelu[dtype.KindFloat32], t.Prelu[dtype.KindFloat64] = prelu[float32], prelu[float64]
	t.Scale[dtype.KindFloat32], t.Scale[dtype.KindFloat64] = scale[float32], scale[float64]
	t.DivideBy[dtype.KindFloat32], t.DivideBy[dtype.KindFloat64] = divideBy[float32], divideBy[float64]
}

func addScaled[T Float](acc []float64, x []byte, by float64) {
	v := View[T](x)[:len(acc)]
	for i := range acc {
		acc[i] += float64(float64(v[i]) * by)
	}
}

func prelu[T Float](dst, a, b []byte) {
	d, x, y := View[T](dst), View[T](a), View[T](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		v := x[i]
		if !(v > 0) {
			v *= y[i]
		}
		d[i] = v
	}
}

func scale[T Float](x []byte, by float64) {
	v, f := View[T](x), T(by)
	for i := range v {
		v[i] *= f
	}
}

func divideBy[T Float](dst, src []byte, by float64) {
	d, s, f := View[T](dst), View[T](src), T(by)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = v / f
	}
}

// add computes dst[i] = a[i] + b[i]. Unsigned types serve the signed ones too.
func add[T integer | Float](dst, a, b []byte) {
	d, x, y := View[T](dst), View[T](a), View[T](b)
	for len(d) >= 8 && len(x) >= 8 && len(y) >= 8 {
		d[0] = x[0] + y[0]
		d[1] = x[1] + y[1]
		d[2] = x[2] + y[2]
		d[3] = x[3] + y[3]
		d[4] = x[4] + y[4]
		d[5] = x[5] + y[5]
		d[6] = x[6] + y[6]
		d[7] = x[7] + y[7]
		d, x, y = d[8:], x[8:], y[8:]
	}
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		d[i] = x[i] + y[i]
	}
}

// sub computes dst[i] = a[i] - b[i]. Unsigned types serve the signed ones too.
func sub[T integer | Float](dst, a, b []byte) {
	d, x, y := View[T](dst), View[T](a), View[T](b)
	for len(d) >= 8 && len(x) >= 8 && len(y) >= 8 {
		d[0] = x[0] - y[0]
		d[1] = x[1] - y[1]
		d[2] = x[2] - y[2]
		d[3] = x[3] - y[3]
		d[4] = x[4] - y[4]
		d[5] = x[5] - y[5]
		d[6] = x[6] - y[6]
		d[7] = x[7] - y[7]
		d, x, y = d[8:], x[8:], y[8:]
	}
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		d[i] = x[i] - y[i]
	}
}

// div computes dst[i] = a[i] / b[i]: a division takes longer than the loop around it.
func div[T Float](dst, a, b []byte) {
	d, x, y := View[T](dst), View[T](a), View[T](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		d[i] = x[i] / y[i]
	}
}

// mul computes dst[i] = a[i] * b[i]. Unsigned types serve the signed ones too.
func mul[T integer | Float](dst, a, b []byte) {
	d, x, y := View[T](dst), View[T](a), View[T](b)
	for len(d) >= 8 && len(x) >= 8 && len(y) >= 8 {
		d[0] = x[0] * y[0]
		d[1] = x[1] * y[1]
		d[2] = x[2] * y[2]
		d[3] = x[3] * y[3]
		d[4] = x[4] * y[4]
		d[5] = x[5] * y[5]
		d[6] = x[6] * y[6]
		d[7] = x[7] * y[7]
		d, x, y = d[8:], x[8:], y[8:]
	}
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		d[i] = x[i] * y[i]
	}
}

// mulAdd computes c += a·b. Unsigned types serve the signed ones too. A block of b
// that stays in the first-level cache serves all rows; two of its rows are added at
// a time.
func mulAdd[T integer](c, a, b []byte, k, cols int) {
	const deep, wide = 16, 256
	z, x, y := View[T](c), View[T](a), View[T](b)
	for k0 := 0; k0 < k; k0 += deep {
		end := min(k0+deep, k)
		for j := 0; j < cols; j += wide {
			n := min(wide, cols-j)
			for i := 0; i*cols < len(z); i++ {
				sum := z[i*cols+j:][:n]
				p := k0
				for ; p+1 < end; p += 2 {
					v, w := x[i*k+p], x[i*k+p+1]
					first, second := y[p*cols+j:][:n], y[(p+1)*cols+j:][:n]
					for at := range sum {
						sum[at] += v*first[at] + w*second[at]
					}
				}
				if p < end {
					v, last := x[i*k+p], y[p*cols+j:][:n]
					for at := range sum {
						sum[at] += v * last[at]
					}
				}
			}
		}
	}
}

// mulComplex multiplies pairs of (real, imaginary) parts as
// (ac-bd, ad+bc), with each product rounded to F.
func mulComplex[F Float](dst, a, b []byte) {
	d, x, y := View[[2]F](dst), View[[2]F](a), View[[2]F](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		re := F(x[i][0]*y[i][0]) - F(x[i][1]*y[i][1])
		im := F(x[i][0]*y[i][1]) + F(x[i][1]*y[i][0])
		d[i] = [2]F{re, im}
	}
}

// divComplex divides pairs of (real, imaginary) parts (Smith, "Algorithm 116:
// Complex division", 1962).
func divComplex[F Float](dst, a, b []byte) {
	d, x, y := View[[2]F](dst), View[[2]F](a), View[[2]F](b)
	x, y = x[:len(d)], y[:len(d)]
	for i := range d {
		re, im, c, s := x[i][0], x[i][1], y[i][0], y[i][1]
		switch absC, absS := abs(c), abs(s); {
		case absC == 0 && absS == 0:
			d[i] = [2]F{re / absC, im / absC}
		case absC >= absS:
			ratio := s / c
			scale := 1 / (c + F(s*ratio))
			d[i] = [2]F{(re + F(im*ratio)) * scale, (im - F(re*ratio)) * scale}
		default:
			ratio := c / s
			scale := 1 / (s + F(c*ratio))
			d[i] = [2]F{(F(re*ratio) + im) * scale, (F(im*ratio) - re) * scale}
		}
	}
}

func abs[F Float](x F) F { return F(math.Abs(float64(x))) }

// or computes dst[i] = a[i] | b[i], eight bytes at a time.
func or(dst, a, b []byte) {
	for len(dst) >= 8 && len(a) >= 8 && len(b) >= 8 {
		le.PutUint64(dst, le.Uint64(a)|le.Uint64(b))
		dst, a, b = dst[8:], a[8:], b[8:]
	}
	for i := range dst {
		dst[i] = a[i] | b[i]
	}
}

// and computes dst[i] = a[i] & b[i], eight bytes at a time.
func and(dst, a, b []byte) {
	for len(dst) >= 8 && len(a) >= 8 && len(b) >= 8 {
		le.PutUint64(dst, le.Uint64(a)&le.Uint64(b))
		dst, a, b = dst[8:], a[8:], b[8:]
	}
	for i := range dst {
		dst[i] = a[i] & b[i]
	}
}
