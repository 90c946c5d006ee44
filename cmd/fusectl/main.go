// Command fusectl fuses feature maps held in NumPy .npy files: it
// concatenates, adds, multiplies and pools them, builds feature pyramids, and
// attends, as convolutional and transformer networks do.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program, with its exit status.
func run(args []string, stdin, stdout, stderr *os.File) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := newSession(stdin, stdout, stderr)
	ended := make(chan outcome, 1)
	go func() { ended <- s.carryOut(ctx, args) }()
	var o outcome
	select {
	case o = <-ended:
	case <-ctx.Done():
		// Workers notice between tiles. One that waits for a pipe may never do:
		// then what it has begun is given up here.
		select {
		case o = <-ended:
		case <-time.After(time.Second):
			s.abandon()
			return exitInterrupted
		}
	}
	if s.out.err != nil && (o.err == nil || errors.Is(o.err, errDiffer)) {
		o.err = s.out.err
	}
	if ctx.Err() != nil && o.err != nil {
		return exitInterrupted
	}
	s.close()
	return s.end(o)
}

// outcome is the end of a command line: its error, nil if it was carried out.
type outcome struct {
	command string
	flags   common // that say how an error is reported
	err     error
}

// end reports how a command line ended, and gives the exit status.
func (s *session) end(o outcome) int {
	reported := (*reportedError)(nil)
	switch {
	case o.err == nil:
		return exitDone
	case errors.Is(o.err, errDiffer): // it has been reported
		return exitDiffer
	case errors.As(o.err, &reported):
		return reported.status
	}
	return s.report(o.flags, o.command, o.err)
}
