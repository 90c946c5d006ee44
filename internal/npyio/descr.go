package npyio

import (
	"math"
	"strconv"
	"strings"

	"fusectl/internal/dtype"
)

// descr is an element type as a header describes it.
type descr struct {
	code string // the Python literal that NumPy writes for it
	typ  dtype.Type
	big  bool // elements with arithmetic are stored big-endian
}

// parseDescr reads the value that a header has under 'descr'.
func parseDescr(v any) (descr, error) {
	switch v := v.(type) {
	case string:
		if strings.ContainsRune(v, ',') || strings.IndexAny(v, "(0123456789") == 0 {
			return parseCommas(v)
		}
		return parseCode(v)
	case tuple:
		if len(v) != 2 {
			return descr{}, malformed("descr has a tuple of %d values: want an element type and a shape", len(v))
		}
		elem, err := parseDescr(v[0])
		if err != nil {
			return descr{}, err
		}
		return subArray(elem, v[1])
	case list:
		return parseFields(v)
	}
	return descr{}, malformed("descr is not a dtype: want a string or a list of fields")
}

// parseCode reads the spelling of one element type: <f4, =f4, |f4, f, float32.
func parseCode(s string) (descr, error) {
	if t, ok := typeNamed(s); ok {
		return plain(t, false), nil
	}
	order, code := byte('='), s
	if s != "" && strings.IndexByte("<>=|", s[0]) >= 0 {
		order, code = s[0], s[1:]
	}
	if t, ok := typeCoded(code); ok {
		return plain(t, order == '>'), nil
	}
	if code == dtype.BFloat16.String() && order != '>' { // as some write it who have ml_dtypes; np.save writes <V2
		return descr{code: pyString("|V2"), typ: dtype.BFloat16}, nil // raw data, as a field
	}
	if name, ok := tinyType(code); ok {
		return descr{}, malformed("dtype %s is %s of ml_dtypes, of whose types fusectl reads bfloat16 alone", quoted(s), name).hint(
			"cast it in Python before it is saved: np.save(OUT, x.astype('float32'))")
	}
	switch code {
	case "O", "O4", "O8", "object", "object_", "object0":
		return descr{}, malformed("holds Python objects, which are pickled: fusectl never runs pickles").hint(
			"if you trust the file, save its numbers in Python: np.load(FILE, allow_pickle=True), and np.save or np.savez of what in it can be an array of numbers")
	case "f16", "c32", "f12", "c24", "g", "G", "longdouble", "clongdouble", "longfloat", "longcomplex", "float128", "complex256", "float96", "complex192":
		return descr{}, malformed("dtype %s is long double, whose format differs between machines", quoted(s)).hint(
			"re-save it in Python as float64 or complex128: np.save(OUT, np.load(FILE).astype(np.float64))")
	case "c": // a single character, which NumPy writes so
		return opaque(dtype.BytesOf(1)), nil
	}
	if d, ok := parseTime(order, code); ok {
		return d, nil
	}
	if d, ok := parseSized(order, code); ok {
		return d, nil
	}
	return descr{}, malformed("unknown dtype %s", quoted(s))
}

// tinyType is the name of a type of ml_dtypes, by that or by the code that np.save
// writes for the one of them that it doesn't save as raw data.
func tinyType(code string) (name string, ok bool) {
	switch code {
	case "f1":
		return "float8_e5m2", true
	case "float8_e3m4", "float8_e4m3", "float8_e4m3b11", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
		"float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn", "int1", "int2", "int4", "uint1", "uint2", "uint4":
		return code, true
	}
	return "", false
}

// plain is the descr of a type that has arithmetic.
func plain(t dtype.Type, big bool) descr {
	d := descr{code: pyString(t.Code()), typ: t, big: big && t.Size() > 1}
	if d.big {
		d.code = strings.Replace(d.code, "<", ">", 1)
	}
	return d
}

// opaque is the descr of a type without arithmetic, which has its byte order in itself.
func opaque(t dtype.Type) descr { return descr{code: literalOf(t), typ: t} }

// parseTime reads dates and durations: M8, m8[ns], datetime64[25s].
func parseTime(order byte, code string) (descr, bool) {
	base, unit := code, ""
	if i := strings.IndexByte(code, '['); i >= 0 {
		base, unit = code[:i], code[i:]
	}
	u, ok := timeUnit(unit)
	switch {
	case base == "M8", base == "datetime64", code == "M":
		return opaque(dtype.DateOf(u, order == '>')), ok
	case base == "m8", base == "timedelta64", code == "m":
		return opaque(dtype.DurationOf(u, order == '>')), ok
	}
	return descr{}, false
}

// timeUnit reads a unit: [ns], [25s]; nothing and [generic] are the generic one.
func timeUnit(unit string) (dtype.Unit, bool) {
	if unit == "" {
		return dtype.Unit{}, true
	}
	unit, ok := strings.CutSuffix(unit[1:], "]")
	name := strings.TrimLeft(unit, "0123456789")
	count := int64(1)
	if unit != name {
		var err error
		if count, err = strconv.ParseInt(unit[:len(unit)-len(name)], 10, 32); err != nil {
			return dtype.Unit{}, false
		}
	}
	if name == "generic" {
		return dtype.Unit{}, ok
	}
	u, known := dtype.UnitOf(count, name)
	return u, ok && known
}

// parseSized reads bytes, text and raw data: S5, U3, V8.
func parseSized(order byte, code string) (descr, bool) {
	if code == "" {
		return descr{}, false
	}
	kind, width := code[:1], 1
	if kind == "U" {
		width = 4
	}
	n, err := strconv.Atoi("0" + code[1:])
	if err != nil || n > math.MaxInt32/width {
		return descr{}, false
	}
	switch kind {
	case "S", "a":
		return opaque(dtype.BytesOf(n)), true
	case "V":
		return opaque(dtype.RawOf(n)), true
	case "U":
		return opaque(dtype.TextOf(n, order == '>')), true
	}
	return descr{}, false
}
