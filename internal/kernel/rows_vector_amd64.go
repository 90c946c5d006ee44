//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

// strips are the assembly loops that reduce rows of one kind, by how many
// vectors of columns they take: see rows_amd64.go.
type strips [9]func(acc, x *byte, stride, rows, last int)

func (t *Table) vectorizeRows(level string) {
	t.rowsAVX2()
	if level == avx512 {
		t.rowsAVX512()
	}
}

func (t *Table) rowsAVX2() {
	const width = 32
	t.Sum[dtype.KindFloat32] = sumAVX2Float32
	t.Sum[dtype.KindFloat64] = sumAVX2Float64
	sumRowsBy(&t.SumRows[dtype.KindFloat32], width, 4, strips{1: sumRowsAVX2F32x1, 2: sumRowsAVX2F32x2, 3: sumRowsAVX2F32x3, 4: sumRowsAVX2F32x4, 8: sumRowsAVX2F32x8})
	sumRowsBy(&t.SumRows[dtype.KindFloat64], width, 8, strips{1: sumRowsAVX2F64x1, 2: sumRowsAVX2F64x2, 3: sumRowsAVX2F64x3, 4: sumRowsAVX2F64x4, 8: sumRowsAVX2F64x8})
	maxRowsBy(&t.MaxRows[dtype.KindBool], width, 1, strips{1: maxRowsAVX2U8x1, 2: maxRowsAVX2U8x2, 3: maxRowsAVX2U8x3, 4: maxRowsAVX2U8x4, 8: maxRowsAVX2U8x8})
	maxRowsBy(&t.MaxRows[dtype.KindInt8], width, 1, strips{1: maxRowsAVX2I8x1, 2: maxRowsAVX2I8x2, 3: maxRowsAVX2I8x3, 4: maxRowsAVX2I8x4, 8: maxRowsAVX2I8x8})
	maxRowsBy(&t.MaxRows[dtype.KindInt16], width, 2, strips{1: maxRowsAVX2I16x1, 2: maxRowsAVX2I16x2, 3: maxRowsAVX2I16x3, 4: maxRowsAVX2I16x4, 8: maxRowsAVX2I16x8})
	maxRowsBy(&t.MaxRows[dtype.KindInt32], width, 4, strips{1: maxRowsAVX2I32x1, 2: maxRowsAVX2I32x2, 3: maxRowsAVX2I32x3, 4: maxRowsAVX2I32x4, 8: maxRowsAVX2I32x8})
	maxRowsBy(&t.MaxRows[dtype.KindInt64], width, 8, strips{1: maxRowsAVX2I64x1, 2: maxRowsAVX2I64x2, 3: maxRowsAVX2I64x3, 4: maxRowsAVX2I64x4, 8: maxRowsAVX2I64x8})
	maxRowsBy(&t.MaxRows[dtype.KindUint8], width, 1, strips{1: maxRowsAVX2U8x1, 2: maxRowsAVX2U8x2, 3: maxRowsAVX2U8x3, 4: maxRowsAVX2U8x4, 8: maxRowsAVX2U8x8})
	maxRowsBy(&t.MaxRows[dtype.KindUint16], width, 2, strips{1: maxRowsAVX2U16x1, 2: maxRowsAVX2U16x2, 3: maxRowsAVX2U16x3, 4: maxRowsAVX2U16x4, 8: maxRowsAVX2U16x8})
	maxRowsBy(&t.MaxRows[dtype.KindUint32], width, 4, strips{1: maxRowsAVX2U32x1, 2: maxRowsAVX2U32x2, 3: maxRowsAVX2U32x3, 4: maxRowsAVX2U32x4, 8: maxRowsAVX2U32x8})
	maxRowsBy(&t.MaxRows[dtype.KindUint64], width, 8, strips{1: maxRowsAVX2U64x1, 2: maxRowsAVX2U64x2, 3: maxRowsAVX2U64x3, 4: maxRowsAVX2U64x4, 8: maxRowsAVX2U64x8})
	maxRowsBy(&t.MaxRows[dtype.KindFloat32], width, 4, strips{1: maxRowsAVX2F32x1, 2: maxRowsAVX2F32x2, 3: maxRowsAVX2F32x3, 4: maxRowsAVX2F32x4, 8: maxRowsAVX2F32x8})
	maxRowsBy(&t.MaxRows[dtype.KindFloat64], width, 8, strips{1: maxRowsAVX2F64x1, 2: maxRowsAVX2F64x2, 3: maxRowsAVX2F64x3, 4: maxRowsAVX2F64x4, 8: maxRowsAVX2F64x8})
}

func (t *Table) rowsAVX512() {
	const width = 64
	t.Sum[dtype.KindFloat32] = sumAVX512Float32
	t.Sum[dtype.KindFloat64] = sumAVX512Float64
	sumRowsBy(&t.SumRows[dtype.KindFloat32], width, 4, strips{1: sumRowsAVX512F32x1, 2: sumRowsAVX512F32x2, 3: sumRowsAVX512F32x3, 4: sumRowsAVX512F32x4, 8: sumRowsAVX512F32x8})
	sumRowsBy(&t.SumRows[dtype.KindFloat64], width, 8, strips{1: sumRowsAVX512F64x1, 2: sumRowsAVX512F64x2, 3: sumRowsAVX512F64x3, 4: sumRowsAVX512F64x4, 8: sumRowsAVX512F64x8})
	maxRowsBy(&t.MaxRows[dtype.KindBool], width, 1, strips{1: maxRowsAVX512U8x1, 2: maxRowsAVX512U8x2, 3: maxRowsAVX512U8x3, 4: maxRowsAVX512U8x4, 8: maxRowsAVX512U8x8})
	maxRowsBy(&t.MaxRows[dtype.KindInt8], width, 1, strips{1: maxRowsAVX512I8x1, 2: maxRowsAVX512I8x2, 3: maxRowsAVX512I8x3, 4: maxRowsAVX512I8x4, 8: maxRowsAVX512I8x8})
	maxRowsBy(&t.MaxRows[dtype.KindInt16], width, 2, strips{1: maxRowsAVX512I16x1, 2: maxRowsAVX512I16x2, 3: maxRowsAVX512I16x3, 4: maxRowsAVX512I16x4, 8: maxRowsAVX512I16x8})
	maxRowsBy(&t.MaxRows[dtype.KindInt32], width, 4, strips{1: maxRowsAVX512I32x1, 2: maxRowsAVX512I32x2, 3: maxRowsAVX512I32x3, 4: maxRowsAVX512I32x4, 8: maxRowsAVX512I32x8})
	maxRowsBy(&t.MaxRows[dtype.KindInt64], width, 8, strips{1: maxRowsAVX512I64x1, 2: maxRowsAVX512I64x2, 3: maxRowsAVX512I64x3, 4: maxRowsAVX512I64x4, 8: maxRowsAVX512I64x8})
	maxRowsBy(&t.MaxRows[dtype.KindUint8], width, 1, strips{1: maxRowsAVX512U8x1, 2: maxRowsAVX512U8x2, 3: maxRowsAVX512U8x3, 4: maxRowsAVX512U8x4, 8: maxRowsAVX512U8x8})
	maxRowsBy(&t.MaxRows[dtype.KindUint16], width, 2, strips{1: maxRowsAVX512U16x1, 2: maxRowsAVX512U16x2, 3: maxRowsAVX512U16x3, 4: maxRowsAVX512U16x4, 8: maxRowsAVX512U16x8})
	maxRowsBy(&t.MaxRows[dtype.KindUint32], width, 4, strips{1: maxRowsAVX512U32x1, 2: maxRowsAVX512U32x2, 3: maxRowsAVX512U32x3, 4: maxRowsAVX512U32x4, 8: maxRowsAVX512U32x8})
	maxRowsBy(&t.MaxRows[dtype.KindUint64], width, 8, strips{1: maxRowsAVX512U64x1, 2: maxRowsAVX512U64x2, 3: maxRowsAVX512U64x3, 4: maxRowsAVX512U64x4, 8: maxRowsAVX512U64x8})
	maxRowsBy(&t.MaxRows[dtype.KindFloat32], width, 4, strips{1: maxRowsAVX512F32x1, 2: maxRowsAVX512F32x2, 3: maxRowsAVX512F32x3, 4: maxRowsAVX512F32x4, 8: maxRowsAVX512F32x8})
	maxRowsBy(&t.MaxRows[dtype.KindFloat64], width, 8, strips{1: maxRowsAVX512F64x1, 2: maxRowsAVX512F64x2, 3: maxRowsAVX512F64x3, 4: maxRowsAVX512F64x4, 8: maxRowsAVX512F64x8})
}

// sumRowsBy puts strips before a loop for columns that make less than a vector
// of width bytes of float64.
func sumRowsBy(loop *func(acc []float64, x []byte), width, size int, s strips) {
	rest := *loop
	*loop = func(acc []float64, x []byte) {
		if len(acc)*8 < width {
			rest(acc, x)
			return
		}
		s.reduce(Bytes(acc), x, width/8, 8, size)
	}
}

// maxRowsBy is sumRowsBy for a loop on one type. Since the order of rows
// doesn't matter to a maximum, it makes wide rows of several where they are
// narrow.
func maxRowsBy(loop *func(acc, x []byte), width, size int, s strips) {
	rest := *loop
	*loop = func(acc, x []byte) {
		if len(acc) >= width {
			s.reduce(acc, x, width/size, size, size)
			return
		}
		const vectors = 8               // to be busy with
		wide := width / size * len(acc) // bytes of a row that is whole vectors
		if wide > 0 {
			wide *= max(1, vectors*width/wide)
		}
		if wide > 0 && len(x) >= 4*wide {
			buf := scratch.Get().(*buffer)
			defer scratch.Put(buf)
			all := Bytes(buf[:])[:wide]
			n := len(x) / wide * wide
			copy(all, x)
			s.reduce(all, x[wide:n], width/size, size, size)
			rest(acc, all)
			x = x[n:]
		}
		rest(acc, x)
	}
}

// reduce takes strips of at least a vector of columns, whose elements take
// accSize bytes in acc and size bytes in x. A strip whose last vector overlaps
// the one before it has at least two of them.
func (s *strips) reduce(acc, x []byte, lanes, accSize, size int) {
	cols := len(acc) / accSize
	rows := len(x) / size / cols
	if rows == 0 {
		return
	}
	for c, left := 0, (cols+lanes-1)/lanes; left > 0; {
		n := 8
		for n > left || s[n] == nil || left-n == 1 {
			n--
		}
		left -= n
		last := (n - 1) * lanes
		if left == 0 {
			last = cols - lanes - c
		}
		s[n](&acc[c*accSize], &x[c*size], cols*size, rows, last*size)
		c += n * lanes
	}
}

func sumAVX2Float32(acc []float64, x []byte) {
	var l lanes
	const block = 4 * len(l)
	if n := len(x) / block; n > 0 {
		sumAVX2F32(&l[0], unsafe.SliceData(x), n)
		x = x[n*block:]
	}
	addLanes(&l, View[float32](x))
	acc[0] += l.sum()
}

func sumAVX2Float64(acc []float64, x []byte) {
	var l lanes
	const block = 8 * len(l)
	if n := len(x) / block; n > 0 {
		sumAVX2F64(&l[0], unsafe.SliceData(x), n)
		x = x[n*block:]
	}
	addLanes(&l, View[float64](x))
	acc[0] += l.sum()
}

func sumAVX512Float32(acc []float64, x []byte) {
	var l lanes
	const block = 4 * len(l)
	if n := len(x) / block; n > 0 {
		sumAVX512F32(&l[0], unsafe.SliceData(x), n)
		x = x[n*block:]
	}
	addLanes(&l, View[float32](x))
	acc[0] += l.sum()
}

func sumAVX512Float64(acc []float64, x []byte) {
	var l lanes
	const block = 8 * len(l)
	if n := len(x) / block; n > 0 {
		sumAVX512F64(&l[0], unsafe.SliceData(x), n)
		x = x[n*block:]
	}
	addLanes(&l, View[float64](x))
	acc[0] += l.sum()
}
