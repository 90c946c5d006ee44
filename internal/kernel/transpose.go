package kernel

import "unsafe"

// Transpose writes the matrix src, of rows rows and cols columns of elements
// of size bytes, with its axes exchanged:
//
//	for r := range rows { for c := range cols { dst[c*rows+r] = src[r*cols+c] } }
//
// dst and src must not overlap.
func Transpose(dst, src []byte, rows, cols, size int) {
	if rows <= 0 || cols <= 0 || size <= 0 {
		return
	}
	if rows == 1 || cols == 1 {
		copy(dst[:rows*cols*size], src[:rows*cols*size])
		return
	}
	Active().transposeRows(dst, rows*size, src, cols*size, rows, cols, size)
}

// TransposeRows is Transpose for matrices whose rows start dstStride and srcStride
// bytes apart.
func TransposeRows(dst []byte, dstStride int, src []byte, srcStride, rows, cols, size int) {
	Active().transposeRows(dst, dstStride, src, srcStride, rows, cols, size)
}

// squares exchanges the axes of a block of side rows and columns, whose rows
// start some bytes apart.
type squares struct {
	side  int // 0: there is no such loop
	block func(dst *byte, dstStride int, src *byte, srcStride int)
}

// transposeRows is TransposeRows. It goes by square blocks, so that the cache lines of either side are
// used whole before they are evicted.
func (t *Table) transposeRows(dst []byte, dstStride int, src []byte, srcStride, rows, cols, size int) {
	if rows <= 0 || cols <= 0 || size <= 0 {
		return
	}
	dst, src = dst[:(cols-1)*dstStride+rows*size], src[:(rows-1)*srcStride+cols*size]
	side := 0
	if size == 4 || size == 8 {
		side = t.squares[size/8].side
	}
	if side == 0 {
		transposeBlocks(dst, dstStride, src, srcStride, rows, cols, size)
		return
	}
	block := t.squares[size/8].block
	r0, c0 := rows-rows%side, cols-cols%side
	for r := 0; r < r0; r += side {
		for c := 0; c < c0; c += side {
			block(unsafe.SliceData(dst[c*dstStride+r*size:]), dstStride, unsafe.SliceData(src[r*srcStride+c*size:]), srcStride)
		}
	}
	if c0 < cols {
		transposeBlocks(dst[c0*dstStride:], dstStride, src[c0*size:], srcStride, rows, cols-c0, size)
	}
	if r0 < rows && c0 > 0 {
		transposeBlocks(dst[r0*size:], dstStride, src[r0*srcStride:], srcStride, rows-r0, c0, size)
	}
}

// transposeBlocks is transposeRows in Go.
func transposeBlocks(dst []byte, dstStride int, src []byte, srcStride, rows, cols, size int) {
	const block = 16
	for r0 := 0; r0 < rows; r0 += block {
		n := min(block, rows-r0)
		for c := range cols {
			d, s := dst[c*dstStride+r0*size:], src[r0*srcStride+c*size:]
			switch size {
			case 4:
				for i := range n {
					le.PutUint32(d[4*i:], le.Uint32(s[i*srcStride:]))
				}
			case 8:
				for i := range n {
					le.PutUint64(d[8*i:], le.Uint64(s[i*srcStride:]))
				}
			default:
				CopyRows(d, size, s, srcStride, size, n)
			}
		}
	}
}
