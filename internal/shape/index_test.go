package shape

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What NumPy gives, of an array of shape (5,4,6).
func TestIndexIsNumPys(t *testing.T) {
	s := Shape{5, 4, 6}
	for _, c := range []struct {
		text   string
		ranges []Range
		out    Shape
	}{
		{"0", []Range{{0, 1, 1}, {0, 4, 1}, {0, 6, 1}}, Shape{4, 6}},
		{"-1", []Range{{4, 1, 1}, {0, 4, 1}, {0, 6, 1}}, Shape{4, 6}},
		{"...", []Range{{0, 5, 1}, {0, 4, 1}, {0, 6, 1}}, Shape{5, 4, 6}},
		{"..., :2", []Range{{0, 5, 1}, {0, 4, 1}, {0, 2, 1}}, Shape{5, 4, 2}},
		{"...,-1", []Range{{0, 5, 1}, {0, 4, 1}, {5, 1, 1}}, Shape{5, 4}},
		{"None", []Range{{0, 5, 1}, {0, 4, 1}, {0, 6, 1}}, Shape{1, 5, 4, 6}},
		{"1,None,...,None", []Range{{1, 1, 1}, {0, 4, 1}, {0, 6, 1}}, Shape{1, 4, 6, 1}},
		{"1:3,::2", []Range{{1, 2, 1}, {0, 2, 2}, {0, 6, 1}}, Shape{2, 2, 6}},
		{"::-1", []Range{{4, 5, -1}, {0, 4, 1}, {0, 6, 1}}, Shape{5, 4, 6}},
		{"4:0:-2,...", []Range{{4, 2, -2}, {0, 4, 1}, {0, 6, 1}}, Shape{2, 4, 6}},
		{"-100:100,-2:,:-4", []Range{{0, 5, 1}, {2, 2, 1}, {0, 2, 1}}, Shape{5, 2, 2}},
		{"100:-100:-1", []Range{{4, 5, -1}, {0, 4, 1}, {0, 6, 1}}, Shape{5, 4, 6}},
		{"3:1", []Range{{0, 0, 1}, {0, 4, 1}, {0, 6, 1}}, Shape{0, 4, 6}},
		{"9:", []Range{{0, 0, 1}, {0, 4, 1}, {0, 6, 1}}, Shape{0, 4, 6}},
		{"0,1,2", []Range{{0, 1, 1}, {1, 1, 1}, {2, 1, 1}}, Shape{}},
		{"0,1,...,2", []Range{{0, 1, 1}, {1, 1, 1}, {2, 1, 1}}, Shape{}},
		{" 0 , : ", []Range{{0, 1, 1}, {0, 4, 1}, {0, 6, 1}}, Shape{4, 6}},
		{"0,", []Range{{0, 1, 1}, {0, 4, 1}, {0, 6, 1}}, Shape{4, 6}},
	} {
		x, err := ParseIndex(c.text)
		if err != nil {
			t.Errorf("[%s]: %v", c.text, err)
			continue
		}
		ranges, out, err := x.Of(s)
		if err != nil || !slices.Equal(ranges, c.ranges) || !out.Equal(c.out) {
			t.Errorf("%v: %v, shape %v, %v; want %v, shape %v", x, ranges, out, err, c.ranges, c.out)
		}
	}
}

func TestIndexRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"": `"" is no index`, "x": `"x" is no index: want integers, slices`, "1.5": "no index", "...,...": "two ellipses", "::0": "step is 0", "1:2:3:4": "start:stop:step",
		"a:2": "of integers", "[0,1]": "no index", "True": "no index", "0,,1": "no index", "99999999999999999999": "no index", "1:99999999999999999999": "of integers",
	} {
		if x, err := ParseIndex(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("[%s]: %v, %v; want an error that says %q", text, x, err, says)
		}
	}
	for text, says := range map[string]string{
		"5": "index 5 is out of bounds for axis 0, whose extent is 5", "-6": "index -6 is out of bounds for axis 0", "0,4": "index 4 is out of bounds for axis 1, whose extent is 4",
		"...,6": "index 6 is out of bounds for axis 2", "0,0,0,0": "has 4 indices for 3 axes",
	} {
		x, err := ParseIndex(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := x.Of(Shape{5, 4, 6}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v; want an error that says %q", x, err, says)
		}
	}
	x, _ := ParseIndex("0,0")
	if _, _, err := x.Of(Shape{3}); err == nil || !strings.Contains(err.Error(), "2 indices for 1 axis") {
		t.Errorf("%v of a vector: %v", x, err)
	}
}

// A slice selects the positions that counting selects.
func TestSlicesAreCounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		extent := rapid.IntRange(0, 6).Draw(t, "extent")
		bound := rapid.Ptr(rapid.IntRange(-9, 9), true)
		p := indexPart{kind: ':', start: bound.Draw(t, "start"), stop: bound.Draw(t, "stop"), step: rapid.Ptr(rapid.IntRange(-4, 4).Filter(func(n int) bool { return n != 0 }), true).Draw(t, "step")}
		step := 1
		if p.step != nil {
			step = *p.step
		}
		wrap := func(n *int, absent int) int {
			switch {
			case n == nil:
				return absent
			case *n < 0:
				return *n + extent
			}
			return *n
		}
		var want []int
		for k := range extent {
			i := k
			if step < 0 {
				i = extent - 1 - k
			}
			inside := i >= wrap(p.start, 0) && i < wrap(p.stop, extent)
			if step < 0 {
				inside = i <= wrap(p.start, extent-1) && i > wrap(p.stop, -1)
			}
			if inside && (len(want) == 0 || (i-want[0])%step == 0) {
				want = append(want, i)
			}
		}
		r := p.resolve(extent)
		var got []int
		for k := range r.N {
			got = append(got, r.Start+k*r.Step)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("positions %v, want %v", got, want)
		}
	})
}

func FuzzIndex(f *testing.F) {
	for _, text := range []string{"0", "...,:64", "None,1:2:3", "::-1", "-1,", "1:2:3:4", "99999999999999999999:"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := ParseIndex(text)
		if err != nil {
			return
		}
		s := Shape{5, 0, 6}
		ranges, _, err := x.Of(s)
		if err != nil {
			return
		}
		for a, r := range ranges {
			last := r.Start + (r.N-1)*r.Step
			if r.N < 0 || r.N > 0 && (r.Start < 0 || r.Start >= s[a] || last < 0 || last >= s[a]) {
				t.Errorf("%v leaves axis %d of %v: %v", x, a, s, r)
			}
		}
	})
}

// What NumPy makes of random indices: the shape, and which elements in which order.
func TestInteropIndex(t *testing.T) {
	const program = `
import numpy as np, random
random.seed(7)
x = np.arange(5 * 4 * 6).reshape(5, 4, 6)
def word():
    def number(): return random.choice(['', str(random.randint(-7, 7))])
    step = random.choice(['', ':' + random.choice(['', '1', '2', '3', '-1', '-2'])])
    return random.choice([str(random.randint(-7, 7)), 'None', '...', number() + ':' + number() + step, number() + ':' + number() + step])
for _ in range(600):
    text = ', '.join(word() for _ in range(random.randint(1, 5)))
    try:
        y = eval('x[' + text + ']')
        print(text, '|', *np.shape(y), '|', *np.ravel(y))
    except IndexError:
        print(text, '|')
`
	out, err := exec.Command("/usr/bin/python3", "-c", program).Output()
	if err != nil {
		if os.Getenv("FUSECTL_INTEROP") == "1" {
			t.Fatal(err)
		}
		t.Skip("no NumPy")
	}
	s := Shape{5, 4, 6}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n"), "\n") {
		part := strings.Split(line, "|")
		x, err := ParseIndex(strings.TrimSpace(part[0]))
		var ranges []Range
		var shape Shape
		if err == nil {
			ranges, shape, err = x.Of(s)
		}
		if (err == nil) != (len(part) == 3) {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if err != nil {
			continue
		}
		var extents, elements []string
		for _, n := range shape {
			extents = append(extents, strconv.Itoa(n))
		}
		for i := range ranges[0].N {
			for j := range ranges[1].N {
				for k := range ranges[2].N {
					at := func(a, i int) int { return ranges[a].Start + i*ranges[a].Step }
					elements = append(elements, strconv.Itoa((at(0, i)*4+at(1, j))*6+at(2, k)))
				}
			}
		}
		if !slices.Equal(extents, strings.Fields(part[1])) || !slices.Equal(elements, strings.Fields(part[2])) {
			t.Errorf("%s: shape %v of elements %v", line, extents, elements)
		}
	}
}
