package picture

import (
	"fmt"
	"image/color"
	"math"
	"strings"
)

// A stop is a colour (0xrrggbb) at a place between 0 and 255.
type stop struct {
	at  float64
	rgb uint32
}

// colorMaps are piecewise linear. The stops of viridis and magma are entries of
// the tables by Stéfan van der Walt and Nathaniel Smith (CC0, matplotlib's),
// chosen so that every other entry is within 1/255. Diverging is ColorBrewer's
// RdBu with blue below (© Cynthia Brewer, Apache 2.0; matplotlib's RdBu_r).
var colorMaps = []struct {
	name  string
	stops []stop
}{
	{"viridis", []stop{
		{0, 0x440154}, {20, 0x481d6f}, {35, 0x46307e}, {58, 0x3e4c8a}, {94, 0x2d718e}, {132, 0x1f948c}, {147, 0x1fa287}, {162, 0x2ab07f},
		{179, 0x44bf70}, {198, 0x6ccd5a}, {223, 0xaadc32}, {237, 0xd0e11c}, {244, 0xe2e418}, {253, 0xf8e621}, {255, 0xfde725},
	}},
	{"magma", []stop{
		{0, 0x000004}, {7, 0x03030f}, {20, 0x0e0b2b}, {37, 0x241253}, {48, 0x36106b}, {58, 0x471078}, {75, 0x621980}, {104, 0x902a81},
		{131, 0xbc3978}, {151, 0xdb476a}, {168, 0xef5d5e}, {182, 0xf8765c}, {196, 0xfc9065}, {216, 0xfeb67c}, {244, 0xfde9aa}, {255, 0xfcfdbf},
	}},
	{"gray", []stop{{0, 0x000000}, {255, 0xffffff}}},
	{diverging, []stop{
		{0, 0x053061}, {25.5, 0x2166ac}, {51, 0x4393c3}, {76.5, 0x92c5de}, {102, 0xd1e5f0}, {127.5, 0xf7f7f7},
		{153, 0xfddbc7}, {178.5, 0xf4a582}, {204, 0xd6604d}, {229.5, 0xb2182b}, {255, 0x67001f},
	}},
}

// diverging has white in the middle, which belongs to zero.
const diverging = "diverging"

// ColorMaps returns the names that Options.ColorMap may have, the default first.
func ColorMaps() []string {
	names := make([]string, len(colorMaps))
	for i, m := range colorMaps {
		names[i] = m.name
	}
	return names
}

// A scale gives the values from low to high, which differ, their colours.
type scale struct {
	low, high float64
	stops     []stop
	centred   bool // zero, if it is in the range, has the middle colour
}

// newScale returns the scale of o over the maps, and whether any of their
// values is finite. Where the values leave no range, there is one around them.
func newScale(maps []Map, o Options) (s scale, finite bool, err error) {
	name := o.ColorMap
	if name == "" {
		name = colorMaps[0].name
	}
	for _, m := range colorMaps {
		if m.name == name {
			s.stops, s.centred = m.stops, name == diverging
		}
	}
	if s.stops == nil {
		return s, false, fmt.Errorf("color map %q is unknown: want one of %s", name, strings.Join(ColorMaps(), ", "))
	}
	if math.IsInf(o.Low, 0) || math.IsInf(o.High, 0) || o.Low >= o.High {
		return s, false, fmt.Errorf("the range from %v to %v is no range: want finite numbers, low below high", o.Low, o.High)
	}
	s.low, s.high = math.Inf(1), math.Inf(-1)
	for _, m := range maps {
		for _, v := range m.Values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				s.low, s.high = min(s.low, v), max(s.high, v)
			}
		}
	}
	if finite = s.low <= s.high; !finite {
		s.low, s.high = 0, 0
	}
	if !math.IsNaN(o.Low) {
		s.low, s.high = o.Low, max(s.high, o.Low)
	}
	if !math.IsNaN(o.High) {
		s.low, s.high = min(s.low, o.High), o.High
	}
	if s.low == s.high {
		around := math.Abs(s.low) / 2
		if around == 0 {
			around = 1
		}
		if math.IsNaN(o.Low) {
			s.low = max(s.low-around, -math.MaxFloat64)
		}
		if math.IsNaN(o.High) {
			s.high = min(s.high+around, math.MaxFloat64)
		}
	}
	return s, finite, nil
}

// at returns where v is in the colour map: from 0 to 1, or NaN.
func (s scale) at(v float64) float64 {
	v = min(max(v, s.low), s.high)
	s = s.symmetric()
	unit := max(math.Abs(s.low), math.Abs(s.high)) // or high-low may overflow
	return (v/unit - s.low/unit) / (s.high/unit - s.low/unit)
}

// symmetric returns a centred scale with zero in the middle of its range.
func (s scale) symmetric() scale {
	if s.centred && s.low <= 0 && 0 <= s.high {
		s.high = max(-s.low, s.high)
		s.low = -s.high
	}
	return s
}

// color returns the colour at t, from 0 to 1.
func (s scale) color(t float64) color.RGBA {
	t *= 255
	i := 1
	for s.stops[i].at < t {
		i++
	}
	a, b := s.stops[i-1], s.stops[i]
	f := (t - a.at) / (b.at - a.at)
	mix := func(shift int) uint8 {
		from, to := float64(a.rgb>>shift&255), float64(b.rgb>>shift&255)
		return uint8(from + float64(f*(to-from)) + 0.5)
	}
	return color.RGBA{mix(16), mix(8), mix(0), 255}
}
