package ops

import (
	"context"
	"testing"

	"fusectl/internal/shape"
)

// readBytes plans and computes graphs and returns what was read of source.
func readBytes(t *testing.T, source *counted, o Options, xs ...Array) (int, *Plan) {
	t.Helper()
	p, err := NewPlan(o, xs...)
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
	build := func(activation string) (*counted, Array) {
		x := &counted{mem: *randn(1, 4, 8, 8, 16)}
		y := must(Activate(activation, x, shape.NHWC))
		return x, must(Add([]Array{y, must(Cast(y, x.t))}, AddOptions{}))
	}
	x, dear := build("gelu")
	if n, p := readBytes(t, x, Options{}, dear); n != len(x.data) || p.Held() != int64(len(x.data)) {
		t.Errorf("gelu: read %d bytes of %d, held %d: want it computed once", n, len(x.data), p.Held())
	}
	x, cheap := build("relu")
	if n, p := readBytes(t, x, Options{}, cheap); n != 2*len(x.data) || p.Held() != 0 {
		t.Errorf("relu: read %d bytes of %d, held %d: want nothing held", n, len(x.data), p.Held())
	}
	x, dear = build("gelu")
	if n, _ := readBytes(t, x, Options{Memory: 3 * int64(len(x.data))}, dear); n != 2*len(x.data) {
		t.Errorf("gelu under a ceiling: read %d bytes of %d: want it computed twice", n, len(x.data))
	}
}

// A chain of convolutions holds the input of one and its result, not all of
// them.
func TestWhatIsNeededNoMoreIsLetGo(t *testing.T) {
	x := Array(randn(1, 1, 32, 32, 8))
	for i := range 6 {
		x = must(Conv(x, Weights{Kernel: randn(uint64(2+i), 8, 8, 3, 3), Layout: Torch}, ConvOptions{Padding: Padding{Same: true}, Layout: shape.NHWC}))
	}
	p, err := NewPlan(Options{}, x)
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

// filled is how many arrays below x are held and have been filled.
func filled(x Array) (count int) {
	if h, ok := x.(*Held); ok && h.Bytes() != nil {
		count++
	}
	if n, ok := x.(Node); ok {
		n.Operands(func(in *Array) { count += filled(*in) })
	}
	return count
}

func TestCostCountsEachNodeOnce(t *testing.T) {
	x, w := randn(1, 1, 4, 4, 8), Weights{Kernel: randn(2, 16, 8), Layout: Torch}
	y := must(Linear(x, w, "relu", shape.NHWC))
	z := must(Mul([]Array{y, y}, MulOptions{}))
	got := CostOf(z, func(Array) bool { return false })
	// 16 positions, 8 channels to 16: 2·8 operations an output, one for relu, one for the product.
	want := Cost{Flops: 16 * 16 * (16 + 1 + 1), Moved: 4 * (16*8 + 16*8 + 16*16)}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got = CostOf(z, func(a Array) bool { return a == y })
	if want := (Cost{Flops: 16 * 16, Moved: 4 * 2 * 16 * 16}); got != want {
		t.Errorf("from y on: got %+v, want %+v", got, want)
	}
}

// Progress counts what is read and computed, not what little comes out, rises
// steadily and ends with all of it.
func TestProgress(t *testing.T) {
	x := randn(1, 1, 512, 512, 8)
	for name, c := range map[string]struct {
		out   Array
		least Cost
	}{
		"gap":       {must(GlobalAvgPool(x, ReduceOptions{Layout: shape.NHWC})), Cost{Moved: sizeOf(x)}},
		"attention": {must(Attention(randn(2, 1, 2048, 64), AttentionOptions{})), Cost{Flops: 2 * 2 * 2048 * 2048 * 64}},
		"empty":     {randn(3, 0, 4), Cost{}},
	} {
		t.Run(name, func(t *testing.T) {
			var done, all Cost
			told := 0
			o := Options{Threads: 3, Progress: func(d, a Cost) {
				if d.Moved < done.Moved || d.Flops < done.Flops {
					t.Errorf("falls from %+v to %+v", done, d)
				}
				done, all = d, a
				told++
			}}
			writeAt(t, c.out, o)
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
