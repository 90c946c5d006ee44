package npyio

import (
	"math"
	"strconv"
	"strings"

	"fusectl/internal/dtype"
)

// descr is an element type as a header describes it.
type descr struct {
	code  string // the Python literal that NumPy writes for it
	typ   dtype.Type
	big   bool // elements with arithmetic are stored big-endian
	array bool // code is a pair of an element type and the shape of a sub-array
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
		return opaque("|S1", 1), nil
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
	d := descr{code: pyString(codeOf(t)), typ: t, big: big && t.Size() > 1}
	if d.big {
		d.code = strings.Replace(d.code, "<", ">", 1)
	}
	return d
}

// opaque is the descr of a type known only by its code.
func opaque(code string, size int) descr {
	return descr{code: pyString(code), typ: dtype.Opaque(code, size)}
}

// parseTime reads dates and durations: M8, m8[ns], datetime64[25s].
func parseTime(order byte, code string) (descr, bool) {
	base, unit := code, ""
	if i := strings.IndexByte(code, '['); i >= 0 {
		base, unit = code[:i], code[i:]
	}
	switch {
	case base == "M8", base == "datetime64", code == "M":
		base = "M8"
	case base == "m8", base == "timedelta64", code == "m":
		base = "m8"
	default:
		return descr{}, false
	}
	unit, ok := timeUnit(unit)
	return opaque(orderOf(order)+base+unit, 8), ok
}

// timeUnit is a unit as NumPy writes it: [ns], [25s], nothing for the generic
// one.
func timeUnit(unit string) (string, bool) {
	if unit == "" {
		return "", true
	}
	unit, ok := strings.CutSuffix(unit[1:], "]")
	name := strings.TrimLeft(unit, "0123456789")
	count := strings.TrimLeft(unit[:len(unit)-len(name)], "0")
	switch {
	case unit != name && count == "":
		count = "0"
	case count == "1":
		count = ""
	}
	if _, err := strconv.ParseInt("0"+count, 10, 32); err != nil {
		return "", false
	}
	switch name {
	case "generic":
		return "", ok
	case "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as":
		return "[" + count + name + "]", ok
	}
	return "", false
}

// parseSized reads bytes, text and raw data: S5, U3, V8.
func parseSized(order byte, code string) (descr, bool) {
	if code == "" {
		return descr{}, false
	}
	kind, mark, width := code[:1], "|", 1
	switch kind {
	case "S", "V":
	case "a":
		kind = "S"
	case "U":
		mark, width = orderOf(order), 4
	default:
		return descr{}, false
	}
	n, err := strconv.Atoi("0" + code[1:])
	if err != nil || n > math.MaxInt32/width {
		return descr{}, false
	}
	return opaque(mark+kind+strconv.Itoa(n), n*width), true
}

func orderOf(order byte) string {
	if order == '>' {
		return ">"
	}
	return "<"
}
