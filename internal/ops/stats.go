package ops

import (
	"context"
	"math"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
)

// Stats describes the elements of a real array. Min, Max, Mean and the
// population standard deviation Std are those of the finite elements, in
// float64, and NaN where there are none.
type Stats struct {
	Count, NaN, Inf, Zero int64
	Min, Max, Mean, Std   float64
}

// Measure computes the statistics of x, which must be real, in one pass
// through the tile engine. The same figures come out for every number of
// threads.
func Measure(ctx context.Context, x Array, o Options) (Stats, error) {
	if err := needArithmetic([]Array{x}); err != nil {
		return Stats{}, err
	}
	if x.DType().IsComplex() {
		return Stats{}, errorf(x, "dtype %v: statistics are of real numbers", x.DType())
	}
	o.Tile = DefaultTile // the tiles are the tree that sums are made in
	p, err := NewPlan(o, cast(x, dtype.Float64))
	if err != nil {
		return Stats{}, err
	}
	var parts []moments
	err = p.write(ctx, func(x Array) error {
		parts = make([]moments, newTiles(x, p.o, false).count)
		return p.compute(ctx, x, statsTarget{parts}, false)
	})
	if err != nil {
		return Stats{}, err
	}
	all := newMoments()
	for _, m := range parts {
		all.merge(m)
	}
	return all.stats(x.Shape().Len()), nil
}

// Values computes x, which must be real, as float64.
func Values(ctx context.Context, x Array, o Options) ([]float64, error) {
	if err := needArithmetic([]Array{x}); err != nil {
		return nil, err
	}
	if x.DType().IsComplex() {
		return nil, errorf(x, "dtype %v: want real numbers", x.DType())
	}
	p, err := NewPlan(o, cast(x, dtype.Float64))
	if err != nil {
		return nil, err
	}
	data := make([]float64, x.Shape().Len())
	err = p.write(ctx, func(x Array) error {
		return p.compute(ctx, x, &memoryTarget{kernel.Bytes(data), 8}, false)
	})
	return data, err
}

// statsTarget measures tiles in place of writing them.
type statsTarget struct{ parts []moments }

func (t statsTarget) place(Region) []byte { return nil }
func (t statsTarget) fail(error)          {}
func (t statsTarget) put(i int64, _ Region, tile []byte) error {
	t.parts[i] = measure(kernel.View[float64](tile))
	return nil
}

// moments are what stats of parts are merged from (Chan, Golub & LeVeque 1983).
type moments struct {
	n, nan, inf, zero int64
	min, max          float64
	mean, m2          float64 // m2: the sum of squared distances from the mean
}

func newMoments() moments { return moments{min: math.Inf(1), max: math.Inf(-1)} }

func measure(x []float64) moments {
	m, sum := newMoments(), 0.0
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
		sum += v
		m.min, m.max = min(m.min, v), max(m.max, v)
	}
	if m.n > 0 {
		m.mean = sum / float64(m.n)
	}
	for _, v := range x {
		if d := v - m.mean; !math.IsInf(d, 0) && d == d {
			m.m2 += float64(d * d)
		}
	}
	return m
}

func (m *moments) merge(o moments) {
	m.nan, m.inf, m.zero = m.nan+o.nan, m.inf+o.inf, m.zero+o.zero
	if o.n == 0 {
		return
	}
	n := float64(m.n + o.n)
	d := o.mean - m.mean
	m.mean += float64(d * (float64(o.n) / n))
	m.m2 += o.m2 + float64(d*d*(float64(m.n)*float64(o.n)/n))
	m.n += o.n
	m.min, m.max = min(m.min, o.min), max(m.max, o.max)
}

func (m *moments) stats(count int64) Stats {
	s := Stats{count, m.nan, m.inf, m.zero, m.min, m.max, m.mean, math.Sqrt(m.m2 / float64(m.n))}
	if m.n == 0 {
		nan := math.NaN()
		s.Min, s.Max, s.Mean, s.Std = nan, nan, nan, nan
	}
	return s
}
