package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

// Left is the left matrix of a product.
type Left[T Float] struct {
	// At gives columns [k0,k0+k) of rows [i,i+h): they start ld elements apart in
	// a, which may be where they lie, or buf, of h·k elements, if they must be
	// gathered. It is called for at most MaxRows rows.
	At func(buf []T, i, h, k0, k int) (a []T, ld int)
	// Line, where it isn't 0, says that rows are best asked for within lines of so
	// many, the first of which begins with row -Begun.
	Line, Begun int
}

// stripHeight is the height of the strip that begins with row i of m: a line, or what
// is left of one, is cut into strips of at most most rows whose heights differ
// by one at most.
func (l *Left[T]) stripHeight(i, m, most int) int {
	from, to := 0, m
	if l.Line > 0 {
		from = (i+l.Begun)/l.Line*l.Line - l.Begun
		to = min(from+l.Line, m)
		from = max(from, 0)
	}
	n := to - from
	strips := (n + most - 1) / most
	s := ((i-from+1)*strips + n - 1) / n // the strip after i's
	return from + s*n/strips - i
}

// Right is the right matrix of a product [K,N], packed: panels of Panel columns,
// each [K, Panel], the last one filled up with zeros.
type Right[T Float] struct {
	Data []T
	K, N int
	// Stride, where it isn't 0, says that Data is not packed, but the matrix's
	// rows, which start so many elements apart: see Matrix.Right.
	Stride int
	// Fill, where there is no Data, gives a part of the matrix at a time: it packs
	// rows [k0,k0+k) of columns [j,j+n) into buf, panels of k rows each.
	Fill func(buf []T, k0, k, j, n int)
	// Depth is how many k are summed before the sum is added to the element; 0
	// and more than 256 are 256.
	Depth int
}

// Panel is the number of columns in a panel of a packed matrix of kind k, which is
// float32 or float64.
func (t *Table) Panel(k dtype.Kind) int { return t.multipliers[k].panel }

// InPlace reports whether products of kind k take a Right that isn't packed.
func (t *Table) InPlace(k dtype.Kind) bool { return !t.multipliers[k].gonum }

// PackedLen is the elements that Right.Data has for a matrix of k rows and n
// columns.
func PackedLen[T Float](t *Table, k, n int) int {
	panel := t.Panel(kindOf[T]())
	return (n + panel - 1) / panel * panel * k
}

// Pack packs src, or where transposed is set its transpose, a matrix [k,n]:
// dst[j/P][i][j%P] = element (i,j), P being the panel's columns. dst has PackedLen
// elements.
func Pack[T Float](t *Table, dst []T, src Matrix[T], transposed bool) Right[T] {
	panel := t.Panel(kindOf[T]())
	size := int(unsafe.Sizeof(dst[:1][0]))
	k, n, ld := src.Rows, src.Cols, src.Stride
	if transposed {
		k, n = n, k
	}
	out := Right[T]{Data: dst, K: k, N: n}
	for j := 0; j < n && k > 0; j += panel {
		cols := min(panel, n-j)
		p := dst[j*k : (j+panel)*k]
		if cols < panel {
			clear(p)
		}
		if transposed {
			t.transposeRows(Bytes(p), panel*size, Bytes(src.Data[j*ld:j*ld+(cols-1)*ld+k]), ld*size, cols, k, size)
		} else {
			t.copyRows(Bytes(p), panel*size, Bytes(src.Data[j:]), ld*size, cols*size, k)
		}
	}
	return out
}

// least is the elements that Data has at least.
func (b *Right[T]) least(t *Table) int {
	switch {
	case b.Fill != nil || b.K == 0:
		return 0
	case b.Stride > 0:
		return (b.K-1)*b.Stride + b.N
	}
	return PackedLen[T](t, b.K, b.N)
}

// FewRows is the rows of a product from which on packing the right matrix is
// worth its time.
const FewRows = 16

// MaxRows is the most rows that a Left is asked for at once.
const MaxRows = 64

// FillLen is the most elements that a Right is asked to fill at once, by kinds
// of 4 bytes.
const FillLen = rightBytes / 4

// panels are some columns of the right matrix, n from number j on, as a strip
// takes them: rows of a panel start stride elements apart, panels next.
type panels[T Float] struct {
	data         []T
	stride, next int
	j, n         int
}

// block is a part of a matrix: k rows from number p on of n columns from number j
// on.
type block struct{ p, k, j, n int }

// panelsOf gives a block of b.
func (b *Right[T]) panelsOf(w *workspace, t *Table, of block) (out [2]panels[T]) {
	p, k, j, n := of.p, of.k, of.j, of.n
	mul := &t.multipliers[kindOf[T]()]
	panel := mul.panel
	packed := panels[T]{b.Data, panel, b.K * panel, 0, n}
	if b.Fill == nil && b.Stride == 0 {
		packed.data = b.Data[min(j*b.K+p*panel, len(b.Data)):]
		return [2]panels[T]{packed}
	}
	room := rightBytes
	if mul.gonum {
		room *= 2 // to spread its columns
	}
	if len(w.right) < room {
		w.right = Alloc(room)
	}
	packed.data, packed.next = View[T](w.right), k*panel
	if b.Fill != nil {
		b.Fill(packed.data[:PackedLen[T](t, k, n)], p, k, j, n)
		if mul.gonum {
			packed.next = spread(packed.data, k, n)
		}
		return [2]panels[T]{packed}
	}
	// Whole panels lie where they are; what goes beyond the last is packed.
	packed.j, packed.n = n-n%panel, n%panel
	if packed.n > 0 && k > 0 {
		Pack(t, packed.data, Matrix[T]{b.Data[p*b.Stride+j+packed.j:], b.Stride, k, packed.n}, false)
	}
	return [2]panels[T]{{b.Data[min(p*b.Stride+j, len(b.Data)):], b.Stride, panel, 0, packed.j}, packed}
}

// spread moves n columns of k elements apart, so that all are aligned alike, and
// returns how far: gonum chooses its order of summation by the alignment, which
// must not depend on where a part of the matrix begins.
func spread[T Float](data []T, k, n int) (stride int) {
	const align = 16
	stride = (k + align - 1) / align * align
	for j := n - 1; j > 0; j-- {
		copy(data[j*stride:j*stride+k], data[j*k:])
	}
	return stride
}
