package kernel

import "math"

// logSumRows is documented by Table.LogSumRows.
func logSumRows[F Float](top, sum []float64, x []byte) {
	for s := View[F](x); len(top) > 0 && len(s) >= len(top); s = s[len(top):] {
		logSumRow(top, sum, s)
	}
}

func logSumRow[F Float](top, sum []float64, x []F) {
	for c := range top {
		v, e := float64(x[c]), 1.0
		if v != top[c] {
			e = exp(-math.Abs(v - top[c]))
		}
		if v <= top[c] {
			sum[c] += e
		} else {
			top[c], sum[c] = v, float64(sum[c]*e)+1
		}
	}
}

// LogSum is the logarithm of a sum of exponentials, e^Top·Sum.
type LogSum struct{ Top, Sum float64 }

// NoLogSum is the logarithm of a sum of no exponentials.
var NoLogSum = LogSum{math.Inf(-1), 0}

// Merge takes in a further sum.
func (l *LogSum) Merge(o LogSum) {
	switch {
	case o.Top == l.Top: // infinities, which have no difference
		l.Sum += o.Sum
	case o.Top < l.Top:
		l.Sum += float64(o.Sum * exp(o.Top-l.Top))
	default: // or one is NaN, and so the sum will be
		l.Top, l.Sum = o.Top, o.Sum+float64(l.Sum*exp(l.Top-o.Top))
	}
}

// Value is the logarithm: -Inf of no exponents, and of nothing but -Inf.
func (l LogSum) Value() float64 { return l.Top + log(l.Sum) }
