package npyio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// Options say how a file is read.
type Options struct {
	MaxHeader int          // bytes of header text that are accepted; 0: 64 KiB
	As        dtype.Type   // what raw data of 2 bytes holds: BFloat16, or the zero Type for raw data
	Files     *Descriptors // that the file is one of; nil: it stays open
	Pipes     *Pipes       // that the file is one of, if it is a pipe; nil: of none
}

// File is the array in a .npy file or a member of an archive. Its elements are fetched when they are
// asked for. It is safe for concurrent use, Close apart.
type File struct {
	name     string
	header   Header
	stored   shape.Shape
	data     source
	warnings []string
	closers  []io.Closer
}

// source is the bytes of an array, from its first element on.
type source interface {
	read(ctx context.Context, p []byte, off int64) error
}

// Open opens the .npy file at path and reads its header. A pipe or a device is
// read as OpenReader does. What a regular file holds is checked against its
// header: less is an error, more a warning.
//
// A path like bundle.npz:name that is no file opens that member of an archive,
// as Archive.Open does. A path to an archive, whatever it ends in, opens the
// one array that it has. Errors are *ReadError, as for an archive of several.
func Open(path string, o Options) (*File, error) {
	if archive, member, ok := Address(path); ok {
		return openMember(archive, o, func(a *Archive) (*File, error) { return a.Open(member) })
	}
	f, err := o.Files.Open(path)
	if err != nil {
		return nil, readFailed(path, err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, readFailed(path, err)
	}
	switch {
	case info.IsDir():
		f.Close()
		return nil, directory(path)
	case !info.Mode().IsRegular():
		file, err := OpenReader(path, f, o)
		if err != nil {
			f.Close()
			return nil, err
		}
		file.closers = append(file.closers, f)
		return file, nil
	case isZip(f):
		f.Close()
		return openMember(path, o, (*Archive).only)
	}
	r := o.Files.keep(path, f, info)
	file := &File{name: path, closers: []io.Closer{r}}
	if err := file.openRegular(r, 0, info.Size(), o); err != nil {
		r.Close()
		return nil, readFailed(path, err)
	}
	return file, nil
}

// openMember opens an archive for one of its members, with which it is closed.
func openMember(path string, o Options, open func(*Archive) (*File, error)) (*File, error) {
	a, err := OpenArchive(path, o)
	if err != nil {
		return nil, err
	}
	f, err := open(a)
	if err != nil {
		a.Close()
		return nil, err
	}
	f.closers = append(f.closers, a)
	return f, nil
}

func directory(path string) *ReadError {
	return &ReadError{Name: path, Msg: "is a directory: want a .npy array"}
}

// OpenStdin opens the array that f, standard input, has at its present
// position, and leaves the position behind it, so that what reads f next finds
// the next array. Errors are *ReadError. Close leaves f open.
func OpenStdin(f *os.File, o Options) (*File, error) {
	const name = "standard input"
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, readFailed(name, err)
	case info.IsDir():
		return nil, directory(name)
	case !info.Mode().IsRegular():
		return OpenReader(name, f, o)
	}
	file := &File{name: name}
	start, err := f.Seek(0, io.SeekCurrent)
	if err == nil {
		err = file.openRegular(f, start, info.Size(), o)
	}
	if err == nil {
		file.warnings = nil // what follows is another array
		_, err = f.Seek(start+file.header.DataOffset+file.bytes(), io.SeekStart)
	}
	if err != nil {
		return nil, readFailed(name, err)
	}
	return file, nil
}

// OpenReader opens the array that r yields next, and reads no byte beyond it.
// What has been read is kept, in a temporary file if it is large, so that
// every element can be read at any time. Errors are *ReadError.
func OpenReader(name string, r io.Reader, o Options) (*File, error) {
	set := o.Pipes
	if set == nil {
		set = NewPipes()
	}
	f := &File{name: name}
	set.join()
	size, err := f.readHeader(r, o)
	if err != nil {
		set.opened(nil)
		return nil, readFailed(name, err)
	}
	s := newSpool(r, size, set)
	set.opened(s)
	f.data, f.closers = s, []io.Closer{s}
	return f, nil
}

// openRegular reads the header of the array between start and end of r, and
// checks it against them.
func (f *File) openRegular(r io.ReaderAt, start, end int64, o Options) error {
	size, err := f.readHeader(io.NewSectionReader(r, start, end-start), o)
	if err != nil {
		return err
	}
	start += f.header.DataOffset
	f.data = &regular{r, start}
	return f.checkSize(size, end-start)
}

// checkSize compares the bytes that the array takes with those that there are.
func (f *File) checkSize(size, found int64) error {
	switch {
	case found < size:
		return malformed("is truncated: expected %d bytes of data for %v of shape %v, found %d", size, f.header.DType, f.header.Shape, found)
	case found > size:
		f.warnings = append(f.warnings, fmt.Sprintf("%d bytes after the array are ignored", found-size))
	}
	return nil
}

// readHeader reads the header and returns the bytes that the array takes.
func (f *File) readHeader(r io.Reader, o Options) (int64, error) {
	limit := o.MaxHeader
	if limit == 0 {
		limit = maxHeaderBytes
	}
	h, err := readHeader(r, limit, o.As)
	if err != nil {
		return 0, err
	}
	f.header, f.stored = h, h.Shape.Clone()
	if h.FortranOrder {
		slices.Reverse(f.stored)
	}
	return f.bytes(), nil
}

// bytes is the size of all elements.
func (f *File) bytes() int64 { return f.header.Shape.Len() * int64(f.header.DType.Size()) }

// Name is the path, "standard input", or the address of a member of an
// archive: bundle.npz:name.
func (f *File) Name() string { return f.name }

// Header describes the array; its shape is the logical one.
func (f *File) Header() Header { return f.header }

// DType is the type of the elements that Read yields.
func (f *File) DType() dtype.Type { return f.header.DType }

// Shape is the shape in the order in which elements are stored. For a file in
// Fortran order, that is the logical shape reversed, and the logical array is
// the transpose of this one.
func (f *File) Shape() shape.Shape { return f.stored }

// Warnings name the oddities of the file that don't make it unreadable, a line
// each.
func (f *File) Warnings() []string { return f.warnings }

// Read fills dst with little-endian elements from element off on, in the order
// in which they are stored. len(dst) must be a whole number of elements inside
// the array. Errors are *ReadError, or ctx's.
func (f *File) Read(ctx context.Context, dst []byte, off int64) error {
	err := f.data.read(ctx, dst, off*int64(f.header.DType.Size()))
	if err == nil && f.header.BigEndian {
		err = fromBigEndian(ctx, dst, f.header.DType)
	}
	if err == nil && f.header.DType == dtype.Bool {
		for i, b := range dst { // any byte but 0 is true; arithmetic wants 1
			if b > 1 {
				dst[i] = 1
			}
		}
	}
	if err == nil || err == ctx.Err() {
		return err
	}
	return readFailed(f.name, err)
}

// keeper is a source that keeps in memory some of what has been read.
type keeper interface {
	readOnce()
	keeps() int64
	release() error
}

// ReadOnce says that no element is going to be read twice, and that workers go
// forward: then what has been read need not be kept. It comes before the first
// element is read.
func (f *File) ReadOnce() {
	if k, ok := f.data.(keeper); ok {
		k.readOnce()
	}
}

// Keeps is the bytes of memory that the file takes at most while it is read, and,
// where it is a pipe, which is read ahead, before that too.
func (f *File) Keeps() (reading, before int64) {
	k, ok := f.data.(keeper)
	if !ok {
		return 0, 0
	}
	if _, pipe := k.(*spool); pipe {
		before = k.keeps()
	}
	return k.keeps(), before
}

// Release lets go of what is kept in memory. A pipe can't be read again after it;
// what can starts anew.
func (f *File) Release() {
	if k, ok := f.data.(keeper); ok {
		_ = k.release() // of a reader that has nothing more to tell
	}
}

// Close closes what Open opened and drops what was kept of a pipe.
func (f *File) Close() error {
	var errs []error
	for _, c := range f.closers {
		errs = append(errs, c.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return readFailed(f.name, err)
	}
	return nil
}

// regular is the data of a regular file or a part of one, which is there as a
// whole.
type regular struct {
	f     io.ReaderAt
	start int64
}

func (r *regular) read(ctx context.Context, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := r.f.ReadAt(p, r.start+off)
	if errors.Is(err, io.EOF) { // its size had been checked
		return malformed("was cut short while it was read: expected %d bytes of data from byte %d on, found %d", len(p), off, n)
	}
	return err
}
