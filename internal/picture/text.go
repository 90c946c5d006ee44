package picture

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// A pen draws rectangles and text. A face keeps state, so each picture has its own.
type pen struct {
	dst          *image.RGBA
	small, large font.Face
}

func newPen() (*pen, error) {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	p := &pen{}
	if p.small, err = opentype.NewFace(f, &opentype.FaceOptions{Size: 13, DPI: 72}); err != nil {
		return nil, err
	}
	p.large, err = opentype.NewFace(f, &opentype.FaceOptions{Size: 17, DPI: 72})
	return p, err
}

func (p *pen) fill(r image.Rectangle, c color.RGBA) {
	draw.Draw(p.dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

func (p *pen) width(s string, face font.Face) int {
	if len(s) > 1<<16 {
		return maxPixels // more than a picture has; and the sum below is of 26 bits
	}
	return font.MeasureString(face, s).Ceil()
}

// What of a text is at x: its left side, its centre or its right side.
const (
	left = iota
	centre
	right
)

// text writes s, its digits centred at y.
func (p *pen) text(s string, face font.Face, x, y, align int, c color.RGBA) {
	d := font.Drawer{Dst: p.dst, Src: image.NewUniform(c), Face: face}
	d.Dot.X = fixed.I(x - p.width(s, face)*align/2)
	d.Dot.Y = fixed.I(y + (face.Metrics().CapHeight / 2).Round())
	d.DrawString(s)
}

// number writes v with the digits that tell values of s apart, a few hundred
// between its ends.
func number(v float64, s scale) string {
	digits := 3
	if unit := max(math.Abs(s.low), math.Abs(s.high)); s.low < s.high {
		digits += int(max(-math.Log10(s.high/unit-s.low/unit), 0))
	}
	// Rounded to multiples of the last digit at the larger end, so that 0.001
	// of a range up to 300 is 0.
	exponent := math.Floor(math.Log10(max(math.Abs(s.low), math.Abs(s.high))))
	own := digits
	if v != 0 {
		own -= int(exponent - math.Floor(math.Log10(math.Abs(v))))
	}
	if v == 0 || own < 0 {
		return "0"
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', min(max(own, 1), 17)-1, 64), 64)
	form := byte('f')
	if a := math.Abs(rounded); a < 1e-4 || a >= 1e6 {
		form = 'e'
	}
	text := strconv.FormatFloat(rounded, form, -1, 64)
	return strings.NewReplacer("e+0", "e", "e-0", "e−", "e+", "e", "-", "−").Replace(text)
}

// nice returns the least of 1, 2 and 5 times a power of ten that is at least x.
func nice(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, n := range []float64{1, 2, 5} {
		if n*power >= x {
			return n * power
		}
	}
	return 10 * power
}
