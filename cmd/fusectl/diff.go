package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/measure"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// errDiffer says that diff has found, and reported, a difference.
var errDiffer = errors.New("the arrays differ")

func newDiffCommand(st *step) *cobra.Command {
	o := measure.CompareOptions{}
	var classes bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "compare two arrays; exit status 1 when they differ",
		Long: `Compares two arrays element by element. Elements are equal where
|a-b| <= atol + rtol·|b|, as numpy.allclose has it, and NaN where both are NaN
unless --equal-nan=false. Arrays of unequal shapes or dtypes differ.

The report names the worst element, the one with the largest |a-b|, and its
index, and counts units in the last place (ulp) between floats of one dtype,
all of finite elements; NaN in one array and infinities that differ are counted.
--dtype converts both before they are compared; --argmax compares the index of
the largest element along the last axis, the class, and takes integers of one
axis less as classes.`,
		Example: `  fusectl add a.npy b.npy -o sum.npy
  fusectl add b.npy a.npy then diff sum.npy - --rtol 0 --atol 0`,
		Args: inputs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := st.mustBeLast(); err != nil {
				return err
			}
			if !(o.RTol >= 0) || !(o.ATol >= 0) {
				return usagef("--rtol %g --atol %g: want numbers of at least 0", o.RTol, o.ATol)
			}
			xs, err := st.openAll(args)
			if err != nil {
				return err
			}
			for i, x := range xs {
				if st.dtype.t.Size() > 0 {
					if xs[i], err = ops.Cast(x, st.dtype.t); err != nil {
						return err
					}
				}
			}
			if classes {
				if xs, err = asClasses(xs); err != nil {
					return err
				}
			}
			return st.diff(cmd.Context(), args, xs, o, classes)
		},
	}
	f := cmd.Flags()
	f.Float64Var(&o.RTol, "rtol", 1e-5, "relative tolerance, of |b|, `R`")
	f.Float64Var(&o.ATol, "atol", 1e-8, "absolute tolerance, `A`")
	f.BoolVar(&o.EqualNaN, "equal-nan", true, "NaN equals NaN")
	f.BoolVar(&classes, "argmax", false, "compare classes: the index of the largest element along the last axis")
	return cmd
}

// asClasses takes scores to the classes they are for; integers of one axis
// less than the other array has are classes already.
func asClasses(xs []graph.Array) ([]graph.Array, error) {
	out := make([]graph.Array, 2)
	for i, x := range xs {
		if x.DType().IsInteger() && len(x.Shape()) == len(xs[1-i].Shape())-1 {
			out[i] = x
			continue
		}
		var err error
		if out[i], err = ops.Reduce(x, "argmax", ops.ReduceOptions{Axes: []int{-1}}); err != nil {
			return nil, err
		}
	}
	for i, x := range out { // labels may come in any integer dtype
		var err error
		if out[i], err = ops.Cast(x, out[0].DType()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// diffReport is the object that diff prints with --json. Figures that don't
// exist are null.
type diffReport struct {
	A         arrayReport `json:"a"`
	B         arrayReport `json:"b"`
	Equal     bool        `json:"equal"`
	Reason    string      `json:"reason,omitempty"` // "shape" or "dtype", where nothing was compared
	Count     int64       `json:"count"`
	Different int64       `json:"different"`
	Unequal   int64       `json:"unequal_bits"`
	NaN       int64       `json:"nan_in_one"`
	Inf       int64       `json:"inf_differ"`
	MaxAbs    any         `json:"max_abs"` // *float64, or uint64 of integers
	MaxRel    *float64    `json:"max_rel"`
	MaxULP    *float64    `json:"max_ulp"`
	Worst     []int       `json:"worst_index,omitempty"`
}

// diff compares, reports, and gives errDiffer where the arrays differ.
func (st *step) diff(ctx context.Context, names []string, xs []graph.Array, o measure.CompareOptions, classes bool) error {
	report := func(i int) arrayReport {
		r := st.newArrayReport(xs[i])
		r.Name = names[i]
		return r
	}
	r := diffReport{A: report(0), B: report(1)}
	var c measure.Comparison
	switch {
	case !xs[0].Shape().Equal(xs[1].Shape()):
		r.Reason = "shape"
	case xs[0].DType() != xs[1].DType():
		r.Reason = "dtype"
	default:
		options, stop := st.measured(st.options(true))
		var err error
		c, err = measure.Compare(ctx, xs[0], xs[1], o, options)
		stop()
		if err != nil {
			return err
		}
		r.Equal, r.Count, r.Different, r.Unequal, r.NaN, r.Inf = c.Different == 0, c.Count, c.Different, c.Unequal, c.NaN, c.Inf
		r.MaxAbs = finite(c.MaxAbs)
		if xs[0].DType().IsInteger() {
			r.MaxAbs = c.MaxAbsInt
		}
		r.MaxRel, r.MaxULP = finite(c.MaxRel), finite(c.MaxULP)
		if c.Worst >= 0 {
			r.Worst = indexOf(c.Worst, xs[0].Shape())
		}
	}
	var err error
	if st.json {
		err = st.printJSON(r)
	} else if !st.quiet {
		err = st.printDiff(r, c, classes)
	}
	if err == nil && !r.Equal {
		err = errDiffer
	}
	return err
}

func (st *step) printDiff(r diffReport, c measure.Comparison, classes bool) (err error) {
	if r.Reason != "" {
		_, err = fmt.Fprintf(st.out, "%ss differ: %s %s of %s, %s %s of %s\n", r.Reason,
			r.A.DType, shapeText(r.A.Shape), npyio.Printable(r.A.Name), r.B.DType, shapeText(r.B.Shape), npyio.Printable(r.B.Name))
		return err
	}
	agree := c.Count - c.Different
	percent := 100.0
	if c.Count > 0 {
		percent = 100 * float64(agree) / float64(c.Count)
	}
	if classes {
		_, err = fmt.Fprintf(st.out, "%d of %d classes agree (%.4g%%)\n", agree, c.Count, percent)
		return err
	}
	fmt.Fprintf(st.out, "%d of %d elements agree (%.4g%%), %d are equal\n", agree, c.Count, percent, c.Count-c.Unequal)
	if c.NaN > 0 {
		fmt.Fprintf(st.out, "  %d are NaN in one array only\n", c.NaN)
	}
	if c.Inf > 0 {
		fmt.Fprintf(st.out, "  %d are infinite in one array only, or with unequal signs\n", c.Inf)
	}
	switch {
	case c.Finite:
		off := fmt.Sprintf("%.6g", c.MaxAbs)
		if exact, ok := r.MaxAbs.(uint64); ok {
			off = strconv.FormatUint(exact, 10)
		}
		fmt.Fprintf(st.out, "  worst at %s: %s against %s, off by %s\n", shapeText(r.Worst), c.A, c.B, off)
		fmt.Fprintf(st.out, "  at most %s absolute, %.6g relative", off, c.MaxRel)
		if r.MaxULP != nil {
			fmt.Fprintf(st.out, ", %.6g ulp", c.MaxULP)
		}
		fmt.Fprintln(st.out)
	case c.Worst >= 0:
		fmt.Fprintf(st.out, "  first at %s: %s against %s\n", shapeText(r.Worst), c.A, c.B)
	}
	return nil
}

// indexOf is the index of element i of an array of shape s.
func indexOf(i int64, s shape.Shape) []int {
	at := make([]int, len(s))
	for a := len(s) - 1; a >= 0; a-- {
		at[a] = int(i % int64(s[a]))
		i /= int64(s[a])
	}
	return at
}

// finite is v for JSON, which has no infinities.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
