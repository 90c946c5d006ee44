package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

// NormalizeRows computes, for each row of cols float32 or float64 elements,
// dst[c] = max(src[c], 0) / (sum over c of max(src[c], 0) + eps): BiFPN's fast
// normalised weights. dst may be src.
func NormalizeRows(k dtype.Kind, dst, src []byte, cols int, eps float64) {
	if k == dtype.KindFloat32 {
		normalizeRows[float32](dst, src, cols, eps)
	} else {
		normalizeRows[float64](dst, src, cols, eps)
	}
}

func normalizeRows[F Float](dst, src []byte, cols int, eps float64) {
	d, s := View[F](dst), View[F](src)
	for cols > 0 && len(s) >= cols {
		sum := eps
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

// PowerRows computes, for each row of cols float32 or float64 elements,
// r[c] = sign(src[c])·sqrt(|src[c]|) and dst = r / max(length of r, 1e-12): the
// power and l2 normalisation of bilinear features (Perronnin et al. 2010; Yu
// et al. 2017). The squares are summed in float64. dst may be src.
func PowerRows(k dtype.Kind, dst, src []byte, cols int) {
	if k == dtype.KindFloat32 {
		powerRows[float32](dst, src, cols)
	} else {
		powerRows[float64](dst, src, cols)
	}
}

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

// FoldNormRows computes, for each row of 5 float64 elements, a channel's
// variance, mean, weight, bias and the bias of the map before it, the numbers
// by which a batch normalisation scales and shifts the map's product:
// dst[0] = weight / sqrt(variance + eps), dst[1] = bias + (before - mean)·dst[0].
// dst may be src.
func FoldNormRows(dst, src []byte, eps float64) {
	d, s := View[float64](dst), View[float64](src)
	for ; len(s) >= NormColumns; d, s = d[NormColumns:], s[NormColumns:] {
		scale := s[2] / math.Sqrt(s[0]+eps)
		d[0], d[1] = scale, s[3]+(s[4]-s[1])*scale
	}
}

// Relu computes x[i] = max(x[i], 0) in place, NaN staying NaN.
func Relu[F Float](x []F) {
	for i, v := range x {
		if v < 0 {
			x[i] = 0
		}
	}
}
