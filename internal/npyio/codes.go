package npyio

import (
	"strings"

	"fusectl/internal/dtype"
)

// literalOf is the Python literal of a type in a header. Only the code of a
// record type is one already.
func literalOf(t dtype.Type) string {
	code := t.Code()
	if strings.HasPrefix(code, "[") {
		return code
	}
	return pyString(code)
}

// typeNamed is the type with one of the names that NumPy has for it. Where
// the width of one depends on the machine, it is that of 64-bit Unix.
func typeNamed(name string) (dtype.Type, bool) {
	switch name {
	case "bool", "bool_", "bool8":
		return dtype.Bool, true
	case "byte":
		return dtype.Int8, true
	case "short":
		return dtype.Int16, true
	case "intc":
		return dtype.Int32, true
	case "int", "int_", "long", "longlong", "intp", "int0":
		return dtype.Int64, true
	case "ubyte":
		return dtype.Uint8, true
	case "ushort":
		return dtype.Uint16, true
	case "uintc":
		return dtype.Uint32, true
	case "uint", "ulong", "ulonglong", "uintp", "uint0":
		return dtype.Uint64, true
	case "half":
		return dtype.Float16, true
	case "single":
		return dtype.Float32, true
	case "double", "float", "float_":
		return dtype.Float64, true
	case "csingle", "singlecomplex":
		return dtype.Complex64, true
	case "cdouble", "cfloat", "complex", "complex_":
		return dtype.Complex128, true
	}
	for _, t := range dtype.All() {
		if t != dtype.BFloat16 && t.String() == name {
			return t, true
		}
	}
	return dtype.Type{}, false
}

// typeCoded is the type with that code, byte order apart.
func typeCoded(code string) (dtype.Type, bool) {
	switch code {
	case "b1", "?":
		return dtype.Bool, true
	case "i1", "b":
		return dtype.Int8, true
	case "i2", "h":
		return dtype.Int16, true
	case "i4", "i":
		return dtype.Int32, true
	case "i8", "l", "q", "p":
		return dtype.Int64, true
	case "u1", "B":
		return dtype.Uint8, true
	case "u2", "H":
		return dtype.Uint16, true
	case "u4", "I":
		return dtype.Uint32, true
	case "u8", "L", "Q", "P":
		return dtype.Uint64, true
	case "f2", "e":
		return dtype.Float16, true
	case "f4", "f":
		return dtype.Float32, true
	case "f8", "d":
		return dtype.Float64, true
	case "c8", "F":
		return dtype.Complex64, true
	case "c16", "D":
		return dtype.Complex128, true
	}
	return dtype.Type{}, false
}
