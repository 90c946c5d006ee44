package graph

import (
	"io"
	"sync"
)

// Target takes tiles. Its methods are called by several workers at once, but for
// Begin.
type Target interface {
	// Begin tells how many tiles come.
	Begin(tiles int64)
	// Place is where the tile is best computed; nil: in the worker's buffer.
	Place(r Region) []byte
	// Put takes tile number i. Tiles are begun in order and may end in any.
	Put(i int64, r Region, tile []byte) error
	// Fail tells why a worker gave up, so that no other waits for its tile.
	Fail(error)
}

// fileTarget writes each tile at its place.
type fileTarget struct {
	w    io.WriterAt
	size int64
}

func (t *fileTarget) Begin(int64)         {}
func (t *fileTarget) Place(Region) []byte { return nil }
func (t *fileTarget) Fail(error)          {}
func (t *fileTarget) Put(_ int64, r Region, tile []byte) error {
	run := r.Len * t.size
	for i := range r.Runs {
		if _, err := t.w.WriteAt(tile[i*run:(i+1)*run], (r.Off+i*r.Stride)*t.size); err != nil {
			return err
		}
	}
	return nil
}

// memoryTarget computes tiles where they stay.
type memoryTarget struct {
	data []byte
	size int64
}

func (t *memoryTarget) Fail(error)  {}
func (t *memoryTarget) Begin(int64) {}
func (t *memoryTarget) Place(r Region) []byte {
	if r.Runs > 1 {
		return nil
	}
	return t.data[r.Off*t.size : (r.Off+r.Len)*t.size]
}
func (t *memoryTarget) Put(_ int64, r Region, tile []byte) error {
	if r.Runs > 1 {
		run := r.Len * t.size
		for i := range r.Runs {
			copy(t.data[(r.Off+i*r.Stride)*t.size:], tile[i*run:(i+1)*run])
		}
	}
	return nil
}

// streamTarget writes tiles in order: a worker that is early waits its turn.
type streamTarget struct {
	w     io.Writer
	mu    sync.Mutex
	moved sync.Cond
	turn  int64
	err   error // why a worker gave up
}

func (t *streamTarget) Begin(int64)         {}
func (t *streamTarget) Place(Region) []byte { return nil }
func (t *streamTarget) Fail(err error) {
	t.mu.Lock()
	t.err = err
	t.mu.Unlock()
	t.moved.Broadcast()
}
func (t *streamTarget) Put(i int64, _ Region, tile []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.turn != i && t.err == nil {
		t.moved.Wait()
	}
	if t.err != nil {
		return t.err
	}
	if _, err := t.w.Write(tile); err != nil {
		return err
	}
	t.turn++
	t.moved.Broadcast()
	return nil
}
