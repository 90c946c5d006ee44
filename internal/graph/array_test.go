package graph_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func TestErrorsNameTheirInput(t *testing.T) {
	file := graphtest.Randn(1, 2, 3)
	sum := graphtest.Must(ops.Add([]graph.Array{file, graphtest.Randn(2, 2, 3)}, ops.AddOptions{}))
	random := graphtest.Must(ops.Random("normal", shape.Shape{4}, dtype.Float32, 1))
	for _, c := range []struct {
		what string
		x    graph.Array
		name string
	}{
		{"a file", file, "x1.npy"}, {"what is computed, by its first input", sum, "x1.npy"},
		{"what has no input, by its operation", random, "normal"}, {"an array without a name", &sizeOnly{}, ""},
	} {
		if got := graph.NameOf(c.x); got != c.name {
			t.Errorf("%s: is called %q, want %q", c.what, got, c.name)
		}
		e := graph.Errorf(c.x, "shape %v", c.x.Shape()).Hint("want %d axes", 2).Hint("or 3")
		want := "shape " + fmt.Sprint(c.x.Shape())
		if c.name != "" {
			want = c.name + ": " + want
		}
		if e.Error() != want || !slices.Equal(e.Hints, []string{"want 2 axes", "or 3"}) {
			t.Errorf("%s: says %q with hints %q, want %q", c.what, e.Error(), e.Hints, want)
		}
	}
}

// sizeOnly is an array of neither a name nor data.
type sizeOnly struct{ s shape.Shape }

func (*sizeOnly) DType() dtype.Type                         { return dtype.Float32 }
func (o *sizeOnly) Shape() shape.Shape                      { return o.s }
func (*sizeOnly) Read(context.Context, []byte, int64) error { return errRead }

func TestDescribed(t *testing.T) {
	file := graphtest.Randn(1, 2, 3)
	for _, c := range []struct {
		what string
		x    graph.Array
		want string
	}{
		{"a file", file, "x1.npy, whose shape is (2,3)"},
		{"of the same shape", graphtest.Must(ops.Activate("relu", file, -1)), "x1.npy, whose shape is (2,3)"},
		{"in Fortran order", graphtest.Must(ops.Transpose(file, []int{1, 0})), "x1.npy, whose shape is (3,2)"},
		{"of another shape", graphtest.Must(ops.Reshape(file, shape.Shape{6})), "what is computed from x1.npy, whose shape is (6,)"},
	} {
		if got := graph.Described(c.x); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// reads is an array that counts the calls of Read.
type reads struct {
	graphtest.Mem
	calls, bytes int
}

func (r *reads) Read(ctx context.Context, dst []byte, off int64) error {
	r.calls++
	r.bytes += len(dst)
	return r.Mem.Read(ctx, dst, off)
}

// The runs of a region come one after the other. Those close together are read in
// few pieces, those far apart each by itself and without what is between.
func TestReadRegionIsIndexing(t *testing.T) {
	const n = 60000
	for _, c := range []struct {
		what  string
		r     graph.Region
		calls int
	}{
		{"one run", graph.OneRun(17, 500), 1},
		{"runs in line", graph.Region{Off: 3, Runs: 7, Len: 11, Stride: 11}, 1},
		{"close together", graph.Region{Off: 5, Runs: 50, Len: 3, Stride: 10}, 1},
		{"in several pieces", graph.Region{Off: 1, Runs: 100, Len: 20, Stride: 590}, 4}, // 27 runs of 2360 bytes fit in 64 KiB
		{"far apart", graph.Region{Off: 9, Runs: 20, Len: 4, Stride: 2500}, 20},
	} {
		x := &reads{Mem: *graphtest.Randn(1, n)}
		var want []byte
		for i := range c.r.Runs {
			at := c.r.Off + i*c.r.Stride
			want = append(want, x.Data[4*at:4*(at+c.r.Len)]...)
		}
		got := make([]byte, len(want))
		if err := graph.ReadRegion(t.Context(), x, got, c.r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: differs at byte %d, %v", c.what, graphtest.Differ(got, want), err)
		}
		if x.calls != c.calls {
			t.Errorf("%s: %d reads, want %d", c.what, x.calls, c.calls)
		}
		clear(got)
		if err := graph.ReadRuns(t.Context(), x, got, c.r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s, run by run: differs at byte %d, %v", c.what, graphtest.Differ(got, want), err)
		}
		bad := &failing{x.Mem, c.r.Off + c.r.Len}
		if c.r.Runs == 1 {
			bad.at--
		}
		if err := graph.ReadRegion(t.Context(), bad, got, c.r); !errors.Is(err, errRead) {
			t.Errorf("%s: an unreadable array gives %v", c.what, err)
		}
	}
}

// Peeking at what lies in memory copies nothing.
func TestPeek(t *testing.T) {
	x := graphtest.Randn(1, 40)
	r := graph.Region{Off: 2, Runs: 3, Len: 4, Stride: 10}
	run := graph.OneRun(3, 5)
	buf := make([]byte, 48)
	got, err := graph.Peek(t.Context(), x, buf[:20], run)
	if err != nil || !bytes.Equal(got, x.Data[12:32]) || &got[0] != &buf[0] {
		t.Errorf("a file isn't read into the buffer: %v", err)
	}
	data, lent, err := graph.PeekRun(t.Context(), x, 3, 5)
	if err != nil || !bytes.Equal(data, x.Data[12:32]) || lent == nil || graph.PeekBuffer(x, 5) != 5 {
		t.Errorf("a run of a file: %v", err)
	}
	graph.PutBuffer(lent)

	h := graph.Materialize(x)
	look := func(ctx context.Context) error {
		in := h.Bytes()
		data, lent, err := graph.PeekRun(ctx, h, 3, 5)
		if err != nil || &data[0] != &in[12] || len(data) != 20 || lent != nil || graph.PeekBuffer(h, 5) != 0 {
			t.Errorf("a run in memory is copied: %v", err)
		}
		if data, err = graph.Peek(ctx, h, buf[:20], run); err != nil || &data[0] != &in[12] {
			t.Errorf("one run in memory is copied: %v", err)
		}
		if data, err = graph.Peek(ctx, h, buf, r); err != nil || &data[0] != &buf[0] {
			t.Errorf("runs apart aren't copied: %v", err)
		}
		for i := range 3 {
			if at := 8 + 40*i; !bytes.Equal(buf[16*i:16*(i+1)], in[at:at+16]) {
				t.Errorf("run %d differs", i)
			}
		}
		return nil
	}
	graphtest.WriteAt(t, &looker{h, look}, graph.Options{})
}

// looker is a node of one element that looks at its operand when it is read.
type looker struct {
	x    graph.Array
	look func(context.Context) error
}

func (*looker) DType() dtype.Type                   { return dtype.Float32 }
func (*looker) Shape() shape.Shape                  { return shape.Shape{} }
func (*looker) Op() string                          { return "look" }
func (l *looker) Operands(visit func(*graph.Array)) { visit(&l.x) }
func (*looker) Memory(int64) int64                  { return 0 }
func (l *looker) Read(ctx context.Context, dst []byte, _ int64) error {
	clear(dst)
	return l.look(ctx)
}

func TestWhatIsMaterialized(t *testing.T) {
	file := graphtest.Randn(1, 4)
	computed := graphtest.Must(ops.Activate("relu", file, -1))
	h := graph.Materialize(computed)
	large := &sizeOnly{shape.Shape{1 << 30}}
	node := graphtest.Must(ops.Activate("relu", large, -1))
	constant := ops.Constant(dtype.Float32, 1)
	view := func(x graph.Array) graph.Array {
		return graphtest.Must(ops.Concat([]graph.Array{graphtest.Must(ops.Rows(x, 1, 2)), graphtest.Must(ops.Broadcast(constant, shape.Shape{2}))}, 0))
	}
	pipe := graphtest.NewPipe(file, 100, 0)
	views := []graph.Array{view(file), view(h)}
	turned := graphtest.Must(ops.Transpose(graphtest.Randn(2, 500, 500), []int{1, 0}))
	held := func(x graph.Array) bool { _, ok := x.(*graph.Materialized); return ok }
	for _, c := range []struct {
		what string
		got  graph.Array
		same graph.Array // nil: materialised
	}{
		{"Materialize of what is so", graph.Materialize(h), h}, {"Materialize of a file", graph.Materialize(file), nil},
		{"InMemory of a constant", graph.InMemory(constant), constant}, {"InMemory of a file", graph.InMemory(file), nil},
		{"MaterializeComputed of a constant", graph.MaterializeComputed(constant), constant}, {"MaterializeComputed of a file", graph.MaterializeComputed(file), file},
		{"MaterializeComputed of a node", graph.MaterializeComputed(computed), nil}, {"MaterializeComputed of a view of a node", graph.MaterializeComputed(view(computed)), nil},
		{"MaterializeComputed of a view of a file", graph.MaterializeComputed(views[0]), views[0]},
		{"MaterializeComputed of a view of what is held", graph.MaterializeComputed(views[1]), views[1]},
		{"MaterializeComputed of a transpose in blocks", graph.MaterializeComputed(turned), nil},
		{"MaterializeComputed of a pipe", graph.MaterializeComputed(pipe), pipe}, {"MaterializeComputed of a view of a pipe", graph.MaterializeComputed(view(pipe)), nil},
		{"MaterializeSmall of a view", graph.MaterializeSmall(views[0]), nil}, {"MaterializeSmall of a constant", graph.MaterializeSmall(constant), constant},
		{"MaterializeSmall of a node", graph.MaterializeSmall(computed), nil}, {"MaterializeSmall of a large node", graph.MaterializeSmall(node), node},
	} {
		if c.same != nil && c.got != c.same {
			t.Errorf("%s: got %T, want the array itself", c.what, c.got)
		}
		if c.same == nil && !held(c.got) {
			t.Errorf("%s: got %T, want it materialised", c.what, c.got)
		}
	}
	if h.Of() != computed || h.Op() != "hold" || h.DType() != dtype.Float32 || !h.Shape().Equal(shape.Shape{4}) || h.Memory(4) != 0 {
		t.Error("what is materialised isn't as what it is of")
	}
}
