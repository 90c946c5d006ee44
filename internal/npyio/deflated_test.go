package npyio

import (
	"archive/zip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
)

// large is an array beyond what is kept in memory, of bytes that never repeat
// at any distance a window could be wrong by.
var large = sync.OnceValues(func() (npy, data []byte) {
	const n = 3*inflateWindow + 12345
	data = make([]byte, n)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32() & 7)
	}
	return raw(1, text("'|u1'", "False", fmt.Sprintf("(%d,)", n)), data), data
})

var largeDeflated = sync.OnceValue(func() []byte {
	npy, _ := large()
	return deflate(npy)
})

func openLarge(t *testing.T, lie func(h *zip.FileHeader)) (f *File, data []byte) {
	t.Helper()
	npy, data := large()
	f, err := Open(writeArchive(t, archiveOf(zipped{name: "a.npy", data: npy, deflated: largeDeflated(), lie: lie})), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, data
}

func check(t *testing.T, f *File, data []byte, from, to int) {
	t.Helper()
	dst := make([]byte, to-from)
	if err := f.Read(context.Background(), dst, int64(from)); err != nil {
		t.Error(err)
		return
	}
	sameBytes(t, fmt.Sprintf("bytes %d to %d", from, to), dst, data[from:to])
}

// Workers that take tiles in turn never make it inflate anew.
func TestInflateInOrder(t *testing.T) {
	f, data := openLarge(t, nil)
	tiles := make(chan int)
	var g sync.WaitGroup
	const tile = 100 << 10
	for range 4 {
		g.Go(func() {
			for off := range tiles {
				check(t, f, data, off, min(off+tile, len(data)))
			}
		})
	}
	for off := 0; off < len(data); off += tile {
		tiles <- off
	}
	close(tiles)
	g.Wait()
	if f.data.(*deflated).anew {
		t.Error("it was inflated anew")
	}
}

func TestInflateAtRandom(t *testing.T) {
	f, data := openLarge(t, nil)
	var g sync.WaitGroup
	for w := range 4 {
		g.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(w)))
			for range 50 {
				from := rng.IntN(len(data))
				check(t, f, data, from, from+rng.IntN(min(len(data)-from, 1<<20)))
			}
		})
	}
	g.Wait()
	check(t, f, data, 0, len(data))
}

// Only the first two steps back inflate anew: then all is kept.
func TestInflateAnew(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f, data := openLarge(t, nil)
	d := f.data.(*deflated)
	end := len(data)
	check(t, f, data, end-100, end)
	check(t, f, data, end-inflateWindow, end-inflateWindow+10) // still in the window
	check(t, f, data, end-10, end)
	if d.anew {
		t.Error("it was inflated anew for what was in the window")
	}
	check(t, f, data, end-inflateWindow-1, end-inflateWindow+10)
	if !d.anew || d.kept != nil {
		t.Error("it was not inflated anew")
	}
	check(t, f, data, 0, end-5)
	if d.kept == nil {
		t.Error("it is not kept")
	}
	for i := range 100 {
		at := end - 1 - i*(end/100)
		check(t, f, data, at, at+1)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("found %v, %v", entries, err)
	}
}

func TestInflateDamaged(t *testing.T) {
	f, data := openLarge(t, func(h *zip.FileHeader) { h.CRC32++ })
	check(t, f, data, 0, len(data)-1)
	for range 2 { // the error stays
		wantReadError(t, f.Read(context.Background(), make([]byte, 1), int64(len(data)-1)), "x.npz:a: is damaged: the CRC-32")
	}
}

func TestInflateCancelled(t *testing.T) {
	f, data := openLarge(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Read(ctx, make([]byte, 10), int64(len(data)-10)); err != context.Canceled {
		t.Errorf("got %v: want it cancelled", err)
	}
	check(t, f, data, 7, 1000)
}

func TestInflateAfterClose(t *testing.T) {
	npy, _ := large()
	a, err := OpenArchive(writeArchive(t, archiveOf(zipped{name: "a.npy", data: npy, deflated: largeDeflated()}, zipped{name: "b.npy", data: vector(10), store: true})), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range a.Names() {
		f, err := a.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		defer func() {
			wantReadError(t, f.Read(context.Background(), make([]byte, 1), f.Shape().Len()-1), "file already closed")
		}()
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}
