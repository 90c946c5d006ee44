package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/recipe"
)

// The exit statuses, as --help gives them.
const (
	exitDone        = 0
	exitDiffer      = 1
	exitUsage       = 2
	exitInput       = 3
	exitMismatch    = 4
	exitOutput      = 5
	exitInternal    = 70
	exitInterrupted = 130
)

const exitTable = `Exit status:
    0  done
    1  the two arrays differ (diff alone)
    2  the command line is wrong
    3  an input can't be read or is malformed
    4  shapes or dtypes don't fit, or --memory is too small
    5  the output can't be written
   70  an error in fusectl itself
  130  interrupted`

// usageError says that the command line is wrong.
type usageError struct {
	msg   string
	hints []string
}

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) *usageError {
	return &usageError{msg: fmt.Sprintf(format, args...)}
}

// reportedError is an error that has been reported, by the status that it ends the
// program with.
type reportedError struct{ status int }

func (e *reportedError) Error() string { return fmt.Sprintf("failed with status %d", e.status) }

// reported reports an input that can't be read or doesn't fit, so that others can
// follow; other errors are left as they are.
func (st *step) reported(command string, err error) error {
	if status, _ := classify(err); err == nil || status != exitInput && status != exitMismatch {
		return err
	}
	return &reportedError{st.report(st.common, command, err)}
}

// classify gives an error's exit status and hints.
func classify(err error) (status int, hints []string) {
	var (
		usage    *usageError
		read     *npyio.ReadError
		write    *npyio.WriteError
		mismatch *graph.Error
		text     *recipe.Error
	)
	switch {
	case errors.As(err, &usage):
		return exitUsage, usage.hints
	case errors.As(err, &write): // which may wrap why an old archive can't be read
		return exitOutput, write.Hints
	case errors.As(err, &read):
		return exitInput, read.Hints
	case errors.As(err, &mismatch):
		return exitMismatch, mismatch.Hints
	case errors.As(err, &text):
		return exitUsage, nil
	}
	return exitInternal, []string{"this is a fault of fusectl: please report it with the command line, what fusectl version says, and what -v shows"}
}

// classified reports whether err is of a kind that fusectl knows.
func classified(err error) bool {
	status, _ := classify(err)
	panicked := (*graph.PanicError)(nil)
	return status != exitInternal || errors.As(err, &panicked)
}

// report prints an error, one line and its hints, or with --json one object,
// on standard error, and gives its exit status.
func (s *session) report(c common, command string, err error) int {
	status, hints := classify(err)
	if c.json {
		line, _ := json.Marshal(map[string]any{ // strings and ints always encode
			"error": err.Error(), "command": command, "status": status, "hints": append([]string{}, hints...),
		})
		fmt.Fprintf(s.stderr, "%s\n", line)
		return status
	}
	fmt.Fprintf(s.stderr, "%s: %s\n", command, plain(err.Error()))
	for _, h := range hints {
		fmt.Fprintf(s.stderr, "hint: %s\n", plain(h))
	}
	if p := (*graph.PanicError)(nil); c.verbose && errors.As(err, &p) {
		fmt.Fprintf(s.stderr, "%s\n", p.Stack)
	}
	return status
}
