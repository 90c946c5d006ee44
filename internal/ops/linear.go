package ops

import (
	"context"
	"fmt"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// WeightLayout says in which order a weight's axes stand.
type WeightLayout string

// Keras stores a dense kernel as [in, out] and a convolution's as [h, w, in,
// out]; PyTorch as [out, in] and [out, in, h, w].
const (
	Keras WeightLayout = "keras"
	Torch WeightLayout = "torch"
)

// DefaultWeights is the weight layout that goes with a layout.
func DefaultWeights(l shape.Layout) WeightLayout {
	if l == shape.NCHW {
		return Torch
	}
	return Keras
}

// Weights is a linear map with an optional bias.
type Weights struct {
	Kernel Array // two dimensions, or those of a 1×1 convolution; nil: the identity
	Bias   Array // as many elements as the map has outputs; nil: none
	Layout WeightLayout
}

// arrays are the arrays that there are.
func (w Weights) arrays() []Array {
	var all []Array
	for _, a := range []Array{w.Kernel, w.Bias} {
		if a != nil {
			all = append(all, a)
		}
	}
	return all
}

// torchKernel is the kernel as [out, in], the order in which products read it.
func (w Weights) torchKernel() (Array, error) {
	k := w.Kernel
	s := k.Shape()
	switch {
	case len(s) == 2:
	case len(s) == 4 && w.Layout == Torch && s[2] == 1 && s[3] == 1:
		k = reshape(k, s[:2])
	case len(s) == 4 && w.Layout == Keras && s[0] == 1 && s[1] == 1:
		k = reshape(k, s[2:])
	case w.Layout == Torch:
		return nil, errorf(k, "shape %v: want a linear weight, (out,in) or (out,in,1,1)", s)
	default:
		return nil, errorf(k, "shape %v: want a linear weight, (in,out) or (1,1,in,out)", s)
	}
	if w.Layout == Keras {
		k = transpose(k, []int{1, 0})
	}
	return k, nil
}

// Linear maps the channels of x by weights, as Keras's Dense, torch.nn.Linear
// and a 1×1 convolution do: y = activation(x·W + b), "" being none. x and the
// weights are float16, bfloat16, float32 or float64 and promote; the work is
// done in float32 or float64.
func Linear(x Array, w Weights, activation string, l shape.Layout) (Array, error) {
	if len(x.Shape()) == 0 {
		return nil, errorf(x, "shape () has no channels to map")
	}
	work, t, err := floatWork("a linear map", x, w)
	if err != nil {
		return nil, err
	}
	out, err := linear(work, w, l.Channel(len(x.Shape())))
	if err != nil {
		return nil, err
	}
	return finish(out, activation, t, l)
}

// finish applies an activation, "" being none, and rounds to t.
func finish(x Array, activation string, t dtype.Type, l shape.Layout) (Array, error) {
	if activation != "" {
		var err error
		if x, err = activate(activation, x, l); err != nil {
			return nil, err
		}
	}
	return cast(x, t), nil
}

// linear maps one axis of x in x's dtype, which is float32 or float64.
func linear(x Array, w Weights, axis int) (Array, error) {
	t, s := x.DType(), x.Shape()
	if w.Kernel != nil {
		k, err := w.torchKernel()
		if err != nil {
			return nil, err
		}
		if in := k.Shape()[1]; in != s[axis] {
			want := fmt.Sprintf("(%d,out)", s[axis])
			if w.Layout == Torch {
				want = fmt.Sprintf("(out,%d)", s[axis])
			}
			return nil, errorf(w.Kernel, "weight of shape %v takes %d channels: want %s for the %d of %s, whose shape is %v", w.Kernel.Shape(), in, want, s[axis], NameOf(x), s).
				hint("weights are read in %s's order; --weight-layout says otherwise", w.Layout)
		}
		held := Hold(cast(k, t))
		x = onLast(x, axis, func(x Array) Array { return multiplyRows(x, held) })
	}
	return addBias(x, w.Bias, axis)
}

// addBias adds one number to each position of an axis; nil is none.
func addBias(x, bias Array, axis int) (Array, error) {
	if bias == nil {
		return x, nil
	}
	s := x.Shape()
	if bias.Shape().Len() != int64(s[axis]) {
		return nil, errorf(bias, "bias of shape %v: want (%d,), a number for each output channel", bias.Shape(), s[axis])
	}
	along := make(shape.Shape, len(s))
	for i := range along {
		along[i] = 1
	}
	along[axis] = s[axis]
	each := repeat(reshape(cast(bias, x.DType()), along), s)
	return &fold{computed{op: "bias", dt: x.DType(), sh: s, in: []Array{x, each}}, kernel.Active().Add[x.DType().Kind()]}, nil
}

// multiplyRows is rows [.., in] times a held matrix [out, in], transposed.
func multiplyRows(x Array, k *Held) Array {
	in, n := k.Shape()[1], k.Shape()[0]
	s := x.Shape().Clone()
	s[len(s)-1] = n
	return &product{computed{op: "linear", dt: x.DType(), sh: s, in: []Array{x, k}}, int64(in), int64(n)}
}

// product is what multiplyRows returns.
type product struct {
	computed
	k, n int64
}

const productRows = 64 // rows of a tile: what a block of the product takes

func (p *product) Tiling() Tiling { return Tiling{Unit: p.n, Size: productRows * p.n} }

func (p *product) Flops() int64 { return 2 * p.k * p.sh.Len() }

func (p *product) Memory(n int64) int64 {
	whole := max(n, wholeRowsMemory(n, p.n))
	read := whole / max(p.n, 1) * p.k
	return (read+wholeRowsMemory(n, p.n))*p.size() + memoryOf(p.in[0], read)
}

func (p *product) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(&p.scratch, dst, off, p.n, p.size(), func(dst []byte, row, n int64) error {
		x := p.get(n * p.k * p.size())
		defer p.put(x)
		if err := p.in[0].Read(ctx, x, row*p.k); err != nil {
			return err
		}
		if p.dt == dtype.Float32 {
			multiply[float32](p, dst, x, n)
		} else {
			multiply[float64](p, dst, x, n)
		}
		return nil
	})
}

func multiply[T kernel.Float](p *product, dst, x []byte, rows int64) {
	w := kernel.View[T](p.in[1].(*Held).data)
	kernel.MatMul(kernel.View[T](dst), int(p.n), kernel.View[T](x), int(p.k), w, int(p.k), int(rows), int(p.n), int(p.k), 1, 0)
}
