package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/measure"
	"fusectl/internal/npyio"
	"fusectl/internal/shape"
)

func newInfoCommand(st *step) *cobra.Command {
	var stats bool
	cmd := &cobra.Command{
		Use:   "info X...",
		Short: "show dtype, shape, order and bytes; with --stats, statistics",
		Long: `Shows what the headers of arrays say, without reading their data. --stats reads
it: extremes, mean and standard deviation of the finite elements, and how many
are NaN, infinite or zero. --json prints an object a line for each array. Of an
archive all members are shown. What can't be read is reported, and the others
are shown all the same.`,
		Example: `  fusectl info a.npy b.npy
  fusectl info --stats --json a.npy`,
		Args: inputs(1, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := st.mustBeLast(); err != nil {
				return err
			}
			var failed error
			for i, path := range args {
				only := st.piped == nil && st.within == nil && !slices.Contains(slices.Delete(slices.Clone(args), i, i+1), path)
				err := st.eachMember(path, func(path string) error { return st.info(cmd.Context(), path, stats, only) })
				failed = cmp.Or(failed, err)
			}
			return failed
		},
	}
	cmd.Flags().BoolVar(&stats, "stats", false, "read the data and show its statistics")
	return cmd
}

// infoReport describes one array, for info.
type infoReport struct {
	Name      string       `json:"name"`
	DType     string       `json:"dtype"`
	Shape     []int        `json:"shape"`
	Elements  int64        `json:"elements"`
	Bytes     int64        `json:"bytes"`
	Order     string       `json:"order"`
	ByteOrder string       `json:"byte_order,omitempty"`
	Descr     string       `json:"descr,omitempty"`
	Version   string       `json:"version,omitempty"` // of the format; none: it is no file
	Offset    int64        `json:"data_offset,omitempty"`
	Stats     *statsReport `json:"stats,omitempty"`
}

// statsReport is ops.Stats; figures that don't exist are null in JSON.
type statsReport struct {
	Min  any      `json:"min"` // *float64, or *big.Int of integers
	Max  any      `json:"max"`
	Mean *float64 `json:"mean"`
	Std  *float64 `json:"std"`
	NaN  int64    `json:"nan"`
	Inf  int64    `json:"inf"`
	Zero int64    `json:"zero"`
}

// eachMember calls f for path, or for each member of the archive that it is. What
// can't be read is reported, and the others come all the same: the error is
// then that of the first, as one that was reported.
func (st *step) eachMember(path string, f func(path string) error) error {
	if !st.isArchive(path) {
		return st.reported("fusectl info", f(path))
	}
	b, err := st.openBundle(bundleFlags{path: path})
	if err != nil {
		return st.reported("fusectl info", err)
	}
	var failed error
	for _, name := range b.archive.Names() {
		err := st.reported("fusectl info", f(b.path+":"+name))
		if r := (*reportedError)(nil); err != nil && !errors.As(err, &r) {
			return err
		}
		failed = cmp.Or(failed, err)
	}
	return failed
}

// isArchive reports whether path, or the name that a recipe has for it, is that of
// a whole archive.
func (st *step) isArchive(path string) bool { return npyio.IsArchive(st.path(path)) }

// info describes what path names; only says that nothing else is done with it.
func (st *step) info(ctx context.Context, path string, stats, only bool) error {
	r, x, err := st.infoOf(path)
	if err != nil {
		return err
	}
	if stats {
		if err := r.measure(ctx, st, x, only); err != nil {
			return err
		}
	}
	return r.print(st)
}

// infoOf describes what path names: a file by its header, a result of a step
// by what it will be.
func (st *step) infoOf(path string) (*infoReport, graph.Array, error) {
	x, err := st.open(path)
	if err != nil {
		return nil, nil, err
	}
	if in, ok := st.files[fileKey{path, st.as.t}]; ok && in.array == x {
		return newInfoReport(in.file), x, nil
	}
	s, t := x.Shape(), x.DType()
	return &infoReport{Name: path, DType: t.String(), Shape: append([]int{}, s...), Elements: s.Len(), Bytes: s.Len() * int64(t.Size()), Order: "C"}, x, nil
}

func newInfoReport(f *npyio.File) *infoReport {
	h := f.Header()
	r := &infoReport{
		Name: f.Name(), DType: h.DType.String(), Shape: append([]int{}, h.Shape...), Elements: h.Shape.Len(),
		Order: "C", ByteOrder: "little", Descr: h.Descr, Version: fmt.Sprintf("%d.%d", h.Major, h.Minor), Offset: h.DataOffset,
	}
	r.Bytes = r.Elements * int64(h.DType.Size())
	if h.FortranOrder {
		r.Order = "Fortran"
	}
	switch {
	case h.BigEndian:
		r.ByteOrder = "big"
	case h.DType.Size() == 1 || h.DType.IsOpaque():
		r.ByteOrder = "none"
	}
	return r
}

func (r *infoReport) measure(ctx context.Context, st *step, x graph.Array, only bool) error {
	o, stop := st.measured(st.options(only))
	s, err := measure.Summarize(ctx, x, o)
	stop()
	if err != nil {
		return err
	}
	known := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	r.Stats = &statsReport{known(s.Min), known(s.Max), known(s.Mean), known(s.Std), s.NaN, s.Inf, s.Zero}
	if s.MinInt != nil {
		r.Stats.Min, r.Stats.Max = s.MinInt, s.MaxInt
	}
	return nil
}

func (r *infoReport) print(st *step) error {
	if st.json {
		return st.printJSON(r)
	}
	fmt.Fprintf(st.out, "%s: %s %v, %d bytes, %s order", npyio.Printable(r.Name), r.DType, shape.Shape(r.Shape), r.Bytes, r.Order)
	if r.ByteOrder == "big" {
		fmt.Fprint(st.out, ", big-endian")
	}
	if r.Version != "" {
		fmt.Fprintf(st.out, ", version %s", r.Version)
	}
	fmt.Fprintln(st.out)
	if s := r.Stats; s != nil {
		fmt.Fprintf(st.out, "  min %s  max %s  mean %s  std %s  nan %d  inf %d  zero %d\n",
			figure(s.Min), figure(s.Max), figure(s.Mean), figure(s.Std), s.NaN, s.Inf, s.Zero)
	}
	return nil
}

// figure writes a figure of statistics: integers with all their digits.
func figure(v any) string {
	switch v := v.(type) {
	case *big.Int:
		return v.String()
	case *float64:
		if v != nil {
			return fmt.Sprintf("%.7g", *v)
		}
	}
	return "-"
}
