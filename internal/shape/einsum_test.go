package shape

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// resolved is the axes of an Einsum of shapes: the labels of each operand and of the
// result, those of an ellipsis as numbers, with the result's shape.
func resolved(e *Einsum, shapes []Shape) (string, error) {
	x, err := e.Of(shapes)
	if err != nil {
		return "", err
	}
	text := func(labels []Label) string {
		var words []string
		for _, l := range labels {
			if l < 0 {
				words = append(words, strconv.Itoa(int(l)))
			} else {
				words = append(words, l.String())
			}
		}
		return strings.Join(words, " ")
	}
	var inputs []string
	for _, in := range x.Inputs {
		inputs = append(inputs, text(in))
	}
	out := Shape{}
	for _, l := range x.Output {
		out = append(out, x.Extents[l])
	}
	return fmt.Sprintf("%s -> %s %v", strings.Join(inputs, ", "), text(x.Output), out), nil
}

func TestEinsum(t *testing.T) {
	for _, c := range []struct {
		spec   string
		shapes []Shape
		want   string
	}{
		{"ij,jk->ik", []Shape{{2, 3}, {3, 4}}, "i j, j k -> i k (2,4)"},
		{"ij,jk", []Shape{{2, 3}, {3, 4}}, "i j, j k -> i k (2,4)"},
		{" i j , j k -> k i ", []Shape{{2, 3}, {3, 4}}, "i j, j k -> k i (4,2)"},
		{"bA", []Shape{{2, 3}}, "b A -> A b (3,2)"},
		{"ii", []Shape{{3, 3}}, "i i ->  ()"},
		{"ii->i", []Shape{{3, 3}}, "i i -> i (3,)"},
		{"...i,ij->...j", []Shape{{5, 6, 2}, {2, 3}}, "-2 -1 i, i j -> -2 -1 j (5,6,3)"},
		{"b...a", []Shape{{2, 5, 3}}, "b -1 a -> -1 a b (5,3,2)"},
		{"...,...", []Shape{{3}, {2, 1}}, "-1, -2 -1 -> -2 -1 (2,3)"},
		{"i...->...i", []Shape{{3}}, "i -> i (3,)"},
		{"...i->i", []Shape{{3}}, "i -> i (3,)"},
		{"ij,jk->ik", []Shape{{2, 1}, {3, 4}}, "i j, j k -> i k (2,4)"},
		{"i,ii->i", []Shape{{3}, {1, 1}}, "i, i i -> i (3,)"},
		{"", []Shape{{}}, " ->  ()"},
		{"->", []Shape{{}}, " ->  ()"},
		{"i,->i", []Shape{{0}, {}}, "i,  -> i (0,)"},
	} {
		e, err := ParseEinsum(c.spec)
		if err != nil {
			t.Errorf("%q: %v", c.spec, err)
			continue
		}
		if got, err := resolved(e, c.shapes); err != nil || got != c.want {
			t.Errorf("%q of %v: got %q, %v, want %q", c.spec, c.shapes, got, err, c.want)
		}
		if e.String() != c.spec || e.Operands() != len(c.shapes) {
			t.Errorf("%q has %d operands and is called %q", c.spec, e.Operands(), e)
		}
	}
}

func TestEinsumSaysWhatIsWrong(t *testing.T) {
	for spec, want := range map[string]string{
		"1j->j":             `'1' in operand 1, "1j", is no label`,
		"ij-i":              `'-' in operand 1, "ij-i", is no label`,
		"i,j>i":             `'>' in operand 2, "j>i", is no label`,
		"ij->->i":           `'-' in the result, "->i", is no label`,
		"ij->i,j":           `',' in the result, "i,j", is no label`,
		"iä->i":             `'ä' in operand 1, "iä", is no label`,
		"i.j->i":            `operand 1, "i.j", has a dot that is no part of an ellipsis`,
		"a,b..->a":          `operand 2, "b..", has a dot that is no part of an ellipsis`,
		"i....->i":          `operand 1, "i....", has a dot that is no part of an ellipsis`,
		"...i...->i":        `operand 1, "...i...", has a second ellipsis`,
		"i->......":         `the result, "......", has a second ellipsis`,
		"ij->ii":            `the result has i twice`,
		"ij,jk->iz":         `the result's z is in no operand`,
		"ij->iJ":            `the result's J is in no operand`,
		"\xff->":            `'�' in operand 1, "\xff", is no label`,
		"a b , c\td\n->ab1": `'1' in the result, "ab1", is no label`,
	} {
		_, err := ParseEinsum(spec)
		var bad *EinsumError
		if want = fmt.Sprintf("%q: ", spec) + want; !errors.As(err, &bad) || bad.Msg != want {
			t.Errorf("%q: got %v, want %s", spec, err, want)
		}
	}
	if _, err := ParseEinsum(strings.Repeat("i,", 63) + "i"); err != nil {
		t.Errorf("64 operands: %v", err)
	}
	if _, err := ParseEinsum(strings.Repeat("i,", 64) + "i"); err == nil || err.Error() != "65 operands: want at most 64" {
		t.Errorf("65 operands: %v", err)
	}
	for _, c := range []struct {
		spec   string
		shapes []Shape
		want   error
	}{
		{"ij->i", []Shape{{2}}, &RankError{0}},
		{"i,ij->i", []Shape{{2}, {2, 3, 4}}, &RankError{1}},
		{"...ij->ij", []Shape{{2}}, &RankError{0}},
		{"->", []Shape{{1}}, &RankError{0}},
		{"ij,jk->ik", []Shape{{2, 3}, {4, 5}}, &ExtentError{'j', 1, 0, 0, 1}},
		{"ij,jk,jl->i", []Shape{{2, 1}, {3, 4}, {5, 6}}, &ExtentError{'j', 2, 0, 1, 0}},
		{"ii->i", []Shape{{2, 3}}, &ExtentError{'i', 0, 1, 0, 0}},
		{"ii->i", []Shape{{1, 3}}, &ExtentError{'i', 0, 1, 0, 0}},
		{"i,ii->i", []Shape{{3}, {3, 1}}, &ExtentError{'i', 1, 1, 1, 0}},
		{"...i,...i->...", []Shape{{2, 3}, {4, 3}}, &ExtentError{-1, 1, 0, 0, 0}},
		{"i,...i->i", []Shape{{3}, {2, 3}}, &EllipsisError{1}},
	} {
		e, err := ParseEinsum(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Of(c.shapes); err == nil || fmt.Sprintf("%T %+v", err, err) != fmt.Sprintf("%T %+v", c.want, c.want) {
			t.Errorf("%q of %v: got %v, want %v", c.spec, c.shapes, err, c.want)
		}
	}
}

// FuzzEinsum reads any text, and takes operands of any shapes: what comes out must
// be whole, and be the same for the text that it stands for.
func FuzzEinsum(f *testing.F) {
	f.Add("ij,jk->ik", []byte{2, 3, 0xff, 3, 4})
	f.Add("...i, i ... -> ...", []byte{2, 3, 0xff, 3, 1})
	f.Add("iij", []byte{2, 2, 5})
	f.Add("->", []byte{})
	f.Fuzz(func(t *testing.T, spec string, extents []byte) {
		e, err := ParseEinsum(spec)
		if err != nil {
			if !errors.As(err, new(*EinsumError)) {
				t.Fatalf("%q: %v", spec, err)
			}
			return
		}
		var operands []string
		for i := range e.Operands() {
			operands = append(operands, e.Subscripts(i))
		}
		again, err := ParseEinsum(strings.Join(operands, " , ") + " -> " + (&Einsum{inputs: [][]Label{e.output}}).Subscripts(0))
		if err != nil || !slices.Equal(again.output, e.output) || !slices.EqualFunc(again.inputs, e.inputs, slices.Equal[[]Label]) {
			t.Fatalf("%q is read as %v -> %v, and that is read as %+v, %v", spec, operands, e.output, again, err)
		}
		shapes := make([]Shape, e.Operands()) // of any rank, or what the operand says
		for i := range shapes {
			n, _ := e.Axes(i)
			for len(extents) > 0 && extents[0] != 0xff {
				shapes[i] = append(shapes[i], int(extents[0]%5))
				extents = extents[1:]
			}
			extents = extents[min(1, len(extents)):]
			for len(shapes[i]) < n {
				shapes[i] = append(shapes[i], 2)
			}
		}
		x, err := e.Of(shapes)
		if err != nil {
			if !errors.As(err, new(*RankError)) && !errors.As(err, new(*ExtentError)) && !errors.As(err, new(*EllipsisError)) {
				t.Fatalf("%q of %v: %v", spec, shapes, err)
			}
			return
		}
		for i, s := range shapes {
			if len(x.Inputs[i]) != len(s) {
				t.Fatalf("%q of %v: operand %d has the labels %v", spec, shapes, i, x.Inputs[i])
			}
			for a, l := range x.Inputs[i] {
				if n, ok := x.Extents[l]; !ok || s[a] != n && s[a] != 1 {
					t.Fatalf("%q of %v: %v is %d", spec, shapes, l, n)
				}
			}
		}
		for i, l := range x.Output {
			if _, ok := x.Extents[l]; !ok || slices.Contains(x.Output[:i], l) {
				t.Fatalf("%q of %v: the result has the labels %v", spec, shapes, x.Output)
			}
		}
	})
}

// Of random texts and shapes NumPy takes the same ones, and gives the same shapes.
func TestInteropEinsumIsNumPys(t *testing.T) {
	const program = `
import numpy as np, random
random.seed(3)
def subscripts():
    s = [random.choice('iijjkA') for _ in range(random.randint(0, 3))]
    if random.random() < 0.3: s.insert(random.randint(0, len(s)), '...')
    if random.random() < 0.03: s.insert(random.randint(0, len(s)), random.choice(['.', '1', '...', '->']))
    return s
size = {'i': 2, 'j': 3, 'k': 4, 'A': 2}
for _ in range(1500):
    operands = [subscripts() for _ in range(random.randint(1, 3))]
    shapes = []
    for s in operands:
        shape = []
        for l in s:
            if l == '...': shape += [random.choice([1, 2]) for _ in range(random.randint(0, 2))]
            else: shape.append(1 if random.random() < 0.1 else 5 if random.random() < 0.02 else size.get(l, 2))
        if random.random() < 0.03: shape.append(2)
        shapes.append(shape)
    spec = ' , '.join(''.join(s) for s in operands)
    if random.random() < 0.7:
        out = sorted(set(l for s in operands for l in s), key=lambda l: random.random())
        out = [l for l in out if l == '...' and random.random() < 0.9 or random.random() < 0.6]
        if random.random() < 0.05: out.append(random.choice('izq'))
        spec += '->' + ''.join(out)
    try: r = 'ok ' + ','.join(map(str, np.einsum(spec, *(np.zeros(s) for s in shapes)).shape))
    except ValueError: r = 'no '
    print(';'.join([spec, '/'.join(','.join(map(str, s)) for s in shapes), r]))
`
	out, err := exec.Command("/usr/bin/python3", "-c", program).Output()
	if err != nil {
		if os.Getenv("FUSECTL_INTEROP") == "1" {
			t.Fatal(err)
		}
		t.Skip("no NumPy")
	}
	parse := func(text string) (s Shape) {
		for word := range strings.SplitSeq(text, ",") {
			if n, err := strconv.Atoi(word); err == nil {
				s = append(s, n)
			}
		}
		return s
	}
	verdicts := map[string]int{}
	for line := range strings.Lines(string(out)) {
		part := strings.Split(strings.TrimSuffix(line, "\n"), ";")
		var shapes []Shape
		for text := range strings.SplitSeq(part[1], "/") {
			shapes = append(shapes, parse(text))
		}
		verdict, want, _ := strings.Cut(part[2], " ")
		verdicts[verdict]++
		got := Shape{}
		e, err := ParseEinsum(part[0])
		if err == nil {
			var x Indices
			x, err = e.Of(shapes)
			for _, l := range x.Output {
				got = append(got, x.Extents[l])
			}
		}
		if (err == nil) != (verdict == "ok") || err == nil && !got.Equal(parse(want)) {
			t.Errorf("%q: got %v, %v", line, got, err)
		}
	}
	if verdicts["ok"] < 500 || verdicts["no"] < 200 {
		t.Errorf("of NumPy's verdicts there are %v: too few of a kind", verdicts)
	}
}
