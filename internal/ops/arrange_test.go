package ops

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/shape"
)

// patternOf is a pattern that there is.
func patternOf(text string, use shape.PatternUse, sizes map[string]int) *shape.Pattern {
	p, err := shape.ParsePattern(text, use, sizes)
	if err != nil {
		panic(err)
	}
	return p
}

// The right sides of patterns are held to indexing: from says where on the source
// the element at a place of the result stands.
func TestArrangeIsIndexing(t *testing.T) {
	for _, c := range []struct {
		text  string
		use   shape.PatternUse
		sizes map[string]int
		s     shape.Shape
		out   shape.Shape
		from  func(at []int) []int
	}{
		{"n h w c -> n c h w", shape.ToRearrange, nil, shape.Shape{2, 5, 4, 3}, shape.Shape{2, 3, 5, 4},
			func(i []int) []int { return []int{i[0], i[2], i[3], i[1]} }},
		{"n (h p) (w q) c -> (n h w) (p q) c", shape.ToRearrange, map[string]int{"p": 2, "q": 3}, shape.Shape{2, 6, 9, 5}, shape.Shape{18, 6, 5},
			func(i []int) []int { return []int{i[0] / 9, i[0]/3%3*2 + i[1]/3, i[0]%3*3 + i[1]%3, i[2]} }},
		{"n (c p q) h w -> n c (h p) (w q)", shape.ToRearrange, map[string]int{"p": 3, "q": 2}, shape.Shape{2, 12, 4, 5}, shape.Shape{2, 2, 12, 10},
			func(i []int) []int { return []int{i[0], (i[1]*3+i[2]%3)*2 + i[3]%2, i[2] / 3, i[3] / 2} }},
		{"... (a b) -> b ... a", shape.ToRearrange, map[string]int{"a": 4}, shape.Shape{30, 20, 12}, shape.Shape{3, 30, 20, 4},
			func(i []int) []int { return []int{i[1], i[2], i[3]*3 + i[0]} }},
		{"h w c -> (h p) (w q) c", shape.ToRepeat, map[string]int{"p": 3, "q": 2}, shape.Shape{4, 5, 3}, shape.Shape{12, 10, 3},
			func(i []int) []int { return []int{i[0] / 3, i[1] / 2, i[2]} }},
		{"h w c -> c (r h) 2 w", shape.ToRepeat, map[string]int{"r": 3}, shape.Shape{4, 5, 3}, shape.Shape{3, 12, 2, 5},
			func(i []int) []int { return []int{i[1] % 4, i[3], i[0]} }},
		{"c -> n c h w", shape.ToRepeat, map[string]int{"n": 2, "h": 3, "w": 4}, shape.Shape{5}, shape.Shape{2, 5, 3, 4},
			func(i []int) []int { return []int{i[1]} }},
		{"a b c d -> (d r) c b a", shape.ToRepeat, map[string]int{"r": 2}, shape.Shape{30, 6, 20, 25}, shape.Shape{50, 20, 6, 30},
			func(i []int) []int { return []int{i[3], i[2], i[1], i[0] / 2} }},
	} {
		for _, typ := range []dtype.Type{dtype.Float32, dtype.Uint8, dtype.BFloat16, dtype.BytesOf(3)} {
			t.Run(fmt.Sprint(c.text, "/", typ), func(t *testing.T) {
				x := graphtest.Randn(9, c.s...)
				if typ.IsOpaque() {
					x.Type, x.Data = typ, x.Data[:3*c.s.Len()]
				} else {
					x = graphtest.Of(typ, x)
				}
				size := typ.Size()
				var want []byte
				graphtest.Indices(c.out, func(at []int) {
					i := graphtest.FlatIndex(c.s, c.from(at))
					want = append(want, x.Data[i*size:(i+1)*size]...)
				})
				build := func() graph.Array {
					return graphtest.Must(Arrange([]graph.Array{x}, patternOf(c.text, c.use, c.sizes), nil))
				}
				if got := graphtest.Result(t, build); !build().Shape().Equal(c.out) || !bytes.Equal(got, want) {
					t.Fatalf("%v, want %v; differs from indexing at byte %d", build().Shape(), c.out, graphtest.Differ(got, want))
				}
			})
		}
	}
}

// Several arrays are one with a leading axis, and reductions get the axes that
// vanish: means of means.
func TestArrangeOfSeveralAndReduced(t *testing.T) {
	a, b := graphtest.Randn(1, 4, 6, 3), graphtest.Randn(2, 4, 6, 3)
	mean := func(x graph.Array, axes []int) (graph.Array, error) {
		return GlobalAvgPool(x, ReduceOptions{Axes: axes})
	}
	got := graphtest.Result(t, func() graph.Array {
		return graphtest.Must(Arrange([]graph.Array{a, b}, patternOf("two (h p) w c -> w two h", shape.ToReduce, map[string]int{"p": 2}), mean))
	})
	var want []float64
	for w := range 6 {
		for _, x := range []*graphtest.Mem{a, b} {
			v := graphtest.Values(x)
			for h := range 2 {
				sum := 0.0
				for p := range 2 {
					for c := range 3 {
						sum += v[((2*h+p)*6+w)*3+c]
					}
				}
				want = append(want, sum/6)
			}
		}
	}
	out := &graphtest.Mem{Type: dtype.Float32, Dims: shape.Shape{6, 2, 2}, Data: got}
	graphtest.Within(t, graphtest.Values(out), want, 1e-7) // one rounding to float32, relative to the largest
}

// What the reduction refuses is refused.
func TestArrangeSaysWhatTheReductionRefuses(t *testing.T) {
	x, want := graphtest.Randn(1, 2, 3), errors.New("no such sum")
	_, err := Arrange([]graph.Array{x}, patternOf("a b -> a", shape.ToReduce, nil), func(x graph.Array, axes []int) (graph.Array, error) {
		return nil, fmt.Errorf("%v over %v: %w", x.Shape(), axes, want)
	})
	if !errors.Is(err, want) || err.Error() != "(2,3) over [1]: no such sum" {
		t.Errorf("got %v", err)
	}
}

func TestStackIsConcat(t *testing.T) {
	a, b := graphtest.Randn(1, 4, 6, 3), graphtest.Of(dtype.Float64, graphtest.Randn(2, 4, 6, 3))
	for axis, s := range map[int]shape.Shape{0: {2, 4, 6, 3}, 1: {4, 2, 6, 3}, -1: {4, 6, 3, 2}, -4: {2, 4, 6, 3}} {
		got := graphtest.Result(t, func() graph.Array { return graphtest.Must(Stack([]graph.Array{a, b}, axis)) })
		at := (axis + 4) % 4
		var want []byte
		wide := graphtest.Of(dtype.Float64, graphtest.Randn(1, 4, 6, 3))
		graphtest.Indices(s, func(i []int) {
			x := wide
			if i[at] == 1 {
				x = b
			}
			rest := append(append([]int{}, i[:at]...), i[at+1:]...)
			k := graphtest.FlatIndex(x.Dims, rest)
			want = append(want, x.Data[8*k:8*k+8]...)
		})
		if !bytes.Equal(got, want) {
			t.Errorf("axis %d: differs from indexing at byte %d", axis, graphtest.Differ(got, want))
		}
	}
}
