package kernel

import (
	"unsafe"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"

	"fusectl/internal/dtype"
)

// The generic level multiplies with gonum. A panel has one column, so packed
// matrices are transposed ones: gonum's product of untransposed matrices would
// skip zeros of A and so lose NaN.

func (t *Table) fillProducts() {
	t.multipliers[dtype.KindFloat32] = multiplier{panel: 1, rows: MaxRows, gonum: true, multiply: gonumStrip(blas32.Implementation().Sgemm)}
	t.multipliers[dtype.KindFloat64] = multiplier{panel: 1, rows: MaxRows, gonum: true, multiply: gonumStrip(blas64.Implementation().Dgemm)}
}

// gonumColumns is the columns handed to gonum at once, of at most MaxRows rows:
// so few that it neither starts goroutines of its own nor chooses another order
// of summation.
const gonumColumns = 64

func gonumStrip[T Float](gemm func(tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)) func(edge *[edgeBytes]byte, c, a, b operand, next int, accumulate bool) {
	return func(_ *[edgeBytes]byte, c, a, b operand, next int, accumulate bool) {
		h, n, k := c.rows, c.cols, b.rows
		var one T = 1
		size := int(unsafe.Sizeof(one))
		ldc, lda, next := c.stride/size, a.stride/size, next/size
		out := unsafe.Slice((*T)(c.at), (h-1)*ldc+n)
		beta := T(0)
		if accumulate {
			beta = 1
		}
		if k == 0 { // gonum takes rows of no elements for short ones
			for i := range h {
				if !accumulate {
					clear(out[i*ldc : i*ldc+n])
				}
			}
			return
		}
		left, right := unsafe.Slice((*T)(a.at), (h-1)*lda+k), unsafe.Slice((*T)(b.at), (n-1)*next+k)
		for j := 0; j < n; j += gonumColumns {
			gemm(blas.NoTrans, blas.Trans, h, min(gonumColumns, n-j), k, one, left, lda, right[j*next:], next, beta, out[j:], ldc)
		}
	}
}
