package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// maxSpatial is the most spatial axes of a map: those of a volume or a clip.
const maxSpatial = 3

// Window describes a kernel or a pooling window that moves over the spatial axes
// of a map, outermost first. Each list has a number for each axis, or one for all.
type Window struct {
	Size, Stride, Dilation []int // Stride and Dilation: empty is 1
	Padding                Padding
	// Ceil has the last window reach beyond the map and its padding where the stride
	// leaves positions over, if it begins inside the map or the padding before it: as
	// PyTorch's ceil_mode, and ONNX's. It goes with Padding.Each.
	Ceil bool
}

// Padding surrounds a map with positions. Same pads as TensorFlow does: the result has
// ceil(in/stride) positions along each axis, and an odd number of added ones
// gets the extra one after, or under Lower before, as ONNX's SAME_LOWER. Otherwise
// Each says how many are added before and after along each axis, or has one pair
// for all; empty adds none, and a negative number takes positions away.
type Padding struct {
	Same, Lower bool
	Each        [][2]int
}

// Pad adds as many positions before as after, as PyTorch does: n has a number
// for each axis, or one for all.
func Pad(n ...int) Padding {
	var p Padding
	for _, n := range n {
		p.Each = append(p.Each, [2]int{n, n})
	}
	return p
}

// lead gives how many of n positions stand before a map under Same.
func (p Padding) lead(n int) int {
	if p.Lower {
		return n - n/2
	}
	return n / 2
}

// pick is element i of a list that has one for each axis, or one for all; none
// where the list is empty.
func pick[T any](list []T, i int, none T) T {
	switch len(list) {
	case 0:
		return none
	case 1:
		return list[0]
	}
	return list[i]
}

// joined is numbers as messages have them, such as "3 by 3".
func joined(n []int, by string) string {
	words := make([]string, len(n))
	for i, n := range n {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, by)
}

// checkList refuses a list for an operation on x that has neither one element for
// all of n spatial axes nor one for each; an empty one stands for a default.
func checkList[T any](x graph.Array, what string, list []T, n int) error {
	if len(list) <= 1 || len(list) == n {
		return nil
	}
	return graph.Errorf(x, "shape %v has %d spatial axes: %d numbers say the %s", x.Shape(), n, len(list), what)
}

// check refuses lists that don't fit n spatial axes of x.
func (w Window) check(x graph.Array, n int) error {
	return cmp.Or(checkList(x, "size", w.Size, n), checkList(x, "stride", w.Stride, n), checkList(x, "dilation", w.Dilation, n), checkList(x, "padding", w.Padding.Each, n))
}

// told is the number of axes that the lists of a window tell; 0 if all have one
// number for all.
func (w Window) told() int {
	return told(len(w.Size), len(w.Stride), len(w.Dilation), len(w.Padding.Each))
}

// told is the number of axes that lists of so many numbers tell.
func told(lens ...int) int {
	for _, n := range lens {
		if n > 1 {
			return n
		}
	}
	return 0
}

// movesOver names the axes of x for an operation that moves over the spatial axes of
// a map. told is how many these are where a kernel or a size tells it; 0 where
// nothing does.
func movesOver(operation string, x graph.Array, l shape.Layout, told int) (shape.Layout, error) {
	form, err := MapForm(operation, x, l, told)
	if n := len(form.Spatial()); err == nil && (n < 1 || n > maxSpatial) {
		e := graph.Errorf(x, "shape %v: %s takes a map of 1, 2 or 3 spatial axes, such as %s: got %d axes", x.Shape(), operation, l.Like(2, true), len(x.Shape()))
		if sequence := l.Like(1, false); len(x.Shape()) == len(sequence) {
			e.Hint("--layout %s takes it as a sequence: %s", sequence, sequence.Sized(x.Shape()))
		}
		err = e
	}
	return form, err
}

// volumes is x, the n spatial axes of which begin with axis first, seen as [maps,
// z, y, x, elements of a position]: what either layout comes to. Absent axes have
// one position.
func volumes(x graph.Array, first, n int) graph.Array {
	s := x.Shape()
	out := shape.Shape{int(s.Product(0, first)), 1, 1, 1, int(s.Product(first+n, len(s)))}
	copy(out[1+maxSpatial-n:], s[first:first+n])
	return reshape(x, out)
}

// axisWindow is a window along one axis: the first tap of position i is at
// i·stride - before. before and after are the axis's padding. Of bins the window
// at position i reaches from floor(i·in/out) to ceil((i+1)·in/out), and size and
// stride are the most that it has.
type axisWindow struct {
	in, out, size, stride, dilation, before, after int
	bins                                           bool
}

// absent is the window along an axis that a map doesn't have.
var absent = axisWindow{in: 1, out: 1, size: 1, stride: 1, dilation: 1}

var errNoPositions = errors.New("there are no positions to move a window over")

// resolveAxis resolves the window along spatial axis i of in positions. It is an
// error if no position remains.
func (w Window) resolveAxis(i, in int) (axisWindow, error) {
	a := axisWindow{in: in, size: pick(w.Size, i, 0), stride: max(pick(w.Stride, i, 1), 1), dilation: max(pick(w.Dilation, i, 1), 1)}
	if a.size < 1 {
		return a, fmt.Errorf("a window of %s: want at least 1 along each axis", joined(w.Size, " by "))
	}
	pad := pick(w.Padding.Each, i, [2]int{})
	if in == 0 && (a.size > 1 || a.stride > 1 || pad != [2]int{}) {
		return a, errNoPositions
	}
	reach := (a.size-1)*a.dilation + 1
	if w.Padding.Same {
		total := max((int(shape.CeilDiv(int64(in), int64(a.stride)))-1)*a.stride+reach-in, 0)
		pad[0] = w.Padding.lead(total)
		pad[1] = total - pad[0]
	}
	a.before, a.after = pad[0], pad[1]
	room := in + a.before + a.after - reach
	if w.Ceil {
		room += a.stride - 1
	}
	if in > 0 && room < 0 {
		return a, fmt.Errorf("a window that reaches over %d positions does not fit %d with %d of padding", reach, in, a.before+a.after)
	}
	a.out = room/a.stride + 1
	if w.Ceil && (a.out-1)*a.stride >= in+a.before {
		a.out--
	}
	return a, nil
}

// binned cuts an axis of in positions into out bins, as PyTorch's adaptive pooling
// does: they overlap where out doesn't divide in.
func binned(in, out int) axisWindow {
	a := axisWindow{in: in, out: out, size: in / out, stride: in / out, dilation: 1, bins: true}
	if in%out != 0 {
		a.size, a.stride = a.size+2, a.stride+1
	}
	return a
}

// scaled gives floor(i·in/out) and whether that is less than the quotient.
func scaled(i, in, out int) (q int, less bool) {
	high, low := bits.Mul64(uint64(i), uint64(in))
	n, rest := bits.Div64(high, low, uint64(out))
	return int(n), rest > 0
}

// tap is the source position of a window's k-th tap at result position i; it
// may lie outside.
func (a *axisWindow) tap(i, k int) int {
	if a.bins {
		start, _ := scaled(i, a.in, a.out)
		return start + k
	}
	return i*a.stride - a.before + k*a.dilation
}

// upTo counts the taps of the window at result position i that lie before position
// end, if those before 0 are counted too.
func (a *axisWindow) upTo(i, end int) int {
	room := end - a.tap(i, 0)
	if a.bins {
		to, more := scaled(i+1, a.in, a.out)
		if more {
			to++
		}
		return min(room, to-end+room)
	}
	switch {
	case room <= 0:
		return 0
	case room > (a.size-1)*a.dilation:
		return a.size
	}
	return (room + a.dilation - 1) / a.dilation
}

// inside gives the taps [from,to) of the window at result position i that lie
// inside.
func (a *axisWindow) inside(i int) (from, to int) {
	if a.before > 0 {
		from = a.upTo(i, 0)
	}
	return from, max(from, a.upTo(i, a.in))
}

// counted is the taps of the window at result position i that lie in the map or its
// padding: all, but for a last window that reaches beyond.
func (a *axisWindow) counted(i int) int { return a.upTo(i, a.in+a.after) }

// onlyPadding reports whether there is a window without a tap in the map.
func (a *axisWindow) onlyPadding() bool {
	for i := 0; i < a.out && a.tap(i, 0) < 0; i++ {
		if from, to := a.inside(i); from == to {
			return true
		}
	}
	return a.tap(a.out-1, 0) >= a.in
}

// windows is a window that moves over maps of so many channels, along depth z,
// height y and width x. A map with fewer spatial axes has the last of these, and
// the absent ones have one position. Elements lie in line along x; lines
// along y and z differ from one another in where they start alone.
type windows struct {
	z, y, x axisWindow
	axes    int // those that the map has
	ch      int
}

// resolve resolves the window, which has been checked, on a map whose axes form
// names.
func (w Window) resolve(x graph.Array, form shape.Layout) (windows, error) {
	return resolveAxes(x, form, w.resolveAxis)
}

// resolveAxes is windows over maps x, whose axes form names: along spatial axis i of in
// positions that which of gives.
func resolveAxes(x graph.Array, form shape.Layout, of func(i, in int) (axisWindow, error)) (windows, error) {
	s, spatial := x.Shape(), form.Spatial()
	on := windows{absent, absent, absent, len(spatial), s[form.Channel()]}
	for i, a := range on.all()[maxSpatial-len(spatial):] {
		var err error
		if *a, err = of(i, s[spatial[i]]); err != nil {
			return on, graph.Errorf(x, "shape %v: %v", s, err)
		}
	}
	return on, nil
}

// all lists the three axes, outermost first.
func (w *windows) all() []*axisWindow { return []*axisWindow{&w.z, &w.y, &w.x} }

// outs is the extents of the result's spatial axes.
func (w *windows) outs() []int { return []int{w.z.out, w.y.out, w.x.out}[maxSpatial-w.axes:] }

// plain reports whether the window visits every position and none beyond.
func (w windows) plain() bool {
	for _, a := range []axisWindow{w.z, w.y, w.x} {
		if a.size > 1 || a.stride > 1 || a.before != 0 || a.in != a.out {
			return false
		}
	}
	return true
}

// taps is the positions under a window, padding included.
func (w *windows) taps() int { return w.z.size * w.y.size * w.x.size }

// positions is the windows of a map.
func (w *windows) positions() int64 { return int64(w.z.out) * w.perPlane() }

// perPlane is the windows of one plane of the result.
func (w *windows) perPlane() int64 { return int64(w.y.out) * int64(w.x.out) }

// at is the row and column of the i-th window of a plane.
func (w *windows) at(i int64) (y, x int) { return int(i / int64(w.x.out)), int(i % int64(w.x.out)) }

// planes calls f for n windows from number first on, counted over all maps, with
// those of one plane of the result at a time: z·y·x windows of a map are z
// planes, which are counted over all maps too.
func (w *windows) planes(first, n int64, f func(plane, first, n int64) error) error {
	per := w.perPlane()
	for n > 0 {
		plane, from := first/per, first%per
		take := min(n, per-from)
		if err := f(plane, from, take); err != nil {
			return err
		}
		first, n = first+take, n-take
	}
	return nil
}

// rowsWorth is the rows of a tile whose windows move over a computed array.
const rowsWorth = 8

// tilePositions is the number of windows of x that a tile should have: least, or
// whole rows where x is computed, of which tiles next to each other share some.
func (w *windows) tilePositions(x graph.Array, least int64) int64 {
	if _, held := x.(*graph.Materialized); held {
		return least
	}
	if _, computed := x.(graph.Node); !computed {
		return least
	}
	return max(least, rowsWorth*int64(w.x.out))
}

// spanElements is the most elements of a map under n consecutive windows of one
// plane of the result.
func (w *windows) spanElements(n int64) int64 {
	rows := max(shape.CeilDiv(n, int64(w.x.out)), 1)
	if n%int64(w.x.out) != 0 {
		rows++ // it may begin and end within a row
	}
	reach := func(a *axisWindow) int64 { return int64((a.size-1)*a.dilation + 1) }
	rows = min((rows-1)*int64(w.y.stride)+reach(&w.y), int64(w.y.in))
	cols := int64(w.x.in)
	if w.y.in == 1 && w.y.out == 1 { // planes are lines, which are read in part
		cols = min(cols, (max(n, 1)-1)*int64(w.x.stride)+reach(&w.x))
	}
	return int64(min(w.z.size, w.z.in)) * rows * cols * int64(w.ch)
}

// span is the lines of a map that some windows of one plane of the result lie
// over: of those under each tap along z that is inside, [z,z+planes), the ones
// from number y on, and of these the positions [from,to): all but of a line alone.
type span struct{ z, planes, y, lines, from, to int }

// span is the span of n windows of a plane of the result.
func (w *windows) span(plane, first, n int64) span {
	y0, x0 := w.at(first)
	y1, x1 := w.at(first + n - 1)
	s := span{to: w.x.in}
	from, to := w.z.inside(int(plane % int64(w.z.out)))
	s.z, s.planes = from, to-from
	s.y = max(w.y.tap(y0, 0), 0)
	s.lines = max(min(w.y.tap(y1, w.y.size-1)+1, w.y.in)-s.y, 0)
	if w.y.in == 1 && y0 == y1 {
		s.from = min(max(w.x.tap(x0, 0), 0), w.x.in-1)
		s.to = max(min(w.x.tap(x1, w.x.size-1)+1, w.x.in), s.from+1)
	}
	return s
}

// source is lines of a map at hand, those of a span.
type source struct {
	span
	data  []byte
	width int // elements from one line to the next
	apart int // elements from a line to the same one under the next tap along z
	skip  int // elements of the lines that data doesn't begin with
}

// line finds the line of a source under row k of the window, the rows of a window
// being z·y, for a window at row y of the result: it begins with element at. inside
// is false where that row is padding.
func (s *source) line(w *windows, y, k int) (at int, inside bool) {
	kz, ky := 0, k
	if w.z.size > 1 {
		kz, ky = k/w.y.size, k%w.y.size
	}
	y = w.y.tap(y, ky)
	if y < 0 || y >= w.y.in || kz < s.z || kz >= s.z+s.planes {
		return 0, false
	}
	return (kz-s.z)*s.apart + (y-s.y)*s.width - s.skip, true
}

// read gives the source of n windows of a plane of the result, of maps [N,...,C].
// buf is to be put back.
func (w *windows) read(ctx context.Context, x graph.Array, plane, first, n int64) (src source, buf []byte, err error) {
	src.span = w.span(plane, first, n)
	src.width = w.x.in * w.ch
	src.skip = src.from * w.ch
	line := int64(src.width)
	run := int64(src.lines) * int64((src.to-src.from)*w.ch)
	if run == 0 || src.planes == 0 {
		return src, nil, nil
	}
	image, z := plane/int64(w.z.out), w.z.tap(int(plane%int64(w.z.out)), src.z)
	r := graph.Region{
		Off:  ((image*int64(w.z.in)+int64(z))*int64(w.y.in)+int64(src.y))*line + int64(src.skip),
		Runs: int64(src.planes), Len: run, Stride: int64(w.z.dilation*w.y.in) * line,
	}
	size := int64(x.DType().Size())
	if m, ok := x.(graph.Resident); ok {
		src.data, src.apart = m.Bytes()[r.Off*size:], int(r.Stride)
		return src, nil, nil
	}
	buf = graph.GetBuffer(max(w.spanElements(n), r.Runs*run) * size) // as large for tiles at the border, so that buffers serve all
	src.data, src.apart = buf[:r.Runs*run*size], int(run)
	return src, buf, graph.ReadRegion(ctx, x, src.data, r)
}
