package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/recipe"
	"fusectl/internal/shape"
)

// step is one command line: its flags, and where its inputs come from and its
// result goes. A command asks it for arrays and hands it the one it made, and
// never learns whether that goes to a file, to the next step of a chain or to a
// name in a recipe.
type step struct {
	*job
	writing
	line   *recipe.Step                     // of a chain or a recipe; nil: the command is all there is
	within *recipeRun                       // in a recipe: what its names stand for
	piped  *piped                           // in a later step of a chain: what - stands for
	keep   func(name string, x graph.Array) // takes the results; nil: they are written
}

// newStep is the first step of a job.
func (j *job) newStep() *step { return &step{job: j, writing: writing{common: defaults()}} }

// unbound is a step that nothing carries out, for a look at a command's flags.
func unbound() *step { return newSession(nil, nil, nil).newJob().newStep() }

// piped is the result of the step before.
type piped struct {
	array graph.Array
	used  bool
}

// check refuses a step that leaves the result before it unused.
func (p *piped) check() error {
	if p == nil || p.used {
		return nil
	}
	u := usagef("the result of the step before is not used")
	u.hints = []string{"name it -, among the inputs"}
	return u
}

// open is the array that path names: a result of a step before, the file of
// that path, or standard input if it is "-".
func (st *step) open(path string) (graph.Array, error) {
	if st.within != nil {
		if x, ok, err := st.within.open(path); ok || err != nil {
			return x, err
		}
	}
	if path = st.path(path); path == "-" && st.piped != nil {
		st.piped.used = true
		return st.piped.array, nil
	}
	if st.first == "" {
		st.first = path
	}
	in, err := st.openFile(path, st.common)
	if r := (*npyio.ReadError)(nil); st.within != nil && errors.As(err, &r) && errors.Is(err, fs.ErrNotExist) {
		if recipe.IsName(path) {
			r.Hints = append(r.Hints, fmt.Sprintf("%s is no name of the recipe: give it a file on the command line, %s=FILE", path, path))
		} else if strings.ContainsAny(path, "*?[~$") {
			r.Hints = append(r.Hints, "a recipe's words are taken as they stand: *, ? and [] match nothing, and ~ and $ are not expanded")
		}
	}
	if err != nil {
		return nil, err
	}
	return in.array, nil
}

// path is the path that text stands for: that of an archive to which a recipe
// gives a name, or that of standard input where it is redirected from an archive.
func (st *step) path(text string) string {
	text = st.within.path(text)
	if text == "-" && st.piped == nil && st.stdinFree() && npyio.IsOpenArchive(st.stdin) {
		return "/dev/stdin"
	}
	return text
}

func (st *step) openAll(paths []string) ([]graph.Array, error) {
	xs := make([]graph.Array, len(paths))
	for i, p := range paths {
		var err error
		if xs[i], err = st.open(p); err != nil {
			return nil, err
		}
	}
	return xs, nil
}

// operand is x as an operation takes it: in a dtype from which its result can be
// rounded to --dtype once. A float16 sum with --dtype float32 is made of float32
// numbers, and one of uint8 numbers with --dtype int32 of int32 ones, as NumPy's
// dtype= has it; integers whose result is a float are computed as float64.
func (st *step) operand(x graph.Array) (graph.Array, error) {
	t := st.dtype.t
	if t.Size() == 0 || x.DType().IsOpaque() || t.IsOpaque() {
		return x, nil
	}
	if t.IsFloat() && !x.DType().IsFloat() && !x.DType().IsComplex() {
		t = dtype.Float64
	}
	if wide, odd, _ := dtype.Result([]dtype.Type{x.DType(), t}); odd < 0 {
		return ops.Cast(x, wide)
	}
	return x, nil
}

// openOperands is openAll for an operation.
func (st *step) openOperands(paths []string) ([]graph.Array, error) {
	xs, err := st.openAll(paths)
	if err != nil {
		return nil, err
	}
	for i, x := range xs {
		if xs[i], err = st.operand(x); err != nil {
			return nil, err
		}
	}
	return xs, nil
}

// openOptional is open for a flag that may be absent or say "none": nil then.
func (st *step) openOptional(path string) (graph.Array, error) {
	if path == "" || path == "none" {
		return nil, nil
	}
	return st.open(path)
}

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

// warn tells of what may surprise.
func (st *step) warn(format string, args ...any) { st.job.warn(st.common, format, args...) }

// options say how something is computed; only, that nothing else reads its sources
// afterwards.
func (c common) options(only bool) graph.Options {
	return graph.Options{Threads: c.threads, Memory: int64(c.memory), Base: ownMemory, Only: only}
}

// channel is the axis of x that has its channels; -1 where x has no axes.
func (c common) channel(x graph.Array) int {
	return shape.Layout(c.layout).Channel(len(x.Shape()))
}
