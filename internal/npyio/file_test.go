package npyio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

func TestOpen(t *testing.T) {
	data := counting(24)
	f, err := Open(writeFile(t, raw(1, text("'<f4'", "False", "(2,3)"), data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.DType() != dtype.Float32 || !f.Shape().Equal(shape.Shape{2, 3}) || len(f.Warnings()) != 0 {
		t.Errorf("got %v %v %v", f.DType(), f.Shape(), f.Warnings())
	}
	sameBytes(t, "all", readAll(t, f), data)
	part := make([]byte, 8)
	if err := f.Read(context.Background(), part, 3); err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "elements 3 and 4", part, data[12:20])
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Read(ctx, part, 0); err != context.Canceled {
		t.Errorf("got %v: want it cancelled", err)
	}
}

func TestFortranOrder(t *testing.T) {
	f, err := Open(writeFile(t, raw(1, text("'<f4'", "True", "(2,3)"), counting(24))), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !f.Shape().Equal(shape.Shape{3, 2}) || !f.Header().Shape.Equal(shape.Shape{2, 3}) {
		t.Errorf("stored %v, logical %v", f.Shape(), f.Header().Shape)
	}
}

// Each word is reversed, whatever the chunks that gonpy gets.
func TestBigEndian(t *testing.T) {
	for code, word := range map[string]int{"f2": 2, "i4": 4, "c8": 4, "u8": 8, "c16": 8} {
		const n = 3<<20 + 16
		data := counting(n)
		size := word
		if code[0] == 'c' {
			size *= 2
		}
		f, err := Open(writeFile(t, raw(1, text("'>"+code+"'", "False", fmt.Sprintf("(%d,)", n/size)), data)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < n; i += word {
			for j := range word / 2 {
				data[i+j], data[i+word-1-j] = data[i+word-1-j], data[i+j]
			}
		}
		sameBytes(t, code, readAll(t, f), data)
		part := make([]byte, 5*size)
		if err := f.Read(context.Background(), part, 7); err != nil {
			t.Fatal(err)
		}
		sameBytes(t, code+" from element 7 on", part, data[7*size:12*size])
		f.Close()
	}
}

func TestTrailingBytesWarn(t *testing.T) {
	f, err := Open(writeFile(t, raw(1, text("'<f4'", "False", "(2,)"), make([]byte, 13))), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if w := f.Warnings(); len(w) != 1 || w[0] != "5 bytes after the array are ignored" {
		t.Errorf("got %q", w)
	}
}

func TestOpenRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "none.npy"), Options{})
	wantReadError(t, err, "no such file")
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not ErrNotExist", err)
	}
	_, err = Open(dir, Options{})
	wantReadError(t, err, "is a directory")
	_, err = Open(filepath.Join(dir, "evil\n\x1b[31m.npy"), Options{})
	wantReadError(t, err, `evil\n\x1b[31m.npy": no such file`)
}

// What a hostile file costs is bounded by its size, whatever it claims: 1 MiB
// leaves room for the noise of a test, where the claims are of gigabytes.
func TestHostileFiles(t *testing.T) {
	header := text("'<f4'", "False", "(2,)")
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "is empty", nil},
		{"short magic", "expected 8 bytes of header, found 3", []byte("\x93NU")},
		{"magic alone", "expected 8 bytes of header, found 6", []byte("\x93NUMPY")},
		{"no length", "expected 2 bytes of header, found 0", []byte("\x93NUMPY\x01\x00")},
		{"half a length", "expected 4 bytes of header, found 2", []byte("\x93NUMPY\x02\x00aa")},
		{"text", "is not a .npy array", []byte("some words\n")},
		{"short text", "is not a .npy array", []byte("hi")},
		{"zip", "zip archive", []byte("PK\x03\x04aaaaaaaa")},
		{"gzip", "gzip", []byte("\x1f\x8b\x08\x00aaaaaaaa")},
		{"version 0.1", "version 0.1", []byte("\x93NUMPY\x00\x01aaaa")},
		{"version 1.1", "version 1.1", []byte("\x93NUMPY\x01\x01aaaa")},
		{"version 4.0", "version 4.0", []byte("\x93NUMPY\x04\x00aaaa")},
		{"header of 60000 bytes", "expected 60000 bytes of header, found 4", []byte("\x93NUMPY\x01\x00\x60\xeaaaaa")},
		{"header of 1 GiB", "claims a header of 1073741824 bytes", []byte("\x93NUMPY\x02\x00\x00\x00\x00\x40")},
		{"header of 4 GiB", "claims a header of 4294967295 bytes", []byte("\x93NUMPY\x03\x00\xff\xff\xff\xff")},
		{"no data", "expected 8 bytes of data for float32 of shape (2,), found 0", raw(1, header, nil)},
		{"half the data", "expected 8 bytes of data for float32 of shape (2,), found 5", raw(1, header, make([]byte, 5))},
		{"512 MiB of data", "expected 536870912 bytes of data", raw(1, text("'<f8'", "False", "(67108864,)"), make([]byte, 100))},
		{"nearly 2^63 bytes", "expected 9223372036854775804 bytes", raw(1, text("'<f4'", "False", "(2305843009213693951,)"), make([]byte, 100))},
		{"too many bytes", "2^63-1", raw(1, text("'<f4'", "False", "(2305843009213693952,)"), nil)},
		{"a record of gigabytes", "expected 4294967294 bytes", raw(1, text("'S2147483647'", "False", "(2,)"), nil)},
		{"deep", "levels deep", raw(1, strings.Repeat("[", 60000), nil)},
		{"deep commas", "unknown dtype", raw(1, text("'"+strings.Repeat("(1)", 20000)+"'", "False", "(2,)"), nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeFile(t, c.file)
			for how, open := range map[string]func() error{
				"file": func() error {
					f, err := Open(path, Options{})
					if err == nil {
						f.Close()
					}
					return err
				},
				"pipe": func() error {
					f, err := OpenReader("a pipe", bytes.NewReader(c.file), Options{})
					if err == nil && !strings.Contains(c.want, "2^") {
						n := min(f.Shape().Len()*int64(f.DType().Size()), 64<<10)
						err = f.Read(context.Background(), make([]byte, n), 0)
					}
					return err
				},
			} {
				want := c.want
				if how == "pipe" && strings.Contains(want, " bytes") && !strings.Contains(want, "header") {
					want = "is truncated: " + strings.Split(want, " for ")[0] // a pipe's length is unknown until it ends
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := open()
				runtime.ReadMemStats(&after)
				wantReadError(t, err, want)
				if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
					t.Errorf("%s: took %d bytes of memory", how, n)
				}
			}
		})
	}
}

func TestMaxHeader(t *testing.T) {
	b := raw(2, text("'<f4'", "False", "(1,)")+strings.Repeat(" ", 70000), make([]byte, 4))
	path := writeFile(t, b)
	_, err := Open(path, Options{})
	wantReadError(t, err, "more than the limit of 65536")
	f, err := Open(path, Options{MaxHeader: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestCutShortWhileRead(t *testing.T) {
	path := writeFile(t, raw(1, text("'<f4'", "False", "(100,)"), make([]byte, 400)))
	f, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 300); err != nil {
		t.Fatal(err)
	}
	wantReadError(t, f.Read(context.Background(), make([]byte, 400), 0), "cut short while it was read")
}

func TestConcurrentReads(t *testing.T) {
	const n = 6 << 20
	b := raw(1, text("'>i4'", "False", fmt.Sprintf("(%d,)", n/4)), counting(n))
	path := writeFile(t, b)
	whole, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	want := readAll(t, whole)
	piped, err := OpenReader("a pipe", onlyReader{bytes.NewReader(b)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer piped.Close()
	for _, f := range []*File{whole, piped} {
		var g sync.WaitGroup
		for w := range 4 {
			g.Go(func() {
				dst := make([]byte, 100<<10)
				for off := w * len(dst); off+len(dst) <= n; off += 4 * len(dst) {
					if err := f.Read(context.Background(), dst, int64(off/4)); err != nil {
						t.Error(err)
					}
					sameBytes(t, f.Name(), dst, want[off:off+len(dst)])
				}
			})
		}
		g.Wait()
	}
}

// onlyReader hides what else a reader can do.
type onlyReader struct{ io.Reader }

func TestOpenStdin(t *testing.T) {
	data := counting(24)
	array := raw(1, text("'<f4'", "False", "(6,)"), data)
	t.Run("a file, at its position", func(t *testing.T) {
		in, err := os.Open(writeFile(t, append([]byte("before"), array...)))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if _, err := in.Seek(6, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		f, err := OpenStdin(in, Options{})
		if err != nil {
			t.Fatal(err)
		}
		sameBytes(t, "elements", readAll(t, f), data)
		if f.Name() != "standard input" || len(f.Warnings()) != 0 {
			t.Errorf("got %q, %q", f.Name(), f.Warnings())
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Stat(); err != nil {
			t.Errorf("standard input was closed: %v", err)
		}
	})
	t.Run("a pipe with two arrays", func(t *testing.T) {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		go func() {
			out.Write(append(array, array...))
			out.Close()
		}()
		for range 2 {
			f, err := OpenStdin(in, Options{})
			if err != nil {
				t.Fatal(err)
			}
			sameBytes(t, "elements", readAll(t, f), data)
			f.Close()
		}
		_, err = OpenStdin(in, Options{})
		wantReadError(t, err, "standard input: is empty")
	})
}
