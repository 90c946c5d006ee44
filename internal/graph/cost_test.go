package graph_test

import (
	"context"
	"fmt"
	"testing"

	"fusectl/internal/blocks"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// readBytes plans and computes graphs and returns what was read of source.
func readBytes(t *testing.T, source *counted, o graph.Options, xs ...graph.Array) (int, *graph.Plan) {
	t.Helper()
	p, err := graph.NewPlan(o, xs...)
	if err != nil {
		t.Fatal(err)
	}
	source.bytes = 0
	for range xs {
		if err := p.WriteAt(context.Background(), discardAt{}); err != nil {
			t.Fatal(err)
		}
	}
	return source.bytes, p
}

func TestValuesWithSeveralReadersAreComputedOnceWhereThatIsCheaper(t *testing.T) {
	build := func(activation string) (*counted, graph.Array) {
		x := &counted{Mem: *graphtest.Randn(1, 4, 8, 8, 16)}
		y := graphtest.Must(ops.Activate(activation, x, -1))
		return x, graphtest.Must(ops.Add([]graph.Array{y, graphtest.Must(ops.Cast(y, x.Type))}, ops.AddOptions{}))
	}
	x, dear := build("gelu")
	if n, p := readBytes(t, x, graph.Options{}, dear); n != len(x.Data) || p.Held() != int64(len(x.Data)) {
		t.Errorf("gelu: read %d bytes of %d, held %d: want it computed once", n, len(x.Data), p.Held())
	}
	x, cheap := build("relu")
	if n, p := readBytes(t, x, graph.Options{}, cheap); n != 2*len(x.Data) || p.Held() != 0 {
		t.Errorf("relu: read %d bytes of %d, held %d: want nothing held", n, len(x.Data), p.Held())
	}
	x, dear = build("gelu")
	if n, _ := readBytes(t, x, graph.Options{Memory: 3 * int64(len(x.Data))}, dear); n != 2*len(x.Data) {
		t.Errorf("gelu under a ceiling: read %d bytes of %d: want it computed twice", n, len(x.Data))
	}
}

// A plan of a graph that was planned before, under another ceiling, is that of a
// graph that is new.
func TestPlanningTwiceGivesTheSamePlan(t *testing.T) {
	x := graphtest.Randn(1, 64, 160, 128)
	build := func() []graph.Array {
		dear := graphtest.Must(ops.Activate("tanh", x, -1))
		scattered := graphtest.Must(ops.Transpose(graphtest.Must(ops.Activate("gelu", x, -1)), []int{2, 1, 0}))
		sum := graphtest.Must(ops.Add([]graph.Array{dear, graphtest.Must(ops.Mul([]graph.Array{dear, dear}, ops.MulOptions{}))}, ops.AddOptions{}))
		return []graph.Array{sum, graphtest.Must(ops.Linear(scattered, ops.Weights{Kernel: graphtest.Randn(2, 64, 5), Layout: ops.Keras}, ops.LinearOptions{Axis: -1}))}
	}
	plan := func(xs []graph.Array, memory int64) string {
		p, err := graph.NewPlan(graph.Options{Memory: memory, Threads: 2}, xs...)
		if err != nil {
			t.Fatal(err)
		}
		var ops []string
		seen := map[graph.Array]bool{}
		var walk func(graph.Array)
		walk = func(x graph.Array) {
			if n, ok := x.(graph.Node); ok && !seen[x] {
				seen[x] = true
				n.Operands(func(x *graph.Array) { walk(*x) })
				ops = append(ops, n.Op())
			}
		}
		for _, x := range p.Outs() {
			walk(x)
		}
		return fmt.Sprintf("%v: holds %d of %d bytes", ops, p.Held(), p.Memory())
	}
	once := build()
	ceilings := []int64{0, graph.SizeOf(x) * 15 / 4, 0, graph.SizeOf(x) * 15 / 4}
	var plans []string
	for _, memory := range ceilings {
		got, want := plan(once, memory), plan(build(), memory)
		if got != want {
			t.Errorf("--memory %d: %s\na new graph: %s", memory, got, want)
		}
		plans = append(plans, got)
	}
	if plans[0] == plans[1] {
		t.Errorf("the ceiling decides nothing: %s", plans[0])
	}
}

// A chain of convolutions holds the input of one and its result, not all of
// them.
func TestWhatIsNeededNoMoreIsLetGo(t *testing.T) {
	x := graph.Array(graphtest.Randn(1, 1, 32, 32, 8))
	for i := range 6 {
		x = graphtest.Must(ops.Conv(x, ops.Weights{Kernel: graphtest.Randn(uint64(2+i), 8, 8, 3, 3), Layout: ops.Torch}, ops.ConvOptions{Padding: ops.Padding{Same: true}, Layout: shape.NHWC}))
	}
	p, err := graph.NewPlan(graph.Options{}, x)
	if err != nil {
		t.Fatal(err)
	}
	level, weights := int64(32*32*8*4), int64(6*2*8*8*9*4)
	if p.Held() > 2*level+weights {
		t.Errorf("holds %d bytes: want two levels of %d and the weights", p.Held(), level)
	}
	if n := filled(p.Outs()[0]); n > 0 {
		t.Fatalf("%d arrays were filled before they were asked for", n)
	}
	if err := p.WriteAt(context.Background(), discardAt{}); err != nil {
		t.Fatal(err)
	}
	if n := filled(p.Outs()[0]); n > 0 {
		t.Errorf("%d arrays are still held after the result has been written", n)
	}
}

// filled counts the arrays below x that are held and have been filled.
func filled(x graph.Array) (count int) {
	if h, ok := x.(*graph.Materialized); ok && h.Bytes() != nil {
		count++
	}
	if n, ok := x.(graph.Node); ok {
		n.Operands(func(in *graph.Array) { count += filled(*in) })
	}
	return count
}

func TestCostCountsEachNodeOnce(t *testing.T) {
	x, w := graphtest.Randn(1, 1, 4, 4, 8), ops.Weights{Kernel: graphtest.Randn(2, 16, 8), Layout: ops.Torch}
	y := graphtest.Must(ops.Linear(x, w, ops.LinearOptions{Axis: -1, Activation: "relu"}))
	z := graphtest.Must(ops.Mul([]graph.Array{y, y}, ops.MulOptions{}))
	got := graph.CostOf(z, func(graph.Array) bool { return false })
	// 16 positions, 8 channels to 16: 2·8 operations an output, one for relu, one for the product.
	want := graph.Cost{Flops: 16 * 16 * (16 + 1 + 1), Moved: 4 * (16*8 + 16*8 + 16*16)}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got = graph.CostOf(z, func(a graph.Array) bool { return a == y })
	if want := (graph.Cost{Flops: 16 * 16, Moved: 4 * 2 * 16 * 16}); got != want {
		t.Errorf("from y on: got %+v, want %+v", got, want)
	}
}

// Progress counts what is read and computed, not what little comes out, rises
// steadily and ends with all of it.
func TestProgress(t *testing.T) {
	x := graphtest.Randn(1, 1, 512, 512, 8)
	for name, c := range map[string]struct {
		out   graph.Array
		least graph.Cost
	}{
		"gap":       {graphtest.Must(ops.GlobalAvgPool(x, ops.ReduceOptions{Layout: shape.NHWC})), graph.Cost{Moved: graph.SizeOf(x)}},
		"attention": {graphtest.Must(blocks.Attention(graphtest.Randn(2, 1, 2048, 64), blocks.AttentionOptions{})), graph.Cost{Flops: 2 * 2 * 2048 * 2048 * 64}},
		"empty":     {graphtest.Randn(3, 0, 4), graph.Cost{}},
	} {
		t.Run(name, func(t *testing.T) {
			var done, all graph.Cost
			told := 0
			o := graph.Options{Threads: 3, Progress: func(d, a graph.Cost) {
				if d.Moved < done.Moved || d.Flops < done.Flops {
					t.Errorf("falls from %+v to %+v", done, d)
				}
				done, all = d, a
				told++
			}}
			graphtest.WriteAt(t, c.out, o)
			if all.Moved < c.least.Moved || all.Flops < c.least.Flops {
				t.Errorf("counts to %+v: want %+v at least", all, c.least)
			}
			if done != all {
				t.Errorf("ends with %+v of %+v", done, all)
			}
			if all.Moved > 0 && told < 4 {
				t.Errorf("told %d times", told)
			}
		})
	}
}
