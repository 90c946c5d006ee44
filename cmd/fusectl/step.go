package main

import (
	"context"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/npyio"
	"fusectl/internal/recipe"
	"fusectl/internal/shape"
)

// step is one command line: its flags, and where its inputs come from and its
// result goes. A command asks it for arrays and hands it the one it made, and
// never learns whether that goes to a file, to the next step of a chain or to a
// name in a recipe.
type step struct {
	*job
	writing
	line   *recipe.Step                     // of a chain or a recipe; nil: the command is all there is
	within *recipeRun                       // in a recipe: what its names stand for
	piped  *piped                           // in a later step of a chain: what - stands for
	keep   func(name string, x graph.Array) // takes the results; nil: they are written
}

// newStep is the first step of a job.
func (j *job) newStep() *step { return &step{job: j, writing: writing{common: defaults()}} }

// unbound is a step that nothing carries out, for a look at a command's flags.
func unbound() *step { return newSession(nil, nil, nil).newJob().newStep() }

// writing says how results are computed and written.
type writing struct {
	common
	order npyio.CreateOptions // of the bytes
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

// warn tells of what may surprise.
func (st *step) warn(format string, args ...any) { st.job.warn(st.common, format, args...) }

// options say how something is computed; only, that nothing else reads its sources
// afterwards.
func (c common) options(only bool) graph.Options {
	return graph.Options{Threads: c.threads, Memory: int64(c.memory), Base: ownMemory, Only: only}
}

// channel is the axis of x that has its features; -1 where x has no axes.
func (c common) channel(x graph.Array) int {
	return shape.Layout(c.layout).Features(len(x.Shape()))
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
	if cmd, rest, err := findCommand(root, args); err == nil && cmd.Annotations[takesNumbers] != "" {
		args = append([]string{cmd.Name()}, rest...)
	}
	root.SetArgs(guarded(args))
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
