package kernel

import (
	"fmt"
	"sync"
	"unsafe"

	"fusectl/internal/dtype"
)

// The matrix product, as BLIS builds it (Van Zee and van de Geijn, "BLIS: A
// framework for rapidly instantiating BLAS functionality", 2015): B is packed
// into panels, A is read where it lies, and an instruction set has nothing but
// an inner tile. Each element of a product is, for each block of consecutive k,
// one chain of multiply-adds in order from zero; the blocks' results are added
// in order. So it depends on its row of A and its column of B alone, whatever is
// computed with them, and is the same for all instruction sets that fuse multiply
// and add.

const (
	// MaxDepth is the most k that a tile takes, and that are summed in a row: rows of A
	// and a panel of B fit the first-level cache.
	MaxDepth = 256
	// breadth is the most bytes of a row of B that are multiplied at once.
	breadth = 2048
	// rightBytes is the part of B that is multiplied by all rows of A before the
	// next: it fits the second-level cache.
	rightBytes = MaxDepth * breadth
)

// multiplier multiplies matrices by an instruction set.
type multiplier struct {
	panel int  // columns of a panel
	rows  int  // most rows of a strip
	gonum bool // b must be packed, and rows of a not overlap, as those of patches do
	// multiply computes c = a·b, or c += a·b, for at most rows rows. Panels of b start
	// next bytes apart. edge is room for a tile that goes beyond c.
	multiply func(edge *[edgeBytes]byte, c, a, b operand, next int, accumulate bool)
	// peak runs peakFlops operations n times; nil: there is none.
	peak      func(n int, x *byte)
	peakFlops int
}

// operand is a matrix as assembly takes it: its first element, and the bytes from
// one row to the next.
type operand struct {
	at                 unsafe.Pointer
	stride, rows, cols int
}

// Peak runs about flops floating-point operations of kind k, which is float32
// or float64, on normal numbers in registers alone, and returns how many they
// were: what products can be held against. The generic level has none, and
// returns 0.
func (t *Table) Peak(k dtype.Kind, flops int) int {
	m := &t.multipliers[k]
	if m.peak == nil {
		return 0
	}
	n := max(flops/m.peakFlops, 1)
	numbers := Alloc(4 * 64)
	t.Normal[k](numbers, 1, 0)
	m.peak(n, unsafe.SliceData(numbers))
	return n * m.peakFlops
}

// Epilogue lists the operations on the elements of a product when they are
// complete.
type Epilogue[T Float] struct {
	Bias       []T   // added, one a column; nil: none
	Activation Loop2 // applied then; nil: none
}

// Multiply computes c = a·b, or c += a·b, and applies e: a is [c.Rows, b.K], and b
// is [b.K, c.Cols]. With no k the product is zero. NaN and infinities propagate:
// nothing is skipped for being zero.
func Multiply[T Float](t *Table, c Matrix[T], a Left[T], b Right[T], accumulate bool, e Epilogue[T]) {
	if c.Rows == 0 || c.Cols == 0 {
		return
	}
	mul := &t.multipliers[kindOf[T]()]
	size := int(unsafe.Sizeof(c.Data[0]))
	if b.N != c.Cols || len(c.Data) < c.least() || len(b.Data) < b.least(t) {
		panic(fmt.Sprintf("kernel: a product [%d,%d]·[%d,%d] of %d elements into [%d,%d] of %d", c.Rows, b.K, b.K, b.N, len(b.Data), c.Rows, c.Cols, len(c.Data)))
	}
	work := workspaces.Get().(*workspace)
	defer workspaces.Put(work)
	gather := View[T](work.gather[:])
	depth := MaxDepth
	if 0 < b.Depth && b.Depth < depth {
		depth = b.Depth
	}
	across := breadth / size
	for j := 0; j < b.N; j += across {
		n := min(across, b.N-j)
		// As many blocks of k as there is room for beside each other.
		deep := max(rightBytes/size/PackedLen[T](t, depth, n), 1) * depth
		for p := 0; p == 0 || p < b.K; p += deep {
			end := min(p+deep, b.K)
			right := b.panelsOf(work, t, block{p, end - p, j, n})
			for i, h := 0, 0; i < c.Rows; i += h {
				h = a.stripHeight(i, c.Rows, mul.rows)
				out := c.Data[i*c.Stride+j:]
				for k0 := p; k0 == p || k0 < end; k0 += depth {
					k := min(depth, end-k0)
					rows, lda := a.At(gather, i, h, k0, k)
					if k > 0 {
						_ = rows[(h-1)*lda+k-1]
					}
					if lda < k && mul.gonum {
						CopyRows(Bytes(gather), k*size, Bytes(rows), lda*size, k*size, h)
						rows, lda = gather, k
					}
					for _, r := range right {
						if r.n > 0 {
							mul.multiply(&work.edge, operand{unsafe.Pointer(&out[r.j]), c.Stride * size, h, r.n}, operand{unsafe.Pointer(unsafe.SliceData(rows)), lda * size, h, k},
								operand{unsafe.Pointer(unsafe.SliceData(r.data[(k0-p)*r.stride:])), r.stride * size, k, r.n}, r.next*size, accumulate || k0 > 0)
						}
					}
				}
				if end == b.K && (e.Bias != nil || e.Activation != nil) {
					e.apply(t, Matrix[T]{out, c.Stride, h, n}, j)
				}
			}
		}
	}
}

// apply is e for c, whose first column is number j.
func (e *Epilogue[T]) apply(t *Table, c Matrix[T], j int) {
	for i := range c.Rows {
		row := Bytes(c.Row(i))
		if e.Bias != nil {
			t.Add[kindOf[T]()](row, row, Bytes(e.Bias[j:j+c.Cols]))
		}
		if e.Activation != nil {
			e.Activation(row, row)
		}
	}
}

// edgeBytes is the largest tile: 12 rows of two 64-byte vectors.
const edgeBytes = 12 * 128

// workspace is the memory of a product beside its operands: rows of A that had to
// be gathered, a part of B that had to be packed, and a tile at the edge of C.
type workspace struct {
	right  []byte // a part of B, once one was filled
	gather [MaxRows * MaxDepth * 8]byte
	edge   [edgeBytes]byte
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}
