package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

func (t *Table) fillConvert() {
	c := &t.Convert
	c[dtype.KindBool] = fromBool()
	c[dtype.KindInt8] = fromInt[int8]()
	c[dtype.KindInt16] = fromInt[int16]()
	c[dtype.KindInt32] = fromInt[int32]()
	c[dtype.KindInt64] = fromInt[int64]()
	c[dtype.KindUint8] = fromInt[uint8]()
	c[dtype.KindUint16] = fromInt[uint16]()
	c[dtype.KindUint32] = fromInt[uint32]()
	c[dtype.KindUint64] = fromInt[uint64]()
	c[dtype.KindFloat32] = fromFloat[float32]()
	c[dtype.KindFloat64] = fromFloat[float64]()

	c[dtype.KindFloat16][dtype.KindFloat32] = float16To32
	c[dtype.KindBFloat16][dtype.KindFloat32] = bfloat16To32
	c[dtype.KindFloat32][dtype.KindFloat16] = float32To16
	c[dtype.KindFloat32][dtype.KindBFloat16] = float32ToB16
	c[dtype.KindFloat64][dtype.KindFloat16] = float64To16
	c[dtype.KindFloat64][dtype.KindBFloat16] = float64ToB16

	c[dtype.KindComplex64][dtype.KindBool] = complexToBool[float32]
	c[dtype.KindComplex64][dtype.KindFloat32] = realPart[float32]
	c[dtype.KindFloat32][dtype.KindComplex64] = fromReal[float32]
	c[dtype.KindComplex64][dtype.KindComplex128] = cast[float64, float32]
	c[dtype.KindComplex128][dtype.KindBool] = complexToBool[float64]
	c[dtype.KindComplex128][dtype.KindFloat64] = realPart[float64]
	c[dtype.KindFloat64][dtype.KindComplex128] = fromReal[float64]
	c[dtype.KindComplex128][dtype.KindComplex64] = cast[float32, float64]

	for _, from := range dtype.All() {
		for _, to := range dtype.All() {
			loop := &c[from.Kind()][to.Kind()]
			switch {
			case from == to:
				*loop = move
			case *loop == nil:
				first, mid := t.firstStep(from, to)
				*loop = through(first, &c[mid.Kind()][to.Kind()], from.Size(), mid.Size(), to.Size())
			}
		}
	}
}

// firstStep returns how a pair without a loop of its own begins, and the type
// that takes it to, from where there is one or another step. No step but the
// last rounds.
func (t *Table) firstStep(from, to dtype.Type) (*Loop2, dtype.Type) {
	mid := dtype.Float64
	switch {
	case from == dtype.Float16 || from == dtype.BFloat16 || from == dtype.Complex64:
		mid = dtype.Float32
	case to == dtype.Complex64:
		mid = dtype.Float32 // the imaginary part is 0, so this rounds last
	case from == dtype.Complex128 || to == dtype.Complex128:
	case from == dtype.Int64: // to a 16-bit float
		loop := Loop2(toOdd[int64])
		return &loop, mid
	case from == dtype.Uint64:
		loop := Loop2(toOdd[uint64])
		return &loop, mid
	}
	return &t.Convert[from.Kind()][mid.Kind()], mid
}

func fromBool() [dtype.NumKinds]Loop2 {
	return [dtype.NumKinds]Loop2{
		dtype.KindInt8:    boolTo[uint8],
		dtype.KindInt16:   boolTo[uint16],
		dtype.KindInt32:   boolTo[uint32],
		dtype.KindInt64:   boolTo[uint64],
		dtype.KindUint8:   boolTo[uint8],
		dtype.KindUint16:  boolTo[uint16],
		dtype.KindUint32:  boolTo[uint32],
		dtype.KindUint64:  boolTo[uint64],
		dtype.KindFloat32: boolTo[float32],
		dtype.KindFloat64: boolTo[float64],
	}
}

func fromInt[S integer]() [dtype.NumKinds]Loop2 {
	return [dtype.NumKinds]Loop2{
		dtype.KindBool:    toBool[S],
		dtype.KindInt8:    cast[int8, S],
		dtype.KindInt16:   cast[int16, S],
		dtype.KindInt32:   cast[int32, S],
		dtype.KindInt64:   cast[int64, S],
		dtype.KindUint8:   cast[uint8, S],
		dtype.KindUint16:  cast[uint16, S],
		dtype.KindUint32:  cast[uint32, S],
		dtype.KindUint64:  cast[uint64, S],
		dtype.KindFloat32: cast[float32, S],
		dtype.KindFloat64: cast[float64, S],
	}
}

func fromFloat[S Float]() [dtype.NumKinds]Loop2 {
	return [dtype.NumKinds]Loop2{
		dtype.KindBool:    toBool[S],
		dtype.KindInt8:    truncate[int8, int64, S],
		dtype.KindInt16:   truncate[int16, int64, S],
		dtype.KindInt32:   truncate[int32, int64, S],
		dtype.KindInt64:   truncate[int64, int64, S],
		dtype.KindUint8:   truncate[uint8, int64, S],
		dtype.KindUint16:  truncate[uint16, int64, S],
		dtype.KindUint32:  truncate[uint32, int64, S],
		dtype.KindUint64:  truncate[uint64, uint64, S],
		dtype.KindFloat32: cast[float32, S],
		dtype.KindFloat64: cast[float64, S],
	}
}

func move(dst, src []byte) { copy(dst, src) }

// cast converts where Go's conversion is defined for all values: all but float
// to integer.
func cast[D, S integer | Float](dst, src []byte) {
	d, s := View[D](dst), View[S](src)
	for len(s) >= 4 && len(d) >= 4 {
		d[0] = D(s[0])
		d[1] = D(s[1])
		d[2] = D(s[2])
		d[3] = D(s[3])
		d, s = d[4:], s[4:]
	}
	d = d[:len(s)]
	for i, v := range s {
		d[i] = D(v)
	}
}

// truncate converts a float to an integer, with the ends of D for values
// beyond them and 0 for NaN. Go leaves those to the machine, so what W(f) is
// then isn't used. W is as wide as D or wider, and 64 bits make the selections
// conditional moves.
func truncate[D integer, W int64 | uint64, S Float](dst, src []byte) {
	d, s := View[D](dst), View[S](src)
	d = d[:len(s)]
	least, most := limits[D]()
	// Both are powers of two, or 0, and therefore exact.
	low, high := float64(least), 2*float64(most/2+1)
	for i, v := range s {
		f := float64(v)
		n := W(f)
		if f <= low {
			n = W(least)
		}
		if f >= high {
			n = W(most)
		}
		if f != f {
			n = 0
		}
		d[i] = D(n)
	}
}

func limits[D integer]() (least, most D) {
	most = ^D(0)
	if most < 0 { // signed
		least = D(1) << (8*unsafe.Sizeof(most) - 1)
		most = ^least
	}
	return least, most
}

// toOdd converts to float64. Where that may not be exact it goes to a multiple
// of 2048, and of the two around the number to the odd one. Rounding that to a
// float of 40 bits or fewer is as good as rounding the number itself (Boldo and
// Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms
// using rounding to odd", 2008).
func toOdd[S int64 | uint64](dst, src []byte) {
	d, s := View[float64](dst), View[S](src)
	d = d[:len(s)]
	for i, v := range s {
		if h := v >> 53; h != 0 && h != ^S(0) {
			v = v&^0x7ff | (v&0x7ff+0x7ff)&0x800
		}
		d[i] = float64(v)
	}
}

func toBool[S integer | Float](dst, src []byte) {
	d, s := View[bool](dst), View[S](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = v != 0
	}
}

func complexToBool[F Float](dst, src []byte) {
	d, s := View[bool](dst), View[[2]F](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = v[0] != 0 || v[1] != 0
	}
}

func boolTo[D integer | Float](dst, src []byte) {
	d := View[D](dst)[:len(src)]
	for i, v := range src {
		d[i] = D(min(v, 1))
	}
}

func realPart[F Float](dst, src []byte) {
	d, s := View[F](dst), View[[2]F](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = v[0]
	}
}

func fromReal[F Float](dst, src []byte) {
	d, s := View[[2]F](dst), View[F](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = [2]F{v, 0}
	}
}
