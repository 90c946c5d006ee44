package npyio

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

func TestDescrSpellings(t *testing.T) {
	for _, c := range []struct {
		want      dtype.Type
		spellings string
	}{
		{dtype.Bool, "? |b1 <b1 >b1 b1 =? bool bool_ bool8"},
		{dtype.Int8, "b i1 |i1 <i1 >i1 int8 byte"},
		{dtype.Int16, "h i2 <i2 |i2 int16 short"},
		{dtype.Int32, "i i4 <i4 int32 intc"},
		{dtype.Int64, "l q p i8 <i8 int64 int longlong intp"},
		{dtype.Uint8, "B u1 |u1 >u1 uint8 ubyte"},
		{dtype.Uint16, "H u2 <u2 uint16 ushort"},
		{dtype.Uint32, "I u4 <u4 uint32 uintc"},
		{dtype.Uint64, "L Q P u8 =u8 uint64 uint ulonglong"},
		{dtype.Float16, "e f2 <f2 float16 half"},
		{dtype.Float32, "f f4 <f4 =f4 |f4 <f float32 single"},
		{dtype.Float64, "d f8 <f8 =f8 |f8 float64 double float"},
		{dtype.Complex64, "F c8 <c8 complex64 csingle"},
		{dtype.Complex128, "D c16 <c16 complex128 cdouble complex"},
	} {
		for _, s := range strings.Fields(c.spellings) {
			h, err := ParseHeader([]byte(text("'"+s+"'", "False", "(2,)")), 1, dtype.Type{})
			if err != nil || h.DType != c.want || h.BigEndian || h.Descr != pyString(c.want.Code()) {
				t.Errorf("%s: got %v, big-endian %v, descr %s, %v: want %v", s, h.DType, h.BigEndian, h.Descr, err, c.want)
			}
		}
	}
	h, err := ParseHeader([]byte(text("'>d'", "False", "(2,)")), 1, dtype.Type{})
	if err != nil || h.DType != dtype.Float64 || !h.BigEndian || h.Descr != "'>f8'" {
		t.Errorf(">d: got %+v, %v", h, err)
	}
}

func TestDescrOpaque(t *testing.T) {
	for _, c := range []struct {
		literal, name string
		size          int
	}{
		{"'S5'", "|S5", 5}, {"'a5'", "|S5", 5}, {"'>S5'", "|S5", 5}, {"'c'", "|S1", 1},
		{"'U3'", "<U3", 12}, {"'|U3'", "<U3", 12}, {"'>U3'", ">U3", 12},
		{"'V8'", "|V8", 8}, {"'<V2'", "|V2", 2},
		{"'M8'", "<M8", 8}, {"'M8[ns]'", "<M8[ns]", 8}, {"'>m8[25s]'", ">m8[25s]", 8}, {"'datetime64[1D]'", "<M8[D]", 8}, {"'m8[generic]'", "<m8", 8}, {"'M8[007s]'", "<M8[7s]", 8},
		{"[('a','f4'),('b','>i2',(2,3))]", "[('a', '<f4'), ('b', '>i2', (2, 3))]", 16},
		{"[('a',[('b','f4')],3)]", "[('a', [('b', '<f4')], (3,))]", 12},
		{"[(('title','a'),'f4')]", "[(('title', 'a'), '<f4')]", 4},
		{"[('',  'V2'),('','V3'),('a','u1')]", "[('', '|V5'), ('a', '|u1')]", 6},
		{"[('a','u1'),('','f4',(2,))]", "[('a', '|u1'), ('', '|V8')]", 9},
		{"[('a',('f4',(2,)),(3,))]", "[('a', ('<f4', (2,)), (3,))]", 24},
		{"'<f4,>i2'", "[('f0', '<f4'), ('f1', '>i2')]", 6},
		{"'2f4, (2,3)u1'", "[('f0', '<f4', (2,)), ('f1', '|u1', (2, 3))]", 14},
		{`[("it's",'f4')]`, `[("it's", '<f4')]`, 4},
		{"'S0'", "|S0", 0}, {"'S'", "|S0", 0}, {"'<U0'", "<U0", 0}, {"'V'", "|V0", 0}, {"[]", "[]", 0}, {"[('a',[])]", "[('a', [])]", 0},
		{"[('a','S0'),('b','f4',(0,))]", "[('a', '|S0'), ('b', '<f4', (0,))]", 0}, {"[('','V0')]", "[]", 0}, {"[('a','V0'),('b','f4')]", "[('a', '|V0'), ('b', '<f4')]", 4},
	} {
		h, err := ParseHeader([]byte(text(c.literal, "False", "(2,)")), 1, dtype.Type{})
		if err != nil || h.DType != dtype.Opaque(c.name, c.size) || h.BigEndian {
			t.Errorf("%s: got %v of %d bytes, %v: want %s of %d", c.literal, h.DType, h.DType.Size(), err, c.name, c.size)
		}
	}
}

func TestHeaderRefused(t *testing.T) {
	const f4 = "'<f4'"
	deep := strings.Repeat("(", 5000)
	for _, c := range []struct{ text, want string }{
		{"", "is cut off"},
		{"{", "is cut off"},
		{"[]", "not a dictionary"},
		{"{}", `lacks the key "descr"`},
		{"{'descr': '<f4', 'shape': (2,)}", `lacks the key "fortran_order"`},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", `unknown key "x"`},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 1: 1}", "key that is not a string"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'shape': (3,)}", `key "shape" twice`},
		{"{b'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "unexpected \"b'descr'"},
		{text(f4, "False", "(2,)") + "x", "unexpected \"x\""},
		{text(f4, "0", "(2,)"), "fortran_order"},
		{text(f4, "false", "(2,)"), "unexpected"},
		{text(f4, "False", "2"), "shape is not a tuple"},
		{text(f4, "False", "(2)"), "shape is not a tuple"},
		{text(f4, "False", "[2]"), "shape is not a tuple"},
		{text(f4, "False", "(True,)"), "shape is not a tuple"},
		{text(f4, "False", "('2',)"), "shape is not a tuple"},
		{text(f4, "False", "(2.0,)"), "unexpected"},
		{text(f4, "False", "(2,,3)"), "unexpected"},
		{text(f4, "False", "(-1,)"), "negative dimension -1"},
		{text(f4, "False", "(-2,-3)"), "negative"},
		{text(f4, "False", "(99999999999999999999,)"), "doesn't fit in 64 bits"},
		{text(f4, "False", "(4611686018427387904,)"), "2^63-1"},
		{text(f4, "False", "(4294967296,4294967296)"), "2^63-1"},
		{text(f4, "False", "(4611686018427387905,4)"), "2^63-1"},
		{text(f4, "False", "(0,9223372036854775807,2)"), "2^63-1"},
		{text(f4, "False", "("+strings.Repeat("1,", 65)+")"), "65 dimensions"},
		{text(f4, "False", deep), "levels deep"},
		{text("''", "False", "(2,)"), "unknown dtype"},
		{text("None", "False", "(2,)"), "descr is not a dtype"},
		{text("'<f4x'", "False", "(2,)"), `unknown dtype "<f4x"`},
		{text("'>bfloat16'", "False", "(2,)"), "unknown dtype"},
		{text("'float8_e4m3fn'", "False", "(2,)"), `dtype "float8_e4m3fn" is float8_e4m3fn of ml_dtypes`},
		{text("'<float8_e5m2'", "False", "(2,)"), `dtype "<float8_e5m2" is float8_e5m2 of ml_dtypes`},
		{text("'uint4'", "False", "(2,)"), `dtype "uint4" is uint4 of ml_dtypes`},
		{text("[('a','int4')]", "False", "(2,)"), `dtype "int4" is int4 of ml_dtypes`},
		{text("'float8_\x1b[31m'", "False", "(2,)"), `unknown dtype "float8_\x1b[31m"`},
		{text(`'\x1b[31m\u202e'`, "False", "(2,)"), `unknown dtype "\x1b[31m\u202e"`},
		{text("'"+strings.Repeat("x", 5000)+"'", "False", "(2,)"), "unknown dtype"},
		{text("'<f1'", "False", "(2,)"), `dtype "<f1" is float8_e5m2 of ml_dtypes`},
		{text("'<f16'", "False", "(2,)"), "long double"},
		{text("[('a','<c32')]", "False", "(2,)"), "long double"},
		{text("'|O'", "False", "(2,)"), "never runs pickles"},
		{text("'O8'", "False", "(2,)"), "never runs pickles"},
		{text("[('a','<f4'),('b',[('c','O',(2,))])]", "False", "(2,)"), "never runs pickles"},
		{text("'f4,O'", "False", "(2,)"), "never runs pickles"},
		{text("('<f4',(2,))", "False", "(2,)"), "sub-array"},
		{text("'(2,)<f4'", "False", "(2,)"), "sub-array"},
		{text("'V0'", "False", "(4294967296,4294967296)"), "shape (4294967296,4294967296) has more than 2^63-1 elements"},
		{text("'S2147483648'", "False", "(2,)"), "unknown dtype"},
		{text("[('a','<f4'),('a','<f4')]", "False", "(2,)"), `two fields or titles named "a"`},
		{text("[('a','<f4',(2147483647,2))]", "False", "(2,)"), "2^31-1"},
		{text("[('a','S2147483647'),('b','S2147483647')]", "False", "(2,)"), "2^31-1"},
		{text("[('a','<f4',(-1,))]", "False", "(2,)"), "negative"},
		{text("[(1,'<f4')]", "False", "(2,)"), "name that is not a string"},
		{text("[('a',)]", "False", "(2,)"), "field 0"},
		{text("'<f4'", "False", "(2,)\x00"), "null byte"},
		{text(`'\ud800'`, "False", "(2,)"), "unexpected"},
		{text("'<f4", "False", "(2,)"), "unexpected"},
	} {
		_, err := ParseHeader([]byte(c.text), 1, dtype.Type{})
		if err == nil {
			t.Errorf("%.80q is accepted", c.text)
			continue
		}
		wantReadError(t, err, c.want)
	}
	_, err := ParseHeader([]byte(text("'<f4'", "False", "(2L,)")), 3, dtype.Type{})
	wantReadError(t, err, "unexpected")
	_, err = ParseHeader([]byte("{'\xff'}"), 3, dtype.Type{})
	wantReadError(t, err, "UTF-8")
}

func TestObjectHint(t *testing.T) {
	_, err := ParseHeader([]byte(text("'|O'", "False", "(2,)")), 1, dtype.Type{})
	if e, ok := err.(*ReadError); !ok || len(e.Hints) != 1 || !strings.Contains(e.Hints[0], "allow_pickle=True") {
		t.Errorf("got %#v: want a hint", err)
	}
}

func TestAs(t *testing.T) {
	for _, c := range []struct {
		descr string
		as    dtype.Type
		want  dtype.Type
		fails bool
	}{
		{"'|V2'", dtype.Type{}, dtype.Opaque("|V2", 2), false},
		{"'<V2'", dtype.BFloat16, dtype.BFloat16, false},
		{"'|V2'", dtype.BFloat16, dtype.BFloat16, false},
		{"'<f4'", dtype.Float32, dtype.Float32, false},
		{"'bfloat16'", dtype.Type{}, dtype.BFloat16, false},
		{`"<bfloat16"`, dtype.Type{}, dtype.BFloat16, false},
		{"'=bfloat16'", dtype.BFloat16, dtype.BFloat16, false},
		{"'bfloat16'", dtype.Float32, dtype.Type{}, true},
		{"'|V0'", dtype.BFloat16, dtype.Type{}, true},
		{"[('a','bfloat16')]", dtype.Type{}, dtype.Opaque("[('a', '|V2')]", 2), false},
		{"'<f4'", dtype.BFloat16, dtype.Type{}, true},
		{"'|V4'", dtype.BFloat16, dtype.Type{}, true},
		{"'|V2'", dtype.Float16, dtype.Type{}, true},
	} {
		h, err := ParseHeader([]byte(text(c.descr, "False", "(2,)")), 1, c.as)
		if (err != nil) != c.fails || !c.fails && h.DType != c.want {
			t.Errorf("%s as %v: got %v, %v", c.descr, c.as, h.DType, err)
		}
	}
}

func TestFortranOrderThatIsCOrder(t *testing.T) {
	for s, want := range map[string]bool{"()": false, "(3,)": false, "(1,3,1)": false, "(0,3,2)": false, "(2,3)": true, "(1,2,1,3)": true} {
		h, err := ParseHeader([]byte(text("'<f4'", "True", s)), 1, dtype.Type{})
		if err != nil || h.FortranOrder != want {
			t.Errorf("%s: got %v, %v: want %v", s, h.FortranOrder, err, want)
		}
	}
}

// The padding is NumPy's even where nothing needs to be padded: the total is
// then 64 more. TestInterop compares with NumPy itself.
func TestEncodeAlignment(t *testing.T) {
	for n := range 200 {
		code := "[('" + strings.Repeat("x", n) + "y', '<f4')]"
		b := NewHeader(dtype.Opaque(code, 4), shape.Shape{3}).Encode()
		if len(b)%64 != 0 || b[len(b)-1] != '\n' {
			t.Fatalf("%d bytes, ending in %q", len(b), b[len(b)-1])
		}
		if b[6] != 1 {
			t.Fatalf("version %d", b[6])
		}
	}
	if n := len(NewHeader(dtype.Float32, shape.Shape{2, 3}).Encode()); n != 128 {
		t.Errorf("a small header takes %d bytes: want 128", n)
	}
}

func FuzzHeader(f *testing.F) {
	for _, c := range corpus() {
		f.Add([]byte(c.text), c.major)
	}
	f.Fuzz(func(t *testing.T, b []byte, major byte) {
		h, err := ParseHeader(b, 1+major%3, dtype.Type{})
		if err != nil {
			wantReadError(t, err, "")
			return
		}
		// What is accepted means the same when it is written and read again.
		var as dtype.Type
		if h.DType == dtype.BFloat16 { // which is written as raw data
			as = h.DType
		}
		again, err := readHeader(bytes.NewReader(h.Encode()), 1<<30, as)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", b, h.Encode(), err)
		}
		again.Major, again.DataOffset, h.Major = 0, 0, 0
		if fmt.Sprint(again) != fmt.Sprint(h) {
			t.Fatalf("%q is %v, and read again %v", b, h, again)
		}
	})
}
