package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
)

// job is one graph with its inputs and outputs: what all steps of a command line
// share, be it one command, a chain or a recipe. Its files are its own, and are
// closed with it.
type job struct {
	*session
	files    map[fileKey]*input // what has been opened
	archives map[fileKey]*npyio.Archive
	drawn    map[string]*drawn // pipes that are being opened
	begun    []*npyio.Outputs  // guarded by the session's mu, for abandon
	first    string            // the path of the first input
	recipes  recipeCount
	reports  []stepReport // of a chain's or a recipe's steps, for --dry-run
	started  time.Time
}

// recipeCount is how deep recipes run each other, and how many steps they have.
type recipeCount struct{ depth, steps int }

func (s *session) newJob() *job {
	j := &job{session: s, files: map[fileKey]*input{}, archives: map[fileKey]*npyio.Archive{}, drawn: map[string]*drawn{}, started: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[j] = true
	return j
}

// close ends a job: it closes its files.
func (j *job) close() {
	for _, in := range j.files {
		in.file.Close()
	}
	for _, a := range j.archives {
		a.Close()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.jobs, j)
}

// inFolder is path, or where that is a folder the first input's name in it.
func (j *job) inFolder(path string) (string, error) {
	info, err := os.Stat(path)
	if path == "-" || (err != nil || !info.IsDir()) && !strings.HasSuffix(path, "/") {
		return path, nil
	}
	name := filepath.Base(j.first)
	if _, member, ok := npyio.Address(j.first); ok {
		name = filepath.Base(member)
	}
	if j.first == "" || j.first == "-" || !filepath.IsLocal(name) {
		u := usagef("-o %s: is a folder, and no input is a file whose name the result could take", npyio.Printable(path))
		u.hints = []string{"name the file: -o " + npyio.Printable(filepath.Join(path, "NAME.npy"))}
		return "", u
	}
	return filepath.Join(path, strings.TrimSuffix(name, ".npy")+".npy"), nil
}

// writing says how results are computed and written.
type writing struct {
	common
	order npyio.CreateOptions // of the bytes
}

// compute plans, computes and writes arrays, each to a path.
func (j *job) compute(ctx context.Context, w writing, outs []graph.Array, paths []string) (err error) {
	for i, path := range paths {
		if paths[i], err = j.inFolder(path); err != nil {
			return err
		}
	}
	meter := newMeter(j.stderr, w.common)
	o := w.options(true)
	o.Base += stepMemory * int64(len(j.reports))
	o.InOrder = slices.ContainsFunc(paths, inOrder)
	meter.measure(&o)
	plan, err := graph.NewPlan(o, outs...)
	if err != nil {
		return err
	}
	if w.dryRun {
		for _, path := range paths {
			if err := npyio.CheckFolder(path); err != nil {
				return err
			}
		}
		return j.describe(plan, w.json, paths)
	}
	set := j.newOutputs(w)
	defer set.Abort() // does nothing to what is committed
	files := make([]*npyio.Output, len(outs))
	for i, x := range outs {
		if files[i], err = j.create(set, paths[i], x, w.order.Fortran); err != nil {
			return err
		}
	}
	meter.start()
	defer meter.stop()
	for _, f := range files {
		if err := write(ctx, plan, f); err != nil {
			return err
		}
	}
	meter.stop()
	if err := set.Commit(); err != nil {
		return err
	}
	if w.verbose {
		for i, x := range outs {
			fmt.Fprintf(j.stderr, "fusectl: wrote %s: %v %v in %v\n", npyio.Printable(paths[i]), x.DType(), x.Shape(), time.Since(j.started).Round(time.Microsecond))
		}
		if peak, ok := peakMemory(); ok {
			fmt.Fprintf(j.stderr, "fusectl: held %d bytes of memory at the peak\n", peak)
		}
	}
	return nil
}

// ownMemory is about what the program takes before it holds any array.
const ownMemory = 15 << 19

// stepMemory is about what each step of a chain or a recipe adds to that.
const stepMemory = 64 << 10

func write(ctx context.Context, p *graph.Plan, f *npyio.Output) error {
	if f.Seekable() {
		return p.WriteAt(ctx, f)
	}
	return p.WriteTo(ctx, f)
}

// inOrder reports whether what goes to path is written in order.
func inOrder(path string) bool { return path == "-" || npyio.InArchive(path) }

// newOutputs begins a set of outputs that abandon knows of.
func (j *job) newOutputs(w writing) *npyio.Outputs {
	o := w.order
	o.NoClobber = w.noClobber
	set := npyio.NewOutputs(o)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.begun = append(j.begun, set)
	return set
}

// create begins the output at path, or on standard output if that is "-". A
// transposed x is written in Fortran order.
func (j *job) create(set *npyio.Outputs, path string, x graph.Array, transposed bool) (*npyio.Output, error) {
	s := x.Shape()
	if transposed {
		s = s.Permute(reversed(len(s)))
	}
	if path != "-" {
		return set.Create(path, x.DType(), s)
	}
	if term.IsTerminal(int(j.stdout.Fd())) {
		err := usagef("standard output is a terminal, which can't show an array")
		err.hints = []string{"write it to a file with -o PATH, or pipe it on"}
		return nil, err
	}
	return set.Stdout(j.stdout, x.DType(), s)
}
