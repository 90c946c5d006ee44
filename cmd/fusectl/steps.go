package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/recipe"
)

// stepError is an error with the step of a chain or recipe that it comes from.
type stepError struct {
	step recipe.Step
	err  error
}

func (e *stepError) Error() string { return e.step.Where() + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// chain carries out the steps of a chain, each on the result of the one
// before. Only the last one writes.
func (st *step) chain(ctx context.Context, args []string) error {
	steps, err := recipe.Chain(args)
	if err != nil {
		return err
	}
	var before *piped
	lines := make([][]string, len(steps))
	for i, s := range steps {
		lines[i] = s.Args
	}
	st.drawLines(lines...)
	for i, s := range steps {
		kept := false
		next := &step{job: st.job, writing: writing{common: st.later()}, line: &s, piped: before}
		if i < len(steps)-1 {
			next.keep = func(_ string, x graph.Array) { before, kept = &piped{array: x}, true }
		}
		if i > 0 {
			s.Args = withInput(s.Args)
		}
		_, err := next.execute(ctx, s.Args)
		st.common = next.common // errors are reported as the last step has it
		if err == nil {
			err = next.piped.check()
		}
		if err == nil && next.keep != nil && !kept {
			err = errNoArray // its help was asked for
		}
		if err != nil {
			return &stepError{s, err}
		}
	}
	return nil
}

var errNoArray = usagef("gives no array, which other steps could take")

// mustBeLast refuses a command that gives no array where one is wanted of it.
func (st *step) mustBeLast() error {
	if st.keep == nil {
		return nil
	}
	return errNoArray
}

// withInput is a command line of which the result so far is the first input, where it
// names none: no file or list among its words, which may be numbers or a pattern, and no
// flag that takes the result.
func withInput(args []string) []string {
	cmd, rest, err := findCommand(newRootCommand(unbound(), args[0]), args)
	if err != nil || cmd.ParseFlags(rest) != nil {
		return args // running it will tell what is wrong
	}
	words := cmd.Flags().Args()
	if cmd.Name() == "einsum" && len(words) > 0 { // the first word says what is computed
		words = words[1:]
	}
	none := !slices.ContainsFunc(words, func(word string) bool {
		word = strings.TrimPrefix(word, guard)
		number := cmd.Annotations[takesNumbers] != "" && isNumber(word) && !npyio.Exists(word)
		return !number && !isPattern(word)
	})
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "inputs-from" {
			none = false
		}
		if f.Name != "output" && slices.ContainsFunc(strings.Split(f.Value.String(), ","), isResult) {
			none = false
		}
	})
	if !none {
		return args
	}
	return append([]string{cmd.Name(), "-"}, rest...)
}

// recipeRun is a recipe that is being turned into arrays. A step is carried out
// when another one, or an output, opens its result; so the order of the lines
// is free.
type recipeRun struct {
	*step // with the flags that hold where a step doesn't say otherwise
	ctx   context.Context
	steps []recipe.Step
	begun []bool
	names map[string]graph.Array // inputs, and results of the steps carried out
	paths map[string]string      // of archives: NAME:MEMBER is a member
	used  map[string]bool
}

// path is a file's path where text begins with the name of an archive.
func (g *recipeRun) path(text string) string {
	if g == nil {
		return text
	}
	name, member, _ := strings.Cut(text, ":")
	path, ok := g.paths[name]
	if !ok {
		return text
	}
	g.used[name] = true
	if member != "" {
		path += ":" + member
	}
	return path
}

// open is the array of that name; ok is false if the recipe has none.
func (g *recipeRun) open(name string) (x graph.Array, ok bool, err error) {
	g.used[name] = true
	if x, ok := g.names[name]; ok {
		return x, true, nil
	}
	i := recipe.Find(g.steps, name)
	if i < 0 {
		return nil, false, nil
	}
	s := g.steps[i]
	switch {
	case g.begun[i] && g.results(s) != nil:
		return nil, true, &stepError{s, usagef("gives %s: there is no %s", strings.Join(g.results(s), ", "), name)}
	case g.begun[i]:
		return nil, true, &stepError{s, usagef("%s depends on itself, through the steps that it names", s.Name)}
	}
	g.begun[i] = true
	if err := g.carryOut(s); err != nil {
		return nil, true, err
	}
	if name == s.Name && s.Several() {
		return nil, true, &stepError{s, usagef("%s stands for several results, %s: name one", name, strings.Join(g.results(s), ", "))}
	}
	return g.open(name)
}

// carryOut makes the results of a step.
func (g *recipeRun) carryOut(s recipe.Step) error {
	next := &step{job: g.job, writing: writing{common: g.later()}, line: &s, within: g}
	next.as, next.output = g.as, s.Name
	next.keep = func(name string, x graph.Array) { g.names[name] = x }
	_, err := next.execute(g.ctx, s.Args)
	if inner := (*stepError)(nil); errors.As(err, &inner) {
		return err // of a step that this one needs
	}
	if err == nil && g.results(s) == nil {
		err = errNoArray
	}
	if err != nil {
		return &stepError{s, err}
	}
	return nil
}

// results are the names of what a step has given, in order.
func (g *recipeRun) results(s recipe.Step) (all []string) {
	for name := range g.names {
		if _, one := s.Number(name); one || name == s.Name {
			all = append(all, name)
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // p9 before p10
	})
	return all
}

// output is the arrays that a name of an output stands for, with the paths
// they go to.
func (g *recipeRun) output(name, path string) (outs []graph.Array, paths []string, err error) {
	s := g.steps[recipe.Find(g.steps, name)]
	if name != s.Name || !s.Several() {
		x, _, err := g.open(name)
		return []graph.Array{x}, []string{path}, err
	}
	if !strings.Contains(path, "{}") {
		return nil, nil, usagef("%s=%s: several results need a {} in the output's name, which numbers them", name, path)
	}
	if g.results(s) == nil {
		g.begun[slices.IndexFunc(g.steps, func(o recipe.Step) bool { return o.Name == s.Name })] = true
		if err := g.carryOut(s); err != nil {
			return nil, nil, err
		}
	}
	for _, one := range g.results(s) {
		number, _ := s.Number(one)
		g.used[one] = true
		outs, paths = append(outs, g.names[one]), append(paths, strings.ReplaceAll(path, "{}", number))
	}
	return outs, paths, nil
}

// check refuses a step or an input that nothing has opened.
func (g *recipeRun) check(inputs []string) error {
	for _, name := range inputs {
		if !g.used[name] {
			return usagef("no step reads %s", name)
		}
	}
	for i, s := range g.steps {
		if !g.begun[i] {
			u := usagef("%s is never used", s.Name)
			u.hints = []string{fmt.Sprintf("write it, by %s=FILE on the command line, or leave the line out", s.Name)}
			return &stepError{s, u}
		}
	}
	return nil
}

// record notes what a step costs, for --dry-run. What steps before gave costs
// nothing again.
func (st *step) record(outs []graph.Array) {
	given := map[graph.Array]bool{}
	if st.piped != nil {
		given[st.piped.array] = true
	}
	if st.within != nil {
		for _, x := range st.within.names {
			given[x] = true
		}
	}
	for _, x := range outs {
		c := graph.CostOf(x, func(x graph.Array) bool { return given[x] })
		st.reports = append(st.reports, stepReport{
			Step: st.line.Line, Text: st.line.Text, resultReport: newResultReport(x), Moved: c.Moved, Flops: c.Flops,
		})
	}
}

func (r stepReport) String() string {
	return fmt.Sprintf("%2d  %s: %s %v, moves %d bytes, computes %d operations", r.Step, plain(r.Text), r.DType, shapeText(r.Shape), r.Moved, r.Flops)
}
