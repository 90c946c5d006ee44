package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/recipe"
	"fusectl/internal/shape"
)

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
		form := st.features(len(x.Shape()))
		st.forms[x], st.forms[xs[i]] = &form, &form
	}
	return xs, nil
}

// features names the axes of an array of ndim as operations on features read it: one of
// 3 axes is a sequence unless the layout names it exactly.
func (c common) features(ndim int) shape.Layout {
	l := shape.Layout(c.layout)
	if !l.Maps(ndim) {
		l = shape.NHWC
	}
	form, _ := l.Of(ndim, 0)
	return form
}

// takesMaps notes how an operation on maps reads inputs. told is the number of spatial axes
// where a kernel or a size tells it, and 0 where nothing does.
func (st *step) takesMaps(told int, xs ...graph.Array) {
	for _, x := range xs {
		if st.forms[x] == nil {
			st.forms[x] = new(shape.Layout)
		}
		*st.forms[x], _ = shape.Layout(st.layout).Of(len(x.Shape()), told)
	}
}

// namesAxes notes by which letters an operation names the axes of an input that
// openOperands has given; "" where it names none.
func (st *step) namesAxes(x graph.Array, letters string) { *st.forms[x] = shape.Layout(letters) }

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

// openOptional is open for a flag that may be absent or say "none": nil then.
func (st *step) openOptional(path string) (graph.Array, error) {
	if path == "" || path == "none" {
		return nil, nil
	}
	return st.open(path)
}

// open is the array that path names: a result of a step before, the file of
// that path, or standard input if it is "-"; or the part of one of these that an index selects.
func (st *step) open(path string) (graph.Array, error) {
	path = strings.TrimPrefix(path, guard)
	if name, text, ok := st.cutIndex(path); ok {
		index, err := parseIndex(name, text)
		if err != nil {
			return nil, err
		}
		x, err := st.open(name)
		if err != nil {
			return nil, err
		}
		if x, err = ops.Index(x, index); err == nil {
			st.parts = append(st.parts, x)
		}
		return x, err
	}
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

// fileKey is a path with the options that it is read by.
type fileKey struct {
	path string
	as   dtype.Type
}

// input is a file and the array in it, in C order.
type input struct {
	file   *npyio.File
	shared bool // by the jobs of the session, which closes it
	array  graph.Array
}

// reading says how a job's inputs are read.
func (j *job) reading(c common) npyio.Options {
	return npyio.Options{MaxHeader: int(c.maxHeader), As: c.as.t, Files: j.descriptors, Pipes: j.pipes}
}

// openFile opens a file, or finds it open.
func (j *job) openFile(path string, c common) (*input, error) {
	return j.opened(fileKey{path, c.as.t}, c, func() (*npyio.File, error) { return j.openNew(path, c) })
}

// opened finds a file open, in the job or shared by all, or has open open it.
// Standard input is opened anew, to be refused.
func (j *job) opened(key fileKey, c common, open func() (*npyio.File, error)) (*input, error) {
	if in, ok := j.files[key]; ok && key.path != "-" {
		return in, nil
	}
	in := &input{file: j.sharedFile(key), shared: true}
	if in.file == nil {
		f, err := open()
		if err != nil {
			return nil, err
		}
		in.file, in.shared = f, false
	}
	return in, j.keepFile(key, in, c)
}

// openNew opens a file that isn't open.
func (j *job) openNew(path string, c common) (*npyio.File, error) {
	if path == "-" {
		if err := j.useStdin("an array"); err != nil {
			return nil, err
		}
	}
	if d := j.drawn[path]; d != nil {
		return d.take()
	}
	if path == "-" {
		return npyio.OpenStdin(j.stdin, j.reading(c))
	}
	archive, member, ok := npyio.Address(path)
	if !ok {
		return npyio.Open(path, j.reading(c))
	}
	a, err := j.openArchive(archive, c)
	if err != nil {
		return nil, err
	}
	return a.Open(member)
}

// openArchive opens an archive, or finds it open: its directory is read once, and
// all its members share one descriptor.
func (j *job) openArchive(path string, c common) (*npyio.Archive, error) {
	key := fileKey{path, c.as.t}
	if a := j.archives[key]; a != nil {
		return a, nil
	}
	a, err := npyio.OpenArchive(path, j.reading(c))
	if err == nil {
		j.archives[key] = a
	}
	return a, err
}

// keepFile takes an open file among those of the job.
func (j *job) keepFile(key fileKey, in *input, c common) (err error) {
	j.files[key] = in
	for _, w := range in.file.Warnings() {
		j.warn(c, "%s: %s", in.file.Name(), w)
	}
	in.array = in.file
	if in.file.Header().FortranOrder {
		in.array, err = ops.Transpose(in.file, reversed(len(in.file.Shape())))
	}
	return err
}

func reversed(n int) []int {
	perm := make([]int, n)
	for i := range perm {
		perm[i] = n - 1 - i
	}
	return perm
}

// warn tells of what may surprise.
func (j *job) warn(c common, format string, args ...any) {
	if !c.quiet {
		fmt.Fprintf(j.stderr, "fusectl: warning: %s\n", plain(fmt.Sprintf(format, args...)))
	}
}
