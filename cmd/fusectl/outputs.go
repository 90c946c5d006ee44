package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
)

// finish takes a command's result: it casts it as --dtype says, and plans,
// computes and writes it, or keeps it for the steps that come.
func (st *step) finish(ctx context.Context, out graph.Array) error {
	if err := st.checkOutput(false); err != nil {
		return err
	}
	return st.finishAll(ctx, []graph.Array{out}, []string{st.output})
}

// checkOutput refuses an output that doesn't go with one result, or several.
func (st *step) checkOutput(several bool) error {
	switch numbered := strings.Contains(st.output, "{}"); {
	case several && !numbered && !(npyio.InArchive(st.output) && st.line == nil):
		u := usagef("several results need a {} in the output's name, which numbers them, or an archive: got %s", st.output)
		u.hints = []string{"-o 'p{}.npy' writes p2.npy, p3.npy, ...; -o 'p.npz:p{}' one archive of them"}
		return u
	case numbered && !several:
		return usagef("%s: one result, which {} can't number", st.output)
	}
	return nil
}

// finishNumbered is finish for several results, of which {} in the output's
// name numbers the first by first.
func (st *step) finishNumbered(ctx context.Context, outs []graph.Array, first int) error {
	if err := st.checkOutput(true); err != nil {
		return err
	}
	paths := make([]string, len(outs))
	for i := range paths {
		paths[i] = strings.ReplaceAll(st.output, "{}", strconv.Itoa(first+i))
	}
	return st.finishAll(ctx, outs, paths)
}

// finishWith is finish for a result and another one that goes to a path of its
// own, if that isn't "".
func (st *step) finishWith(ctx context.Context, out graph.Array, path string, other graph.Array) error {
	if path == "" {
		return st.finish(ctx, out)
	}
	if err := st.checkOutput(false); err != nil {
		return err
	}
	if st.keep != nil {
		return usagef("%s: only the last step writes", path)
	}
	return st.finishAll(ctx, []graph.Array{out, other}, []string{st.output, path})
}

// finishAll is finish for several arrays that go to a path each. None of them
// takes its name before all are complete.
func (st *step) finishAll(ctx context.Context, outs []graph.Array, paths []string) error {
	outs, paths = slices.Clone(outs), slices.Clone(paths)
	for i, x := range outs {
		if t := st.dtype.t; t.Size() > 0 {
			var err error
			if outs[i], err = ops.Rounded(x, t); err != nil {
				return err
			}
		}
	}
	if st.line != nil {
		if err := st.piped.check(); err != nil {
			return err
		}
		st.record(outs)
	}
	if st.keep != nil {
		if st.output != st.line.Name && (st.line.Name != "" || st.output != "-") {
			return usagef("-o %s: the result of this step goes to the next ones; only the whole has outputs", st.output)
		}
		for i, x := range outs {
			st.keep(paths[i], x)
		}
		return nil
	}
	return st.compute(ctx, st.writing, outs, paths)
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
	o.Store = j.shared.packed
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
		for _, in := range j.read(plan) {
			fmt.Fprintf(j.stderr, "fusectl: read %v\n", j.newArrayReport(in))
		}
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
const ownMemory = 17 << 19

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
	if err := j.claimStdout(); err != nil {
		return nil, err
	}
	return set.Stdout(j.stdout, x.DType(), s)
}
