package main

import (
	"fmt"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
)

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

// reading says how a job's inputs are read.
func (j *job) reading(c common) npyio.Options {
	return npyio.Options{MaxHeader: int(c.maxHeader), As: c.as.t, Files: j.descriptors, Pipes: j.pipes}
}

// openFile opens a file, or finds it open.
func (j *job) openFile(path string, c common) (*input, error) {
	key := fileKey{path, c.as.t}
	if in, ok := j.files[key]; ok && path != "-" {
		return in, nil
	}
	f, err := j.openNew(path, c)
	if err != nil {
		return nil, err
	}
	return j.keepFile(key, f, c)
}

// openNew opens a file that isn't open.
func (j *job) openNew(path string, c common) (*npyio.File, error) {
	if path == "-" {
		if err := j.useStdin("an array"); err != nil {
			return nil, err
		}
	}
	if d := j.drawn[path]; d != nil {
		<-d.opened
		return d.file, d.err
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
func (j *job) keepFile(key fileKey, f *npyio.File, c common) (in *input, err error) {
	in = &input{f, f}
	j.files[key] = in
	for _, w := range f.Warnings() {
		j.warn(c, "%s: %s", f.Name(), w)
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

// warn tells of what may surprise.
func (j *job) warn(c common, format string, args ...any) {
	if !c.quiet {
		fmt.Fprintf(j.stderr, "fusectl: warning: %s\n", plain(fmt.Sprintf(format, args...)))
	}
}
