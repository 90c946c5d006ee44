package dtype

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
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
			if got, ok := Promote(a, b); !ok || got.String() != want {
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
			if got, ok := Promote(pair[0], pair[1]); !ok || got != c.want {
				t.Errorf("%v and %v: %v, want %v", pair[0], pair[1], got, c.want)
			}
		}
	}
}

func TestOpaqueTypesPromoteWithThemselvesAlone(t *testing.T) {
	s := Opaque("'|S4'", 4)
	if got, ok := Promote(s, Opaque("'|S4'", 4)); !ok || got != s {
		t.Errorf("got %v, %v", got, ok)
	}
	for _, o := range []Type{Int32, Opaque("'|S5'", 5)} {
		if _, ok := Promote(s, o); ok {
			t.Errorf("%v promotes with %v", s, o)
		}
	}
	if _, odd := Result([]Type{Int32, Float32, s}); odd != 2 {
		t.Errorf("the odd one is %d, want 2", odd)
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
		if got, odd := Result(types); odd >= 0 || fmt.Sprint(got) != f[3] {
			t.Errorf("%s: got %v", line, got)
		}
	}
}
