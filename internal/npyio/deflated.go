package npyio

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"io"
	"sync"
)

const (
	inflateWindow = 4 << 20   // bytes that can be read again without inflating anew
	inflateChunk  = 128 << 10 // bytes that are inflated at once, between two looks at the context
)

// openDeflated reads the header of a deflated member and checks it against the
// size in the archive's directory.
func (f *File) openDeflated(e *zip.File, o Options) error {
	r, err := inflate(e, 0, int64(e.UncompressedSize64))
	if err != nil {
		return err
	}
	size, err := f.readHeader(r, o)
	if err != nil {
		r.Close()
		return err
	}
	found := int64(e.UncompressedSize64) - f.header.DataOffset
	if err = f.checkSize(size, found); err == nil && found-size > maxSurplus {
		err = malformed("claims to inflate to %d bytes more than its array has: want no more than its %d", found-size, size)
	}
	if err != nil {
		r.Close()
		return err
	}
	r.Close() // it is opened again once elements are wanted
	d := &deflated{entry: e, start: f.header.DataOffset, size: size}
	f.data, f.closers = d, append(f.closers, d)
	if size == 0 {
		return d.check()
	}
	return nil
}

// deflated is the data of a deflated member. It is inflated forward, and the
// bytes just before are kept, so that workers may ask a little out of order. To
// go back further it is inflated anew, and the second time all of it is kept,
// lest the work grow with the square of the size.
type deflated struct {
	entry *zip.File
	start int64 // bytes of header
	size  int64

	mu     sync.Mutex
	r      *inflater // nil: not begun
	at     int64     // the byte of the array that r yields next
	window []byte    // those before it: byte i at i modulo the length
	anew   bool      // it has been inflated anew
	kept   *spool    // all that is read from then on
	once   bool      // every byte is read once
	left   int64     // those that are still to be read, under once
}

func (d *deflated) read(ctx context.Context, p []byte, off int64) error {
	if len(p) == 0 {
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.once {
		defer d.count(int64(len(p)))
	}
	if d.r == nil || d.kept == nil && off < d.at-int64(len(d.window)) {
		if err := d.restart(); err != nil {
			return err
		}
	}
	if d.kept != nil {
		return d.kept.read(ctx, p, off)
	}
	if d.window == nil {
		d.window = windowOf(int(d.keeps()))
	}
	most := int64(len(d.window))
	for len(p) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		i := d.at % most
		if off < d.at {
			i = off % most
			n := copy(p[:min(int64(len(p)), d.at-off)], d.window[i:])
			p, off = p[n:], off+int64(n)
			continue
		}
		end := min(i+inflateChunk, most, i+off+int64(len(p))-d.at)
		n, err := d.r.Read(d.window[i:end])
		d.at += int64(n)
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// restart inflates from the beginning on.
func (d *deflated) restart() error {
	r, err := inflate(d.entry, d.start, d.size)
	if err != nil {
		return err
	}
	again := d.r != nil
	if again {
		d.r.Close()
	}
	d.r, d.at = r, 0
	if d.anew && again {
		d.kept, d.window = newSpool(r, d.size, NewPipes()), nil
	}
	d.anew = d.anew || again
	return nil
}

// check inflates a member without elements, for the sake of its checksum.
func (d *deflated) check() error {
	r, err := inflate(d.entry, d.start, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r.ReadCloser); err != nil {
		return inflateFailed(err)
	}
	return nil
}

func (d *deflated) readOnce() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.once, d.left = true, d.size
}

// count counts bytes that were read; when all have been nothing is kept.
func (d *deflated) count(n int64) {
	if d.left -= n; d.left <= 0 {
		d.drop()
	}
}

// keeps is the bytes of memory that it takes at most.
func (d *deflated) keeps() int64 { return min(d.size, inflateWindow) }

// release drops what is kept, until it is read again.
func (d *deflated) release() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.drop()
}

func (d *deflated) drop() error {
	var err error
	if d.kept != nil {
		err = d.kept.Close()
	}
	if d.r != nil {
		err = errors.Join(err, d.r.Close())
	}
	if d.window != nil {
		w := d.window
		windows.Put(&w)
	}
	d.r, d.window, d.kept, d.at, d.anew = nil, nil, nil, 0, false
	return err
}

// windows keeps the inflated bytes of members that have been read, for the next
// ones.
var windows sync.Pool

func windowOf(n int) []byte {
	if w, ok := windows.Get().(*[]byte); ok && cap(*w) >= n {
		return (*w)[:n]
	}
	return make([]byte, n)
}

// Close drops what was kept.
func (d *deflated) Close() error { return d.release() }

// inflater reads what a member holds, as far as it is wanted.
type inflater struct {
	io.ReadCloser
	left int64 // bytes that are wanted
	err  error
}

// inflate starts reading a member after its first skip bytes.
func inflate(e *zip.File, skip, size int64) (*inflater, error) {
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, skip); err != nil {
		r.Close()
		return nil, inflateFailed(err)
	}
	return &inflater{r, size, nil}, nil
}

// Read reads the bytes that come next. Those at the end are yielded only when
// the rest of the member has been read too, and length and CRC-32 are right.
func (r *inflater) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.ReadCloser.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if r.left == 0 && err == nil {
		_, err = io.Copy(io.Discard, r.ReadCloser)
	}
	switch {
	case err == nil || errors.Is(err, io.EOF) && r.left == 0:
		return n, nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	r.err = inflateFailed(err)
	return 0, r.err
}

func inflateFailed(err error) error {
	const again = "copy or save the archive again"
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, zip.ErrChecksum):
		return malformed("is damaged: the CRC-32 of what it holds is not the one in its archive").hint(again)
	case errors.Is(err, zip.ErrFormat):
		return malformed("is malformed: it inflates to more bytes than its archive claims").hint(again)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return malformed("is truncated: it inflates to fewer bytes than its archive claims").hint(again)
	case errors.As(err, &corrupt):
		return malformed("is damaged: what it holds is not valid deflate from byte %d on", int64(corrupt)).hint(again)
	}
	return err
}
