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
