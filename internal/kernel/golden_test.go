package kernel

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"fusectl/internal/dtype"
)

// golden holds the results that testdata/make_golden.py wrote.
type golden struct {
	Convert, Arith, Activation, Softmax, Elementary map[string][]string
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// operands decodes an entry: operands, and last the result.
func operands(t *testing.T, entry []string) [][]byte {
	t.Helper()
	out := make([][]byte, len(entry))
	for i, text := range entry {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = Alloc(len(b))
		copy(out[i], b)
	}
	return out
}

func parse(t *testing.T, name string) dtype.Type {
	t.Helper()
	k, err := dtype.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestConvertIsNumPys wants NumPy's bytes wherever its conversion is defined.
func TestConvertIsNumPys(t *testing.T) {
	for name, entry := range readGolden(t).Convert {
		from, to, _ := strings.Cut(name, " ")
		src, dst := parse(t, from), parse(t, to)
		b := operands(t, entry)
		t.Run(name, func(t *testing.T) {
			eachTable(t, func(t *testing.T, table *Table) {
				got := Alloc(len(b[1]))
				table.Convert[src.Kind()][dst.Kind()](got, b[0])
				compare(t, testCase{dst: dst, src: []dtype.Type{src}}, got, b[1], b)
			})
		})
	}
}

// TestArithIsNumPys wants NumPy's bytes, complex products apart, which NumPy
// itself fuses on some machines: there the two products of a part may differ
// by a rounding, which is at most 2 units here, where nothing cancels much.
func TestArithIsNumPys(t *testing.T) {
	for name, entry := range readGolden(t).Arith {
		op, kind, _ := strings.Cut(name, " ")
		k := parse(t, kind)
		b := operands(t, entry)
		c := testCase{dst: k, src: []dtype.Type{k, k}}
		if op == "Mul" && k.IsComplex() {
			c.ulps = 2
		}
		t.Run(name, func(t *testing.T) {
			eachTable(t, func(t *testing.T, table *Table) {
				got := Alloc(len(b[2]))
				map[string]*[dtype.NumKinds]Loop3{"Add": &table.Add, "Mul": &table.Mul, "Max": &table.Max}[op][k.Kind()](got, b[0], b[1])
				compare(t, c, got, b[2], b)
			})
		})
	}
}

// TestActivationIsPyTorchs allows what PyTorch's own rounding accounts for.
func TestActivationIsPyTorchs(t *testing.T) {
	for name, entry := range readGolden(t).Activation {
		function, kind, _ := strings.Cut(name, " ")
		k := parse(t, kind)
		b := operands(t, entry)
		t.Run(name, func(t *testing.T) {
			eachTable(t, func(t *testing.T, table *Table) {
				got := Alloc(len(b[1]))
				table.Activation(function, k.Kind())(got, b[0])
				for i := range len(got) / k.Size() {
					g, w := load(k, got, i).re, load(k, b[1], i).re
					if !closeTo(g, w, k) {
						t.Errorf("%s(%v %v) = %v %v, PyTorch %v %v", function,
							load(k, b[0], i).re.f, load(k, b[0], i).re.special, g.f, g.special, w.f, w.special)
					}
				}
			})
		})
	}
}

// closeTo allows a relative error of 4 units in the last place, PyTorch
// rounding after every one of up to four steps; and an absolute one of 4 units
// of 1, since PyTorch's gelu and sigmoid lose small values beside a 1, and of
// the least normal number, since its vector code has no subnormal ones.
func closeTo(got, want number, k dtype.Type) bool {
	if got.isNaN() || want.isNaN() {
		return got.isNaN() && want.isNaN()
	}
	if got.f == nil || want.f == nil {
		return got.cmp(want) == 0
	}
	unit := 0x1p-52
	if k == dtype.Float32 {
		unit = 0x1p-23
	}
	g, _ := got.f.Float64()
	w, _ := want.f.Float64()
	return g-w <= 4*unit*max(1, w, -w) && w-g <= 4*unit*max(1, w, -w)
}

func TestSoftmaxIsPyTorchs(t *testing.T) {
	for kind, entry := range readGolden(t).Softmax {
		k := parse(t, kind)
		b := operands(t, entry)
		eachTable(t, func(t *testing.T, table *Table) {
			got := Alloc(len(b[1]))
			table.SoftmaxRows[k.Kind()](got, b[0], 9)
			for i := range len(got) / k.Size() {
				if g, w := load(k, got, i).re, load(k, b[1], i).re; !closeTo(g, w, k) {
					t.Errorf("%s: row %d, column %d: %v %v, PyTorch %v %v", kind, i/9, i%9, g.f, g.special, w.f, w.special)
				}
			}
		})
	}
}
