package shape

import (
	"math/big"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestString(t *testing.T) {
	for want, s := range map[string]Shape{"()": {}, "(4,)": {4}, "(2,0,3)": {2, 0, 3}} {
		if got := s.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// checked is the rule of Check in integers without limit.
func checked(s Shape, size int) (int64, bool) {
	product, n := big.NewInt(int64(size)), big.NewInt(1)
	for _, d := range s {
		if d < 0 {
			return 0, false
		}
		n.Mul(n, big.NewInt(int64(d)))
		if d > 0 {
			product.Mul(product, big.NewInt(int64(d)))
		}
	}
	return n.Int64(), product.IsInt64() && len(s) <= MaxDims
}

func extents(low, high, dims int) *rapid.Generator[[]int] {
	return rapid.SliceOfN(rapid.IntRange(low, high), 0, dims)
}

func TestCheckCountsWithoutOverflow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		huge := rapid.OneOf(rapid.IntRange(-2, 9), rapid.IntRange(0, 1<<62), rapid.Just(1<<32), rapid.Just(1<<31))
		s := Shape(rapid.SliceOfN(huge, 0, 5).Draw(t, "shape"))
		size := rapid.IntRange(1, 16).Draw(t, "size")
		want, fits := checked(s, size)
		got, err := s.Check(size)
		if (err == nil) != fits || fits && got != want {
			t.Fatalf("%v at %d bytes: %d, %v; want %d, %v", s, size, got, err, want, fits)
		}
	})
	if _, err := make(Shape, MaxDims+1).Check(1); err == nil {
		t.Error("65 dimensions passed")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(int64(2), int64(3), int64(4), 4)
	f.Add(int64(1)<<32, int64(1)<<32, int64(0), 1)
	f.Add(int64(1)<<62+1, int64(4), int64(1), 8)
	f.Add(int64(-1), int64(0), int64(1), 1)
	f.Fuzz(func(t *testing.T, a, b, c int64, size int) {
		if size < 1 || size > 1<<20 {
			return
		}
		s := Shape{int(a), int(b), int(c)}
		want, fits := checked(s, size)
		if got, err := s.Check(size); (err == nil) != fits || fits && got != want {
			t.Fatalf("%v at %d: %d, %v; want %d, %v", s, size, got, err, want, fits)
		}
	})
}

func FuzzBroadcast(f *testing.F) {
	f.Add([]byte{2, 3}, []byte{3})
	f.Add([]byte{1, 3}, []byte{4, 1})
	f.Add([]byte{0}, []byte{2})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) > 8 || len(b) > 8 {
			return
		}
		s, r := Shape{}, Shape{}
		for _, d := range a {
			s = append(s, int(d%4))
		}
		for _, d := range b {
			r = append(r, int(d%4))
		}
		got, ok := Broadcast(s, r)
		want, fits := broadcastByAxis(s, r)
		if ok != fits || ok && !got.Equal(want) {
			t.Fatalf("%v and %v: %v, %v; want %v, %v", s, r, got, ok, want, fits)
		}
		if ok {
			replay(t, s, got)
		}
	})
}

// broadcastByAxis is NumPy's rule, said axis by axis from the end.
func broadcastByAxis(a, b Shape) (Shape, bool) {
	n := max(len(a), len(b))
	out := make(Shape, n)
	for i := 1; i <= n; i++ {
		x, y := 1, 1
		if i <= len(a) {
			x = a[len(a)-i]
		}
		if i <= len(b) {
			y = b[len(b)-i]
		}
		if x != y && x != 1 && y != 1 {
			return nil, false
		}
		out[n-i] = x
		if x == 1 {
			out[n-i] = y
		}
	}
	return out, true
}

// replay walks the levels of Repeats and wants the source index of every
// element to be the one that indexing gives.
func replay(t interface{ Fatalf(string, ...any) }, src, dst Shape) {
	levels := Repeats(src, dst)
	if dst.Len() > 4096 {
		return
	}
	at := make([]int, len(dst))
	for i := range dst.Len() {
		want, lead := 0, len(dst)-len(src)
		rest := i
		for a := len(dst) - 1; a >= 0; a-- {
			at[a] = int(rest % int64(dst[a]))
			rest /= int64(dst[a])
		}
		for a, d := range src {
			want *= d
			if d != 1 {
				want += at[lead+a]
			}
		}
		got, stride := int64(0), int64(1)
		rest = i
		for l := len(levels) - 1; l >= 0; l-- {
			k := rest % levels[l].Len
			rest /= levels[l].Len
			if !levels[l].Same {
				got += k * stride
				stride *= levels[l].Len
			}
		}
		if got != int64(want) {
			t.Fatalf("%v to %v: element %d comes from %d, want %d (%v)", src, dst, i, got, want, levels)
		}
	}
	for i := 1; i < len(levels); i++ {
		if levels[i].Same == levels[i-1].Same {
			t.Fatalf("%v to %v: levels %v aren't coalesced", src, dst, levels)
		}
	}
}

func TestAxes(t *testing.T) {
	for _, c := range []struct {
		axes []int
		ndim int
		want []int
	}{
		{[]int{-1, 0}, 4, []int{0, 3}}, {[]int{}, 2, []int{}}, {[]int{1, -1}, 2, nil}, {[]int{2}, 2, nil}, {[]int{-3}, 2, nil},
	} {
		got, err := Axes(c.axes, c.ndim)
		if (err == nil) != (c.want != nil) || err == nil && !slices.Equal(got, c.want) {
			t.Errorf("%v of %d: %v, %v; want %v", c.axes, c.ndim, got, err, c.want)
		}
	}
}

// Swaps, carried out one by one on the numbers of the elements, must leave
// them where the permutation has them.
func TestSwapsMakeThePermutation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Shape(extents(1, 4, 5).Draw(t, "shape"))
		axes := make([]int, len(s))
		for i := range axes {
			axes[i] = i
		}
		perm := axes
		if len(axes) > 0 {
			perm = rapid.Permutation(axes).Draw(t, "perm")
		}
		x := make([]int, s.Len())
		for i := range x {
			x[i] = i
		}
		for _, w := range s.Swaps(perm) {
			if w.A <= 1 || w.B <= 1 || w.Outer*w.A*w.B*w.Inner != int64(len(x)) {
				t.Fatalf("%v by %v: swap %+v", s, perm, w)
			}
			y := make([]int, 0, len(x))
			for o := range w.Outer {
				for b := range w.B {
					for a := range w.A {
						at := ((o*w.A+a)*w.B + b) * w.Inner
						y = append(y, x[at:at+w.Inner]...)
					}
				}
			}
			x = y
		}
		out := s.Permute(perm)
		for i := range x {
			rest, want := i, 0
			at := make([]int, len(s))
			for a := len(out) - 1; a >= 0; a-- {
				at[perm[a]] = rest % out[a]
				rest /= out[a]
			}
			for a, d := range s {
				want = want*d + at[a]
			}
			if x[i] != want {
				t.Fatalf("%v by %v: element %d comes from %d, want %d", s, perm, i, x[i], want)
			}
		}
		if !out.Permute(Inverse(perm)).Equal(s) {
			t.Fatalf("the inverse of %v doesn't undo it", perm)
		}
	})
}

// Groups, carried out one by one on ones, must count the elements that each
// result stands for; on the numbers of the elements, sum them.
func TestGroupsReduce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Shape(extents(1, 4, 5).Draw(t, "shape"))
		var axes []int
		for a := range s {
			if rapid.Bool().Draw(t, "reduced") {
				axes = append(axes, a)
			}
		}
		x := make([]int, s.Len())
		for i := range x {
			x[i] = i
		}
		want := make([]int, s.Reduced(axes, false).Len())
		for i := range x {
			rest, at := i, make([]int, len(s))
			for a := len(s) - 1; a >= 0; a-- {
				at[a] = rest % s[a]
				rest /= s[a]
			}
			k := 0
			for a, d := range s {
				if !slices.Contains(axes, a) {
					k = k*d + at[a]
				}
			}
			want[k] += i
		}
		for _, g := range s.Groups(axes) {
			y := make([]int, g.Outer*g.Inner)
			for i, v := range x {
				y[int64(i)/(g.Len*g.Inner)*g.Inner+int64(i)%g.Inner] += v
			}
			x = y
		}
		if !slices.Equal(x, want) {
			t.Fatalf("%v over %v: %v, want %v (%v)", s, axes, x, want, s.Groups(axes))
		}
	})
}

func TestConcat(t *testing.T) {
	if got, err := Concat([]Shape{{2, 3}, {2, 0}, {2, 4}}, 1); err != nil || !got.Equal(Shape{2, 7}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range [][]Shape{{{2, 3}, {3, 3}}, {{2, 3}, {2}}, {{2, 1 << 62}, {2, 1 << 62}}} {
		if got, err := Concat(bad, 1); err == nil {
			t.Errorf("%v joined to %v", bad, got)
		}
	}
}

func TestInteropBroadcastIsNumPys(t *testing.T) {
	const program = `
import numpy as np, random
random.seed(1)
for _ in range(300):
    a, b = ([random.choice([0, 1, 1, 2, 3]) for _ in range(random.randint(0, 4))] for _ in 'ab')
    try: r = 'ok ' + ','.join(map(str, np.broadcast_shapes(tuple(a), tuple(b))))
    except ValueError: r = 'no '
    print(';'.join([','.join(map(str, a)), ','.join(map(str, b)), r]))
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
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != 300 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		part := strings.Split(line, ";")
		got, ok := Broadcast(parse(part[0]), parse(part[1]))
		verdict, want, _ := strings.Cut(part[2], " ")
		if ok != (verdict == "ok") || ok && !got.Equal(parse(want)) {
			t.Errorf("%s: got %v, %v", line, got, ok)
		}
	}
}
