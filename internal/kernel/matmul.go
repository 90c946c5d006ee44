package kernel

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
)

// Float is the types that matrix products are computed in.
type Float interface{ float32 | float64 }

// block is the rows and columns handed to gonum at once: so few that it
// neither starts goroutines of its own nor chooses another order of summation,
// which makes an element's value depend on its row and column alone.
const block = 64

// MatMul is C = alpha·A·Bᵀ + beta·C for row-major C [m,n], A [m,k] and B
// [n,k], whose rows start ldc, lda and ldb elements apart. Each element of C is
// one dot product over k, whose order of summation gonum chooses by the
// alignment of the row of B: products that must agree to the bit keep B where
// it is. NaN and infinities propagate: gonum's product of untransposed
// matrices would skip zeros of A, so B comes transposed. With k = 0 the
// product is zero.
func MatMul[T Float](c []T, ldc int, a []T, lda int, b []T, ldb int, m, n, k int, alpha, beta T) {
	if k == 0 { // gonum takes rows of no elements for short ones
		for i := range m {
			for j := range n {
				c[i*ldc+j] *= beta
			}
		}
		return
	}
	for i := 0; i < m; i += block {
		rows := min(block, m-i)
		for j := 0; j < n; j += block {
			cols := min(block, n-j)
			gemm(c[i*ldc+j:], ldc, a[i*lda:], lda, b[j*ldb:], ldb, rows, cols, k, alpha, beta)
		}
	}
}

func gemm[T Float](c []T, ldc int, a []T, lda int, b []T, ldb int, m, n, k int, alpha, beta T) {
	switch c := any(c).(type) {
	case []float32:
		blas32.Implementation().Sgemm(blas.NoTrans, blas.Trans, m, n, k,
			float32(alpha), any(a).([]float32), lda, any(b).([]float32), ldb, float32(beta), c, ldc)
	case []float64:
		blas64.Implementation().Dgemm(blas.NoTrans, blas.Trans, m, n, k,
			float64(alpha), any(a).([]float64), lda, any(b).([]float64), ldb, float64(beta), c, ldc)
	}
}
