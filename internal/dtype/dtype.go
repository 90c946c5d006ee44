package dtype

import (
	"fmt"
	"math"
	"strings"
)

// Kind enumerates the element types that have arithmetic, in NumPy's order,
// and Opaque for all others.
type Kind uint8

// The kinds. NumKinds counts them, Opaque included, so that tables indexed by
// Kind can be arrays.
const (
	KindOpaque Kind = iota
	KindBool
	KindInt8
	KindInt16
	KindInt32
	KindInt64
	KindUint8
	KindUint16
	KindUint32
	KindUint64
	KindFloat16
	KindBFloat16
	KindFloat32
	KindFloat64
	KindComplex64
	KindComplex128
	NumKinds
)

// Type is an element type: a kind with arithmetic, or a fixed-size opaque one
// (strings, dates, records) whose bytes are only ever moved. Types compare
// with ==.
type Type struct {
	kind Kind
	size int
	name string
}

// The element types, named as NumPy names them; BFloat16 as ml_dtypes does.
var (
	Bool       = Type{KindBool, 1, "bool"}
	Int8       = Type{KindInt8, 1, "int8"}
	Int16      = Type{KindInt16, 2, "int16"}
	Int32      = Type{KindInt32, 4, "int32"}
	Int64      = Type{KindInt64, 8, "int64"}
	Uint8      = Type{KindUint8, 1, "uint8"}
	Uint16     = Type{KindUint16, 2, "uint16"}
	Uint32     = Type{KindUint32, 4, "uint32"}
	Uint64     = Type{KindUint64, 8, "uint64"}
	Float16    = Type{KindFloat16, 2, "float16"}
	BFloat16   = Type{KindBFloat16, 2, "bfloat16"}
	Float32    = Type{KindFloat32, 4, "float32"}
	Float64    = Type{KindFloat64, 8, "float64"}
	Complex64  = Type{KindComplex64, 8, "complex64"}
	Complex128 = Type{KindComplex128, 16, "complex128"}
)

var all = [...]Type{
	Bool, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64,
	Float16, BFloat16, Float32, Float64, Complex64, Complex128,
}

// All returns the types that have arithmetic, in NumPy's order.
func All() []Type { return append([]Type(nil), all[:]...) }

// Opaque returns a type without arithmetic, of size bytes an element. Two
// opaque types are the same when name and size are.
func Opaque(name string, size int) Type { return Type{KindOpaque, size, name} }

// Kind returns the type's kind, for indexing tables of loops.
func (t Type) Kind() Kind { return t.kind }

// Size returns the bytes one element takes.
func (t Type) Size() int { return t.size }

// String returns NumPy's name of the type, or the name of an opaque one.
func (t Type) String() string { return t.name }

// IsOpaque reports whether elements can only be moved, not computed with.
func (t Type) IsOpaque() bool { return t.kind == KindOpaque }

// IsInteger reports whether t is a signed or unsigned integer (not bool).
func (t Type) IsInteger() bool { return t.kind >= KindInt8 && t.kind <= KindUint64 }

// IsUnsigned reports whether t is an unsigned integer.
func (t Type) IsUnsigned() bool { return t.kind >= KindUint8 && t.kind <= KindUint64 }

// IsFloat reports whether t is a real floating-point type.
func (t Type) IsFloat() bool { return t.kind >= KindFloat16 && t.kind <= KindFloat64 }

// IsComplex reports whether t is a complex type.
func (t Type) IsComplex() bool { return t.kind == KindComplex64 || t.kind == KindComplex128 }

// Compute returns the type arithmetic on t is carried out in: float32 for
// the two 16-bit floats, so that they are rounded once, at the end; t itself
// otherwise.
func (t Type) Compute() Type {
	if t.kind == KindFloat16 || t.kind == KindBFloat16 {
		return Float32
	}
	return t
}

// Inexact returns the type a real-valued function of t has in NumPy: float64
// for booleans and integers, t itself otherwise.
func (t Type) Inexact() Type {
	if t.kind == KindBool || t.IsInteger() {
		return Float64
	}
	return t
}

// Parse returns the type of that NumPy name. bf16, f16, f32, f64, half, float
// and double are taken as well.
func Parse(name string) (Type, error) {
	switch name {
	case "bf16":
		return BFloat16, nil
	case "f16", "half":
		return Float16, nil
	case "f32", "single":
		return Float32, nil
	case "f64", "float", "double":
		return Float64, nil
	}
	names := make([]string, len(all))
	for i, t := range all {
		if t.name == name {
			return t, nil
		}
		names[i] = t.name
	}
	return Type{}, fmt.Errorf("unknown dtype %q: want one of %s", name, strings.Join(names, ", "))
}

// ULP is the distance from x to the next number of t away from 0, for the real
// floating-point types.
func (t Type) ULP(x float64) float64 {
	precision, least := 52, -1074
	switch t {
	case Float32:
		precision, least = 23, -149
	case Float16:
		precision, least = 10, -24
	case BFloat16:
		precision, least = 7, -133
	}
	if x == 0 {
		return math.Ldexp(1, least)
	}
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e-1-precision, least))
}
