package npyio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func openPipe(t *testing.T, r io.Reader) *File {
	t.Helper()
	f, err := OpenReader("a pipe", r, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestShortReads(t *testing.T) {
	data := counting(2400)
	b := raw(2, text("'<f4'", "False", "(20,30)"), data)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte":      iotest.OneByteReader,
		"half":          iotest.HalfReader,
		"data with end": iotest.DataErrReader,
	} {
		f := openPipe(t, wrap(bytes.NewReader(b)))
		sameBytes(t, name, readAll(t, f), data)
	}
}

// Any part can be read at any time, in memory and beyond it.
func TestSpool(t *testing.T) {
	const n = 3*spoolMemory + 12
	data := counting(n)
	b := raw(1, text("'u1'", "False", fmt.Sprintf("(%d,)", n)), data)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, first := range []int{0, 5, spoolMemory - 3, spoolMemory, 2*spoolMemory + 7, n - 1} {
		f := openPipe(t, onlyReader{bytes.NewReader(b)})
		parts := [][2]int{{first, min(n, first+1000)}, {0, 10}}
		for range 30 {
			from := rng.IntN(n)
			parts = append(parts, [2]int{from, from + rng.IntN(min(n-from, 1<<20))})
		}
		parts = append(parts, [2]int{spoolMemory - 10, spoolMemory + 10}, [2]int{0, n})
		for _, p := range parts {
			dst := make([]byte, p[1]-p[0])
			if err := f.Read(context.Background(), dst, int64(p[0])); err != nil {
				t.Fatal(err)
			}
			sameBytes(t, fmt.Sprint(p), dst, data[p[0]:p[1]])
		}
	}
}

func TestSpoolReadsNoFurtherThanAsked(t *testing.T) {
	header := raw(1, text("'<f4'", "False", "(1000,)"), nil)
	in := &counted{r: bytes.NewReader(append(header, make([]byte, 9000)...))}
	f := openPipe(t, in)
	for _, off := range []int64{10, 3, 600, 998} {
		if err := f.Read(context.Background(), make([]byte, 8), off); err != nil {
			t.Fatal(err)
		}
		if want := len(header) + 4*int(max(off, 10)) + 8; in.n != want {
			t.Errorf("%d bytes were read: want %d", in.n, want)
		}
	}
}

type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestTruncatedPipe(t *testing.T) {
	f := openPipe(t, bytes.NewReader(raw(1, text("'<f4'", "False", "(1000,)"), make([]byte, 100))))
	dst := make([]byte, 80)
	if err := f.Read(context.Background(), dst, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the error stays
		err := f.Read(context.Background(), dst, 20)
		wantReadError(t, err, "a pipe: is truncated: expected 4000 bytes of data, found 100")
	}
	if err := f.Read(context.Background(), dst, 0); err != nil {
		t.Errorf("what has arrived can't be read any more: %v", err)
	}
}

func TestPipeThatFails(t *testing.T) {
	b := raw(1, text("'<f4'", "False", "(1000,)"), make([]byte, 100))
	broken := errors.New("broken")
	f := openPipe(t, io.MultiReader(bytes.NewReader(b), iotest.ErrReader(broken)))
	err := f.Read(context.Background(), make([]byte, 4000), 0)
	wantReadError(t, err, "a pipe: broken")
	if !errors.Is(err, broken) {
		t.Errorf("%v doesn't wrap its cause", err)
	}
	_, err = OpenReader("a pipe", iotest.ErrReader(broken), Options{})
	wantReadError(t, err, "a pipe: broken")
}

func TestEmptyArrayNeedsNoData(t *testing.T) {
	f := openPipe(t, io.MultiReader(bytes.NewReader(raw(1, text("'<f4'", "False", "(0,3)"), nil)), iotest.ErrReader(errors.New("broken"))))
	if err := f.Read(context.Background(), nil, 0); err != nil {
		t.Error(err)
	}
}

func TestPipeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := raw(1, text("'u1'", "False", "(8000000,)"), nil)
	f := openPipe(t, io.MultiReader(bytes.NewReader(b), readerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil // would never end
	})))
	if err := f.Read(ctx, make([]byte, 4000000), 4000000); err != context.Canceled {
		t.Errorf("got %v: want it cancelled", err)
	}
	if err := f.Read(context.Background(), make([]byte, 10), 0); err != nil {
		t.Errorf("another reader suffers: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestSpoolLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	const n = 2 * spoolMemory
	f := openPipe(t, bytes.NewReader(raw(1, text("'u1'", "False", fmt.Sprintf("(%d,)", n)), make([]byte, n))))
	readAll(t, f)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("found %v, %v", entries, err)
	}
}

func TestNoRoomForSpool(t *testing.T) {
	t.Setenv("TMPDIR", "/nowhere")
	const n = 2 * spoolMemory
	f := openPipe(t, bytes.NewReader(raw(1, text("'u1'", "False", fmt.Sprintf("(%d,)", n)), make([]byte, n))))
	err := f.Read(context.Background(), make([]byte, n), 0)
	wantReadError(t, err, "can't be kept in a temporary file")
	var e *ReadError
	if errors.As(err, &e) && (len(e.Hints) != 1 || !strings.Contains(e.Hints[0], "TMPDIR")) {
		t.Errorf("got the hints %q", e.Hints)
	}
}
