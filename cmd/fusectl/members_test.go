package main

import (
	"archive/zip"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fusectl/internal/dtype"
	"fusectl/internal/npyio"
	"fusectl/internal/shape"
)

// An archive is opened once, whatever is read of it: the time for 8,000 members
// grows with their number, and not with its square, which took a minute.
func TestManyMembers(t *testing.T) {
	const n = 8000
	path := filepath.Join(t.TempDir(), "lots.npz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	args := []string{"concat"}
	for i := range n {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("w%05d.npy", i), Method: zip.Store})
		if err == nil {
			_, err = w.Write(append(npyio.NewHeader(dtype.Uint8, shape.Shape{1}).Encode(), byte(i)))
		}
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, fmt.Sprintf("%s:w%05d", path, i))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	out := filepath.Join(t.TempDir(), "out.npy")
	for _, line := range [][]string{{"info", path}, append(args, "-o", out), {"convert", path, "-o", out + ".npz"}} {
		begun := time.Now()
		if status, stderr := fusectl(t, line...); status != 0 {
			t.Fatalf("%s: status %d: %s", line[0], status, stderr)
		}
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("%s of %d members took %v", line[0], n, took)
		}
	}
	_, data, err := load(out)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range data {
		if b != byte(i) {
			t.Fatalf("element %d is %d", i, b)
		}
	}
}
