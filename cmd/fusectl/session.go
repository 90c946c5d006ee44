package main

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"fusectl/internal/npyio"
)

// session is what a process shares: its standard streams, the descriptors and the
// pipes that all files count against, and the jobs under way. Several jobs may
// use it at once.
type session struct {
	stdin, stdout, stderr *os.File
	out                   *report            // what is printed on stdout
	descriptors           *npyio.Descriptors // files are opened when they are read, and closed where they are too many
	pipes                 *npyio.Pipes

	mu        sync.Mutex
	stdinUsed bool
	jobs      map[*job]bool // those under way
}

func newSession(stdin, stdout, stderr *os.File) *session {
	return &session{
		stdin: stdin, stdout: stdout, stderr: stderr, out: &report{w: stdout},
		descriptors: npyio.NewDescriptors(), pipes: npyio.NewPipes(), jobs: map[*job]bool{},
	}
}

// abandon removes the outputs that jobs have begun, whatever is still at work on
// them.
func (s *session) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for j := range s.jobs {
		for _, f := range j.begun {
			f.Abort()
		}
	}
}

// useStdin takes standard input, for once, to read what from.
func (s *session) useStdin(what string) error {
	s.mu.Lock()
	used := s.stdinUsed
	s.stdinUsed = true
	s.mu.Unlock()
	if used {
		return usagef("standard input (-) can be read only once")
	}
	if term.IsTerminal(int(s.stdin.Fd())) {
		err := usagef("standard input is a terminal: want %s from a pipe or a file", what)
		err.hints = []string{"name a file, or pipe one in: cat a.npy | fusectl ..."}
		return err
	}
	return nil
}

// stdinFree reports whether standard input has yet to be taken.
func (s *session) stdinFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.stdinUsed
}

// report is text for standard output. It remembers the first error, which ends
// the program with the status of an output that can't be written.
type report struct {
	w   io.Writer
	mu  sync.Mutex
	err error
}

func (r *report) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.w.Write(p)
	if err == nil {
		return n, nil
	}
	if r.err == nil {
		r.err = &npyio.WriteError{Name: "standard output", Msg: npyio.Bare(err), Err: err}
	}
	return n, r.err
}
