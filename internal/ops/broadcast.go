package ops

import (
	"context"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// broadcast repeats an array along axes of extent 1 and new leading ones.
type broadcast struct {
	unary
	levels []level
}

// level is a shape.Repeat with the elements that one position of it takes in
// the result and in the source.
type level struct {
	len, out, src int64
	same          bool
}

// Broadcast is x repeated to shape s, as numpy.broadcast_to. What is repeated
// and computed is held, so that it is computed once.
func Broadcast(x graph.Array, s shape.Shape) (graph.Array, error) {
	if b, ok := shape.Broadcast(x.Shape(), s); !ok || !b.Equal(s) {
		return nil, graph.Errorf(x, "shape %v does not broadcast to %v", x.Shape(), s)
	}
	return repeat(x, s), nil
}

// repeat is Broadcast for shapes known to fit.
func repeat(x graph.Array, s shape.Shape) graph.Array {
	reps := shape.Repeats(x.Shape(), s)
	if len(reps) == 0 || len(reps) == 1 && !reps[0].Same {
		return reshape(x, s)
	}
	if graph.SizeOf(x) <= graph.DefaultTile {
		x = graph.Materialize(x) // a small file is read once, not once a tile
	} else {
		x = graph.MaterializeComputed(x)
	}
	b := &broadcast{unary: unary{computed{op: "broadcast", dt: x.DType(), sh: s}, x}}
	b.levels = make([]level, len(reps))
	out, src := int64(1), int64(1)
	for i := len(reps) - 1; i >= 0; i-- {
		b.levels[i] = level{reps[i].Len, out, src, reps[i].Same}
		out *= reps[i].Len
		if !reps[i].Same {
			src *= reps[i].Len
		}
	}
	return b
}

func (*broadcast) Flops() int64 { return 0 }

// Memory counts the source rows under a run, never more than the run itself.
func (b *broadcast) Memory(n int64) int64 { return n*b.size() + graph.MemoryOf(b.x, n) }

func (b *broadcast) Read(ctx context.Context, dst []byte, off int64) error {
	return b.read(ctx, dst, b.levels, off, 0)
}

// read fills dst with the run that starts at off within the levels given,
// whose source starts at element src. It takes partial positions at either
// end apart, so that each piece asks the source for one run no longer than
// what it fills.
func (b *broadcast) read(ctx context.Context, dst []byte, levels []level, off, src int64) error {
	size := b.size()
	n := int64(len(dst)) / size
	if n == 0 {
		return nil
	}
	if len(levels) == 0 || len(levels) == 1 && !levels[0].same {
		return b.x.Read(ctx, dst, src+off)
	}
	l := levels[0]
	first, last := off/l.out, (off+n-1)/l.out
	at := func(i int64) int64 {
		if l.same {
			return src
		}
		return src + i*l.src
	}
	if first == last {
		return b.read(ctx, dst, levels[1:], off-first*l.out, at(first))
	}
	if head := (first+1)*l.out - off; head < l.out {
		if err := b.read(ctx, dst[:head*size], levels[1:], off-first*l.out, at(first)); err != nil {
			return err
		}
		return b.read(ctx, dst[head*size:], levels, off+head, src)
	}
	whole := n / l.out
	if tail := n - whole*l.out; tail > 0 {
		if err := b.read(ctx, dst[whole*l.out*size:], levels[1:], 0, at(first+whole)); err != nil {
			return err
		}
		dst = dst[:whole*l.out*size]
	}
	if l.same {
		one := dst[:l.out*size]
		if err := b.read(ctx, one, levels[1:], 0, src); err != nil {
			return err
		}
		kernel.Fill(dst, one)
		return nil
	}
	// Whole positions of a level that walks: their sources lie together.
	buf := graph.GetBuffer(whole * l.src * size)
	defer graph.PutBuffer(buf)
	if err := b.x.Read(ctx, buf, at(first)); err != nil {
		return err
	}
	b.expand(dst, buf, levels[1:], whole)
	return nil
}

// expand fills dst with n consecutive positions of the levels given, whose
// sources follow one another in src.
func (b *broadcast) expand(dst, src []byte, levels []level, n int64) {
	size := b.size()
	if len(levels) == 1 && levels[0].same {
		kernel.Repeat(dst, src, int(size), int(levels[0].len))
		return
	}
	if len(levels) == 0 {
		copy(dst, src)
		return
	}
	l := levels[0]
	out, in := l.len*l.out*size, l.src*size
	if !l.same {
		in *= l.len
	}
	for i := range n {
		d, s := dst[i*out:(i+1)*out], src[i*in:(i+1)*in]
		if l.same {
			b.expand(d[:l.out*size], s, levels[1:], 1)
			kernel.Fill(d, d[:l.out*size])
		} else {
			b.expand(d, s, levels[1:], l.len)
		}
	}
}
