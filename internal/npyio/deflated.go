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
	r.left = size
	if size <= spoolMemory {
		s := &spool{r: r, size: size}
		f.data, f.closers = s, append(f.closers, s, r)
		return nil
	}
	d := &deflated{entry: e, start: f.header.DataOffset, size: size, r: r}
	f.data, f.closers = d, append(f.closers, d)
	return nil
}

// deflated is the data of a deflated member too large to be kept in memory. It
// is inflated forward, and the bytes just before are kept, so that workers may
// ask a little out of order. To go back further it is inflated anew, and the
// second time all of it is kept, lest the work grow with the square of the
// size.
type deflated struct {
	entry *zip.File
	start int64 // bytes of header
	size  int64

	mu     sync.Mutex
	r      *inflater
	at     int64  // the byte of the array that r yields next
	window []byte // those before it: byte i at i modulo the length
	anew   bool   // it has been inflated anew
	kept   *spool // all that is read from then on
}

func (d *deflated) read(ctx context.Context, p []byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept == nil && off < d.at-inflateWindow {
		if err := d.restart(); err != nil {
			return err
		}
	}
	if d.kept != nil {
		return d.kept.read(ctx, p, off)
	}
	if d.window == nil {
		d.window = make([]byte, inflateWindow)
	}
	for len(p) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		i := d.at % inflateWindow
		if off < d.at {
			i = off % inflateWindow
			n := copy(p[:min(int64(len(p)), d.at-off)], d.window[i:])
			p, off = p[n:], off+int64(n)
			continue
		}
		end := min(i+inflateChunk, inflateWindow, i+off+int64(len(p))-d.at)
		n, err := d.r.Read(d.window[i:end])
		d.at += int64(n)
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (d *deflated) restart() error {
	r, err := inflate(d.entry, d.start, d.size)
	if err != nil {
		return err
	}
	d.r.Close()
	d.r, d.at = r, 0
	if d.anew {
		d.kept, d.window = &spool{r: r, size: d.size}, nil
	}
	d.anew = true
	return nil
}

// Close drops what was kept.
func (d *deflated) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.r.Close()
	if d.kept != nil {
		err = errors.Join(err, d.kept.Close())
	}
	return err
}

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
