package ops

import (
	"context"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// channelRuns says where the channels of an array lie that is some blocks, such as
// images, of equal size: each is n channels after one another, and perhaps all of
// them again and again, of inner elements that lie together.
type channelRuns struct{ blocks, n, inner int64 }

const (
	// shortRun is the elements of a channel up to which its numbers are repeated for
	// each of them: a loop over so few takes longer to begin than to run.
	shortRun = 16
	// shortRowLen is the elements up to which a row of channels is repeated, likewise.
	shortRowLen = 512
)

// apply is (x - mean)·scale + bias, of arrays of float64 with a number for each
// channel of each block.
func (c channelRuns) apply(x, mean, scale, bias graph.Array) graph.Array {
	if x.Shape().Len() == 0 {
		return x
	}
	block := x.Shape().Len() / c.blocks
	times, each := int64(1), int64(1)
	if c.inner <= shortRun {
		each, c.inner = c.inner, 1
		times = max(min(shortRowLen, block)/(c.n*each), 1)
	}
	spread := func(v graph.Array) graph.Array {
		v = reshape(v, shape.Shape{int(c.blocks), 1, int(c.n), 1})
		return graph.InMemory(repeat(v, shape.Shape{int(c.blocks), int(times), int(c.n), int(each)}))
	}
	mean, scale, bias = spread(mean), spread(scale), spread(bias)
	c.n *= times * each
	return &perChannel{unary{computed{op: "norm", dt: x.DType(), sh: x.Shape()}, x}, c, block, mean, scale, bias}
}

// perChannel is (x - mean)·scale + bias.
type perChannel struct {
	unary
	channelRuns
	block             int64 // elements of a block
	mean, scale, bias graph.Array
}

func (p *perChannel) Operands(visit func(*graph.Array)) {
	visit(&p.x)
	visit(&p.mean)
	visit(&p.scale)
	visit(&p.bias)
}

func (*perChannel) ReadsByRegion() bool { return true }

func (p *perChannel) Tiling() graph.Tiling { return graph.TilingOf(p.x) }

func (p *perChannel) Flops() int64 { return 3 * p.sh.Len() }

func (p *perChannel) ReadsOnce(unit int64, say func(*graph.Array, int64)) { say(&p.x, unit) }

func (p *perChannel) Memory(n int64) int64 { return graph.MemoryOf(p.x, n) }

func (p *perChannel) Read(ctx context.Context, dst []byte, off int64) error {
	return p.ReadRegion(ctx, dst, graph.OneRun(off, int64(len(dst))/p.size()))
}

func (p *perChannel) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	src, err := graph.Peek(ctx, p.x, dst, r)
	if err != nil {
		return err
	}
	run := r.Len * p.size()
	for i := range r.Runs {
		p.run(dst[i*run:(i+1)*run], src[i*run:], r.Off+i*r.Stride)
	}
	return nil
}

// run computes the elements from number off on.
func (p *perChannel) run(dst, src []byte, off int64) {
	numbers := func(x graph.Array) []float64 { return kernel.View[float64](x.(graph.Resident).Bytes()) }
	mean, scale, bias := numbers(p.mean), numbers(p.scale), numbers(p.bias)
	t, k := kernel.Active(), p.dt.Kind()
	for len(dst) > 0 {
		in := off % p.block
		first := in / p.inner % p.n // channel
		at := off/p.block*p.n + first
		n := min(int64(len(dst))/p.size(), p.block-in)
		if p.inner == 1 {
			n = min(n, p.n-first)
			t.NormalizeCols[k](dst[:n*p.size()], src[:n*p.size()], mean[at:at+n], scale[at:at+n], bias[at:at+n])
		} else {
			n = min(n, p.inner-in%p.inner)
			t.Normalize[k](dst[:n*p.size()], src[:n*p.size()], mean[at], scale[at], bias[at])
		}
		dst, src, off = dst[n*p.size():], src[n*p.size():], off+n
	}
}
