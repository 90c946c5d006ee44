//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

// tile computes some rows of c, for some panels of columns: c = a·b, or
// c += a·b.
type tile = func(c *byte, ldc int, a *byte, lda int, b *byte, ldb, next, panels, k int, accumulate bool)

// tiles lists the tiles of panels of one and of two vectors, by height less one.
type tiles [2][]tile

func (t *Table) vectorizeProducts(level string) {
	switch level {
	case avx512:
		t.multipliers[dtype.KindFloat32] = tilesAVX512F32.multiplier(64, 4, peakAVX512F32)
		t.multipliers[dtype.KindFloat64] = tilesAVX512F64.multiplier(64, 8, peakAVX512F64)
	case avx2:
		t.multipliers[dtype.KindFloat32] = tilesAVX2F32.multiplier(32, 4, peakAVX2F32)
		t.multipliers[dtype.KindFloat64] = tilesAVX2F64.multiplier(32, 8, peakAVX2F64)
	}
}

// multiplier makes one of tiles of vectors of so many bytes, for elements of
// size bytes. Panels are two vectors wide.
func (ts *tiles) multiplier(vector, size int, peak func(n int, x *byte)) multiplier {
	wide := 2 * vector
	return multiplier{
		peak:      peak,
		peakFlops: 2 * 24 * vector / size, // twice the chains of peak in _generate
		panel:     wide / size,
		rows:      len(ts[0]),
		multiply: func(edge *[edgeBytes]byte, c, a, b operand, next int, accumulate bool) {
			h, k := c.rows, b.rows
			panels := c.cols * size / wide
			if panels > 0 {
				ts[1][h-1]((*byte)(c.at), c.stride, (*byte)(a.at), a.stride, (*byte)(b.at), b.stride, next, panels, k, accumulate)
			}
			last := c.cols*size - panels*wide
			if last == 0 {
				return
			}
			// What is left is less than a panel: it goes by way of a whole one.
			width := 2
			if last <= vector {
				width = 1
			}
			out := unsafe.Add(c.at, panels*wide)
			ts[width-1][h-1](&edge[0], wide, (*byte)(a.at), a.stride, (*byte)(unsafe.Add(b.at, panels*next)), b.stride, 0, 1, k, false)
			for i := range h {
				from, to := unsafe.Slice(&edge[i*wide], last), unsafe.Slice((*byte)(unsafe.Add(out, i*c.stride)), last)
				switch {
				case !accumulate:
					copy(to, from)
				case size == 4:
					addTo(View[float32](to), View[float32](from))
				default:
					addTo(View[float64](to), View[float64](from))
				}
			}
		},
	}
}

func addTo[T Float](c, x []T) {
	for i, v := range x {
		c[i] = v + c[i]
	}
}

var (
	tilesAVX512F32 = tiles{
		{tileAVX512F32x1x1, tileAVX512F32x2x1, tileAVX512F32x3x1, tileAVX512F32x4x1, tileAVX512F32x5x1, tileAVX512F32x6x1, tileAVX512F32x7x1, tileAVX512F32x8x1, tileAVX512F32x9x1, tileAVX512F32x10x1, tileAVX512F32x11x1, tileAVX512F32x12x1},
		{tileAVX512F32x1x2, tileAVX512F32x2x2, tileAVX512F32x3x2, tileAVX512F32x4x2, tileAVX512F32x5x2, tileAVX512F32x6x2, tileAVX512F32x7x2, tileAVX512F32x8x2, tileAVX512F32x9x2, tileAVX512F32x10x2, tileAVX512F32x11x2, tileAVX512F32x12x2},
	}
	tilesAVX512F64 = tiles{
		{tileAVX512F64x1x1, tileAVX512F64x2x1, tileAVX512F64x3x1, tileAVX512F64x4x1, tileAVX512F64x5x1, tileAVX512F64x6x1, tileAVX512F64x7x1, tileAVX512F64x8x1, tileAVX512F64x9x1, tileAVX512F64x10x1, tileAVX512F64x11x1, tileAVX512F64x12x1},
		{tileAVX512F64x1x2, tileAVX512F64x2x2, tileAVX512F64x3x2, tileAVX512F64x4x2, tileAVX512F64x5x2, tileAVX512F64x6x2, tileAVX512F64x7x2, tileAVX512F64x8x2, tileAVX512F64x9x2, tileAVX512F64x10x2, tileAVX512F64x11x2, tileAVX512F64x12x2},
	}
	tilesAVX2F32 = tiles{
		{tileAVX2F32x1x1, tileAVX2F32x2x1, tileAVX2F32x3x1, tileAVX2F32x4x1, tileAVX2F32x5x1, tileAVX2F32x6x1},
		{tileAVX2F32x1x2, tileAVX2F32x2x2, tileAVX2F32x3x2, tileAVX2F32x4x2, tileAVX2F32x5x2, tileAVX2F32x6x2},
	}
	tilesAVX2F64 = tiles{
		{tileAVX2F64x1x1, tileAVX2F64x2x1, tileAVX2F64x3x1, tileAVX2F64x4x1, tileAVX2F64x5x1, tileAVX2F64x6x1},
		{tileAVX2F64x1x2, tileAVX2F64x2x2, tileAVX2F64x3x2, tileAVX2F64x4x2, tileAVX2F64x5x2, tileAVX2F64x6x2},
	}
)
