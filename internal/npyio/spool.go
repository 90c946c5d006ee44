package npyio

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"fusectl/internal/shape"
)

const (
	spoolMemory = 4 << 20   // bytes of a pipe that are kept in memory; more go to a temporary file
	pieceSize   = 256 << 10 // bytes that are kept, and let go, together
	spoolPieces = spoolMemory / pieceSize
	// lag is the bytes that a pipe that is read once is read beyond the first
	// that wasn't, unless nothing moves for a while.
	lag     = spoolMemory / 2
	lagMost = time.Second
)

// spool is the data of a pipe. It is read forward, and what has been read is
// kept, or where every byte is read once, kept until then. So memory never grows
// by what a header claims, only by what has arrived, and not beyond spoolMemory.
type spool struct {
	r    io.Reader
	size int64
	set  *Pipes // whose lock guards what follows

	once    bool             // every byte is read once
	have    int64            // bytes that have come
	asked   int64            // bytes up to the last that has been asked for
	reading bool             // someone reads from r
	waiting int              // readers that wait
	memory  map[int64]*piece // by number: those that are in memory
	filed   map[int64]*piece // under once: those in the file
	free    [][]byte
	staging []byte   // what comes next on its way to the file
	file    *os.File // those that aren't in memory; nil until there are any
	litter  string   // the file's name, where it could not be unlinked at once
	full    bool     // the file takes no more
	err     error    // why no more can be read
}

// piece is pieceSize bytes of a pipe, or what is left at its end.
type piece struct {
	data []byte // in memory
	left int64  // bytes that are still to be read, under once
}

func newSpool(r io.Reader, size int64, set *Pipes) *spool {
	return &spool{r: r, size: size, set: set, memory: map[int64]*piece{}, filed: map[int64]*piece{}}
}

func (s *spool) read(ctx context.Context, p []byte, off int64) error {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	s.asked = max(s.asked, off+int64(len(p)))
	if s.once {
		s.letOthersPass(ctx, off)
	}
	for len(p) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if errors.Is(s.err, os.ErrClosed) {
			return s.err
		}
		if off < s.have {
			n, err := s.recall(p, off)
			if err != nil {
				return err
			}
			p, off = p[n:], off+int64(n)
			continue
		}
		if err := s.await(ctx, off+int64(len(p))); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// await waits until more of the pipe has come, and reads it if nobody does:
// bytes before end are wanted.
func (s *spool) await(ctx context.Context, end int64) error {
	switch {
	case s.err != nil:
		return s.err
	case s.have >= end:
		return nil
	}
	s.waiting++
	s.set.wait()
	for before := s.have; s.have == before && s.err == nil && ctx.Err() == nil; {
		if s.reading {
			s.set.sleep(ctx)
		} else {
			s.step(end-s.have, true)
		}
	}
	s.waiting--
	s.set.arrived()
	return nil
}

// letOthersPass waits while bytes long before off are still to be read, which
// whoever asked for them is about to do.
func (s *spool) letOthersPass(ctx context.Context, off int64) {
	for first, since := int64(-1), time.Now(); s.err == nil && ctx.Err() == nil; {
		switch now := s.first(); {
		case off <= now+lag, now == first && time.Since(since) >= lagMost:
			return
		case now != first:
			first, since = now, time.Now()
		}
		timer := time.AfterFunc(lagMost, s.set.wake)
		s.set.sleep(ctx)
		timer.Stop()
	}
}

// first is the first byte, up to a piece, that is kept.
func (s *spool) first() int64 {
	first := s.have
	for i := range s.memory {
		first = min(first, i*pieceSize)
	}
	for i := range s.filed {
		first = min(first, i*pieceSize)
	}
	return first
}

// run reads ahead, of a pipe that is one of several.
func (s *spool) run() {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	for s.have < s.size && s.err == nil {
		room := s.have-s.asked < ahead && len(s.memory) < spoolPieces
		starving := !room && !s.full && s.set.starving(s)
		if s.reading || !room && !starving {
			if s.set.waiting > s.waiting { // it may come to starve
				time.AfterFunc(s.set.patience, s.set.wake)
			}
			s.set.moved.Wait()
			continue
		}
		if starving { // the producer is one: its next turns are waited for less long
			s.set.patience = max(s.set.patience/2, leastPatience)
		}
		s.step(pieceSize, false)
	}
}

// step reads at most n bytes that come next and keeps them. The lock is open
// meanwhile. What can't be kept isn't read, and is an error if it is wanted.
func (s *spool) step(n int64, wanted bool) {
	i, at := s.have/pieceSize, s.have%pieceSize
	length := min(pieceSize, s.size-i*pieceSize)
	n = min(n, length-at)
	in := s.memory[i]
	if at == 0 && len(s.memory) < spoolPieces { // a piece begins
		in = &piece{s.buffer()[:length], length}
		s.memory[i] = in
	}
	to := s.staging
	switch {
	case in != nil:
		to = in.data[at:]
	case s.file == nil && !s.openFile(wanted):
		return
	case s.staging == nil:
		s.staging = make([]byte, pieceSize)
		to = s.staging
	}
	if in == nil && at == 0 && s.once {
		s.filed[i] = &piece{left: length}
	}
	s.reading = true
	s.set.mu.Unlock()
	m, err := s.r.Read(to[:n])
	var failed error
	if in == nil && m > 0 {
		_, failed = s.file.WriteAt(to[:m], s.have)
	}
	s.set.mu.Lock()
	s.reading = false
	if failed == nil {
		s.have += int64(m)
		if s.waiting > 0 && m > 0 {
			s.set.since = time.Now()
		}
	}
	switch {
	case s.err != nil:
	case failed != nil:
		s.err = notKept(failed)
	case s.have == s.size:
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		s.err = malformed("is truncated: expected %d bytes of data, found %d", s.size, s.have)
	default:
		s.err = err
	}
	s.set.moved.Broadcast()
}

// openFile opens the temporary file. If that fails nothing is read ahead any more.
func (s *spool) openFile(wanted bool) bool {
	f, err := temporary()
	if err != nil {
		s.full = true
		if wanted && s.err == nil {
			s.err = notKept(err)
		}
		return false
	}
	if _, err := os.Lstat(f.Name()); err == nil { // a system that can't unlink open files
		s.litter = f.Name()
	}
	s.file = f
	return true
}

func notKept(err error) error {
	e := malformed("can't be kept in a temporary file: %s", Bare(err))
	e.Err = err
	return e.hint("TMPDIR names the folder of temporary files; an input that is a file needs none")
}

// buffer is room for a piece.
func (s *spool) buffer() []byte {
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b
	}
	return make([]byte, min(pieceSize, s.size))
}

// recall fills the beginning of p with what has come, of one piece. The lock is
// open meanwhile.
func (s *spool) recall(p []byte, off int64) (n int, err error) {
	i, at := off/pieceSize, off%pieceSize
	p = p[:min(int64(len(p)), pieceSize-at, s.have-off)]
	in, pieces := s.memory[i], s.memory
	if in == nil && s.once {
		if in, pieces = s.filed[i], s.filed; in == nil {
			return 0, errors.New("a part of a pipe is read for a second time, which nothing had said")
		}
	}
	s.set.mu.Unlock()
	if in != nil && in.data != nil {
		copy(p, in.data[at:])
	} else {
		_, err = s.file.ReadAt(p, off)
	}
	s.set.mu.Lock()
	if s.once && err == nil {
		if in.left -= int64(len(p)); in.left == 0 {
			delete(pieces, i)
			if in.data != nil {
				s.free = append(s.free, in.data[:cap(in.data)])
			}
			s.set.moved.Broadcast()
		}
	}
	return len(p), err
}

// readOnce says that every byte is going to be read once. It comes before the
// first is.
func (s *spool) readOnce() {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	if s.once {
		return
	}
	s.once = true
	for i := range shape.CeilDiv(s.have, pieceSize) { // what was read ahead
		left := min(pieceSize, s.size-i*pieceSize)
		if in := s.memory[i]; in != nil {
			in.left = left
		} else {
			s.filed[i] = &piece{left: left}
		}
	}
}

// keeps is the bytes of memory that it takes at most.
func (s *spool) keeps() int64 { return min(s.size, spoolMemory+2*pieceSize) }

// temporary opens a file in the folder of temporary files that vanishes with the
// process, where the system can do that.
func temporary() (*os.File, error) {
	f, err := openUnnamed(os.TempDir())
	if err == nil {
		return f, nil
	}
	if f, err = os.CreateTemp("", "fusectl-*"); err == nil {
		_ = os.Remove(f.Name())
	}
	return f, err
}

// release is Close: a pipe is not read again.
func (s *spool) release() error { return s.Close() }

// Close drops what is kept.
func (s *spool) Close() error {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	if errors.Is(s.err, os.ErrClosed) {
		return nil
	}
	s.err, s.memory, s.free, s.staging = os.ErrClosed, nil, nil, nil
	s.set.moved.Broadcast()
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.litter != "" {
		err = errors.Join(err, os.Remove(s.litter))
	}
	return err
}
