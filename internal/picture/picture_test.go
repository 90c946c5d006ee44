package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"
)

var (
	nan = math.NaN()
	inf = math.Inf(1)
)

func mustDraw(t *testing.T, maps []Map, o Options) *image.RGBA {
	t.Helper()
	im, err := Draw(maps, o)
	if err != nil {
		t.Fatal(err)
	}
	return im.(*image.RGBA)
}

// count returns the pixels of the colour c in r.
func count(im *image.RGBA, r image.Rectangle, c color.RGBA) (n int) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if im.RGBAAt(x, y) == c {
				n++
			}
		}
	}
	return n
}

// TestColorMaps compares with every 17th entry of matplotlib's tables (which
// viridisLite publishes as viridis(16) and magma(16)). None but the ends is a
// stop of ours. For the diverging map they are ColorBrewer's own eleven.
func TestColorMaps(t *testing.T) {
	for name, want := range map[string]string{
		"viridis": "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725",
		"magma":   "000004 0b0924 20114b 3b0f70 57157e 721f81 8c2981 a8327d c43c75 de4968 f1605d fa7f5e fe9f6d febf84 fddea0 fcfdbf",
		"gray":    "000000 333333 666666 999999 cccccc ffffff",
		diverging: "053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f",
	} {
		s, _, err := newScale([]Map{{"", 1, 2, []float64{2, 5}}}, Options{ColorMap: name, Low: nan, High: nan})
		if err != nil {
			t.Fatal(err)
		}
		colors := strings.Fields(want)
		for i, hex := range colors {
			var r, g, b int
			if _, err := fmt.Sscanf(hex, "%02x%02x%02x", &r, &g, &b); err != nil {
				t.Fatal(err)
			}
			c := s.color(s.at(2 + 3*float64(i)/float64(len(colors)-1)))
			if off := max(abs(int(c.R)-r), abs(int(c.G)-g), abs(int(c.B)-b)); off > 1 {
				t.Errorf("%s %d of %d: %v, want %s", name, i, len(colors), c, hex)
			}
		}
	}
	for _, m := range colorMaps { // and none has NaN's colour
		for i := range 1001 {
			c := (scale{stops: m.stops}).color(float64(i) / 1000)
			if c.R > 200 && c.G < 60 && c.B > 200 {
				t.Errorf("%s at %d/1000 is %v: like NaN", m.name, i, c)
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

func TestRange(t *testing.T) {
	const most = math.MaxFloat64
	for _, c := range []struct {
		values    []float64
		low, high float64 // asked for
		wantLow   float64
		wantHigh  float64
	}{
		{[]float64{3, -1, 2}, nan, nan, -1, 3},
		{[]float64{3, nan, inf, -inf, 2}, nan, nan, 2, 3},
		{[]float64{3, -1, 2}, 0, nan, 0, 3},
		{[]float64{3, -1, 2}, -5, 10, -5, 10},
		{[]float64{4, 4}, nan, nan, 2, 6},
		{[]float64{0}, nan, nan, -1, 1},
		{[]float64{-4}, nan, 0, -4, 0},
		{[]float64{-4}, 0, nan, 0, 1},
		{[]float64{4}, nan, 0, -1, 0},
		{[]float64{nan}, nan, nan, -1, 1},
		{[]float64{nan}, 7, nan, 7, 10.5},
		{[]float64{most}, nan, nan, most / 2, most},
		{[]float64{5e-324}, nan, nan, -1, 1},
	} {
		s, _, err := newScale([]Map{{"", 1, len(c.values), c.values}}, Options{Low: c.low, High: c.high})
		if err != nil || s.low != c.wantLow || s.high != c.wantHigh {
			t.Errorf("%v in %v to %v: range %v to %v (%v), want %v to %v", c.values, c.low, c.high, s.low, s.high, err, c.wantLow, c.wantHigh)
		}
	}
	for _, c := range []struct {
		s       scale
		v, want float64
	}{
		{scale{low: -1, high: 3}, 1, 0.5},
		{scale{low: -1, high: 3}, inf, 1},
		{scale{low: -1, high: 3}, -inf, 0},
		{scale{low: -1, high: 3, centred: true}, 0, 0.5},
		{scale{low: -1, high: 3, centred: true}, 3, 1},
		{scale{low: -1.5, high: 3, centred: true}, -inf, 0.25}, // the end, and no more
		{scale{low: 1, high: 3, centred: true}, 2, 0.5},
		{scale{low: -most, high: most}, 0, 0.5},
		{scale{low: 0, high: 5e-324}, 5e-324, 1},
	} {
		if got := c.s.at(c.v); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%v in %v is at %v, want %v", c.v, c.s, got, c.want)
		}
	}
}

// The pixel in the middle of every element has the element's gray, and so has
// the whole square.
func TestElementsAreSquares(t *testing.T) {
	values := []float64{0, 51, 102, 153, 204, 255}
	im := mustDraw(t, []Map{{"", 2, 3, values}, {"x", 3, 2, values}}, Options{Cell: 31, Columns: 2, ColorMap: "gray", Low: nan, High: nan})
	for i, cols := range []int{3, 2} {
		const k = 10 // 31/3
		at := image.Pt(margin+i*(3*k+gutter), margin+line)
		for e, v := range values {
			from := at.Add(image.Pt(e%cols*k, e/cols*k))
			if n := count(im, image.Rectangle{from, from.Add(image.Pt(k, k))}, color.RGBA{uint8(v), uint8(v), uint8(v), 255}); n != k*k {
				t.Errorf("map %d element %d: %d of %d pixels have its gray", i, e, n, k*k)
			}
		}
	}
}

// A map of 4×6 in 2×3 pixels: means of four. In a size that doesn't divide,
// each element has its share of each pixel.
func TestAveraging(t *testing.T) {
	m := Map{"", 4, 6, make([]float64, 24)}
	for i := range m.Values {
		m.Values[i] = float64(i)
	}
	s := scale{low: 0, high: 24}
	for y := range 2 {
		for x := range 3 {
			first := float64(12*y + 2*x)
			if got, want := m.mean(s, x, y, 3, 2), (first+3.5)/24; math.Abs(got-want) > 1e-15 {
				t.Errorf("pixel %d,%d is %v, want %v", x, y, got, want)
			}
		}
	}
	m = Map{"", 1, 3, []float64{0, 6, 24}} // the second of two pixels has half of 6 and all of 24
	if got, want := m.mean(s, 1, 0, 2, 1), (3+24)/1.5/24; math.Abs(got-want) > 1e-15 {
		t.Errorf("the second pixel is %v, want %v", got, want)
	}
}

func TestNaNIsNeverLost(t *testing.T) {
	for _, cell := range []int{1, 7, 16, 33, 100, 150, 500} {
		for _, at := range []int{0, 50, 1234, 99*101 - 1} {
			m := Map{"", 99, 101, make([]float64, 99*101)}
			m.Values[at] = nan
			im := mustDraw(t, []Map{m}, Options{Cell: cell, Low: nan, High: nan})
			r := image.Rectangle{Max: size(m, cell)}.Add(image.Pt(margin, margin))
			if count(im, r, isNaN) == 0 {
				t.Errorf("%d pixels a side: NaN at %d is not seen", cell, at)
			}
			beside := image.Rect(r.Max.X+1, 0, im.Bounds().Max.X, im.Bounds().Max.Y)
			if count(im, beside, isNaN) == 0 {
				t.Errorf("%d pixels a side: the legend says nothing of NaN", cell)
			}
		}
	}
	im := mustDraw(t, []Map{{"", 2, 2, []float64{1, inf, -inf, 2}}}, Options{Low: nan, High: nan, Cell: 1})
	if n := count(im, im.Bounds(), isNaN); n > 0 {
		t.Errorf("the mean of inf and -inf has %d pixels of NaN", n)
	}
}

// The legend has what there is, and nothing is cut off at an edge.
func TestPictures(t *testing.T) {
	all := []float64{1, inf, -inf, nan}
	for name, c := range map[string]struct {
		maps    []Map
		o       Options
		entries string
		marks   int // at least
	}{
		"plain":    {[]Map{{"0", 1, 2, all[:1]}, {"1", 1, 1, []float64{2}}}, Options{}, "", 2},
		"entries":  {[]Map{{"0", 2, 2, all}}, Options{Ticks: true, Title: "a title that is wider than its map"}, "inf −inf NaN", 2},
		"all NaN":  {[]Map{{"0", 1, 1, all[3:]}}, Options{Each: true}, "NaN", 0},
		"infinite": {[]Map{{"0", 1, 1, all[1:2]}}, Options{ColorMap: diverging}, "inf", 0},
		"each":     {[]Map{{"0", 1, 1, all[:1]}, {"1", 1, 2, all[2:]}}, Options{Each: true, Ticks: true}, "−inf NaN", 2},
		"vector":   {[]Map{{"", 1, 3000, make([]float64, 3000)}}, Options{Ticks: true}, "", 2},
		"huge":     {[]Map{{"0", 1, 2, []float64{-math.MaxFloat64, math.MaxFloat64}}}, Options{}, "", 3},
		"tiny":     {[]Map{{"0", 1, 2, []float64{0, 5e-324}}}, Options{}, "", 2},
		"offset":   {[]Map{{"0", 1, 2, []float64{1e17, 1e17 + 16}}}, Options{}, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Low, c.o.High = nan, nan
			c.maps[0].Cols = len(c.maps[0].Values) / c.maps[0].Rows
			im := mustDraw(t, c.maps, c.o)
			b := im.Bounds()
			if white := count(im, b, paper) - count(im, b.Inset(margin/2), paper); white != b.Dx()*b.Dy()-b.Inset(margin/2).Dx()*b.Inset(margin/2).Dy() {
				t.Error("something is drawn in the margin")
			}
			p, err := newPen()
			if err != nil {
				t.Fatal(err)
			}
			s, finite, err := newScale(c.maps, c.o)
			if err != nil {
				t.Fatal(err)
			}
			l := newLegend(p, c.maps, s, finite, c.o.Each)
			var entries []string
			for _, e := range l.entries {
				entries = append(entries, e.text)
			}
			if got := strings.Join(entries, " "); got != c.entries || len(l.marks) < c.marks || c.marks == 0 && l.marks != nil {
				t.Errorf("legend %q with marks %v: want %q and %d", got, l.marks, c.entries, c.marks)
			}
		})
	}
}

func TestLegendSaysWhatIsClamped(t *testing.T) {
	p, err := newPen()
	if err != nil {
		t.Fatal(err)
	}
	maps := []Map{{"", 1, 3, []float64{-2, 0.5, 9}}}
	s, finite, err := newScale(maps, Options{Low: 0, High: 4})
	if err != nil {
		t.Fatal(err)
	}
	l := newLegend(p, maps, s, finite, false)
	if got := fmt.Sprint(l.marks); got != "[{0 ≤ 0} {4 ≥ 4} {1 1} {2 2} {3 3}]" {
		t.Error(got)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		v, low, high float64
		want         string
	}{
		{2.3561, -2, 2.3561, "2.36"}, {-2, -2, 2.3561, "−2"}, {0.30000000000000004, 0, 1, "0.3"}, {0, -1, 1, "0"},
		{1000.1234, 1000.1234, 1000.2, "1000.123"}, {1234567, 0, 1234567, "1.23e6"}, {0.00001234, 0, 0.00001234, "1.23e−5"},
		{300, 0, 300, "300"}, {1e-9, 1e-9, 300, "0"}, {5e-324, 0, 5e-324, "5e−324"}, {-1e300, -1e300, 1, "−1e300"},
	} {
		if got := number(c.v, scale{low: c.low, high: c.high}); got != c.want {
			t.Errorf("%v of %v to %v is %q, want %q", c.v, c.low, c.high, got, c.want)
		}
	}
	for x, want := range map[float64]float64{0.8: 1, 1: 1, 1.1: 2, 3: 5, 7: 10, 0.03: 0.05, 4200: 5000} {
		if got := nice(x); math.Abs(got/want-1) > 1e-12 {
			t.Errorf("nice(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestGrid(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 8: 4, 9: 3, 32: 8, 64: 8, 128: 16, 512: 32, 2048: 64} {
		if got := nearlySquare(n, 1); got != want {
			t.Errorf("%d maps: %d side by side, want %d", n, got, want)
		}
	}
	for _, c := range []struct{ rows, cols, longer, h, w int }{
		{7, 7, 100, 98, 98}, {4, 6, 100, 64, 96}, {200, 100, 50, 50, 25}, {1, 1, 100, 100, 100},
		{1, 500, 100, 8, 100}, {3, 500, 100, 6, 100}, {50, 5000, 100, 8, 100}, {3, 3, 4, 3, 3}, {100, 100, 1, 1, 1},
	} {
		if got := size(Map{Rows: c.rows, Cols: c.cols}, c.longer); got != image.Pt(c.w, c.h) {
			t.Errorf("%d×%d in %d: %d×%d pixels, want %d×%d", c.rows, c.cols, c.longer, got.Y, got.X, c.h, c.w)
		}
	}
}

func TestErrors(t *testing.T) {
	one := []Map{{"", 1, 1, []float64{1}}}
	for _, c := range []struct {
		maps []Map
		o    Options
		want string
	}{
		{nil, Options{Low: nan, High: nan}, "no maps to draw"},
		{[]Map{one[0], {"", 2, 2, make([]float64, 3)}}, Options{Low: nan, High: nan}, "map 1 has 3 values in 2 rows of 2"},
		{[]Map{{"", 0, 4, nil}}, Options{Low: nan, High: nan}, "map 0 has 0 values in 0 rows of 4"},
		{[]Map{{"", math.MinInt, 4, nil}}, Options{Low: nan, High: nan}, "map 0 has 0 values"},
		{one, Options{Low: nan, High: nan, ColorMap: "jet"}, `color map "jet" is unknown: want one of viridis, magma, gray, diverging`},
		{one, Options{Low: 3, High: 3}, "the range from 3 to 3"},
		{one, Options{Low: nan, High: inf}, "the range from NaN to +Inf"},
		{one, Options{Low: nan, High: nan, Columns: -1}, "-1 columns"},
		{one, Options{Low: nan, High: nan, Cell: math.MaxInt}, "want no negative number"},
		{one, Options{Low: nan, High: nan, Cell: maxPixels}, "the picture would have"},
		{one, Options{Low: nan, High: nan, Title: strings.Repeat("title ", 1<<20)}, "the picture would have"},
	} {
		if im, err := Draw(c.maps, c.o); im != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, want %q", err, c.want)
		}
	}
}

func TestSameBytes(t *testing.T) {
	var first []byte
	for range 3 {
		var b bytes.Buffer
		im := mustDraw(t, []Map{{"a", 2, 2, []float64{1, nan, inf, 3}}, {"b", 1, 1, []float64{2}}}, Options{Title: "same", Low: nan, High: nan, Ticks: true})
		if err := png.Encode(&b, im); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b.Bytes()
		}
		if !bytes.Equal(b.Bytes(), first) {
			t.Fatal("the bytes differ")
		}
	}
}
