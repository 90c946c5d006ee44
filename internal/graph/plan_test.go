package graph_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"fusectl/internal/blocks"
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// failing is an array whose data can't be read from element at on.
type failing struct {
	graphtest.Mem
	at int64
}

var errRead = errors.New("the disk is on fire")

func (f *failing) Read(ctx context.Context, dst []byte, off int64) error {
	if off+int64(len(dst)/4) > f.at {
		return errRead
	}
	return f.Mem.Read(ctx, dst, off)
}

func TestErrorsOfInputsComeOutAsTheyAre(t *testing.T) {
	x := &failing{*graphtest.Randn(1, 100, 100), 5000}
	for _, o := range []graph.Options{{Threads: 1, Tile: 400}, {Threads: 3, Tile: 400}} {
		for _, build := range []func() graph.Array{
			func() graph.Array {
				return graphtest.Must(ops.Add([]graph.Array{x, graphtest.Randn(2, 100)}, ops.AddOptions{}))
			},
			func() graph.Array {
				return graphtest.Must(ops.Add([]graph.Array{graph.Materialize(x), x}, ops.AddOptions{}))
			},
		} {
			p, err := graph.NewPlan(o, build())
			if err != nil {
				t.Fatal(err)
			}
			if err := p.WriteTo(context.Background(), io.Discard); !errors.Is(err, errRead) {
				t.Errorf("in order: got %v", err)
			}
			if p, err = graph.NewPlan(o, build()); err != nil {
				t.Fatal(err)
			}
			f := &graphtest.File{Data: make([]byte, 40000), Written: make([]byte, 40000)}
			if err := p.WriteAt(context.Background(), f); !errors.Is(err, errRead) {
				t.Errorf("at offsets: got %v", err)
			}
		}
	}
}

// closedPipe fails after some bytes, as a pipe does whose reader left.
type closedPipe struct{ left int }

func (c *closedPipe) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestAFailedOutputStopsAllWorkers(t *testing.T) {
	x := graphtest.Must(ops.Random("uniform", shape.Shape{1 << 30}, dtype.Float32, 1)) // hours of work, if not stopped
	p, err := graph.NewPlan(graph.Options{Threads: 4}, x)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.WriteTo(context.Background(), &closedPipe{1 << 20}) }()
	select {
	case err := <-done:
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Fatalf("got %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("workers went on after the output had failed")
	}
}

func TestCancelling(t *testing.T) {
	x := graphtest.Must(ops.Random("uniform", shape.Shape{1 << 30}, dtype.Float32, 1))
	p, err := graph.NewPlan(graph.Options{Threads: 2}, x)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := p.WriteTo(ctx, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

// panics is an array with a fault.
type panics struct{ graphtest.Mem }

func (panics) Read(context.Context, []byte, int64) error { panic("a fault") }

func TestAPanicIsAnError(t *testing.T) {
	p, err := graph.NewPlan(graph.Options{Threads: 2}, &panics{*graphtest.Randn(1, 10)})
	if err != nil {
		t.Fatal(err)
	}
	var pe *graph.PanicError
	if err := p.WriteTo(context.Background(), io.Discard); !errors.As(err, &pe) {
		t.Fatalf("got %v", err)
	}
}

func TestMemoryCeiling(t *testing.T) {
	x := graphtest.Randn(1, 1, 256, 64)
	build := func() graph.Array { return graphtest.Must(blocks.Attention(x, blocks.AttentionOptions{Scale: 1})) }
	p, err := graph.NewPlan(graph.Options{}, build())
	if err != nil {
		t.Fatal(err)
	}
	if p.Held() != 256*64*4 {
		t.Errorf("holds %d bytes: want the keys, which are the values, once: %d", p.Held(), 256*64*4)
	}
	if _, err := graph.NewPlan(graph.Options{Memory: p.Memory()}, build()); err != nil {
		t.Errorf("with just what it needs: %v", err)
	}
	var e *graph.Error
	if _, err := graph.NewPlan(graph.Options{Memory: p.Memory() - 1}, build()); !errors.As(err, &e) || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("with a byte less: %v", err)
	}
}

func TestNothingIsAllocatedPerTile(t *testing.T) {
	a, b := graphtest.Randn(1, 1, 256, 256, 64), graphtest.Randn(2, 1, 1, 1, 64)
	graphs := map[string]graph.Array{
		"add":       graphtest.Must(ops.Add([]graph.Array{a, a}, ops.AddOptions{Activation: "relu"})),
		"mul":       graphtest.Must(ops.Mul([]graph.Array{a, b}, ops.MulOptions{Gate: "sigmoid"})),
		"concat":    graphtest.Must(ops.Concat([]graph.Array{a, a}, -1)),
		"cast":      graphtest.Must(ops.Cast(a, dtype.Float16)),
		"transpose": graphtest.Must(ops.Transpose(a, []int{0, 3, 1, 2})),
		"resize":    graphtest.Must(ops.Resize(a, []int{300, 300}, ops.ResizeOptions{Mode: "bilinear", Layout: shape.NHWC})),
	}
	for name, x := range graphs {
		t.Run(name, func(t *testing.T) {
			allocs := func(tile int64) float64 {
				return testing.AllocsPerRun(2, func() {
					p, err := graph.NewPlan(graph.Options{Tile: tile}, x)
					if err == nil {
						err = p.WriteAt(context.Background(), discardAt{})
					}
					if err != nil {
						t.Fatal(err)
					}
				})
			}
			few, many := allocs(1<<22), allocs(1<<14) // 4 and 1024 tiles
			if many > few+16 {
				t.Errorf("%v allocations with many tiles, %v with few", many, few)
			}
		})
	}
}

type discardAt struct{}

func (discardAt) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

func TestHeldIsComputedOnceForSeveralOutputs(t *testing.T) {
	c := &counted{Mem: *graphtest.Randn(1, 1, 16, 16, 4)}
	levels, err := blocks.FPN([]graph.Array{graphtest.Randn(2, 1, 32, 32, 4), c, graphtest.Randn(3, 1, 8, 8, 4)}, blocks.FPNOptions{Layout: shape.NHWC})
	if err != nil {
		t.Fatal(err)
	}
	p, err := graph.NewPlan(graph.Options{}, levels...)
	if err != nil {
		t.Fatal(err)
	}
	for range levels {
		if err := p.WriteAt(context.Background(), discardAt{}); err != nil {
			t.Fatal(err)
		}
	}
	if c.bytes != len(c.Data) {
		t.Errorf("%d bytes of the middle level were read for both outputs that it has part in: want each once, %d", c.bytes, len(c.Data))
	}
}

type counted struct {
	graphtest.Mem
	bytes int
}

func (c *counted) Read(ctx context.Context, dst []byte, off int64) error {
	c.bytes += len(dst)
	return c.Mem.Read(ctx, dst, off)
}

func TestOutputInOrderStartsBeforeTheInputEnds(t *testing.T) {
	gate := make(chan struct{})
	x := &gated{Mem: *graphtest.Randn(1, 1<<20), gate: gate}
	p, err := graph.NewPlan(graph.Options{Threads: 2}, graphtest.Must(ops.Add([]graph.Array{x, graphtest.Randn(2, 1)}, ops.AddOptions{})))
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- p.WriteTo(context.Background(), w); w.Close() }()
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	close(gate) // only now does the second half of the input arrive
	if rest, err := io.ReadAll(r); err != nil || len(rest) != 4<<20-100 {
		t.Fatalf("%d bytes, %v", len(rest), err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

type gated struct {
	graphtest.Mem
	gate chan struct{}
}

func (g *gated) Read(ctx context.Context, dst []byte, off int64) error {
	if off >= 1<<19 {
		<-g.gate
	}
	return g.Mem.Read(ctx, dst, off)
}

func TestWholeBlocksInOrder(t *testing.T) {
	x := graphtest.Randn(1, 2, 30, 20, 24)
	w := ops.Weights{Kernel: graphtest.Randn(2, 7, 30), Layout: ops.Torch}
	build := func() graph.Array { return graphtest.Must(ops.Linear(x, w, ops.LinearOptions{Axis: 1})) }
	if got, want := graphtest.WriteTo(t, build(), graph.Options{Threads: 2}), graphtest.WriteAt(t, build(), graph.Options{}); !bytes.Equal(got, want) {
		t.Fatal("in order and at offsets differ")
	}
}

// folder is an addition that its first operand may take over.
type folder struct {
	graph.Node
	of    graph.Array
	alone bool
}

func (f *folder) Foldable() graph.Array { return f.of }
func (f *folder) Fold(alone bool)       { f.alone = alone }

// A node is folded into what it alone reads, plan by plan.
func TestFoldsWhatIsReadAlone(t *testing.T) {
	x := graphtest.Randn(1, 6)
	of := graphtest.Must(ops.Add([]graph.Array{x, x}, ops.AddOptions{}))
	f := &folder{Node: graphtest.Must(ops.Add([]graph.Array{of, x}, ops.AddOptions{})).(graph.Node), of: of}
	twice := graphtest.Must(ops.Mul([]graph.Array{f, f}, ops.MulOptions{}))
	for _, c := range []struct {
		what string
		outs []graph.Array
		want bool
	}{
		{"alone", []graph.Array{f}, true},
		{"itself read twice", []graph.Array{twice, f}, true},
		{"beside a result", []graph.Array{f, of}, false},
		{"beside a reader", []graph.Array{graphtest.Must(ops.Mul([]graph.Array{of, twice}, ops.MulOptions{}))}, false},
		{"alone again", []graph.Array{twice}, true},
	} {
		if _, err := graph.NewPlan(graph.Options{}, c.outs...); err != nil {
			t.Fatal(err)
		}
		if f.alone != c.want {
			t.Errorf("%s: folded %v, want %v", c.what, f.alone, c.want)
		}
	}
}
