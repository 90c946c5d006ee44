package npyio

import (
	"fmt"
	"sync"
	"sync/atomic"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// CreateOptions say how an output is written and comes to its name.
type CreateOptions struct {
	NoClobber bool // refuse to replace a file or a member of an archive
	Fresh     bool // an archive is written anew, without the members that stand there
	BigEndian bool // store elements big-endian; opaque types and bfloat16, which NumPy gives no byte order, stay as they are
	Fortran   bool // declare Fortran order: the elements come with the first axis running fastest
}

// header gives the header for an array of dtype t and logical shape s.
func (opt CreateOptions) header(t dtype.Type, s shape.Shape) Header {
	h := NewHeader(t, s)
	h.FortranOrder = opt.Fortran && !oneOrder(t, s)
	if opt.BigEndian && t.Kind() != dtype.KindOpaque && t != dtype.BFloat16 {
		d := plain(t, true)
		h.Descr, h.BigEndian = d.code, d.big
	}
	return h
}

// Output is an array that is being written: a .npy file, or a member of an
// archive. The elements come little-endian, in C order or, under
// CreateOptions.Fortran, in Fortran order. Commit or Abort ends it, or that of
// the Outputs it is one of.
type Output struct {
	name    string // as messages show it
	set     *Outputs
	file    *target        // whose only array this is, or nil
	archive *archiveWriter // that this is a member of, or nil
	entry   string         // its name in the archive
	begun   bool           // the archive has come to it
	header  []byte
	payload int64        // bytes of elements that are to come
	written atomic.Int64 // bytes of elements that have come
	word    int          // bytes of what is swapped on the way; 0: nothing is
	buffers sync.Pool    // of *[swapChunk]byte
}

// swapChunk bounds what is turned into big-endian at once.
const swapChunk = 256 << 10

// Seekable reports whether WriteAt may be used. If not, as for pipes and for
// members of an archive, everything must come in order, through Write.
func (o *Output) Seekable() bool { return o.file != nil && !o.file.inPlace() }

// WriteAt writes elements at byte off of the array. Many may write at once, if
// each part is written once. p holds whole elements and is left as it is.
// Errors are *WriteError.
func (o *Output) WriteAt(p []byte, off int64) (int, error) {
	if !o.Seekable() {
		return 0, &WriteError{Name: o.name, Msg: "is written in order: it has no WriteAt"}
	}
	off += int64(len(o.header))
	return o.write(p, func(b []byte) (int, error) {
		n, err := o.file.f.WriteAt(b, off)
		off += int64(n)
		return n, err
	})
}

// Write writes the elements that come next. p holds whole elements and is left
// as it is. The members of an archive are written one after another: to begin
// one before another is complete is an error. Errors are *WriteError.
func (o *Output) Write(p []byte) (int, error) {
	if o.file != nil {
		return o.write(p, o.file.f.Write)
	}
	return o.write(p, func(b []byte) (int, error) { return o.archive.write(o, b) })
}

// write hands p to next in the byte order of the file.
func (o *Output) write(p []byte, next func([]byte) (int, error)) (n int, err error) {
	switch {
	case o.word == 0:
		n, err = next(p)
	case len(p)%o.word != 0:
		err = fmt.Errorf("%d bytes are no whole number of elements", len(p))
	default:
		n, err = o.writeSwapped(p, next)
	}
	o.written.Add(int64(n))
	if _, ok := err.(*WriteError); err == nil || ok {
		return n, err
	}
	return n, writeFailed(o.name, err)
}

func (o *Output) writeSwapped(p []byte, next func([]byte) (int, error)) (n int, err error) {
	buffer, ok := o.buffers.Get().(*[swapChunk]byte)
	if !ok {
		buffer = new([swapChunk]byte)
	}
	defer o.buffers.Put(buffer)
	for n < len(p) && err == nil {
		b := buffer[:min(len(p)-n, swapChunk)]
		swap(b, p[n:n+len(b)], o.word)
		var m int
		m, err = next(b)
		n += m
	}
	return n, err
}

// complete tells what is missing, or too much.
func (o *Output) complete() error {
	if n := o.written.Load(); n != o.payload {
		return &WriteError{Name: o.name, Msg: fmt.Sprintf("is incomplete: expected %d bytes of data, got %d", o.payload, n)}
	}
	return nil
}

// Commit commits the Outputs that this is one of. What Create has started
// alone takes its name. Errors are *WriteError.
func (o *Output) Commit() error { return o.set.Commit() }

// Abort aborts the Outputs that this is one of: nothing is left but what
// has gone into a pipe. After Commit it does nothing.
func (o *Output) Abort() { o.set.Abort() }
