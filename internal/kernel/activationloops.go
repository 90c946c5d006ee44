package kernel

import (
	"math"
	"unsafe"

	"fusectl/internal/dtype"
)

// The loops for integers, of activations that give integers of them.

func integerClip() [dtype.NumKinds]loopOf {
	return integerLoops(
		clipInts[int8, int32](math.MinInt8, math.MaxInt8), clipInts[int16, int32](math.MinInt16, math.MaxInt16),
		clipInts[int32, int32](math.MinInt32, math.MaxInt32), clipInts[int64, int64](math.MinInt64, math.MaxInt64),
		clipInts[uint8, uint32](0, math.MaxUint8), clipInts[uint16, uint32](0, math.MaxUint16),
		clipInts[uint32, uint32](0, math.MaxUint32), clipInts[uint64, uint64](0, math.MaxUint64),
	)
}

func integerAbs() [dtype.NumKinds]loopOf {
	return integerLoops(fixed(absInts[int8]), fixed(absInts[int16]), fixed(absInts[int32]), fixed(absInts[int64]), fixed(move), fixed(move), fixed(move), fixed(move))
}

func integerNeg() [dtype.NumKinds]loopOf {
	return wrapping(fixed(negateInts[uint8]), fixed(negateInts[uint16]), fixed(negateInts[uint32]), fixed(negateInts[uint64]))
}

func integerSquare() [dtype.NumKinds]loopOf {
	return wrapping(fixed(squareInts[uint8]), fixed(squareInts[uint16]), fixed(squareInts[uint32]), fixed(squareInts[uint64]))
}

func integerSign() [dtype.NumKinds]loopOf {
	return integerLoops(
		fixed(signInts[int8]), fixed(signInts[int16]), fixed(signInts[int32]), fixed(signInts[int64]),
		fixed(signInts[uint8]), fixed(signInts[uint16]), fixed(signInts[uint32]), fixed(signInts[uint64]),
	)
}

func integerSame() [dtype.NumKinds]loopOf {
	return wrapping(fixed(move), fixed(move), fixed(move), fixed(move))
}

func integerLoops(i8, i16, i32, i64, u8, u16, u32, u64 loopOf) [dtype.NumKinds]loopOf {
	return [dtype.NumKinds]loopOf{
		dtype.KindInt8: i8, dtype.KindInt16: i16, dtype.KindInt32: i32, dtype.KindInt64: i64,
		dtype.KindUint8: u8, dtype.KindUint16: u16, dtype.KindUint32: u32, dtype.KindUint64: u64,
	}
}

// wrapping are loops that serve signed integers and unsigned ones.
func wrapping(u8, u16, u32, u64 loopOf) [dtype.NumKinds]loopOf {
	return integerLoops(u8, u16, u32, u64, u8, u16, u32, u64)
}

// fixed is a loop without constants.
func fixed(loop Loop2) loopOf { return func([]float64) Loop2 { return loop } }

// clipInts computes in W, which is as wide as T or wider: there are conditional moves
// for 32 and 64 bits only. Bounds beyond T's own, least and most, are these; there
// is no loop for bounds that aren't integers.
func clipInts[T, W integer](least, most W) loopOf {
	within := func(f float64) W {
		switch {
		case f <= float64(least):
			return least
		case f >= float64(most):
			return most
		}
		return W(f)
	}
	return func(c []float64) Loop2 {
		if c[0] != math.Trunc(c[0]) || c[1] != math.Trunc(c[1]) {
			return nil
		}
		lo, hi := within(c[0]), within(c[1])
		return func(dst, src []byte) {
			d, s := View[T](dst), View[T](src)
			d = d[:len(s)]
			for i, v := range s {
				d[i] = T(min(max(W(v), lo), hi))
			}
		}
	}
}

// absInts leaves the least integer, which has no opposite.
func absInts[T integer](dst, src []byte) {
	d, s := View[T](dst), View[T](src)
	d = d[:len(s)]
	for i, v := range s {
		minus := v >> (8*unsafe.Sizeof(v) - 1) // all bits of a negative number
		d[i] = (v ^ minus) - minus
	}
}

func negateInts[T integer](dst, src []byte) {
	d, s := View[T](dst), View[T](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = -v
	}
}

func squareInts[T integer](dst, src []byte) {
	d, s := View[T](dst), View[T](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = v * v
	}
}

func signInts[T integer](dst, src []byte) {
	d, s := View[T](dst), View[T](src)
	d = d[:len(s)]
	for i, v := range s {
		var one T
		if v > 0 {
			one = 1
		}
		if v < 0 {
			one--
		}
		d[i] = one
	}
}

// reluFloat compares floats and selects bits of the same width, which compiles
// to a conditional move: signs are random, and a branch on them is slow.
func reluFloat[F Float, U uint32 | uint64](dst, src []byte) {
	d, s, f := View[U](dst), View[U](src), View[F](src)
	d, f = d[:len(s)], f[:len(s)]
	for i, u := range s {
		if f[i] <= 0 {
			u = 0
		}
		d[i] = u
	}
}

func relu6Float[F Float, U uint32 | uint64](dst, src []byte) {
	d, s, f := View[U](dst), View[U](src), View[F](src)
	d, f = d[:len(s)], f[:len(s)]
	six := View[U](Bytes([]F{6}))[0]
	for i, u := range s {
		v := f[i]
		if v <= 0 {
			u = 0
		}
		if v > 6 {
			u = six
		}
		d[i] = u
	}
}

// leakyFloat takes the factor by the sign, without a branch.
func leakyFloat[F Float, U uint32 | uint64](c []float64) Loop2 {
	factors := [2]float64{1, c[0]}
	return func(dst, src []byte) {
		d, s, signs := View[F](dst), View[F](src), View[U](src)
		d, signs = d[:len(s)], signs[:len(s)]
		for i, v := range s {
			sign := signs[i] >> (8*unsafe.Sizeof(v) - 1)
			d[i] = F(float64(v) * factors[sign&1])
		}
	}
}
