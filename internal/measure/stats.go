package measure

import (
	"context"
	"math"
	"math/big"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/ops"
)

// Stats describes the elements of a real array. Min, Max, Mean and the
// population standard deviation Std are those of the finite elements, in
// float64, and NaN where there are none.
type Stats struct {
	Count, NaN, Inf, Zero int64
	Min, Max, Mean, Std   float64
	MinInt, MaxInt        *big.Int // of integers, exactly; nil for other arrays and for empty ones
}

// Summarize computes the statistics of x, which must be real, in one pass
// through the tile engine. The same figures come out for every number of
// threads.
func Summarize(ctx context.Context, x graph.Array, o graph.Options) (Stats, error) {
	if err := ops.NeedArithmetic([]graph.Array{x}); err != nil {
		return Stats{}, err
	}
	if x.DType().IsComplex() {
		return Stats{}, graph.Errorf(x, "dtype %v: statistics are of real numbers", x.DType())
	}
	x = ops.Untransposed(x)
	o.Tile = graph.DefaultTile / 8 * int64(x.DType().Size()) // the tiles are the tree that sums are made in
	p, err := graph.NewPlan(o, x)
	if err != nil {
		return Stats{}, err
	}
	to := &statsTarget{t: x.DType()}
	if err = p.Give(ctx, to); err != nil {
		return Stats{}, err
	}
	all := newMoments()
	for _, m := range to.parts {
		all.merge(m)
	}
	return all.stats(x.Shape().Len()), nil
}

// Values computes x, which must be real, as float64.
func Values(ctx context.Context, x graph.Array, o graph.Options) ([]float64, error) {
	if err := ops.NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	if x.DType().IsComplex() {
		return nil, graph.Errorf(x, "dtype %v: want real numbers", x.DType())
	}
	wide, err := ops.Cast(x, dtype.Float64)
	if err != nil {
		return nil, err
	}
	p, err := graph.NewPlan(o, wide)
	if err != nil {
		return nil, err
	}
	data := make([]float64, x.Shape().Len())
	return data, p.Into(ctx, kernel.Bytes(data))
}

// statsTarget measures tiles in place of writing them.
type statsTarget struct {
	parts []moments
	t     dtype.Type
}

func (t *statsTarget) Begin(tiles int64)         { t.parts = make([]moments, tiles) }
func (t *statsTarget) Place(graph.Region) []byte { return nil }
func (t *statsTarget) Fail(error)                {}
func (t *statsTarget) Put(i int64, r graph.Region, tile []byte) error {
	buf := graph.GetBuffer(r.Runs * r.Len * 8)
	defer graph.PutBuffer(buf)
	kernel.Active().Convert[t.t.Kind()][dtype.KindFloat64](buf, tile)
	t.parts[i] = measure(kernel.View[float64](buf))
	if t.t.IsInteger() {
		t.parts[i].low, t.parts[i].high = extremes(t.t, tile, t.parts[i])
	}
	return nil
}

// extremes are the least and the greatest of integers of type t, of which there
// are some; m are their moments, which are exact where float64 is.
func extremes(t dtype.Type, x []byte, m moments) (low, high *big.Int) {
	switch t {
	case dtype.Uint64:
		v := kernel.View[uint64](x)
		return new(big.Int).SetUint64(slices.Min(v)), new(big.Int).SetUint64(slices.Max(v))
	case dtype.Int64:
		v := kernel.View[int64](x)
		return big.NewInt(slices.Min(v)), big.NewInt(slices.Max(v))
	}
	return big.NewInt(int64(m.min)), big.NewInt(int64(m.max))
}

// moments are the figures of a part, from which those of the whole are merged
// (Chan, Golub & LeVeque 1983). Mean and m2 are those of the elements times 2^-exp, lest squares overflow.
type moments struct {
	n, nan, inf, zero int64
	min, max          float64
	low, high         *big.Int // of integers, exactly
	exp               int
	mean, m2          float64 // m2: the sum of squared distances from the mean
}

func newMoments() moments { return moments{min: math.Inf(1), max: math.Inf(-1)} }

const (
	// largeExp is the exponent of elements whose squares are not summed as they
	// are.
	largeExp = 450
	// scaleExp brings them, and the squares of all others, into range.
	scaleExp = 600
)

func measure(x []float64) moments {
	m := newMoments()
	for _, v := range x {
		switch {
		case v != v:
			m.nan++
			continue
		case math.IsInf(v, 0):
			m.inf++
			continue
		case v == 0:
			m.zero++
		}
		m.n++
		m.min, m.max = min(m.min, v), max(m.max, v)
	}
	if m.n == 0 {
		return m
	}
	scale := 1.0
	if max(-m.min, m.max) >= math.Ldexp(1, largeExp) {
		m.exp, scale = scaleExp, math.Ldexp(1, -scaleExp)
	}
	sum := 0.0
	for _, v := range x {
		if v-v == 0 {
			sum += v * scale
		}
	}
	m.mean = sum / float64(m.n)
	for _, v := range x {
		if v-v == 0 {
			d := float64(v*scale) - m.mean
			m.m2 += float64(d * d)
		}
	}
	return m
}

// scaled brings mean and m2 to another exponent.
func (m *moments) scaled(exp int) {
	m.mean, m.m2 = math.Ldexp(m.mean, m.exp-exp), math.Ldexp(m.m2, 2*(m.exp-exp))
	m.exp = exp
}

func (m *moments) merge(o moments) {
	m.nan, m.inf, m.zero = m.nan+o.nan, m.inf+o.inf, m.zero+o.zero
	if o.n == 0 {
		return
	}
	exp := max(m.exp, o.exp)
	m.scaled(exp)
	o.scaled(exp)
	if o.low != nil && (m.low == nil || o.low.Cmp(m.low) < 0) {
		m.low = o.low
	}
	if o.high != nil && (m.high == nil || o.high.Cmp(m.high) > 0) {
		m.high = o.high
	}
	n := float64(m.n + o.n)
	d := o.mean - m.mean
	m.mean += float64(d * (float64(o.n) / n))
	m.m2 += o.m2 + float64(d*d*(float64(m.n)*float64(o.n)/n))
	m.n += o.n
	m.min, m.max = min(m.min, o.min), max(m.max, o.max)
}

func (m *moments) stats(count int64) Stats {
	s := Stats{count, m.nan, m.inf, m.zero, m.min, m.max, math.Ldexp(m.mean, m.exp), math.Ldexp(math.Sqrt(m.m2/float64(m.n)), m.exp), m.low, m.high}
	if m.n == 0 {
		nan := math.NaN()
		s.Min, s.Max, s.Mean, s.Std = nan, nan, nan, nan
	}
	return s
}
