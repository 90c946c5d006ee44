package npyio

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"
)

// archiveWriter is a .npz file that is being written, member by member.
type archiveWriter struct {
	file    *target
	named   bool     // its members were named by the caller
	adds    bool     // members are added to what stands at its path by then
	old     *Archive // what stood at its path, whose other members are kept, or nil; closed
	members []*Output
	size    int64 // bytes of the members

	mu      sync.Mutex // guards what follows
	zip     *zip.Writer
	current *Output   // the member that is being written
	entry   io.Writer // and where
}

func newArchiveWriter(file *target, named, adds bool, old *Archive) *archiveWriter {
	return &archiveWriter{file: file, named: named, adds: adds, old: old, zip: zip.NewWriter(file.f)}
}

func (a *archiveWriter) has(entry string) bool {
	return slices.ContainsFunc(a.members, func(o *Output) bool { return o.entry == entry })
}

func (a *archiveWriter) add(o *Output) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.members = append(a.members, o)
	a.size += int64(len(o.header)) + o.payload
	if a.current != nil {
		return nil // room is reserved for an empty file only
	}
	return a.file.reserve(a.size)
}

func (a *archiveWriter) write(o *Output, p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.begin(o); err != nil {
		return 0, err
	}
	return a.entry.Write(p)
}

// begin makes o the member that is being written.
func (a *archiveWriter) begin(o *Output) error {
	if o == a.current {
		return nil
	}
	if o.begun {
		return fmt.Errorf("has been left for %s: the members of an archive are written one after another", a.current.name)
	}
	if a.current != nil && a.current.complete() != nil {
		return fmt.Errorf("is begun before %s is complete: the members of an archive are written one after another", a.current.name)
	}
	var err error
	a.current, o.begun = o, true
	// The first day that a zip archive knows, as NumPy has it: the same arrays
	// give the same bytes.
	day := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	a.entry, err = a.zip.CreateHeader(&zip.FileHeader{Name: o.entry, Method: zip.Store, Modified: day})
	if err == nil {
		_, err = a.entry.Write(o.header)
	}
	return err
}

// finish writes what is left to write when all members are complete: those
// without elements, the old ones that are kept, and the directory. Errors are
// *WriteError.
func (a *archiveWriter) finish() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.members {
		if !o.begun {
			if err := a.begin(o); err != nil {
				return writeFailed(o.name, err)
			}
		}
	}
	if a.adds && !a.file.inPlace() {
		if err := a.keepOld(); err != nil {
			return err
		}
	}
	if err := a.zip.Close(); err != nil {
		return writeFailed(a.file.name, err)
	}
	return nil
}

// keepOld copies the members of the old archive that aren't replaced.
func (a *archiveWriter) keepOld() error {
	old, err := oldArchive(a.file.path) // not a.old: another process may have added to it since
	if err != nil {
		return noArchive(a.file.name, err)
	}
	if old == nil {
		return nil
	}
	defer old.Close()
	for _, e := range old.zip.File {
		if a.has(keyOf(e.Name) + ".npy") {
			continue
		}
		if err := a.keep(e); err != nil {
			return &WriteError{Name: a.file.name, Msg: fmt.Sprintf("its member %s can't be kept: %s", quoted(e.Name), Bare(err)), Err: err}
		}
	}
	return nil
}

// keep copies a member of the old archive as it is. zip.Writer.Copy would
// keep its zip64 field too, with the offset it had, and add another.
func (a *archiveWriter) keep(e *zip.File) error {
	r, err := e.OpenRaw()
	if err != nil {
		return err
	}
	h := e.FileHeader
	h.Extra = withoutZip64(h.Extra)
	if max(h.CompressedSize64, h.UncompressedSize64) >= math.MaxUint32 {
		h.Flags |= 8 // the sizes follow the data, in a form that holds them
	}
	w, err := a.zip.CreateRaw(&h)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, r)
	if err == nil && uint64(n) != h.CompressedSize64 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// withoutZip64 is the extra field of a zip header without its zip64 part.
func withoutZip64(extra []byte) []byte {
	var kept []byte
	for len(extra) >= 4 {
		n := min(len(extra), 4+int(binary.LittleEndian.Uint16(extra[2:])))
		if binary.LittleEndian.Uint16(extra) != 1 {
			kept = append(kept, extra[:n]...)
		}
		extra = extra[n:]
	}
	return append(kept, extra...)
}
