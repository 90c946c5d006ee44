package ops

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/shape"
)

// The operations that only move elements are held to indexing, one element at
// a time.

func TestBroadcastIsIndexing(t *testing.T) {
	cases := []struct{ from, to shape.Shape }{
		{shape.Shape{}, shape.Shape{3, 4}},
		{shape.Shape{}, shape.Shape{}},
		{shape.Shape{5}, shape.Shape{7, 5}},
		{shape.Shape{7, 1}, shape.Shape{7, 5}},
		{shape.Shape{2, 1, 5}, shape.Shape{2, 6, 5}},
		{shape.Shape{1, 6, 1}, shape.Shape{3, 6, 4}},
		{shape.Shape{4, 1, 3, 1, 2}, shape.Shape{4, 5, 3, 2, 2}},
		{shape.Shape{1, 4, 1, 3, 1}, shape.Shape{2, 4, 3, 3, 5}},
		{shape.Shape{2, 1, 1, 8}, shape.Shape{2, 9, 9, 8}},
		{shape.Shape{0, 1}, shape.Shape{0, 3}},
		{shape.Shape{1, 3}, shape.Shape{0, 3}},
	}
	large := []struct{ from, to shape.Shape }{ // of complex128 too large to be held whole
		{shape.Shape{200, 1, 200}, shape.Shape{200, 2, 200}},
		{shape.Shape{40000, 1}, shape.Shape{40000, 3}},
		{shape.Shape{1, 40000}, shape.Shape{3, 40000}},
	}
	for _, typ := range []dtype.Type{dtype.Uint8, dtype.Float16, dtype.Float32, dtype.Complex128} {
		if typ == dtype.Complex128 {
			cases = append(cases, large...)
		}
		for _, c := range cases {
			t.Run(fmt.Sprintf("%v/%v-%v", typ, c.from, c.to), func(t *testing.T) {
				x := graphtest.Of(typ, graphtest.Randn(3, c.from...))
				size := typ.Size()
				var want []byte
				graphtest.Indices(c.to, func(at []int) {
					i := graphtest.FlatIndex(c.from, at)
					want = append(want, x.Data[i*size:(i+1)*size]...)
				})
				got := graphtest.Result(t, func() graph.Array { return graphtest.Must(Broadcast(x, c.to)) })
				if !bytes.Equal(got, want) {
					t.Fatalf("differs from indexing at byte %d", graphtest.Differ(got, want))
				}
			})
		}
	}
}

func TestTransposeIsIndexing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	cases := []struct {
		s    shape.Shape
		perm []int
	}{
		{shape.Shape{5, 7}, []int{1, 0}},
		{shape.Shape{2, 3, 4, 5}, []int{0, 2, 3, 1}},
		{shape.Shape{2, 3, 4, 5}, []int{0, 3, 1, 2}},
		{shape.Shape{2, 3, 4, 5}, []int{3, 2, 1, 0}},
		{shape.Shape{2, 6, 4, 5}, []int{0, 2, 1, 3}},
		{shape.Shape{1, 70, 80}, []int{0, 2, 1}},
		{shape.Shape{600, 700}, []int{1, 0}},
		{shape.Shape{30, 9000}, []int{1, 0}},
		{shape.Shape{3, 0, 2}, []int{2, 1, 0}},
		{shape.Shape{}, []int{}},
		{shape.Shape{90, 60, 110}, []int{2, 1, 0}}, // several tiles each
		{shape.Shape{400000, 1, 2, 3}, []int{3, 2, 1, 0}},
		{shape.Shape{3, 2, 90000}, []int{2, 1, 0}},
		{shape.Shape{7, 31, 50, 67}, []int{3, 1, 2, 0}},
		{shape.Shape{40, 3, 2, 50, 60}, []int{4, 3, 2, 1, 0}},
		{shape.Shape{60, 70, 40, 5}, []int{2, 1, 0, 3}},
	}
	for range 12 {
		n := 2 + r.IntN(4)
		s := make(shape.Shape, n)
		for i := range s {
			s[i] = 1 + r.IntN(5)
		}
		cases = append(cases, struct {
			s    shape.Shape
			perm []int
		}{s, r.Perm(n)})
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%v/%v", c.s, c.perm), func(t *testing.T) {
			x := graphtest.Randn(5, c.s...)
			want := graphtest.Permuted(x, c.perm).Data
			got := graphtest.Result(t, func() graph.Array { return graphtest.Must(Transpose(x, c.perm)) })
			if !bytes.Equal(got, want) {
				t.Fatalf("differs from indexing at byte %d", graphtest.Differ(got, want))
			}
		})
	}
}

// Arrays in Fortran order, which come transposed, are computed with in tiles by
// what reads by regions, and held for all others; alone, together and beside
// arrays in C order.
func TestTransposedOperands(t *testing.T) {
	s := shape.Shape{30, 50, 32}
	reverse := []int{2, 1, 0}
	c := graphtest.Randn(1, s...)
	ordered := func(x *graphtest.Mem) *graphtest.Mem { return graphtest.Permuted(x, reverse) }
	f := ordered(c)
	asC := func() graph.Array { return graphtest.Must(Transpose(f, reverse)) }
	wide := graphtest.Randn(2, 30, 50, 5)
	for name, build := range map[string]func(x, wide graph.Array) (graph.Array, error){
		"add": func(x, _ graph.Array) (graph.Array, error) { return Add([]graph.Array{x, x}, AddOptions{}) },
		"mixed": func(x, _ graph.Array) (graph.Array, error) {
			return Add([]graph.Array{c, x, graphtest.Must(Activate("sigmoid", x, -1))}, AddOptions{})
		},
		"axis -1": func(x, wide graph.Array) (graph.Array, error) { return Concat([]graph.Array{x, wide, x}, -1) },
		"axis 1": func(x, _ graph.Array) (graph.Array, error) {
			return Concat([]graph.Array{x, graphtest.Randn(3, 30, 4, 32), x}, 1)
		},
		"axis 0": func(x, _ graph.Array) (graph.Array, error) {
			return Concat([]graph.Array{c, x, graphtest.Randn(4, 3, 50, 32)}, 0)
		},
		"cast": func(x, _ graph.Array) (graph.Array, error) { return Cast(x, dtype.Float64) },
		"gap":  func(x, _ graph.Array) (graph.Array, error) { return GlobalAvgPool(x, ReduceOptions{Axes: []int{0, 1}}) },
		"matrices": func(x, _ graph.Array) (graph.Array, error) {
			return Reshape(graphtest.Must(Concat([]graph.Array{x, x}, 0)), shape.Shape{2, 30 * 50, 32})
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := graphtest.Result(t, func() graph.Array { return graphtest.Must(build(c, wide)) })
			got := graphtest.Result(t, func() graph.Array {
				return graphtest.Must(build(asC(), graphtest.Must(Transpose(ordered(wide), reverse))))
			})
			if !bytes.Equal(got, want) {
				t.Fatalf("differs at byte %d from the same in C order", graphtest.Differ(got, want))
			}
			p, err := graph.NewPlan(graph.Options{}, graphtest.Must(build(asC(), wide)))
			if err != nil {
				t.Fatal(err)
			}
			if held := p.Held() >= graph.SizeOf(c); held != (name == "gap") {
				t.Errorf("%d bytes are held", p.Held())
			}
		})
	}
	if back := graphtest.Must(Transpose(asC(), reverse)); back != graph.Array(f) {
		t.Errorf("transposed twice: got %T, want the array itself", back)
	}
}

// A sum takes tiles of the form of its first operand, and whole rows of those that
// are computed by rows.
func TestSumOfBlocksAndRows(t *testing.T) {
	x, y := graphtest.Randn(1, 300, 700), graphtest.Randn(2, 700, 300)
	got := graphtest.Result(t, func() graph.Array {
		return graphtest.Must(Add([]graph.Array{graphtest.Must(Transpose(x, []int{1, 0})), softmax(y)}, AddOptions{}))
	})
	want := graphtest.Result(t, func() graph.Array {
		return graphtest.Must(Add([]graph.Array{graphtest.Permuted(x, []int{1, 0}), softmax(y)}, AddOptions{}))
	})
	if !bytes.Equal(got, want) {
		t.Fatalf("differs at byte %d from the same in one order", graphtest.Differ(got, want))
	}
}

func TestConcatIsIndexing(t *testing.T) {
	for _, c := range []struct {
		shapes []shape.Shape
		axis   int
	}{
		{[]shape.Shape{{3, 4}, {2, 4}}, 0},
		{[]shape.Shape{{3, 4}, {3, 1}, {3, 9}}, 1},
		{[]shape.Shape{{2, 3, 4, 1}, {2, 3, 4, 1}, {2, 3, 4, 1}}, -1},
		{[]shape.Shape{{2, 3, 4}, {2, 0, 4}, {2, 5, 4}}, 1},
		{[]shape.Shape{{7}, {0}, {5}}, 0},
		{[]shape.Shape{{6, 5}}, 0},
		{[]shape.Shape{{1, 40, 40, 20}, {1, 40, 40, 12}}, -1},
	} {
		t.Run(fmt.Sprint(c.shapes, c.axis), func(t *testing.T) {
			var xs []graph.Array
			for i, s := range c.shapes {
				xs = append(xs, graphtest.Of(dtype.Int16, graphtest.Randn(uint64(i), s...)))
			}
			axis, _ := shape.Axis(c.axis, len(c.shapes[0]))
			out, err := shape.Concat(c.shapes, axis)
			if err != nil {
				t.Fatal(err)
			}
			var want []byte
			graphtest.Indices(out, func(at []int) {
				from := append([]int(nil), at...)
				i := 0
				for from[axis] >= c.shapes[i][axis] {
					from[axis] -= c.shapes[i][axis]
					i++
				}
				k := graphtest.FlatIndex(c.shapes[i], from)
				if c.shapes[i][axis] == 1 { // FlatIndex would broadcast it, to the same place
					from[axis] = 0
				}
				want = append(want, xs[i].(*graphtest.Mem).Data[2*k:2*k+2]...)
			})
			got := graphtest.Result(t, func() graph.Array { return graphtest.Must(Concat(xs, c.axis)) })
			if !bytes.Equal(got, want) {
				t.Fatalf("differs from indexing at byte %d", graphtest.Differ(got, want))
			}
		})
	}
}

func TestReshapeKeepsBytes(t *testing.T) {
	x := graphtest.Randn(1, 3, 4, 5)
	got := graphtest.Result(t, func() graph.Array { return graphtest.Must(Reshape(x, shape.Shape{6, 10})) })
	if !bytes.Equal(got, x.Data) {
		t.Fatal("bytes changed")
	}
	if _, err := Reshape(x, shape.Shape{7, 7}); err == nil {
		t.Fatal("60 elements were seen as 49")
	}
}

// sizeless is an array whose elements have no bytes: there is nothing to read.
type sizeless struct{ s shape.Shape }

func (z *sizeless) DType() dtype.Type  { return dtype.Opaque("|S0", 0) }
func (z *sizeless) Shape() shape.Shape { return z.s }
func (z *sizeless) Read(_ context.Context, dst []byte, off int64) error {
	if len(dst) > 0 || off < 0 || off > z.s.Len() {
		return fmt.Errorf("read of %d bytes at element %d", len(dst), off)
	}
	return nil
}

// What moves elements moves those of no bytes, as a result and as the operand of
// something that has bytes, and divides by their size nowhere.
func TestElementsOfNoBytes(t *testing.T) {
	x := &sizeless{shape.Shape{2, 3, 4, 5}}
	swapped, err := Transpose(x, []int{0, 3, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	turned, err := Transpose(x, []int{3, 2, 1, 0}) // held in between
	if err != nil {
		t.Fatal(err)
	}
	joined, err := Concat([]graph.Array{x, x}, 2)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := Reshape(x, shape.Shape{6, 20})
	if err != nil {
		t.Fatal(err)
	}
	aligned, err := Align([]graph.Array{x, &sizeless{shape.Shape{2, 5, 2, 5}}}, "crop", "", ResizeOptions{Layout: shape.NHWC})
	if err != nil {
		t.Fatal(err)
	}
	padded, err := Align([]graph.Array{x, &sizeless{shape.Shape{2, 5, 2, 5}}}, "pad", "", ResizeOptions{Layout: shape.NHWC})
	if err != nil {
		t.Fatal(err)
	}
	for _, y := range append(append([]graph.Array{x, swapped, turned, joined, seen}, aligned...), padded...) {
		for _, inOrder := range []bool{false, true} {
			p, err := graph.NewPlan(graph.Options{Threads: 2, InOrder: inOrder, Only: true}, y)
			if err != nil {
				t.Fatal(err)
			}
			if n := p.Memory(); n < 0 || n > 1<<20 {
				t.Errorf("%v: plans %d bytes", y.Shape(), n)
			}
			if err := p.Into(context.Background(), nil); err != nil {
				t.Errorf("%v: %v", y.Shape(), err)
			}
		}
		wide := mapTo("widen", dtype.Uint8, y, func(dst, src []byte) {
			if len(src) > 0 {
				t.Errorf("%d bytes of nothing", len(src))
			}
			for i := range dst {
				dst[i] = 7
			}
		})
		for _, b := range graphtest.WriteAt(t, wide, graph.Options{Threads: 2, Tile: 16}) {
			if b != 7 {
				t.Fatalf("%v: got %d", y.Shape(), b)
			}
		}
	}
	for _, stride := range []int64{3, 5, 1 << 20} {
		if err := graph.ReadRegion(context.Background(), &sizeless{shape.Shape{1 << 30}}, nil, graph.Region{Off: 1, Runs: 4, Len: 3, Stride: stride}); err != nil {
			t.Error(err)
		}
	}
}
