package ops

import (
	"fmt"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// An index selects what indexing by hand selects, of a file, of a computed array and of
// one in another order of axes, and in runs and regions of whatever form.
func TestIndexIsIndexing(t *testing.T) {
	x := graphtest.Randn(1, 6, 5, 4, 3)
	v := values(x)
	perm := []int{3, 1, 0, 2}
	for _, text := range []string{
		"1", "-1,2", "...,1", "...,:2", "...,1:3", ":,1:4", ":,::2", "::2,:,::3", "::-1", "...,::-1", ":,::-2,1:", "1:5,1:4,1:3,1:2", "2:2", "None,0,...,None", "0,0,0,0", "...", ":, 1:2, ::-1, ::-1", "::-1,::-1,::-1,::-1",
	} {
		index, err := shape.ParseIndex(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, how := range []string{"", "computed", "transposed", "channels first"} {
			t.Run(fmt.Sprintf("%s/%s", text, how), func(t *testing.T) {
				order := []int{0, 1, 2, 3}
				build := func() graph.Array {
					switch how {
					case "computed":
						return graphtest.Must(Index(graphtest.Must(Activate("relu", graphtest.Must(Add([]graph.Array{x, x}, AddOptions{Coef: []Number{{Value: 1}, {Value: 0}}})), -1)), index))
					case "transposed":
						return graphtest.Must(Index(graphtest.Must(Transpose(x, perm)), index))
					case "channels first":
						part := graphtest.Must(Index(x, index))
						n := len(part.Shape())
						return graphtest.Must(Transpose(part, shape.Inverse(shape.MoveToLast(min(1, n-1), n))))
					}
					return graphtest.Must(Index(x, index))
				}
				if how == "channels first" && len(graphtest.Must(Index(x, index)).Shape()) == 0 {
					return
				}
				if how == "transposed" {
					order = perm
				}
				ranges, out, err := index.Of(x.Dims.Permute(order))
				if err != nil {
					t.Fatal(err)
				}
				extents := make(shape.Shape, len(ranges))
				for a, r := range ranges {
					extents[a] = r.N
				}
				var want []float32
				graphtest.Indices(extents, func(at []int) {
					from := make([]int, len(at))
					for a, i := range at {
						from[order[a]] = ranges[a].Start + i*ranges[a].Step
					}
					e := v[graphtest.FlatIndex(x.Dims, from)]
					if how == "computed" {
						e = max(e, 0)
					}
					want = append(want, float32(e))
				})
				if how == "channels first" {
					n := len(out)
					part := graphtest.ArrayOf("", dtype.Float32, out, want)
					want = kernel.View[float32](graphtest.Permuted(part, shape.Inverse(shape.MoveToLast(min(1, n-1), n))).Data)
				} else if got := build().Shape(); !got.Equal(out) {
					t.Fatalf("shape %v, want %v", got, out)
				}
				got := kernel.View[float32](graphtest.Result(t, build))
				if len(got) != len(want) {
					t.Fatalf("%d elements, want %d", len(got), len(want))
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("element %d is %g, want %g", i, got[i], want[i])
					}
				}
			})
		}
	}
}

// A slice of a large array reads no more than it selects, but for what lies close between.
func TestIndexReadsWhatItSelects(t *testing.T) {
	x := graphtest.NewPipe(graphtest.Randn(1, 1000, 50, 40), 1, 0)
	index, err := shape.ParseIndex("::100,3")
	if err != nil {
		t.Fatal(err)
	}
	graphtest.WriteAt(t, graphtest.Must(Index(x, index)), graph.Options{})
	read := 0
	for _, n := range x.Times {
		read += n
	}
	if want := 10 * 40; read != want {
		t.Errorf("read %d elements, want the %d selected", read, want)
	}
}

func TestIndexIsNamedAsWritten(t *testing.T) {
	x := graphtest.Randn(1, 6, 5)
	x.Label = "x.npy"
	index, err := shape.ParseIndex("..., :2")
	if err != nil {
		t.Fatal(err)
	}
	part := graphtest.Must(Index(x, index))
	if got := graph.NameOf(part); got != "x.npy[..., :2]" {
		t.Errorf("called %s", got)
	}
	if got := graph.Described(part); got != "x.npy[..., :2], whose shape is (6,2)" {
		t.Errorf("described as %s", got)
	}
	index, _ = shape.ParseIndex("0,5")
	_, err = Index(x, index)
	graphtest.Refused(t, "out of bounds", err, "x.npy", "shape (6,5): [0,5] index 5 is out of bounds for axis 1, whose extent is 5", nil)
}
