package main

import (
	"bytes"
	"encoding/json"
	"math"

	"fusectl/internal/blocks"
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// workload is the spec of one, as bench/workloads.py has it.
type workload struct {
	Op         string
	DType      string
	M, K, N    int
	Transposed bool
	Shape      shape.Shape
	Kernel     int
	Layout     shape.Layout
	Count      int
	Flops      float64
}

// prepare makes a workload's arrays and runs it once; the function returned
// runs it again. It is nil for no workload, or one that can't be run.
func prepare(spec []byte, threads int) (func() error, error) {
	if bytes.Equal(spec, []byte("null")) {
		return nil, nil
	}
	w := workload{DType: "float32"}
	if err := json.Unmarshal(spec, &w); err != nil {
		return nil, err
	}
	run, err := w.runner(threads)
	if run == nil || err != nil {
		return nil, err
	}
	return run, run()
}

func (w workload) runner(threads int) (func() error, error) {
	t, err := dtype.Parse(w.DType)
	if err != nil {
		return nil, err
	}
	switch w.Op {
	case "peak":
		return peak(t, w.Flops, threads), nil
	case "matmul":
		return w.matmul(t, threads), nil
	case "attention":
		return w.attention(threads), nil
	case "attention_proj":
		return w.attentionProjected(threads), nil
	case "conv":
		return w.conv(threads), nil
	case "resize":
		return w.resize(threads), nil
	case "add", "mul", "sum", "max":
		if w.Count*t.Size() <= inL2 {
			return w.loop(), nil
		}
		return w.stream(threads), nil
	}
	return nil, nil
}

func (w workload) matmul(t dtype.Type, threads int) func() error {
	b := shape.Shape{w.K, w.N}
	if w.Transposed {
		b = shape.Shape{w.N, w.K}
	}
	return matmul(normal(t, shape.Shape{w.M, w.K}, 1), normal(t, b, 1), w.Transposed, threads)
}

func (w workload) attention(threads int) func() error {
	o := blocks.AttentionOptions{AutoScale: true, Layout: shape.NHWC}
	o.Query, o.Key, o.Value = normal(dtype.Float32, w.Shape, 1), normal(dtype.Float32, w.Shape, 1), normal(dtype.Float32, w.Shape, 1)
	return planned(threads, func() (graph.Array, error) { return blocks.Attention(nil, o) })
}

func (w workload) attentionProjected(threads int) func() error {
	x, d := normal(dtype.Float32, w.Shape, 1), w.Shape[len(w.Shape)-1]
	project := func() ops.Weights { return weights(shape.Shape{d, d}, d, ops.Keras) }
	o := blocks.AttentionOptions{WQ: project(), WK: project(), WV: project(), AutoScale: true, Layout: shape.NHWC}
	return planned(threads, func() (graph.Array, error) { return blocks.Attention(x, o) })
}

func (w workload) conv(threads int) func() error {
	c, k := w.Shape[3], w.Kernel
	o := ops.ConvOptions{Padding: ops.Pad(k / 2), Layout: w.Layout}
	s, kernels := w.Shape, shape.Shape{k, k, c, c}
	if w.Layout == shape.NCHW {
		s, kernels = s.Permute([]int{0, 3, 1, 2}), shape.Shape{c, c, k, k}
	}
	x, by := normal(dtype.Float32, s, 1), weights(kernels, c*k*k, ops.DefaultWeights(w.Layout))
	return planned(threads, func() (graph.Array, error) { return ops.Conv(x, by, o) })
}

func (w workload) resize(threads int) func() error {
	x := normal(dtype.Float32, w.Shape, 1)
	o := ops.ResizeOptions{Mode: "bilinear", Layout: shape.NHWC}
	return planned(threads, func() (graph.Array, error) { return ops.Resize(x, []int{2 * w.Shape[1], 2 * w.Shape[2]}, o) })
}

// weights is a linear map or a convolution whose outputs sum over in numbers.
func weights(s shape.Shape, in int, l ops.WeightLayout) ops.Weights {
	return ops.Weights{Kernel: normal(dtype.Float32, s, math.Sqrt(float64(in))), Layout: l}
}

// inL2 is the bytes up to which a loop over memory is called by itself, since
// the engine would take longer than it.
const inL2 = 64 << 10

// loop is a loop over float32 operands in the second-level cache.
func (w workload) loop() func() error {
	a, b := normal(dtype.Float32, shape.Shape{w.Count}, 1), normal(dtype.Float32, shape.Shape{w.Count}, 1)
	dst := kernel.Alloc(len(a.data))
	table, f32 := kernel.Active(), dtype.KindFloat32
	var run func()
	switch w.Op {
	case "add":
		run = func() { table.Add[f32](dst, a.data, b.data) }
	case "mul":
		run = func() { table.Mul[f32](dst, a.data, b.data) }
	case "sum":
		run = func() { table.Sum[f32](make([]float64, 1), a.data) }
	case "max":
		run = func() { table.MaxRows[f32](dst[:4], a.data) }
	}
	return func() error { run(); return nil }
}

// stream is such a loop over operands in memory, through the engine.
func (w workload) stream(threads int) func() error {
	a := normal(dtype.Float32, shape.Shape{w.Count}, 1)
	all := ops.ReduceOptions{Axes: []int{0}}
	if w.Op == "sum" || w.Op == "max" {
		return planned(threads, func() (graph.Array, error) {
			if w.Op == "sum" {
				return ops.GlobalAvgPool(a, all)
			}
			return ops.GlobalMaxPool(a, all)
		})
	}
	both := []graph.Array{a, normal(dtype.Float32, shape.Shape{w.Count}, 1)}
	return planned(threads, func() (graph.Array, error) {
		if w.Op == "add" {
			return ops.Add(both, ops.AddOptions{})
		}
		return ops.Mul(both, ops.MulOptions{})
	})
}
