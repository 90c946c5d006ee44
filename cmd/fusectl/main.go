// Command fusectl fuses feature maps held in NumPy .npy files: it
// concatenates, adds, multiplies and pools them, builds feature pyramids, and
// attends, as convolutional and transformer networks do.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/recipe"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program, with its exit status.
func run(args []string, stdin, stdout, stderr *os.File) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := newSession(stdin, stdout, stderr)
	ended := make(chan outcome, 1)
	go func() { ended <- s.carryOut(ctx, args) }()
	var o outcome
	select {
	case o = <-ended:
	case <-ctx.Done():
		// Workers notice between tiles. One that waits for a pipe may never do:
		// then what it has begun is given up here.
		select {
		case o = <-ended:
		case <-time.After(time.Second):
			s.abandon()
			return exitInterrupted
		}
	}
	if s.out.err != nil && (o.err == nil || errors.Is(o.err, errDiffer)) {
		o.err = s.out.err
	}
	if ctx.Err() != nil && o.err != nil {
		return exitInterrupted
	}
	return s.end(o)
}

// outcome is how a command line ended.
type outcome struct {
	command string
	flags   common // that say how an error is reported
	err     error
}

// carryOut runs a command line as a job of its own.
func (s *session) carryOut(ctx context.Context, args []string) outcome {
	j := s.newJob()
	defer j.close()
	return j.newStep().carryOut(ctx, args)
}

// end reports how a command line ended, and gives the exit status.
func (s *session) end(o outcome) int {
	reported := (*reportedError)(nil)
	switch {
	case o.err == nil:
		return exitDone
	case errors.Is(o.err, errDiffer): // it has been reported
		return exitDiffer
	case errors.As(o.err, &reported):
		return reported.status
	}
	return s.report(o.flags, o.command, o.err)
}

// carryOut runs a command line, which may be a chain; a panic is an error like
// others.
func (st *step) carryOut(ctx context.Context, args []string) (o outcome) {
	o.command = "fusectl"
	defer func() {
		if r := recover(); r != nil {
			o.err = &graph.PanicError{Value: r, Stack: debug.Stack()}
		}
		o.flags = st.common
	}()
	if err := kernel.CheckCPU(); err != nil {
		o.err = usagef("%v", err)
		return o
	}
	if slices.Contains(args, recipe.Then) {
		o.err = st.chain(ctx, args)
		return o
	}
	st.drawLines(args)
	cmd, err := st.execute(ctx, args)
	if cmd != nil {
		o.command = cmd.CommandPath()
	}
	o.err = err
	return o
}

// execute runs one command.
func (st *step) execute(ctx context.Context, args []string) (*cobra.Command, error) {
	only := ""
	if len(args) > 0 {
		only = args[0]
	}
	root := newRootCommand(st, only)
	root.SetArgs(args)
	root.SetIn(st.stdin)
	root.SetOut(st.out)
	root.SetErr(st.stderr)
	begun := false
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		begun = true
		if st.threads < 1 {
			return usagef("--threads %d: want at least 1", st.threads)
		}
		return nil
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !begun && !classified(err) { // what cobra finds wrong with the words
		err = usagef("%v", err)
	}
	return cmd, err
}

// command is how one command is made.
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
		{"pool", "part", newWindowPoolCommand}, {"act", "part", newActCommand}, {"se", "part", newSECommand}, {"cbam", "part", newCBAMCommand},
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

An input is a path, or - for standard input; @LIST names those in the file LIST,
a name a line. The result goes to -o PATH, or to
standard output, so that commands join in a pipe:

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
