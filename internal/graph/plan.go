package graph

import (
	"context"
	"fmt"
	"fusectl/internal/kernel"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Plan is a graph laid out for computing: which arrays are held in memory, in
// which order they are filled and let go, and what all that takes.
type Plan struct {
	outs    []Array
	stages  []stage
	sources []Array
	pipes   []pipe          // the sources that are read ahead
	once    map[Keeper]bool // the sources of which nothing is read twice
	o       Options
	next    int   // the stage that comes next
	kept    int64 // bytes of arrays that the store keeps
	garbage int64 // bytes let go of and not collected
	work    *progress
	tables  int64 // bytes that nodes hold whatever is computed
}

// pipe is a source that is read ahead, with the last stage that reads it.
type pipe struct {
	Keeper
	last int
}

// NewPlan lays out the graph of some arrays, its results. Values that several
// nodes read are held where that is cheaper than computing them again: the plan
// puts them into the graph, and the next plan of it takes them out again. A graph
// that needs more than o.Memory bytes is an *Error.
func NewPlan(o Options, outs ...Array) (*Plan, error) {
	if o.Threads < 1 {
		o.Threads = 1
	}
	if o.Tile <= 0 {
		o.Tile = DefaultTile
	}
	p := &Plan{outs: slices.Clone(outs), o: o}
	restore(p.outs)
	fold(p.outs)
	if o.InOrder {
		for i, x := range p.outs { // blocks too large to be computed whole as they come
			if x.Shape().Len() == 0 {
				continue
			}
			if t := TilingOf(x); t.Rows > 1 && t.Rows*t.Stride*int64(x.DType().Size()) > blockMost {
				p.outs[i] = Materialize(x)
			}
		}
	}
	materializeScattered(p.outs)
	materializeCommon(p.outs, o.Memory)
	p.keep()
	p.findStages()
	eachNode(p.outs, func(n Node) {
		if t, ok := n.(Tabled); ok {
			p.tables += t.Tables()
		}
	})
	if need := p.Memory(); o.Memory > 0 && need > o.Memory {
		e := &Error{Msg: fmt.Sprintf("needs %d bytes of memory: --memory allows %d", need, o.Memory)}
		return nil, e.Hint("fewer --threads need less; %d bytes of it are arrays that must be held whole", p.Held())
	}
	return p, nil
}

// findStages finds the stages: each result is preceded by what it needs held and
// doesn't find held yet.
func (p *Plan) findStages() {
	seen := map[Array]bool{}
	last := map[*Materialized]int{} // the last stage that reads it
	var walk func(Array)
	walk = func(x Array) {
		if seen[x] {
			return
		}
		seen[x] = true
		n, ok := x.(Node)
		if !ok {
			p.sources = append(p.sources, x)
			return
		}
		if h, ok := x.(*Materialized); ok && h.kept != nil && h.data != nil {
			return // an earlier plan has computed it
		}
		for _, in := range Operands(n) {
			walk(in)
		}
		if h, ok := x.(*Materialized); ok {
			p.stages = append(p.stages, stage{x: h.of, into: h})
		}
	}
	for _, x := range p.outs {
		walk(x)
		p.stages = append(p.stages, stage{x: x})
	}
	for i, s := range p.stages {
		if s.into != nil && s.into.kept == nil {
			last[s.into] = i
		}
		nodesUnder(s.x, func(n Node) {
			if h, ok := n.(*Materialized); ok && h.kept == nil {
				last[h] = i
			}
		})
	}
	for h, i := range last {
		p.stages[i].frees = append(p.stages[i].frees, h)
	}
	final := map[Keeper]int{}
	for i, s := range p.stages {
		sourcesUnder(s.x, func(x Array) {
			if k, ok := x.(Keeper); ok {
				final[k] = i
			}
		})
	}
	keeping := false
	for k, i := range final {
		reading, before := k.Keeps()
		keeping = keeping || reading > 0
		p.stages[i].done = append(p.stages[i].done, k)
		if before > 0 {
			p.pipes = append(p.pipes, pipe{k, i})
		}
	}
	if p.o.Only && keeping {
		p.once = readOnce(p.stages, p.o)
	}
}

// Outs are the results, in the order in which they are written.
func (p *Plan) Outs() []Array { return p.outs }

// Sources are the arrays that the graph reads and doesn't compute, each once.
func (p *Plan) Sources() []Array { return p.sources }

// Held is the most bytes of arrays that are held whole at one time.
func (p *Plan) Held() int64 { return p.peak(func(int, stage) int64 { return 0 }) }

// Memory is the bytes that the process is expected to hold at its peak.
func (p *Plan) Memory() int64 {
	work := func(s stage) int64 {
		t := newTiles(s.x, p.o, p.o.InOrder && s.into == nil)
		return (t.most*int64(s.x.DType().Size()) + MemoryOf(s.x, t.most)) * min(int64(p.o.Threads), max(t.count, 1))
	}
	freed := int64(0) // what is let go of before the last stage, and not collected at once
	for _, s := range p.stages[:len(p.stages)-1] {
		freed += work(s)
		for _, h := range s.frees {
			freed += SizeOf(h)
		}
	}
	return p.o.Base + p.tables + min(freed, collectFrom) + p.peak(func(i int, s stage) int64 { return work(s) + p.keeping(s.x) + p.ahead(i) })
}

// peak is the most that stages hold, with what each takes to compute.
func (p *Plan) peak(work func(int, stage) int64) int64 {
	most, live := int64(0), p.kept
	for i, s := range p.stages {
		if s.into != nil && s.into.kept == nil {
			live += SizeOf(s.into)
		}
		most = max(most, live+work(i, s))
		for _, h := range s.frees {
			live -= SizeOf(h)
		}
	}
	return most
}

// WriteAt computes the next result and writes its elements to w, whose offset
// 0 is the first one. Tiles are written in no certain order, several at a time.
func (p *Plan) WriteAt(ctx context.Context, w io.WriterAt) error {
	return p.write(ctx, true, func(x Array) error {
		return p.compute(ctx, x, &fileTarget{w: w, size: int64(x.DType().Size())}, false)
	})
}

// WriteTo computes the next result and writes its elements to w in order, each
// as soon as it and those before it are there.
func (p *Plan) WriteTo(ctx context.Context, w io.Writer) error {
	return p.write(ctx, true, func(x Array) error {
		s := &streamTarget{w: w}
		s.moved.L = &s.mu
		return p.compute(ctx, x, s, true)
	})
}

// Into computes the next result in dst, which has room for its elements.
func (p *Plan) Into(ctx context.Context, dst []byte) error {
	return p.write(ctx, true, func(x Array) error {
		return p.compute(ctx, x, &memoryTarget{dst, int64(x.DType().Size())}, false)
	})
}

// write computes the stages up to the next result, and the result by result.
func (p *Plan) write(ctx context.Context, written bool, result func(Array) error) error {
	if p.next == 0 {
		if p.o.Progress != nil {
			p.work = newProgress(p.stages, written)
			p.o.Progress(Cost{}, p.work.all)
		}
		for k, once := range p.once {
			if once {
				k.ReadOnce()
			}
		}
	}
	for {
		s := p.stages[p.next]
		p.next++
		var err error
		if s.into == nil {
			err = result(s.x)
		} else {
			err = s.into.fill(ctx, p)
		}
		p.end(s)
		if err != nil || s.into == nil {
			return err
		}
	}
}

// end lets go of what no later stage needs. Garbage is collected before it is
// much, so that the process never holds much more than the plan says.
func (p *Plan) end(s stage) {
	p.garbage += dropBuffers()
	for _, h := range s.frees {
		p.garbage += int64(len(h.data))
		h.data = nil
	}
	if p.o.Only {
		for _, k := range s.done {
			k.Release()
		}
	}
	if p.garbage > collectFrom && p.next < len(p.stages) {
		runtime.GC()
		p.garbage = 0
	}
}

// collectFrom is the bytes of garbage from which on it is collected: a
// collection takes longer than many a small stage.
const collectFrom = 4 << 20

// PanicError is a panic in a worker: a fault of the program, not of its input.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("internal error: %v", e.Value) }

// Give computes the next result and gives its tiles to a target, in no certain order.
func (p *Plan) Give(ctx context.Context, to Target) error {
	return p.write(ctx, false, func(x Array) error { return p.compute(ctx, x, to, false) })
}

func (p *Plan) compute(ctx context.Context, x Array, to Target, inOrder bool) error {
	tiles := newTiles(x, p.o, inOrder)
	to.Begin(tiles.count)
	if tiles.count == 0 {
		return nil
	}
	size := int64(x.DType().Size())
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	work := func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = &PanicError{r, debug.Stack()}
			}
		}()
		buf := GetBuffer(tiles.most * size)
		defer PutBuffer(buf)
		for {
			i := next.Add(1) - 1
			if i >= tiles.count {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			r := tiles.region(i)
			n := r.Runs * r.Len * size
			tile := to.Place(r)
			if tile == nil {
				tile = buf[:n]
			}
			if err := ReadRegion(ctx, x, tile, r); err != nil {
				return err
			}
			if err := to.Put(i, r, tile); err != nil {
				return err
			}
			if p.o.Progress != nil {
				p.work.tile(x, r.Runs*r.Len, p.o.Progress)
			}
		}
	}
	for range min(int64(p.o.Threads), tiles.count) {
		g.Go(func() error {
			err := work()
			if err != nil {
				to.Fail(err)
			}
			return err
		})
	}
	return g.Wait()
}

// keeping is the bytes that the sources of x keep while it is computed.
func (p *Plan) keeping(x Array) int64 {
	seen := map[Array]bool{}
	var walk func(Array) (bytes int64, once bool)
	walk = func(x Array) (bytes int64, once bool) {
		if seen[x] {
			return 0, true
		}
		seen[x] = true
		if k, ok := x.(Keeper); ok {
			bytes, _ = k.Keeps()
			return bytes, p.once[k]
		}
		n, ok := x.(Node)
		if _, held := x.(*Materialized); held || !ok {
			return 0, true
		}
		once = true
		most := int64(0)
		for _, in := range Operands(n) {
			b, o := walk(in)
			bytes, most, once = bytes+b, max(most, b), once && o
		}
		if t, ok := x.(Sequential); ok && once && t.ReadsInTurn() {
			bytes = min(bytes, 2*int64(p.o.Threads)*most)
		}
		return bytes, once
	}
	bytes, _ := walk(x)
	return bytes
}

// ahead is the bytes that pipes keep before or between the stages that read
// them: where there are several they are read ahead.
func (p *Plan) ahead(i int) (bytes int64) {
	if len(p.pipes) < 2 {
		return 0
	}
	for _, f := range p.pipes {
		reads := false
		sourcesUnder(p.stages[i].x, func(x Array) { reads = reads || x == Array(f.Keeper) })
		if i <= f.last && !reads {
			_, before := f.Keeps()
			bytes += before
		}
	}
	return bytes
}

// keep finds which arrays of the plan the store keeps, and takes those that it has.
func (p *Plan) keep() {
	if p.o.Store == nil {
		return
	}
	has := int64(0)
	eachNode(p.outs, func(n Node) {
		h, ok := n.(*Materialized)
		if !ok {
			return
		}
		h.kept = p.o.Store.entry(h.of)
		if h.kept == nil {
			return
		}
		p.kept += SizeOf(h)
		h.kept.mu.Lock()
		defer h.kept.mu.Unlock()
		if h.data = h.kept.data; h.data != nil {
			has += SizeOf(h)
		}
	})
	p.o.Base += p.o.Store.bytes() - has // what other plans have left there
}

func (h *Materialized) fill(ctx context.Context, p *Plan) error {
	compute := func() ([]byte, error) {
		data := kernel.Alloc(int(SizeOf(h)))
		return data, p.compute(ctx, h.of, &memoryTarget{data, int64(h.DType().Size())}, false)
	}
	if h.kept != nil {
		fill := compute
		compute = func() ([]byte, error) { return h.kept.fill(fill) }
	}
	data, err := compute()
	if err == nil {
		h.data = data
	}
	return err
}
