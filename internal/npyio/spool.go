package npyio

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
)

const (
	spoolMemory = 4 << 20   // bytes of a pipe that are kept in memory; more go to a temporary file
	spoolChunk  = 256 << 10 // bytes that are asked of a pipe at once
)

// spool is the data of a pipe. It is read forward, just as far as is asked
// for, and what has been read is kept. So memory never grows by what a header
// claims, only by what has arrived, and not beyond spoolMemory.
type spool struct {
	r    io.Reader
	size int64

	mu     sync.Mutex
	have   int64    // bytes read so far
	memory []byte   // the first of them
	file   *os.File // the others; nil until there are any
	litter string   // the file's name, where it could not be unlinked at once
	err    error    // why no more can be read
}

func (s *spool) read(ctx context.Context, p []byte, off int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.have < off {
		if err := s.pump(ctx, make([]byte, min(off-s.have, spoolChunk))); err != nil {
			return err
		}
	}
	kept := min(s.have-off, int64(len(p)))
	if err := s.recall(p[:kept], off); err != nil {
		return err
	}
	for p = p[kept:]; len(p) > 0; {
		n := min(len(p), spoolChunk)
		if err := s.pump(ctx, p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return ctx.Err()
}

// pump fills p from the pipe and keeps a copy.
func (s *spool) pump(ctx context.Context, p []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.err != nil {
		return s.err
	}
	n, err := io.ReadFull(s.r, p)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = malformed("is truncated: expected %d bytes of data, found %d", s.size, s.have+int64(n))
	}
	if err == nil {
		err = s.keep(p)
	}
	s.err = err
	return err
}

func (s *spool) keep(p []byte) error {
	n := min(len(p), spoolMemory-len(s.memory))
	s.memory = append(s.memory, p[:n]...)
	if n < len(p) {
		if err := s.keepInFile(p[n:], s.have+int64(n)-spoolMemory); err != nil {
			e := malformed("can't be kept in a temporary file: %s", Bare(err))
			e.Err = err
			return e.hint("TMPDIR names the folder of temporary files; an input that is a file needs none")
		}
	}
	s.have += int64(len(p))
	return nil
}

func (s *spool) keepInFile(p []byte, off int64) (err error) {
	if s.file == nil {
		if s.file, err = temporary(); err != nil {
			return err
		}
		if _, err := os.Lstat(s.file.Name()); err == nil { // a system that can't unlink open files
			s.litter = s.file.Name()
		}
	}
	_, err = s.file.WriteAt(p, off)
	return err
}

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

// recall fills p with what has been read before.
func (s *spool) recall(p []byte, off int64) error {
	if off < int64(len(s.memory)) {
		n := copy(p, s.memory[off:])
		p, off = p[n:], off+int64(n)
	}
	if len(p) == 0 {
		return nil
	}
	_, err := s.file.ReadAt(p, off-spoolMemory)
	return err
}

// Close removes the temporary file.
func (s *spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = os.ErrClosed
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.litter != "" {
		err = errors.Join(err, os.Remove(s.litter))
	}
	return err
}
