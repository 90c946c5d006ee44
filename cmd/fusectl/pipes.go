package main

import (
	"os"
	"strings"

	"github.com/spf13/pflag"

	"fusectl/internal/npyio"
	"fusectl/internal/recipe"
)

// drawn is a pipe that is being opened.
type drawn struct {
	opened chan struct{} // closed when it is
	file   *npyio.File
	err    error
	taken  bool // by the job, which closes it
}

// take waits for the pipe.
func (d *drawn) take() (*npyio.File, error) {
	<-d.opened
	d.taken = true
	return d.file, d.err
}

// close closes the pipe where nothing has taken it, as soon as it is open.
func (d *drawn) close() {
	shut := func() {
		if <-d.opened; d.file != nil && !d.taken {
			d.file.Close()
		}
	}
	select {
	case <-d.opened:
		shut()
	default:
		go shut()
	}
}

// pipe is a pipe that a command line names, and how it is read.
type pipe struct {
	path string
	npyio.Options
}

// drawLines begins to open all pipes that command lines name as inputs.
func (st *step) drawLines(lines ...[]string) {
	named := map[string]bool{}
	for _, line := range lines {
		for _, word := range line {
			for _, part := range append(strings.FieldsFunc(word, func(r rune) bool { return r == '=' || r == ',' }), word) {
				for _, path := range []string{part, unindexed(part)} {
					if st.isPipe(path) {
						named[path] = true
					}
				}
			}
		}
	}
	if len(named)+len(st.drawn) < 2 {
		return
	}
	var pipes []pipe
	for i, line := range lines {
		words, flags := inputWords(line)
		for _, word := range words {
			word = unindexed(word)
			if named[word] && (i == 0 || word != "-") { // in a later step that is a result
				pipes = append(pipes, pipe{word, st.reading(flags)})
			}
		}
	}
	st.draw(pipes)
}

// drawRecipe begins to open all pipes that a recipe and its bindings name as inputs.
func (st *step) drawRecipe(steps []recipe.Step, b bound) {
	var words []string
	for _, name := range b.inputs {
		words = append(words, b.paths[name])
	}
	for _, s := range steps {
		in, _ := inputWords(s.Args)
		for _, word := range in {
			word = unindexed(word)
			if b.paths[word] == "" && recipe.Find(steps, word) < 0 {
				words = append(words, word)
			}
		}
	}
	st.drawWords(words)
}

// drawWords is draw for those among words that are pipes.
func (st *step) drawWords(words []string) {
	var pipes []pipe
	for _, word := range words {
		word = unindexed(word)
		if (word != "-" || st.piped == nil) && st.isPipe(word) {
			pipes = append(pipes, pipe{word, st.reading(st.common)})
		}
	}
	st.draw(pipes)
}

// draw begins to open pipes, where there are several: their producer may be one
// process, which waits for each of them.
func (j *job) draw(pipes []pipe) {
	all := map[string]bool{}
	for _, p := range pipes {
		all[p.path] = true
	}
	if len(all)+len(j.drawn) < 2 {
		return
	}
	for _, p := range pipes {
		if j.drawn[p.path] != nil || p.path == "-" && !j.claimStdin() {
			continue
		}
		d := &drawn{opened: make(chan struct{})}
		j.drawn[p.path] = d
		go func() {
			defer close(d.opened)
			d.file, d.err = j.pipes.Await(func() (*npyio.File, error) {
				if p.path == "-" {
					return npyio.OpenStdin(j.stdin, p.Options)
				}
				return npyio.Open(p.path, p.Options)
			})
		}()
	}
}

// isPipe reports whether path is that of a named pipe, or standard input and a
// pipe, that has yet to be opened.
func (j *job) isPipe(path string) bool {
	var info os.FileInfo
	var err error
	if path == "-" {
		if !j.stdinFree() {
			return false
		}
		info, err = j.stdin.Stat()
	} else {
		info, err = os.Stat(path)
	}
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// unindexed is a word without the index at its end: the name of the pipe, if it is one.
func unindexed(word string) string {
	word = strings.TrimPrefix(word, guard)
	if open := strings.IndexByte(word, '['); open > 0 {
		return word[:open]
	}
	return word
}

// notInputs are the flags whose values are no arrays to read.
var notInputs = map[string]bool{"output": true, "save-scores": true, "inputs-from": true, "expression": true}

// inputWords are the words of a command line that may name inputs: those that
// aren't flags, and what is in flags. common is what it says for all of them.
func inputWords(args []string) (words []string, flags common) {
	if len(args) == 0 {
		return nil, flags
	}
	st := unbound()
	cmd, rest, err := findCommand(newRootCommand(st, args[0]), args)
	if err != nil || cmd.ParseFlags(rest) != nil {
		return nil, flags // running it will tell what is wrong
	}
	words = cmd.Flags().Args()
	if cmd.Name() == "run" {
		words = nil // it draws what its recipe reads
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if notInputs[f.Name] {
			return
		}
		values := splitList(f.Value.String())
		if several, ok := f.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		for _, word := range values {
			if _, path, bound := strings.Cut(word, "="); bound { // --project 0=w.npy
				word = path
			}
			words = append(words, word)
		}
	})
	return words, st.common
}
