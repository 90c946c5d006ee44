package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// convBatchFirst computes a box of the result.
func convBatchFirst[T kernel.Float](p *channelsFirstConv, dst []byte, src []channels, b box) {
	t := kernel.Active()
	k, per := int(p.patch()), int(p.out)/p.groups
	weights := kernel.Dense(kernel.View[T](p.weights.(graph.Resident).Bytes()), int(p.out), k)
	result := kernel.Matrix[T]{Data: kernel.View[T](dst), Stride: int(b.stride), Rows: int(b.rows), Cols: int(b.n)}
	for i := 0; i < result.Rows; {
		out := int(b.out) + i
		g := out / per
		m := min(result.Rows-i, (g+1)*per-out)
		patches := patchColumns[T]{p, src, b.first, g * p.cn, t.Panel(p.dt.Kind())}
		right := kernel.Right[T]{K: k, N: result.Cols, Depth: convDepth, Fill: patches.fill}
		for j, bias := range biasOf[T](p.epilogue, out, m) {
			row := result.Row(i + j)
			for x := range row {
				row[x] = bias
			}
		}
		kernel.Multiply(t, result.Slice(i, m), weights.Slice(out, m).Left(), right, p.epilogue.bias != nil, kernel.Epilogue[T]{Activation: p.epilogue.activation})
		i += m
	}
}

// patchColumns are patches of channels-first maps, as the right matrix of a product:
// its rows count by channel, row of the window and tap in the row, its columns by
// position.
type patchColumns[T kernel.Float] struct {
	p     *channelsFirstConv
	src   []channels // of each plane
	first int64      // position of column 0 in the first plane
	c0    int        // first channel
	panel int
}

// fill is a Right's Fill.
func (s *patchColumns[T]) fill(buf []T, k0, k, j, n int) {
	for ; n > 0; j, n = j+s.panel, n-s.panel {
		cols := min(s.panel, n)
		if cols < s.panel {
			clear(buf[:k*s.panel])
		}
		for done := 0; done < cols; { // positions of one line at a time
			plane, at := s.p.inPlane(s.first + int64(j+done))
			y, x := s.p.at(at)
			take := min(cols-done, s.p.x.out-x)
			s.fillRows(buf[done:], &s.src[plane], k0, k, y, x, take)
			done += take
		}
		buf = buf[k*s.panel:]
	}
}

// fillRows fills n columns of k rows of a panel with the patches of positions
// (y,x), (y,x+1), ...: tap by tap, since the channels of a tap lie evenly spaced.
func (s *patchColumns[T]) fillRows(dst []T, src *channels, k0, k, y, x, n int) {
	p := s.p
	data, taps, size := kernel.View[T](src.data), p.taps(), int(p.size())
	ch, tap := s.c0+k0/taps, k0%taps
	row, kx := tap/p.x.size, tap%p.x.size
	line, inside := src.line(&p.windows, y, row)
	whole, rest := k/taps, k%taps
	for i := range min(taps, k) { // from row i on, every taps-th has this tap
		rows, col := whole, dst[i*s.panel:]
		if i < rest {
			rows++
		}
		sx := p.x.tap(x, kx)
		from, to := 0, 0 // those that lie inside
		if inside {
			from, to = p.x.within(sx, n)
		}
		if from > 0 || to < n {
			clearAround(col, taps*s.panel, rows, from, to, n)
		}
		switch first := line + ch*src.stride + sx + from*p.x.stride; {
		case from == to:
		case p.x.stride == 1:
			kernel.CopyRows(kernel.Bytes(col[from:]), taps*s.panel*size, kernel.Bytes(data[first:]), src.stride*size, (to-from)*size, rows)
		default:
			for r := range rows {
				everyNth(col[r*taps*s.panel:][from:to], data[first+r*src.stride:], p.x.stride)
			}
		}
		if kx++; kx == p.x.size { // the next row, or the next channel's first
			kx, row = 0, row+1
			if row == p.z.size*p.y.size {
				row, ch = 0, ch+1
			}
			line, inside = src.line(&p.windows, y, row)
		}
	}
}

// clearAround clears n elements of each of some rows, which begin stride elements
// apart, but for those from number from to before number to.
func clearAround[T kernel.Float](dst []T, stride, rows, from, to, n int) {
	for r := range rows {
		row := dst[r*stride:][:n]
		if from == to {
			clear(row)
			continue
		}
		for i := range row[:from] { // a few
			row[i] = 0
		}
		for i := range row[to:] {
			row[to+i] = 0
		}
	}
}

// everyNth fills dst with elements 0, n, 2·n, ... of src.
func everyNth[T kernel.Float](dst, src []T, n int) {
	src = src[:(len(dst)-1)*n+1]
	for i := range dst {
		dst[i] = src[i*n]
	}
}

// convDepth is the most elements of a patch that are summed in a row. Patches are
// long, and the error of a sum grows with its length: sums of so many are as
// exact as oneDNN's, of twice as many they aren't.
const convDepth = 128
