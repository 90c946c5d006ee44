package ops

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Options say how a graph is computed. No byte of the result depends on them.
type Options struct {
	Threads  int               // workers; at least 1
	Memory   int64             // ceiling for arrays held and working buffers in bytes; 0: none
	Tile     int64             // bytes a tile aims at; 0: DefaultTile
	Progress func(bytes int64) // told of each tile's bytes as it is done; may be nil
}

// DefaultTile is the bytes a tile aims at: small enough to stay in the
// second-level cache with what it is computed from, large enough that the
// system calls that move it cost little.
const DefaultTile = 256 << 10

// Plan is a graph laid out for computing: which arrays are held in memory, in
// which order they are filled, and what all that takes.
type Plan struct {
	out     Array
	held    []*Held
	sources []Array
	o       Options
}

// NewPlan lays out the graph of x. A graph that needs more than o.Memory bytes
// is an *Error.
func NewPlan(x Array, o Options) (*Plan, error) {
	if o.Threads < 1 {
		o.Threads = 1
	}
	if o.Tile <= 0 {
		o.Tile = DefaultTile
	}
	p := &Plan{out: x, o: o}
	seen := map[Array]bool{}
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
		for _, in := range n.Inputs() {
			walk(in)
		}
		if h, ok := x.(*Held); ok {
			p.held = append(p.held, h)
		}
	}
	walk(x)
	if need := p.Memory(); o.Memory > 0 && need > o.Memory {
		e := &Error{Msg: fmt.Sprintf("needs %d bytes of memory: --memory allows %d", need, o.Memory)}
		return nil, e.hint("fewer --threads need less; %d bytes of it are arrays that must be held whole", p.Held())
	}
	return p, nil
}

// Out is the array that the plan computes.
func (p *Plan) Out() Array { return p.out }

// Op names the operation that gives the result.
func (p *Plan) Op() string {
	for x := p.out; ; {
		n, ok := x.(Node)
		switch {
		case !ok:
			return "copy"
		case n.Op() != "view" && n.Op() != "cast":
			return n.Op()
		}
		x = n.Inputs()[0]
	}
}

// Sources are the arrays that the graph reads and doesn't compute, each once.
func (p *Plan) Sources() []Array { return p.sources }

// Held is the bytes of the arrays that are held whole.
func (p *Plan) Held() int64 {
	n := int64(0)
	for _, h := range p.held {
		n += sizeOf(h)
	}
	return n
}

// Memory is the bytes that the computation is expected to hold at its peak,
// the program itself apart.
func (p *Plan) Memory() int64 {
	peak := int64(0)
	for _, x := range p.stages() {
		t := newTiles(x, p.o, false)
		work := t.most*int64(x.DType().Size()) + memoryOf(x, t.most)
		peak = max(peak, work*min(int64(p.o.Threads), max(t.count, 1)))
	}
	return p.Held() + peak
}

// Work is the bytes that the tiles of all stages add up to, for Progress.
func (p *Plan) Work() int64 {
	return sizeOf(p.out) + p.Held()
}

// stages are the arrays that are computed one after the other.
func (p *Plan) stages() []Array {
	var s []Array
	for _, h := range p.held {
		s = append(s, h.x)
	}
	return append(s, p.out)
}

// WriteAt computes the array and writes its elements to w, whose offset 0 is
// the first one. Tiles are written in no certain order, several at a time.
func (p *Plan) WriteAt(ctx context.Context, w io.WriterAt) error {
	if err := p.hold(ctx); err != nil {
		return err
	}
	return p.compute(ctx, p.out, &fileTarget{w: w, size: int64(p.out.DType().Size())}, false)
}

// WriteTo computes the array and writes its elements to w in order, each as
// soon as it and those before it are there.
func (p *Plan) WriteTo(ctx context.Context, w io.Writer) error {
	if err := p.hold(ctx); err != nil {
		return err
	}
	s := &streamTarget{w: w}
	s.moved.L = &s.mu
	return p.compute(ctx, p.out, s, true)
}

func (p *Plan) hold(ctx context.Context) error {
	for _, h := range p.held {
		if err := h.fill(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// PanicError is a panic in a worker: a fault of the program, not of its input.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("internal error: %v", e.Value) }

// target takes tiles. Both methods are called by several workers at once.
type target interface {
	// place is where the tile is best computed; nil: in the worker's buffer.
	place(r Region) []byte
	// put takes tile number i. Tiles are begun in order and may end in any.
	put(i int64, r Region, tile []byte) error
	// fail tells why a worker gave up, so that no other waits for its tile.
	fail(error)
}

func (p *Plan) compute(ctx context.Context, x Array, to target, inOrder bool) error {
	if x.Shape().Len() == 0 {
		return nil
	}
	tiles := newTiles(x, p.o, inOrder)
	size := int64(x.DType().Size())
	var next atomic.Int64
	var s scratch
	g, ctx := errgroup.WithContext(ctx)
	work := func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = &PanicError{r, debug.Stack()}
			}
		}()
		buf := s.get(tiles.most * size)
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
			tile := to.place(r)
			if tile == nil {
				tile = buf[:n]
			}
			if err := readRegion(ctx, &s, x, tile, r); err != nil {
				return err
			}
			if err := to.put(i, r, tile); err != nil {
				return err
			}
			if p.o.Progress != nil {
				p.o.Progress(n)
			}
		}
	}
	for range min(int64(p.o.Threads), tiles.count) {
		g.Go(func() error {
			err := work()
			if err != nil {
				to.fail(err)
			}
			return err
		})
	}
	return g.Wait()
}

// fileTarget writes each tile at its place.
type fileTarget struct {
	w    io.WriterAt
	size int64
}

func (t *fileTarget) place(Region) []byte { return nil }
func (t *fileTarget) fail(error)          {}
func (t *fileTarget) put(_ int64, r Region, tile []byte) error {
	run := r.Len * t.size
	for i := range r.Runs {
		if _, err := t.w.WriteAt(tile[i*run:(i+1)*run], (r.Off+i*r.Stride)*t.size); err != nil {
			return err
		}
	}
	return nil
}

// memoryTarget computes tiles where they stay.
type memoryTarget struct {
	data []byte
	size int64
}

func (t *memoryTarget) fail(error) {}
func (t *memoryTarget) place(r Region) []byte {
	if r.Runs > 1 {
		return nil
	}
	return t.data[r.Off*t.size : (r.Off+r.Len)*t.size]
}
func (t *memoryTarget) put(_ int64, r Region, tile []byte) error {
	if r.Runs > 1 {
		run := r.Len * t.size
		for i := range r.Runs {
			copy(t.data[(r.Off+i*r.Stride)*t.size:], tile[i*run:(i+1)*run])
		}
	}
	return nil
}

// streamTarget writes tiles in order: a worker that is early waits its turn.
type streamTarget struct {
	w     io.Writer
	mu    sync.Mutex
	moved sync.Cond
	turn  int64
	err   error // why a worker gave up
}

func (t *streamTarget) place(Region) []byte { return nil }
func (t *streamTarget) fail(err error) {
	t.mu.Lock()
	t.err = err
	t.mu.Unlock()
	t.moved.Broadcast()
}
func (t *streamTarget) put(i int64, _ Region, tile []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.turn != i && t.err == nil {
		t.moved.Wait()
	}
	if t.err != nil {
		return t.err
	}
	if _, err := t.w.Write(tile); err != nil {
		return err
	}
	t.turn++
	t.moved.Broadcast()
	return nil
}
