package ops

import "fusectl/internal/shape"

// A convolution computes a batch at a time: positions of one plane of the result or,
// where planes are small, of several, so that its weights are read once for all of
// them.

// mostPlanes is the planes that a batch may have.
const mostPlanes = 16

// batches calls f for n windows from number first on, counted over all maps, a batch
// at a time: of small planes as many as least windows take.
func (w *windows) batches(first, n, least int64, f func(first, n int64) error) error {
	per := w.perPlane()
	for n > 0 {
		take := min(n, per-first%per)
		for planes := 1; planes < mostPlanes && per < least && take < min(least, n); planes++ {
			take = min(n, take+per)
		}
		if err := f(first, take); err != nil {
			return err
		}
		first, n = first+take, n-take
	}
	return nil
}

// batchElements is the most elements of maps under a batch of n windows.
func (w *windows) batchElements(n, least int64) int64 {
	per := w.perPlane()
	if per == 0 || per >= least {
		return w.spanElements(n)
	}
	planes := min(shape.CeilDiv(min(n, least+per), per)+1, mostPlanes)
	return planes * w.spanElements(min(n, per))
}

// inPlane is the plane of a batch in which window number i lies, counted from the
// first plane's first, and the window's number in it.
func (w *windows) inPlane(i int64) (plane int, at int64) {
	per := w.perPlane()
	if i < per {
		return 0, i
	}
	return int(i / per), i % per
}

// within gives those [from,to) of n windows that have position x, and the windows after
// the first as many strides further, inside.
func (a *axisWindow) within(x, n int) (from, to int) {
	if a.stride == 1 {
		from = min(max(-x, 0), n)
		return from, max(min(a.in-x, n), from)
	}
	from = min(max((a.stride-1-x)/a.stride, 0), n)
	return from, max(min((a.in-1-x+a.stride)/a.stride, n), from)
}
