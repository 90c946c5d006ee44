package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

func (t *Table) fillNormalize() {
	t.FastNormalizeRows[dtype.KindFloat32] = fastNormalizeRows[float32]
	t.FastNormalizeRows[dtype.KindFloat64] = fastNormalizeRows[float64]
	t.PowerRows[dtype.KindFloat32] = powerRows[float32]
	t.PowerRows[dtype.KindFloat64] = powerRows[float64]
	t.FoldNormRows[dtype.KindFloat64] = foldNormRows
	t.Standardize = standardize
	fillNorms[float32](t)
	fillNorms[float64](t)
}

// fillNorms puts the loops of normalisation over F into the table.
func fillNorms[F Float](t *Table) {
	k := kindOf[F]()
	t.RowSums[k] = func(sums []float64, x []byte) { rowMoments(sums, nil, View[F](x), nil) }
	t.RowSquares[k] = func(squares []float64, x []byte) { rowMoments(nil, squares, View[F](x), nil) }
	t.RowMoments[k] = func(sums, squares []float64, x []byte, about []float64) {
		rowMoments(sums, squares, View[F](x), about)
	}
	t.MomentsRows[k] = func(sums, squares []float64, x []byte, about []float64) {
		momentsRows(sums, squares, View[F](x), about, 0)
	}
	t.Normalize[k] = func(dst, src []byte, mean, scale, bias float64) {
		d, s := View[F](dst), View[F](src)
		for i, v := range s {
			d[i] = F(float64((float64(v)-mean)*scale) + bias)
		}
	}
	t.NormalizeRows[k] = func(dst, src []byte, mean, scale, weight, bias []float64) {
		d, s, cols := View[F](dst), View[F](src), len(weight)
		for r, mean := range mean {
			for c, v := range s[r*cols : (r+1)*cols] {
				d[r*cols+c] = F(float64((float64(v)-mean)*scale[r]*weight[c]) + bias[c])
			}
		}
	}
	t.NormalizeCols[k] = func(dst, src []byte, mean, scale, bias []float64) {
		d, s := View[F](dst), View[F](src)
		for i, v := range s {
			d[i] = F(float64((float64(v)-mean[i])*scale[i]) + bias[i])
		}
	}
}

// halfLanes are the partial sums of a row: half as many as a sum alone has.
type halfLanes [16]float64

// rowMoments is RowMoments where there are both, and otherwise what there is, about 0.
func rowMoments[F Float](sums, squares []float64, x []F, about []float64) {
	rows := max(len(sums), len(squares))
	for r := range rows {
		cols, by := len(x)/rows, 0.0
		if about != nil {
			by = about[r]
		}
		var sum, squared halfLanes
		for i, v := range x[r*cols : (r+1)*cols] {
			d := float64(v) - by
			sum[i%len(sum)] += d
			squared[i%len(squared)] += float64(d * d)
		}
		if sums != nil {
			sums[r] = sum.sum()
		}
		if squares != nil {
			squares[r] = squared.sum()
		}
	}
}

// momentsRows is MomentsRows for the columns from number from on.
func momentsRows[F Float](sums, squares []float64, x []F, about []float64, from int) {
	cols := len(sums)
	for ; cols > 0 && len(x) >= cols; x = x[cols:] {
		for c := from; c < cols; c++ {
			d := float64(x[c]) - about[c]
			sums[c] += d
			squares[c] += float64(d * d)
		}
	}
}

// sum combines the lanes by halves.
func (l *halfLanes) sum() float64 {
	for n := len(l) / 2; n > 0; n /= 2 {
		for j := range n {
			l[j] += l[j+n]
		}
	}
	return l[0]
}

func fastNormalizeRows[F Float](dst, src []byte, cols int, epsilon float64) {
	d, s := View[F](dst), View[F](src)
	for cols > 0 && len(s) >= cols {
		sum := epsilon
		for _, v := range s[:cols] {
			sum += float64(max(v, 0))
		}
		for c, v := range s[:cols] {
			d[c] = F(float64(max(v, 0)) / sum)
		}
		d, s = d[cols:], s[cols:]
	}
}

// powerEps is the least length that PowerRows divides by, as PyTorch's
// normalize has it.
const powerEps = 1e-12

func powerRows[F Float](dst, src []byte, cols int) {
	d, s := View[F](dst), View[F](src)
	for cols > 0 && len(s) >= cols {
		sum := 0.0
		for _, v := range s[:cols] {
			sum += math.Abs(float64(v)) // the square of its root
		}
		length := math.Max(math.Sqrt(sum), powerEps)
		for c, v := range s[:cols] {
			d[c] = F(math.Copysign(math.Sqrt(math.Abs(float64(v))), float64(v)) / length)
		}
		d, s = d[cols:], s[cols:]
	}
}

func standardize(mean, scale, sums []float64, count, epsilon float64) {
	for i, sum := range sums {
		off := sum / count
		mean[i] += off
		scale[i] = 1 / math.Sqrt(max(scale[i]-float64(off*sum), 0)/count+epsilon)
	}
}

// NormColumns is the columns of FoldNormRows.
const NormColumns = 5

func foldNormRows(dst, src []byte, epsilon float64) {
	d, s := View[float64](dst), View[float64](src)
	for ; len(s) >= NormColumns; d, s = d[NormColumns:], s[NormColumns:] {
		scale := s[2] / math.Sqrt(s[0]+epsilon)
		d[0], d[1] = scale, s[3]+(s[4]-s[1])*scale
	}
}
