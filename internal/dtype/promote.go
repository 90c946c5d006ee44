package dtype

// Promote returns the type that holds both a and b, as numpy.promote_types of
// NumPy 2 does (NEP 50: every array counts with its dtype). bfloat16, which
// NumPy lacks, takes float16's place in the table, and the two together give
// float32, as in JAX. Opaque types promote among their kind, to the byte order of
// this machine: texts to the longest, with bytes to text; dates to the common unit,
// and so durations; records, whose fields must have the same names, field by field,
// without padding. Where there is none, an error says why; unlike NumPy's,
// numbers don't become text.
func Promote(a, b Type) (Type, error) {
	if a.IsOpaque() || b.IsOpaque() {
		return promoteOpaque(a, b)
	}
	return promoteNumbers(a, b), nil
}

func promoteNumbers(a, b Type) Type {
	if a == b {
		return a
	}
	if a.kind > b.kind {
		a, b = b, a // only the order bool < signed < unsigned < float < complex is left
	}
	switch {
	case a.kind == KindBool:
		return b
	case b.IsComplex():
		if a == Complex64 || realBits(a) <= 24 {
			return b
		}
		return Complex128
	case b.IsFloat() && a.IsFloat():
		if a == Float16 && b == BFloat16 {
			return Float32
		}
		return b
	case b.IsFloat():
		return promoteIntFloat(a, b)
	case a.IsUnsigned() == b.IsUnsigned():
		return b // the kinds of one signedness stand in order of size
	default: // a signed, b unsigned
		return promoteSigned(a, b)
	}
}

// realBits is the width of integer that t represents exactly.
func realBits(t Type) int {
	switch {
	case t.IsInteger():
		if t.size <= 2 {
			return 8 * t.size
		}
		return 53
	case t == Float64:
		return 53
	default:
		return 24
	}
}

func promoteIntFloat(i, f Type) Type {
	switch {
	case i.size == 1:
		return f
	case i.size == 2 && f != Float64:
		return Float32
	default:
		return Float64
	}
}

func promoteSigned(signed, unsigned Type) Type {
	switch {
	case unsigned.size < signed.size:
		return signed
	case unsigned.size == 1:
		return Int16
	case unsigned.size == 2:
		return Int32
	case unsigned.size == 4:
		return Int64
	default:
		return Float64
	}
}

// Result returns the type that holds all of types, as numpy.result_type does:
// the types of the highest kind (complex, then float, then the rest) are
// promoted first, so that int16, uint16 and float32 give float32 in any order.
// odd is -1, or the index of a type that has none in common with those before it, and
// err says why.
func Result(types []Type) (t Type, odd int, err error) {
	if t = types[0]; t.IsOpaque() {
		t = t.native()
	}
	for _, x := range types {
		if rank(x) > rank(t) && !t.IsOpaque() {
			t = x
		}
	}
	for i, x := range types {
		if t, err = Promote(t, x); err != nil {
			return Type{}, i, err
		}
	}
	return t, -1, nil
}

func rank(t Type) int {
	switch {
	case t.IsComplex():
		return 2
	case t.IsFloat():
		return 1
	}
	return 0
}
