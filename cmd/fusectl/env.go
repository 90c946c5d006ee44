package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/recipe"
	"fusectl/internal/shape"
)

// session is what all steps of one run of the program share.
type session struct {
	stdin, stdout, stderr *os.File
	out                   *report            // what is printed on stdout
	files                 map[fileKey]*input // what has been opened
	descriptors           *npyio.Descriptors // that are open for it
	pipes                 *npyio.Pipes
	drawn                 map[string]*drawn // pipes that are being opened
	mu                    sync.Mutex
	begun                 []*npyio.Outputs
	archives              map[fileKey]*npyio.Archive
	stdinUsed             bool
	depth, steps          int    // of recipes
	first                 string // the path of the first input
	started               time.Time
	reports               []stepReport // of a chain's or a recipe's steps, for --dry-run
}

// report is text for standard output. It remembers the first error, which ends
// the program with the status of an output that can't be written.
type report struct {
	w   io.Writer
	err error
}

func (r *report) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	if err == nil {
		return n, nil
	}
	if r.err == nil {
		r.err = &npyio.WriteError{Name: "standard output", Msg: npyio.Bare(err), Err: err}
	}
	return n, r.err
}

// fileKey is a path with the options that it is read by.
type fileKey struct {
	path string
	as   dtype.Type
}

// input is a file and the array in it, in C order.
type input struct {
	file  *npyio.File
	array graph.Array
}

// env is what a command runs in: where its inputs come from and its result
// goes, and the flags that all commands have. A command asks it for arrays and
// hands it the one it made, and never learns whether that goes to a file, to
// the next step of a chain or to a name in a recipe.
type env struct {
	*session
	common
	step   *recipe.Step // of a chain or a recipe; nil: the command is all there is
	within *recipeRun   // in a recipe: what its names stand for
	piped  *piped       // in a later step of a chain: what - stands for
	keep   func(name string, x graph.Array)
	order  npyio.CreateOptions // of the bytes that are written
}

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

func newEnv(stdin, stdout, stderr *os.File) *env {
	return &env{
		session: &session{stdin: stdin, stdout: stdout, stderr: stderr, out: &report{w: stdout}, files: map[fileKey]*input{}, descriptors: npyio.NewDescriptors(), pipes: npyio.NewPipes(), drawn: map[string]*drawn{}, archives: map[fileKey]*npyio.Archive{}, started: time.Now()},
		common:  defaults(),
	}
}

func (s *session) close() {
	for _, in := range s.files {
		in.file.Close()
	}
	for _, a := range s.archives {
		a.Close()
	}
}

// abandon removes the outputs that were begun, whatever is still at work on
// them.
func (s *session) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.begun {
		f.Abort()
	}
}

// open is the array that path names: a result of a step before, the file of
// that path, or standard input if it is "-".
func (e *env) open(path string) (graph.Array, error) {
	if e.within != nil {
		if x, ok, err := e.within.open(path); ok || err != nil {
			return x, err
		}
	}
	if path = e.path(path); path == "-" && e.piped != nil {
		e.piped.used = true
		return e.piped.array, nil
	}
	if e.first == "" {
		e.first = path
	}
	in, err := e.openFile(path)
	if err != nil {
		return nil, err
	}
	return in.array, nil
}

// openFile opens a file, or finds it open.
func (e *env) openFile(path string) (*input, error) {
	key := fileKey{path, e.as.t}
	if in, ok := e.files[key]; ok && path != "-" {
		return in, nil
	}
	f, err := e.openNew(path)
	if r := (*npyio.ReadError)(nil); e.within != nil && errors.As(err, &r) && errors.Is(err, fs.ErrNotExist) {
		if recipe.IsName(path) {
			r.Hints = append(r.Hints, fmt.Sprintf("%s is no name of the recipe: give it a file on the command line, %s=FILE", path, path))
		} else if strings.ContainsAny(path, "*?[~$") {
			r.Hints = append(r.Hints, "a recipe's words are taken as they stand: *, ? and [] match nothing, and ~ and $ are not expanded")
		}
	}
	if err != nil {
		return nil, err
	}
	return e.keepFile(key, f)
}

// openNew opens a file that isn't open.
func (e *env) openNew(path string) (*npyio.File, error) {
	if path == "-" {
		if err := e.useStdin("an array"); err != nil {
			return nil, err
		}
	}
	if d := e.drawn[path]; d != nil {
		<-d.opened
		return d.file, d.err
	}
	if path == "-" {
		return npyio.OpenStdin(e.stdin, e.reading(e.session))
	}
	archive, member, ok := npyio.Address(path)
	if !ok {
		return npyio.Open(path, e.reading(e.session))
	}
	a, err := e.openArchive(archive)
	if err != nil {
		return nil, err
	}
	return a.Open(member)
}

// reading says how inputs are read.
func (c common) reading(s *session) npyio.Options {
	return npyio.Options{MaxHeader: int(c.maxHeader), As: c.as.t, Files: s.descriptors, Pipes: s.pipes}
}

// useStdin takes standard input, for once, to read what from.
func (e *env) useStdin(what string) error {
	if e.stdinUsed {
		return usagef("standard input (-) can be read only once")
	}
	e.stdinUsed = true
	if term.IsTerminal(int(e.stdin.Fd())) {
		err := usagef("standard input is a terminal: want %s from a pipe or a file", what)
		err.hints = []string{"name a file, or pipe one in: cat a.npy | fusectl ..."}
		return err
	}
	return nil
}

// path is the path that text stands for: that of an archive to which a recipe
// gives a name, or that of standard input where it is redirected from an archive.
func (e *env) path(text string) string {
	text = e.within.path(text)
	if text == "-" && e.piped == nil && !e.stdinUsed && npyio.IsOpenArchive(e.stdin) {
		return "/dev/stdin"
	}
	return text
}

// openArchive opens an archive, or finds it open: its directory is read once, and
// all its members share one descriptor.
func (e *env) openArchive(path string) (*npyio.Archive, error) {
	key := fileKey{path, e.as.t}
	if a := e.archives[key]; a != nil {
		return a, nil
	}
	a, err := npyio.OpenArchive(path, e.reading(e.session))
	if err == nil {
		e.archives[key] = a
	}
	return a, err
}

// keepFile takes an open file among those of the session.
func (e *env) keepFile(key fileKey, f *npyio.File) (in *input, err error) {
	in = &input{f, f}
	e.files[key] = in
	for _, w := range f.Warnings() {
		e.warn("%s: %s", f.Name(), w)
	}
	if f.Header().FortranOrder {
		in.array, err = ops.Transpose(f, reversed(len(f.Shape())))
	}
	return in, err
}

func reversed(n int) []int {
	perm := make([]int, n)
	for i := range perm {
		perm[i] = n - 1 - i
	}
	return perm
}

func (e *env) openAll(paths []string) ([]graph.Array, error) {
	xs := make([]graph.Array, len(paths))
	for i, p := range paths {
		var err error
		if xs[i], err = e.open(p); err != nil {
			return nil, err
		}
	}
	return xs, nil
}

// operand is x as an operation takes it: in a dtype from which its result can be
// rounded to --dtype once. A float16 sum with --dtype float32 is made of float32
// numbers, and one of uint8 numbers with --dtype int32 of int32 ones, as NumPy's
// dtype= has it; integers whose result is a float are computed as float64.
func (e *env) operand(x graph.Array) (graph.Array, error) {
	t := e.dtype.t
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
func (e *env) openOperands(paths []string) ([]graph.Array, error) {
	xs, err := e.openAll(paths)
	if err != nil {
		return nil, err
	}
	for i, x := range xs {
		if xs[i], err = e.operand(x); err != nil {
			return nil, err
		}
	}
	return xs, nil
}

// openOptional is open for a flag that may be absent or say "none": nil then.
func (e *env) openOptional(path string) (graph.Array, error) {
	if path == "" || path == "none" {
		return nil, nil
	}
	return e.open(path)
}

func (e *env) warn(format string, args ...any) {
	if !e.quiet {
		fmt.Fprintf(e.stderr, "fusectl: warning: %s\n", plain(fmt.Sprintf(format, args...)))
	}
}

// finish takes a command's result: it casts it as --dtype says, and plans,
// computes and writes it, or keeps it for the steps that come.
func (e *env) finish(ctx context.Context, out graph.Array) error {
	if err := e.checkOutput(false); err != nil {
		return err
	}
	return e.finishAll(ctx, []graph.Array{out}, []string{e.output})
}

// checkOutput refuses an output that doesn't go with one result, or several.
func (e *env) checkOutput(several bool) error {
	switch numbered := strings.Contains(e.output, "{}"); {
	case several && !numbered && !(npyio.InArchive(e.output) && e.step == nil):
		u := usagef("several results need a {} in the output's name, which numbers them, or an archive: got %s", e.output)
		u.hints = []string{"-o 'p{}.npy' writes p2.npy, p3.npy, ...; -o 'p.npz:p{}' one archive of them"}
		return u
	case numbered && !several:
		return usagef("%s: one result, which {} can't number", e.output)
	}
	return nil
}

// finishNumbered is finish for several results, of which {} in the output's
// name numbers the first by first.
func (e *env) finishNumbered(ctx context.Context, outs []graph.Array, first int) error {
	if err := e.checkOutput(true); err != nil {
		return err
	}
	paths := make([]string, len(outs))
	for i := range paths {
		paths[i] = strings.ReplaceAll(e.output, "{}", strconv.Itoa(first+i))
	}
	return e.finishAll(ctx, outs, paths)
}

// finishWith is finish for a result and another one that goes to a path of its
// own, if that isn't "".
func (e *env) finishWith(ctx context.Context, out graph.Array, path string, other graph.Array) error {
	if path == "" {
		return e.finish(ctx, out)
	}
	if err := e.checkOutput(false); err != nil {
		return err
	}
	if e.keep != nil {
		return usagef("%s: only the last step writes", path)
	}
	return e.finishAll(ctx, []graph.Array{out, other}, []string{e.output, path})
}

// finishAll is finish for several arrays that go to a path each. None of them
// takes its name before all are complete.
func (e *env) finishAll(ctx context.Context, outs []graph.Array, paths []string) error {
	outs, paths = slices.Clone(outs), slices.Clone(paths)
	for i, x := range outs {
		if t := e.dtype.t; t.Size() > 0 {
			var err error
			if outs[i], err = ops.Rounded(x, t); err != nil {
				return err
			}
		}
	}
	if e.step != nil {
		if err := e.piped.check(); err != nil {
			return err
		}
		e.record(outs)
	}
	if e.keep != nil {
		if e.output != e.step.Name && (e.step.Name != "" || e.output != "-") {
			return usagef("-o %s: the result of this step goes to the next ones; only the whole has outputs", e.output)
		}
		for i, x := range outs {
			e.keep(paths[i], x)
		}
		return nil
	}
	return e.compute(ctx, outs, paths)
}

// inFolder is path, or where that is a folder the first input's name in it.
func (e *env) inFolder(path string) (string, error) {
	info, err := os.Stat(path)
	if path == "-" || (err != nil || !info.IsDir()) && !strings.HasSuffix(path, "/") {
		return path, nil
	}
	name := filepath.Base(e.first)
	if _, member, ok := npyio.Address(e.first); ok {
		name = filepath.Base(member)
	}
	if e.first == "" || e.first == "-" || !filepath.IsLocal(name) {
		u := usagef("-o %s: is a folder, and no input is a file whose name the result could take", npyio.Printable(path))
		u.hints = []string{"name the file: -o " + npyio.Printable(filepath.Join(path, "NAME.npy"))}
		return "", u
	}
	return filepath.Join(path, strings.TrimSuffix(name, ".npy")+".npy"), nil
}

// compute plans, computes and writes arrays.
func (e *env) compute(ctx context.Context, outs []graph.Array, paths []string) (err error) {
	for i, path := range paths {
		if paths[i], err = e.inFolder(path); err != nil {
			return err
		}
	}
	meter := newMeter(e)
	o := e.options(true)
	o.Base += stepMemory * int64(len(e.reports))
	o.InOrder = slices.ContainsFunc(paths, inOrder)
	meter.measure(&o)
	plan, err := graph.NewPlan(o, outs...)
	if err != nil {
		return err
	}
	if e.dryRun {
		for _, path := range paths {
			if err := npyio.CheckFolder(path); err != nil {
				return err
			}
		}
		return e.describe(plan, paths)
	}
	set := e.newOutputs()
	defer set.Abort() // does nothing to what is committed
	files := make([]*npyio.Output, len(outs))
	for i, x := range outs {
		if files[i], err = e.create(set, paths[i], x); err != nil {
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
	if e.verbose {
		for i, x := range outs {
			fmt.Fprintf(e.stderr, "fusectl: wrote %s: %v %v in %v\n", npyio.Printable(paths[i]), x.DType(), x.Shape(), time.Since(e.started).Round(time.Microsecond))
		}
		if peak, ok := peakMemory(); ok {
			fmt.Fprintf(e.stderr, "fusectl: held %d bytes of memory at the peak\n", peak)
		}
	}
	return nil
}

// options say how something is computed; only, that nothing else reads its sources
// afterwards.
func (e *env) options(only bool) graph.Options {
	return graph.Options{Threads: e.threads, Memory: int64(e.memory), Base: ownMemory, Only: only}
}

// channel is the axis of x that has its channels; -1 where x has no axes.
func (e *env) channel(x graph.Array) int {
	return shape.Layout(e.layout).Channel(len(x.Shape()))
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
func (e *env) newOutputs() *npyio.Outputs {
	o := e.order
	o.NoClobber = e.noClobber
	set := npyio.NewOutputs(o)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begun = append(e.begun, set)
	return set
}

// create begins the output at path, or on standard output if that is "-".
func (e *env) create(set *npyio.Outputs, path string, x graph.Array) (*npyio.Output, error) {
	s := x.Shape()
	if e.order.Fortran { // x comes transposed
		s = s.Permute(reversed(len(s)))
	}
	if path != "-" {
		return set.Create(path, x.DType(), s)
	}
	if term.IsTerminal(int(e.stdout.Fd())) {
		err := usagef("standard output is a terminal, which can't show an array")
		err.hints = []string{"write it to a file with -o PATH, or pipe it on"}
		return nil, err
	}
	return set.Stdout(e.stdout, x.DType(), s)
}
