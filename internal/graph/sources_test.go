package graph_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// A source is told that it is read once where it is: that is what is counted here.
func TestReadOnceIsTrue(t *testing.T) {
	relu := func(x graph.Array) graph.Array { return graphtest.Must(ops.Activate("relu", x, -1)) }
	add := func(xs ...graph.Array) graph.Array { return graphtest.Must(ops.Add(xs, ops.AddOptions{})) }
	transposed := func(x graph.Array) []graph.Array { return []graph.Array{graphtest.Must(ops.Transpose(x, []int{1, 0}))} }
	for _, c := range []struct {
		what  string
		build func(x graph.Array) []graph.Array
		once  bool
	}{
		{"the source itself", func(x graph.Array) []graph.Array { return []graph.Array{x} }, true},
		{"a chain", func(x graph.Array) []graph.Array { return []graph.Array{relu(relu(x))} }, true},
		{"beside another", func(x graph.Array) []graph.Array { return []graph.Array{add(graphtest.Randn(2, 40, 6), x)} }, true},
		{"twice in a node", func(x graph.Array) []graph.Array { return []graph.Array{add(x, x)} }, false},
		{"twice below nodes", func(x graph.Array) []graph.Array {
			return []graph.Array{add(relu(x), graphtest.Must(ops.Activate("relu6", x, -1)))}
		}, false},
		{"in two results", func(x graph.Array) []graph.Array { return []graph.Array{relu(x), x} }, false},
		{"a node read twice", func(x graph.Array) []graph.Array { y := relu(x); return []graph.Array{add(y, relu(y))} }, false},
		{"held", func(x graph.Array) []graph.Array { h := graph.Materialize(x); return []graph.Array{add(h, relu(h))} }, true},
		{"by a node that doesn't say", func(x graph.Array) []graph.Array {
			return []graph.Array{graphtest.Must(ops.Rows(x, 1, 39)), graphtest.Randn(2, 1)}
		}, false},
		{"in blocks of a tile's size", transposed, true},
		{"in blocks", transposed, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, o := range []graph.Options{{Only: true}, {Only: true, Tile: 100}, {Only: true, InOrder: true, Tile: 100}, {}} {
				p := graphtest.NewPipe(graphtest.Randn(1, 40, 6), 100, 0)
				once := c.once
				if c.what == "in blocks" { // larger than a tile, but not too large to be computed whole in order
					p, once = graphtest.NewPipe(graphtest.Randn(1, 400, 400), 100, 0), o.InOrder
				}
				plan, err := graph.NewPlan(o, c.build(p)...)
				if err != nil {
					t.Fatal(err)
				}
				for range plan.Outs() {
					if o.InOrder {
						err = plan.WriteTo(t.Context(), io.Discard)
					} else {
						err = plan.WriteAt(t.Context(), discardAt{})
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if p.Once != (once && o.Only) {
					t.Errorf("%+v: told %v that it is read once, want %v", o, p.Once, once && o.Only)
				}
				if p.Released != o.Only {
					t.Errorf("%+v: let go %v", o, p.Released)
				}
				if more := slices.Max(p.Times) > 1; p.Once && (more || p.Back) {
					t.Errorf("%+v: told that it is read once, and was read %d times, back %v", o, slices.Max(p.Times), p.Back)
				}
			}
		})
	}
}

// A source is let go after the last stage that reads it.
func TestSourcesAreReleasedAfterTheirLastStage(t *testing.T) {
	a, b := graphtest.NewPipe(graphtest.Randn(1, 30), 8, 0), graphtest.NewPipe(graphtest.Randn(2, 30), 8, 0)
	sum := graphtest.Must(ops.Add([]graph.Array{a, b}, ops.AddOptions{}))
	p, err := graph.NewPlan(graph.Options{Only: true}, a, sum, b)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Sources(); !slices.Equal(got, []graph.Array{a, b}) {
		t.Errorf("the sources are %v", got)
	}
	for i, want := range [][2]bool{{false, false}, {true, false}, {true, true}} {
		if err := p.WriteAt(t.Context(), discardAt{}); err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{a.Released, b.Released}; got != want {
			t.Errorf("after result %d: released %v, want %v", i, got, want)
		}
	}
}

// What sources keep is counted: all at once where they are read together, and
// those that are being read, two for each thread, where they come in turn.
func TestMemoryOfKeptSources(t *testing.T) {
	const kept = 1 << 20
	need := func(o graph.Options, axis int, keeps int64) int64 {
		var xs []graph.Array
		for i := range 10 {
			xs = append(xs, graphtest.NewPipe(graphtest.Randn(uint64(i), 20, 30), keeps, 0))
		}
		p, err := graph.NewPlan(o, graphtest.Must(ops.Concat(xs, axis)))
		if err != nil {
			t.Fatal(err)
		}
		return p.Memory()
	}
	for _, c := range []struct {
		what string
		o    graph.Options
		axis int
		want int64
	}{
		{"in turn", graph.Options{Only: true, InOrder: true}, 0, 2 * kept},
		{"in turn, by 3 threads", graph.Options{Only: true, InOrder: true, Threads: 3}, 0, 6 * kept},
		{"together", graph.Options{Only: true, InOrder: true}, 1, 10 * kept},
		{"in turn, and perhaps again", graph.Options{InOrder: true}, 0, 10 * kept},
	} {
		if got := need(c.o, c.axis, kept) - need(c.o, c.axis, 0); got != c.want {
			t.Errorf("%s: %d bytes are kept, want %d", c.what, got, c.want)
		}
	}
}

// Of several pipes, one that is read later is read ahead meanwhile.
func TestMemoryOfPipesReadAhead(t *testing.T) {
	const first, second = 1 << 40, 1 << 30
	build := func(a, b graph.Array) graph.Array {
		h := graph.Materialize(graphtest.Must(ops.Activate("relu", a, -1)))
		return graphtest.Must(ops.Add([]graph.Array{h, b}, ops.AddOptions{}))
	}
	for _, c := range []struct {
		what  string
		b     graph.Array
		ahead int64
	}{
		{"two pipes", graphtest.NewPipe(graphtest.Randn(2, 30), 1, second), second}, {"one pipe", graphtest.Randn(2, 30), 0},
	} {
		p, err := graph.NewPlan(graph.Options{}, build(graphtest.NewPipe(graphtest.Randn(1, 30), 1, first), c.b))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Memory(); got < c.ahead || got > c.ahead+1<<10 {
			t.Errorf("%s: needs %d bytes, want %d and a few", c.what, got, c.ahead)
		}
	}
}

// Two arrays that hold the same one, and a node that reads it as it is, share it.
func TestWhatIsHeldTwiceIsHeldOnce(t *testing.T) {
	x := &counted{Mem: *graphtest.Randn(1, 50, 4)}
	y := graphtest.Must(ops.Activate("relu", x, -1)) // cheap: held because it must be
	out := graphtest.Must(ops.Add([]graph.Array{graph.Materialize(y), y, graph.Materialize(y)}, ops.AddOptions{}))
	got, p := readBytes(t, x, graph.Options{}, out)
	if got != len(x.Data) || p.Held() != int64(len(x.Data)) {
		t.Errorf("read %d bytes and held %d of %d", got, p.Held(), len(x.Data))
	}
}

// Garbage is collected between stages once it is much.
func TestGarbageIsCollectedBetweenStages(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	collections := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumGC
	}
	for _, c := range []struct {
		n    int
		want uint32
	}{{2 << 20, 1}, {1 << 10, 0}} {
		h := graph.Materialize(graphtest.Randn(1, c.n))
		p, err := graph.NewPlan(graph.Options{}, graphtest.Must(ops.Activate("relu", h, -1)), graphtest.Randn(2, 1))
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		before := collections()
		if err := p.WriteAt(t.Context(), discardAt{}); err != nil {
			t.Fatal(err)
		}
		if got := collections() - before; got != c.want {
			t.Errorf("%d elements: %d collections, want %d", c.n, got, c.want)
		}
	}
}

// tilesTarget keeps every tile that it is given, or refuses all.
type tilesTarget struct {
	mu     sync.Mutex
	tiles  int64
	data   []byte
	put    int64
	failed error
	refuse error
}

func (k *tilesTarget) Begin(n int64)           { k.tiles = n }
func (*tilesTarget) Place(graph.Region) []byte { return nil }
func (k *tilesTarget) Fail(err error) {
	k.mu.Lock()
	k.failed = err
	k.mu.Unlock()
}
func (k *tilesTarget) Put(_ int64, r graph.Region, tile []byte) error {
	if k.refuse != nil {
		return k.refuse
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put++
	for i := range r.Runs {
		copy(k.data[(r.Off+i*r.Stride)*4:], tile[i*r.Len*4:(i+1)*r.Len*4])
	}
	return nil
}

func TestGiveAndInto(t *testing.T) {
	x := graphtest.Randn(1, 300, 400)
	results := map[string]func() graph.Array{
		"in line": func() graph.Array { return graphtest.Must(ops.Mul([]graph.Array{x}, ops.MulOptions{})) },
		"blocks":  func() graph.Array { return graphtest.Must(ops.Transpose(x, []int{1, 0})) },
		"held": func() graph.Array {
			return graph.Materialize(graphtest.Must(ops.Transpose(x, []int{1, 0})))
		},
	}
	for name, build := range results {
		want := x.Data
		if name != "in line" {
			want = graphtest.Permuted(x, []int{1, 0}).Data
		}
		for _, o := range []graph.Options{{Threads: 2}, {Threads: 1, Tile: 1 << 14}} {
			p, err := graph.NewPlan(o, build())
			if err != nil {
				t.Fatal(err)
			}
			k := &tilesTarget{data: make([]byte, len(want))}
			if err := p.Give(t.Context(), k); err != nil || k.put != k.tiles || !bytes.Equal(k.data, want) {
				t.Errorf("%s: %d of %d tiles are given, %v; they differ at %d", name, k.put, k.tiles, err, graphtest.Differ(k.data, want))
			}
			if p, err = graph.NewPlan(o, build()); err != nil {
				t.Fatal(err)
			}
			dst := make([]byte, len(want))
			if err := p.Into(t.Context(), dst); err != nil || !bytes.Equal(dst, want) {
				t.Errorf("%s: into memory: %v, differs at %d", name, err, graphtest.Differ(dst, want))
			}
			if p, err = graph.NewPlan(o, build()); err != nil {
				t.Fatal(err)
			}
			k = &tilesTarget{refuse: io.ErrShortWrite}
			if err := p.Give(t.Context(), k); !errors.Is(err, io.ErrShortWrite) || !errors.Is(k.failed, io.ErrShortWrite) {
				t.Errorf("%s: a target that refuses gives %v, and is told %v", name, err, k.failed)
			}
		}
	}
}

type fullDisk struct{}

func (fullDisk) WriteAt([]byte, int64) (int, error) { return 0, io.ErrShortWrite }

func TestErrorsOfTargets(t *testing.T) {
	x := graphtest.Randn(1, 5000)
	plan := func(x graph.Array) *graph.Plan {
		p, err := graph.NewPlan(graph.Options{Threads: 2, Tile: 400}, x)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if err := plan(x).WriteAt(t.Context(), fullDisk{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a full disk: got %v", err)
	}
	if err := plan(x).WriteTo(t.Context(), &closedPipe{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a closed pipe: got %v", err)
	}
	bad := &failing{*x, 100}
	if err := plan(bad).Into(t.Context(), make([]byte, 20000)); !errors.Is(err, errRead) {
		t.Errorf("into memory, of what can't be read: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := plan(x).Give(ctx, &tilesTarget{data: make([]byte, 20000)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestAPanicSaysWhat(t *testing.T) {
	p, err := graph.NewPlan(graph.Options{}, &panics{*graphtest.Randn(1, 10)})
	if err != nil {
		t.Fatal(err)
	}
	var pe *graph.PanicError
	err = p.Into(t.Context(), make([]byte, 40))
	if !errors.As(err, &pe) || err.Error() != "internal error: a fault" || !strings.Contains(string(pe.Stack), "sources_test") && !strings.Contains(string(pe.Stack), "plan_test") {
		t.Errorf("got %v", err)
	}
}

// What is given to a target is read and not written, as progress counts.
func TestProgressOfWhatIsGiven(t *testing.T) {
	x := graphtest.Randn(1, 100)
	for _, c := range []struct {
		what string
		run  func(*graph.Plan) error
		want int64
	}{
		{"written", func(p *graph.Plan) error { return p.WriteAt(t.Context(), discardAt{}) }, 800},
		{"given", func(p *graph.Plan) error { return p.Give(t.Context(), &tilesTarget{data: make([]byte, 400)}) }, 400},
	} {
		var all graph.Cost
		p, err := graph.NewPlan(graph.Options{Progress: func(_, a graph.Cost) { all = a }}, graphtest.Must(ops.Activate("relu", x, -1)))
		if err == nil {
			err = c.run(p)
		}
		if want := (graph.Cost{Flops: 100, Moved: c.want}); err != nil || all != want {
			t.Errorf("%s: counts %+v, want %+v; %v", c.what, all, want, err)
		}
	}
}

// A node that doesn't say what it costs takes an operation an element.
func TestCostOfAPlainNode(t *testing.T) {
	got := graph.CostOf(&looker{x: graphtest.Randn(1, 7)}, func(graph.Array) bool { return false })
	if want := (graph.Cost{Flops: 1, Moved: 4 + 28}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A result in blocks too large to be computed whole, in order, is held; a smaller
// one is computed block by block.
func TestLargeBlocksInOrderAreHeld(t *testing.T) {
	for _, c := range []struct {
		s    shape.Shape
		held bool
	}{{shape.Shape{2048, 2050}, true}, {shape.Shape{20, 30}, false}, {shape.Shape{0, 30}, false}} {
		x := graphtest.Randn(1, c.s...)
		p, err := graph.NewPlan(graph.Options{InOrder: true}, graphtest.Must(ops.Transpose(x, []int{1, 0})))
		if err != nil {
			t.Fatal(err)
		}
		if held := p.Held() > 0; held != c.held {
			t.Errorf("%v: %d bytes are held", c.s, p.Held())
		}
		var b bytes.Buffer
		if err := p.WriteTo(t.Context(), &b); err != nil || !bytes.Equal(b.Bytes(), graphtest.Permuted(x, []int{1, 0}).Data) {
			t.Errorf("%v: other bytes, %v", c.s, err)
		}
	}
}

func TestTooLittleMemoryHints(t *testing.T) {
	h := graph.Materialize(graphtest.Must(ops.Activate("relu", graphtest.Randn(1, 1000), -1)))
	_, err := graph.NewPlan(graph.Options{Memory: 100}, h)
	var e *graph.Error
	if !errors.As(err, &e) || !strings.Contains(e.Error(), "--memory allows 100") || len(e.Hints) != 1 || !strings.Contains(e.Hints[0], fmt.Sprint(4000, " bytes of it")) {
		t.Errorf("got %v", err)
	}
}
