package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

func (t *Table) fillSoftmax() {
	t.SoftmaxRows[dtype.KindFloat32] = softmaxRows[float32]
	t.SoftmaxRows[dtype.KindFloat64] = softmaxRows[float64]
}

func softmaxRows[F Float](dst, src []byte, cols int) {
	d, s := View[F](dst), View[F](src)
	for cols > 0 && len(s) >= cols {
		softmax(d[:cols], s[:cols])
		d, s = d[cols:], s[cols:]
	}
}

func softmax[F Float](dst, src []F) {
	greatest := F(math.Inf(-1))
	for _, v := range src {
		if !(v <= greatest) {
			greatest = v
			if v != v {
				break
			}
		}
	}
	m := float64(greatest)
	switch {
	case math.IsInf(m, -1):
		clear(dst)
		return
	case m != m || math.IsInf(m, 1):
		for i := range dst {
			dst[i] = F(math.NaN())
		}
		return
	}
	var l lanes
	for i, v := range src {
		e := exp(float64(v) - m)
		l[i%len(l)] += e
		dst[i] = F(e)
	}
	sum := l.sum()
	for i, v := range dst {
		dst[i] = F(float64(v) / sum)
	}
}
