package shape

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// arranged carries an arrangement out on the numbers x of an array's elements, by
// indexing: those along axes that vanish are added.
func arranged(x []int, a Arrangement) []int {
	var kept []int
	for i := range a.Apart {
		if !slices.Contains(a.Gone, i) {
			kept = append(kept, i)
		}
	}
	sums := make([]int, a.Kept.Len())
	for i, v := range x {
		at, to := unravel(i, a.Apart), 0
		for _, k := range kept {
			to = to*a.Apart[k] + at[k]
		}
		sums[to] += v
	}
	s := a.Wide.Permute(a.Perm)
	out := make([]int, s.Len())
	for i := range out {
		at, from := unravel(i, s), 0
		was := make([]int, len(at))
		for k, p := range a.Perm {
			was[p] = at[k]
		}
		for k, d := range a.Kept {
			from = from*d + was[k]%d // of an extent 1, position 0
		}
		out[i] = sums[from]
	}
	return out
}

// unravel is the position of element i of s along each axis.
func unravel(i int, s Shape) []int {
	at := make([]int, len(s))
	for a := len(s) - 1; a >= 0; a-- {
		at[a] = i % s[a]
		i /= s[a]
	}
	return at
}

// Element by element, a pattern must take what has a position on each named axis to
// the same position on it.
func TestPatternsMoveByNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		use := PatternUse(rapid.IntRange(0, 2).Draw(t, "use"))
		sizes := map[string]int{}
		axes := []string{"a", "b", "c_1", "É", "e5"}[:rapid.IntRange(0, 5).Draw(t, "axes")]
		for _, name := range axes {
			sizes[name] = rapid.IntRange(1, 4).Draw(t, name)
		}
		shuffled := func(what string, all []string) []string {
			if len(all) == 0 {
				return nil
			}
			return rapid.Permutation(all).Draw(t, what)
		}
		var left, right []string // the names in order
		for _, name := range shuffled("left", axes) {
			if use != ToRepeat || rapid.Bool().Draw(t, "old") {
				left = append(left, name)
			}
		}
		for _, name := range shuffled("right", axes) {
			if slices.Contains(left, name) && use != ToReduce || use == ToRepeat || use == ToReduce && rapid.Bool().Draw(t, "kept") {
				right = append(right, name)
			}
		}
		known := map[string]int{}
		composed := func(what string, all []string) (text string, s Shape) {
			var sides []string
			for len(all) > 0 || rapid.IntRange(0, 3).Draw(t, what+" more") == 0 {
				n := rapid.IntRange(0, len(all)).Draw(t, what)
				d := 1
				for i, name := range all[:n] {
					d *= sizes[name]
					if i > 0 || what == "right" && !slices.Contains(left, name) {
						known[name] = sizes[name]
					}
				}
				word := strings.Join(all[:n], " ")
				switch {
				case n == 0:
					word = rapid.SampledFrom([]string{"1", "()", "( 1 )"}).Draw(t, "one")
				case n > 1 || rapid.Bool().Draw(t, "parentheses"):
					word = "(" + word + ")"
				}
				sides, s, all = append(sides, word), append(s, d), all[n:]
			}
			return strings.Join(sides, " "), s
		}
		text, s := composed("left", left)
		to, want := composed("right", right)
		text += rapid.SampledFrom([]string{"->", " -> ", " ->\t"}).Draw(t, "arrow") + to
		p, err := ParsePattern(text, use, known)
		if err != nil {
			t.Fatal(err)
		}
		a, err := p.On(s)
		if err != nil {
			t.Fatal(err)
		}
		if !a.Out.Equal(want) {
			t.Fatalf("%s on %v: %v, want %v", text, s, a.Out, want)
		}
		x := make([]int, s.Len())
		for i := range x {
			x[i] = 1 + i*i
		}
		got, sum := arranged(x, a), make([]int, want.Len())
		all := make(Shape, len(axes))
		for i, name := range axes {
			all[i] = sizes[name]
		}
		for i := range all.Len() { // every position along all named axes
			at := map[string]int{}
			for k, n := range unravel(int(i), all) {
				at[axes[k]] = n
			}
			place := func(names []string) (n int) {
				for _, name := range names {
					n = n*sizes[name] + at[name]
				}
				return n
			}
			sum[place(right)] += x[place(left)]
		}
		if !slices.Equal(got, sum) {
			t.Fatalf("%s on %v:\n got %v\nwant %v", text, s, got, sum)
		}
	})
}

// The identities and the shapes of einops' documentation.
func TestPatternsOfEinops(t *testing.T) {
	for _, c := range []struct {
		text  string
		use   PatternUse
		sizes map[string]int
		s     Shape
		out   Shape
		perm  []int // of the axes apart
		gone  []int
	}{
		{"b h w c -> b h w c", ToRearrange, nil, Shape{6, 96, 95, 3}, Shape{6, 96, 95, 3}, []int{0, 1, 2, 3}, nil},
		{"b h w c -> b c h w", ToRearrange, nil, Shape{6, 96, 95, 3}, Shape{6, 3, 96, 95}, []int{0, 3, 1, 2}, nil},
		{"b h w c -> (b h) w c", ToRearrange, nil, Shape{6, 96, 95, 3}, Shape{576, 95, 3}, []int{0, 1, 2, 3}, nil},
		{"b h w c -> h (b w) c", ToRearrange, nil, Shape{6, 96, 95, 3}, Shape{96, 570, 3}, []int{1, 0, 2, 3}, nil},
		{"b h w c -> (b h w c)", ToRearrange, nil, Shape{6, 96, 95, 3}, Shape{6 * 96 * 95 * 3}, []int{0, 1, 2, 3}, nil},
		{"(b1 b2) h w c -> b1 b2 h w c", ToRearrange, map[string]int{"b1": 2}, Shape{6, 96, 95, 3}, Shape{2, 3, 96, 95, 3}, []int{0, 1, 2, 3, 4}, nil},
		{"b (h h1) (w w1) c -> (b h1 w1) h w c", ToRearrange, map[string]int{"h1": 2, "w1": 5}, Shape{6, 96, 95, 3}, Shape{60, 48, 19, 3}, []int{0, 2, 4, 1, 3, 5}, nil},
		{"b (c h1 w1) h w -> b c (h h1) (w w1)", ToRearrange, map[string]int{"h1": 2, "w1": 2}, Shape{5, 12, 7, 8}, Shape{5, 3, 14, 16}, []int{0, 1, 4, 2, 5, 3}, nil},
		{"... -> (...)", ToRearrange, nil, Shape{2, 3, 4}, Shape{24}, []int{0, 1, 2}, nil},
		{"... -> (...)", ToRearrange, nil, Shape{}, Shape{1}, []int{}, nil},
		{"... -> ...", ToRearrange, nil, Shape{}, Shape{}, []int{}, nil},
		{"->", ToRearrange, nil, Shape{}, Shape{}, []int{}, nil},
		{"a ... b -> b ... a", ToRearrange, nil, Shape{2, 3, 4, 5}, Shape{5, 3, 4, 2}, []int{3, 1, 2, 0}, nil},
		{"b c ... (hs ws) -> b ... c hs ws", ToRearrange, map[string]int{"hs": 2}, Shape{1, 2, 3, 4, 6}, Shape{1, 3, 4, 2, 2, 3}, []int{0, 2, 3, 1, 4, 5}, nil},
		{"b ... -> (b ...) 1", ToRearrange, nil, Shape{2, 3, 4}, Shape{24, 1}, []int{0, 1, 2}, nil},
		{"h w -> h w 3", ToRepeat, nil, Shape{30, 40}, Shape{30, 40, 3}, []int{0, 1, 2}, nil},
		{"h w -> (repeat h) w", ToRepeat, map[string]int{"repeat": 2}, Shape{30, 40}, Shape{60, 40}, []int{0, 1, 2}, nil},
		{"h w -> h (repeat w)", ToRepeat, map[string]int{"repeat": 3}, Shape{30, 40}, Shape{30, 120}, []int{0, 1, 2}, nil},
		{"h w -> (h h2) (w w2)", ToRepeat, map[string]int{"h2": 2, "w2": 2}, Shape{30, 40}, Shape{60, 80}, []int{0, 1, 2, 3}, nil},
		{"h (w w2) -> h (w w2 2) 2", ToRepeat, map[string]int{"w2": 5}, Shape{30, 40}, Shape{30, 80, 2}, []int{0, 1, 2, 3, 4}, nil},
		{"n h w c -> n c", ToReduce, nil, Shape{2, 4, 5, 3}, Shape{2, 3}, []int{0, 1}, []int{1, 2}},
		{"b (h 2) (w 3) c -> b h w c", ToReduce, nil, Shape{2, 4, 6, 3}, Shape{2, 2, 2, 3}, []int{0, 1, 2, 3}, []int{2, 4}},
		{"b c (h h2) w -> h w c", ToReduce, map[string]int{"h2": 2}, Shape{2, 3, 4, 5}, Shape{2, 5, 3}, []int{1, 2, 0}, []int{0, 3}},
		{"b c ... -> b c () ()", ToReduce, nil, Shape{2, 3, 4, 5}, Shape{2, 3, 1, 1}, []int{0, 1}, []int{2, 3}},
		{"... -> ", ToReduce, nil, Shape{2, 3}, Shape{}, []int{}, []int{0, 1}},
		{"... c -> c", ToReduce, nil, Shape{3}, Shape{3}, []int{0}, nil},
		{"n (h w) c -> n h w c", ToRearrange, map[string]int{"w": 4}, Shape{2, 0, 3}, Shape{2, 0, 4, 3}, []int{0, 1, 2, 3}, nil},
	} {
		p, err := ParsePattern(c.text, c.use, c.sizes)
		if err != nil {
			t.Error(err)
			continue
		}
		a, err := p.On(c.s)
		switch {
		case err != nil:
			t.Error(err)
		case !a.Out.Equal(c.out) || !slices.Equal(a.Perm, c.perm) || !slices.Equal(a.Gone, c.gone) || a.Apart.Len() != c.s.Len():
			t.Errorf("%s on %v: %+v", c.text, c.s, a)
		}
	}
}

func TestPatternsRefused(t *testing.T) {
	wide := strings.TrimSuffix(strings.Repeat("1 ", 65), " ")
	const name = "names are of letters, digits and _, begin with a letter and don't end with _"
	for _, c := range []struct {
		text      string
		use       PatternUse
		sizes     map[string]int
		s         Shape // nil: refused for any
		msg, hint string
	}{
		{"h w", ToRearrange, nil, nil, "'h w': want two sides with one -> between", "LEFT -> RIGHT, in quotes: 'n h w c -> n c h w'"},
		{"a -> b -> c", ToRearrange, nil, nil, "'a -> b -> c': want two sides with one -> between", "LEFT -> RIGHT, in quotes: 'n h w c -> n c h w'"},
		{"(a (b c)) -> a b c", ToRearrange, nil, nil, "'(a (b c)) -> a b c': has parentheses within parentheses", ""},
		{"(a b -> a b", ToRearrange, nil, nil, "'(a b -> a b': has a ( without its )", ""},
		{"a b) -> a b", ToRearrange, nil, nil, "'a b) -> a b': has a ) without its (", ""},
		{"a, b -> b a", ToRearrange, nil, nil, `'a, b -> b a': "a," is no name of an axis`, name},
		{"2a -> 2a", ToRearrange, nil, nil, `'2a -> 2a': "2a" is no name of an axis`, name},
		{"_a -> _a", ToRearrange, nil, nil, `'_a -> _a': "_a" is no name of an axis`, name},
		{"a_ -> a_", ToRearrange, nil, nil, `'a_ -> a_': "a_" is no name of an axis`, name},
		{"a -1 -> a", ToRearrange, nil, nil, `'a -1 -> a': "-1" is no name of an axis`, name},
		{"a#1 -> a#1", ToRearrange, nil, nil, `'a#1 -> a#1': "a#1" is no name of an axis`, name},
		{"a.b -> a.b", ToRearrange, nil, nil, "'a.b -> a.b': a.b: dots stand as ... alone, for the axes that have no name", ""},
		{".. a -> a ..", ToRearrange, nil, nil, "'.. a -> a ..': ..: dots stand as ... alone, for the axes that have no name", ""},
		{"a 0 -> a", ToReduce, nil, nil, "'a 0 -> a': an axis of extent 0: want at least 1", ""},
		{"a -> a 99999999999999999999", ToRepeat, nil, nil, "'a -> a 99999999999999999999': an axis of extent 99999999999999999999: want at least 1", ""},
		{"a b a -> a b", ToRearrange, nil, nil, "'a b a -> a b': a stands twice on one side", ""},
		{"a b -> a (b a)", ToRearrange, nil, nil, "'a b -> a (b a)': a stands twice on one side", ""},
		{"... a ... -> a", ToReduce, nil, nil, "'... a ... -> a': ... stands twice on one side", ""},
		{"(... a) -> a ...", ToRearrange, nil, nil, "'(... a) -> a ...': ... stands in parentheses on the left, where it can't be told apart", ""},
		{"a -> a ...", ToRepeat, nil, nil, "'a -> a ...': ... stands on the right only", ""},
		{"... a -> a", ToRearrange, nil, nil, "'... a -> a': ... stands on the left only", "fusectl reduce is for axes that vanish"},
		{"a b -> a", ToRearrange, nil, nil, "'a b -> a': b stands on the left only", "fusectl reduce is for axes that vanish"},
		{"a b -> a", ToRepeat, nil, nil, "'a b -> a': b stands on the left only", "fusectl reduce is for axes that vanish"},
		{"a -> a b", ToRearrange, nil, nil, "'a -> a b': b stands on the right only", "fusectl repeat is for new axes, along which elements repeat"},
		{"a -> a b", ToReduce, nil, nil, "'a -> a b': b stands on the right only", ""},
		{"a -> a 2", ToReduce, nil, nil, "'a -> a 2': 2 stands on the right only", ""},
		{"a -> a 2", ToRearrange, nil, nil, "'a -> a 2': 2 stands on the right only", "fusectl repeat is for new axes, along which elements repeat"},
		{"(a 2) -> a 2", ToRearrange, nil, nil, "'(a 2) -> a 2': the axis of extent 2 on the left has no name by which the right could have it", "name it, and give the name an extent by --sizes NAME=2"},
		{"a -> a b", ToRepeat, nil, nil, "'a -> a b': the new axis b has no extent", "--sizes b=2 gives it one"},
		{"(a b) -> a b", ToRearrange, nil, nil, "'(a b) -> a b': (a b) can't be told apart: the extents of a and b are unknown", "--sizes b=2 gives one of them an extent; the array tells the last"},
		{"(a b) (c d 3) -> a b", ToReduce, map[string]int{"a": 2}, nil, "'(a b) (c d 3) -> a b': (c d 3) can't be told apart: the extents of c and d are unknown", "--sizes d=2 gives one of them an extent; the array tells the last"},
		{"a -> a", ToRearrange, map[string]int{"b": 2}, nil, "'a -> a': has no axis b, for which there is a size", ""},
		{"... -> ...", ToRearrange, map[string]int{"...": 2}, nil, "'... -> ...': has no axis ..., for which there is a size", ""},
		{"(a 2) -> a", ToReduce, map[string]int{"2#0": 3, "2#1": 3}, nil, "'(a 2) -> a': has no axis 2#0, for which there is a size", ""},
		{"(a b) -> a b", ToRearrange, map[string]int{"a": -1}, nil, "'(a b) -> a b': the size a=-1: want at least 1", ""},
		{"(a b) -> a b", ToRearrange, map[string]int{"a": 0}, nil, "'(a b) -> a b': the size a=0: want at least 1", ""},

		{"a b -> b a", ToRearrange, nil, Shape{2, 3, 4}, "shape (2,3,4) does not fit 'a b -> b a': the left side has 2 axes", "... stands for axes that the pattern doesn't name"},
		{"a b ... -> b a ...", ToRearrange, nil, Shape{2}, "shape (2,) does not fit 'a b ... -> b a ...': the left side has at least 2 axes", ""},
		{"a 1 -> a", ToRearrange, nil, Shape{2, 3}, "shape (2,3) does not fit 'a 1 -> a': axis 1 has extent 3, where the left side has 1", ""},
		{"a b -> b a", ToRearrange, map[string]int{"b": 2}, Shape{2, 3}, "shape (2,3) does not fit 'a b -> b a': axis 1 has extent 3, not b=2", ""},
		{"a 5 -> a", ToReduce, nil, Shape{2, 3}, "shape (2,3) does not fit 'a 5 -> a': axis 1 has extent 3, not 5", ""},
		{"a (b c) -> a b c", ToRearrange, map[string]int{"b": 2}, Shape{2, 3}, "shape (2,3) does not fit 'a (b c) -> a b c': axis 1 has extent 3, which (b c) doesn't divide with b=2", ""},
		{"(b 2 c) -> c", ToReduce, map[string]int{"b": 2}, Shape{6}, "shape (6,) does not fit '(b 2 c) -> c': axis 0 has extent 6, which (b 2 c) doesn't divide with b=2, 2", ""},
		{"(b c) -> b c", ToRearrange, map[string]int{"b": 2, "c": 2}, Shape{6}, "shape (6,) does not fit '(b c) -> b c': axis 0 has extent 6, which isn't (b c) with b=2, c=2", ""},
		{"(b c) -> b c", ToRearrange, map[string]int{"b": 1 << 40, "c": 1 << 40}, Shape{0}, "shape (0,) does not fit '(b c) -> b c': axis 0 has extent 0, which isn't (b c) with b=1099511627776, c=1099511627776", ""},
		{"a -> a b c", ToRepeat, map[string]int{"b": 1 << 40, "c": 1 << 40}, Shape{1}, "shape (1,) does not fit 'a -> a b c': shape (1,1099511627776,1099511627776) at 1 bytes an element takes more than 2^63-1 bytes", ""},
		{"a -> a " + wide, ToRearrange, nil, Shape{1}, "shape (1,) does not fit 'a -> a " + wide + "': shape has 66 dimensions: want at most 64", ""},
	} {
		p, err := ParsePattern(c.text, c.use, c.sizes)
		if (err == nil) != (c.s != nil) {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if err == nil {
			_, err = p.On(c.s)
		}
		var e *PatternError
		if !errors.As(err, &e) || e.Msg != c.msg || e.Hint != c.hint {
			t.Errorf("%s:\n got %v\nwant %s\nhint: %s", c.text, err, c.msg, c.hint)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, text := range []string{
		"n (h p) w c -> (n h) w (p c)", "... c -> c ...", "a b -> (a b)", "(a 2) b -> a", "a -> a 3", "1 () -> ()", "(...", "-> a", "... (a b) -> (... a) 1 b",
	} {
		f.Add(text, 0, 2, uint32(0x1234))
	}
	f.Fuzz(func(t *testing.T, text string, use, b int, extents uint32) {
		sizes := map[string]int{}
		if b != 0 {
			sizes["b"] = b
		}
		p, err := ParsePattern(text, PatternUse(uint(use)%3), sizes)
		s := Shape{}
		for ; extents != 0; extents >>= 4 {
			s = append(s, int(extents&7))
		}
		var a Arrangement
		if err == nil {
			a, err = p.On(s)
		}
		if err != nil {
			if e := (*PatternError)(nil); !errors.As(err, &e) || e.Msg == "" {
				t.Fatalf("%q on %v: %v", text, s, err)
			}
			return
		}
		perm := slices.Sorted(slices.Values(a.Perm))
		for i, k := range perm {
			if i != k {
				t.Fatalf("%q on %v: %v is no permutation", text, s, a.Perm)
			}
		}
		wide, ok := Broadcast(a.Kept, a.Wide)
		if len(perm) != len(a.Wide) || !ok || !wide.Equal(a.Wide) || a.Apart.Len() != s.Len() || a.Out.Len() != a.Wide.Len() ||
			!slices.IsSorted(a.Gone) || a.Apart.Reduced(a.Gone, false).Len() != a.Kept.Len() || len(a.Out) > MaxDims {
			t.Fatalf("%q on %v: %+v", text, s, a)
		}
		again, err := ParsePattern(text, PatternUse(uint(use)%3), maps.Clone(sizes))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := again.On(s); err != nil || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("%q on %v: %+v, then %+v, %v", text, s, a, b, err)
		}
	})
}
