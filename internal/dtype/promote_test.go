package dtype

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// table is numpy.promote_types of all pairs, printed by
//
//	import numpy as np
//	for a in names: print(a, *(np.promote_types(a, b) for b in names))
//
// with NumPy 1.24, whose table for types is that of NumPy 2.
const table = `
bool bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128
int8 int8 int8 int16 int32 int64 int16 int32 int64 float64 float16 float32 float64 complex64 complex128
int16 int16 int16 int16 int32 int64 int16 int32 int64 float64 float32 float32 float64 complex64 complex128
int32 int32 int32 int32 int32 int64 int32 int32 int64 float64 float64 float64 float64 complex128 complex128
int64 int64 int64 int64 int64 int64 int64 int64 int64 float64 float64 float64 float64 complex128 complex128
uint8 uint8 int16 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128
uint16 uint16 int32 int32 int32 int64 uint16 uint16 uint32 uint64 float32 float32 float64 complex64 complex128
uint32 uint32 int64 int64 int64 int64 uint32 uint32 uint32 uint64 float64 float64 float64 complex128 complex128
uint64 uint64 float64 float64 float64 float64 uint64 uint64 uint64 uint64 float64 float64 float64 complex128 complex128
float16 float16 float16 float32 float64 float64 float16 float32 float64 float64 float16 float32 float64 complex64 complex128
float32 float32 float32 float32 float64 float64 float32 float32 float64 float64 float32 float32 float64 complex64 complex128
float64 float64 float64 float64 float64 float64 float64 float64 float64 float64 float64 float64 float64 complex128 complex128
complex64 complex64 complex64 complex64 complex128 complex128 complex64 complex64 complex128 complex128 complex64 complex64 complex128 complex64 complex128
complex128 complex128 complex128 complex128 complex128 complex128 complex128 complex128 complex128 complex128 complex128 complex128 complex128 complex128 complex128
`

func TestPromoteIsNumPys(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(table), "\n")
	var names []string
	for _, l := range lines {
		names = append(names, strings.Fields(l)[0])
	}
	if len(names) != len(All())-1 { // all but bfloat16
		t.Fatalf("%d types in the table", len(names))
	}
	for _, l := range lines {
		f := strings.Fields(l)
		a, err := Parse(f[0])
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range f[1:] {
			b, err := Parse(names[i])
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Promote(a, b); err != nil || got.String() != want {
				t.Errorf("%v and %v: %v, want %s", a, b, got, want)
			}
		}
	}
}

func TestPromoteBFloat16(t *testing.T) {
	for _, c := range []struct{ with, want Type }{
		{Bool, BFloat16}, {Int8, BFloat16}, {Uint8, BFloat16}, {Int16, Float32}, {Int64, Float64},
		{BFloat16, BFloat16}, {Float16, Float32}, {Float32, Float32}, {Float64, Float64}, {Complex64, Complex64},
	} {
		for _, pair := range [][2]Type{{BFloat16, c.with}, {c.with, BFloat16}} {
			if got, err := Promote(pair[0], pair[1]); err != nil || got != c.want {
				t.Errorf("%v and %v: %v, want %v", pair[0], pair[1], got, c.want)
			}
		}
	}
}

// What NumPy has for these is in the golden cases of concat; here is what it has no
// result for, or where fusectl differs.
func TestOpaquePromotion(t *testing.T) {
	unit := func(n int64, base string) Unit { u, _ := UnitOf(n, base); return u }
	seconds := unit(1, "s")
	record := func(label string, t Type) Type { return RecordOf([]Field{{Label: label, Type: t}}) }
	for _, c := range []struct {
		a, b Type
		want string // "": there is none
		why  string
	}{
		{BytesOf(3), BytesOf(5), "|S5", ""},
		{BytesOf(3), TextOf(2, true), "<U3", ""},
		{TextOf(4, true), TextOf(4, true), "<U4", ""},
		{BytesOf(0), BytesOf(0), "|S0", ""},
		{RawOf(3), RawOf(3), "|V3", ""},
		{RawOf(3), RawOf(4), "", ""},
		{RawOf(3), BytesOf(3), "", ""},
		{Int32, BytesOf(3), "", ""}, // |S11 in NumPy: fusectl writes no numbers as text
		{Float32, RawOf(4), "", ""},
		{DateOf(seconds, true), DateOf(Unit{}, false), "<M8[s]", ""},
		{DateOf(seconds, false), DurationOf(seconds, false), "", ""},
		{DateOf(unit(1, "Y"), false), DateOf(unit(1, "D"), false), "<M8[D]", ""},
		{DurationOf(unit(1, "Y"), false), DurationOf(unit(1, "D"), false), "", ""},
		{DurationOf(unit(1, "W"), false), DurationOf(unit(1, "as"), false), "", ""}, // the factor overflows
		{DateOf(unit(0, "s"), false), DateOf(seconds, false), "", ""},
		{DateOf(seconds, false), Int64, "", ""},
		{record("'a'", Int16), record("'a'", Float32), "[('a', '<f4')]", ""},
		{record("'a'", Int16), record("'b'", Int16), "", "the fields are named 'a' and 'b'"},
		{record("'a'", Int16), record("('T', 'a')", Int16), "", "the fields are named 'a' and ('T', 'a')"},
		{record("'a'", Int16), record("'a'", BytesOf(1)), "", "field 'a' is int16 and |S1"},
		{record("'a'", record("'b'", RawOf(1))), record("'a'", record("'b'", RawOf(2))), "", "field 'a': field 'b' is |V1 and |V2"},
		{record("'a'", SubArrayOf(Field{Type: Int8}, []int{2}, 2)), record("'a'", SubArrayOf(Field{Type: Int8}, []int{3}, 3)), "", "field 'a' is ('|i1', (2,)) and ('|i1', (3,))"},
		{record("'a'", SubArrayOf(Field{Type: BytesOf(1)}, []int{2, 2}, 4)), record("'a'", SubArrayOf(Field{Type: TextOf(3, true)}, []int{2, 2}, 4)), "[('a', '<U3', (2, 2))]", ""},
		{record("'a'", Int16), Int16, "", ""},
		{BytesOf(2_000_000_000), TextOf(3, false), "", "an element would take more than 2^31-1 bytes"},
		{RecordOf([]Field{{Label: "'a'", Type: BytesOf(1_500_000_000)}, {Label: "'b'", Type: BytesOf(1)}}), RecordOf([]Field{{Label: "'a'", Type: BytesOf(1)}, {Label: "'b'", Type: BytesOf(1_500_000_000)}}), "", "an element would take more than 2^31-1 bytes"},
	} {
		for _, pair := range [][2]Type{{c.a, c.b}, {c.b, c.a}} {
			got, err := Promote(pair[0], pair[1])
			if (err == nil) != (c.want != "") || err == nil && got.String() != c.want {
				t.Errorf("%v and %v: %v, %v, want %q", c.a, c.b, got, err, c.want)
			}
		}
		if _, odd, err := Result([]Type{c.a, c.a, c.b}); c.want == "" && (odd != 2 || err == nil) {
			t.Errorf("%v and %v: the odd one is %d (%v), want 2", c.a, c.b, odd, err)
		} else if c.why != "" && err.Error() != c.why {
			t.Errorf("%v and %v: %v, want %s", c.a, c.b, err, c.why)
		}
	}
	a, b := Opaque("a dtype of tomorrow", 3), Opaque("another", 3)
	if _, err := Promote(a, b); err == nil {
		t.Error("unknown types promote")
	}
	if got, err := Promote(a, a); err != nil || got != a {
		t.Errorf("an unknown type with itself: %v, %v", got, err)
	}
	if _, odd, _ := Result([]Type{Int32, Float32, BytesOf(4)}); odd != 2 {
		t.Errorf("the odd one is %d, want 2", odd)
	}
}

// Months are held to the time package's calendar; what doesn't fit in 64 bits is said.
func TestUnitConversion(t *testing.T) {
	unit := func(n int64, base string) Unit { u, _ := UnitOf(n, base); return u }
	for months := int64(-24000); months < 24000; months += 37 {
		want := time.Date(1970, time.Month(1+months), 1, 0, 0, 0, 0, time.UTC).Unix()
		for to, per := range map[string]int64{"s": 1, "h": 3600, "D": 86400, "W": 7 * 86400} {
			got, ok := unit(1, "M").Converted(months, unit(1, to), true)
			if !ok || got != floor(want, per) {
				t.Fatalf("month %d is %d%s (%v), want %d", months, got, to, ok, floor(want, per))
			}
		}
	}
	const cycles = 2_500_000_000_000 // of 400 years, which have 146,097 days
	for _, c := range []struct {
		n        int64
		from, to Unit
		calendar bool
		want     int64
		ok       bool
	}{
		{-1, unit(1, "Y"), unit(1, "M"), true, -12, true},
		{7, unit(25, "s"), unit(5, "s"), false, 35, true},
		{1 << 62, unit(1, "s"), unit(1, "ms"), false, 0, false},
		{-1 << 62, unit(1, "s"), unit(1, "ms"), false, 0, false},
		{1 << 62, unit(1, "Y"), unit(1, "M"), true, 0, false},
		{1 << 62, unit(1, "Y"), unit(1, "s"), true, 0, false},
		{1 << 50, unit(1, "Y"), unit(1, "ns"), true, 0, false},
		{400 * cycles, unit(1, "Y"), unit(1, "D"), true, 146097 * cycles, true},
		{292, unit(1, "Y"), unit(1, "ns"), true, 9214646400e9, true}, // 2262
		{293, unit(1, "Y"), unit(1, "ns"), true, 0, false},
	} {
		if got, ok := c.from.Converted(c.n, c.to, c.calendar); ok != c.ok || ok && got != c.want {
			t.Errorf("%d%v in %v: %d, %v, want %d, %v", c.n, c.from, c.to, got, ok, c.want, c.ok)
		}
	}
	if _, ok := UnitOf(1, "fortnight"); ok {
		t.Error("a fortnight is a unit")
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]Type{"float32": Float32, "bf16": BFloat16, "f16": Float16, "double": Float64, "bool": Bool} {
		if got, err := Parse(name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := Parse("float33"); err == nil {
		t.Error("float33 was taken")
	}
}

func TestInteropResultIsNumPys(t *testing.T) {
	const program = `
import numpy as np, random
random.seed(2)
names = 'bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128'.split()
for _ in range(500):
    three = [random.choice(names) for _ in range(3)]
    print(*three, np.result_type(*map(np.dtype, three)))
`
	out, err := exec.Command("/usr/bin/python3", "-c", program).Output()
	if err != nil {
		if os.Getenv("FUSECTL_INTEROP") == "1" {
			t.Fatal(err)
		}
		t.Skip("no NumPy")
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 500 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		f := strings.Fields(line)
		var types []Type
		for _, name := range f[:3] {
			typ, err := Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			types = append(types, typ)
		}
		if got, odd, _ := Result(types); odd >= 0 || fmt.Sprint(got) != f[3] {
			t.Errorf("%s: got %v", line, got)
		}
	}
}
