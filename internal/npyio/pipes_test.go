package npyio

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// open opens the bytes of an array that come through a pipe.
func (p *Pipes) open(t *testing.T, name string, feed func(w io.Writer)) *File {
	t.Helper()
	r, w := io.Pipe()
	go func() {
		feed(w)
		w.Close()
	}()
	f, err := OpenReader(name, r, Options{Pipes: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func bytesPipe(n int) (data []byte, feed func(w io.Writer)) {
	data = counting(n)
	return data, func(w io.Writer) { _, _ = w.Write(raw(1, text("'u1'", "False", fmt.Sprintf("(%d,)", n)), data)) }
}

// What is read once needs no temporary file, however many workers share it and
// however slow one of them is, and can't be read again.
func TestPipeReadOnce(t *testing.T) {
	t.Setenv("TMPDIR", "/nonexistent")
	const n, tile = 5*spoolMemory + 12345, 100 << 10
	for _, workers := range []int{1, 2, 7} {
		data, feed := bytesPipe(n)
		f := NewPipes().open(t, "a pipe", feed)
		f.ReadOnce()
		var next atomic.Int64
		var g sync.WaitGroup
		for w := range workers {
			g.Go(func() {
				for {
					off := next.Add(tile) - tile
					if off >= n {
						return
					}
					if w == 1 && off%(10*tile) == 0 {
						time.Sleep(20 * time.Millisecond)
					}
					check(t, f, data, int(off), int(min(off+tile, n)))
				}
			})
		}
		g.Wait()
		if s := f.data.(*spool); len(s.memory) > 0 || len(s.filed) > 0 || s.file != nil {
			t.Errorf("%d workers: %d pieces are kept in memory, %d in a file", workers, len(s.memory), len(s.filed))
		}
		err := f.Read(context.Background(), make([]byte, 1), 0)
		if err == nil || !strings.Contains(err.Error(), "a second time") {
			t.Errorf("read again: got %v", err)
		}
	}
}

// A worker that asks for what is far ahead doesn't wait for ever for bytes that
// nobody reads.
func TestPipeReadOnceWithAGap(t *testing.T) {
	const n = 3 * spoolMemory
	data, feed := bytesPipe(n)
	f := NewPipes().open(t, "a pipe", feed)
	f.ReadOnce()
	check(t, f, data, n-1000, n)
	check(t, f, data, 0, 1000)
}

// One producer feeds two pipes in turn or one after the other, and the reader
// wants them in any order.
func TestPipesFedByOne(t *testing.T) {
	const n, part = spoolMemory, 64 << 10
	all := raw(1, text("'u1'", "False", fmt.Sprintf("(%d,)", n)), counting(n))
	data := counting(n)
	for _, turns := range []int{len(all), part, 10000} {
		for _, swapped := range []bool{false, true} {
			for _, once := range []bool{false, true} {
				p := NewPipes()
				ra, wa := io.Pipe()
				rb, wb := io.Pipe()
				go func() {
					for at := 0; at < len(all); at += turns {
						end := min(at+turns, len(all))
						_, _ = wa.Write(all[at:end])
						_, _ = wb.Write(all[at:end])
					}
				}()
				files := make([]*File, 2)
				var g sync.WaitGroup
				for i, r := range []io.Reader{ra, rb} {
					g.Go(func() {
						var err error
						if files[i], err = p.Await(func() (*File, error) { return OpenReader("a pipe", r, Options{Pipes: p}) }); err != nil {
							t.Error(err)
						}
					})
				}
				g.Wait()
				if swapped {
					files[0], files[1] = files[1], files[0]
				}
				for _, f := range files {
					if once {
						f.ReadOnce()
					}
				}
				for _, f := range files {
					check(t, f, data, 0, n)
				}
				for _, f := range files {
					f.Close()
				}
			}
		}
	}
}

// Whoever waits for a pipe gives up when the work has ended.
func TestPipeWaitEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	f := NewPipes().open(t, "a pipe", func(w io.Writer) {
		_, _ = w.Write(raw(1, text("'u1'", "False", "(100,)"), make([]byte, 50)))
		<-ctx.Done()
		time.Sleep(time.Second)
	})
	go func() { _ = f.Read(ctx, make([]byte, 100), 0) }() // reads, and can't be stopped
	time.AfterFunc(20*time.Millisecond, cancel)
	for s := f.data.(*spool); ; time.Sleep(time.Millisecond) {
		s.set.mu.Lock()
		reading := s.reading
		s.set.mu.Unlock()
		if reading {
			break
		}
	}
	if err := f.Read(ctx, make([]byte, 100), 0); err == nil || err != ctx.Err() {
		t.Errorf("got %v", err)
	}
}
