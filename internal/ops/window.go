package ops

import (
	"context"
	"fmt"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// Window is how a kernel or a pooling window moves over the two spatial axes,
// height first.
type Window struct {
	Size, Stride, Dilation [2]int // Stride and Dilation: 0 is 1
	Padding                Padding
}

// Padding is what surrounds a feature map. Same pads as TensorFlow does: the
// result has ceil(in/stride) positions, and an odd number of them gets the
// extra one after. Otherwise Each says how many are added on either side, as
// PyTorch does.
type Padding struct {
	Same bool
	Each [2]int
}

// axisWindow is a window along one axis: the first tap of position i is at
// i·stride - before.
type axisWindow struct{ in, out, size, stride, dilation, before int }

// along resolves the window along spatial axis i of in positions. It is an
// error if no position remains.
func (w Window) along(i, in int) (axisWindow, error) {
	a := axisWindow{in: in, size: w.Size[i], stride: max(w.Stride[i], 1), dilation: max(w.Dilation[i], 1)}
	if a.size < 1 {
		return a, fmt.Errorf("a window of %d by %d: want at least 1 by 1", w.Size[0], w.Size[1])
	}
	if in == 0 {
		return a, fmt.Errorf("there are no positions to move a window over")
	}
	reach := (a.size-1)*a.dilation + 1
	total := 2 * w.Padding.Each[i]
	a.before = w.Padding.Each[i]
	if w.Padding.Same {
		total = max((int(shape.CeilDiv(int64(in), int64(a.stride)))-1)*a.stride+reach-in, 0)
		a.before = total / 2
	}
	if in+total < reach {
		return a, fmt.Errorf("a window that reaches over %d positions does not fit %d with %d of padding", reach, in, total)
	}
	a.out = (in+total-reach)/a.stride + 1
	return a, nil
}

// plain reports whether the window visits every position and none beyond.
func (w Window) plain() bool {
	return max(w.Stride[0], w.Stride[1]) <= 1 && w.Padding.Each == [2]int{}
}

// over resolves the window on a feature map with axis height, 1 for [N,H,W,C] or
// 2 for [N,C,H,W].
func (w Window) over(x graph.Array, height int) (windows, error) {
	s := x.Shape()
	y, err := w.along(0, s[height])
	if err != nil {
		return windows{}, graph.Errorf(x, "shape %v: %v", s, err)
	}
	across, err := w.along(1, s[height+1])
	if err != nil {
		return windows{}, graph.Errorf(x, "shape %v: %v", s, err)
	}
	return windows{y, across, s[5-2*height]}, nil
}

// tap is the source position of a window's k-th tap at result position i; it
// may lie outside.
func (a axisWindow) tap(i, k int) int { return i*a.stride - a.before + k*a.dilation }

// windows is a window that moves over feature maps of so many channels.
type windows struct {
	y, x axisWindow
	ch   int
}

// at is the row and column of the i-th window of an image.
func (w *windows) at(i int64) (y, x int) { return int(i / int64(w.x.out)), int(i % int64(w.x.out)) }

// images calls f for n windows from row on, counted over all images, with
// those of one image at a time.
func (w *windows) images(row, n int64, f func(image, first, n int64) error) error {
	per := int64(w.y.out) * int64(w.x.out)
	for n > 0 {
		image, first := row/per, row%per
		take := min(n, per-first)
		if err := f(image, first, take); err != nil {
			return err
		}
		row, n = row+take, n-take
	}
	return nil
}

// rowsWorth is the rows of a tile whose windows move over a computed array.
const rowsWorth = 8

// worth is how many windows of x a tile should have: least, or whole rows
// where x is computed, of which tiles next to each other share some.
func (w *windows) worth(x graph.Array, least int64) int64 {
	if _, held := x.(*graph.Materialized); held {
		return least
	}
	if _, computed := x.(graph.Node); !computed {
		return least
	}
	return max(least, rowsWorth*int64(w.x.out))
}

// covered is how many elements n windows in line can lie over.
func (w *windows) covered(n int64) int64 {
	rows := max(shape.CeilDiv(n, int64(w.x.out)), 1)
	if n%int64(w.x.out) != 0 {
		rows++ // it may begin and end within a row
	}
	reach := int64((w.y.size-1)*w.y.dilation + 1)
	return min((rows-1)*int64(w.y.stride)+reach, int64(w.y.in)) * int64(w.x.in*w.ch)
}

// lines gives the source rows that n windows of an image lie over, the first of
// them being row lo. buf is to be put back to s.
func (w *windows) lines(ctx context.Context, x graph.Array, image, first, n int64) (src, buf []byte, lo int, err error) {
	y0, _ := w.at(first)
	y1, _ := w.at(first + n - 1)
	lo = max(w.y.tap(y0, 0), 0)
	rows := int64(max(min(w.y.tap(y1, w.y.size-1)+1, w.y.in)-lo, 0))
	line := int64(w.x.in * w.ch)
	at := (image*int64(w.y.in) + int64(lo)) * line
	if rows == 0 {
		return nil, nil, lo, nil
	}
	if _, ok := x.(graph.Resident); ok {
		src, _, err = graph.PeekRun(ctx, x, at, rows*line)
		return src, nil, lo, err
	}
	size := int64(x.DType().Size())
	buf = graph.GetBuffer(max(w.covered(n), rows*line) * size) // as large for tiles at the border, so that buffers serve all
	src = buf[:rows*line*size]
	return src, buf, lo, x.Read(ctx, src, at)
}
