package main

import (
	"slices"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
)

// command makes one command; group is its place in the help.
type command struct {
	name, group string
	make        func(*step) *cobra.Command
}

// commands are all commands, in the order of the help.
func commands() []command {
	return []command{
		{"concat", "fuse", newConcatCommand}, {"add", "fuse", newAddCommand}, {"mul", "fuse", newMulCommand},
		{"gap", "fuse", newGapCommand}, {"gmp", "fuse", newGmpCommand}, {"fpn", "fuse", newFPNCommand},
		{"crossmodal", "fuse", newCrossModalCommand}, {"attention", "fuse", newAttentionCommand},
		{"linear", "part", newLinearCommand}, {"conv", "part", newConvCommand}, {"resize", "part", newResizeCommand},
		{"pool", "part", newWindowPoolCommand}, {"act", "part", newActCommand}, {"norm", "part", newNormCommand}, {"se", "part", newSECommand}, {"cbam", "part", newCBAMCommand},
		{"sub", "part", newSubCommand}, {"div", "part", newDivCommand}, {"maximum", "part", newMaximumCommand}, {"minimum", "part", newMinimumCommand},
		{"pow", "part", newPowCommand}, {"average", "part", newAverageCommand},
		{"rearrange", "part", newRearrangeCommand}, {"repeat", "part", newRepeatCommand}, {"reshape", "part", newReshapeCommand},
		{"reduce", "part", newReduceCommand}, {"split", "part", newSplitCommand}, {"stack", "part", newStackCommand}, {"pad", "part", newPadCommand},
		{"matmul", "part", newMatMulCommand}, {"einsum", "part", newEinsumCommand},
		{"run", "other", newRunCommand}, {"info", "other", newInfoCommand}, {"diff", "other", newDiffCommand}, {"convert", "other", newConvertCommand},
		{"show", "other", newShowCommand}, {"random", "other", newRandomCommand}, {"version", "other", newVersionCommand},
	}
}

// newRootCommand is the program with all commands, or with just the one that
// only names, if there is such a one: a recipe makes many.
func newRootCommand(st *step, only string) *cobra.Command {
	root := &cobra.Command{
		Use:   "fusectl COMMAND INPUT... [-o OUT]",
		Short: "fuse feature maps held in NumPy .npy files",
		Long: `fusectl fuses feature maps held in NumPy .npy files, the way convolutional and
transformer networks do, without starting Python.

An input is a path, x.npz:NAME for a member of an archive, or - for standard
input; @LIST names those in the file LIST, a name a line. An index after any of
them, in NumPy's words, selects a part: 'x.npy[..., :64]'. The result goes to
-o PATH, or to standard output, so that commands join in a pipe:

  fusectl add a.npy b.npy | fusectl gap - -o pooled.npy

Inside one process, then joins them: - is the result so far, and stands first
where a step names no input. Nothing is written between steps:

  fusectl add a.npy b.npy then gap --keepdims then mul a.npy - -o scaled.npy

An existing output is replaced whole once the result is complete, and may be
one of the inputs.

` + exitTable,
		Example: `  fusectl random --shape 1,64,64,64 --seed 1 -o a.npy
  fusectl random --shape 1,64,64,64 --seed 2 -o b.npy
  fusectl concat a.npy b.npy -o both.npy
  fusectl info both.npy`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := usagef("unknown command %q", args[0])
			err.hints = append(suggestions(cmd, args[0]), "fusectl --help lists the commands")
			return err
		},
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(flagError)
	st.addFlags(root.PersistentFlags())
	root.AddGroup(&cobra.Group{ID: "fuse", Title: "Fusions:"}, &cobra.Group{ID: "part", Title: "What they are built from:"}, &cobra.Group{ID: "other", Title: "Around them:"})
	made := slices.ContainsFunc(commands(), func(c command) bool { return c.name == only })
	for _, c := range commands() {
		if !made || c.name == only {
			cmd := c.make(st)
			cmd.GroupID = c.group
			if c.name != "run" && c.name != "random" && c.name != "version" { // those take other words
				st.takesLists(cmd)
			}
			root.AddCommand(cmd)
		}
	}
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	return root
}

// inputs is the Args of a command that takes at least least arrays, and at
// most most unless that is 0.
func inputs(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			u := usagef("needs at least %d input%s: got %d", least, plural(least), len(args))
			u.hints = []string{"usage: fusectl " + cmd.Use}
			return u
		case most > 0 && len(args) > most:
			u := usagef("takes at most %d input%s: got %d", most, plural(most), len(args))
			u.hints = []string{"usage: fusectl " + cmd.Use}
			return u
		}
		return nil
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// arranges is fuses for what moves elements alone: they aren't converted before.
func arranges(st *step, arrange func(x graph.Array) (graph.Array, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		x, err := st.open(args[0])
		if err != nil {
			return err
		}
		out, err := arrange(x)
		if err != nil {
			return err
		}
		return st.finish(cmd.Context(), out)
	}
}

// fuses is the RunE of a command that makes one array of its inputs.
func fuses(st *step, fuse func(xs []graph.Array) (graph.Array, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		xs, err := st.openOperands(args)
		if err != nil {
			return err
		}
		out, err := fuse(xs)
		if err != nil {
			return err
		}
		return st.finish(cmd.Context(), out)
	}
}
