package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/npyio"
)

// mostNames is the bytes that a list of inputs may have.
const mostNames = 64 << 20

// takesLists lets a command take its inputs from lists too: @LIST among the
// others, and --inputs-from after them. A file called @LIST wins.
func (st *step) takesLists(cmd *cobra.Command) {
	var from string
	var null bool
	cmd.Flags().StringVar(&from, "inputs-from", "", "take further inputs from `FILE`, a name a line; - is standard input")
	cmd.Flags().BoolVarP(&null, "null", "0", false, "names in lists end in a NUL byte, as find -print0 writes them")
	check, run := cmd.Args, cmd.RunE
	cmd.Args = nil
	cmd.RunE = func(cmd *cobra.Command, words []string) error {
		var args []string
		for _, w := range words {
			list, ok := strings.CutPrefix(w, "@")
			if _, err := os.Lstat(w); !ok || err == nil {
				args = append(args, w)
				continue
			}
			names, err := st.readNames(list, null)
			if err != nil {
				return err
			}
			args = append(args, names...)
		}
		if cmd.Flags().Changed("inputs-from") {
			names, err := st.readNames(from, null)
			if err != nil {
				return err
			}
			args = append(args, names...)
		}
		if len(args) > len(words) {
			st.drawWords(args)
		}
		if err := check(cmd, args); err != nil {
			return err
		}
		return run(cmd, args)
	}
}

// readNames reads a list of inputs: a name a line, or up to each NUL byte.
func (st *step) readNames(path string, null bool) (names []string, err error) {
	f := st.stdin
	if path == "-" {
		path = "standard input"
		if err := st.useStdin("a list of inputs"); err != nil {
			return nil, err
		}
	} else {
		f, err = os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &npyio.ReadError{Name: path, Msg: "no such file: want a list of inputs, a name a line", Err: err}
		}
		if err != nil {
			return nil, &npyio.ReadError{Name: path, Msg: "can't be read as a list of inputs: " + npyio.Bare(err), Err: err}
		}
		defer f.Close()
	}
	text, err := io.ReadAll(io.LimitReader(f, mostNames+1))
	if err != nil {
		return nil, &npyio.ReadError{Name: path, Msg: "can't be read as a list of inputs: " + npyio.Bare(err), Err: err}
	}
	end := byte('\n')
	if null {
		end = 0
	}
	switch {
	case len(text) > mostNames:
		return nil, &npyio.ReadError{Name: path, Msg: "is longer than 64 MiB: want a list of inputs, a name a line"}
	case bytes.HasPrefix(text, []byte("\x93NUMPY")):
		return nil, &npyio.ReadError{Name: path, Msg: "is an array: want a list of inputs, a name a line"}
	case !null && bytes.IndexByte(text, 0) >= 0:
		return nil, &npyio.ReadError{Name: path, Msg: "is no list of inputs, a name a line, since it has NUL bytes", Hints: []string{"-0 takes names that end in NUL bytes"}}
	}
	for name := range bytes.SplitSeq(text, []byte{end}) {
		if !null {
			name = bytes.TrimSuffix(name, []byte{'\r'})
		}
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	if len(names) == 0 {
		return nil, &npyio.ReadError{Name: path, Msg: "is an empty list: want inputs, a name a line"}
	}
	return names, nil
}
