package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/recipe"
)

// A fault of fusectl itself is never said to be one of the command line: it asks for a
// report, and shows where it happened with -v.
func TestReport(t *testing.T) {
	fault := &graph.PanicError{Value: "the sky fell", Stack: []byte("goroutine 7 [running]:\nsky.fall()")}
	for _, c := range []struct {
		err     error
		verbose bool
		status  int
		says    []string
		never   string
	}{
		{fault, false, 70, []string{"internal error: the sky fell", "please report it"}, "goroutine"},
		{fmt.Errorf("add: %w", fault), true, 70, []string{"the sky fell", "please report it", "sky.fall()"}, ""},
		{errors.New("nobody knows this one"), false, 70, []string{"nobody knows this one", "please report it"}, ""},
		{usagef("no such flag"), false, 2, []string{"no such flag"}, "report"},
		{&recipe.Error{Msg: "line"}, false, 2, nil, "report"},
		{&npyio.ReadError{Name: "x.npy", Msg: "is empty"}, false, 3, []string{"x.npy: is empty"}, "report"},
		{&graph.Error{Name: "x.npy", Msg: "is round"}, false, 4, []string{"x.npy: is round"}, "report"},
		{&npyio.WriteError{Name: "y.npy", Msg: "is full"}, false, 5, []string{"y.npy: is full"}, "report"},
		{errors.New("\x1b[2J" + strings.Repeat("long ", 1e6)), false, 70, []string{`\x1b[2J`}, "\x1b"},
	} {
		path := filepath.Join(t.TempDir(), "stderr")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		flags := defaults()
		flags.verbose = c.verbose
		if got := newSession(os.Stdin, os.Stdout, f).report(flags, "fusectl add", c.err); got != c.status {
			t.Errorf("%.50v: status %d, want %d", c.err, got, c.status)
		}
		f.Close()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.says {
			if !strings.Contains(string(text), want) {
				t.Errorf("%.50v: says\n%.300s\nwant %q in it", c.err, text, want)
			}
		}
		if c.never != "" && strings.Contains(string(text), c.never) {
			t.Errorf("%.50v: says %q:\n%.300s", c.err, c.never, text)
		}
		if len(text) > 10_000 {
			t.Errorf("%.50v: a message of %d bytes", c.err, len(text))
		}
	}
}

// A panic while a command line is carried out is caught.
func TestPanicIsCaught(t *testing.T) {
	st := newSession(os.Stdin, os.Stdout, os.Stderr).newJob().newStep()
	st.files = nil // which opening an input writes to
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := os.WriteFile(path, append(npyio.NewHeader(dtype.Bool, nil).Encode(), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	var fault *graph.PanicError
	if o := st.carryOut(t.Context(), []string{"gap", path}); !errors.As(o.err, &fault) || len(fault.Stack) == 0 {
		t.Errorf("got %v", o.err)
	}
}
