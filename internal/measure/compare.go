package measure

import (
	"context"
	"math"
	"strconv"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// CompareOptions say which elements count as equal: those of which
// |a-b| <= ATol + RTol·|b|, as numpy.isclose has it. Infinities are equal to
// themselves, and NaNs to one another where EqualNaN says so.
type CompareOptions struct {
	RTol, ATol float64
	EqualNaN   bool
}

// Comparison counts the differences of two arrays. The maxima are those of pairs of finite
// elements.
type Comparison struct {
	Count     int64 // elements compared
	Different int64 // beyond the tolerance
	Unequal   int64 // not equal to the last bit; -0 and 0 are equal
	NaN       int64 // pairs of which just one is NaN
	Inf       int64 // other pairs that differ in an infinity
	MaxAbs    float64
	MaxAbsInt uint64  // MaxAbs of integers, exactly
	MaxRel    float64 // of |a-b|/|b|, where b isn't 0
	MaxULP    float64 // in units of the last place of b; float arrays of one dtype only, else NaN
	Worst     int64   // the first element, in C order, with the largest |a-b|; -1: none differs
	Finite    bool    // whether Worst is a pair of finite elements: any is worse than those that aren't
	A, B      string  // the elements of Worst, with as many digits as tell them apart
}

// Compare compares two arrays of one shape element by element, in the dtype
// that they promote to, in one pass through the tile engine.
func Compare(ctx context.Context, a, b graph.Array, c CompareOptions, o graph.Options) (Comparison, error) {
	if !a.Shape().Equal(b.Shape()) {
		return Comparison{}, graph.Errorf(b, "shape %v: %s has %v", b.Shape(), graph.NameOf(a), a.Shape())
	}
	if err := ops.NeedArithmetic([]graph.Array{a, b}); err != nil {
		return Comparison{}, err
	}
	same := a.DType() == b.DType()
	xs, t, err := ops.Promote([]graph.Array{a, b})
	if err != nil {
		return Comparison{}, err
	}
	n := int(a.Shape().Len())
	for i, x := range xs {
		if xs[i], err = ops.Reshape(x, shape.Shape{n, 1}); err != nil {
			return Comparison{}, err
		}
	}
	pairs, err := ops.Concat(xs, -1)
	if err != nil {
		return Comparison{}, err
	}
	o.Tile = graph.DefaultTile // an even number of elements
	p, err := graph.NewPlan(o, pairs)
	if err != nil {
		return Comparison{}, err
	}
	k := &comparing{CompareOptions: c, t: t, wide: dtype.Float64, ulps: same && t.IsFloat()}
	if t.IsComplex() {
		k.wide = dtype.Complex128
	}
	if err = p.Give(ctx, k); err != nil {
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
	c.Different, c.Unequal, c.NaN, c.Inf = c.Different+o.Different, c.Unequal+o.Unequal, c.NaN+o.NaN, c.Inf+o.Inf
	if o.worseThan(c) {
		c.Worst, c.Finite, c.A, c.B = o.Worst, o.Finite, o.A, o.B
	}
	c.MaxAbs, c.MaxRel, c.MaxULP = max(c.MaxAbs, o.MaxAbs), max(c.MaxRel, o.MaxRel), max(c.MaxULP, o.MaxULP)
	c.MaxAbsInt = max(c.MaxAbsInt, o.MaxAbsInt)
}

// worseThan reports whether the Worst of a part is worse than that of c, or as bad
// and before it: parts come in the order of tiles.
func (o *Comparison) worseThan(c *Comparison) bool {
	switch {
	case o.Worst < 0 || c.Worst < 0:
		return o.Worst >= 0
	case o.Finite != c.Finite:
		return o.Finite
	case !o.Finite || o.MaxAbs == c.MaxAbs && o.MaxAbsInt == c.MaxAbsInt:
		return o.Worst < c.Worst
	}
	return o.MaxAbs > c.MaxAbs || o.MaxAbsInt > c.MaxAbsInt
}

// comparing is the target that compares tiles in place of writing them.
type comparing struct {
	CompareOptions
	t, wide dtype.Type // of the pairs, and what their numbers are looked at as
	ulps    bool
	parts   []Comparison
}

func (k *comparing) Begin(tiles int64)         { k.parts = make([]Comparison, tiles) }
func (k *comparing) Place(graph.Region) []byte { return nil }
func (k *comparing) Fail(error)                {}
func (k *comparing) Put(i int64, r graph.Region, tile []byte) error {
	n := r.Runs * r.Len
	buf := graph.GetBuffer(n * int64(k.wide.Size()))
	defer graph.PutBuffer(buf)
	kernel.Active().Convert[k.t.Kind()][k.wide.Kind()](buf, tile)
	part := newComparison()
	size := k.t.Size()
	var worst []byte
	for j := range int(n / 2) {
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
		if same && !isNaN(a) {
			continue
		}
		if k.pair(&part, bits, a, b) {
			at := 2 * int64(j)
			part.Worst = (r.Off + at/r.Len*r.Stride + at%r.Len) / 2
			worst = bits
		}
	}
	if worst != nil {
		part.A, part.B = element(k.t, worst[:size]), element(k.t, worst[size:])
	}
	k.parts[i] = part
	return nil
}

// pair takes two elements into account, given as their bytes and as numbers, and
// reports whether they are the worst so far.
func (k *comparing) pair(c *Comparison, bits []byte, a, b complex128) (worst bool) {
	nanA, nanB := isNaN(a), isNaN(b)
	if nanA && nanB && k.EqualNaN || a == b && !k.t.IsInteger() {
		return false
	}
	c.Unequal++
	off := abs(a - b)
	switch {
	case nanA != nanB:
		c.NaN++
	case !nanA && !finite(a, b):
		c.Inf++
	}
	if !finite(a, b) {
		c.Different++
		worst = c.Worst < 0
		return worst
	}
	var exact uint64
	if k.t.IsInteger() { // float64 may not tell them apart
		exact = distance(k.t, bits)
		off = float64(exact)
	}
	if size := abs(b); size > 0 {
		c.MaxRel = max(c.MaxRel, off/size)
	}
	if k.ulps {
		c.MaxULP = max(c.MaxULP, off/k.t.ULP(real(b)))
	}
	if !(off <= k.ATol+k.RTol*abs(b)) {
		c.Different++
	}
	worst = !c.Finite || off > c.MaxAbs || exact > c.MaxAbsInt
	c.Finite = true
	c.MaxAbs, c.MaxAbsInt = max(c.MaxAbs, off), max(c.MaxAbsInt, exact)
	return worst
}

// distance is |a-b| of two integers of type t, one after the other.
func distance(t dtype.Type, bits []byte) uint64 {
	if t == dtype.Uint64 {
		v := kernel.View[uint64](bits)
		return max(v[0], v[1]) - min(v[0], v[1])
	}
	wide := make([]int64, 2)
	kernel.Active().Convert[t.Kind()][dtype.KindInt64](kernel.Bytes(wide), bits)
	return uint64(max(wide[0], wide[1])) - uint64(min(wide[0], wide[1]))
}

// element writes an element of type t with all its digits.
func element(t dtype.Type, x []byte) string {
	convert := kernel.Active().Convert[t.Kind()]
	switch {
	case t == dtype.Uint64:
		return strconv.FormatUint(kernel.View[uint64](x)[0], 10)
	case t.IsInteger():
		wide := make([]int64, 1)
		convert[dtype.KindInt64](kernel.Bytes(wide), x)
		return strconv.FormatInt(wide[0], 10)
	case t.IsComplex():
		wide := make([]complex128, 1)
		convert[dtype.KindComplex128](kernel.Bytes(wide), x)
		return strconv.FormatComplex(wide[0], 'g', -1, 8*t.Size())
	}
	wide := make([]float64, 1)
	convert[dtype.KindFloat64](kernel.Bytes(wide), x)
	digits := 64
	if t.Size() < 8 {
		digits = 32
	}
	return strconv.FormatFloat(wide[0], 'g', -1, digits)
}

// finite reports whether no part of any number is NaN or infinite.
func finite(xs ...complex128) bool {
	for _, x := range xs {
		if v := real(x) - real(x) + imag(x) - imag(x); v != 0 {
			return false
		}
	}
	return true
}

// isNaN reports whether either part is NaN; an infinite part doesn't hide it.
func isNaN(x complex128) bool { return math.IsNaN(real(x)) || math.IsNaN(imag(x)) }

func abs(x complex128) float64 { return math.Hypot(real(x), imag(x)) }
