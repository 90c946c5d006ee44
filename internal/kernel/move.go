package kernel

import "unsafe"

// CopyRows copies rows rows of rowBytes bytes:
//
//	for r := range rows { copy(dst[r*dstStride:][:rowBytes], src[r*srcStride:]) }
//
// The strides are in bytes and not negative; a srcStride of 0 repeats one row.
// dst and src must not overlap. Nothing need be aligned.
func CopyRows(dst []byte, dstStride int, src []byte, srcStride, rowBytes, rows int) {
	Active().copyRows(dst, dstStride, src, srcStride, rowBytes, rows)
}

// rowCopier copies rows of so many bytes or more.
type rowCopier struct {
	least int
	rows  func(dst *byte, dstStride int, src *byte, srcStride, bytes, rows int)
}

// shortRow is the bytes of a row up to which a loop over all rows takes less
// time than memmove for each.
const shortRow = 512

// copyRows is CopyRows.
func (t *Table) copyRows(dst []byte, dstStride int, src []byte, srcStride, rowBytes, rows int) {
	if rows <= 0 || rowBytes <= 0 {
		return
	}
	if dstStride == rowBytes && srcStride == rowBytes {
		copy(dst[:rows*rowBytes], src[:rows*rowBytes])
		return
	}
	dst, src = dst[:(rows-1)*dstStride+rowBytes], src[:(rows-1)*srcStride+rowBytes]
	if rowBytes <= shortRow {
		for _, c := range t.rowCopiers { // the widest first
			if rowBytes >= c.least {
				c.rows(unsafe.SliceData(dst), dstStride, unsafe.SliceData(src), srcStride, rowBytes, rows)
				return
			}
		}
	}
	switch rowBytes {
	case 1:
		for r := range rows {
			dst[r*dstStride] = src[r*srcStride]
		}
	case 2:
		for r := range rows {
			le.PutUint16(dst[r*dstStride:], le.Uint16(src[r*srcStride:]))
		}
	case 4:
		for r := range rows {
			le.PutUint32(dst[r*dstStride:], le.Uint32(src[r*srcStride:]))
		}
	case 8:
		for r := range rows {
			le.PutUint64(dst[r*dstStride:], le.Uint64(src[r*srcStride:]))
		}
	case 16:
		for r := range rows {
			d, s := dst[r*dstStride:][:16], src[r*srcStride:][:16]
			lo, hi := le.Uint64(s), le.Uint64(s[8:])
			le.PutUint64(d, lo)
			le.PutUint64(d[8:], hi)
		}
	default:
		for r := range rows {
			copy(dst[r*dstStride:][:rowBytes], src[r*srcStride:][:rowBytes])
		}
	}
}

// Repeat writes each element of src, of size bytes, times times:
//
//	for i := range src { for j := range times { dst[i*times+j] = src[i] } }
//
// dst and src must not overlap.
func Repeat(dst, src []byte, size, times int) {
	const many = 128 // bytes from which on Fill is faster than a loop
	if size <= 0 || times <= 0 {
		return
	}
	if size*times < many {
		switch size {
		case 1:
			repeat[uint8](dst, src, times)
			return
		case 2:
			repeat[uint16](dst, src, times)
			return
		case 4:
			repeat[uint32](dst, src, times)
			return
		case 8:
			repeat[uint64](dst, src, times)
			return
		case 16:
			repeat[[2]uint64](dst, src, times)
			return
		}
	}
	for len(src) >= size {
		Fill(dst[:size*times], src[:size])
		dst, src = dst[size*times:], src[size:]
	}
}

func repeat[T any](dst, src []byte, times int) {
	d := View[T](dst)
	for _, v := range View[T](src) {
		run := d[:times]
		for j := range run {
			run[j] = v
		}
		d = d[times:]
	}
}

// Fill writes pattern over and over until dst is full, the last time perhaps a
// part of it. An empty pattern leaves dst as it is. dst may begin with pattern,
// but must not overlap with it otherwise.
func Fill(dst, pattern []byte) {
	const enough = 8 << 10 // bytes, from where on more wouldn't stay in the first-level cache
	n := copy(dst, pattern)
	if n == 0 {
		return
	}
	for n < len(dst) && n < enough {
		n += copy(dst[n:], dst[:n])
	}
	for chunk := n; n < len(dst); {
		n += copy(dst[n:], dst[:chunk])
	}
}

// Gather copies pieces of size bytes: piece j of dst is piece at[j] of src.
func Gather(dst, src []byte, at []int32, size int) {
	switch size {
	case 2:
		gather(View[uint16](dst), View[uint16](src), at)
	case 4:
		gather(View[uint32](dst), View[uint32](src), at)
	case 8:
		gather(View[uint64](dst), View[uint64](src), at)
	default:
		for j, i := range at {
			copy(dst[j*size:(j+1)*size], src[int(i)*size:])
		}
	}
}

func gather[T any](dst, src []T, at []int32) {
	for j, i := range at {
		dst[j] = src[i]
	}
}
