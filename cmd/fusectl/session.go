package main

import (
	"context"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
)

// session holds all that a process shares between its jobs: its standard streams
// and the descriptors that all their files count against. Several jobs may use it at once.
type session struct {
	stdin, stdout, stderr *os.File
	out                   *report            // what is printed on stdout
	descriptors           *npyio.Descriptors // files are opened when they are read, and closed where they are too many

	mu        sync.Mutex
	stdinOf   *job // the one that reads standard input; nil: none yet
	stdinUsed bool
	stdoutOf  *job          // the one that writes an array to standard output; nil: none yet
	jobs      map[*job]bool // those under way
	shared    shared
}

func newSession(stdin, stdout, stderr *os.File) *session {
	return &session{
		stdin: stdin, stdout: stdout, stderr: stderr, out: &report{w: stdout},
		descriptors: npyio.NewDescriptors(), jobs: map[*job]bool{},
		shared: shared{files: map[fileKey]*npyio.File{}, packed: graph.NewStore()},
	}
}

// carryOut runs a command line as a job of its own.
func (s *session) carryOut(ctx context.Context, args []string) outcome {
	j := s.newJob()
	defer j.close()
	return j.newStep().carryOut(ctx, args)
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
func (j *job) useStdin(what string) error {
	if !j.claimStdin() {
		return usagef("standard input (-) can be read only once")
	}
	j.mu.Lock()
	j.stdinUsed = true
	j.mu.Unlock()
	if term.IsTerminal(int(j.stdin.Fd())) {
		err := usagef("standard input is a terminal: want %s from a pipe or a file", what)
		err.hints = []string{"name a file, or pipe one in: cat a.npy | fusectl ..."}
		return err
	}
	return nil
}

// claimStdin keeps standard input for the job, and reports whether it is free for
// it: unused, and no other job's.
func (j *job) claimStdin() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stdinUsed || j.stdinOf != nil && j.stdinOf != j {
		return false
	}
	j.stdinOf = j
	return true
}

// stdinFree reports whether claimStdin would succeed.
func (j *job) stdinFree() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.stdinUsed && (j.stdinOf == nil || j.stdinOf == j)
}

// claimStdout keeps standard output for the arrays of the job, which must be the
// only one that writes them there.
func (j *job) claimStdout() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stdoutOf != nil && j.stdoutOf != j {
		err := usagef("standard output takes the array of one job: another one has written its own")
		err.hints = []string{"name a file for each, by -o PATH"}
		return err
	}
	j.stdoutOf = j
	return nil
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
