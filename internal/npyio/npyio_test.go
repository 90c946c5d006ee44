package npyio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// raw is a .npy file put together by hand, so that tests of the reader don't
// lean on the writer.
func raw(major byte, text string, data []byte) []byte {
	b := append([]byte("\x93NUMPY"), major, 0)
	if major == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	}
	return append(append(b, text...), data...)
}

// text is a header as NumPy writes it, unpadded.
func text(descr, order, shape string) string {
	return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n"
}

func writeFile(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func readAll(t *testing.T, f *File) []byte {
	t.Helper()
	b := make([]byte, f.Shape().Len()*int64(f.DType().Size()))
	if err := f.Read(context.Background(), b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// wantReadError checks that err is a ReadError on one printable line that
// says want.
func wantReadError(t *testing.T, err error, want string) {
	t.Helper()
	var e *ReadError
	if !errors.As(err, &e) {
		t.Fatalf("got %v: want a ReadError with %q", err, want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got %q: want %q", err, want)
	}
	if s := err.Error(); strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 }) || len(s) > 400 {
		t.Errorf("message is long or has control characters: %q", s)
	}
}

// counting is 0, 1, 2 … modulo 251, a prime, so that no shift goes unnoticed.
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

func writeAll(t *testing.T, path string, dt dtype.Type, s shape.Shape, data []byte) {
	t.Helper()
	o, err := create(path, dt, s, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
}

func sameBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		n := min(len(got), len(want))
		for i := range n {
			if got[i] != want[i] {
				n = i
				break
			}
		}
		t.Errorf("%s: %d bytes, want %d; they differ from byte %d on", what, len(got), len(want), n)
	}
}

// create begins the output at path, alone in its set.
func create(path string, t dtype.Type, s shape.Shape, o CreateOptions) (*Output, error) {
	set := NewOutputs(o)
	out, err := set.Create(path, t, s)
	if err != nil {
		set.Abort()
	}
	return out, err
}

// stdout begins an output on f, alone in its set.
func stdout(f *os.File, t dtype.Type, s shape.Shape) (*Output, error) {
	return NewOutputs(CreateOptions{}).Stdout(f, t, s)
}
