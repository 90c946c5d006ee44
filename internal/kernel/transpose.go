package kernel

// Transpose writes the matrix src, of rows rows and cols columns of elements
// of size bytes, with its axes exchanged:
//
//	for r := range rows { for c := range cols { dst[c*rows+r] = src[r*cols+c] } }
//
// dst and src must not overlap. It goes by square blocks, so that the cache
// lines of either side are used whole before they are evicted.
func Transpose(dst, src []byte, rows, cols, size int) {
	if rows <= 0 || cols <= 0 || size <= 0 {
		return
	}
	if rows == 1 || cols == 1 {
		copy(dst[:rows*cols*size], src[:rows*cols*size])
		return
	}
	switch size {
	case 1:
		transpose[uint8](dst, src, rows, cols)
	case 2:
		transpose[uint16](dst, src, rows, cols)
	case 4:
		transpose[uint32](dst, src, rows, cols)
	case 8:
		transpose[uint64](dst, src, rows, cols)
	case 16:
		transpose[[2]uint64](dst, src, rows, cols)
	default:
		const block = 16
		for r0 := 0; r0 < rows; r0 += block {
			for c0 := 0; c0 < cols; c0 += block {
				n := min(block, rows-r0)
				for c := c0; c < min(c0+block, cols); c++ {
					CopyRows(dst[(c*rows+r0)*size:], size, src[(r0*cols+c)*size:], cols*size, size, n)
				}
			}
		}
	}
}

func transpose[T any](dst, src []byte, rows, cols int) {
	const block = 16
	d, s := View[T](dst), View[T](src)
	for r0 := 0; r0 < rows; r0 += block {
		r1 := min(r0+block, rows)
		for c0 := 0; c0 < cols; c0 += block {
			c1 := min(c0+block, cols)
			for c := c0; c < c1; c++ {
				run := d[c*rows+r0 : c*rows+r1]
				col := s[r0*cols+c:]
				for i := range run {
					run[i] = col[i*cols]
				}
			}
		}
	}
}
