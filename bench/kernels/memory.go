package main

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// array is an ops.Resident.
type array struct {
	t    dtype.Type
	s    shape.Shape
	data []byte
}

func (a *array) DType() dtype.Type  { return a.t }
func (a *array) Shape() shape.Shape { return a.s }
func (a *array) Bytes() []byte      { return a.data }
func (a *array) Read(_ context.Context, dst []byte, off int64) error {
	copy(dst, a.data[off*int64(a.t.Size()):])
	return nil
}

// normal is an array of standard-normal numbers divided by a number.
func normal(t dtype.Type, s shape.Shape, by float64) *array {
	a := &array{t, s, kernel.Alloc(int(s.Len()) * t.Size())}
	kernel.Active().Normal[t.Kind()](a.data, uint64(s.Len()), 0)
	if t == dtype.Float32 {
		divide[float32](a.data, by)
	} else {
		divide[float64](a.data, by)
	}
	return a
}

func divide[T kernel.Float](data []byte, by float64) {
	v := kernel.View[T](data)
	for i := range v {
		v[i] /= T(by)
	}
}

// planned computes what build describes, laying it out anew each time, as a
// command does, into memory that is there from the first time on.
func planned(threads int, build func() (graph.Array, error)) func() error {
	var to []byte
	return func() error {
		x, err := build()
		if err != nil {
			return err
		}
		plan, err := graph.NewPlan(graph.Options{Threads: threads}, x)
		if err != nil {
			return err
		}
		if to == nil {
			to = kernel.Alloc(int(x.Shape().Len()) * x.DType().Size())
		}
		return plan.Into(context.Background(), to)
	}
}
