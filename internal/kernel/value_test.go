package kernel

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"sync"

	"github.com/x448/float16"

	"fusectl/internal/dtype"
)

// number is the exact value of an element, for references: a real number of
// any size, or special, an infinity or NaN.
type number struct {
	f       *big.Float // nil: special
	special float64
}

// value is one element, im being 0 in the real kinds.
type value struct{ re, im number }

// exact is a precision in which sums and products of two float64s don't round.
const exact = 4400

func fromFloat64(f float64) number {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return number{special: f}
	}
	return number{f: new(big.Float).SetPrec(exact).SetFloat64(f)}
}

func fromBigInt(i *big.Int) number { return number{f: new(big.Float).SetPrec(exact).SetInt(i)} }

// rough is the number as a float64 that has its sign and its being zero,
// infinite or NaN: all that matters beside a special operand.
func (a number) rough() float64 {
	if a.f == nil {
		return a.special
	}
	one := 1.0
	if a.f.Sign() == 0 {
		one = 0
	}
	if a.f.Signbit() {
		one = -one
	}
	return one
}

func (a number) isNaN() bool { return a.f == nil && math.IsNaN(a.special) }

func (a number) add(b number) number {
	if a.f == nil || b.f == nil {
		return fromFloat64(a.rough() + b.rough())
	}
	return number{f: new(big.Float).SetPrec(exact).Add(a.f, b.f)}
}

func (a number) mul(b number) number {
	if a.f == nil || b.f == nil {
		return fromFloat64(a.rough() * b.rough())
	}
	return number{f: new(big.Float).SetPrec(exact).Mul(a.f, b.f)}
}

// quo is rounded, to so many bits that another rounding does no harm.
func (a number) quo(b number) number {
	if a.f == nil || b.f == nil || b.f.Sign() == 0 {
		return fromFloat64(a.rough() / b.rough())
	}
	return number{f: new(big.Float).SetPrec(exact).Quo(a.f, b.f)}
}

// magnitude is |a|; that of a NaN is one.
func (a number) magnitude() number {
	if a.f == nil {
		return number{special: math.Abs(a.special)}
	}
	return number{f: new(big.Float).Abs(a.f)}
}

func (a number) neg() number {
	if a.f == nil {
		return number{special: -a.special}
	}
	return number{f: new(big.Float).Neg(a.f)}
}

// cmp compares numbers that aren't NaN; -0 equals +0.
func (a number) cmp(b number) int {
	if a.f != nil && b.f != nil {
		return a.f.Cmp(b.f)
	}
	x, y := a.rough(), b.rough()
	if a.f != nil {
		x = 0
	}
	if b.f != nil {
		y = 0
	}
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// zero is +0. Numbers are never written to, so that all may share it.
var zero = fromFloat64(0)

// load reads element i.
func load(t dtype.Type, b []byte, i int) value {
	b = b[i*t.Size():]
	bits := func() uint64 {
		var w [8]byte
		copy(w[:], b[:min(8, t.Size())])
		return binary.LittleEndian.Uint64(w[:])
	}
	switch t {
	case dtype.Float16:
		return value{float16s()[bits()], zero}
	case dtype.BFloat16:
		return value{bfloat16s()[bits()], zero}
	case dtype.Float32:
		return value{fromFloat64(float64(math.Float32frombits(uint32(bits())))), zero}
	case dtype.Float64:
		return value{fromFloat64(math.Float64frombits(bits())), zero}
	case dtype.Complex64:
		return value{load(dtype.Float32, b, 0).re, load(dtype.Float32, b, 1).re}
	case dtype.Complex128:
		return value{load(dtype.Float64, b, 0).re, load(dtype.Float64, b, 1).re}
	}
	n := new(big.Int).SetUint64(bits())
	if width := uint(8 * t.Size()); t.IsInteger() && !t.IsUnsigned() && n.Bit(int(width)-1) == 1 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), width))
	}
	return value{fromBigInt(n), zero}
}

// store rounds v to t and writes it to element i. Integers that don't fit
// wrap; special ones must have been dealt with.
func store(t dtype.Type, b []byte, i int, v value) {
	b = b[i*t.Size():]
	switch t {
	case dtype.Float16, dtype.BFloat16:
		binary.LittleEndian.PutUint16(b, roundTo16(t, v.re))
	case dtype.Float32:
		f := float32(v.re.special)
		if v.re.f != nil {
			f, _ = v.re.f.Float32()
		}
		binary.LittleEndian.PutUint32(b, math.Float32bits(f))
	case dtype.Float64:
		f := v.re.special
		if v.re.f != nil {
			f, _ = v.re.f.Float64()
		}
		binary.LittleEndian.PutUint64(b, math.Float64bits(f))
	case dtype.Complex64, dtype.Complex128:
		part := dtype.Float32
		if t == dtype.Complex128 {
			part = dtype.Float64
		}
		store(part, b, 0, value{re: v.re})
		store(part, b, 1, value{re: v.im})
	default:
		n, _ := v.re.f.Int(nil)
		n.And(n, new(big.Int).SetUint64(math.MaxUint64>>(64-8*t.Size())))
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], n.Uint64())
		copy(b[:t.Size()], w[:])
	}
}

// float16s and bfloat16s are the values of 16 bits, at those.
var (
	float16s  = sync.OnceValue(func() []number { return values16(func(h uint16) float32 { return float16.Frombits(h).Float32() }) })
	bfloat16s = sync.OnceValue(func() []number {
		return values16(func(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) })
	})
)

func values16(of func(bits uint16) float32) []number {
	all := make([]number, 1<<16)
	for h := range all {
		all[h] = fromFloat64(float64(of(uint16(h))))
	}
	return all
}

// roundTo16 searches the values of a 16-bit float, which rise with their bits,
// for the nearest one, of two for the one whose last bit is 0.
func roundTo16(t dtype.Type, a number) uint16 {
	all, inf, limit := float16s(), uint16(0x7c00), 0x1p16
	if t == dtype.BFloat16 {
		all, inf, limit = bfloat16s(), 0x7f80, 0x1p128
	}
	if a.isNaN() {
		return inf | inf>>1
	}
	sign := uint16(0)
	if a.f == nil && a.special < 0 || a.f != nil && a.f.Signbit() {
		sign = 0x8000
		a = a.neg()
	}
	if a.f == nil {
		return sign | inf
	}
	at := func(h uint16) *big.Float {
		if h == inf {
			return fromFloat64(limit).f // what infinity stands for in rounding
		}
		return all[h].f
	}
	lo, hi := uint16(0), inf // at(lo) <= a, or hi is nearest
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; at(mid).Cmp(a.f) <= 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	below := new(big.Float).SetPrec(exact).Sub(a.f, at(lo))
	above := new(big.Float).SetPrec(exact).Sub(at(hi), a.f)
	if c := below.Cmp(above); c > 0 || c == 0 && hi&1 == 0 {
		lo = hi
	}
	return sign | lo
}

// floatPool is elements of a float type: awkward ones, and normal ones with a
// deviation of 3.
type floatPool struct{ special, normal [][]byte }

// floatPools makes the pools once: rounding to a type by big numbers takes long.
var floatPools = sync.OnceValue(func() map[dtype.Type]floatPool {
	specials := []float64{
		0, math.Copysign(0, -1), 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), 0.5, -0.5, 2.5, 6, 7,
		127.9, 128, -128.5, -129, 255.5, 32767.5, 65519.99, 65520, -65520, 1 << 31, -1<<31 - 1, 1 << 32,
		1 << 63, -1 << 63, 1 << 64, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1.004p0, 0x1.00400000001p0, 0x1.01p0,
		0x1.0100000000001p0, 0x1p-133, 0x1p-134, 0x1.8p-134, 0x1p-149, 0x1p-150, math.MaxFloat32,
		math.SmallestNonzeroFloat64, math.MaxFloat64, 0x1.fffffefffffffp127, 0x1.ffp127,
	}
	rng := rand.New(rand.NewPCG(11, 12))
	pools := map[dtype.Type]floatPool{}
	for _, t := range []dtype.Type{dtype.Float16, dtype.BFloat16, dtype.Float32, dtype.Float64} {
		stored := func(v float64) []byte {
			e := make([]byte, t.Size())
			store(t, e, 0, value{re: fromFloat64(v)})
			return e
		}
		var p floatPool
		for _, v := range specials {
			p.special = append(p.special, stored(v))
		}
		for range 2000 {
			p.normal = append(p.normal, stored(3*rng.NormFloat64()))
		}
		pools[t] = p
	}
	return pools
})

// sample returns n elements of type t: the awkward values of the type, in
// random order and combination, and random ones of all magnitudes.
func sample(rng *rand.Rand, t dtype.Type, n int) []byte {
	b := Alloc(n * t.Size())
	part, parts := t, 1
	if t.IsComplex() {
		part, parts = dtype.Float32, 2
		if t == dtype.Complex128 {
			part = dtype.Float64
		}
	}
	var p floatPool
	if part.IsFloat() {
		p = floatPools()[part]
	}
	for i := range n * parts {
		e := b[i*part.Size() : (i+1)*part.Size()]
		switch {
		case t == dtype.Bool:
			e[0] = byte(rng.IntN(2))
		case part.IsFloat() && rng.IntN(2) == 0:
			copy(e, p.special[rng.IntN(len(p.special))])
		case part.IsFloat() && rng.IntN(2) == 0:
			copy(e, p.normal[rng.IntN(len(p.normal))])
		default: // random bits, a random number of them
			var w [8]byte
			bits := rng.Uint64()
			if !part.IsFloat() {
				bits = uint64(int64(bits) >> rng.IntN(64))
			}
			binary.LittleEndian.PutUint64(w[:], bits)
			copy(e, w[:])
		}
	}
	return b
}
