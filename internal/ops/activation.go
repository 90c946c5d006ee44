package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// Softmax is the activation that works on a whole axis, the channels.
const softmaxName = "softmax"

// Activations lists the names that --activation and --gate take.
func Activations() []string { return append(kernel.Activations(), softmaxName) }

// CheckActivation refuses a name that is none of Activations.
func CheckActivation(name string) error {
	if name == "" || slices.Contains(Activations(), name) {
		return nil
	}
	return fmt.Errorf("unknown activation %q: want one of %s", name, strings.Join(Activations(), ", "))
}

// Activate applies an activation, with PyTorch's default parameters: gelu is
// the exact one, leaky-relu has slope 0.01, softmax runs over the axis given,
// which may count from the end. relu and relu6 keep integers; the others give
// float64 of them. Complex arrays have none.
func Activate(name string, x graph.Array, axis int) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	out, err := activate(name, x, axis)
	if err == nil && x.DType().IsFloat() {
		out = cast(out, x.DType())
	}
	return out, err
}

// activate is Activate without the rounding of 16-bit floats, which stay as
// the float32 they are computed in.
func activate(name string, x graph.Array, axis int) (graph.Array, error) {
	t := x.DType()
	if t.IsComplex() {
		return nil, graph.Errorf(x, "dtype %v: an activation takes real numbers", t)
	}
	if name == softmaxName {
		x = cast(x, t.Inexact().Compute())
		if len(x.Shape()) == 0 {
			return nil, graph.Errorf(x, "shape () has no channel axis for softmax")
		}
		axis, err := shape.Axis(axis, len(x.Shape()))
		if err != nil {
			return nil, graph.Errorf(x, "%v: shape %v", err, x.Shape())
		}
		return onLast(x, axis, func(x graph.Array) (graph.Array, error) { return softmax(x), nil })
	}
	if loop := kernel.Active().Activation(name, t.Kind()); loop != nil {
		return mapTo(name, t, x, loop), nil
	}
	w := t.Inexact().Compute()
	return mapTo(name, w, cast(x, w), kernel.Active().Activation(name, w.Kind())), nil
}

// rowLoop is a loop over rows of cols elements; dst may be src.
type rowLoop = func(dst, src []byte, cols int)

// rowwise applies a loop to whole rows along the last axis.
type rowwise struct {
	unary
	cols int64
	loop rowLoop
}

// softmax is exp(x - max) / sum over the last axis of a float32 or float64
// array. A row of nothing but -inf, which leaves nothing to attend to, gives
// zeros.
func softmax(x graph.Array) graph.Array {
	return eachRow(softmaxName, x, kernel.Active().SoftmaxRows[x.DType().Kind()])
}

// eachRow is x through loop, row by row along the last axis.
func eachRow(op string, x graph.Array, loop rowLoop) graph.Array {
	return &rowwise{unary{computed{op: op, dt: x.DType(), sh: x.Shape()}, x}, int64(x.Shape().Last()), loop}
}

func (r *rowwise) Tiling() graph.Tiling { return graph.Tiling{Unit: r.cols} }

func (r *rowwise) Flops() int64 { return elementary * r.sh.Len() }

func (r *rowwise) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if unit%max(r.cols, 1) == 0 {
		say(&r.x, unit)
	}
}

func (r *rowwise) Memory(n int64) int64 {
	whole := max(n, wholeRowsMemory(n, r.cols))
	return wholeRowsMemory(n, r.cols)*r.size() + graph.MemoryOf(r.x, whole)
}

func (r *rowwise) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(dst, off, r.cols, r.size(), func(dst []byte, row, n int64) error {
		if err := r.x.Read(ctx, dst, row*r.cols); err != nil {
			return err
		}
		r.loop(dst, dst, int(r.cols))
		return nil
	})
}

// wholeRows serves a run of any bounds from a node that computes whole rows of
// cols elements: fill computes n rows from row on, in dst itself where the
// run's bounds allow and in a buffer of which the wanted part is taken where
// they don't.
func wholeRows(dst []byte, off, cols, size int64, fill func(dst []byte, row, n int64) error) error {
	n := int64(len(dst)) / size
	if n == 0 {
		return nil
	}
	from, to := off/cols, shape.CeilDiv(off+n, cols)
	if off == from*cols && n == (to-from)*cols {
		return fill(dst, from, to-from)
	}
	buf := graph.GetBuffer((to - from) * cols * size)
	defer graph.PutBuffer(buf)
	if err := fill(buf, from, to-from); err != nil {
		return err
	}
	copy(dst, buf[(off-from*cols)*size:])
	return nil
}

// wholeRowsMemory is the elements that wholeRows buffers for a run of n: none
// where tiles are whole rows, as the engine makes them where it can.
func wholeRowsMemory(n, cols int64) int64 {
	if cols == 0 || n%cols == 0 {
		return 0
	}
	return (n/cols + 2) * cols
}

// onLast applies f to the last axis in place of another one: it moves the axis
// there and back.
func onLast(x graph.Array, axis int, f func(graph.Array) (graph.Array, error)) (graph.Array, error) {
	perm := shape.MoveToLast(axis, len(x.Shape()))
	y, err := f(transpose(x, perm))
	if err != nil {
		return nil, err
	}
	return transpose(y, shape.Inverse(perm)), nil
}

// elementary is the operations that an exponential or the like counts for.
const elementary = 10

// activationFlops is the operations an element that a map or an activation of
// that name counts for.
func activationFlops(name string) int64 {
	if slices.Contains(kernel.Activations(), name) && !strings.HasPrefix(name, "relu") {
		return elementary
	}
	return 1
}
