package ops

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// encoded is numbers and texts one after the other, in an order of bytes.
func encoded(order binary.AppendByteOrder, parts ...any) (out []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case []rune:
			for _, r := range p {
				out = order.AppendUint32(out, uint32(r))
			}
		default:
			var err error
			if out, err = binary.Append(out, order.(binary.ByteOrder), p); err != nil {
				panic(err)
			}
		}
	}
	return out
}

func opaque(name string, t dtype.Type, data []byte) *graphtest.Mem {
	aligned := kernel.Alloc(len(data))
	copy(aligned, data)
	return &graphtest.Mem{Label: name, Type: t, Dims: shape.Shape{len(data) / t.Size()}, Data: aligned}
}

// What has no arithmetic is joined in the type that NumPy 2's result_type gives it:
// the values of both, as bytes of that type, are written by hand.
func TestOpaqueTypesPromoteAsNumPyHasIt(t *testing.T) {
	little, big := binary.LittleEndian, binary.BigEndian
	unit := func(n int64, base string) dtype.Unit { u, _ := dtype.UnitOf(n, base); return u }
	date := func(n int64, base string, big bool) dtype.Type { return dtype.DateOf(unit(n, base), big) }
	span := func(n int64, base string, big bool) dtype.Type { return dtype.DurationOf(unit(n, base), big) }
	nat := int64(math.MinInt64)
	field := func(label string, t dtype.Type, big bool) dtype.Field {
		return dtype.Field{Label: "'" + label + "'", Type: t, BigEndian: big}
	}
	pair := func(t dtype.Type, big bool) dtype.Type {
		return dtype.SubArrayOf(dtype.Field{Type: t, BigEndian: big}, []int{2}, 2)
	}
	for _, c := range []struct {
		what   string
		from   dtype.Type
		data   []byte
		beside dtype.Type
		as     dtype.Type
		want   []byte
	}{
		{"longer bytes", dtype.BytesOf(2), []byte("abc\x00"), dtype.BytesOf(4), dtype.BytesOf(4), []byte("ab\x00\x00c\x00\x00\x00")},
		{"bytes as text", dtype.BytesOf(2), []byte("abc\x00"), dtype.TextOf(3, false), dtype.TextOf(3, false), encoded(little, []rune{'a', 'b', 0, 'c', 0, 0})},
		{"text beside bytes that are longer", dtype.TextOf(1, false), encoded(little, []rune("é€")), dtype.BytesOf(2), dtype.TextOf(2, false), encoded(little, []rune{'é', 0, '€', 0})},
		{"text in the other byte order", dtype.TextOf(2, true), encoded(big, []rune("aé€z")), dtype.TextOf(2, false), dtype.TextOf(2, false), encoded(little, []rune("aé€z"))},
		{"longer text in the other byte order", dtype.TextOf(1, true), encoded(big, []rune("é€")), dtype.TextOf(2, true), dtype.TextOf(2, false), encoded(little, []rune{'é', 0, '€', 0})},
		{"days as hours", date(1, "D", false), encoded(little, int64(3), nat, int64(-1)), date(1, "h", false), date(1, "h", false), encoded(little, int64(72), nat, int64(-24))},
		{"dates in the other byte order", date(1, "s", true), encoded(big, int64(258), nat), date(1, "s", false), date(1, "s", false), encoded(little, int64(258), nat)},
		{"days as hours in the other byte order", date(1, "D", true), encoded(big, int64(2), nat), date(1, "h", false), date(1, "h", false), encoded(little, int64(48), nat)},
		// January and February of 1970 have 59 days, the year has 365.
		{"months as days", date(1, "M", false), encoded(little, int64(2), int64(12), int64(-1)), date(1, "D", false), date(1, "D", false), encoded(little, int64(59), int64(365), int64(-31))},
		{"a common unit", span(4, "s", false), encoded(little, int64(5), nat), span(6, "s", false), span(2, "s", false), encoded(little, int64(10), nat)},
		{"a record", dtype.RecordOf([]dtype.Field{field("a", dtype.Int16, true), {Label: "''", Type: dtype.RawOf(3)}, field("b", dtype.Float32, false)}),
			append(append(encoded(big, int16(-2)), "???"...), append(encoded(little, float32(1.5)), append(append(encoded(big, int16(515)), "???"...), encoded(little, float32(-0.25))...)...)...),
			dtype.RecordOf([]dtype.Field{field("a", dtype.Int32, false), field("b", dtype.Float64, true)}),
			dtype.RecordOf([]dtype.Field{field("a", dtype.Int32, false), field("b", dtype.Float64, false)}),
			encoded(little, int32(-2), 1.5, int32(515), -0.25)},
		{"a record of texts, dates and pairs",
			dtype.RecordOf([]dtype.Field{field("t", dtype.BytesOf(1), false), field("d", date(1, "D", false), false), field("p", pair(dtype.Int16, true), false), field("c", dtype.Complex64, true)}),
			append(append(encoded(little, "x", int64(2)), encoded(big, int16(1), int16(-1))...), encoded(big, float32(3), float32(-4))...),
			dtype.RecordOf([]dtype.Field{field("t", dtype.TextOf(2, false), false), field("d", date(1, "h", false), false), field("p", pair(dtype.Int32, false), false), field("c", dtype.Complex64, false)}),
			dtype.RecordOf([]dtype.Field{field("t", dtype.TextOf(2, false), false), field("d", date(1, "h", false), false), field("p", pair(dtype.Int32, false), false), field("c", dtype.Complex64, false)}),
			encoded(little, []rune{'x', 0}, int64(48), int32(1), int32(-1), float32(3), float32(-4))},
	} {
		t.Run(c.what, func(t *testing.T) {
			x := opaque("x.npy", c.from, c.data)
			y := opaque("y.npy", c.beside, make([]byte, c.beside.Size()))
			build := func() graph.Array { return graphtest.Must(Concat([]graph.Array{x, y}, 0)) }
			if got := build().DType(); got != c.as {
				t.Fatalf("dtype %v, want %v", got, c.as)
			}
			want := append(bytes.Clone(c.want), make([]byte, c.as.Size())...) // y's zeros are zeros in every type here
			if got := graphtest.Result(t, build); !bytes.Equal(got, want) {
				t.Errorf("got\n%q, want\n%q", got, want)
			}
			columns := func() graph.Array { // a column beside another
				n := x.Dims[0]
				a, b := graphtest.Must(Reshape(x, shape.Shape{n, 1})), graphtest.Must(Broadcast(y, shape.Shape{n, 1}))
				return graphtest.Must(Concat([]graph.Array{a, b}, 1))
			}
			want = nil
			size := c.as.Size()
			for i := range x.Dims[0] {
				want = append(append(want, c.want[i*size:(i+1)*size]...), make([]byte, size)...)
			}
			if got := graphtest.Result(t, columns); !bytes.Equal(got, want) {
				t.Errorf("as columns, got\n%q, want\n%q", got, want)
			}
			in := graphtest.NewPipe(x, 1, 0)
			graphtest.WriteTo(t, graphtest.Must(Concat([]graph.Array{in, y}, 0)), graph.Options{Only: true})
			if !in.Once {
				t.Error("isn't said to be read once")
			}
			bad := graphtest.Must(Concat([]graph.Array{&torn{*x}, y}, 0))
			p, err := graph.NewPlan(graph.Options{}, bad)
			if err == nil {
				err = p.Into(t.Context(), kernel.Alloc(int(graph.SizeOf(bad))))
			}
			if !errors.Is(err, errTorn) {
				t.Errorf("of what can't be read: %v", err)
			}
		})
	}
}

// An array of the type itself stays as it is.
func TestOpaqueTypesStay(t *testing.T) {
	x := opaque("x.npy", dtype.RawOf(3), []byte("abcdef"))
	if got := promoteOpaque(x, x.Type); got != graph.Array(x) {
		t.Errorf("got %T", got)
	}
	got := graphtest.Result(t, func() graph.Array { return graphtest.Must(Concat([]graph.Array{x, x}, 0)) })
	if string(got) != "abcdefabcdef" {
		t.Errorf("got %q", got)
	}
}

// Values that have no place in the type they promote to are named.
func TestOpaqueValuesThatDontFit(t *testing.T) {
	unit := func(base string) dtype.Unit { u, _ := dtype.UnitOf(1, base); return u }
	little := binary.LittleEndian
	record := func(t dtype.Type) dtype.Type { return dtype.RecordOf([]dtype.Field{{Label: "'a'", Type: t}}) }
	compute := func(x, y *graphtest.Mem) error {
		joined := graphtest.Must(Concat([]graph.Array{x, y}, 0))
		p, err := graph.NewPlan(graph.Options{}, joined)
		if err != nil {
			return err
		}
		return p.Into(t.Context(), kernel.Alloc(int(graph.SizeOf(joined))))
	}
	of := func(t dtype.Type) *graphtest.Mem { return opaque("y.npy", t, make([]byte, t.Size())) }
	foreign := "holds the bytes \"\\xe9!\", which are no ASCII and so no text"
	checkRefusals(t, []refusal{
		{"bytes that are no ASCII", compute(opaque("x.npy", dtype.BytesOf(2), []byte("ab\xe9!")), of(dtype.TextOf(2, false))), "x.npy", foreign, nil},
		{"bytes of a record", compute(opaque("x.npy", record(dtype.BytesOf(2)), []byte("ab\xe9!")), of(record(dtype.TextOf(2, false)))), "x.npy", foreign, nil},
		{"a date", compute(opaque("x.npy", dtype.DateOf(unit("D"), false), encoded(little, int64(1)<<50)), of(dtype.DateOf(unit("ns"), false))), "x.npy",
			"holds the date 1970 + 1125899906842624[D], which is beyond what 64 bits hold of [ns]", nil},
		{"a duration", compute(opaque("x.npy", dtype.DurationOf(unit("h"), false), encoded(little, -int64(1)<<50)), of(dtype.DurationOf(unit("us"), false))), "x.npy",
			"holds the duration -1125899906842624[h], which is beyond what 64 bits hold of [us]", nil},
		{"records of other names", func() error {
			_, err := Concat([]graph.Array{of(record(dtype.Int8)), opaque("x.npy", dtype.RecordOf([]dtype.Field{{Label: "'b'", Type: dtype.Int8}}), []byte{1})}, 0)
			return err
		}(), "x.npy", "dtype [('b', '|i1')] has no common type with [('a', '|i1')] of y.npy: the fields are named 'a' and 'b'", nil},
	})
}
