package ops

import (
	"context"
	"math"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// CompareOptions say which elements count as equal: those of which
// |a-b| <= ATol + RTol·|b|, as numpy.isclose has it. Infinities are equal to
// themselves, and NaNs to one another where EqualNaN says so.
type CompareOptions struct {
	RTol, ATol float64
	EqualNaN   bool
}

// Comparison is how two arrays differ.
type Comparison struct {
	Count     int64 // elements compared
	Different int64 // beyond the tolerance
	Unequal   int64 // not equal to the last bit; -0 and 0 are equal
	NaN       int64 // pairs of which just one is NaN
	MaxAbs    float64
	MaxRel    float64 // of |a-b|/|b|, where b isn't 0
	MaxULP    float64 // in units of the last place of b; float arrays of one dtype only, else NaN
	Worst     int64   // the element with the largest |a-b|, in C order; -1: none differs
	A, B      complex128
}

// Compare compares two arrays of one shape element by element, in the dtype
// that they promote to, in one pass through the tile engine.
func Compare(ctx context.Context, a, b Array, c CompareOptions, o Options) (Comparison, error) {
	if !a.Shape().Equal(b.Shape()) {
		return Comparison{}, errorf(b, "shape %v: %s has %v", b.Shape(), NameOf(a), a.Shape())
	}
	if err := needArithmetic([]Array{a, b}); err != nil {
		return Comparison{}, err
	}
	same := a.DType() == b.DType()
	xs, t, err := promote([]Array{a, b})
	if err != nil {
		return Comparison{}, err
	}
	n := int(a.Shape().Len())
	for i, x := range xs {
		xs[i] = reshape(x, shape.Shape{n, 1})
	}
	pairs, err := Concat(xs, -1)
	if err != nil {
		return Comparison{}, err
	}
	o.Tile = DefaultTile // an even number of elements
	p, err := NewPlan(o, pairs)
	if err != nil {
		return Comparison{}, err
	}
	k := &comparing{CompareOptions: c, t: t, wide: dtype.Float64, ulps: same && t.IsFloat()}
	if t.IsComplex() {
		k.wide = dtype.Complex128
	}
	err = p.write(ctx, func(x Array) error {
		k.parts = make([]Comparison, newTiles(x, p.o, false).count)
		return p.compute(ctx, x, k, false)
	})
	if err != nil {
		return Comparison{}, err
	}
	all := newComparison()
	for _, m := range k.parts {
		all.merge(m)
	}
	if !k.ulps {
		all.MaxULP = math.NaN()
	}
	all.Count = int64(n)
	return all, nil
}

func newComparison() Comparison { return Comparison{Worst: -1} }

func (c *Comparison) merge(o Comparison) {
	c.Different, c.Unequal, c.NaN = c.Different+o.Different, c.Unequal+o.Unequal, c.NaN+o.NaN
	if o.Worst >= 0 && (c.Worst < 0 || o.MaxAbs > c.MaxAbs) {
		c.Worst, c.A, c.B = o.Worst, o.A, o.B
	}
	c.MaxAbs, c.MaxRel, c.MaxULP = max(c.MaxAbs, o.MaxAbs), max(c.MaxRel, o.MaxRel), max(c.MaxULP, o.MaxULP)
}

// comparing is the target that compares tiles in place of writing them.
type comparing struct {
	CompareOptions
	t, wide dtype.Type // of the pairs, and what their numbers are looked at as
	ulps    bool
	parts   []Comparison
	buffers scratch
}

func (k *comparing) place(Region) []byte { return nil }
func (k *comparing) fail(error)          {}
func (k *comparing) put(i int64, r Region, tile []byte) error {
	buf := k.buffers.get(r.Len * int64(k.wide.Size()))
	defer k.buffers.put(buf)
	kernel.Active().Convert[k.t.Kind()][k.wide.Kind()](buf, tile)
	part := newComparison()
	size := k.t.Size()
	for j := range int(r.Len / 2) {
		bits := tile[2*j*size:][:2*size]
		same := string(bits[:size]) == string(bits[size:])
		if same && k.EqualNaN {
			continue
		}
		var a, b complex128
		if k.t.IsComplex() {
			v := kernel.View[complex128](buf)
			a, b = v[2*j], v[2*j+1]
		} else {
			v := kernel.View[float64](buf)
			a, b = complex(v[2*j], 0), complex(v[2*j+1], 0)
		}
		if !same || isNaN(a) {
			k.pair(&part, r.Off/2+int64(j), a, b)
		}
	}
	k.parts[i] = part
	return nil
}

// pair takes two elements into account whose bits differ.
func (k *comparing) pair(c *Comparison, at int64, a, b complex128) {
	nanA, nanB := isNaN(a), isNaN(b)
	if nanA && nanB && k.EqualNaN || a == b && !k.t.IsInteger() {
		return
	}
	off := math.Inf(1)
	switch {
	case nanA != nanB:
		c.NaN++
	case !nanA:
		off = abs(a - b)
		if k.t.IsInteger() {
			off = max(off, 1) // too large for float64 to tell apart
		}
		if size := abs(b); size > 0 {
			c.MaxRel = max(c.MaxRel, off/size)
		}
		if k.ulps {
			c.MaxULP = max(c.MaxULP, off/k.t.ULP(real(b)))
		}
	}
	c.Unequal++
	if !(off <= k.ATol+k.RTol*abs(b)) || math.IsInf(off, 1) {
		c.Different++
	}
	if c.Worst < 0 || off > c.MaxAbs {
		c.Worst, c.A, c.B = at, a, b
	}
	c.MaxAbs = max(c.MaxAbs, off)
}

// isNaN reports whether either part is NaN; an infinite part doesn't hide it.
func isNaN(x complex128) bool { return math.IsNaN(real(x)) || math.IsNaN(imag(x)) }

func abs(x complex128) float64 { return math.Hypot(real(x), imag(x)) }
