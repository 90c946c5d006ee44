package ops

import (
	"context"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// plane is an array seen as [outer, height, width, inner], with where each
// position of the result comes from.
type plane struct {
	outer, inner int64
	y, x         axisPlan
}

// axisPlan says for each position along an axis between which two source
// positions it lies, and how far from the first to the second.
type axisPlan struct {
	absent bool // it has one position, which stays as it is
	in     int
	scale  float64 // 0: the quotient of the extents
	lo, hi []int32
	frac   []float64
}

// absentAxis is the plan of an axis that a map doesn't have.
var absentAxis = axisPlan{absent: true, in: 1, lo: []int32{0}, hi: []int32{0}, frac: []float64{0}}

// resized scales rows, then blends pairs of them.
type resized struct {
	computed
	plane
	maps  graph.Array
	blend bool
	skips bool // rows that no position lies between
}

func (r *resized) Operands(visit func(*graph.Array)) { visit(&r.maps) }

func (r *resized) row() int64 { return int64(len(r.x.lo)) * r.inner }

func (r *resized) srcRow() int64 { return int64(r.x.in) * r.inner }

// Tiling takes several rows, since neighbours share their source rows.
func (r *resized) Tiling() graph.Tiling {
	return graph.Tiling{Unit: r.row(), Size: min(8*r.row(), 1<<20)}
}

// Tables is the plans of both axes.
func (r *resized) Tables() int64 {
	bytes := 0
	for _, p := range []axisPlan{r.y, r.x} {
		if !p.absent {
			bytes += 4*len(p.lo) + 4*len(p.hi) + 8*len(p.frac)
		}
	}
	return int64(bytes)
}

func (r *resized) Flops() int64 {
	if !r.blend {
		return 0
	}
	return 6 * r.sh.Len() // three blends of two
}

func (r *resized) Memory(n int64) int64 {
	read := r.atOnce() * r.srcRow()
	return (2*r.row()+graph.PeekBuffer(r.maps, read)+wholeRowsMemory(n, r.row()))*r.size() + graph.MemoryOf(r.maps, read)
}

func (r *resized) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(dst, off, r.row(), r.size(), func(dst []byte, row, n int64) error {
		return r.rows(ctx, dst, row, n)
	})
}

// readAhead is the bytes up to which source rows are read several at once, since
// a read of few bytes takes little less time than one of many.
const readAhead = 64 << 10

// atOnce is the number of source rows that are read at once: one, where most are
// skipped.
func (r *resized) atOnce() int64 {
	if r.skips && r.y.in > 4*len(r.y.lo) {
		return 1
	}
	return max(readAhead/max(r.srcRow()*r.size(), 1), 1)
}

// sourceRows are source rows that have been read, n from number first on.
type sourceRows struct {
	r        *resized
	data     []byte
	first, n int64
	buf      []byte
}

// open begins to read source rows, in a buffer to be put back.
func (r *resized) open() sourceRows {
	return sourceRows{r: r, buf: graph.GetBuffer(r.atOnce() * r.srcRow() * r.size())}
}

// row is source row number i, counted over all images and channels.
func (s *sourceRows) row(ctx context.Context, i int64) ([]byte, error) {
	r := s.r
	row, bytes := r.srcRow(), r.srcRow()*r.size()
	if i < s.first || i >= s.first+s.n {
		n := min(r.atOnce(), r.outer*int64(r.y.in)-i)
		data, err := graph.Peek(ctx, r.maps, s.buf[:n*bytes], graph.OneRun(i*row, n*row))
		if err != nil {
			return nil, err
		}
		s.data, s.first, s.n = data, i, n
	}
	at := (i - s.first) * bytes
	return s.data[at : at+bytes], nil
}

// rows is the source rows from number i on that are at hand together, most at most.
func (s *sourceRows) rows(ctx context.Context, i, most int64) (data []byte, n int, err error) {
	if _, err = s.row(ctx, i); err != nil {
		return nil, 0, err
	}
	most = min(most, s.first+s.n-i)
	bytes := s.r.srcRow() * s.r.size()
	return s.data[(i-s.first)*bytes:][:most*bytes], int(most), nil
}

// rows computes n result rows. Of the two scaled source rows that it blends,
// it keeps what the next row needs again.
func (r *resized) rows(ctx context.Context, dst []byte, row, n int64) error {
	bytes := r.row() * r.size()
	src := r.open()
	lo, hi := graph.GetBuffer(bytes), graph.GetBuffer(bytes)
	defer func() { graph.PutBuffer(src.buf); graph.PutBuffer(lo); graph.PutBuffer(hi) }()
	atLo, atHi := int64(-1), int64(-1)
	height := int64(len(r.y.lo))
	for i := range n {
		outer, y := (row+i)/height, (row+i)%height
		first := outer * int64(r.y.in)
		wantLo, wantHi := first+int64(r.y.lo[y]), first+int64(r.y.hi[y])
		if wantLo == atHi {
			lo, hi, atLo, atHi = hi, lo, atHi, atLo
		}
		if wantLo != atLo {
			if err := r.scaleRow(ctx, lo, &src, wantLo); err != nil {
				return err
			}
			atLo = wantLo
		}
		out := dst[i*bytes : (i+1)*bytes]
		frac := r.y.frac[y]
		if !r.blend || frac == 0 {
			copy(out, lo)
			continue
		}
		if wantHi != atHi {
			if err := r.scaleRow(ctx, hi, &src, wantHi); err != nil {
				return err
			}
			atHi = wantHi
		}
		kernel.Active().Lerp[r.dt.Kind()](out, lo, hi, frac)
	}
	return nil
}

// scaleRow reads one source row and scales it to the result's width.
func (r *resized) scaleRow(ctx context.Context, dst []byte, rows *sourceRows, row int64) error {
	src, err := rows.row(ctx, row)
	if err != nil {
		return err
	}
	if r.blend {
		kernel.Active().LerpCols[r.dt.Kind()](dst, src, r.x.lo, r.x.hi, r.x.frac, int(r.inner))
	} else {
		kernel.Gather(dst, src, r.x.lo, int(r.inner)*r.dt.Size())
	}
	return nil
}
