package ops

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// product multiplies rows [.., k] by matrices [k,n] that are held: packed, or in
// memory as they are. Each m rows have a matrix of their own.
type product struct {
	computed
	x, right graph.Array
	m, k, n  int64
	epilogue epilogue
}

// multiplyRows is rows [.., in] times a matrix [in, out] that pack has held.
func multiplyRows(x graph.Array, weights *graph.Materialized, epi epilogue) graph.Array {
	p := weights.Of().(*packed)
	return newProduct("linear", x, weights, rowsIn(x), p.k, p.n, epi)
}

// rowsIn is the rows of x [.., k].
func rowsIn(x graph.Array) int { return int(x.Shape().Product(0, len(x.Shape())-1)) }

func newProduct(op string, x graph.Array, right graph.Resident, m, k, n int, epi epilogue) graph.Array {
	s := x.Shape().Clone()
	s[len(s)-1] = n
	return &product{computed{op: op, dt: x.DType(), sh: s}, x, right, int64(max(m, 1)), int64(k), int64(n), epi}
}

// productRows are the rows of a tile, at least: each panel of the right matrix serves
// as many, more where the matrix doesn't stay in the second-level cache.
func (p *product) productRows() int64 {
	if p.k*p.n*p.size() > 1<<20 {
		return manyRows
	}
	return 96
}

// manyRows are the rows that a part of a right matrix serves before the next.
const manyRows = 384

// productRead is the elements of rows that a tile reads at most, but for few rows.
const productRead = 1 << 20

func (p *product) Tiling() graph.Tiling {
	rows := p.productRows()
	return graph.Tiling{Unit: p.n, Size: rows * p.n, Most: max(rows, productRead/max(p.k, 1)) * p.n}
}

func (p *product) Flops() int64 { return (2*p.k + p.epilogue.flops) * p.sh.Len() }

func (p *product) Operands(visit func(*graph.Array)) {
	visit(&p.x)
	visit(&p.right)
	p.epilogue.operands(visit)
}

func (p *product) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if unit%p.n == 0 {
		say(&p.x, unit/p.n*p.k)
		say(&p.epilogue.residual, unit)
	}
}

func (p *product) Memory(n int64) int64 {
	whole := max(n, wholeRowsMemory(n, p.n))
	read := whole / max(p.n, 1) * p.k
	m := (graph.PeekBuffer(p.x, read)+wholeRowsMemory(n, p.n))*p.size() + graph.MemoryOf(p.x, read)
	if p.epilogue.residual != nil {
		m = max(m, graph.MemoryOf(p.epilogue.residual, whole))
	}
	return m
}

func (p *product) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(dst, off, p.n, p.size(), func(dst []byte, row, n int64) error {
		x, buf, err := graph.PeekRun(ctx, p.x, row*p.k, n*p.k)
		defer graph.PutBuffer(buf)
		if err == nil && p.epilogue.residual != nil {
			err = p.epilogue.residual.Read(ctx, dst, row*p.n)
		}
		if err != nil {
			return err
		}
		for n > 0 { // the rows of one matrix
			i, rows := row/p.m, min(n, p.m-row%p.m)
			c, a := dst[:rows*p.n*p.size()], x[:rows*p.k*p.size()]
			if p.dt.IsInteger() {
				b := p.right.(graph.Resident).Bytes()[i*p.k*p.n*p.size():]
				clear(c)
				kernel.Active().MulAdd[p.dt.Kind()](c, a, b, int(p.k), int(p.n))
			} else {
				kernel.Instance(p.dt.Kind(), multiply[float32], multiply[float64])(p, c, a, int(i))
			}
			dst, x, row, n = dst[len(c):], x[len(a):], row+rows, n-rows
		}
		return nil
	})
}

// multiply computes rows that have matrix number i.
func multiply[T kernel.Float](p *product, dst, x []byte, i int) {
	k, n := int(p.k), int(p.n)
	rows := len(dst) / max(n*int(p.size()), 1)
	c := kernel.Dense(kernel.View[T](dst), rows, n)
	left := kernel.Dense(kernel.View[T](x), rows, k).Left()
	var right kernel.Right[T]
	if h, ok := p.right.(*graph.Materialized); ok && isPacked(h) {
		right = group[T](h, i)
	} else {
		right = kernel.Dense(kernel.View[T](p.right.(graph.Resident).Bytes()), (i+1)*k, n).Slice(i*k, k).Right()
	}
	kernel.Multiply(kernel.Active(), c, left, right, p.epilogue.residual != nil, kernelEpilogue[T](p.epilogue, 0, n))
}

// pairs multiplies matrices [batch, m, k] by matrices [batch, k, n], both of which are
// read by the tile that multiplies them. The sum over k is cut into chunks, each
// of which is a result of its own: [batch, chunks, m, n].
type pairs struct {
	computed
	x, right       graph.Array
	m, k, n, chunk int64
}

func newPairs(x, right graph.Array, chunk int64) *pairs {
	s, n := x.Shape(), right.Shape()[2]
	out := shape.Shape{s[0], int(shape.CeilDiv(int64(s[2]), chunk)), s[1], n}
	return &pairs{computed{op: "matmul", dt: x.DType(), sh: out}, x, right, int64(s[1]), int64(s[2]), int64(n), chunk}
}

// pairsRead is the bytes of both operands that are read at once, about.
const pairsRead = 1 << 20

// deep is the part of k that is read at once.
func (p *pairs) deep() int64 {
	most := pairsRead / p.size() / (p.n + min(p.m, manyRows))
	return min(max(most/kernel.MaxDepth, 1)*kernel.MaxDepth, p.chunk)
}

// several is the number of pairs that are read at once: more than one where they are
// small.
func (p *pairs) several() int64 {
	if p.deep() < p.k {
		return 1
	}
	return max(pairsRead/p.size()/((p.m+p.n)*p.k), 1)
}

func (p *pairs) Tiling() graph.Tiling {
	one := p.m * p.n
	return graph.Tiling{Unit: one, Size: one, Most: p.several() * one}
}

func (p *pairs) Flops() int64 { return 2 * p.k * p.sh.Len() / int64(p.sh[1]) }

func (p *pairs) Operands(visit func(*graph.Array)) {
	visit(&p.x)
	visit(&p.right)
}

func (p *pairs) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if one := p.m * p.n; unit%one == 0 && p.deep() == p.k {
		say(&p.x, unit/one*p.m*p.k)
		say(&p.right, unit/one*p.k*p.n)
	}
}

func (p *pairs) Memory(n int64) int64 {
	of := min(p.several(), max(n/(p.m*p.n), 1))
	left, right := of*min(p.m, manyRows)*p.deep(), of*p.deep()*p.n
	packed := p.deep() * (p.n + panelMost)
	return (left+right+packed+wholeRowsMemory(n, p.n))*p.size() + max(graph.MemoryOf(p.x, left), graph.MemoryOf(p.right, right))
}

func (p *pairs) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(dst, off, p.n, p.size(), func(dst []byte, row, n int64) error {
		for n > 0 {
			pair, first := row/p.m, row%p.m
			of, rows := int64(1), min(n, p.m-first)
			if n >= 2*p.m && first == 0 {
				of = min(n/p.m, p.several())
				rows = of * p.m
			}
			c := dst[:rows*p.n*p.size()]
			if err := p.multiply(ctx, c, pair, of, first); err != nil {
				return err
			}
			dst, row, n = dst[len(c):], row+rows, n-rows
		}
		return nil
	})
}

// multiply computes rows of a pair, from number first on, or all of several pairs.
func (p *pairs) multiply(ctx context.Context, dst []byte, pair, several, first int64) error {
	batch, chunk := pair/int64(p.sh[1]), pair%int64(p.sh[1])
	from, to := chunk*p.chunk, min((chunk+1)*p.chunk, p.k)
	deep, rows := p.deep(), int64(len(dst))/p.n/p.size()
	strip := min(rows, manyRows)
	if several > 1 {
		strip = rows
	}
	left := graph.GetBuffer(strip * deep * p.size())
	defer graph.PutBuffer(left)
	right := graph.GetBuffer(several * deep * p.n * p.size())
	defer graph.PutBuffer(right)
	panels := graph.GetBuffer(deep * (p.n + panelMost) * p.size())
	defer graph.PutBuffer(panels)
	part := func(x []byte, i int64) []byte { return x[int64(len(x))/several*i:][:int64(len(x))/several] }
	block := &pairBlock{dt: p.dt, panels: panels, n: p.n}
	for k0 := from; k0 < to; k0 += deep {
		d := min(deep, to-k0)
		b, err := graph.Peek(ctx, p.right, right[:several*d*p.n*p.size()], graph.OneRun((batch*p.k+k0)*p.n, several*d*p.n))
		if err != nil {
			return err
		}
		for i := int64(0); i < rows; i += strip {
			r := min(strip, rows-i)
			a, err := graph.Peek(ctx, p.x, left[:r*d*p.size()], graph.Region{Off: (batch*p.m+first+i)*p.k + k0, Runs: r, Len: d, Stride: p.k})
			if err != nil {
				return err
			}
			c := dst[i*p.n*p.size():][:r*p.n*p.size()]
			for j := range several {
				block.c, block.a, block.b, block.deep = part(c, j), part(a, j), part(b, j), d
				block.accumulate, block.packed = k0 > from, i > 0
				block.multiply()
			}
		}
	}
	return ctx.Err()
}

// pairBlock is some rows c of a result to which a·b is added or, without
// accumulate, which are a·b: a is [.., deep], and b [deep, n].
type pairBlock struct {
	dt         dtype.Type
	c, a, b    []byte
	panels     []byte // room for b, packed
	deep, n    int64
	accumulate bool
	packed     bool // b is in panels
}

func (p *pairBlock) multiply() {
	if !p.dt.IsInteger() {
		kernel.Instance(p.dt.Kind(), multiplyBlock[float32], multiplyBlock[float64])(p)
		return
	}
	if !p.accumulate {
		clear(p.c)
	}
	kernel.Active().MulAdd[p.dt.Kind()](p.c, p.a, p.b, int(p.deep), int(p.n))
}

func multiplyBlock[T kernel.Float](p *pairBlock) {
	a, b := kernel.View[T](p.a), kernel.Dense(kernel.View[T](p.b), int(p.deep), int(p.n))
	rows := len(a) / b.Rows
	t, panels := kernel.Active(), kernel.View[T](p.panels)
	right := kernel.Right[T]{Data: panels, K: b.Rows, N: b.Cols}
	switch {
	case p.packed:
	case rows < kernel.FewRows && t.InPlace(p.dt.Kind()):
		right = b.Right()
	default:
		right = kernel.Pack(t, panels[:kernel.PackedLen[T](t, b.Rows, b.Cols)], b, false)
	}
	c := kernel.Dense(kernel.View[T](p.c), rows, b.Cols)
	kernel.Multiply(t, c, kernel.Dense(a, rows, b.Rows).Left(), right, p.accumulate, kernel.Epilogue[T]{})
}

const (
	// chunkDeep is the terms of a sum that a chunk has at least: a multiple of those that
	// a product sums in a row.
	chunkDeep = 2 * kernel.MaxDepth
	// chunkedMost is the elements that the chunks' results have at most, which are held.
	chunkedMost = 4 << 20
	// manyPairs is the pairs from which on workers share those.
	manyPairs = 16
)

// sumChunk is the part of k that is summed apart in products of batch matrices [m,k]
// and [k,n]: all of it, but where few rows and columns are long, so that there would be
// nothing for workers to share and everything to hold.
func sumChunk(batch, m, n, k int64) int64 {
	chunks := min(shape.CeilDiv(k, chunkDeep), 64, chunkedMost/max(m*n*batch, 1))
	if batch >= manyPairs || chunks < 2 || 4*chunks*m*n > k*(m+n) {
		return k
	}
	return shape.CeilDiv(shape.CeilDiv(k, chunks), kernel.MaxDepth) * kernel.MaxDepth
}

// multipliesPairs reports whether products of batch matrices [m,k] and [k,n] read the
// right ones as they go, and don't hold them: where there is enough for workers to
// share, and each result takes less than all right matrices.
func multipliesPairs(batch, m, n, k int64) bool {
	return sumChunk(batch, m, n, k) < k || batch >= manyPairs && 8*m*n <= batch*k*n
}

// multiplyMatrices is the products [batch,m,n] of matrices a [batch,m,k] and b
// [batch,k,n], one dtype and none of them empty: in that dtype or, of floats whose
// sums are cut into chunks, in float64.
func multiplyMatrices(a, b graph.Array) (graph.Array, error) {
	t, s, n := a.DType(), a.Shape(), b.Shape()[2]
	switch {
	case t == dtype.Bool: // a sum of ones and zeros is 0 where all are
		y, err := multiplyMatrices(cast(a, dtype.Float32), cast(b, dtype.Float32))
		if err != nil {
			return nil, err
		}
		return cast(y, t), nil
	case t.IsComplex():
		rows, err := complexRows(b)
		if err != nil {
			return nil, err
		}
		y, err := multiplyMatrices(reinterpret(a, realOf(t), shape.Shape{s[0], s[1], 2 * s[2]}), rows)
		if err != nil {
			return nil, err
		}
		if y.DType() == dtype.Float64 {
			t = dtype.Complex128
		}
		return reinterpret(y, t, shape.Shape{s[0], s[1], n}), nil
	}
	chunk := sumChunk(int64(s[0]), int64(s[1]), int64(n), int64(s[2]))
	switch {
	case chunk < int64(s[2]):
		return sums(graph.Materialize(newPairs(a, b, chunk)), []int{1}), nil
	case multipliesPairs(int64(s[0]), int64(s[1]), int64(n), int64(s[2])):
		return reshape(newPairs(a, b, chunk), shape.Shape{s[0], s[1], n}), nil
	case t.IsInteger(), s[1] < kernel.FewRows && kernel.Active().InPlace(t.Kind()):
		return newProduct("matmul", a, graph.InMemory(b), s[1], s[2], n, epilogue{}), nil
	}
	return newProduct("matmul", a, packEach(b), s[1], s[2], n, epilogue{}), nil
}

// complexRows is complex matrices [batch,k,n] as real ones [batch,2k,2n], by which
// rows of complex numbers are multiplied as pairs of real ones: for each row its
// numbers, which real parts are multiplied by, and i times these for imaginary parts.
func complexRows(b graph.Array) (graph.Array, error) {
	t, s := b.DType(), b.Shape()
	pairs := shape.Shape{s[0], s[1], 1, 2 * s[2]}
	turned := mapTo("turn", t, b, kernel.Instance(realOf(t).Kind(), timesI[float32], timesI[float64]))
	rows, err := Concat([]graph.Array{reinterpret(b, realOf(t), pairs), reinterpret(turned, realOf(t), pairs)}, 2)
	if err != nil {
		return nil, err
	}
	return reshape(rows, shape.Shape{s[0], 2 * s[1], 2 * s[2]}), nil
}

// timesI multiplies complex numbers by i: it exchanges their parts. dst may be src.
func timesI[T kernel.Float](dst, src []byte) {
	d, x := kernel.View[[2]T](dst), kernel.View[[2]T](src)
	for i, v := range x {
		d[i] = [2]T{-v[1], v[0]}
	}
}
