package npyio

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
)

const (
	// maxRatio is the most bytes that a byte of deflate can stand for.
	maxRatio = 1032
	// maxSurplus bounds what a deflated member may hold after its array.
	maxSurplus = 1 << 20
)

// Archive is a .npz file: a zip archive of .npy files. Its directory has been
// read, its members are opened when they are asked for. It is safe for
// concurrent use, Close apart.
type Archive struct {
	name    string
	opt     Options
	f       *readFile
	size    int64
	zip     *zip.Reader
	names   []string             // keys of the members, in order
	entries map[string]*zip.File // by key
	bare    map[string]*zip.File // by the entry's own name
}

// keyOf is the key of the member that an entry is: its name without one .npy at
// the end, as NumPy has it.
func keyOf(entry string) string { return strings.TrimSuffix(entry, ".npy") }

// OpenArchive opens the .npz file at path and reads its directory. The options
// are for all members. Errors are *ReadError.
func OpenArchive(path string, o Options) (*Archive, error) {
	f, err := o.Files.Open(path)
	if err != nil {
		return nil, readFailed(path, err)
	}
	a, err := newArchive(f, path, o)
	if err != nil {
		f.Close()
		return nil, readFailed(path, err)
	}
	return a, nil
}

// IsOpenArchive reports whether f is a regular file that is a zip archive, at its
// beginning.
func IsOpenArchive(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	at, err := f.Seek(0, io.SeekCurrent)
	return err == nil && at == 0 && isZip(f)
}

func newArchive(f *os.File, path string, o Options) (*Archive, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, malformed("is a directory: want a .npz archive")
	case !info.Mode().IsRegular():
		return nil, notRegular("is not a regular file, as an archive must be")
	}
	file := o.Files.keep(path, f, info)
	r, err := zip.NewReader(file, info.Size())
	if err != nil {
		return nil, damaged(file, err)
	}
	entries := make([]string, len(r.File))
	for i, e := range r.File {
		entries[i] = e.Name
	}
	if err := foreignZip(entries); err != nil {
		return nil, err
	}
	a := &Archive{name: path, opt: o, f: file, size: info.Size(), zip: r, entries: map[string]*zip.File{}, bare: map[string]*zip.File{}}
	for _, e := range r.File {
		if strings.HasSuffix(e.Name, "/") { // a folder
			continue
		}
		key := keyOf(e.Name)
		old := a.entries[key]
		if old == nil {
			a.names = append(a.names, key)
		}
		if old == nil || e.Name == key || old.Name == e.Name {
			a.entries[key] = e // the last of one name, as Python's zipfile has it; of two with one key that without .npy, as NumPy has it
		}
		a.bare[e.Name] = e
	}
	return a, nil
}

// notRegular is the error for an archive that can't be read at any place.
func notRegular(msg string) *ReadError {
	return malformed("%s", msg).hint("save the archive as a file and give its name, or that of a member: bundle.npz:name")
}

// damaged says why f is no archive that can be read.
func damaged(f io.ReaderAt, err error) error {
	if errors.Is(err, zip.ErrFormat) && !isZip(f) {
		start := make([]byte, peekBytes)
		n, _ := f.ReadAt(start, 0)
		return foreign(start[:n], anArchive)
	}
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("is a zip archive that is truncated or damaged: its directory, which stands at the end, can't be read").hint("copy or save the archive again")
	}
	return err
}

// isZip reports whether f starts as a zip archive does, or as an empty one.
func isZip(f io.ReaderAt) bool {
	b := make([]byte, 4)
	n, _ := f.ReadAt(b, 0)
	return isZipMagic(string(b[:n]))
}

// Names are the keys of the members, in the order of the archive: the names of
// its entries without one .npy at the end.
func (a *Archive) Names() []string { return a.names }

// Has reports whether the archive has a member of that key.
func (a *Archive) Has(name string) bool { return a.entries[name] != nil }

// Open opens the array of that key, or else of the entry that is called exactly
// so. If there are several, the last counts. The file is
// good until the archive is closed. Nothing is believed of the entry before it
// is checked against the size of the archive and what stands before its data.
// The CRC-32 of a member is checked once all its elements have been read, in
// whatever order. Errors are *ReadError.
func (a *Archive) Open(name string) (*File, error) {
	e := a.entries[name]
	if e == nil {
		e = a.bare[name]
	}
	if e == nil {
		return nil, readFailed(a.name, a.unknown(name))
	}
	f := &File{name: a.name + ":" + name}
	if err := a.open(f, e); err != nil {
		return nil, ofMember(readFailed(f.name, err))
	}
	return f, nil
}

func (a *Archive) unknown(name string) error {
	if len(a.names) == 0 {
		return malformed("has no array %s: it has none at all", quoted(name))
	}
	return malformed("has no array %s: it has %s", quoted(name), Listed(a.names))
}

// only opens the one array that the archive has: the one member whose entry ends
// in .npy, or the one member that there is.
func (a *Archive) only() (*File, error) {
	names := a.names
	if named := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return a.entries[n].Name == n }); len(named) == 1 {
		names = named
	}
	switch len(names) {
	case 0:
		return nil, readFailed(a.name, malformed("is a zip archive without an array"))
	case 1:
		return a.Open(names[0])
	}
	return nil, readFailed(a.name, malformed("holds several arrays: %s", Listed(names)).hint(
		"name one: "+Printable(a.name)+":"+Listed(names[:1])))
}

// Close closes the archive, and with it the files that were opened from it.
func (a *Archive) Close() error {
	if err := a.f.Close(); err != nil {
		return readFailed(a.name, err)
	}
	return nil
}

func (a *Archive) open(f *File, e *zip.File) error {
	const savez = "numpy.savez and numpy.savez_compressed write what can be read"
	switch {
	case e.Flags&1 != 0:
		return malformed("is encrypted").hint("unpack the archive and save it again: " + savez)
	case e.Method != zip.Store && e.Method != zip.Deflate:
		return malformed("is compressed by method %d: want stored (0) or deflate (8)", e.Method).hint("save it again: " + savez)
	}
	start, err := e.DataOffset()
	if errno := syscall.Errno(0); errors.As(err, &errno) || errors.Is(err, os.ErrClosed) {
		return err
	}
	if err != nil {
		return malformed("is not where the directory of its archive says").hint("copy or save the archive again")
	}
	if room := a.size - start; room < 0 || e.CompressedSize64 > uint64(room) {
		return malformed("is truncated: its archive claims %d bytes for it, and has %d", e.CompressedSize64, max(room, 0)).hint("copy or save the archive again")
	}
	size := e.UncompressedSize64
	if e.Method == zip.Store {
		if size != e.CompressedSize64 {
			return malformed("is malformed: its archive claims %d bytes for it, stored as %d", size, e.CompressedSize64)
		}
		if err := checkLocal(a.f, e, start); err != nil {
			return err
		}
		return f.openStored(a.f, e, start, a.opt)
	}
	if size/maxRatio > e.CompressedSize64 || size > math.MaxInt64 {
		return malformed("is malformed: its archive claims %d bytes for it, more than %d deflated ones can hold", size, e.CompressedSize64)
	}
	if err := checkLocal(a.f, e, start); err != nil {
		return err
	}
	return f.openDeflated(e, a.opt)
}

// openStored is openRegular for a stored member, whose bytes begin at start.
func (f *File) openStored(r io.ReaderAt, e *zip.File, start int64, o Options) error {
	size := int64(e.UncompressedSize64)
	if err := f.openRegular(r, start, start+size, o); err != nil {
		return err
	}
	head, elements := f.header.DataOffset, f.bytes()
	s := &stored{
		regular: regular{r, start + head}, entry: e, whole: io.NewSectionReader(r, start, size),
		head: head, size: elements, rest: size - head - elements,
	}
	if elements == 0 {
		s.finish(0)
	}
	f.data = s
	return s.err
}

// Address cuts the address of a member, such as bundle.npz:name, into the path
// of the archive, which is any zip archive or ends in .npz, and the name. A
// file that has the address for its name wins.
func Address(s string) (archive, member string, ok bool) {
	if !strings.Contains(s, ":") {
		return "", "", false
	}
	if _, err := os.Lstat(s); err == nil {
		return "", "", false
	}
	if archive, member, ok = cutAddress(s); ok {
		return archive, member, true
	}
	for i := len(s) - 1; i > 0; i-- {
		if s[i] == ':' && IsArchive(s[:i]) {
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

// Exists reports whether something stands at path, or at that of the archive
// whose member it is the address of.
func Exists(path string) bool {
	if archive, _, ok := Address(path); ok {
		path = archive
	}
	_, err := os.Lstat(path)
	return err == nil
}

// IsArchive reports whether path is that of a regular file that is a zip
// archive, whatever its name, or of a name that ends in .npz.
func IsArchive(path string) bool {
	if IsWholeArchive(path) {
		return true
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return isZip(f)
}

// cutAddress cuts the address of a member, such as bundle.npz:name, into the
// path of the archive and the name.
func cutAddress(s string) (path, member string, ok bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == ':' && isNpz(s[:i]) {
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

func isNpz(path string) bool {
	return len(path) >= 4 && strings.EqualFold(path[len(path)-4:], ".npz")
}

// Listed is a list of names from a file as a message may show it.
func Listed(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 && (i == 10 || b.Len() > 150) {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if q := quoted(name); q == `"`+name+`"` && name != "" && !strings.ContainsAny(name, ", ") {
			b.WriteString(name)
		} else {
			b.WriteString(q)
		}
	}
	return b.String()
}
