//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

// blocks is an assembly loop that adds to lanes, rowsStrip one that reduces a strip
// of columns over rows, weighStrip one of weighted rows and argStrip one that finds
// rows: see _generate/rows.go.
type (
	blocks     = func(lanes *float64, x *byte, n int)
	rowsStrip  = func(acc, x *byte, stride, rows, vectors, last int)
	weighStrip = func(acc, x *byte, stride, rows, vectors, last int, w *float64)
	argStrip   = func(acc, x *byte, stride, rows, vectors, last int, found *byte)
)

func (t *Table) vectorizeReduce(set int) {
	add32 := addBlocks[float32](sumAVX2F32) // see sum in _generate
	add64 := addBlocks[float64]([2]blocks{sumAVX2F64, sumAVX512F64}[set])
	t.Sum[dtype.KindFloat32] = sumBy(add32)
	t.Sum[dtype.KindFloat64] = sumBy(add64)
	t.Sum[dtype.KindFloat16] = t.sumLanesHalf(dtype.KindFloat16, add32)
	t.Sum[dtype.KindBFloat16] = t.sumLanesHalf(dtype.KindBFloat16, add32)
	t.sumRowsBy(&t.SumRows, set, 1, 8, [2]rowsStrip{sumRowsAVX2F32, sumRowsAVX512F32}, [2]rowsStrip{sumRowsAVX2F64, sumRowsAVX512F64})
	t.sumRowsBy(&t.SumAbsRows, set, 1, 8, [2]rowsStrip{sumAbsRowsAVX2F32, sumAbsRowsAVX512F32}, [2]rowsStrip{sumAbsRowsAVX2F64, sumAbsRowsAVX512F64})
	t.sumRowsBy(&t.SumSquareRows, set, 1, 8, [2]rowsStrip{sumSquareRowsAVX2F32, sumSquareRowsAVX512F32}, [2]rowsStrip{sumSquareRowsAVX2F64, sumSquareRowsAVX512F64})
	t.sumRowsBy(&t.MomentRows, set, 3, 4, [2]rowsStrip{momentRowsAVX2F32, momentRowsAVX512F32}, [2]rowsStrip{momentRowsAVX2F64, momentRowsAVX512F64})
	t.weighRowsBy(set, [dtype.NumKinds][2]weighStrip{
		dtype.KindFloat32: {weighRowsAVX2F32, weighRowsAVX512F32},
		dtype.KindFloat64: {weighRowsAVX2F64, weighRowsAVX512F64},
	})
	t.extremaBy(&t.MaxRows, set, [dtype.NumKinds][2]rowsStrip{
		dtype.KindBool:     {maxRowsAVX2U8, maxRowsAVX512U8},
		dtype.KindInt8:     {maxRowsAVX2I8, maxRowsAVX512I8},
		dtype.KindInt16:    {maxRowsAVX2I16, maxRowsAVX512I16},
		dtype.KindInt32:    {maxRowsAVX2I32, maxRowsAVX512I32},
		dtype.KindInt64:    {maxRowsAVX2I64, maxRowsAVX512I64},
		dtype.KindUint8:    {maxRowsAVX2U8, maxRowsAVX512U8},
		dtype.KindUint16:   {maxRowsAVX2U16, maxRowsAVX512U16},
		dtype.KindUint32:   {maxRowsAVX2U32, maxRowsAVX512U32},
		dtype.KindUint64:   {maxRowsAVX2U64, maxRowsAVX512U64},
		dtype.KindFloat16:  {float16Order.rows(maxRowsAVX2Half), float16Order.rows(maxRowsAVX512Half)},
		dtype.KindBFloat16: {bfloat16Order.rows(maxRowsAVX2Half), bfloat16Order.rows(maxRowsAVX512Half)},
		dtype.KindFloat32:  {maxRowsAVX2F32, maxRowsAVX512F32},
		dtype.KindFloat64:  {maxRowsAVX2F64, maxRowsAVX512F64},
	})
	t.extremaBy(&t.MinRows, set, [dtype.NumKinds][2]rowsStrip{
		dtype.KindBool:     {minRowsAVX2U8, minRowsAVX512U8},
		dtype.KindInt8:     {minRowsAVX2I8, minRowsAVX512I8},
		dtype.KindInt16:    {minRowsAVX2I16, minRowsAVX512I16},
		dtype.KindInt32:    {minRowsAVX2I32, minRowsAVX512I32},
		dtype.KindInt64:    {minRowsAVX2I64, minRowsAVX512I64},
		dtype.KindUint8:    {minRowsAVX2U8, minRowsAVX512U8},
		dtype.KindUint16:   {minRowsAVX2U16, minRowsAVX512U16},
		dtype.KindUint32:   {minRowsAVX2U32, minRowsAVX512U32},
		dtype.KindUint64:   {minRowsAVX2U64, minRowsAVX512U64},
		dtype.KindFloat16:  {float16Order.rows(minRowsAVX2Half), float16Order.rows(minRowsAVX512Half)},
		dtype.KindBFloat16: {bfloat16Order.rows(minRowsAVX2Half), bfloat16Order.rows(minRowsAVX512Half)},
		dtype.KindFloat32:  {minRowsAVX2F32, minRowsAVX512F32},
		dtype.KindFloat64:  {minRowsAVX2F64, minRowsAVX512F64},
	})
	argRowsBy[int32](&t.ArgMaxRows[dtype.KindFloat32], set, [2]argStrip{argMaxRowsAVX2F32, argMaxRowsAVX512F32})
	argRowsBy[int64](&t.ArgMaxRows[dtype.KindFloat64], set, [2]argStrip{argMaxRowsAVX2F64, argMaxRowsAVX512F64})
	argRowsBy[int32](&t.ArgMinRows[dtype.KindFloat32], set, [2]argStrip{argMinRowsAVX2F32, argMinRowsAVX512F32})
	argRowsBy[int64](&t.ArgMinRows[dtype.KindFloat64], set, [2]argStrip{argMinRowsAVX2F64, argMinRowsAVX512F64})
}

// rows makes a strip over one of the 16-bit floats of an assembly loop for both.
func (o order) rows(strip func(acc, x *byte, stride, rows, vectors, last int, order *byte)) rowsStrip {
	words := o.words()
	return func(acc, x *byte, stride, rows, vectors, last int) {
		strip(acc, x, stride, rows, vectors, last, words)
	}
}

// sumRowsBy takes strips of float32 and of float64, at most most vectors wide, where the
// columns make a vector of float64. acc has parts rows.
func (t *Table) sumRowsBy(loops *[dtype.NumKinds]func(acc []float64, x []byte), set, parts, most int, f32, f64 [2]rowsStrip) {
	lanes := widths[set] / 8
	for _, of := range []struct {
		k     dtype.Kind
		strip rowsStrip
	}{{dtype.KindFloat32, f32[set]}, {dtype.KindFloat64, f64[set]}} {
		rest, size := loops[of.k], t.sizes[of.k]
		loops[of.k] = func(acc []float64, x []byte) {
			if cols := len(acc) / parts; cols < lanes {
				rest(acc, x)
			} else {
				reduce(of.strip, Bytes(acc[:cols]), x, most, lanes, 8, size)
			}
		}
	}
}

// extremaBy takes strips where the columns make a vector, or many rows do.
func (t *Table) extremaBy(loops *[dtype.NumKinds]func(acc, x []byte), set int, strips [dtype.NumKinds][2]rowsStrip) {
	width := widths[set]
	for k := range strips {
		s := strips[k][set]
		if s == nil {
			continue
		}
		rest, size := loops[k], t.sizes[k]
		loops[k] = func(acc, x []byte) {
			wide := len(acc) * width / size // bytes of so many rows that they are whole vectors
			switch {
			case len(acc) >= width:
				reduce(s, acc, x, 8, width/size, size, size)
			case wide > 0 && len(x) >= 32*wide:
				// The order of rows doesn't matter to an extremum.
				buf := scratch.Get().(*buffer)
				defer scratch.Put(buf)
				m := Bytes(buf[:])
				m = m[:wide*min(8, len(m)/wide)] // several vectors, to be busy with
				n := len(x) / len(m) * len(m)
				copy(m, x)
				reduce(s, m, x[len(m):n], 8, width/size, size, size)
				for len(m) >= 2*width && len(m)%(2*len(acc)) == 0 {
					half := len(m) / 2
					reduce(s, m[:half], m[half:], 8, width/size, size, size)
					m = m[:half]
				}
				rest(acc, m)
				rest(acc, x[n:])
			default:
				rest(acc, x)
			}
		}
	}
}

// weighRowsBy takes strips where the columns make a vector of float64.
func (t *Table) weighRowsBy(set int, strips [dtype.NumKinds][2]weighStrip) {
	lanes := widths[set] / 8
	for k := range strips {
		s := strips[k][set]
		if s == nil {
			continue
		}
		rest, size := t.WeighRows[k], t.sizes[k]
		t.WeighRows[k] = func(acc []float64, x []byte, w []float64) {
			if len(acc) < lanes || len(w) == 0 {
				rest(acc, x, w)
				return
			}
			sums, cols := Bytes(acc), len(acc)
			eachStrip(cols, 8, lanes, func(c, vectors, last int) {
				s(&sums[c*8], &x[c*size], cols*size, len(w), vectors, last*size, &w[0])
			})
		}
	}
}

// argRowsBy takes strips where the columns make a vector. A row's number is an I, as large as
// an element, and there are less than 2^31 rows.
func argRowsBy[I int32 | int64](loop *func(best []byte, index []int64, x []byte, at int64), set int, strips [2]argStrip) {
	const most = 4 // vectors of a strip
	s, rest, size := strips[set], *loop, int(unsafe.Sizeof(I(0)))
	lanes := widths[set] / size
	*loop = func(best []byte, index []int64, x []byte, at int64) {
		cols := len(index)
		row := cols * size
		if cols < lanes || len(x) < row {
			rest(best, index, x, at)
			return
		}
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		eachStrip(cols, most, lanes, func(c, vectors, last int) {
			found := View[I](Bytes(buf[:]))[:last+lanes]
			for i := range found {
				found[i] = -1
			}
			s(&best[c*size], &x[c*size], row, len(x)/row, vectors, last*size, &Bytes(found)[0])
			for i, r := range found {
				if r >= 0 {
					index[c+i] = at + int64(r)
				}
			}
		})
	}
}

// reduce takes strips of at least a vector of columns, at most most vectors wide, whose
// elements take accSize bytes in acc and size bytes in x.
func reduce(s rowsStrip, acc, x []byte, most, lanes, accSize, size int) {
	cols := len(acc) / accSize
	rows := len(x) / size / cols
	if rows == 0 {
		return
	}
	eachStrip(cols, most, lanes, func(c, vectors, last int) {
		s(&acc[c*accSize], &x[c*size], cols*size, rows, vectors, last*size)
	})
}

// eachStrip cuts columns, of at least one vector of lanes, into strips of at most most vectors
// from column c on, the last of which begins at column c+last: one that overlaps
// the vector before it has one.
func eachStrip(cols, most, lanes int, f func(c, vectors, last int)) {
	for c, left := 0, (cols+lanes-1)/lanes; left > 0; {
		n := widest(left, most)
		left -= n
		last := (n - 1) * lanes
		if left == 0 {
			last = cols - lanes - c
		}
		f(c, n, last)
		c += n * lanes
	}
}

// widest is the widest strip to take of so many vectors, at most most, such that no
// single one is left.
func widest(vectors, most int) int {
	for _, n := range []int{8, 4, 3, 2} {
		if n <= most && (n == vectors || n < vectors-1) {
			return n
		}
	}
	return 1
}

// addBlocks is addLanes with an assembly loop.
func addBlocks[T Float](sum blocks) func(l *lanes, s []T) {
	return func(l *lanes, s []T) {
		if n := len(s) / len(l); n > 0 {
			sum(&l[0], unsafe.SliceData(Bytes(s)), n)
			s = s[n*len(l):]
		}
		addLanes(l, s)
	}
}

func sumBy[T Float](add func(l *lanes, s []T)) func(acc []float64, x []byte) {
	return func(acc []float64, x []byte) {
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		l := buf.lanes()
		add(l, View[T](x))
		acc[0] += l.sum()
	}
}
