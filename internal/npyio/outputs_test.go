package npyio

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// begin creates an output of six float32 in a set.
func begin(t *testing.T, s *Outputs, path string) *Output {
	t.Helper()
	o, err := s.Create(path, dtype.Float32, six)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func put(t *testing.T, outs ...*Output) {
	t.Helper()
	for _, o := range outs {
		for _, part := range [][]byte{sixData[:8], sixData[8:]} {
			if n, err := o.Write(part); err != nil || n != len(part) {
				t.Fatal(n, err)
			}
		}
	}
}

// wantArchive checks what an archive holds, by package zip alone: the names in
// order and six float32 in each.
func wantArchive(t *testing.T, path string, want ...string) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var got []string
	for _, e := range z.File {
		got = append(got, strings.TrimSuffix(e.Name, ".npy"))
		r, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		sameBytes(t, e.Name, b, sixFile)
		if e.Method != zip.Store || !e.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s has method %d and is of %v", e.Name, e.Method, e.Modified)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the archive holds %q: want %q", got, want)
	}
}

func TestOutputs(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	s := NewOutputs(CreateOptions{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	std, err := s.Stdout(w, dtype.Float32, six)
	if err != nil {
		t.Fatal(err)
	}
	plain, a, b := begin(t, s, in("x.npy")), begin(t, s, in("y.npz:a")), begin(t, s, in("y.npz:layer/b.npy"))
	if !plain.Seekable() || a.Seekable() || std.Seekable() {
		t.Error("only plain files are seekable")
	}
	_, err = a.WriteAt(sixData, 0)
	wantWriteError(t, err, "y.npz:a: is written in order")
	put(t, a, plain, b, begin(t, s, in("z.npz")), std, begin(t, s, in("z.NPZ")), begin(t, s, in("z.npz")))
	if runtime.GOOS == "linux" {
		wantFolder(t, dir)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	s.Abort()
	wantFolder(t, dir, "x.npy", "y.npz", "z.NPZ", "z.npz")
	sameBytes(t, "file", content(t, in("x.npy")), sixFile)
	wantArchive(t, in("y.npz"), "a", "layer/b.npy")
	wantArchive(t, in("z.npz"), "arr_0", "arr_1")
	wantArchive(t, in("z.NPZ"), "arr_0")
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, sixFile) {
		t.Errorf("standard output got %d bytes, %v", len(b), err)
	}
}

func TestReproducible(t *testing.T) {
	var files [2][]byte
	for i := range files {
		path := filepath.Join(t.TempDir(), "x.npz")
		writeAll(t, path, dtype.Float32, six, sixData)
		files[i] = content(t, path)
	}
	sameBytes(t, "archive", files[0], files[1])
}

func TestOutputsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("x.npy", filepath.Join(dir, "link.npy")); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "text.npz"), []byte("hello"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{
		{"x.npy", "x.npy", "x.npy: is an output twice"},
		{"x.npy", "../" + filepath.Base(dir) + "/x.npy", "x.npy: is an output twice"},
		{"x.npy", "link.npy", "link.npy: is an output twice"},
		{"x.npz:a", "x.npz:a", "x.npz:a: is an output twice"},
		{"x.npz", "x.npz:a", "x.npz:a: is an output both as a whole"},
		{"x.npz:arr_0", "x.npz", "x.npz: is an output both as a whole"},
		{"x.npy", "x.npz:", "x.npz:: names no member"},
		{"x.npy", "text.npz:a", "text.npz:a: the archive that stands there is not a .npz archive"},
		{"x.npy", "sub/x.npz:a", "can't create a file in folder"},
	} {
		s := NewOutputs(CreateOptions{})
		begin(t, s, filepath.Join(dir, c[0]))
		_, err := s.Create(dir+"/"+c[1], dtype.Float32, six)
		wantWriteError(t, err, c[2])
		s.Abort()
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	s := NewOutputs(CreateOptions{})
	if _, err := s.Stdout(null, dtype.Float32, six); err != nil {
		t.Fatal(err)
	}
	_, err = s.Stdout(null, dtype.Float32, six)
	wantWriteError(t, err, "standard output: is an output twice")
	wantFolder(t, dir, "link.npy", "text.npz")
}

func TestReplaceAndAddMembers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npz")
	if err := os.WriteFile(path, archiveOf(
		zipped{name: "a.npy", data: vector(10), store: true},
		zipped{name: "b.npy", data: vector(20)},
		zipped{name: "b.npy", data: vector(30), lie: func(h *zip.FileHeader) { h.Flags |= 8 }},
		zipped{name: "note", data: []byte("hello")},
		zipped{name: "folder/", store: true},
		zipped{name: "strange.npy", data: vector(40), lie: func(h *zip.FileHeader) { h.Method = 12 }},
	), 0o604); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	before := content(t, path)
	input, err := Open(path+":a", Options{}) // an archive that is an input too
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	s := NewOutputs(CreateOptions{})
	put(t, begin(t, s, path+":a"), begin(t, s, path+":c"))
	sameBytes(t, "before Commit", content(t, path), before)
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "input", readAll(t, input), counting(10))
	a, err := OpenArchive(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if want := []string{"a", "c", "b", "note", "strange"}; !slices.Equal(a.Names(), want) {
		t.Errorf("got %q: want %q", a.Names(), want)
	}
	for name, want := range map[string][]byte{"a": sixData, "c": sixData, "b": counting(30)} {
		f, err := a.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		sameBytes(t, name, readAll(t, f), want)
		f.Close()
	}
	_, err = a.Open("strange")
	wantReadError(t, err, "method 12")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o604 {
		t.Errorf("permissions are %v, %v", info.Mode(), err)
	}
	// the path alone replaces all of it
	writeAll(t, path, dtype.Float32, six, sixData)
	wantArchive(t, path, "arr_0")
	wantFolder(t, dir, "x.npz")
}

func TestNoClobberArchive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npz")
	create := func(path string) error {
		s := NewOutputs(CreateOptions{NoClobber: true})
		defer s.Abort()
		o, err := s.Create(path, dtype.Float32, six)
		if err != nil {
			return err
		}
		put(t, o)
		return s.Commit()
	}
	for _, p := range []string{path + ":a", path + ":b"} {
		if err := create(p); err != nil {
			t.Fatal(err)
		}
	}
	wantArchive(t, path, "b", "a")
	wantWriteError(t, create(path+":b"), "x.npz:b: exists already")
	wantWriteError(t, create(path), "x.npz: exists already")
	wantArchive(t, path, "b", "a")
}

// Members written out of order are an error, and leave nothing.
func TestMembersInOrder(t *testing.T) {
	dir := t.TempDir()
	s := NewOutputs(CreateOptions{})
	a, b := begin(t, s, filepath.Join(dir, "x.npz:a")), begin(t, s, filepath.Join(dir, "x.npz:b"))
	if _, err := a.Write(sixData[:8]); err != nil {
		t.Fatal(err)
	}
	_, err := b.Write(sixData)
	wantWriteError(t, err, "x.npz:a is complete")
	if _, err := a.Write(sixData[8:]); err != nil {
		t.Fatal(err)
	}
	put(t, b)
	_, err = a.Write(sixData[:4])
	wantWriteError(t, err, "x.npz:a: has been left for")
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	wantArchive(t, filepath.Join(dir, "x.npz"), "a", "b")
}

func TestOutputsTogether(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npz")
	writeAll(t, path, dtype.Float32, six, sixData)
	before := content(t, path)
	for _, end := range []func(*Outputs){
		func(s *Outputs) { s.Abort() },
		func(s *Outputs) {
			wantWriteError(t, s.Commit(), "x.npz:b: is incomplete: expected 24 bytes of data, got 8")
		},
	} {
		s := NewOutputs(CreateOptions{})
		put(t, begin(t, s, filepath.Join(dir, "y.npy")), begin(t, s, path+":a"))
		if _, err := begin(t, s, path+":b").Write(sixData[:8]); err != nil {
			t.Fatal(err)
		}
		end(s)
		wantFolder(t, dir, "x.npz")
		sameBytes(t, "old archive", content(t, path), before)
		if _, err := s.Create(filepath.Join(dir, "late.npy"), dtype.Float32, six); err == nil {
			t.Error("an output was begun after the end")
		}
		wantFolder(t, dir, "x.npz")
	}
}

func TestAbortWhileWriting(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"x.npy", "x.npz", "x.npz:a"} {
		s := NewOutputs(CreateOptions{})
		o, err := s.Create(filepath.Join(dir, name), dtype.Uint8, shape.Shape{1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		started := make(chan struct{})
		var once sync.Once
		var g sync.WaitGroup
		g.Go(func() {
			for {
				if _, err := o.Write(sixData); err != nil {
					wantWriteError(t, err, "file already closed")
					break
				}
				once.Do(func() { close(started) })
			}
			if err := s.Commit(); err == nil {
				t.Error("it was committed")
			}
		})
		<-started
		s.Abort()
		g.Wait()
		wantFolder(t, dir)
	}
}

func TestEmptyMembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npz")
	s := NewOutputs(CreateOptions{})
	for _, name := range []string{":a", ":b"} {
		if _, err := s.Create(path+name, dtype.Float32, shape.Shape{0, 3}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path+":b", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !f.Shape().Equal(shape.Shape{0, 3}) {
		t.Errorf("got the shape %v", f.Shape())
	}
}

// What is written big-endian or in Fortran order is read as it was given.
func TestOrders(t *testing.T) {
	dir := t.TempDir()
	for _, dt := range append(dtype.All(), dtype.Opaque("<U2", 8), dtype.Opaque("|V3", 3)) {
		for _, name := range []string{"x.npy", "x.npz"} {
			path := filepath.Join(dir, name)
			sh := shape.Shape{3, 1000, 37}
			data := counting(int(sh.Len()) * dt.Size())
			if dt == dtype.Bool {
				for i := range data {
					data[i] &= 1
				}
			}
			given := bytes.Clone(data)
			o, err := create(path, dt, sh, CreateOptions{BigEndian: true, Fortran: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range []int64{0, 1, 2} {
				n := int64(len(given) / 3)
				if part := given[row*n : (row+1)*n]; o.Seekable() {
					_, err = o.WriteAt(part, row*n)
				} else {
					_, err = o.Write(part)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := o.Commit(); err != nil {
				t.Fatal(err)
			}
			sameBytes(t, "the caller's buffer", given, data)
			f, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			h := f.Header()
			swapped := dt.Size() > 1 && !dt.IsOpaque() && dt != dtype.BFloat16
			if h.BigEndian != swapped || strings.Contains(h.Descr, ">") != swapped || !h.FortranOrder || !h.Shape.Equal(sh) {
				t.Errorf("got the header %+v", h)
			}
			sameBytes(t, fmt.Sprint(dt, name), readAll(t, f), data)
			f.Close()
		}
	}
}

func TestBigEndianPartOfAnElement(t *testing.T) {
	o, err := create(filepath.Join(t.TempDir(), "x.npy"), dtype.Float32, six, CreateOptions{BigEndian: true})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Abort()
	_, err = o.Write(sixData[:7])
	wantWriteError(t, err, "7 bytes are no whole number of elements")
}
