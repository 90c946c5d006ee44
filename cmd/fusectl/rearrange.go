package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newRearrangeCommand(st *step) *cobra.Command {
	return newPatternCommand(st, shape.ToRearrange, &cobra.Command{
		Use:   "rearrange X PATTERN",
		Short: "transpose, split and join axes by a pattern of names (einops)",
		Long: `Arranges the axes of an array as einops.rearrange does. The left side of the
pattern names the axes that there are, the right side the same ones as they
will be. Names in parentheses are one axis, the first of them outermost; 1 is
an axis of extent 1, and ... stands for all axes that aren't named. --sizes
gives the extents that the array doesn't tell.

Several inputs of one shape are one array with a new leading axis. Any dtype
can be arranged.`,
		Example: `  # channels first
  fusectl rearrange map.npy 'n h w c -> n c h w' -o nchw.npy
  # windows of 2 by 2 positions, as Swin attends in, and back
  fusectl rearrange map.npy 'n (h p) (w q) c -> (n h w) (p q) c' --sizes p=2,q=2 -o windows.npy
  fusectl rearrange windows.npy '(n h w) (p q) c -> n (h p) (w q) c' --sizes p=2,h=2,w=2 -o back.npy
  # the heads of attention
  fusectl rearrange x.npy 'n t (h d) -> n h t d' --sizes h=4 -o heads.npy`,
	})
}

func newRepeatCommand(st *step) *cobra.Command {
	return newPatternCommand(st, shape.ToRepeat, &cobra.Command{
		Use:   "repeat X PATTERN",
		Short: "repeat elements along new axes by a pattern of names (einops)",
		Long: `Arranges the axes of an array as rearrange does, and repeats its elements along
those that the right side of the pattern has for itself, as einops.repeat does:
their extents are numbers, or names that --sizes gives an extent.`,
		Example: `  # each position twice along both axes: upsampling by nearest neighbours
  fusectl repeat map.npy 'n h w c -> n (h 2) (w 2) c' -o large.npy
  # a vector at all positions of a map
  fusectl repeat image.npy 'n c -> n h w c' --sizes h=4,w=4 -o tiled.npy`,
	})
}

// newPatternCommand makes a command that arranges arrays by a pattern.
func newPatternCommand(st *step, use shape.PatternUse, cmd *cobra.Command) *cobra.Command {
	var sizes list
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) < 2 {
			u := usagef("needs an input and a pattern: got %d word%s", len(args), plural(len(args)))
			u.hints = []string{"usage: fusectl " + cmd.Use + ", the pattern in quotes, such as 'n h w c -> n c h w'"}
			return u
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, inputs := patternAmong(args)
		p, err := pattern(text, use, sizes)
		if err != nil {
			return err
		}
		xs, err := st.openAll(inputs)
		if err != nil {
			return err
		}
		out, err := ops.Arrange(xs, p, nil)
		if err != nil {
			return err
		}
		return st.finish(cmd.Context(), out)
	}
	sizesFlag(cmd, &sizes)
	return cmd
}

// sizesFlag defines --sizes of a command that takes a pattern.
func sizesFlag(cmd *cobra.Command, sizes *list) {
	cmd.Flags().Var(sizes, "sizes", "extents of the pattern's axes by their names, such as p=7,q=7")
}

// isPattern reports whether a word of a command line is a pattern of axes.
func isPattern(word string) bool { return strings.Contains(word, "->") }

// patternAmong finds the pattern among the words of a command, which stand in any
// order: the last word, where none is one.
func patternAmong(words []string) (pattern string, others []string) {
	at := len(words) - 1
	for i, w := range words {
		if isPattern(w) {
			at = i
		}
	}
	return words[at], append(append([]string{}, words[:at]...), words[at+1:]...)
}

// pattern reads a pattern and the sizes of its axes, NAME=N each.
func pattern(text string, use shape.PatternUse, sizes list) (*shape.Pattern, error) {
	known := map[string]int{}
	for _, word := range sizes {
		name, number, ok := strings.Cut(word, "=")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			return nil, usagef("--sizes %s: want an extent for each name, such as p=7,q=7", sizes.String())
		}
		if _, twice := known[name]; twice {
			return nil, usagef("--sizes %s: names %s twice", sizes.String(), name)
		}
		known[name] = n
	}
	p, err := shape.ParsePattern(text, use, known)
	if bad := (*shape.PatternError)(nil); errors.As(err, &bad) {
		u := usagef("%s", bad.Msg)
		if bad.Hint != "" {
			u.hints = []string{bad.Hint}
		}
		return nil, u
	}
	return p, nil
}
