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
	MaxHeader int        // bytes of header text that are accepted; 0: 64 KiB
	As        dtype.Type // what raw data of 2 bytes holds: BFloat16, or the zero Type for raw data
}

// File is the array in a .npy file. Its elements are fetched when they are
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
// header: less is an error, more a warning. Errors are *ReadError.
func Open(path string, o Options) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, readFailed(path, err)
	}
	file, err := open(f, path, o)
	if err != nil {
		f.Close()
		return nil, err
	}
	file.closers = append(file.closers, f)
	return file, nil
}

// OpenStdin opens the array that f, standard input, has at its present
// position. Errors are *ReadError. Close leaves f open.
func OpenStdin(f *os.File, o Options) (*File, error) {
	return open(f, "standard input", o)
}

// OpenReader opens the array that r yields next, and reads no byte beyond it.
// What has been read is kept, in a temporary file if it is large, so that
// every element can be read at any time. Errors are *ReadError.
func OpenReader(name string, r io.Reader, o Options) (*File, error) {
	f := &File{name: name}
	size, err := f.readHeader(r, o)
	if err != nil {
		return nil, readFailed(name, err)
	}
	s := &spool{r: r, size: size}
	f.data, f.closers = s, []io.Closer{s}
	return f, nil
}

func open(f *os.File, name string, o Options) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, readFailed(name, err)
	}
	switch {
	case info.IsDir():
		return nil, &ReadError{Name: name, Msg: "is a directory: want a .npy array"}
	case !info.Mode().IsRegular():
		return OpenReader(name, f, o)
	}
	file, err := openRegular(f, info.Size(), name, o)
	if err != nil {
		return nil, readFailed(name, err)
	}
	return file, nil
}

func openRegular(r *os.File, end int64, name string, o Options) (*File, error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	f := &File{name: name}
	size, err := f.readHeader(io.NewSectionReader(r, start, end-start), o)
	if err != nil {
		return nil, err
	}
	start += f.header.DataOffset
	switch found := end - start; {
	case found < size:
		return nil, malformed("is truncated: expected %d bytes of data for %v of shape %v, found %d", size, f.header.DType, f.header.Shape, found)
	case found > size:
		f.warnings = append(f.warnings, fmt.Sprintf("%d bytes after the array are ignored", found-size))
	}
	f.data = &regular{r, start}
	return f, nil
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
	return h.Shape.Len() * int64(h.DType.Size()), nil
}

// Name is the path, or "standard input".
func (f *File) Name() string { return f.name }

// Header is what the file says about the array; its shape is the logical one.
func (f *File) Header() Header { return f.header }

// DType is the type of the elements that Read yields.
func (f *File) DType() dtype.Type { return f.header.DType }

// Shape is the shape in the order in which elements are stored. For a file in
// Fortran order, that is the logical shape reversed, and the logical array is
// the transpose of this one.
func (f *File) Shape() shape.Shape { return f.stored }

// Warnings are what is odd about the file without making it unreadable, a line
// each.
func (f *File) Warnings() []string { return f.warnings }

// Read fills dst with little-endian elements from element off on, in the order
// in which they are stored. len(dst) must be a whole number of elements inside
// the array. Errors are *ReadError, or ctx's.
func (f *File) Read(ctx context.Context, dst []byte, off int64) error {
	size := f.header.DType.Size()
	err := f.data.read(ctx, dst, off*int64(size))
	if err == nil && f.header.BigEndian {
		if f.header.DType.IsComplex() {
			size /= 2 // a pair of numbers
		}
		err = fromBigEndian(ctx, dst, size)
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

// regular is the data of a regular file, which is there as a whole.
type regular struct {
	f     *os.File
	start int64
}

func (r *regular) read(ctx context.Context, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := r.f.ReadAt(p, r.start+off)
	if err == io.EOF { // its size had been checked
		return malformed("was cut short while it was read: expected %d bytes of data from byte %d on, found %d", len(p), off, n)
	}
	return err
}
