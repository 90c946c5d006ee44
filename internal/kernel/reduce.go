package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

func (t *Table) fillReduce() {
	t.Sum = [dtype.NumKinds]func(acc []float64, x []byte){
		dtype.KindBool:     sumLanes[uint8],
		dtype.KindInt8:     sumLanes[int8],
		dtype.KindInt16:    sumLanes[int16],
		dtype.KindInt32:    sumLanes[int32],
		dtype.KindInt64:    sumLanes[int64],
		dtype.KindUint8:    sumLanes[uint8],
		dtype.KindUint16:   sumLanes[uint16],
		dtype.KindUint32:   sumLanes[uint32],
		dtype.KindUint64:   sumLanes[uint64],
		dtype.KindFloat32:  sumLanes[float32],
		dtype.KindFloat64:  sumLanes[float64],
		dtype.KindFloat16:  t.sumLanesHalf(dtype.KindFloat16, addLanes[float32]),
		dtype.KindBFloat16: t.sumLanesHalf(dtype.KindBFloat16, addLanes[float32]),
	}
	t.SumRows = [dtype.NumKinds]func(acc []float64, x []byte){
		dtype.KindBool:     sumRows[uint8],
		dtype.KindInt8:     sumRows[int8],
		dtype.KindInt16:    sumRows[int16],
		dtype.KindInt32:    sumRows[int32],
		dtype.KindInt64:    sumRows[int64],
		dtype.KindUint8:    sumRows[uint8],
		dtype.KindUint16:   sumRows[uint16],
		dtype.KindUint32:   sumRows[uint32],
		dtype.KindUint64:   sumRows[uint64],
		dtype.KindFloat16:  t.sumRowsHalf(dtype.KindFloat16),
		dtype.KindBFloat16: t.sumRowsHalf(dtype.KindBFloat16),
		dtype.KindFloat32:  sumRows[float32],
		dtype.KindFloat64:  sumRows[float64],
	}
	t.WeighRows[dtype.KindFloat32] = weighRows[float32]
	t.WeighRows[dtype.KindFloat64] = weighRows[float64]
	t.MaxRows = [dtype.NumKinds]func(acc, x []byte){
		dtype.KindBool:       maxRowsInt[uint8, uint32],
		dtype.KindInt8:       maxRowsInt[int8, int32],
		dtype.KindInt16:      maxRowsInt[int16, int32],
		dtype.KindInt32:      maxRowsInt[int32, int32],
		dtype.KindInt64:      maxRowsInt[int64, int64],
		dtype.KindUint8:      maxRowsInt[uint8, uint32],
		dtype.KindUint16:     maxRowsInt[uint16, uint32],
		dtype.KindUint32:     maxRowsInt[uint32, uint32],
		dtype.KindUint64:     maxRowsInt[uint64, uint64],
		dtype.KindFloat16:    func(acc, x []byte) { maxRowsHalf(acc, x, float16Order) },
		dtype.KindBFloat16:   func(acc, x []byte) { maxRowsHalf(acc, x, bfloat16Order) },
		dtype.KindFloat32:    func(acc, x []byte) { maxRowsFloat[float32](acc, x, quietNaN32) },
		dtype.KindFloat64:    func(acc, x []byte) { maxRowsFloat[float64](acc, x, quietNaN64) },
		dtype.KindComplex64:  maxRowsComplex[float32],
		dtype.KindComplex128: maxRowsComplex[float64],
	}
	t.fillMinRows()
	t.SumAbsRows[dtype.KindFloat32], t.SumAbsRows[dtype.KindFloat64] = sumAbsRows[float32], sumAbsRows[float64]
	t.SumSquareRows[dtype.KindFloat32], t.SumSquareRows[dtype.KindFloat64] = sumSquareRows[float32], sumSquareRows[float64]
	t.MomentRows[dtype.KindFloat32], t.MomentRows[dtype.KindFloat64] = momentRows[float32], momentRows[float64]
	t.LogSumRows[dtype.KindFloat32], t.LogSumRows[dtype.KindFloat64] = logSumRows[float32], logSumRows[float64]
	t.fillArgRows()
}

// rows4 cuts four rows of cols elements off s.
func rows4[T any](s []T, cols int) (r0, r1, r2, r3, rest []T) {
	return s[:cols], s[cols : 2*cols], s[2*cols : 3*cols], s[3*cols : 4*cols], s[4*cols:]
}

func sumLanes[T integer | Float](acc []float64, x []byte) {
	var l lanes
	addLanes(&l, View[T](x))
	acc[0] += l.sum()
}

func sumRows[T integer | Float](acc []float64, x []byte) { addRows(acc, View[T](x)) }

// addRows takes four rows at a time, so that a sum is loaded and stored once
// for four elements; they are added one after the other all the same.
func addRows[T integer | Float](acc []float64, s []T) {
	cols := len(acc)
	if cols == 0 {
		return
	}
	for len(s) >= 4*cols {
		var r0, r1, r2, r3 []T
		r0, r1, r2, r3, s = rows4(s, cols)
		r0, r1, r2, r3 = r0[:len(acc)], r1[:len(acc)], r2[:len(acc)], r3[:len(acc)]
		for c := range acc {
			acc[c] = acc[c] + float64(r0[c]) + float64(r1[c]) + float64(r2[c]) + float64(r3[c])
		}
	}
	for len(s) >= cols {
		row := s[:len(acc)]
		for c := range acc {
			acc[c] += float64(row[c])
		}
		s = s[cols:]
	}
}

func weighRows[T Float](acc []float64, x []byte, w []float64) {
	cols, s := len(acc), View[T](x)
	if cols == 1 {
		sum := acc[0]
		for r, v := range s[:len(w)] {
			sum += float64(float64(v) * w[r])
		}
		acc[0] = sum
		return
	}
	for r, by := range w {
		row := s[r*cols:][:cols]
		for c := range acc {
			acc[c] += float64(float64(row[c]) * by)
		}
	}
}

func sumAbsRows[F Float](acc []float64, x []byte) {
	for s := View[F](x); len(acc) > 0 && len(s) >= len(acc); s = s[len(acc):] {
		for c, v := range s[:len(acc)] {
			acc[c] += math.Abs(float64(v))
		}
	}
}

func sumSquareRows[F Float](acc []float64, x []byte) {
	for s := View[F](x); len(acc) > 0 && len(s) >= len(acc); s = s[len(acc):] {
		for c, v := range s[:len(acc)] {
			acc[c] += float64(float64(v) * float64(v))
		}
	}
}

// lanes are the 32 partial sums of a sum of one column.
type lanes [32]float64

// addLanes adds s, whose first element belongs to lane 0. It takes 8 lanes at a
// time, which there are registers for.
func addLanes[T integer | Float](l *lanes, s []T) {
	whole := s[:len(s)/len(l)*len(l)]
	for j := 0; j < len(l) && len(whole) > 0; j += 8 {
		a := (*[8]float64)(l[j:])
		l0, l1, l2, l3, l4, l5, l6, l7 := a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
		for i := j; i < len(whole); i += len(l) {
			v := (*[8]T)(whole[i:])
			l0 += float64(v[0])
			l1 += float64(v[1])
			l2 += float64(v[2])
			l3 += float64(v[3])
			l4 += float64(v[4])
			l5 += float64(v[5])
			l6 += float64(v[6])
			l7 += float64(v[7])
		}
		*a = [8]float64{l0, l1, l2, l3, l4, l5, l6, l7}
	}
	for j, v := range s[len(whole):] {
		l[j] += float64(v)
	}
}

// lanes are new ones in the buffer, for functions called through a variable,
// which would move them from the stack to the heap.
func (b *buffer) lanes() *lanes {
	l := (*lanes)(b[:])
	clear(l[:])
	return l
}

// sum combines the lanes by halves.
func (l *lanes) sum() float64 {
	for n := len(l) / 2; n > 0; n /= 2 {
		a, b := l[:n], l[n:][:n]
		for j := range a {
			a[j] += b[j]
		}
	}
	return l[0]
}

// widener converts a 16-bit kind to float32, a buffer at a time.
type widener struct {
	convert Loop2
	buf     *buffer
	x       []byte
}

func (t *Table) widen(k dtype.Kind, x []byte) widener {
	return widener{t.Convert[k][dtype.KindFloat32], scratch.Get().(*buffer), x}
}

// room is the number of elements that the buffer takes.
func (w *widener) room() int { return len(Bytes(w.buf[:])) / 4 }

// take converts the next n elements.
func (w *widener) take(n int) []float32 {
	f := View[float32](Bytes(w.buf[:]))[:n]
	w.convert(Bytes(f), w.x[:2*n])
	w.x = w.x[2*n:]
	return f
}

// sumLanesHalf is given addLanes for float32.
func (t *Table) sumLanesHalf(k dtype.Kind, add func(l *lanes, s []float32)) func(acc []float64, x []byte) {
	return func(acc []float64, x []byte) {
		w, buf := t.widen(k, x), scratch.Get().(*buffer)
		defer scratch.Put(w.buf)
		defer scratch.Put(buf)
		l := buf.lanes()
		for len(w.x) > 0 {
			add(l, w.take(min(w.room(), len(w.x)/2)))
		}
		acc[0] += l.sum()
	}
}

func (t *Table) sumRowsHalf(k dtype.Kind) func(acc []float64, x []byte) {
	return func(acc []float64, x []byte) {
		w := t.widen(k, x)
		defer scratch.Put(w.buf)
		addRows := t.SumRows[dtype.KindFloat32]
		cols, room := len(acc), w.room()
		switch {
		case cols == 0:
		case cols <= room:
			for len(w.x) > 0 {
				addRows(acc, Bytes(w.take(min(room/cols*cols, len(w.x)/2))))
			}
		default:
			for len(w.x) > 0 {
				for c := 0; c < cols; c += room {
					part := acc[c:min(c+room, cols)]
					addRows(part, Bytes(w.take(len(part))))
				}
			}
		}
	}
}
