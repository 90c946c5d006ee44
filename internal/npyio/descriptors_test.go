package npyio

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Many files are read by several at once, in any order, while few are open.
func TestDescriptors(t *testing.T) {
	set := &Descriptors{most: 4}
	const n, workers = 100, 8
	dir := t.TempDir()
	path := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	files := make([]*File, n)
	for i := range files {
		b := raw(1, text("'|u1'", "False", "(1000,)"), bytes.Repeat([]byte{byte(i)}, 1000))
		err := os.WriteFile(path(i), b, 0o666)
		if err == nil {
			files[i], err = Open(path(i), Options{Files: set})
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(set.open) > set.most {
			t.Fatalf("%d are open: want at most %d", len(set.open), set.most)
		}
	}
	var g sync.WaitGroup
	for w := range workers {
		g.Go(func() {
			dst := make([]byte, 100)
			for k := range 1000 {
				i := k * (2*w + 1) % n
				if err := files[i].Read(context.Background(), dst, int64(k%900)); err != nil {
					t.Error(err)
					return
				}
				if want := bytes.Repeat([]byte{byte(i)}, 100); !bytes.Equal(dst, want) {
					t.Errorf("file %d: read %d", i, dst[0])
				}
			}
		})
	}
	g.Wait()
	if len(set.open) > set.most+workers {
		t.Errorf("%d are open: want at most %d", len(set.open), set.most+workers)
	}
	for i := range n {
		if err := files[i].Close(); err != nil {
			t.Error(err)
		}
	}
	if len(set.open) > 0 {
		t.Errorf("%d are open after all were closed", len(set.open))
	}
	if err := files[0].Read(context.Background(), make([]byte, 1), 0); err == nil {
		t.Error("a closed file was read")
	}
}

// A file that was closed meanwhile, and is another one by then, isn't read.
func TestReplacedFileIsNotRead(t *testing.T) {
	set := &Descriptors{most: 1}
	path := filepath.Join(t.TempDir(), "a.npy")
	b := raw(1, text("'|u1'", "False", "(8,)"), make([]byte, 8))
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, Options{Files: set})
	if err != nil {
		t.Fatal(err)
	}
	f.closers[0].(*readFile).used.Store(false)
	if !set.closeOne() {
		t.Fatal("nothing was closed")
	}
	if err := os.WriteFile(path+"2", b, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	err = f.Read(context.Background(), make([]byte, 8), 0)
	if err == nil || !strings.Contains(err.Error(), "a.npy: was replaced while it was read") {
		t.Errorf("got %v", err)
	}
}
