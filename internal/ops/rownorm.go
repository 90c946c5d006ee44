package ops

import (
	"math"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
)

// rowNorm says by what rows are normalised: the mean is taken off or not, and
// scale is the factor for n numbers whose squares, after that, have such a sum.
type rowNorm struct {
	centred bool
	scale   func(squares, n float64) float64
	t       dtype.Type // of the numbers
}

// longRow is the elements from which on a row isn't held whole: its statistics
// come first.
const longRow = 1 << 20

// standard divides by the root of the mean of the squares.
func standard(epsilon float64) func(squares, n float64) float64 {
	return func(squares, n float64) float64 { return 1 / math.Sqrt(squares/n+epsilon) }
}

// normFlops is the operations for an element of a row: its difference from a
// number, that squared, and two sums, twice; another difference, two products and
// a sum.
const normFlops = 12

// statistics gives what is taken off n numbers, and the factor for them.
func (k rowNorm) statistics(row []byte, n int) (mean, scale float64) {
	moments, count := kernel.Active().Moments[k.t.Kind()], float64(n)
	sum, squares := moments(row, 0)
	if !k.centred {
		return 0, k.scale(squares, count)
	}
	about := sum / count // the mean, but for rounding
	sum, squares = moments(row, about)
	off := sum / count
	return about + off, k.scale(max(squares-float64(off*sum), 0), count)
}

// columnBuffers are the numbers for each column that columnStatistics have room
// for: the mean, the scale, the sum, and another one.
const columnBuffers = 4

// columnStatistics gives what is taken off the columns of a matrix and the factor
// for each, per neighbouring columns counting as one.
type columnStatistics struct {
	k         rowNorm
	cols, per int
	buf       []float64 // columnBuffers rows
}

func (c columnStatistics) row(i int) []float64 { return c.buf[i*c.cols : (i+1)*c.cols] }

// of computes those of a matrix: the mean is row 0, the scale row 1.
func (c columnStatistics) of(matrix []byte) {
	mean, scale, sums := c.row(0), c.row(1), c.row(2)
	count := float64(len(matrix) / c.k.t.Size() / c.cols * c.per)
	clear(mean)
	c.moments(matrix)
	if c.k.centred {
		for i, s := range sums {
			mean[i] = s / count
		}
		c.moments(matrix)
	}
	for i, squares := range scale {
		off := 0.0
		if c.k.centred {
			off = sums[i] / count
			squares = max(squares-float64(off*sums[i]), 0)
		}
		mean[i], scale[i] = mean[i]+off, c.k.scale(squares, count)
	}
}

// moments sums what differs from the mean, into row 2, and its square, into row 1.
func (c columnStatistics) moments(matrix []byte) {
	mean, squares, sums := c.row(0), c.row(1), c.row(2)
	clear(squares)
	clear(sums)
	piece := max(pieceLen/c.cols, 1) * c.cols * c.k.t.Size()
	for len(matrix) > 0 {
		n := min(piece, len(matrix))
		kernel.Active().MomentsRows[c.k.t.Kind()](sums, squares, matrix[:n], mean)
		matrix = matrix[n:]
	}
	for _, all := range [][]float64{sums, squares} {
		for ; c.per > 1 && len(all) > 0; all = all[c.per:] {
			sum := 0.0
			for _, v := range all[:c.per] {
				sum += v
			}
			for i := range all[:c.per] {
				all[i] = sum
			}
		}
	}
}

// others are the axes that aren't among those given.
func others(axes []int, ndim int) (rest []int) {
	for a := range ndim {
		if !slices.Contains(axes, a) {
			rest = append(rest, a)
		}
	}
	return rest
}
