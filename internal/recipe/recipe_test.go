package recipe

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := Parse("# a recipe\n\ns = gap x --axes 1,2\r\np{} = fpn 'c 2.npy' \"c'3\" \\\n  --all # all of them\ny=mul s\n")
	if err == nil {
		t.Fatalf("y=mul without blanks: got %v", got)
	}
	got, err = Parse("# a recipe \\\n\ns = gap x --axes 1,2\r\np{} = fpn 'c 2.npy' \"c'3\" \\\n  --all # all of them\ny = mul s ''\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{"s", []string{"gap", "x", "--axes", "1,2"}, 3, "s = gap x --axes 1,2"},
		{"p{}", []string{"fpn", "c 2.npy", "c'3", "--all"}, 4, "p{} = fpn c 2.npy c'3 --all"},
		{"y", []string{"mul", "s", ""}, 6, "y = mul s "},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "the recipe has no step",
		"# only\n  # comments":            "the recipe has no step",
		"gap x":                           `line 1: "gap x": want NAME = COMMAND ARGUMENTS`,
		"\ns =":                           `line 2: "s =": want NAME`,
		"s = gap 'x":                      "line 1: a quote (') isn't closed",
		"1s = gap x":                      `"1s" is no name`,
		"a/b = gap x":                     `"a/b" is no name`,
		"p{}{} = fpn x":                   `"p{}{}" is no name`,
		"p} = fpn x":                      `"p}" is no name`,
		"s = gap x\ns = gmp x":            "line 2 (s = gmp x): s is the result of line 1 already",
		"p{} = fpn a b --all\np2 = gap a": "line 2 (p2 = gap a): p2 is the result of line 1 already",
		"p2 = gap a\np{} = fpn a b --all": "line 2 (p{} = fpn a b --all): p{} is the result of line 1 already",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestChain(t *testing.T) {
	steps, err := Chain([]string{"gap", "x", "then", "mul", "-", "-"})
	want := []Step{{"", []string{"gap", "x"}, 1, "gap x"}, {"", []string{"mul", "-", "-"}, 2, "mul - -"}}
	if err != nil || !reflect.DeepEqual(steps, want) {
		t.Errorf("got %+v, %v", steps, err)
	}
	for _, args := range [][]string{{}, {"then"}, {"gap", "then"}, {"then", "gap"}, {"gap", "then", "then", "gap"}} {
		if steps, err := Chain(args); err == nil || !strings.Contains(err.Error(), "is empty") {
			t.Errorf("%q: got %+v, %v", args, steps, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	s := Step{Name: "p{}x"}
	for name, want := range map[string]string{"p2x": "2", "p10x": "10", "px": "", "p2": "", "pax": "", "p{}x": "", "p-1x": ""} {
		got, ok := s.Number(name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}
	steps := []Step{{Name: "a"}, s}
	for name, want := range map[string]int{"a": 0, "p3x": 1, "p{}x": 1, "b": -1} {
		if got := Find(steps, name); got != want {
			t.Errorf("%s: found %d, want %d", name, got, want)
		}
	}
}

func TestLongStepsAreCutInMessages(t *testing.T) {
	s := Step{Name: "y", Line: 7, Text: strings.Repeat("ü", 500)}
	if got, want := s.Where(), "line 7 ("+strings.Repeat("ü", shown)+"…)"; got != want {
		t.Errorf("got %s", got)
	}
}

// What Parse takes is words that, quoted and written out again, it takes the
// same way.
func FuzzParse(f *testing.F) {
	f.Add("s = gap x --axes 1,2 # why\np{} = fpn 'a b' \"c\" \\\n --all")
	f.Add("a = \\\n b")
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := Parse(text)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, s := range steps {
			again.WriteString(s.Name + " =")
			for _, a := range s.Args {
				again.WriteString(" '" + strings.ReplaceAll(a, "'", `'"'"'`) + "'")
			}
			again.WriteString("\n")
		}
		if strings.Contains(text, "\r") || strings.Contains(text, `\`) {
			return // a carriage return or a backslash at a line's end has a meaning that quotes don't take away
		}
		got, err := Parse(again.String())
		if err != nil || len(got) != len(steps) {
			t.Fatalf("%q written again as %q: %v", text, again.String(), err)
		}
		for i := range got {
			if got[i].Name != steps[i].Name || !reflect.DeepEqual(got[i].Args, steps[i].Args) {
				t.Fatalf("%q: step %d is %q, written again %q", text, i, steps[i].Args, got[i].Args)
			}
		}
	})
}
