package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// arrayReport names an array.
type arrayReport struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Axes  string `json:"axes,omitempty"` // a letter each, where an operation reads it as a map or a sequence
}

// newArrayReport describes an input, and how it is read.
func (j *job) newArrayReport(x graph.Array) arrayReport {
	r := arrayReport{Name: graph.NameOf(x), DType: x.DType().String(), Shape: append([]int{}, x.Shape()...)}
	if form := j.forms[x]; form != nil {
		r.Axes = string(*form)
	}
	return r
}

func (r arrayReport) String() string {
	text := fmt.Sprintf("%s: %s %s", npyio.Printable(r.Name), r.DType, shapeText(r.Shape))
	if r.Axes != "" {
		text += ": " + shape.Layout(r.Axes).Sized(r.Shape)
	}
	return text
}

// resultReport is an array that an operation gives.
type resultReport struct {
	Op    string `json:"op"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Bytes int64  `json:"bytes"`
}

func newResultReport(x graph.Array) resultReport {
	s := x.Shape()
	return resultReport{ops.OpOf(x), x.DType().String(), append([]int{}, s...), s.Len() * int64(x.DType().Size())}
}

// stepReport describes a step of a chain or a recipe, for --dry-run.
type stepReport struct {
	Step int    `json:"step"` // its number, or its line
	Text string `json:"text"`
	resultReport
	Moved int64 `json:"moved_bytes"`
	Flops int64 `json:"operations"`
}

// planReport describes a result that is written, for --dry-run. The memory is that
// of all results of the command line together.
type planReport struct {
	Output string `json:"output"`
	resultReport
	Inputs []arrayReport `json:"inputs"`
	Moved  int64         `json:"moved_bytes"`
	Flops  int64         `json:"operations"`
	Held   int64         `json:"held_bytes"`
	Memory int64         `json:"memory_bytes"`
}

func shapeText(s []int) string { return shape.Shape(s).String() }

// read is the sources of a plan, and the parts of them that indices select.
func (j *job) read(p *graph.Plan) []graph.Array {
	return append(slices.Clone(p.Sources()), j.parts...)
}

// describe prints a plan in place of carrying it out.
func (j *job) describe(p *graph.Plan, asJSON bool, paths []string) error {
	inputs := []arrayReport{}
	for _, in := range j.read(p) {
		inputs = append(inputs, j.newArrayReport(in))
	}
	if asJSON {
		for _, s := range j.reports {
			if err := j.printJSON(s); err != nil {
				return err
			}
		}
		for i, x := range p.Outs() {
			c := graph.CostOf(x, func(graph.Array) bool { return false })
			if err := j.printJSON(planReport{paths[i], newResultReport(x), inputs, c.Moved, c.Flops, p.Held(), p.Memory()}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range j.reports {
		fmt.Fprintln(j.out, s)
	}
	for _, x := range inputs {
		fmt.Fprintf(j.out, "  reads   %v\n", x)
	}
	for i, x := range p.Outs() {
		to := npyio.Printable(paths[i])
		if to == "-" {
			to = "standard output"
		}
		r, c := newResultReport(x), graph.CostOf(x, func(graph.Array) bool { return false })
		fmt.Fprintf(j.out, "  writes  %s: %s %s, %d bytes, by %s\n", to, r.DType, shapeText(r.Shape), r.Bytes, r.Op)
		fmt.Fprintf(j.out, "  work    moves %d bytes, computes %d operations\n", c.Moved, c.Flops)
	}
	_, err := fmt.Fprintf(j.out, "  memory  %d bytes at the peak, %d of them for arrays held whole\n", p.Memory(), p.Held())
	return err
}

func (s *session) printJSON(v any) error {
	line, err := json.Marshal(v)
	if err == nil {
		_, err = fmt.Fprintf(s.out, "%s\n", line)
	}
	return err
}
