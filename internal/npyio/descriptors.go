package npyio

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// Descriptors are the files that are open to be read. Files are opened late and
// closed early, so that any number of them can be inputs: beyond a limit, one
// that hasn't been read for a while is closed, and opened again when it is read
// again. It is safe for concurrent use; nil keeps every file open.
type Descriptors struct {
	most int // that are open, unless more are being read at once

	mu   sync.Mutex
	open []*readFile
	hand int // where the search for one to close goes on
}

// NewDescriptors is an empty set for a quarter of the descriptors that the process
// may have.
func NewDescriptors() *Descriptors { return &Descriptors{most: min(max(descriptorLimit()/4, 2), 512)} }

// readFile is a file that is read, at any place. It need not be open.
type readFile struct {
	set  *Descriptors
	path string
	info fs.FileInfo

	used atomic.Bool  // since it was last considered for closing
	mu   sync.RWMutex // held for reading while f is read
	f    *os.File     // nil: not open
	gone bool         // it has been closed for good
}

// Open opens a file, for which others are closed if need be.
func (d *Descriptors) Open(path string) (*os.File, error) {
	f, err := os.Open(path)
	for d != nil && (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && d.closeOne() {
		f, err = os.Open(path)
	}
	return f, err
}

// keep is f, which is the open regular file at path, as one of the set.
func (d *Descriptors) keep(path string, f *os.File, info fs.FileInfo) *readFile {
	r := &readFile{set: d, path: path, info: info, f: f}
	d.add(r)
	return r
}

// add makes an open file one of the set.
func (d *Descriptors) add(r *readFile) {
	if d == nil {
		return
	}
	d.mu.Lock()
	d.open = append(d.open, r)
	many := len(d.open) > d.most
	d.mu.Unlock()
	if many {
		d.closeOne()
	}
}

// closeOne closes a file that isn't being read; of those that have been since the
// last search, the first in turn.
func (d *Descriptors) closeOne() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for range 2 * len(d.open) {
		d.hand = (d.hand + 1) % len(d.open)
		r := d.open[d.hand]
		if r.used.Swap(false) || !r.mu.TryLock() {
			continue
		}
		r.f.Close()
		r.f = nil
		r.mu.Unlock()
		d.remove(d.hand)
		return true
	}
	return false
}

func (d *Descriptors) remove(i int) {
	last := len(d.open) - 1
	d.open[i] = d.open[last]
	d.open[last] = nil
	d.open = d.open[:last]
	if d.hand >= last {
		d.hand = 0
	}
}

// ReadAt reads the file, and opens it first if it isn't open.
func (r *readFile) ReadAt(p []byte, off int64) (int, error) {
	for {
		r.mu.RLock()
		if r.f != nil {
			r.used.Store(true)
			n, err := r.f.ReadAt(p, off)
			r.mu.RUnlock()
			return n, err
		}
		r.mu.RUnlock()
		if err := r.reopen(); err != nil {
			return 0, err
		}
	}
}

func (r *readFile) reopen() error {
	f, err := r.set.Open(r.path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && (!os.SameFile(info, r.info) || info.Size() != r.info.Size()) {
		err = malformed("was replaced while it was read")
	}
	r.mu.Lock()
	if r.gone {
		err = os.ErrClosed
	}
	if err != nil || r.f != nil {
		r.mu.Unlock()
		f.Close()
		return err
	}
	r.f = f
	r.used.Store(true)
	r.mu.Unlock()
	r.set.add(r)
	return nil
}

// Close closes the file for good.
func (r *readFile) Close() error {
	if d := r.set; d != nil {
		d.mu.Lock()
		for i, o := range d.open {
			if o == r {
				d.remove(i)
				break
			}
		}
		d.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.f
	r.f, r.gone = nil, true
	if f == nil {
		return nil
	}
	return f.Close()
}
