package npyio

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"fusectl/internal/dtype"
)

func TestUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	path := filepath.Join(t.TempDir(), "x.npy")
	writeAll(t, path, dtype.Float32, six, sixData)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("permissions are %v, %v: want 0666 &^ umask", info.Mode(), err)
	}
}

// A named pipe is written in place and in order, and read as a pipe is.
func TestNamedPipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		writeAll(t, path, dtype.Float32, six, sixData)
	}()
	f, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sameBytes(t, "elements", readAll(t, f), sixData)
	<-done
	wantFolder(t, dir, "pipe")
}

// /dev/stdout and the like are links in /proc: their names lead nowhere, but
// they can be opened.
func TestLinkToAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	writeAll(t, procPath(w), dtype.Float32, six, sixData)
	w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "output", b, sixFile)
}
