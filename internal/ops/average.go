package ops

import (
	"context"
	"math"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// WeightNormalizations lists what Average may do with weights first.
var WeightNormalizations = []string{"sum", "none", "softmax", "fast"}

// AverageOptions refine Average.
type AverageOptions struct {
	Weights    graph.Array // real, an element for each input; nil: all 1
	Normalize  string      // one of WeightNormalizations; "": sum
	Activation string      // applied to the average; "": none
	Layout     shape.Layout
}

// fastEpsilon keeps BiFPN's fast normalised fusion from dividing by 0.
const fastEpsilon = 1e-4

const (
	averageLen   = 64 << 10 // elements of all inputs that an average reads at a time
	averageLeast = 4 << 10  // of each of many
	averageBlock = 1024     // that it sums at a time, which stay in the first-level cache
)

// averaged is the weighted sum of arrays of float32 or float64, summed in float64 and rounded
// once, to its dtype.
type averaged struct {
	nary
	weights graph.Array // float64, in memory
	divide  bool        // by the sum of the weights
}

func (a *averaged) Operands(visit func(*graph.Array)) {
	a.nary.Operands(visit)
	visit(&a.weights)
}

func (a *averaged) Flops() int64 {
	each := 2 * int64(len(a.xs))
	if a.divide {
		each++
	}
	if a.dt != dtype.Float64 {
		each++
	}
	return each * a.sh.Len()
}

func (a *averaged) Memory(n int64) int64 {
	held, most := int64(0), int64(0)
	for _, x := range a.xs {
		held += n * int64(x.DType().Size())
		most = max(most, graph.MemoryOf(x, n))
	}
	return held + most
}

func (a *averaged) Tiling() graph.Tiling {
	t := a.nary.Tiling()
	if t.Rows <= 1 {
		t.Most = max(averageLen/int64(len(a.xs)), averageLeast)
	}
	return t
}

// unrounded is a in float64.
func (a *averaged) unrounded() graph.Array {
	wide := *a
	wide.dt = dtype.Float64
	return &wide
}

// known gives the weights, once the plan holds them.
func (a *averaged) known() []float64 {
	return kernel.View[float64](a.weights.(graph.Resident).Bytes())
}

// sum adds the weights. A sum of 0 is an error.
func (a *averaged) sum() (float64, *graph.Error) {
	sum := 0.0
	for _, w := range a.known() {
		sum += w
	}
	if sum == 0 {
		return 0, graph.Errorf(a.weights, "the weights sum to 0, by which they would be divided").Hint("--normalize none leaves them as they are")
	}
	return sum, nil
}

func (a *averaged) Read(ctx context.Context, dst []byte, off int64) error {
	return a.ReadRegion(ctx, dst, graph.OneRun(off, int64(len(dst))/a.size()))
}

func (a *averaged) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	t := a.xs[0].DType()
	in, out := t.Size(), a.dt.Size()
	n := len(dst) / out
	buf := graph.GetBuffer(int64(len(a.xs) * n * in))
	defer graph.PutBuffer(buf)
	xs := make([][]byte, len(a.xs))
	for i, x := range a.xs {
		var err error
		if xs[i], err = graph.Peek(ctx, x, buf[i*n*in:][:n*in], r); err != nil {
			return err
		}
	}
	divide, err := a.division()
	if err != nil {
		return err
	}
	loops := kernel.Active()
	add, round := loops.AddScaled[t.Kind()], loops.Convert[dtype.KindFloat64][a.dt.Kind()]
	block := graph.GetBuffer(averageBlock * 8)
	defer graph.PutBuffer(block)
	for at := 0; at < n; at += averageBlock {
		end := min(at+averageBlock, n)
		sums := block[:(end-at)*8]
		clear(sums)
		for i, w := range a.known() {
			add(kernel.View[float64](sums), xs[i][at*in:end*in], w)
		}
		divide(sums)
		round(dst[at*out:end*out], sums)
	}
	return nil
}

// division gives what divides sums in place where weights are normalised. By a power of 2 it
// multiplies, which is the same, and faster.
func (a *averaged) division() (func(sums []byte), error) {
	if !a.divide {
		return func([]byte) {}, nil
	}
	by, e := a.sum()
	if e != nil {
		return nil, e
	}
	loops := kernel.Active()
	if part, _ := math.Frexp(by); math.Abs(part) != 0.5 || math.IsInf(1/by, 0) {
		return func(sums []byte) { loops.DivideBy[dtype.KindFloat64](sums, sums, by) }, nil
	}
	factors := kernel.Alloc(averageBlock * 8)
	kernel.Fill(factors, kernel.Bytes([]float64{1 / by}))
	return func(sums []byte) { loops.Mul[dtype.KindFloat64](sums, sums, factors[:len(sums)]) }, nil
}

// Average is the weighted average of xs, with NumPy's broadcasting and promotion, as
// numpy.average of the arrays stacked: integers and booleans give float64. Weights are
// divided by their sum; or left as they are; or taken through softmax, as in the scalar
// mix of ELMo (Peters et al. 2018); or, as BiFPN's fast normalised fusion has it (Tan et
// al. 2020), through relu(w) / (Σ relu(w) + 1e-4). Products are summed in float64, in
// order, and the result is rounded once. A sum of 0 that would divide is an error.
func Average(xs []graph.Array, o AverageOptions) (graph.Array, error) {
	t, err := commonType(xs)
	if err != nil {
		return nil, err
	}
	t = t.Inexact()
	work := make([]graph.Array, len(xs))
	for i, x := range xs {
		work[i] = cast(x, t.Compute())
	}
	if work, err = broadcastAll(work); err != nil {
		return nil, hintChannels(err, xs)
	}
	s := work[0].Shape()
	sh := s
	if t.IsComplex() { // averaged as pairs of floats
		real := dtype.Float32
		if t == dtype.Complex128 {
			real = dtype.Float64
		}
		sh = append(s.Clone(), 2)
		for i, x := range work {
			work[i] = reinterpret(x, real, sh)
		}
	}
	a := &averaged{nary: nary{computed{op: "average", dt: dtype.Float64, sh: sh}, work, nil}, divide: o.Normalize == "" || o.Normalize == "sum"}
	w, err := o.weights(len(xs))
	if err != nil {
		return nil, err
	}
	a.weights = graph.InMemory(w)
	if _, known := o.Weights.(*constant); known && a.divide {
		if _, e := a.sum(); e != nil {
			e.Name = ""
			return nil, e
		}
	}
	if t.IsComplex() {
		return finish(cast(reinterpret(a, dtype.Complex128, s), t), t, o.Activation, o.Layout)
	}
	if o.Activation == "" {
		a.dt = t
	}
	return finish(a, t, o.Activation, o.Layout)
}

// weights gives those of n inputs, normalised but for a division by their sum.
func (o AverageOptions) weights(n int) (graph.Array, error) {
	w := o.Weights
	if w == nil {
		ones := make([]float64, n)
		for i := range ones {
			ones[i] = 1
		}
		w = Numbers(ones...)
	}
	switch t := w.DType(); {
	case w.Shape().Len() != int64(n):
		return nil, graph.Errorf(w, "weights of shape %v: want %d numbers, one for each input", w.Shape(), n)
	case t.IsOpaque() || t.IsComplex():
		return nil, graph.Errorf(w, "weights of dtype %v: want real numbers", t)
	}
	w = reshape(cast(w, dtype.Float64), shape.Shape{n})
	switch o.Normalize {
	case "softmax":
		w = softmax(w)
	case "fast":
		return FastNormalize(w, fastEpsilon)
	}
	return w, nil
}
