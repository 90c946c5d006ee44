package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/npyio"
	"fusectl/internal/shape"
)

// cutIndex cuts the index off a name such as x.npy[..., :64]; ok is false where there is
// none, or the name is that of a file or of a member of an archive.
func (st *step) cutIndex(text string) (name, index string, ok bool) {
	open := strings.LastIndexByte(text, '[')
	if open < 1 || !strings.HasSuffix(text, "]") || st.names(st.path(text)) {
		return text, "", false
	}
	return text[:open], text[open+1 : len(text)-1], true
}

// names reports whether path is exactly that of a file, or of a member that is there.
func (st *step) names(path string) bool {
	archive, member, ok := npyio.Address(path)
	if !ok {
		return npyio.Exists(path)
	}
	a, err := st.openArchive(archive, st.common)
	return err == nil && a.Has(member)
}

// parseIndex reads an index that was cut off a name.
func parseIndex(name, text string) (shape.Index, error) {
	x, err := shape.ParseIndex(text)
	if err != nil {
		u := usagef("%s%v: %v", npyio.Printable(name), x, err)
		u.hints = []string{"an index is NumPy's: x.npy[0], x.npy[..., :64], x.npy[None]"}
		return x, u
	}
	return x, nil
}

// guard stands before a word such as -[0] or -1 while flags are told from inputs, since no file's
// name can begin with it.
const guard = "\x00"

// guarded is args, of which no input that begins with - and an index looks like flags.
func guarded(args []string) []string {
	out := make([]string, len(args))
	for i, word := range args {
		if strings.HasPrefix(word, "-[") {
			word = guard + word
		}
		out[i] = word
	}
	return out
}

// findCommand finds the command of a line, and gives its other words, guarded: of a command
// that takes numbers, those below 0 too.
func findCommand(root *cobra.Command, args []string) (*cobra.Command, []string, error) {
	cmd, words, err := root.Find(guarded(args))
	if err != nil || cmd.Annotations[takesNumbers] == "" {
		return cmd, words, err
	}
	cmd.InheritedFlags() // merges them
	out := slices.Clone(words)
	for i, w := range words {
		if w == "--" {
			break
		}
		if strings.HasPrefix(w, "-") && w != "-0" && isNumber(w) && (i == 0 || !wantsValue(cmd.Flags(), words[i-1])) {
			out[i] = guard + w
		}
	}
	return cmd, out, nil
}

// isResult reports whether a word stands for the result so far, or a part of it.
func isResult(word string) bool {
	word = strings.TrimPrefix(word, guard)
	return word == "-" || strings.HasPrefix(word, "-[")
}

// splitList splits text at the commas that stand in no index.
func splitList(text string) (words []string) {
	depth, begin := 0, 0
	for i, r := range text {
		switch {
		case r == '[':
			depth++
		case r == ']' && depth > 0:
			depth--
		case r == ',' && depth == 0:
			words = append(words, text[begin:i])
			begin = i + 1
		}
	}
	if depth > 0 { // a bracket that is no index
		return strings.Split(text, ",")
	}
	return append(words, text[begin:])
}
