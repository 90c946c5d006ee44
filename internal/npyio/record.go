package npyio

import (
	"math"
	"strconv"
	"strings"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// parseFields reads a record type: a list of (name, dtype) and (name, dtype,
// shape), where a name may be a pair of title and name.
func parseFields(v list) (descr, error) {
	fields := make([]dtype.Field, len(v))
	seen := map[string]bool{}
	for i, item := range v {
		parts, _ := item.(tuple)
		if l, ok := item.(list); ok {
			parts = tuple(l)
		}
		if len(parts) != 2 && len(parts) != 3 {
			return descr{}, malformed("field %d of descr is not a name, a dtype and perhaps a shape", i)
		}
		d, err := parseDescr(parts[1])
		if err == nil && len(parts) == 3 {
			d, err = subArray(d, parts[2])
		}
		if err != nil {
			return descr{}, err
		}
		names, label, ok := parseName(parts[0])
		if !ok {
			return descr{}, malformed("field %d of descr has a name that is not a string", i)
		}
		fields[i] = d.field(label)
		if fields[i].IsPadding() {
			continue
		}
		for _, name := range names {
			if seen[name] {
				return descr{}, malformed("descr has two fields or titles named %s", quoted(name))
			}
			seen[name] = true
		}
	}
	return record(fields)
}

// parseName reads a name, or a pair of title and name, into the names that
// must be unique and the literal that NumPy writes.
func parseName(v any) (names []string, label string, ok bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, pyString(v), true
	case tuple:
		if len(v) != 2 {
			return nil, "", false
		}
		name, ok := v[1].(string)
		if _, untitled := v[0].(none); untitled {
			return []string{name}, pyString(name), ok
		}
		title, titled := v[0].(string)
		return []string{title, name}, "(" + pyString(title) + ", " + pyString(name) + ")", ok && titled
	}
	return nil, "", false
}

// field is a field of that type; bfloat16, which is none of NumPy's, is raw data there.
func (d descr) field(label string) dtype.Field {
	if d.typ == dtype.BFloat16 {
		return dtype.Field{Label: label, Type: dtype.RawOf(d.typ.Size())}
	}
	return dtype.Field{Label: label, Type: d.typ, BigEndian: d.big}
}

// record is the type made of the fields, with neighbouring padding in one
// piece, as NumPy writes it.
func record(fields []dtype.Field) (descr, error) {
	var parts []dtype.Field
	size, padding := 0, 0
	flush := func() {
		if padding > 0 {
			parts = append(parts, dtype.Field{Label: "''", Type: dtype.RawOf(padding)})
			padding = 0
		}
	}
	for _, f := range fields {
		if size += f.Type.Size(); size > math.MaxInt32 {
			return descr{}, malformed("descr is a record of more than 2^31-1 bytes")
		}
		if f.IsPadding() {
			padding += f.Type.Size()
			continue
		}
		flush()
		parts = append(parts, f)
	}
	flush()
	return opaque(dtype.RecordOf(parts)), nil
}

// parseCommas reads NumPy's shorthand for records, '<f4,3i2,(2,2)u1', whose
// fields are named f0, f1 and so on. A single field is a type of its own.
func parseCommas(s string) (descr, error) {
	var fields []descr
	for rest := strings.Trim(s, " "); rest != ""; {
		var dims any
		switch {
		case rest[0] == '(':
			end := strings.IndexByte(rest, ')') + 1
			v, err := parseLiteral(rest[:end], false)
			if err != nil {
				return descr{}, malformed("unknown dtype %s", quoted(s))
			}
			dims, rest = v, rest[end:]
		case '0' <= rest[0] && rest[0] <= '9':
			after := strings.TrimLeft(rest, "0123456789")
			n, err := strconv.ParseInt(rest[:len(rest)-len(after)], 10, 32)
			if err != nil {
				return descr{}, malformed("unknown dtype %s", quoted(s))
			}
			dims, rest = n, after
		}
		var code string
		code, rest, _ = strings.Cut(rest, ",")
		rest = strings.TrimLeft(rest, " ")
		d, err := parseCode(strings.Trim(code, " "))
		if err == nil && dims != nil {
			d, err = subArray(d, dims)
		}
		if err != nil {
			return descr{}, err
		}
		fields = append(fields, d)
	}
	if len(fields) == 1 {
		return fields[0], nil
	}
	named := make([]dtype.Field, len(fields))
	for i, d := range fields {
		named[i] = d.field("'f" + strconv.Itoa(i) + "'")
	}
	return record(named)
}

// subArray is the descr of a field that holds an array of elem. As in NumPy
// the shapes () and 1 say nothing.
func subArray(elem descr, dims any) (descr, error) {
	if elem.typ.Size() == 0 && !strings.HasPrefix(elem.code, "[") { // to NumPy it is without a size, and a number is one
		n, _ := dims.(int64)
		if d, ok := parseSized(elem.code[1], elem.code[2:3]+strconv.FormatInt(n, 10)); ok && elem.typ.Definition().Sort != dtype.SubArray && dims == any(n) {
			return d, nil
		}
		return descr{}, malformed("descr has a sub-array of %s, which has no size", quoted(elem.code))
	}
	var s shape.Shape
	ok := true
	switch v := dims.(type) {
	case int64:
		if v == 1 {
			return elem, nil
		}
		s = shape.Shape{int(v)}
	case tuple:
		s, ok = integers(v)
	case list:
		s, ok = integers(v)
	default:
		ok = false
	}
	if !ok {
		return descr{}, malformed("descr has a field whose shape is not a tuple of integers")
	}
	if len(s) == 0 {
		return elem, nil
	}
	n, err := s.Check(elem.typ.Size())
	if err != nil {
		return descr{}, malformed("descr has a field of a wrong shape: %v", err)
	}
	if n*int64(elem.typ.Size()) > math.MaxInt32 {
		return descr{}, malformed("descr is a record of more than 2^31-1 bytes")
	}
	t := dtype.SubArrayOf(elem.field(""), s, int(n))
	return descr{code: t.Code(), typ: t}, nil
}

// integers is the shape that a tuple's items give, if all are integers.
func integers(items []any) (shape.Shape, bool) {
	s := make(shape.Shape, len(items))
	for i, item := range items {
		d, ok := item.(int64)
		if !ok {
			return nil, false
		}
		s[i] = int(d)
	}
	return s, true
}
