package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

// Float is the types that matrix products are computed in.
type Float interface{ float32 | float64 }

// kindOf is the kind of T.
func kindOf[T Float]() dtype.Kind {
	var v T
	if unsafe.Sizeof(v) == 4 {
		return dtype.KindFloat32
	}
	return dtype.KindFloat64
}

// Instance chooses between the instances of a generic function for kind k, which
// is float32 or float64.
func Instance[F any](k dtype.Kind, float32s, float64s F) F {
	if k == dtype.KindFloat32 {
		return float32s
	}
	return float64s
}

// Matrix is a matrix in memory: each of its rows begins Stride elements after the
// one before.
type Matrix[T Float] struct {
	Data               []T
	Stride, Rows, Cols int
}

// Dense is a matrix whose rows follow one another in data.
func Dense[T Float](data []T, rows, cols int) Matrix[T] { return Matrix[T]{data, cols, rows, cols} }

// Row is row number i.
func (m Matrix[T]) Row(i int) []T { return m.Data[i*m.Stride : i*m.Stride+m.Cols] }

// Slice is n rows of m, from number i on.
func (m Matrix[T]) Slice(i, n int) Matrix[T] {
	m.Data, m.Rows = m.Data[min(i*m.Stride, len(m.Data)):], n
	return m
}

// Left is m as the left matrix of a product.
func (m Matrix[T]) Left() Left[T] {
	return Left[T]{At: func(_ []T, i, h, k0, k int) ([]T, int) {
		if k == 0 {
			return nil, m.Stride
		}
		at := i*m.Stride + k0
		return m.Data[at : at+(h-1)*m.Stride+k], m.Stride
	}}
}

// Right is m as the right matrix of a product, which takes it where it lies: for
// products of few rows, which take less time than packing. Only where
// Table.InPlace says so.
func (m Matrix[T]) Right() Right[T] {
	return Right[T]{Data: m.Data, K: m.Rows, N: m.Cols, Stride: m.Stride}
}

// least is the elements that Data has at least.
func (m Matrix[T]) least() int { return (m.Rows-1)*m.Stride + m.Cols }
