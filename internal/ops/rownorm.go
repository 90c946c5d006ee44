package ops

import (
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
)

// rowNorm says by what rows are normalised: the mean is taken off or not, and
// scales makes factors of the sums of n squares each after that; what sums differ
// by from a mean's is taken off them, too, and added to the mean.
type rowNorm struct {
	centred bool
	scales  func(mean, squares, sums []float64, n float64)
	t       dtype.Type // of the numbers
}

// longRow is the elements from which on a row isn't held whole: its statistics
// come first.
const longRow = 1 << 20

// standard divides by the root of the mean of the squares.
func standard(epsilon float64) func(mean, squares, sums []float64, n float64) {
	return func(mean, squares, sums []float64, n float64) {
		kernel.Active().Standardize(mean, squares, sums, n, epsilon)
	}
}

// normFlops is the operations for an element of a row: its difference from a
// number, that squared, and two sums, twice; another difference, two products and
// a sum.
const normFlops = 12

// rowStatistics give the mean that is taken off each row and the factor for it, for
// as many rows at a time as stay in the first-level cache.
type rowStatistics struct {
	k    rowNorm
	cols int
	buf  []float64 // rowBuffers rows of a number for each row at a time
}

// rowBuffers are the numbers for each row that rowStatistics have room for: the
// mean, the scale, and the sum.
const rowBuffers = 3

// rowsAtATime is the number of rows of cols elements that rowStatistics take.
func (k rowNorm) rowsAtATime(cols int) int { return max(1, min(64, cacheLen/max(cols, 1))) }

// cacheLen is the elements of rows that stay in the first-level cache beside what
// they are normalised by.
const cacheLen = 4096

func (k rowNorm) statistics(cols int, buf []byte) rowStatistics {
	return rowStatistics{k, cols, kernel.View[float64](buf)}
}

// of computes those of rows.
func (r rowStatistics) of(rows []byte) (mean, scale []float64) {
	t, kind, count, n := kernel.Active(), r.k.t.Kind(), float64(r.cols), len(rows)/r.k.t.Size()/r.cols
	at := len(r.buf) / rowBuffers
	mean, scale, sums := r.buf[:n], r.buf[at:at+n], r.buf[2*at:2*at+n]
	if r.k.centred {
		t.RowSums[kind](mean, rows)
		for i := range mean {
			mean[i] /= count // the mean, but for rounding
		}
		t.RowMoments[kind](sums, scale, rows, mean)
	} else {
		clear(mean)
		clear(sums)
		t.RowSquares[kind](scale, rows)
	}
	r.k.scales(mean, scale, sums, count)
	return mean, scale
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
	} else {
		clear(sums)
	}
	c.k.scales(mean, scale, sums, count)
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
