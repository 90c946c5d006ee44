package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

func (t *Table) fillArgRows() {
	t.ArgMaxRows = [dtype.NumKinds]func(best []byte, index []int64, x []byte, at int64){
		dtype.KindBool:    argMaxRows[uint8],
		dtype.KindInt8:    argMaxRows[int8],
		dtype.KindInt16:   argMaxRows[int16],
		dtype.KindInt32:   argMaxRows[int32],
		dtype.KindInt64:   argMaxRows[int64],
		dtype.KindUint8:   argMaxRows[uint8],
		dtype.KindUint16:  argMaxRows[uint16],
		dtype.KindUint32:  argMaxRows[uint32],
		dtype.KindUint64:  argMaxRows[uint64],
		dtype.KindFloat32: argMaxRows[float32],
		dtype.KindFloat64: argMaxRows[float64],
	}
	t.ArgMinRows = [dtype.NumKinds]func(best []byte, index []int64, x []byte, at int64){
		dtype.KindBool:    argMinRows[uint8],
		dtype.KindInt8:    argMinRows[int8],
		dtype.KindInt16:   argMinRows[int16],
		dtype.KindInt32:   argMinRows[int32],
		dtype.KindInt64:   argMinRows[int64],
		dtype.KindUint8:   argMinRows[uint8],
		dtype.KindUint16:  argMinRows[uint16],
		dtype.KindUint32:  argMinRows[uint32],
		dtype.KindUint64:  argMinRows[uint64],
		dtype.KindFloat32: argMinRows[float32],
		dtype.KindFloat64: argMinRows[float64],
	}
}

func argMaxRows[T integer | Float](best []byte, index []int64, x []byte, at int64) {
	b, s := View[T](best), View[T](x)
	switch cols := len(index); {
	case cols == 1:
		m, found := b[0], -1
		for i, v := range s {
			if !(v <= m) && m == m {
				m, found = v, i
			}
		}
		if found >= 0 {
			b[0], index[0] = m, at+int64(found)
		}
	case cols > 1:
		b = b[:len(index)]
		for ; len(s) >= cols; s = s[cols:] {
			for c, v := range s[:len(index)] {
				if m := b[c]; !(v <= m) && m == m {
					b[c], index[c] = v, at
				}
			}
			at++
		}
	}
}

func argMinRows[T integer | Float](best []byte, index []int64, x []byte, at int64) {
	b, s := View[T](best), View[T](x)
	switch cols := len(index); {
	case cols == 1:
		m, found := b[0], -1
		for i, v := range s {
			if !(v >= m) && m == m {
				m, found = v, i
			}
		}
		if found >= 0 {
			b[0], index[0] = m, at+int64(found)
		}
	case cols > 1:
		b = b[:len(index)]
		for ; len(s) >= cols; s = s[cols:] {
			for c, v := range s[:len(index)] {
				if m := b[c]; !(v >= m) && m == m {
					b[c], index[c] = v, at
				}
			}
			at++
		}
	}
}

// Best is the best element of a column: a key that is greater for a better one, and the number
// of its row. Of equal ones that of the lower row is the better.
type Best struct {
	Key uint64
	At  int64
}

// NoBest is the best of no elements.
var NoBest = Best{0, math.MaxInt64}

// Merge takes in another column's best.
func (b *Best) Merge(o Best) {
	if o.Key > b.Key || o.Key == b.Key && o.At < b.At {
		*b = o
	}
}

// FoldBest makes a Best of each best element, the greatest or else the least, and its row. Keys are
// in the order of the elements: sign and magnitude become two's complement, both zeros the same
// key, and NaN is better than all others.
func FoldBest[T int64 | uint64 | float64](dst []Best, best []T, index []int64, least bool) {
	const sign = 1 << 63
	for i, v := range best {
		var key uint64
		switch v := any(v).(type) {
		case int64:
			key = uint64(v) ^ sign
		case uint64:
			key = v
		case float64:
			key = math.Float64bits(v + 0)
			key ^= uint64(int64(key)>>63) | sign
		}
		if least {
			key = ^key
		}
		if v != v {
			key = math.MaxUint64
		}
		dst[i] = Best{key, index[i]}
	}
}
