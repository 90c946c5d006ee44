package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newInfoCommand(e *env) *cobra.Command {
	var stats bool
	cmd := &cobra.Command{
		Use:   "info X...",
		Short: "show dtype, shape, order and bytes; with --stats, statistics",
		Long: `Shows what the headers of arrays say, without reading their data. --stats reads
it: extremes, mean and standard deviation of the finite elements, and how many
are NaN, infinite or zero. --json prints an object a line for each array.`,
		Example: `  fusectl info a.npy b.npy
  fusectl info --stats --json a.npy`,
		Args: inputs(1, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, path := range args {
				x, err := e.open(path)
				if err != nil {
					return err
				}
				r := newInfoReport(e.opened[len(e.opened)-1])
				if stats {
					if err := r.measure(cmd.Context(), e, x); err != nil {
						return err
					}
				}
				if err := r.print(e); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&stats, "stats", false, "read the data and show its statistics")
	return cmd
}

// infoReport is what info says of one array.
type infoReport struct {
	Name      string       `json:"name"`
	DType     string       `json:"dtype"`
	Shape     []int        `json:"shape"`
	Elements  int64        `json:"elements"`
	Bytes     int64        `json:"bytes"`
	Order     string       `json:"order"`
	ByteOrder string       `json:"byte_order"`
	Descr     string       `json:"descr"`
	Version   string       `json:"version"`
	Offset    int64        `json:"data_offset"`
	Stats     *statsReport `json:"stats,omitempty"`
}

// statsReport is ops.Stats; figures that don't exist are null in JSON.
type statsReport struct {
	Min  *float64 `json:"min"`
	Max  *float64 `json:"max"`
	Mean *float64 `json:"mean"`
	Std  *float64 `json:"std"`
	NaN  int64    `json:"nan"`
	Inf  int64    `json:"inf"`
	Zero int64    `json:"zero"`
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

func (r *infoReport) measure(ctx context.Context, e *env, x ops.Array) error {
	s, err := ops.Measure(ctx, x, ops.Options{Threads: e.threads, Memory: int64(e.memory)})
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
	return nil
}

func (r *infoReport) print(e *env) error {
	if e.json {
		line, err := json.Marshal(r)
		if err == nil {
			_, err = fmt.Fprintf(e.stdout, "%s\n", line)
		}
		return err
	}
	fmt.Fprintf(e.stdout, "%s: %s %v, %d bytes, %s order", r.Name, r.DType, shape.Shape(r.Shape), r.Bytes, r.Order)
	if r.ByteOrder == "big" {
		fmt.Fprint(e.stdout, ", big-endian")
	}
	fmt.Fprintf(e.stdout, ", version %s\n", r.Version)
	if s := r.Stats; s != nil {
		fmt.Fprintf(e.stdout, "  min %s  max %s  mean %s  std %s  nan %d  inf %d  zero %d\n",
			figure(s.Min), figure(s.Max), figure(s.Mean), figure(s.Std), s.NaN, s.Inf, s.Zero)
	}
	return nil
}

func figure(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.7g", *v)
}
