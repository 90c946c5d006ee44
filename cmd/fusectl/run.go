package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/recipe"
)

func newRunCommand(st *step) *cobra.Command {
	var lines []string
	cmd := &cobra.Command{
		Use:   "run RECIPE NAME=FILE...",
		Short: "compute a recipe of several steps as one graph",
		Long: `Computes a recipe: command lines, one a line, with names for their results.

  # se.fuse
  s = gap x --keepdims
  z = linear s --weight fc1.npy --activation relu
  g = linear z --weight fc2.npy --activation sigmoid
  y = mul x g

NAME=FILE binds a name: to the file it is read from, or, for a result, to the
one it is written to. Without a bound result the last line's goes to -o. Other
words are files, relative to the working folder. Words are split and quoted as
in a shell, by '', "" and \, and nothing in them is expanded; # begins a
comment, and \ at its end continues a line. The recipe - is standard input.
A recipe has at most 1 MiB of text, all together 10,000 steps, and recipes run
each other at most 16 deep. A name with
{} takes the results of a command that has several: 'p{} = fpn c2 c3 --all'
gives p2 and p3. A name bound to an archive, w=W.npz, has its arrays as w:NAME.
Lines may stand in any order.

Flags of run hold for all steps, and those of a step for that one. No step
writes a file: the whole is computed as one graph, and gives the bytes that
the commands give one by one.`,
		Example: `  # the recipe above, and the same on the command line
  fusectl run se.fuse x=map.npy y=scaled.npy
  fusectl run -e 's = gap x --keepdims' -e 'y = mul x s --gate sigmoid' x=map.npy -o y.npy`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return st.runRecipe(cmd.Context(), lines, args)
		},
	}
	cmd.Flags().StringArrayVarP(&lines, "expression", "e", nil, "a `LINE` of the recipe, in place of a file; may be repeated")
	return cmd
}

// runRecipe computes the recipe in lines, or in the file that the first
// argument names. The other arguments bind names to files.
func (st *step) runRecipe(ctx context.Context, lines, args []string) error {
	if st.recipes.depth++; st.recipes.depth > mostDepth {
		return usagef("recipes run each other %d deep, which is the most: does one run itself?", mostDepth)
	}
	defer func() { st.recipes.depth-- }()
	if st.dtype.t.Size() > 0 {
		return usagef("--dtype belongs to the step whose result it converts")
	}
	name, text := "", strings.Join(lines, "\n")
	if lines == nil {
		if len(args) == 0 {
			return usagef("needs a recipe: a file, or lines by -e")
		}
		var err error
		if name, text, err = st.readRecipe(args[0]); err != nil {
			return err
		}
		args = args[1:]
	}
	steps, err := recipe.Parse(text)
	if r := (*recipe.Error)(nil); name != "" && errors.As(err, &r) && r.Where == "" {
		r.Where = npyio.Printable(name)
	}
	if err != nil {
		return err
	}
	if st.recipes.steps += len(steps); st.recipes.steps > mostSteps {
		return usagef("the recipes have more than %d steps, which is the most", mostSteps)
	}
	b, err := bindings(steps, args, st.output)
	if err != nil {
		return err
	}
	st.drawRecipe(steps, b)
	g := &recipeRun{step: st, ctx: ctx, steps: steps, begun: make([]bool, len(steps)), names: map[string]graph.Array{}, paths: map[string]string{}, used: map[string]bool{}}
	for _, name := range b.inputs {
		if st.isArchive(b.paths[name]) {
			g.paths[name] = b.paths[name]
			continue
		}
		if g.names[name], err = st.open(b.paths[name]); err != nil {
			return err
		}
	}
	var outs []graph.Array
	var paths []string
	for _, name := range b.outputs {
		xs, to, err := g.output(name, b.paths[name])
		if err != nil {
			return err
		}
		outs, paths = append(outs, xs...), append(paths, to...)
	}
	if err := g.check(b.inputs); err != nil {
		return err
	}
	if st.keep != nil && len(outs) > 1 {
		return usagef("has %d results: a step of a chain has one", len(outs))
	}
	return st.finishAll(ctx, outs, paths)
}

const (
	mostDepth = 16    // recipes that run each other
	mostSteps = 10000 // of all recipes of a command line
)

// readRecipe reads the text of a recipe, from standard input if path is "-".
func (st *step) readRecipe(path string) (name, text string, err error) {
	f := st.stdin
	if path == "-" {
		if err := st.useStdin("a recipe"); err != nil {
			return "", "", err
		}
		name = "standard input"
	} else {
		name = path
		f, err = os.Open(path)
		if err != nil && strings.Contains(path, "=") {
			return "", "", usagef("needs a recipe before %s: a file, or lines by -e", path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return "", "", &npyio.ReadError{Name: path, Msg: "no such file: want a recipe"}
		}
		if err != nil {
			return "", "", &npyio.ReadError{Name: path, Msg: "can't be read as a recipe: " + npyio.Bare(err), Err: err}
		}
		defer f.Close()
	}
	b, err := io.ReadAll(io.LimitReader(f, recipe.MostText+1))
	if err != nil {
		return "", "", &npyio.ReadError{Name: name, Msg: "can't be read as a recipe: " + npyio.Bare(err), Err: err}
	}
	return name, string(b), nil
}

// bound holds the names of a recipe that are bound to files: its inputs and its
// outputs.
type bound struct {
	inputs, outputs []string
	paths           map[string]string
}

// bindings reads NAME=FILE: of a result it is an output, of another name an
// input. Without an output the last step's result goes to output.
func bindings(steps []recipe.Step, args []string, output string) (bound, error) {
	b := bound{paths: map[string]string{}}
	for _, a := range args {
		name, path, ok := strings.Cut(a, "=")
		switch _, twice := b.paths[name]; {
		case !ok || name == "" || path == "":
			return b, usagef("%q: want NAME=FILE", a)
		case twice:
			return b, usagef("%s is bound twice", name)
		}
		b.paths[name] = path
		if recipe.Find(steps, name) >= 0 {
			b.outputs = append(b.outputs, name)
		} else {
			b.inputs = append(b.inputs, name)
		}
	}
	switch {
	case len(b.outputs) == 0:
		last := steps[len(steps)-1].Name
		b.outputs, b.paths[last] = []string{last}, output
	case output != "-":
		return b, usagef("-o %s: the outputs are bound already, to %s", output, strings.Join(b.outputs, ", "))
	}
	return b, nil
}
