package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"fusectl/internal/ops"
)

// planReport is what --dry-run prints of one result.
type planReport struct {
	Output string        `json:"output"`
	Op     string        `json:"op"`
	DType  string        `json:"dtype"`
	Shape  []int         `json:"shape"`
	Bytes  int64         `json:"bytes"`
	Inputs []arrayReport `json:"inputs"`
	Held   int64         `json:"held_bytes"`
	Memory int64         `json:"memory_bytes"`
}

// arrayReport names an array.
type arrayReport struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
}

// describe prints plans in place of carrying them out.
func (e *env) describe(plans []*ops.Plan, paths []string) error {
	for i, p := range plans {
		x := p.Out()
		r := planReport{
			Output: paths[i], Op: p.Op(), DType: x.DType().String(), Shape: append([]int{}, x.Shape()...),
			Bytes: x.Shape().Len() * int64(x.DType().Size()), Held: p.Held(), Memory: p.Memory(), Inputs: []arrayReport{},
		}
		var lines strings.Builder
		for _, in := range p.Sources() {
			r.Inputs = append(r.Inputs, arrayReport{ops.NameOf(in), in.DType().String(), append([]int{}, in.Shape()...)})
			fmt.Fprintf(&lines, "  reads   %s: %v %v\n", ops.NameOf(in), in.DType(), in.Shape())
		}
		if e.json {
			line, err := json.Marshal(r)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "%s\n", line)
			continue
		}
		to := r.Output
		if to == "-" {
			to = "standard output"
		}
		fmt.Fprintf(e.stdout, "%s\n%s", r.Op, lines.String())
		fmt.Fprintf(e.stdout, "  writes  %s: %v %v, %d bytes\n", to, x.DType(), x.Shape(), r.Bytes)
		fmt.Fprintf(e.stdout, "  memory  %d bytes in buffers, %d of them for arrays held whole\n", r.Memory, r.Held)
	}
	return nil
}
