package picture

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
)

// Map is one feature map, or one head's attention weights: Rows times Cols
// values, row by row. Its label stands above it.
type Map struct {
	Label      string
	Rows, Cols int
	Values     []float64
}

// Options say how Draw draws. Of the numbers, 0 leaves the choice to Draw.
type Options struct {
	Title     string
	Columns   int     // maps side by side; 0: so many that the picture is nearly square
	Cell      int     // pixels of a map's longer side, at most; 0: by the number of maps
	ColorMap  string  // one of ColorMaps; "": the first
	Low, High float64 // the colour map's ends; NaN: from the finite values
	Each      bool    // every map has a range of its own, written above it
	Ticks     bool    // row and column indices along every map
}

const (
	maxPixels = 64 << 20
	margin    = 24 // around the picture, and between maps and legend
	gutter    = 14 // between maps
	line      = 18 // of small text
	tick      = 4  // the length of a tick, and its distance from its number
	shortest  = 8  // the least side of a map, whose elements may be oblong for it
)

var (
	paper = color.RGBA{255, 255, 255, 255}
	ink   = color.RGBA{40, 40, 40, 255}
	faint = color.RGBA{110, 110, 110, 255}
	frame = color.RGBA{190, 190, 190, 255}
	isNaN = color.RGBA{255, 0, 255, 255}
	hatch = color.RGBA{255, 190, 255, 255}
)

// Draw draws the maps in a grid, row by row, with a legend to the right.
//
// Infinities, and values beyond Low and High, have the colours of the range's
// ends, and the legend says so; it has an entry for NaN where there is one.
// Values that are all equal, or all NaN, make a picture too. No map at all, a
// map whose values don't fill its rows and columns, an unknown colour map, an
// empty range, and pictures of more than 64 Mi pixels are errors.
func Draw(maps []Map, o Options) (image.Image, error) {
	if len(maps) == 0 {
		return nil, fmt.Errorf("no maps to draw: want at least one")
	}
	for i, m := range maps {
		if m.Rows < 1 || m.Cols < 1 || len(m.Values)%m.Cols != 0 || len(m.Values)/m.Cols != m.Rows {
			return nil, fmt.Errorf("map %d has %d values in %d rows of %d: want each row full, and at least one", i, len(m.Values), m.Rows, m.Cols)
		}
	}
	if o.Columns < 0 || o.Cell < 0 || o.Cell > maxPixels {
		return nil, fmt.Errorf("%d columns of %d pixels: want no negative number, and at most %d pixels", o.Columns, o.Cell, maxPixels)
	}
	whole, finite, err := newScale(maps, o)
	if err != nil {
		return nil, err
	}
	p, err := newPen()
	if err != nil {
		return nil, err
	}
	scales, ranges := make([]scale, len(maps)), make([]string, len(maps))
	for i := range maps {
		scales[i] = whole
		if o.Each {
			var some bool
			scales[i], some, _ = newScale(maps[i:i+1], o) // o is sound
			scales[i] = scales[i].symmetric()             // the legend has all colours from low to high
			if ranges[i] = "none finite"; some {
				low, high := number(scales[i].low, scales[i]), number(scales[i].high, scales[i])
				ranges[i] = low + " to " + high
			}
		}
	}

	g := newGrid(p, maps, ranges, o)
	l := newLegend(p, maps, whole, finite, o.Each)
	first := g.at(0)
	side := image.Pt(margin+g.size.X+margin, first.Y)
	height := max(g.at(len(maps)-1).Y+g.cell.Y-first.Y, l.least())
	width := max(side.X+l.width, margin+p.width(o.Title, p.large)) + margin
	bottom := max(margin+g.title+g.size.Y, side.Y+height) + margin
	if bottom > maxPixels || width > maxPixels/bottom {
		return nil, fmt.Errorf("the picture would have %d×%d pixels: want at most %d: draw fewer maps, or smaller ones", width, bottom, maxPixels)
	}

	p.dst = image.NewRGBA(image.Rect(0, 0, width, bottom))
	p.fill(p.dst.Bounds(), paper)
	p.text(o.Title, p.large, margin, margin+line/2, left, ink)
	for i, m := range maps {
		at := g.at(i)
		if g.caption > 0 {
			p.text(m.Label, p.small, at.X, at.Y-g.caption+line/2-1, left, ink)
			p.text(ranges[i], p.small, at.X, at.Y-line/2-2, left, faint)
		}
		r := image.Rectangle{at, at.Add(size(m, g.longer))}
		p.drawMap(r, m, scales[i])
		if o.Ticks {
			p.drawTicks(r, m)
		}
	}
	l.draw(p, side, height)
	return p.dst, nil
}

// A grid is where the maps are.
type grid struct {
	longer  int         // pixels of a map's longer side
	columns int         // maps side by side
	title   int         // height of the title, above all
	caption int         // height of what is above each map
	ticks   image.Point // room for indices, left of each map and below it
	cell    image.Point // the largest map
	pitch   image.Point // from a map to the next
	size    image.Point // the grid without its title
}

func newGrid(p *pen, maps []Map, ranges []string, o Options) (g grid) {
	n := len(maps)
	most, labels := image.Point{}, 0
	for i, m := range maps {
		most = image.Pt(max(most.X, m.Cols), max(most.Y, m.Rows))
		labels = max(labels, p.width(m.Label, p.small), p.width(ranges[i], p.small))
	}
	if g.columns = min(o.Columns, n); g.columns == 0 {
		g.columns = nearlySquare(n, float64(most.Y)/float64(most.X))
	}
	if g.longer = o.Cell; g.longer == 0 {
		g.longer = min(max(960/g.columns, 64), 512)
	}
	for _, m := range maps {
		s := size(m, g.longer)
		g.cell = image.Pt(max(g.cell.X, s.X), max(g.cell.Y, s.Y))
	}
	if o.Title != "" {
		g.title = 2 * line
	}
	if labels > 0 {
		g.caption = line
	}
	if o.Each {
		g.caption = 2 * line
	}
	if o.Ticks {
		g.ticks = image.Pt(p.width(strconv.Itoa(most.Y-1), p.small)+2*tick, line+tick)
	}
	rows := (n + g.columns - 1) / g.columns
	g.pitch = image.Pt(g.ticks.X+max(g.cell.X, labels)+gutter, g.caption+g.cell.Y+g.ticks.Y+gutter)
	g.size = image.Pt(g.columns*g.pitch.X-gutter, rows*g.pitch.Y-gutter)
	return g
}

// at returns where the pixels of map i begin.
func (g grid) at(i int) image.Point {
	return image.Pt(margin+g.ticks.X+i%g.columns*g.pitch.X, margin+g.title+g.caption+i/g.columns*g.pitch.Y)
}

// nearlySquare returns how many of n maps, so many times as high as wide, stand
// side by side: a few more than make a square if that fills the last row.
func nearlySquare(n int, aspect float64) int {
	square := min(max(int(math.Ceil(math.Sqrt(float64(n)*aspect))), 1), n)
	for c := square; 2*c <= 3*square; c++ {
		if n%c == 0 {
			return c
		}
	}
	return square
}

// size returns the pixels of a map whose longer side has at most so many.
func size(m Map, longer int) image.Point {
	most, least := max(m.Rows, m.Cols), min(shortest, longer)
	side := func(n int) int {
		px := longer / most * n
		if most > longer {
			px = int(math.Round(float64(longer) * float64(n) / float64(most)))
		}
		if n < least {
			return max(px, least/n*n)
		}
		return max(px, least)
	}
	return image.Pt(side(m.Cols), side(m.Rows))
}

// drawMap draws m into r. NaN is hatched where there is room for it.
func (p *pen) drawMap(r image.Rectangle, m Map, s scale) {
	p.fill(r.Inset(-1), frame)
	hatched := r.Dx()/m.Cols >= shortest && r.Dy()/m.Rows >= shortest
	for y := range r.Dy() {
		for x := range r.Dx() {
			p.dst.SetRGBA(r.Min.X+x, r.Min.Y+y, s.paint(m.mean(s, x, y, r.Dx(), r.Dy()), x, y, hatched))
		}
	}
}

// paint returns the colour at t for the pixel x, y of a map.
func (s scale) paint(t float64, x, y int, hatched bool) color.RGBA {
	switch {
	case !math.IsNaN(t):
		return s.color(t)
	case hatched && ((x+y)%8 == 0 || (x-y)%8 == 0):
		return hatch
	}
	return isNaN
}

// mean returns what pixel x, y of w×h shows: where in the colour map the
// elements are that it covers, each by the area covered. In units of 1/h of a
// row, the pixel has rows y·Rows to (y+1)·Rows, and element i has i·h to
// (i+1)·h, so that the areas are whole numbers: none is lost or touched by
// rounding.
func (m Map) mean(s scale, x, y, w, h int) float64 {
	top, bottom, left, right := y*m.Rows, (y+1)*m.Rows, x*m.Cols, (x+1)*m.Cols
	sum := 0.0
	for i := top / h; i*h < bottom; i++ {
		high := min(bottom, (i+1)*h) - max(top, i*h)
		for j := left / w; j*w < right; j++ {
			wide := min(right, (j+1)*w) - max(left, j*w)
			sum += float64(float64(high*wide) * s.at(m.Values[i*m.Cols+j]))
		}
	}
	return sum / float64(m.Rows*m.Cols)
}

// drawTicks writes indices along the left and the lower side of m in r, so
// many that they don't touch.
func (p *pen) drawTicks(r image.Rectangle, m Map) {
	every := func(n, px, apart int) int {
		return int(max(nice(float64(apart)*float64(n)/float64(px)), 1))
	}
	for i := 0; i < m.Rows; i += every(m.Rows, r.Dy(), line+tick) {
		y := r.Min.Y + (2*i+1)*r.Dy()/(2*m.Rows)
		p.fill(image.Rect(r.Min.X-tick, y, r.Min.X-1, y+1), faint)
		p.text(strconv.Itoa(i), p.small, r.Min.X-2*tick, y, right, ink)
	}
	widest := p.width(strconv.Itoa(m.Cols-1), p.small)
	for j := 0; j < m.Cols; j += every(m.Cols, r.Dx(), widest+2*tick) {
		x := r.Min.X + (2*j+1)*r.Dx()/(2*m.Cols)
		p.fill(image.Rect(x, r.Max.Y+1, x+1, r.Max.Y+tick), faint)
		p.text(strconv.Itoa(j), p.small, x, r.Max.Y+tick+line/2, centre, ink)
	}
}
