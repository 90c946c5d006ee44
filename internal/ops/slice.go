package ops

import (
	"context"
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// Index is the part of x that an index selects, as numpy's basic indexing: a view, of
// which no more is read than is selected.
func Index(x graph.Array, index shape.Index) (graph.Array, error) {
	ranges, out, err := index.Of(x.Shape())
	if err != nil {
		return nil, graph.Errorf(x, "shape %v: %v %v", x.Shape(), index, err)
	}
	part := reshape(sliced(x, ranges), out)
	return &indexed{view{unary{computed{op: "index", dt: x.DType(), sh: out}, part}}, graph.NameOf(x) + index.String()}, nil
}

// indexed is the part that an index selects, called as it was written.
type indexed struct {
	view
	name string
}

func (x *indexed) Name() string { return x.name }

// Rows is n rows of x, along its first axis, from row first on.
func Rows(x graph.Array, first, n int) (graph.Array, error) {
	if s := x.Shape(); len(s) == 0 || first < 0 || n < 0 || first+n > s[0] {
		return nil, graph.Errorf(x, "shape %v has no rows %d to %d", s, first, first+n-1)
	}
	return rowsOf(x, first, n), nil
}

// rowsOf is Rows for rows known to be there.
func rowsOf(x graph.Array, first, n int) graph.Array {
	return partOf(x, 0, shape.Range{Start: first, N: n, Step: 1})
}

// partOf is a range of one axis of x.
func partOf(x graph.Array, axis int, r shape.Range) graph.Array {
	ranges := everything(x.Shape())
	ranges[axis] = r
	return sliced(x, ranges)
}

// everything is all positions of each axis.
func everything(s shape.Shape) []shape.Range {
	ranges := make([]shape.Range, len(s))
	for i, n := range s {
		ranges[i] = shape.Range{N: n, Step: 1}
	}
	return ranges
}

// flip reverses the order of x along an axis, as numpy.flip.
func flip(x graph.Array, axis int) graph.Array {
	n := x.Shape()[axis]
	return partOf(x, axis, shape.Range{Start: n - 1, N: n, Step: -1})
}

// sliced is a range of each axis of x.
func sliced(x graph.Array, ranges []shape.Range) graph.Array {
	if t, ok := x.(transposition); ok { // the source's axes are cut, where they lie in line
		from, perm := t.from()
		before := make([]shape.Range, len(perm))
		for i, a := range perm {
			before[a] = ranges[i]
		}
		return transpose(sliced(from, before), perm)
	}
	s := x.Shape()
	out, steps := make(shape.Shape, len(s)), make([]int64, len(s))
	from, whole := int64(0), true
	for a, r := range ranges {
		step := s.Product(a+1, len(s))
		out[a], steps[a] = r.N, int64(r.Step)*step
		whole = whole && r == shape.Range{N: s[a], Step: 1}
		from += int64(r.Start) * step
	}
	if whole {
		return x
	}
	return evenly("slice", x, out, from, steps)
}

// evenly is elements of x under shape s, which lie evenly spaced along each axis: steps
// are the elements of x from one position to the next, and from is the first one.
func evenly(op string, x graph.Array, s shape.Shape, from int64, steps []int64) graph.Array {
	if s.Len() == 0 {
		return empty(x.DType(), s)
	}
	p := &slice{unary{computed{op: op, dt: x.DType(), sh: s}, x}, from, 1, nil}
	for a := len(s) - 1; a >= 0; a-- {
		n, step, at := int64(s[a]), steps[a], len(p.axes)-1
		switch {
		case n == 1:
		case at < 0 && step == p.run: // it goes on where the run ends
			p.run *= n
		case at >= 0 && step == p.axes[at].step*p.axes[at].n: // it goes on with the axis inside it
			p.axes[at].n *= n
		default:
			p.axes = append(p.axes, slicedAxis{n, step})
		}
	}
	slices.Reverse(p.axes)
	return p
}

// slice is parts of another array: runs of its elements, evenly spaced along each of
// some axes.
type slice struct {
	unary
	from int64        // the first element
	run  int64        // elements that follow one another in both
	axes []slicedAxis // outermost first; none: it is one run
}

// slicedAxis is n positions, so many elements of the source apart.
type slicedAxis struct{ n, step int64 }

func (*slice) Flops() int64 { return 0 }

// turned reports whether the innermost runs follow each other backwards.
func (p *slice) turned() bool { return len(p.axes) > 0 && p.axes[len(p.axes)-1].step < 0 }

func (p *slice) Memory(n int64) int64 {
	m := graph.MemoryOf(p.x, n)
	if p.turned() {
		m += n * p.size()
	}
	return m
}

// at is the place in the source of the run that has element off of the slice, and how many
// runs follow it along the innermost axis, itself included.
func (p *slice) at(off int64) (from, runs int64) {
	i := off / p.run
	from, runs = p.from, 1
	for a := len(p.axes) - 1; a >= 0; a-- {
		axis := p.axes[a]
		k := i % axis.n
		if a == len(p.axes)-1 {
			runs = axis.n - k
		}
		from += k * axis.step
		i /= axis.n
	}
	return from, runs
}

func (p *slice) Read(ctx context.Context, dst []byte, off int64) error {
	size := p.size()
	for len(dst) > 0 {
		from, runs := p.at(off)
		in, n := off%p.run, int64(len(dst))/size
		if in > 0 || n < p.run { // a part of a run
			take := min(n, p.run-in)
			if err := p.x.Read(ctx, dst[:take*size], from+in); err != nil {
				return err
			}
			dst, off = dst[take*size:], off+take
			continue
		}
		runs = min(runs, n/p.run)
		take := runs * p.run
		if err := p.runs(ctx, dst[:take*size], from, runs); err != nil {
			return err
		}
		dst, off = dst[take*size:], off+take
	}
	return nil
}

// runs fills dst with runs along the innermost axis, the first of which begins with
// element from of the source.
func (p *slice) runs(ctx context.Context, dst []byte, from, runs int64) error {
	r := graph.Region{Off: from, Runs: runs, Len: p.run, Stride: p.run}
	if len(p.axes) > 0 {
		r.Stride = p.axes[len(p.axes)-1].step
	}
	if !p.turned() || runs == 1 {
		return graph.ReadRegion(ctx, p.x, dst, r)
	}
	r.Off, r.Stride = from+(runs-1)*r.Stride, -r.Stride
	buf := graph.GetBuffer(int64(len(dst)))
	defer graph.PutBuffer(buf)
	if err := graph.ReadRegion(ctx, p.x, buf, r); err != nil {
		return err
	}
	run := int(p.run * p.size())
	for i := range int(runs) {
		copy(dst[i*run:(i+1)*run], buf[(int(runs)-1-i)*run:])
	}
	return nil
}

// ReadRegion reads runs that lie evenly spaced in the source at once.
func (p *slice) ReadRegion(ctx context.Context, dst []byte, r graph.Region) error {
	from, runs := p.at(r.Off)
	in := r.Off % p.run
	switch {
	case len(p.axes) == 0:
		r.Off += p.from
		return graph.ReadRegion(ctx, p.x, dst, r)
	case in+r.Len <= p.run && r.Stride%p.run == 0 && (r.Runs-1)*(r.Stride/p.run) < runs && !p.turned():
		return graph.ReadRegion(ctx, p.x, dst, graph.Region{Off: from + in, Runs: r.Runs, Len: r.Len, Stride: r.Stride / p.run * p.axes[len(p.axes)-1].step})
	}
	return graph.ReadRuns(ctx, p, dst, r)
}
