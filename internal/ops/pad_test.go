package ops

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/shape"
)

// surroundings are the positions of an axis of n with others before and after, found
// by walking away from the ends; -1 is a value.
func surroundings(n, before, after int, mode string) (all []int) {
	walk := func(at, step, count int) (out []int) {
		for range count {
			switch next := at + step; {
			case mode == "constant":
				at = -1
			case mode == "wrap":
				at = next
				if at < 0 {
					at = n - 1
				} else if at == n {
					at = 0
				}
			case mode == "edge" || n == 1:
			case mode == "reflect":
				if next < 0 || next == n {
					step = -step
				}
				at += step
			case next < 0 || next == n: // symmetric: it turns on the spot
				step = -step
			default:
				at = next
			}
			out = append(out, at)
		}
		return out
	}
	left := walk(0, -1, before)
	slices.Reverse(left)
	all = append(all, left...)
	for i := range n {
		all = append(all, i)
	}
	return append(all, walk(n-1, 1, after)...)
}

func TestSurroundIsIndexing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, mode := range PadModes {
		for _, c := range []struct {
			s      shape.Shape
			widths [][2]int
			t      dtype.Type
		}{
			{shape.Shape{6}, [][2]int{{3, 2}}, dtype.Int16},
			{shape.Shape{1}, [][2]int{{3, 2}}, dtype.Float32},
			{shape.Shape{2, 3}, [][2]int{{9, 10}, {12, 7}}, dtype.Float64},
			{shape.Shape{2, 5, 4, 3}, [][2]int{{0, 0}, {1, 2}, {2, 1}, {0, 0}}, dtype.Float32},
			{shape.Shape{2, 5, 4, 3}, [][2]int{{1, 0}, {4, 0}, {0, 3}, {1, 1}}, dtype.BFloat16},
			{shape.Shape{40, 60, 70}, [][2]int{{2, 3}, {1, 1}, {1, 2}}, dtype.Float32},
			{shape.Shape{5, 6, 3}, [][2]int{{-1, 3}, {2, -3}, {-1, -1}}, dtype.Uint8},
			{shape.Shape{3, 200000}, [][2]int{{1, 2}, {300, 700}}, dtype.Float32}, // rows larger than a tile
			{shape.Shape{300000}, [][2]int{{150000, 170000}}, dtype.Float32},
			{shape.Shape{4, 3}, [][2]int{{2, 2}, {1, 1}}, dtype.BytesOf(3)},
			{shape.Shape{4, 3}, [][2]int{{2, 2}, {1, 1}}, dtype.Complex64},
		} {
			t.Run(fmt.Sprint(mode, c.s, c.t), func(t *testing.T) {
				size := c.t.Size()
				x := &graphtest.Mem{Label: "x.npy", Type: c.t, Dims: c.s, Data: make([]byte, int(c.s.Len())*size)}
				for i := range x.Data {
					x.Data[i] = byte(r.Uint32())
				}
				o, value := SurroundOptions{Widths: c.widths, Mode: mode}, make([]byte, size)
				if !c.t.IsOpaque() {
					seven := 7.0
					o.Value = &seven
					value = Constant(c.t, 7).(*constant).data
				}
				out := make(shape.Shape, len(c.s))
				each := make([][]int, len(c.s))
				for a, w := range c.widths {
					from, to := max(-w[0], 0), max(-w[1], 0)
					each[a] = surroundings(c.s[a]-from-to, max(w[0], 0), max(w[1], 0), mode)
					for i := range each[a] {
						if each[a][i] >= 0 {
							each[a][i] += from
						}
					}
					out[a] = len(each[a])
				}
				var want []byte
				graphtest.Indices(out, func(at []int) {
					from := make([]int, len(at))
					for a, i := range at {
						if from[a] = each[a][i]; from[a] < 0 {
							want = append(want, value...)
							return
						}
					}
					i := graphtest.FlatIndex(c.s, from)
					want = append(want, x.Data[i*size:(i+1)*size]...)
				})
				build := func() graph.Array { return graphtest.Must(Surround(x, o)) }
				if got := graphtest.Result(t, build); !build().Shape().Equal(out) || !bytes.Equal(got, want) {
					t.Fatalf("%v, want %v; differs from indexing at byte %d", build().Shape(), out, graphtest.Differ(got, want))
				}
			})
		}
	}
}

// One width stands for all axes, or for those that are named; 0 of them leave the
// array as it is.
func TestSurroundOfAxes(t *testing.T) {
	x := graphtest.Randn(1, 3, 4, 5)
	for _, c := range []struct {
		o    SurroundOptions
		want shape.Shape
	}{
		{SurroundOptions{Widths: [][2]int{{1, 2}}}, shape.Shape{6, 7, 8}},
		{SurroundOptions{Widths: [][2]int{{1, 2}}, Axes: []int{-1}}, shape.Shape{3, 4, 8}},
		{SurroundOptions{Widths: [][2]int{{1, 2}, {0, 1}}, Axes: []int{2, 0}}, shape.Shape{4, 4, 8}},
		{SurroundOptions{Widths: [][2]int{{0, 0}}}, x.Dims},
	} {
		c.o.Mode = "constant"
		if y := graphtest.Must(Surround(x, c.o)); !y.Shape().Equal(c.want) {
			t.Errorf("%+v: %v, want %v", c.o, y.Shape(), c.want)
		}
	}
	if y := graphtest.Must(Surround(x, SurroundOptions{Widths: [][2]int{{0, 0}}, Mode: "edge"})); y != graph.Array(x) {
		t.Errorf("nothing is added: got %T, want the array itself", y)
	}
}

// Parts along any axis are indexing, and joined again they are the array.
func TestSplitIsIndexing(t *testing.T) {
	x := graphtest.Of(dtype.Int16, graphtest.Randn(1, 6, 5, 40, 3))
	for axis, sizes := range map[int][]int{0: {1, 2, 3}, 1: {2, -1}, 2: {7, 0, 33}, -1: {1, 1, 1}} {
		at := (axis + 4) % 4
		parts := func() []graph.Array {
			parts, err := Split(x, axis, sizes)
			if err != nil {
				t.Fatal(err)
			}
			return parts
		}
		from := 0
		for i, p := range parts() {
			var want []byte
			graphtest.Indices(p.Shape(), func(to []int) {
				in := slices.Clone(to)
				in[at] += from
				k := graphtest.FlatIndex(x.Dims, in)
				want = append(want, x.Data[2*k:2*k+2]...)
			})
			if got := graphtest.Result(t, func() graph.Array { return parts()[i] }); !bytes.Equal(got, want) {
				t.Errorf("axis %d, part %d: differs from indexing at byte %d", axis, i, graphtest.Differ(got, want))
			}
			from += p.Shape()[at]
		}
		if got := graphtest.Result(t, func() graph.Array { return graphtest.Must(Concat(parts(), axis)) }); !bytes.Equal(got, x.Data) {
			t.Errorf("axis %d: the parts joined differ from the array at byte %d", axis, graphtest.Differ(got, x.Data))
		}
	}
	three, err := SplitEqually(x, -1, 3)
	if err != nil || len(three) != 3 || !three[2].Shape().Equal(shape.Shape{6, 5, 40, 1}) {
		t.Errorf("three equal parts: %v, %v", three, err)
	}
}
