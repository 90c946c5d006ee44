package npyio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode"
)

// ReadError says that an input can't be read or is malformed.
type ReadError struct {
	Name  string   // the input: a path or "standard input"
	Msg   string   // one lower-case line
	Hints []string // what to do next, if there is anything
	Err   error    // the cause, if there is one
}

func (e *ReadError) Error() string { return line(e.Name, e.Msg) }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// WriteError says that an output can't be written.
type WriteError struct {
	Name  string   // the output: a path or "standard output"
	Msg   string   // one lower-case line
	Hints []string // what to do next, if there is anything
	Err   error    // the cause, if there is one
}

func (e *WriteError) Error() string { return line(e.Name, e.Msg) }

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }

// line is the message after the name.
func line(name, msg string) string {
	if name == "" {
		return msg
	}
	return Printable(name) + ": " + msg
}

// Printable is a name as a message shows it: quoted if it would break the line
// or trouble a terminal.
func Printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// malformed is a ReadError that has yet to learn the name of its input.
func malformed(format string, args ...any) *ReadError {
	return &ReadError{Msg: fmt.Sprintf(format, args...)}
}

func (e *ReadError) hint(hints ...string) *ReadError {
	e.Hints = append(e.Hints, hints...)
	return e
}

// readFailed gives err the name of the input it concerns. It leaves err as it
// is: several readers of a pipe may be told of the same one.
func readFailed(name string, err error) error {
	if e := (*ReadError)(nil); errors.As(err, &e) {
		named := *e
		named.Name = name
		return &named
	}
	return &ReadError{Name: name, Msg: Bare(err), Err: err}
}

func writeFailed(name string, err error) error {
	return &WriteError{Name: name, Msg: Bare(err), Err: err}
}

// Bare gives the system's words alone, without the operation and the path that
// package os puts before them: the name that the user gave stands there already.
func Bare(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	case errors.As(err, &call):
		err = call.Err
	}
	return err.Error()
}

// quoted is text from a file as a message may show it: escaped, and cut where
// it grows long.
func quoted(s string) string {
	const most = 60
	if len(s) <= most {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "..."
}
