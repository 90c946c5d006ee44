package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// mostText is the characters of a message, or of a hint, that are shown.
const mostText = 800

// plain is a line of text as a terminal may show it: what isn't printed is
// escaped, and of a very long line the middle is left out. Words in it come from
// files, names and arguments.
func plain(text string) string {
	if n := utf8.RuneCountInString(text); n > mostText {
		r := []rune(text)
		text = string(r[:mostText*3/4]) + " … " + string(r[n-mostText/4:])
	}
	if !strings.ContainsFunc(text, unprinted) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unprinted(r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprinted(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// flagError puts an error of pflag into the words of this program.
func flagError(cmd *cobra.Command, err error) error {
	u := usagef("%v", err)
	u.hints = []string{cmd.CommandPath() + " --help lists the flags"}
	if invalid := (*pflag.InvalidValueError)(nil); errors.As(err, &invalid) {
		want := errors.Unwrap(invalid).Error()
		if number := (*strconv.NumError)(nil); errors.As(err, &number) || invalid.GetFlag().Value.Type() == "bool" {
			want = map[string]string{
				"int": "want an integer", "uint64": "want an integer of at least 0", "float64": "want a number", "bool": "want true or false",
			}[invalid.GetFlag().Value.Type()]
		}
		u.msg = fmt.Sprintf("--%s %s: %s", invalid.GetFlag().Name, invalid.GetValue(), want)
	}
	return u
}

// suggestions are hints at the commands that word may have meant: one or two that
// are near it, or none.
func suggestions(cmd *cobra.Command, word string) (hints []string) {
	cmd.SuggestionsMinimumDistance = min(2, len(word)/2)
	if near := cmd.SuggestionsFor(word); len(word) > 0 && len(near) <= 2 {
		for _, s := range near {
			hints = append(hints, "did you mean "+s+"?")
		}
	}
	return hints
}

// near are suggestions of words.
func near(word string, words []string) []string {
	cmd := &cobra.Command{}
	for _, w := range words {
		cmd.AddCommand(&cobra.Command{Use: w, Run: func(*cobra.Command, []string) {}})
	}
	return suggestions(cmd, word)
}
