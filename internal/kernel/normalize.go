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
	fillNorms[float32](t)
	fillNorms[float64](t)
}

// fillNorms puts the loops of normalisation over F into the table.
func fillNorms[F Float](t *Table) {
	k := kindOf[F]()
	t.Moments[k] = func(x []byte, about float64) (sum, squares float64) {
		var sums, squared halfLanes
		addMoments(&sums, &squared, View[F](x), about)
		return sums.sum(), squared.sum()
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
	t.NormalizeRow[k] = func(dst, src []byte, mean, scale float64, weight, bias []float64) {
		d, s := View[F](dst), View[F](src)
		for i, v := range s {
			d[i] = F(float64((float64(v)-mean)*scale*weight[i]) + bias[i])
		}
	}
	t.NormalizeCols[k] = func(dst, src []byte, mean, scale, bias []float64) {
		d, s := View[F](dst), View[F](src)
		for i, v := range s {
			d[i] = F(float64((float64(v)-mean[i])*scale[i]) + bias[i])
		}
	}
}

// halfLanes are the partial sums of Moments: half as many as a sum alone has.
type halfLanes [16]float64

// addMoments adds s, whose first element belongs to lane 0.
func addMoments[F Float](sums, squares *halfLanes, s []F, about float64) {
	for i, v := range s {
		d := float64(v) - about
		sums[i%len(sums)] += d
		squares[i%len(squares)] += float64(d * d)
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

// NormColumns is the columns of FoldNormRows.
const NormColumns = 5

func foldNormRows(dst, src []byte, epsilon float64) {
	d, s := View[float64](dst), View[float64](src)
	for ; len(s) >= NormColumns; d, s = d[NormColumns:], s[NormColumns:] {
		scale := s[2] / math.Sqrt(s[0]+epsilon)
		d[0], d[1] = scale, s[3]+(s[4]-s[1])*scale
	}
}
