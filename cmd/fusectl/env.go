package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"fusectl/internal/npyio"
	"fusectl/internal/ops"
)

// env is what a command runs in: where its inputs come from and its result
// goes, and the flags that all commands have. A command asks it for arrays and
// hands it the one it made, and never learns what becomes of it.
type env struct {
	stdin, stdout, stderr *os.File
	common
	opened    []*npyio.File
	mu        sync.Mutex
	begun     []*npyio.Output
	stdinUsed bool
	started   time.Time
}

func (e *env) close() {
	for _, f := range e.opened {
		f.Close()
	}
}

// abandon removes the outputs that were begun, whatever is still at work on
// them.
func (e *env) abandon() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.begun {
		f.Abort()
	}
}

// open is the array in the file at path, or on standard input if that is "-".
func (e *env) open(path string) (ops.Array, error) {
	if e.started.IsZero() {
		e.started = time.Now()
	}
	o := npyio.Options{MaxHeader: int(e.maxHeader), As: e.as.t}
	var f *npyio.File
	var err error
	if path == "-" {
		if e.stdinUsed {
			return nil, usagef("standard input (-) can be read only once")
		}
		e.stdinUsed = true
		if term.IsTerminal(int(e.stdin.Fd())) {
			err := usagef("standard input is a terminal: want an array from a pipe or a file")
			err.hints = []string{"name a file, or pipe one in: cat a.npy | fusectl ..."}
			return nil, err
		}
		f, err = npyio.OpenStdin(e.stdin, o)
	} else {
		f, err = npyio.Open(path, o)
	}
	if err != nil {
		return nil, err
	}
	e.opened = append(e.opened, f)
	for _, w := range f.Warnings() {
		e.warn("%s: %s", f.Name(), w)
	}
	if !f.Header().FortranOrder {
		return f, nil
	}
	return ops.Transpose(f, reversed(len(f.Shape())))
}

func reversed(n int) []int {
	perm := make([]int, n)
	for i := range perm {
		perm[i] = n - 1 - i
	}
	return perm
}

func (e *env) openAll(paths []string) ([]ops.Array, error) {
	xs := make([]ops.Array, len(paths))
	for i, p := range paths {
		var err error
		if xs[i], err = e.open(p); err != nil {
			return nil, err
		}
	}
	return xs, nil
}

// openOptional is open for a flag that may be absent or say "none": nil then.
func (e *env) openOptional(path string) (ops.Array, error) {
	if path == "" || path == "none" {
		return nil, nil
	}
	return e.open(path)
}

func (e *env) warn(format string, args ...any) {
	if !e.quiet {
		fmt.Fprintf(e.stderr, "fusectl: warning: "+format+"\n", args...)
	}
}

// finish takes a command's result: it casts it as --dtype says, and plans,
// computes and writes it.
func (e *env) finish(ctx context.Context, out ops.Array) error {
	if strings.Contains(e.output, "{}") {
		return usagef("-o %s: this command writes one array, which {} can't number", e.output)
	}
	return e.finishAll(ctx, []ops.Array{out}, []string{e.output})
}

// finishAll is finish for several arrays that go to a path each. None of them
// takes its name before all are complete.
func (e *env) finishAll(ctx context.Context, outs []ops.Array, paths []string) error {
	plans := make([]*ops.Plan, len(outs))
	meter := newMeter(e)
	if e.threads < 1 {
		return usagef("--threads %d: want at least 1", e.threads)
	}
	for i, x := range outs {
		if t := e.dtype.t; t.Size() > 0 {
			var err error
			if x, err = ops.Cast(x, t); err != nil {
				return err
			}
		}
		var err error
		plans[i], err = ops.NewPlan(x, ops.Options{Threads: e.threads, Memory: int64(e.memory), Progress: meter.add})
		if err != nil {
			return err
		}
		meter.total += plans[i].Work()
	}
	if e.dryRun {
		return e.describe(plans, paths)
	}
	files := make([]*npyio.Output, len(outs))
	defer e.abandon() // does nothing to those that are committed
	for i, p := range plans {
		var err error
		if files[i], err = e.create(paths[i], p.Out()); err != nil {
			return err
		}
	}
	meter.start()
	defer meter.stop()
	for i, p := range plans {
		if err := write(ctx, p, files[i]); err != nil {
			return err
		}
	}
	meter.stop()
	for i, f := range files {
		if err := f.Commit(); err != nil {
			return err
		}
		if e.verbose {
			x := plans[i].Out()
			fmt.Fprintf(e.stderr, "fusectl: wrote %s: %v %v in %v\n", paths[i], x.DType(), x.Shape(), time.Since(e.started).Round(time.Microsecond))
		}
	}
	return nil
}

func write(ctx context.Context, p *ops.Plan, f *npyio.Output) error {
	if f.Seekable() {
		return p.WriteAt(ctx, f)
	}
	return p.WriteTo(ctx, f)
}

// create begins the output at path, or on standard output if that is "-".
func (e *env) create(path string, x ops.Array) (f *npyio.Output, err error) {
	if path == "-" {
		if term.IsTerminal(int(e.stdout.Fd())) {
			err := usagef("standard output is a terminal, which can't show an array")
			err.hints = []string{"write it to a file with -o PATH, or pipe it on"}
			return nil, err
		}
		f, err = npyio.Stdout(e.stdout, x.DType(), x.Shape())
	} else {
		f, err = npyio.Create(path, x.DType(), x.Shape(), npyio.CreateOptions{NoClobber: e.noClobber})
	}
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begun = append(e.begun, f)
	return f, nil
}
