package graph_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// moved is a source as it is, made in a way that has a name.
type moved struct {
	x   graph.Array
	how string
}

func (m *moved) DType() dtype.Type                 { return m.x.DType() }
func (m *moved) Shape() shape.Shape                { return m.x.Shape() }
func (*moved) Op() string                          { return "move" }
func (m *moved) Operands(visit func(*graph.Array)) { visit(&m.x) }
func (*moved) Memory(int64) int64                  { return 0 }
func (m *moved) Read(ctx context.Context, dst []byte, off int64) error {
	return m.x.Read(ctx, dst, off)
}
func (m *moved) Derivation() (graph.Array, string) {
	if m.how == "" {
		return nil, ""
	}
	return m.x, m.how
}

// sums plans x plus what is held of a source, in a store, computes it and holds it
// to the sum that another plan gives.
func sums(t *testing.T, s *graph.Store, x *graphtest.Mem, held graph.Array) *graph.Plan {
	t.Helper()
	add := func(y graph.Array) graph.Array { return graphtest.Must(ops.Add([]graph.Array{x, y}, ops.AddOptions{})) }
	p, err := graph.NewPlan(graph.Options{Threads: 2, Store: s}, add(graph.Materialize(held)))
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, len(x.Data))
	if err := p.Into(t.Context(), dst); err != nil {
		t.Fatal(err)
	}
	if want := graphtest.WriteAt(t, add(graphtest.Randn(1, 20, 30)), graph.Options{}); !bytes.Equal(dst, want) {
		t.Errorf("what is kept gives other bytes, at %d", graphtest.Differ(dst, want))
	}
	return p
}

// A store keeps what is made of a source that it shares, once for each way in which
// it is made, and nothing else.
func TestAStoreKeepsWhatIsDerived(t *testing.T) {
	x := graphtest.Randn(2, 20, 30)
	const size = 20 * 30 * 4
	for _, c := range []struct {
		what  string
		hows  []string // of three plans
		share bool
		plain bool // what is held doesn't say how it is made
		reads int
	}{
		{"the same", []string{"a", "a", "a"}, true, false, 1},
		{"in two ways", []string{"a", "b", "a"}, true, false, 2},
		{"of a source that isn't shared", []string{"a", "a", "a"}, false, false, 3},
		{"where it can't be told", []string{"", "", ""}, true, false, 3},
		{"of a node that doesn't say", []string{"a", "a", "a"}, true, true, 3},
	} {
		t.Run(c.what, func(t *testing.T) {
			source := graphtest.NewPipe(graphtest.Randn(1, 20, 30), 0, 0)
			s, other := graph.NewStore(), graph.NewStore()
			other.Share(graphtest.Randn(9, 1))
			if c.share {
				s.Share(source)
			} else {
				s.Share(x)
			}
			held := func(how string) graph.Array {
				if c.plain {
					return graphtest.Must(ops.Mul([]graph.Array{source}, ops.MulOptions{}))
				}
				return &moved{source, how}
			}
			var last *graph.Plan
			for _, how := range c.hows {
				last = sums(t, s, x, held(how))
			}
			for i, n := range source.Times {
				if n != c.reads {
					t.Fatalf("element %d is read %d times by three plans, want %d", i, n, c.reads)
				}
			}
			alone := sums(t, other, x, held(c.hows[2]))
			if last.Held() != size || alone.Held() != size {
				t.Errorf("holds %d bytes, and %d without what is kept: want %d", last.Held(), alone.Held(), size)
			}
		})
	}
}

// What other plans have left in the store counts, once.
func TestMemoryOfAStore(t *testing.T) {
	x, source := graphtest.Randn(2, 20, 30), graphtest.Randn(1, 20, 30)
	s := graph.NewStore()
	s.Share(source)
	need := func(s *graph.Store, how string) int64 {
		y := graphtest.Must(ops.Add([]graph.Array{x, graph.Materialize(&moved{source, how})}, ops.AddOptions{}))
		p, err := graph.NewPlan(graph.Options{Store: s}, y)
		if err != nil {
			t.Fatal(err)
		}
		return p.Memory()
	}
	alone := need(s, "a")
	sums(t, s, x, &moved{source, "a"})
	kept := need(s, "a") // less than alone: it needs no buffer to be computed in
	sums(t, s, x, &moved{source, "b"})
	if got, want := need(s, "a"), kept+graph.SizeOf(source); got != want || kept >= alone {
		t.Errorf("of what is kept beside another: needs %d bytes, want %d", got, want)
	}
	if got, want := need(s, "c"), alone+2*graph.SizeOf(source); got != want {
		t.Errorf("beside two others: needs %d bytes, want %d", got, want)
	}
}

// Plans that run at a time compute what they share once.
func TestAStoreServesPlansAtATime(t *testing.T) {
	x := graphtest.Randn(2, 20, 30)
	source := graphtest.NewPipe(graphtest.Randn(1, 20, 30), 0, 0)
	s := graph.NewStore()
	s.Share(source)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			y := graphtest.Must(ops.Add([]graph.Array{x, graph.Materialize(&moved{source, "a"})}, ops.AddOptions{}))
			p, err := graph.NewPlan(graph.Options{Store: s}, y)
			if err == nil {
				err = p.Into(t.Context(), make([]byte, len(x.Data)))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if source.Times[0] != 1 || source.Times[599] != 1 {
		t.Errorf("the source is read %d and %d times", source.Times[0], source.Times[599])
	}
}

// What couldn't be read isn't kept: the next plan tries again.
func TestAStoreKeepsNoErrors(t *testing.T) {
	x := graphtest.Randn(2, 20, 30)
	source := &failing{*graphtest.Randn(1, 20, 30), 100}
	s := graph.NewStore()
	s.Share(source)
	p, err := graph.NewPlan(graph.Options{Store: s}, graphtest.Must(ops.Add([]graph.Array{x, graph.Materialize(&moved{source, "a"})}, ops.AddOptions{})))
	if err == nil {
		err = p.Into(t.Context(), make([]byte, len(x.Data)))
	}
	if !errors.Is(err, errRead) {
		t.Fatalf("got %v", err)
	}
	source.at = 600
	sums(t, s, x, &moved{source, "a"})
}
