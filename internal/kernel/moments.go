package kernel

import "math"

// momentRows is documented by Table.MomentRows.
func momentRows[F Float](acc []float64, x []byte) {
	cols := len(acc) / 3
	k, s, q := acc[:cols], acc[cols:2*cols], acc[2*cols:3*cols]
	for v := View[F](x); cols > 0 && len(v) >= cols; v = v[cols:] {
		for c, v := range v[:cols] {
			d := float64(v) - k[c]
			s[c] += d
			q[c] += float64(d * d)
		}
	}
}

// Moments are the number of some values, their mean, and the sum of the squares of their
// distances from it. Low is what the mean's rounding leaves away, so that the
// distance between two means that lie close together is exact.
type Moments struct{ N, Mean, Low, Squares float64 }

// FoldMoments computes the moments of columns of rows elements from what MomentRows has made
// of acc. Where k is one of a column's elements, as its first is, the difference of the
// two sums of squares loses at most a factor of their number; a constant's is 0.
func FoldMoments(dst []Moments, acc []float64, rows int) {
	cols, n := len(dst), float64(rows)
	for c := range dst {
		k, s, q := acc[c], acc[cols+c], acc[2*cols+c]
		mean := s / n
		m := Moments{N: n, Squares: q - float64(s*mean)}
		if m.Squares < 0 {
			m.Squares = 0
		}
		m.Mean, m.Low = twoSum(k, mean)
		dst[c] = m
	}
}

// Merge takes in the moments of further values (Chan, Golub & LeVeque 1983).
func (m *Moments) Merge(o Moments) {
	if m.N == 0 {
		*m = o
		return
	}
	n := m.N + o.N
	d := (o.Mean - m.Mean) + (o.Low - m.Low)
	m.Squares += o.Squares + float64(float64(d*d)*(m.N*(o.N/n)))
	m.Mean, m.Low = twoSum(m.Mean, m.Low+float64(d*(o.N/n)))
	m.N = n
}

// Variance is the mean square distance from the mean, ddof values being left away from their number.
func (m Moments) Variance(ddof float64) float64 { return m.Squares / (m.N - ddof) }

// twoSum returns a+b and what its rounding leaves away (Knuth).
func twoSum(a, b float64) (sum, low float64) {
	sum = a + b
	if math.IsInf(sum, 0) {
		return sum, 0
	}
	t := sum - a
	return sum, (a - (sum - t)) + (b - t)
}
