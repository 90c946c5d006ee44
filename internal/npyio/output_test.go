package npyio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

func wantWriteError(t *testing.T, err error, want string) {
	t.Helper()
	var e *WriteError
	if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v: want a WriteError with %q", err, want)
	}
}

// wantFolder checks that a folder holds those names and no other.
func wantFolder(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("folder holds %q: want %q", got, want)
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	six     = shape.Shape{6}
	sixData = counting(24)
	sixFile = append([]byte("\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }"+strings.Repeat(" ", 60)+"\n"), counting(24)...)
)

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	o, err := create(path, dtype.Float32, six, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" {
		wantFolder(t, filepath.Dir(path)) // nothing a killed process could leave
	}
	if !o.Seekable() {
		t.Error("a regular file is not seekable")
	}
	var g sync.WaitGroup
	for i := range 6 {
		g.Go(func() {
			if _, err := o.WriteAt(sixData[4*i:4*i+4], int64(4*i)); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	o.Abort()
	sameBytes(t, "file", content(t, path), sixFile)
	wantFolder(t, filepath.Dir(path), "x.npy")
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npy")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(path) // whoever has the old file open keeps it
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	o, err := create(path, dtype.Float32, six, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "before Commit", content(t, path), []byte("old"))
	if _, err := o.Write(sixData); err != nil {
		t.Fatal(err)
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "after Commit", content(t, path), sixFile)
	b := make([]byte, 4)
	if n, _ := old.Read(b); string(b[:n]) != "old" {
		t.Errorf("the old file now holds %q", b[:n])
	}
	if info, _ := os.Stat(path); info.Mode() != 0o604 {
		t.Errorf("permissions are %v: want those of the old file", info.Mode())
	}
	wantFolder(t, dir, "x.npy")
}

func TestAbort(t *testing.T) {
	for _, old := range []string{"", "old"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.npy")
		if old != "" {
			if err := os.WriteFile(path, []byte(old), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		o, err := create(path, dtype.Float32, six, CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Write(sixData[:8]); err != nil {
			t.Fatal(err)
		}
		o.Abort()
		o.Abort()
		if old == "" {
			wantFolder(t, dir)
		} else {
			wantFolder(t, dir, "x.npy")
			sameBytes(t, "old file", content(t, path), []byte(old))
		}
	}
}

func TestIncomplete(t *testing.T) {
	dir := t.TempDir()
	o, err := create(filepath.Join(dir, "x.npy"), dtype.Float32, six, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Write(sixData[:8]); err != nil {
		t.Fatal(err)
	}
	wantWriteError(t, o.Commit(), "x.npy: is incomplete: expected 24 bytes of data, got 8")
	wantFolder(t, dir)
}

func TestNoClobber(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npy")
	exclusive := CreateOptions{NoClobber: true}
	o, err := create(path, dtype.Float32, six, exclusive)
	if err != nil {
		t.Fatal(err)
	}
	rival, err := create(path, dtype.Float32, six, exclusive)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []*Output{o, rival} {
		if _, err := o.Write(sixData); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	wantWriteError(t, rival.Commit(), "exists already")
	_, err = create(path, dtype.Float32, six, exclusive)
	wantWriteError(t, err, "exists already")
	wantFolder(t, dir, "x.npy")
	sameBytes(t, "file", content(t, path), sixFile)
}

// The same must hold where files can't be without a name.
func TestNamedTemporary(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npy")
	begin := func(exclude bool) *Output {
		file := &target{name: path, path: path, temp: tempName(path), exclude: exclude}
		var err error
		if file.f, err = os.OpenFile(file.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
			t.Fatal(err)
		}
		set := NewOutputs(CreateOptions{})
		if err := set.add(file); err != nil {
			t.Fatal(err)
		}
		o, err := set.whole(file, dtype.Float32, six)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Write(sixData); err != nil {
			t.Fatal(err)
		}
		return o
	}
	begin(false).Abort()
	wantFolder(t, dir)
	for _, exclude := range []bool{true, false} {
		if err := begin(exclude).Commit(); err != nil {
			t.Fatal(err)
		}
		sameBytes(t, "file", content(t, path), sixFile)
	}
	wantWriteError(t, begin(true).Commit(), "exists already")
	wantFolder(t, dir, "x.npy")
}

func TestSymbolicLinks(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"real", "links"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "links", "x.npy")
	if err := os.Symlink("../real/y.npy", link); err != nil {
		t.Skip(err)
	}
	for range 2 { // first the link leads nowhere
		writeAll(t, link, dtype.Float32, six, sixData)
		if to, err := os.Readlink(link); err != nil || to != "../real/y.npy" {
			t.Errorf("the link is %q, %v", to, err)
		}
		sameBytes(t, "file", content(t, filepath.Join(dir, "real", "y.npy")), sixFile)
		wantFolder(t, filepath.Join(dir, "links"), "x.npy")
		wantFolder(t, filepath.Join(dir, "real"), "y.npy")
	}
}

func TestCreateRefused(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                                  "is a directory",
		"":                                   "is not the path of a file",
		filepath.Join(dir, "sub") + "/":      "is not the path of a file",
		filepath.Join(dir, "sub", "x.npy"):   "can't create a file in folder",
		filepath.Join(dir, "\x1b[31m", "x"):  `\x1b[31m/x": can't create`,
		filepath.Join(dir, "plain", "x.npy"): "not a directory",
	} {
		if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := create(path, dtype.Float32, six, CreateOptions{})
		wantWriteError(t, err, want)
	}
	wantFolder(t, dir, "plain")
}

func TestReadOnly(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npy")
	if err := os.WriteFile(path, []byte("old"), 0o444); err != nil {
		t.Fatal(err)
	}
	_, err := create(path, dtype.Float32, six, CreateOptions{})
	wantWriteError(t, err, "permission denied")
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o777)
	_, err = create(filepath.Join(dir, "y.npy"), dtype.Float32, six, CreateOptions{})
	wantWriteError(t, err, "permission denied")
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not ErrPermission", err)
	}
	wantFolder(t, dir, "x.npy")
}

func TestTooLargeForTheDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("space is reserved on Linux only")
	}
	dir := t.TempDir()
	for _, name := range []string{"x.npy", "x.npz"} {
		_, err := create(filepath.Join(dir, name), dtype.Float32, shape.Shape{1 << 60}, CreateOptions{})
		wantWriteError(t, err, name+": needs 4611686018427388032 bytes")
	}
	wantFolder(t, dir)
}

func TestDevices(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no device files")
	}
	writeAll(t, os.DevNull, dtype.Float32, six, sixData)
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("the device is gone: %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		_, err := create("/dev/full", dtype.Float32, six, CreateOptions{})
		wantWriteError(t, err, "/dev/full: no space left on device")
	}
}

func TestStdout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("before"); err != nil {
		t.Fatal(err)
	}
	o, err := stdout(f, dtype.Float32, six)
	if err != nil {
		t.Fatal(err)
	}
	if o.Seekable() {
		t.Error("standard output is seekable")
	}
	for i := range 6 {
		if _, err := o.Write(sixData[4*i : 4*i+4]); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "output", content(t, path), append([]byte("before"), sixFile...))
}

func TestStdoutIncomplete(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	o, err := stdout(w, dtype.Float32, six)
	if err != nil {
		t.Fatal(err)
	}
	wantWriteError(t, o.Commit(), "standard output: is incomplete")
	if _, err := w.Stat(); err != nil {
		t.Errorf("standard output was closed: %v", err)
	}
}

func BenchmarkOutput(b *testing.B) {
	const size = 256 << 20
	tile := make([]byte, 256<<10)
	path := filepath.Join(b.TempDir(), "x.npy")
	b.SetBytes(size)
	for b.Loop() {
		o, err := create(path, dtype.Uint8, shape.Shape{size}, CreateOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for off := int64(0); off < size; off += int64(len(tile)) {
			if _, err := o.WriteAt(tile, off); err != nil {
				b.Fatal(err)
			}
		}
		o.Abort()
	}
}
