package ops

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/shape"
)

// counted counts the bytes that are read of it.
type counted struct {
	*graphtest.Mem
	bytes atomic.Int64
}

func (c *counted) Read(ctx context.Context, dst []byte, off int64) error {
	c.bytes.Add(int64(len(dst)))
	return c.Mem.Read(ctx, dst, off)
}

func newCounted(x *graphtest.Mem) *counted { return &counted{Mem: x} }

// Plans of one store pack a shared weight once, whatever they multiply by it.
func TestAStoreKeepsPackedWeights(t *testing.T) {
	w := newCounted(graphtest.Randn(1, 48, 48))
	conv := newCounted(graphtest.Randn(2, 3, 3, 48, 16))
	half := newCounted(graphtest.Randn(3, 48, 20))
	halfOf := func(i int) graph.Array { return graphtest.Must(Rows(w, 24*i, 24)) }
	graphs := map[string]func(x graph.Array) graph.Array{
		"linear": func(x graph.Array) graph.Array {
			return graphtest.Must(Linear(x, Weights{Kernel: w, Layout: Keras}, LinearOptions{Axis: -1}))
		},
		"linear, transposed": func(x graph.Array) graph.Array {
			return graphtest.Must(Linear(x, Weights{Kernel: w, Layout: Torch}, LinearOptions{Axis: -1}))
		},
		"linear, half of it": func(x graph.Array) graph.Array {
			return graphtest.Must(Linear(x, Weights{Kernel: halfOf(1), Layout: Torch}, LinearOptions{Axis: -1}))
		},
		"linear, the other half": func(x graph.Array) graph.Array {
			return graphtest.Must(Linear(x, Weights{Kernel: halfOf(0), Layout: Torch}, LinearOptions{Axis: -1}))
		},
		"linear, converted": func(x graph.Array) graph.Array {
			return graphtest.Must(Linear(graphtest.Must(Cast(x, dtype.Float64)), Weights{Kernel: half, Layout: Keras}, LinearOptions{Axis: -1}))
		},
		"linear, every second column": func(x graph.Array) graph.Array {
			return graphtest.Must(Linear(x, Weights{Kernel: partOf(w, 1, shape.Range{N: 24, Step: 2}), Layout: Keras}, LinearOptions{Axis: -1}))
		},
		"linear, the first columns": func(x graph.Array) graph.Array { // which begin where every second does
			return graphtest.Must(Linear(x, Weights{Kernel: partOf(w, 1, shape.Range{N: 24, Step: 1}), Layout: Keras}, LinearOptions{Axis: -1}))
		},
		"conv": func(x graph.Array) graph.Array {
			return graphtest.Must(Conv(x, Weights{Kernel: conv, Layout: Keras}, ConvOptions{Padding: Padding{Same: true}, Groups: 1, Layout: shape.NHWC}))
		},
	}
	read := func() int64 { return w.bytes.Load() + conv.bytes.Load() + half.bytes.Load() }
	store := graph.NewStore()
	for _, x := range []graph.Array{w, conv, half} {
		store.Share(x)
	}
	plan := func(x graph.Array, s *graph.Store) (*graph.Plan, []byte) {
		p, err := graph.NewPlan(graph.Options{Threads: 2, Store: s}, x)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, graph.SizeOf(x))
		if err := p.Into(t.Context(), data); err != nil {
			t.Fatal(err)
		}
		return p, data
	}
	// Many rows, so that the weight is packed.
	xs := []graph.Array{graphtest.Randn(4, 2, 32, 32, 48), graphtest.Randn(5, 2, 32, 32, 48), graphtest.Randn(6, 2, 32, 32, 48)}
	held := int64(0)
	for name, build := range graphs {
		t.Run(name, func(t *testing.T) {
			for i, x := range xs {
				_, want := plan(build(x), nil)
				before := read()
				p, got := plan(build(x), store)
				if !bytes.Equal(got, want) {
					t.Fatalf("plan %d of the store gives other bytes", i)
				}
				if n := read() - before; (n > 0) != (i == 0) {
					t.Errorf("plan %d read %d bytes of the weights: want all by the first one", i, n)
				}
				if i == 0 {
					held = p.Held()
				} else if p.Held() != held {
					t.Errorf("plan %d holds %d bytes, the first one held %d", i, p.Held(), held)
				}
			}
		})
	}
	own := graph.NewStore() // which has nothing but the weights of conv
	own.Share(conv)
	plan(graphs["conv"](xs[0]), own)
	needs := func(s *graph.Store) int64 {
		p, err := graph.NewPlan(graph.Options{Threads: 2, Store: s}, graphs["conv"](xs[0]))
		if err != nil {
			t.Fatal(err)
		}
		return p.Memory()
	}
	if beside, alone := needs(store), needs(own); beside <= alone {
		t.Errorf("a plan needs %d bytes beside what others have left, and %d alone", beside, alone)
	}
}

// Plans at one time wait for the one that packs; weights that aren't shared are
// packed by each.
func TestAStoreIsFilledOnce(t *testing.T) {
	w := newCounted(graphtest.Randn(1, 48, 48))
	run := func(n int, s *graph.Store) {
		var done sync.WaitGroup
		for i := range n {
			done.Go(func() {
				x := graphtest.Must(Linear(graphtest.Randn(uint64(2+i), 4096, 48), Weights{Kernel: w, Layout: Keras}, LinearOptions{Axis: -1}))
				p, err := graph.NewPlan(graph.Options{Store: s}, x)
				if err == nil {
					err = p.Into(context.Background(), make([]byte, graph.SizeOf(x)))
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
	}
	run(1, nil)
	once := w.bytes.Swap(0)
	if once < int64(len(w.Data)) {
		t.Fatalf("of a weight of %d bytes %d were read", len(w.Data), once)
	}
	store := graph.NewStore()
	run(4, store)
	if got := w.bytes.Swap(0); got != 4*once {
		t.Errorf("of a weight that isn't shared %d bytes were read, want 4 times %d", got, once)
	}
	store.Share(w)
	run(4, store)
	if got := w.bytes.Load(); got != once {
		t.Errorf("of a shared weight %d bytes were read, want %d, once", got, once)
	}
}
