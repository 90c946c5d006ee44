package npyio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// Outputs are outputs that take their names together, once all are complete.
// Abort may be called by anyone at any time; all else is for one goroutine.
type Outputs struct {
	opt      CreateOptions
	outputs  []*Output
	archives map[string]*archiveWriter // by the file they become
	taken    map[string]bool           // files that aren't archives

	mu      sync.Mutex // guards what Abort needs
	aborted bool
	targets []*target
}

// NewOutputs begins a set of outputs, without any yet.
func NewOutputs(o CreateOptions) *Outputs {
	return &Outputs{opt: o, archives: map[string]*archiveWriter{}, taken: map[string]bool{}}
}

// InArchive reports whether an output at path is a member of an archive, which
// is written in order.
func InArchive(path string) bool {
	_, _, member := cutAddress(path)
	return member || isNpz(path)
}

// IsWholeArchive reports whether an output at path is an archive of all outputs
// of that path.
func IsWholeArchive(path string) bool {
	_, _, member := cutAddress(path)
	return isNpz(path) && !member
}

// Create starts the output at path, for an array of dtype t and shape s, which
// is the logical shape. After an error the set is good for Abort only.
//
// A path that ends in .npz, in whatever case, is an archive. It is one file
// for all outputs of that path, which are named arr_0, arr_1, ... as
// numpy.savez names them, and an archive that stands there is replaced.
// A path like x.npz:name is a member of an archive. If the archive exists, the
// member is added or replaced and the others are kept as they are, after the
// new ones. Members are stored uncompressed, dated 1980-01-01, and must be
// written one after another. Any other path is a .npy file.
//
// The file takes its name when it is complete: until Commit whatever stands at
// path stays as it is and can be read, and nothing new is seen in the folder.
// On Linux, where the file system can do it, the new file has no name before
// that, so not even a killed process leaves one. A symbolic link stays and
// what it points to is replaced. A file that is replaced passes on its
// permissions, and its owner if the system allows it. Nothing is synced to
// disk, as little as by cp: a machine that loses power may lose the file.
//
// What is no regular file, such as a named pipe or /dev/null, is written in
// place and in order.
//
// Errors are *WriteError: what can't be created, what NoClobber forbids, two
// outputs of the same name, an archive that is named both as a whole and with
// a member.
func (s *Outputs) Create(path string, t dtype.Type, sh shape.Shape) (*Output, error) {
	archive, member, named := cutAddress(path)
	if named {
		return s.createMember(path, archive, member+".npy", t, sh)
	}
	if isNpz(path) {
		return s.createMember(path, path, "", t, sh)
	}
	file, err := s.open(path)
	if err != nil {
		return nil, err
	}
	return s.whole(file, t, sh)
}

// open opens the file at path as one of the set.
func (s *Outputs) open(path string) (*target, error) {
	key := identity(path)
	if s.taken[key] {
		return nil, twice(path)
	}
	file, err := openTarget(path, s.opt.NoClobber)
	if err != nil {
		return nil, err
	}
	if err := s.add(file); err != nil {
		return nil, err
	}
	s.taken[key] = !file.inPlace() // a device may well take several
	return file, nil
}

// Stdout adds an array that goes to f, standard output, in order. Commit
// closes f, to learn of errors that come late; Abort doesn't. Errors are
// *WriteError, as for a second such output.
func (s *Outputs) Stdout(f *os.File, t dtype.Type, sh shape.Shape) (*Output, error) {
	const name = "standard output"
	if s.taken[name] {
		return nil, twice(name)
	}
	if closed(f) {
		return nil, &WriteError{Name: name, Msg: "is closed", Hints: []string{"-o PATH writes to a file; > /dev/null discards"}}
	}
	file := &target{name: name, f: f, standard: true}
	if err := s.add(file); err != nil {
		return nil, err
	}
	s.taken[name] = true
	return s.whole(file, t, sh)
}

// File adds a file of some other content, such as a picture, which takes its
// name with the others. What is written to it comes in order. Errors are
// *WriteError.
func (s *Outputs) File(path string) (io.Writer, error) {
	file, err := s.open(path)
	if err != nil {
		return nil, err
	}
	return file.f, nil
}

// add makes file one that Abort knows of.
func (s *Outputs) add(file *target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aborted {
		file.abort()
		return writeFailed(file.name, os.ErrClosed)
	}
	s.targets = append(s.targets, file)
	return nil
}

// start is the output for an array, not yet part of a file.
func (s *Outputs) start(name string, t dtype.Type, sh shape.Shape) *Output {
	h := s.opt.header(t, sh)
	o := &Output{name: name, set: s, header: h.Encode(), payload: sh.Len() * int64(t.Size())}
	if h.BigEndian {
		o.word = wordSize(t)
	}
	s.outputs = append(s.outputs, o)
	return o
}

// whole begins an array that is all of a file.
func (s *Outputs) whole(file *target, t dtype.Type, sh shape.Shape) (*Output, error) {
	o := s.start(file.name, t, sh)
	o.file = file
	if err := file.reserve(int64(len(o.header)) + o.payload); err != nil {
		return nil, err
	}
	if _, err := file.f.Write(o.header); err != nil {
		return nil, writeFailed(o.name, err)
	}
	return o, nil
}

// createMember adds the array name, which is the path of an archive or the
// address of a member, to the archive at path. entry is "" for the next of
// NumPy's default names.
func (s *Outputs) createMember(name, path, entry string, t dtype.Type, sh shape.Shape) (*Output, error) {
	if entry == ".npy" {
		return nil, &WriteError{Name: name, Msg: "names no member of the archive", Hints: []string{"name it after the colon: " + Printable(path) + ":name"}}
	}
	key := identity(path)
	a, ok := s.archives[key]
	if !ok {
		var err error
		if a, err = s.openArchiveWriter(name, path, entry != ""); err != nil {
			return nil, err
		}
		s.archives[key] = a
	}
	if a.named != (entry != "") {
		return nil, &WriteError{Name: name, Msg: "is an output both as a whole archive and with members of its own naming", Hints: []string{
			"give every array of the archive a name, or none: " + Printable(path) + ":name"}}
	}
	if entry == "" {
		entry = fmt.Sprintf("arr_%d.npy", len(a.members))
	}
	if a.has(entry) {
		return nil, twice(name)
	}
	if s.opt.NoClobber && a.old != nil && a.old.Has(keyOf(entry)) {
		return nil, exists(name, nil)
	}
	o := s.start(name, t, sh)
	o.archive, o.entry = a, entry
	return o, a.add(o)
}

func (s *Outputs) openArchiveWriter(name, path string, named bool) (*archiveWriter, error) {
	var old *Archive
	if named && !s.opt.Fresh {
		var err error
		if old, err = oldArchive(path); err != nil {
			return nil, noArchive(name, err)
		}
		if old != nil {
			old.Close() // Commit opens it again
		}
	}
	file, err := openTarget(path, s.opt.NoClobber && old == nil)
	if err != nil {
		return nil, err
	}
	if err := s.add(file); err != nil {
		return nil, err
	}
	return newArchiveWriter(file, named, named && !s.opt.Fresh, old), nil
}

// oldArchive opens the archive that stands at path; nil if nothing does, or what
// is written in place.
func oldArchive(path string) (*Archive, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, readFailed(path, err)
	case !info.Mode().IsRegular():
		return nil, nil
	}
	return OpenArchive(path, Options{})
}

// noArchive says that a member can't be added to what stands at its path.
func noArchive(name string, err error) error {
	e := &WriteError{Name: name, Msg: "the archive that stands there can't be read: " + Bare(err), Err: err}
	if r := (*ReadError)(nil); errors.As(err, &r) && r.Err == nil {
		e.Msg = "the archive that stands there " + r.Msg
	}
	e.Hints = []string{"the path of the archive alone replaces it"}
	return e
}

func twice(name string) error {
	return &WriteError{Name: name, Msg: "is an output twice: want a name for each"}
}

// Commit checks that all elements of all outputs have been written, completes
// the archives, and only then gives the files their names, one after another.
// If that fails, no file takes a name from there on, nothing is left of those,
// and what stood at their paths before stays. Errors are *WriteError.
func (s *Outputs) Commit() error {
	err := s.commit()
	if err != nil {
		s.Abort()
	}
	return err
}

func (s *Outputs) commit() error {
	for _, o := range s.outputs {
		if err := o.complete(); err != nil {
			return err
		}
	}
	for _, dir := range s.folders() {
		defer lockFolder(dir)()
	}
	for _, a := range s.archives {
		if err := a.finish(); err != nil {
			return err
		}
	}
	for _, t := range s.targets {
		if err := t.commit(); err != nil {
			return err
		}
	}
	return nil
}

// folders lists the folders whose archives get members, in an order that all
// processes share.
func (s *Outputs) folders() (dirs []string) {
	for _, a := range s.archives {
		if a.adds && !a.file.inPlace() {
			dirs = append(dirs, filepath.Dir(a.file.path))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// Abort gives all outputs up, also while they are being written: nothing is
// left of them but what has gone into a pipe. After Commit it does nothing.
func (s *Outputs) Abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aborted = true
	for _, t := range s.targets {
		t.abort()
	}
}

// identity is the same for all paths that lead to one file.
func identity(path string) string {
	if final, info, err := resolve(path); err == nil && (info == nil || info.Mode().IsRegular()) {
		path = final
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}
