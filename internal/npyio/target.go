package npyio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// target is a file that is being written and takes its path only when it is
// complete, whatever format its bytes have. What is no regular file is written
// in place.
type target struct {
	name     string // as messages show it
	f        *os.File
	path     string // that the file takes when it is complete; "" if it is written in place
	temp     string // path that it has until then; "" if it has none
	exclude  bool   // nothing may stand at path
	standard bool   // standard output, which belongs to the caller
	over     bool   // path is written over when the file is complete: its folder takes no other

	mu    sync.Mutex // commit against abort
	ended bool
}

// CheckFolder refuses the path of an output, or its address in an archive, whose
// folder doesn't exist. Errors are *WriteError.
func CheckFolder(path string) error {
	file := path
	if archive, _, ok := cutAddress(path); ok {
		file = archive
	}
	info, err := os.Stat(filepath.Dir(file))
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return noFolder(path, filepath.Dir(file), err)
	}
	return nil
}

// noFolder says that an output's folder takes no file.
func noFolder(path, dir string, err error) *WriteError {
	e := &WriteError{Name: path, Msg: fmt.Sprintf("can't create a file in folder %s: %s", Printable(dir), Bare(err)), Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		e.Hints = []string{"make the folder first: mkdir -p " + Printable(dir)}
	}
	return e
}

// openTarget opens the file that is written: the one at path itself, or a
// temporary one in its folder. Errors are *WriteError.
func openTarget(path string, noClobber bool) (*target, error) {
	t := &target{name: path}
	if f, ok, err := descriptor(path); ok {
		if err != nil {
			return nil, writeFailed(path, err)
		}
		t.f = f
		return t, nil
	}
	final, old, err := resolve(path)
	if err != nil {
		return nil, writeFailed(path, err)
	}
	switch {
	case old != nil && old.IsDir():
		return nil, &WriteError{Name: path, Msg: "is a directory: want the path of a file"}
	case path == "" || os.IsPathSeparator(path[len(path)-1]):
		return nil, &WriteError{Name: path, Msg: "is not the path of a file"}
	case old != nil && !old.Mode().IsRegular():
		if t.f, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
			return nil, writeFailed(path, err)
		}
		return t, nil
	case old != nil && noClobber:
		return nil, exists(path, nil)
	case old != nil:
		if err := writable(final); err != nil {
			return nil, writeFailed(path, err)
		}
	}
	t.path, t.exclude = final, noClobber
	if t.f, err = openUnnamed(filepath.Dir(final)); err != nil {
		t.temp = tempName(final)
		if t.f, err = os.OpenFile(t.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
			t.temp = ""
			if old == nil || !errors.Is(err, fs.ErrPermission) {
				return nil, noFolder(path, filepath.Dir(final), err)
			}
			// The folder takes no new file, but the old one may be written.
			if t.f, err = temporary(); err != nil {
				return nil, &WriteError{Name: path, Msg: "its folder takes no new file, nor does that of temporary files: " + Bare(err), Err: err, Hints: []string{
					"TMPDIR names the folder of temporary files"}}
			}
			t.over = true
			return t, nil
		}
	}
	if old != nil {
		keepOwner(t.f, old)
		if err := t.f.Chmod(old.Mode().Perm()); err != nil {
			t.abort()
			return nil, writeFailed(path, err)
		}
	}
	return t, nil
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
	dir, _ := filepath.Split(target)
	return fmt.Sprintf("%s.fusectl-%016x", dir, rand.Uint64()) // short, whatever the target's name
}

// inPlace reports whether every byte is gone once it is written, so that they
// must come in order.
func (t *target) inPlace() bool { return t.path == "" }

// reserve makes room for size bytes, so that a full disk shows before the work
// begins.
func (t *target) reserve(size int64) error {
	if t.inPlace() {
		return nil
	}
	if err := preallocate(t.f, size); err != nil {
		return &WriteError{Name: t.name, Msg: fmt.Sprintf("needs %d bytes: %s", size, Bare(err)), Err: err}
	}
	return nil
}

// commit closes the file and gives it its path. If that fails, nothing is left
// of it. Errors are *WriteError.
func (t *target) commit() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return writeFailed(t.name, os.ErrClosed)
	}
	if err := t.publish(); err != nil {
		t.drop()
		if t.exclude && errors.Is(err, fs.ErrExist) {
			return exists(t.name, err)
		}
		return writeFailed(t.name, err)
	}
	t.ended = true
	return nil
}

func (t *target) publish() error {
	switch {
	case t.inPlace():
		return t.f.Close()
	case t.over:
		return errors.Join(overwrite(t.path, t.f), t.f.Close())
	case t.temp == "":
		return linkUnnamed(t.f, t.path, t.exclude)
	}
	if err := t.f.Close(); err != nil {
		return err
	}
	if !t.exclude {
		return replace(t.temp, t.path)
	}
	// Take the name first, since renaming would not tell that it is taken.
	f, err := os.OpenFile(t.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	f.Close()
	if err := os.Rename(t.temp, t.path); err != nil {
		os.Remove(t.path)
		return err
	}
	return nil
}

// replace gives the file at temp its path. Where that can't be renamed over, as a
// file that is mounted by itself can't, it is written over.
func replace(temp, path string) error {
	err := os.Rename(temp, path)
	if !errors.Is(err, syscall.EBUSY) {
		return err
	}
	f, err := os.Open(temp)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := overwrite(path, f); err != nil {
		return err
	}
	return os.Remove(temp)
}

// overwrite makes the content of the file at path that of f. It isn't replaced at
// once: who reads it meanwhile sees a part.
func overwrite(path string, f *os.File) error {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	if _, err = f.Seek(0, io.SeekStart); err == nil {
		_, err = io.Copy(to, f)
	}
	return errors.Join(err, to.Close())
}

// abort gives the file up, whoever is still writing to it. After commit it
// does nothing.
func (t *target) abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.drop()
	}
}

func (t *target) drop() {
	t.ended = true
	if !t.standard {
		t.f.Close()
	}
	if t.temp != "" {
		os.Remove(t.temp)
	}
}

func exists(name string, cause error) error {
	return &WriteError{Name: name, Msg: "exists already", Hints: []string{"without --no-clobber it is replaced"}, Err: cause}
}
