package shape

import (
	"slices"
	"strings"
	"testing"
)

func TestWordsOfLayouts(t *testing.T) {
	for _, word := range []string{"nhwc", "nchw", "ntc", "nct", "nthwc", "ncdhw", "hwc", "chw", "tc", "ct", "nqrstuvwc"} {
		l, err := ParseLayout(word)
		if err != nil || string(l) != word {
			t.Errorf("%s: %s, %v", word, l, err)
		}
	}
	for word, says := range map[string]string{
		"": "no channels", "nhw": "no channels", "nc": "no spatial axis", "c": "no spatial axis", "nhhc": "h twice",
		"hnwc": "n, the batch, first", "nhcw": "last or before", "hcw": "last or before", "nabcd": "last or before", "NHWC": "from a to z", "nhwc ": "from a to z",
		"n1c": "from a to z", "nhwcn": "n twice",
	} {
		if l, err := ParseLayout(word); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q, %v; want an error that says %q", word, l, err, says)
		}
	}
}

// The axes that a word gives an array: "-" where it doesn't fit.
func TestLayoutOfAnArray(t *testing.T) {
	for _, c := range []struct {
		l          Layout
		ndim, told int
		want       Layout
	}{
		{NHWC, 4, 0, "nhwc"}, {NHWC, 3, 0, "nlc"}, {NHWC, 5, 0, "ndhwc"}, {NHWC, 6, 0, "ntdhwc"}, {NHWC, 2, 0, "nc"}, {NHWC, 1, 0, "c"}, {NHWC, 0, 0, ""},
		{NCHW, 4, 0, "nchw"}, {NCHW, 3, 0, "ncl"}, {NCHW, 5, 0, "ncdhw"}, {NCHW, 2, 0, "nc"}, {NCHW, 1, 0, "c"}, {NCHW, 0, 0, ""},
		{"ntc", 3, 0, "ntc"}, {"ntc", 4, 0, "-"}, {"ntc", 2, 0, "-"}, {"hwc", 3, 0, "hwc"}, {"hwc", 4, 0, "-"},
		// Where a kernel tells the spatial axes.
		{NHWC, 4, 2, "nhwc"}, {NHWC, 3, 2, "hwc"}, {NHWC, 3, 1, "nlc"}, {NHWC, 2, 1, "lc"}, {NHWC, 5, 3, "ndhwc"}, {NHWC, 4, 3, "dhwc"},
		{NHWC, 4, 1, "-"}, {NHWC, 5, 2, "-"}, {NHWC, 2, 2, "-"},
		{NCHW, 3, 2, "chw"}, {NCHW, 2, 1, "cl"}, {NCHW, 4, 3, "cdhw"},
		{"ntc", 3, 1, "ntc"}, {"ntc", 2, 1, "tc"}, {"ntc", 4, 2, "-"}, {"ntc", 3, 2, "-"}, {"hwc", 3, 2, "hwc"}, {"hwc", 4, 2, "-"}, {"hwc", 3, 1, "-"},
		{"nthwc", 5, 3, "nthwc"}, {"nthwc", 4, 3, "thwc"}, {"ncthw", 4, 3, "cthw"},
	} {
		got, ok := c.l.Of(c.ndim, c.told)
		if !ok {
			got = "-"
		}
		if got != c.want {
			t.Errorf("%s of %d axes, %d told: %q, want %q", c.l, c.ndim, c.told, got, c.want)
		}
	}
	if got := NHWC.Like(11, true); len(got) != 13 {
		t.Errorf("11 spatial axes: %s", got)
	}
}

func TestAxesOfLayouts(t *testing.T) {
	for _, c := range []struct {
		l       Layout
		channel int
		spatial []int
		batched bool
	}{
		{"nhwc", 3, []int{1, 2}, true}, {"nchw", 1, []int{2, 3}, true}, {"ntc", 2, []int{1}, true}, {"ncdhw", 1, []int{2, 3, 4}, true},
		{"hwc", 2, []int{0, 1}, false}, {"chw", 0, []int{1, 2}, false}, {"nc", 1, nil, true}, {"c", 0, nil, false}, {"", -1, nil, false},
	} {
		if got := c.l.Channel(); got != c.channel {
			t.Errorf("%q: channel %d, want %d", c.l, got, c.channel)
		}
		if got := c.l.Spatial(); !slices.Equal(got, c.spatial) {
			t.Errorf("%q: spatial %v, want %v", c.l, got, c.spatial)
		}
		if c.l.Batched() != c.batched || c.l.ChannelsFirst() != (c.channel < len(c.l)-1) {
			t.Errorf("%q: batched %t, channels first %t", c.l, c.l.Batched(), c.l.ChannelsFirst())
		}
	}
	for _, c := range []struct {
		l          Layout
		ndim, want int
	}{
		{NHWC, 4, 3}, {NCHW, 4, 1}, {NHWC, 3, 2}, {NCHW, 3, 2}, {NCHW, 2, 1}, {NCHW, 1, 0}, {NCHW, 0, -1}, {NCHW, 5, 1},
		{"nct", 3, 1}, {"ntc", 3, 2}, {"chw", 3, 0}, {"tc", 2, 1}, {"ct", 2, 0}, {"nct", 2, 1}, {"nct", 4, 1}, {"ntc", 4, 3},
	} {
		if got := c.l.Features(c.ndim); got != c.want {
			t.Errorf("features of %d axes under %s: axis %d, want %d", c.ndim, c.l, got, c.want)
		}
	}
}

func TestOrdersOfLayouts(t *testing.T) {
	for _, c := range []struct {
		from, to Layout
		perm     []int
	}{
		{"nhwc", "nchw", []int{0, 3, 1, 2}}, {"nchw", "nhwc", []int{0, 2, 3, 1}}, {"hwc", "chw", []int{2, 0, 1}}, {"nthwc", "nchwt", []int{0, 4, 2, 3, 1}},
		{"nhwc", "nhwc", []int{0, 1, 2, 3}}, {"nhwc", "ntc", nil}, {"nhwc", "nwtc", nil},
	} {
		perm, ok := c.from.Permutation(c.to)
		if ok != (c.perm != nil) || ok && !slices.Equal(perm, c.perm) {
			t.Errorf("%s to %s: %v, %t; want %v", c.from, c.to, perm, ok, c.perm)
		}
	}
	for _, c := range [][3]Layout{{NHWC, "nct", "ntc"}, {NCHW, "hwc", "chw"}, {NCHW, "ndhwc", "ncdhw"}, {NHWC, "chw", "hwc"}, {"ntc", "nct", "ntc"}} {
		if got := c[0].Reordered(c[1]); got != c[2] {
			t.Errorf("%s with its channels as in %s: %s, want %s", c[1], c[0], got, c[2])
		}
	}
	if got := Layout("nhwc").Sized(Shape{8, 32, 31, 64}); got != "n=8 h=32 w=31 c=64" {
		t.Errorf("sized: %s", got)
	}
}
