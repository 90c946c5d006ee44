package picture

import (
	"image"
	"math"
	"slices"
)

const (
	bar   = 16 // the bar's width, and the side of an entry's square
	entry = 24 // from an entry to the next
)

// A legend is a bar with numbers, and below it entries for what has none.
type legend struct {
	scale   scale
	marks   []mark // of the bar, its ends first; none: there is no bar
	entries []mark
	width   int
}

// A mark is a text at a value.
type mark struct {
	value float64
	text  string
}

func newLegend(p *pen, maps []Map, s scale, finite, each bool) legend {
	l := legend{scale: s}
	var below, above bool
	seen := map[string]bool{}
	for _, m := range maps {
		for _, v := range m.Values {
			switch {
			case math.IsNaN(v):
				seen["NaN"] = true
			case math.IsInf(v, 1):
				seen["inf"] = true
			case math.IsInf(v, -1):
				seen["−inf"] = true
			default:
				below, above = below || v < s.low, above || v > s.high
			}
		}
	}
	for _, e := range []mark{{math.Inf(1), "inf"}, {math.Inf(-1), "−inf"}, {math.NaN(), "NaN"}} {
		if seen[e.text] {
			l.entries = append(l.entries, e)
		}
	}
	low, high := number(s.low, s), number(s.high, s)
	if each {
		low, high = "low", "high"
	}
	if below {
		low = "≤ " + low
	}
	if above {
		high = "≥ " + high
	}
	if each {
		l.scale = scale{low: 0, high: 1, stops: s.stops}
	}
	if finite {
		l.marks = []mark{{l.scale.low, low}, {l.scale.high, high}}
		if !each {
			l.marks = append(l.marks, l.between()...)
		}
	}
	for _, m := range append(l.marks, l.entries...) {
		l.width = max(l.width, bar+2*tick+p.width(m.text, p.small))
	}
	return l
}

// least returns the height that the legend needs.
func (l legend) least() int {
	if len(l.marks) == 0 {
		return len(l.entries) * entry
	}
	return 120 + len(l.entries)*entry
}

// between returns marks at the round numbers in the range. Multiples are
// counted, since at 1e17 adding 1 to one does nothing.
func (l legend) between() (marks []mark) {
	const most = 5
	s := l.scale
	step := nice(s.high/most - s.low/most)
	if step < 1e-300 {
		return nil // so near to 0, its multiples are too coarse
	}
	first := math.Ceil(s.low / step)
	for i := range most + 1 {
		if v := (first + float64(i)) * step; v > s.low && v < s.high {
			marks = append(marks, mark{v, number(v, s)})
		}
	}
	return marks
}

// draw draws the legend from at down to height.
func (l legend) draw(p *pen, at image.Point, height int) {
	y := at.Y
	if len(l.marks) > 0 {
		r := image.Rect(at.X, at.Y, at.X+bar, at.Y+height)
		if n := len(l.entries); n > 0 {
			r.Max.Y -= n*entry + entry - bar
		}
		y = r.Max.Y + bar
		p.fill(r.Inset(-1), frame)
		for y := range r.Dy() {
			f := 1 - (float64(y)+0.5)/float64(r.Dy())
			v := l.scale.low*(1-f) + l.scale.high*f
			p.fill(image.Rect(r.Min.X, r.Min.Y+y, r.Max.X, r.Min.Y+y+1), l.scale.color(l.scale.at(v)))
		}
		along := l.scale
		along.centred = false
		var taken []int
		for _, m := range l.marks {
			y := r.Max.Y - 1 - int(math.Round(along.at(m.value)*float64(r.Dy()-1)))
			if slices.ContainsFunc(taken, func(other int) bool { return max(y-other, other-y) < line }) {
				continue
			}
			taken = append(taken, y)
			p.fill(image.Rect(r.Max.X+1, y, r.Max.X+tick, y+1), faint)
			p.text(m.text, p.small, r.Max.X+2*tick, y, left, ink)
		}
	}
	for i, e := range l.entries {
		r := image.Rect(at.X, y+i*entry, at.X+bar, y+i*entry+bar)
		p.fill(r.Inset(-1), frame)
		for y := range bar {
			for x := range bar {
				p.dst.SetRGBA(r.Min.X+x, r.Min.Y+y, l.scale.paint(l.scale.at(e.value), x, y, true))
			}
		}
		p.text(e.text, p.small, r.Max.X+2*tick, r.Min.Y+bar/2, left, ink)
	}
}
