package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

func (t *Table) fillSoftmax() {
	t.SoftmaxRows[dtype.KindFloat32] = rows(softmax[float32])
	t.SoftmaxRows[dtype.KindFloat64] = rows(softmax[float64])
	t.LogSoftmaxRows[dtype.KindFloat32] = rows(logSoftmax[float32])
	t.LogSoftmaxRows[dtype.KindFloat64] = rows(logSoftmax[float64])
	t.HardmaxRows[dtype.KindFloat32] = rows(hardmax[float32])
	t.HardmaxRows[dtype.KindFloat64] = rows(hardmax[float64])
}

// rows makes a loop over rows of a function of one.
func rows[F Float](of func(dst, src []F)) func(dst, src []byte, cols int) {
	return func(dst, src []byte, cols int) {
		d, s := View[F](dst), View[F](src)
		for cols > 0 && len(s) >= cols {
			of(d[:cols], s[:cols])
			d, s = d[cols:], s[cols:]
		}
	}
}

// greatestOf returns the first maximum of a row and where it is; the first NaN if
// there is one, and -Inf, -1 if nothing is greater.
func greatestOf[F Float](row []F) (greatest F, at int) {
	greatest, at = F(math.Inf(-1)), -1
	for i, v := range row {
		if !(v <= greatest) {
			greatest, at = v, i
			if v != v {
				break
			}
		}
	}
	return greatest, at
}

func fillRow[F Float](row []F, v float64) {
	for i := range row {
		row[i] = F(v)
	}
}

func softmax[F Float](dst, src []F) {
	greatest, _ := greatestOf(src)
	m := float64(greatest)
	switch {
	case math.IsInf(m, -1):
		clear(dst)
		return
	case m != m || math.IsInf(m, 1):
		fillRow(dst, math.NaN())
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

func logSoftmax[F Float](dst, src []F) {
	greatest, at := greatestOf(src)
	m := float64(greatest)
	switch {
	case math.IsInf(m, -1):
		fillRow(dst, m)
		return
	case m != m || math.IsInf(m, 1):
		fillRow(dst, math.NaN())
		return
	}
	var l lanes
	for i, v := range src {
		if i != at {
			l[i%len(l)] += exp(float64(v) - m)
		}
	}
	log := logOnePlus(l.sum())
	for i, v := range src {
		dst[i] = F(float64(v) - m - log)
	}
}

func hardmax[F Float](dst, src []F) {
	greatest, at := greatestOf(src)
	if greatest != greatest {
		fillRow(dst, math.NaN())
		return
	}
	clear(dst)
	dst[max(at, 0)] = 1
}
