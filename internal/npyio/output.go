package npyio

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// CreateOptions say how an output comes to its name.
type CreateOptions struct {
	NoClobber bool // refuse to replace a file
}

// Output is a .npy file that is being written. Its header is there from the
// start; the elements follow, little-endian and in C order. Commit or Abort
// ends it.
type Output struct {
	name     string // as messages show it
	f        *os.File
	header   int64        // bytes of header
	payload  int64        // bytes of elements that are to come
	written  atomic.Int64 // bytes of elements that have come
	target   string       // path that the file takes when it is complete; "" if it is written in place
	temp     string       // path that it has until then; "" if it has none
	exclude  bool         // the target must not exist
	standard bool         // standard output, which belongs to the caller
	ended    bool
}

// Create starts the file at path, for an array of dtype t and shape s.
//
// The file takes its name when it is complete: until Commit whatever stands at
// path stays as it is, and nothing new is seen in the folder. On Linux, where
// the file system can do it, the new file has no name before that, so not even
// a killed process leaves one. A symbolic link stays and what it points to is
// replaced. A file that is replaced passes on its permissions, and its owner
// if the system allows it. Nothing is synced to disk, as little as by cp: a
// machine that loses power may lose the file.
//
// What is no regular file, such as a pipe or /dev/null, is written in place
// and in order. Errors are *WriteError.
func Create(path string, t dtype.Type, s shape.Shape, o CreateOptions) (*Output, error) {
	out := newOutput(path, t, s)
	if err := out.open(path, o); err != nil {
		return nil, err
	}
	return out.begin(NewHeader(t, s))
}

// Stdout writes an array to f, standard output, in order. Commit closes f, to
// learn of errors that come late; Abort doesn't. Errors are *WriteError.
func Stdout(f *os.File, t dtype.Type, s shape.Shape) (*Output, error) {
	out := newOutput("standard output", t, s)
	out.f, out.standard = f, true
	return out.begin(NewHeader(t, s))
}

func newOutput(name string, t dtype.Type, s shape.Shape) *Output {
	return &Output{name: name, payload: s.Len() * int64(t.Size())}
}

// open opens the file that is written: the target itself, or a temporary one
// in its folder.
func (o *Output) open(path string, opt CreateOptions) error {
	target, old, err := resolve(path)
	if err != nil {
		return writeFailed(o.name, err)
	}
	switch {
	case old != nil && old.IsDir():
		return &WriteError{Name: o.name, Msg: "is a directory: want the path of a file"}
	case path == "" || os.IsPathSeparator(path[len(path)-1]):
		return &WriteError{Name: o.name, Msg: "is not the path of a file"}
	case old != nil && !old.Mode().IsRegular():
		if o.f, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
			return writeFailed(o.name, err)
		}
		return nil
	case old != nil && opt.NoClobber:
		return o.exists(nil)
	case old != nil:
		if err := writable(target); err != nil {
			return writeFailed(o.name, err)
		}
	}
	o.target, o.exclude = target, opt.NoClobber
	if o.f, err = openUnnamed(filepath.Dir(target)); err != nil {
		o.temp = tempName(target)
		if o.f, err = os.OpenFile(o.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
			return &WriteError{Name: o.name, Msg: fmt.Sprintf("can't create a file in folder %s: %s", filepath.Dir(target), bare(err)), Err: err}
		}
	}
	if old != nil {
		keepOwner(o.f, old)
		if err := o.f.Chmod(old.Mode().Perm()); err != nil {
			o.Abort()
			return writeFailed(o.name, err)
		}
	}
	return nil
}

// resolve follows symbolic links to the path that the output really has. The
// info is nil if there is nothing yet.
func resolve(path string) (string, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil {
		if !info.Mode().IsRegular() {
			return path, info, nil // the name of a pipe in /proc leads nowhere
		}
		path, err = filepath.EvalSymlinks(path)
		return path, info, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	// A link may point to a file that is to be created.
	for {
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil, nil
		}
		if !filepath.IsAbs(link) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", nil, err
			}
			link = filepath.Join(dir, link)
		}
		path = link
	}
}

// tempName is a name in the target's folder that nobody else has.
func tempName(target string) string {
	dir, base := filepath.Split(target)
	return fmt.Sprintf("%s.%.200s.fusectl-%016x", dir, base, rand.Uint64())
}

// begin makes room for the whole file, so that a full disk shows before the
// work begins, and writes the header.
func (o *Output) begin(h Header) (*Output, error) {
	b := h.Encode()
	o.header = int64(len(b))
	if o.Seekable() {
		if err := preallocate(o.f, o.header+o.payload); err != nil {
			o.Abort()
			return nil, &WriteError{Name: o.name, Msg: fmt.Sprintf("needs %d bytes: %s", o.header+o.payload, bare(err)), Err: err}
		}
	}
	if _, err := o.f.Write(b); err != nil {
		o.Abort()
		return nil, writeFailed(o.name, err)
	}
	return o, nil
}

// Seekable reports whether WriteAt may be used. If not, everything must come
// in order, through Write.
func (o *Output) Seekable() bool { return o.target != "" }

// WriteAt writes elements at byte off of the array. Many may write at once, if
// each part is written once.
func (o *Output) WriteAt(p []byte, off int64) (int, error) {
	n, err := o.f.WriteAt(p, o.header+off)
	return o.wrote(n, err)
}

// Write writes the elements that come next.
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.f.Write(p)
	return o.wrote(n, err)
}

func (o *Output) wrote(n int, err error) (int, error) {
	o.written.Add(int64(n))
	if err != nil {
		return n, writeFailed(o.name, err)
	}
	return n, nil
}

// Commit checks that all elements have been written and gives the file its
// name. If that fails, nothing is left, and what stood at the path before
// stays. Errors are *WriteError.
func (o *Output) Commit() error {
	if n := o.written.Load(); n != o.payload {
		o.Abort()
		return &WriteError{Name: o.name, Msg: fmt.Sprintf("is incomplete: expected %d bytes of data, got %d", o.payload, n)}
	}
	if err := o.publish(); err != nil {
		o.Abort()
		if o.exclude && errors.Is(err, fs.ErrExist) {
			return o.exists(err)
		}
		return writeFailed(o.name, err)
	}
	o.ended = true
	return nil
}

func (o *Output) publish() error {
	switch {
	case o.target == "":
		return o.f.Close()
	case o.temp == "":
		return linkUnnamed(o.f, o.target, o.exclude)
	}
	if err := o.f.Close(); err != nil {
		return err
	}
	if !o.exclude {
		return os.Rename(o.temp, o.target)
	}
	// Take the name first, since renaming would not tell that it is taken.
	f, err := os.OpenFile(o.target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	f.Close()
	if err := os.Rename(o.temp, o.target); err != nil {
		os.Remove(o.target)
		return err
	}
	return nil
}

// Abort gives the output up: nothing is left of it but what has gone into a
// pipe. After Commit it does nothing.
func (o *Output) Abort() {
	if o.ended {
		return
	}
	o.ended = true
	if !o.standard {
		o.f.Close()
	}
	if o.temp != "" {
		os.Remove(o.temp)
	}
}

func (o *Output) exists(cause error) error {
	return &WriteError{Name: o.name, Msg: "exists already", Hints: []string{"without --no-clobber it is replaced"}, Err: cause}
}
