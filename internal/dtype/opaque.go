package dtype

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Sort tells opaque types apart.
type Sort uint8

// The sorts.
const (
	Unknown  Sort = iota
	Bytes         // |S5: bytes, with NUL bytes behind those that are fewer
	Text          // <U5: Unicode code points of 4 bytes, likewise
	Date          // <M8[s]: a signed count of Unit since 1970; the least one is NaT, no date
	Duration      // <m8[s]: a signed count of Unit, likewise
	Raw           // |V5: bytes that mean nothing here
	Record        // fields, one after the other
	SubArray      // several elements of Elem, as only a field can be
)

// Definition describes an opaque type: its parts and how they are stored.
type Definition struct {
	Sort      Sort
	BigEndian bool    // Text, Date and Duration are stored so
	Unit      Unit    // of a Date or Duration
	Fields    []Field // of a Record
	Elem      Field   // of a SubArray, without a label
	Dims      []int   // of a SubArray
}

// Field is one field of a record.
type Field struct {
	Label     string // the Python literal of its name, or of its title and name; '' is padding
	Type      Type
	BigEndian bool // of a type with arithmetic: it is stored so
}

// definitions holds the definition of every opaque type that has been made, by
// name: so types stay small, and the same where their names are.
var definitions sync.Map // string to *Definition

func define(name string, size int, d Definition) Type {
	definitions.LoadOrStore(name, &d)
	return Opaque(name, size)
}

// Definition gives the parts of t. Its sort is Unknown for types that have
// arithmetic, or of which nothing but the name is known.
func (t Type) Definition() Definition {
	if d, ok := definitions.Load(t.name); ok && t.IsOpaque() {
		return *d.(*Definition)
	}
	return Definition{}
}

// BytesOf is NumPy's bytes_ of n bytes, |Sn.
func BytesOf(n int) Type { return define("|S"+strconv.Itoa(n), n, Definition{Sort: Bytes}) }

// RawOf is NumPy's void of n bytes, |Vn.
func RawOf(n int) Type { return define("|V"+strconv.Itoa(n), n, Definition{Sort: Raw}) }

// TextOf is NumPy's str_ of n code points, <Un.
func TextOf(n int, big bool) Type {
	return define(order(big)+"U"+strconv.Itoa(n), 4*n, Definition{Sort: Text, BigEndian: big})
}

// DateOf is NumPy's datetime64, <M8[unit].
func DateOf(u Unit, big bool) Type {
	return define(order(big)+"M8"+u.String(), 8, Definition{Sort: Date, BigEndian: big, Unit: u})
}

// DurationOf is NumPy's timedelta64, <m8[unit].
func DurationOf(u Unit, big bool) Type {
	return define(order(big)+"m8"+u.String(), 8, Definition{Sort: Duration, BigEndian: big, Unit: u})
}

// RecordOf is NumPy's structured dtype of these fields, without gaps.
func RecordOf(fields []Field) Type {
	parts := make([]string, len(fields))
	size := 0
	for i, f := range fields {
		parts[i] = "(" + f.Label + ", " + f.code() + ")"
		size += f.Type.Size()
	}
	return define("["+strings.Join(parts, ", ")+"]", size, Definition{Sort: Record, Fields: slices.Clone(fields)})
}

// SubArrayOf is n elements in all of the type that elem has.
func SubArrayOf(elem Field, dims []int, n int) Type {
	elem.Label = ""
	return define("("+elem.literal()+", "+Tuple(dims)+")", n*elem.Type.Size(), Definition{Sort: SubArray, Elem: elem, Dims: slices.Clone(dims)})
}

// code is the text beside the field's name: its type, and the shape of a
// sub-array.
func (f Field) code() string {
	c := f.literal()
	if f.Type.Definition().Sort == SubArray {
		return c[1 : len(c)-1]
	}
	return c
}

// literal is the Python literal of the field's type.
func (f Field) literal() string {
	code := f.Type.Code()
	switch {
	case strings.HasPrefix(code, "[") || strings.HasPrefix(code, "("):
		return code
	case f.BigEndian:
		code = strings.Replace(code, "<", ">", 1)
	}
	return "'" + code + "'"
}

// Tuple is Python's repr of a tuple of integers.
func Tuple(dims []int) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = strconv.Itoa(d)
	}
	if len(dims) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func order(big bool) string {
	if big {
		return ">"
	}
	return "<"
}

// Code is NumPy's code of the type, as its headers have it: <f4. bfloat16, which it
// doesn't have, is written as its users write it with ml_dtypes: raw data of 2
// bytes. Those of records and sub-arrays are Python literals.
func (t Type) Code() string {
	switch {
	case t.IsOpaque():
		return t.name
	case t == BFloat16:
		return "<V2"
	}
	letter := "i"
	switch {
	case t == Bool:
		letter = "b"
	case t.IsUnsigned():
		letter = "u"
	case t.IsFloat():
		letter = "f"
	case t.IsComplex():
		letter = "c"
	}
	mark := "<"
	if t.size == 1 {
		mark = "|"
	}
	return mark + letter + strconv.Itoa(t.size)
}

// native is t as NumPy's promotion gives it: in the byte order of this machine,
// records without padding.
func (t Type) native() Type {
	switch d := t.Definition(); d.Sort {
	case Text:
		return TextOf(t.size/4, false)
	case Date:
		return DateOf(d.Unit, false)
	case Duration:
		return DurationOf(d.Unit, false)
	case Record:
		return RecordOf(nativeFields(d.Fields))
	case SubArray:
		return d.withElem(d.Elem.Type.native(), t)
	}
	return t
}

func nativeFields(fields []Field) []Field {
	var out []Field
	for _, f := range fields {
		if !f.IsPadding() {
			out = append(out, Field{Label: f.Label, Type: f.Type.native()})
		}
	}
	return out
}

// IsPadding reports whether NumPy takes a field for bytes between others: it
// has no name and is raw data or a sub-array.
func (f Field) IsPadding() bool {
	s := f.Type.Definition().Sort
	return f.Label == "''" && (s == Raw || s == SubArray)
}

// Len is the elements of a sub-array of type t.
func (d Definition) Len() int {
	n := 1
	for _, e := range d.Dims {
		n *= e
	}
	return n
}

// withElem is the sub-array type t with elements of another type.
func (d Definition) withElem(elem, t Type) Type {
	return SubArrayOf(Field{Type: elem}, d.Dims, d.Len())
}

// ErrNone says that two types have none in common, and no more than that.
var ErrNone = errors.New("there is no type in common")

// promoteOpaque is Promote for two types of which one or both are opaque. Where there
// is none it gives an error that says why.
func promoteOpaque(a, b Type) (Type, error) {
	t, err := commonOpaque(a, b)
	if err == nil && t.size > math.MaxInt32 {
		return Type{}, errors.New("an element would take more than 2^31-1 bytes")
	}
	return t, err
}

func commonOpaque(a, b Type) (Type, error) {
	x, y := a.Definition(), b.Definition()
	switch {
	case a.name == b.name:
		return a.native(), nil
	case (x.Sort == Bytes || x.Sort == Text) && (y.Sort == Bytes || y.Sort == Text):
		n := max(length(a), length(b))
		if x.Sort == Bytes && y.Sort == Bytes {
			return BytesOf(n), nil
		}
		return TextOf(n, false), nil
	case x.Sort != y.Sort || x.Sort == Unknown:
		return Type{}, ErrNone
	case x.Sort == Date || x.Sort == Duration:
		u, ok := x.Unit.common(y.Unit, x.Sort == Date)
		switch {
		case !ok:
			return Type{}, ErrNone
		case x.Sort == Date:
			return DateOf(u, false), nil
		}
		return DurationOf(u, false), nil
	case x.Sort == Record:
		return promoteRecords(x, y)
	case x.Sort == SubArray && slices.Equal(x.Dims, y.Dims):
		elem, err := Promote(x.Elem.Type, y.Elem.Type)
		if err != nil {
			return Type{}, err
		}
		return x.withElem(elem, a), nil
	}
	return Type{}, ErrNone
}

// length is the characters of a Bytes or Text.
func length(t Type) int {
	if t.Definition().Sort == Text {
		return t.size / 4
	}
	return t.size
}

// promoteRecords promotes field by field, as NumPy does since 1.23: names and titles
// must be the same, in one order.
func promoteRecords(x, y Definition) (Type, error) {
	a, b := nativeFields(x.Fields), nativeFields(y.Fields)
	labels := func(fields []Field) string {
		var l []string
		for _, f := range fields {
			l = append(l, f.Label)
		}
		return strings.Join(l, ", ")
	}
	if la, lb := labels(a), labels(b); la != lb {
		return Type{}, fmt.Errorf("the fields are named %s and %s", la, lb)
	}
	for i := range a {
		t, err := Promote(a[i].Type, b[i].Type)
		if err != nil {
			if errors.Is(err, ErrNone) {
				return Type{}, fmt.Errorf("field %s is %v and %v", a[i].Label, a[i].Type, b[i].Type)
			}
			return Type{}, fmt.Errorf("field %s: %w", a[i].Label, err)
		}
		a[i].Type = t
	}
	return RecordOf(a), nil
}
