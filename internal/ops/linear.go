package ops

import (
	"context"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// LinearOptions refine Linear.
type LinearOptions struct {
	Axis       int         // the axis that is mapped; may count from the end
	Residual   graph.Array // added to the result, of its shape; nil: nothing
	Activation string      // applied to the sum; "": none
}

// Linear maps an axis of x by weights, as Keras's Dense, torch.nn.Linear and a
// 1×1 convolution do: y = activation(x·W + b + residual). All arrays are
// float16, bfloat16, float32 or float64 and promote; the work is done in float32
// or float64.
func Linear(x graph.Array, w Weights, o LinearOptions) (graph.Array, error) {
	s := x.Shape()
	if len(s) == 0 {
		return nil, graph.Errorf(x, "shape () has no channels to map")
	}
	axis, err := shape.Axis(o.Axis, len(s))
	if err != nil {
		return nil, graph.Errorf(x, "%v: shape %v", err, s)
	}
	all := append([]graph.Array{x}, w.Arrays()...)
	if o.Residual != nil {
		all = append(all, o.Residual)
	}
	t, err := FloatType("a linear map", all...)
	if err != nil {
		return nil, err
	}
	var post postOps
	if o.Residual != nil {
		want := s.Clone()
		if w.Kernel != nil {
			if want[axis], err = w.Outputs(); err != nil {
				return nil, err
			}
		}
		if !o.Residual.Shape().Equal(want) {
			return nil, graph.Errorf(o.Residual, "shape %v: want %v, the shape of what it is added to", o.Residual.Shape(), want)
		}
		post.residual = cast(o.Residual, t.Compute())
	}
	fused, after := fuse(o.Activation, t.Compute())
	post.activation = fused
	work := cast(x, t.Compute())
	if post.residual == nil || axis == len(s)-1 {
		work, err = linearThen(work, w, axis, post)
	} else if work, err = linear(work, w, axis); err == nil { // a product adds it to rows alone
		work, err = post.apply(work, axis)
	}
	if err != nil {
		return nil, err
	}
	return activateAndCast(work, after, t, axis)
}

// activateAndCast applies an activation, "" being none, and rounds to t; axis is what a
// softmax runs over.
func activateAndCast(x graph.Array, activation string, t dtype.Type, axis int) (graph.Array, error) {
	if activation != "" {
		var err error
		if x, err = activate(activation, x, axis); err != nil {
			return nil, err
		}
	}
	return cast(x, t), nil
}

// linear maps one axis of x in x's dtype, which is float32 or float64.
func linear(x graph.Array, w Weights, axis int) (graph.Array, error) {
	return linearThen(x, w, axis, postOps{})
}

// linearThen is linear with what a product does besides, the bias apart; a
// residual is for the last axis alone.
func linearThen(x graph.Array, w Weights, axis int, post postOps) (graph.Array, error) {
	t, s := x.DType(), x.Shape()
	w, err := w.folded(t, false)
	if err != nil {
		return nil, err
	}
	post.bias = w.Bias
	if w.Kernel == nil {
		return post.apply(x, axis)
	}
	k, err := w.matrix()
	if err != nil {
		return nil, err
	}
	if err := w.Fits(x, axis); err != nil {
		return nil, err
	}
	in, out := k.Shape()[0], k.Shape()[1]
	if w.Layout == Torch {
		in, out = out, in
	}
	epi, err := post.materialize(t, out)
	if err != nil {
		return nil, err
	}
	k = cast(k, t)
	if axis < len(s)-1 && s.Product(axis+1, len(s)) >= linearFirstLeast {
		return linearFirst(x, toLayout(k, w.Layout, Torch), axis, epi), nil
	}
	k = toLayout(k, w.Layout, Keras)
	if in > 0 && s.Len() < int64(in)*kernel.FewRows && kernel.Active().InPlace(t.Kind()) {
		weights := graph.InMemory(k)
		return onLast(x, axis, func(x graph.Array) (graph.Array, error) { return newProduct(x, weights, in, out, epi), nil })
	}
	weights := pack(k, 1)
	return onLast(x, axis, func(x graph.Array) (graph.Array, error) { return multiplyRows(x, weights, epi), nil })
}

// apply is e done to x, which is no product.
func (post postOps) apply(x graph.Array, axis int) (graph.Array, error) {
	x, err := addBias(x, post.bias, axis)
	if err == nil && post.residual != nil {
		x, err = Add([]graph.Array{post.residual, x}, AddOptions{})
	}
	if err == nil && post.activation != "" {
		x, err = activate(post.activation, x, axis)
	}
	return x, err
}

// addBias adds one number to each position of an axis; nil is none.
func addBias(x, bias graph.Array, axis int) (graph.Array, error) {
	if bias == nil {
		return x, nil
	}
	s := x.Shape()
	if err := checkBias(bias, s[axis]); err != nil {
		return nil, err
	}
	along := make(shape.Shape, len(s))
	for i := range along {
		along[i] = 1
	}
	along[axis] = s[axis]
	each := repeat(reshape(cast(bias, x.DType()), along), s)
	return &nary{computed{op: "bias", dt: x.DType(), sh: s}, []graph.Array{x, each}, kernel.Active().Add[x.DType().Kind()]}, nil
}

// multiplyRows is rows [.., in] times a matrix [in, out] that pack has held.
func multiplyRows(x graph.Array, weights *graph.Materialized, epi epilogue) graph.Array {
	p := weights.Of().(*packed)
	return newProduct(x, weights, p.k, p.n, epi)
}

func newProduct(x graph.Array, weights graph.Resident, k, n int, epi epilogue) graph.Array {
	s := x.Shape().Clone()
	s[len(s)-1] = n
	return &product{computed{op: "linear", dt: x.DType(), sh: s}, x, weights, int64(k), int64(n), epi}
}

// product is rows [.., k] times a matrix [k,n]: one that pack has held, or for
// few rows one in memory as it is.
type product struct {
	computed
	x, weights graph.Array
	k, n       int64
	epilogue   epilogue
}

// productRows are the rows of a tile, at least: each panel of the weights serves
// as many, more where the weights don't stay in the second-level cache.
func (p *product) productRows() int64 {
	if p.k*p.n*p.size() > 1<<20 {
		return 384
	}
	return 96
}

func (p *product) Tiling() graph.Tiling { return graph.Tiling{Unit: p.n, Size: p.productRows() * p.n} }

func (p *product) Flops() int64 { return (2*p.k + p.epilogue.flops) * p.sh.Len() }

func (p *product) Operands(visit func(*graph.Array)) {
	visit(&p.x)
	visit(&p.weights)
	p.epilogue.operands(visit)
}

func (p *product) ReadsOnce(unit int64, say func(*graph.Array, int64)) {
	if unit%p.n == 0 {
		say(&p.x, unit/p.n*p.k)
		say(&p.epilogue.residual, unit)
	}
}

func (p *product) Memory(n int64) int64 {
	whole := max(n, wholeRowsMemory(n, p.n))
	read := whole / max(p.n, 1) * p.k
	m := (graph.PeekBuffer(p.x, read)+wholeRowsMemory(n, p.n))*p.size() + graph.MemoryOf(p.x, read)
	if p.epilogue.residual != nil {
		m = max(m, graph.MemoryOf(p.epilogue.residual, whole))
	}
	return m
}

func (p *product) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(dst, off, p.n, p.size(), func(dst []byte, row, n int64) error {
		x, buf, err := graph.PeekRun(ctx, p.x, row*p.k, n*p.k)
		defer graph.PutBuffer(buf)
		if err == nil && p.epilogue.residual != nil {
			err = p.epilogue.residual.Read(ctx, dst, row*p.n)
		}
		if err != nil {
			return err
		}
		kernel.Instance(p.dt.Kind(), multiply[float32], multiply[float64])(p, dst, x, n)
		return nil
	})
}

func multiply[T kernel.Float](p *product, dst, x []byte, rows int64) {
	c := kernel.Dense(kernel.View[T](dst), int(rows), int(p.n))
	left := kernel.Dense(kernel.View[T](x), int(rows), int(p.k)).Left()
	end := kernelEpilogue[T](p.epilogue, 0, int(p.n))
	right := kernel.Dense(kernel.View[T](p.weights.(graph.Resident).Bytes()), int(p.k), int(p.n)).Right()
	if h, ok := p.weights.(*graph.Materialized); ok && isPacked(h) {
		right = group[T](h, 0)
	}
	kernel.Multiply(kernel.Active(), c, left, right, p.epilogue.residual != nil, end)
}
