package ops

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// normalization is the definition of a normalisation of x, whose elements are v,
// over those that group tells apart: in float64, by the mean first.
type normalization struct {
	group        func(at []int) int
	kind         string // layer, rms or l2
	epsilon      float64
	weight, bias func(at []int) float64 // nil: 1, 0
}

func (d normalization) of(s shape.Shape, v []float64) []float64 {
	n, mean, squares := map[int]float64{}, map[int]float64{}, map[int]float64{}
	each := func(f func(i int, at []int, group int)) {
		i := 0
		graphtest.Indices(s, func(at []int) { f(i, at, d.group(at)); i++ })
	}
	each(func(i int, _ []int, g int) { n[g]++; mean[g] += v[i] })
	for g := range mean {
		if mean[g] /= n[g]; d.kind != "layer" {
			mean[g] = 0
		}
	}
	each(func(i int, _ []int, g int) { squares[g] += (v[i] - mean[g]) * (v[i] - mean[g]) })
	out := make([]float64, len(v))
	each(func(i int, at []int, g int) {
		by := math.Sqrt(squares[g]/n[g] + d.epsilon)
		if d.kind == "l2" {
			by = math.Max(math.Sqrt(squares[g]), d.epsilon)
		}
		if out[i] = (v[i] - mean[g]) / by; d.weight != nil {
			out[i] *= d.weight(at)
		}
		if d.bias != nil {
			out[i] += d.bias(at)
		}
	})
	return out
}

// axesOf tells elements apart by their positions on all axes but those given.
func axesOf(s shape.Shape, axes ...int) func(at []int) int {
	return func(at []int) int {
		i := 0
		for a, d := range s {
			if !slices.Contains(axes, a) {
				i = i*d + at[a]
			}
		}
		return i
	}
}

// along is the number of an array for the positions on axes.
func along(w *graphtest.Mem, axes ...int) func(at []int) float64 {
	v := values(w)
	return func(at []int) float64 {
		i := 0
		for k, a := range axes {
			i = i*w.Dims[k] + at[a]
		}
		return v[i]
	}
}

var rowNorms = map[string]func(graph.Array, NormOptions) (graph.Array, error){"layer": LayerNorm, "rms": RMSNorm, "l2": L2Normalize}

// float32 results are rounded once, of numbers that are within some 1e-13 of the
// definition's.
const roundedOnce = 6.1e-8

func TestRowNormsAreTheirDefinitions(t *testing.T) {
	for kind, norm := range rowNorms {
		for _, c := range []struct {
			dims, axes []int
		}{
			{[]int{7}, []int{0}}, {[]int{3, 1}, []int{-1}}, {[]int{9, 37}, []int{1}}, {[]int{2, 5, 64}, []int{-1}}, {[]int{2, 5, 64}, []int{1}},
			{[]int{2, 3, 4, 40}, []int{-1}}, {[]int{2, 24, 5, 6}, []int{1}}, {[]int{2, 3, 5, 6}, []int{-3, -2, -1}},
			{[]int{2, 3, 5, 6}, []int{3, 1}}, {[]int{2, 3, 4, 5, 6}, []int{0, 4}}, {[]int{2, 3, 4, 5, 6}, []int{1}},
			{[]int{7, 5, 3}, []int{1}}, {[]int{2, 3, 4, 5, 20}, []int{1, 2}}, {[]int{3, 200, 700}, []int{1}},
		} {
			for with := range 4 {
				t.Run(fmt.Sprintf("%s/%v over %v/%d", kind, c.dims, c.axes, with), func(t *testing.T) {
					x := graphtest.Randn(1, c.dims...)
					axes, err := shape.Axes(c.axes, len(c.dims))
					if err != nil {
						t.Fatal(err)
					}
					o := NormOptions{Axes: c.axes, Epsilon: 1e-3}
					d := normalization{group: axesOf(x.Dims, axes...), kind: kind, epsilon: o.Epsilon}
					if with&1 != 0 {
						w := graphtest.Randn(2, x.Dims.Permute(axes)...)
						o.Weight, d.weight = w, along(w, axes...)
					}
					if with&2 != 0 {
						b := graphtest.Randn(3, x.Dims.Permute(axes)...)
						o.Bias, d.bias = b, along(b, axes...)
					}
					y, got := resultOf(t, func() (graph.Array, error) { return norm(x, o) })
					within(t, floats(y, got), d.of(x.Dims, values(x)), roundedOnce)
				})
			}
		}
	}
}

// Gemma's weight is how much more than 1; an activation comes last.
func TestUnitOffsetAndActivation(t *testing.T) {
	x, w := graphtest.Randn(1, 6, 40), graphtest.Randn(2, 40)
	one := along(w, 1)
	d := normalization{group: axesOf(x.Dims, 1), kind: "rms", epsilon: 1e-6, weight: func(at []int) float64 { return 1 + one(at) }}
	want := d.of(x.Dims, values(x))
	for i, v := range want {
		want[i] = max(v, 0)
	}
	y, got := resultOf(t, func() (graph.Array, error) {
		return RMSNorm(x, NormOptions{Axes: []int{-1}, Weight: w, UnitOffset: true, Epsilon: 1e-6, Activation: "relu"})
	})
	within(t, floats(y, got), want, roundedOnce)
}

// Rows too long to be held are normalised by statistics that come first: the
// same, whatever their length.
func TestLongRows(t *testing.T) {
	for kind, k := range map[string]rowNorm{"layer": {centred: true, scales: standard(1e-3)}, "rms": {scales: standard(1e-3)}} {
		for _, as := range []dtype.Type{dtype.Float32, dtype.Float64} {
			for with := range 4 {
				t.Run(fmt.Sprintf("%s/%v/%d", kind, as, with), func(t *testing.T) {
					x, w, b := graphtest.Of(as, graphtest.Randn(1, 3, 333)), graphtest.Of(dtype.Float64, graphtest.Randn(2, 333)), graphtest.Of(dtype.Float64, graphtest.Randn(3, 333))
					d := normalization{group: axesOf(x.Dims, 1), kind: kind, epsilon: 1e-3}
					var weight, bias graph.Array
					if with&1 != 0 {
						weight, d.weight = w, along(w, 1)
					}
					if with&2 != 0 {
						bias, d.bias = b, along(b, 1)
					}
					y, got := resultOf(t, func() (graph.Array, error) { return k.longRows(x, weight, bias), nil })
					if y.DType() != as {
						t.Fatalf("dtype %v", y.DType())
					}
					tolerance := roundedOnce
					if as == dtype.Float64 {
						tolerance = 1e-14
					}
					within(t, floats(y, got), d.of(x.Dims, values(x)), tolerance)
				})
			}
		}
	}
	x, w := graphtest.Randn(1, 2, longRow), graphtest.Randn(2, longRow)
	y := graphtest.Must(LayerNorm(x, NormOptions{Axes: []int{1}, Weight: w, Epsilon: 1e-5}))
	if most := graph.MemoryOf(y, 1<<10); most >= 4*longRow {
		t.Errorf("a read of 4 KiB of a row of 4 MiB holds %d bytes", most)
	}
	d := normalization{group: axesOf(x.Dims, 1), kind: "layer", epsilon: 1e-5, weight: along(w, 1)}
	within(t, floats(y, graphtest.WriteAt(t, y, graph.Options{Threads: 2})), d.of(x.Dims, values(x)), roundedOnce)
}

// groupCase is a map of [N,C,...] by its groups, all of it in one row or by
// statistics that come first.
var groupCases = []struct {
	dims   []int
	groups int
}{
	{[]int{5, 12}, 3}, {[]int{2, 6, 40}, 0}, {[]int{2, 6, 40}, 2}, {[]int{3, 6, 4, 5}, 1}, {[]int{3, 6, 2, 3}, 3}, {[]int{1, 4, 5, 9}, 0},
	{[]int{2, 8, 3, 4, 5}, 4}, {[]int{2, 3, 1, 1}, 3}, {[]int{70, 4, 3}, 2},
}

func TestGroupNormIsItsDefinition(t *testing.T) {
	for _, c := range groupCases {
		for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
			for _, as := range []dtype.Type{dtype.Float32, dtype.Float64} {
				for with := range 4 {
					t.Run(fmt.Sprintf("%v in %d/%s/%v/%d", c.dims, c.groups, l, as, with), func(t *testing.T) {
						n := len(c.dims)
						x := graphtest.Of(as, graphtest.Randn(1, c.dims...))
						if l == shape.NHWC {
							x = graphtest.Of(as, graphtest.Permuted(graphtest.Randn(1, c.dims...), shape.MoveToLast(1, n)))
						}
						form, _ := l.Of(n, 0)
						axis := form.Channel()
						channels := x.Dims[axis]
						per := 1
						if c.groups > 0 {
							per = channels / c.groups
						}
						o := GroupNormOptions{Axis: axis, Spatial: form.Spatial(), Groups: c.groups, Epsilon: 1e-3}
						d := normalization{kind: "layer", epsilon: 1e-3, group: func(at []int) int { return at[0]*channels + at[axis]/per }}
						if with&1 != 0 {
							w := graphtest.Randn(2, channels)
							o.Weight, d.weight = w, along(w, axis)
						}
						if with&2 != 0 {
							b := graphtest.Randn(3, channels)
							o.Bias, d.bias = b, along(b, axis)
						}
						want, tolerance := d.of(x.Dims, values(x)), roundedOnce
						if as == dtype.Float64 {
							tolerance = 1e-14
						}
						y, got := resultOf(t, func() (graph.Array, error) { return GroupNorm(x, o) })
						within(t, floats(y, got), want, tolerance)
						// The same for blocks too large to be held.
						g := grouping{int64(x.Dims[0]), int64(channels / per), int64(per), x.Dims.Len() / int64(x.Dims[0]*channels), l == shape.NHWC}
						fill := func(w graph.Array, absent float64) graph.Array {
							return graphtest.Must(eachChannel(w, absent, channels, ""))
						}
						build := func() graph.Array {
							return graphtest.Must(g.byStatistics(x, fill(o.Weight, 1), fill(o.Bias, 0), o.Epsilon))
						}
						within(t, floats(x, graphtest.Result(t, build)), want, tolerance)
					})
				}
			}
		}
	}
}

// Channels may stand between the positions, and blocks after them.
func TestGroupNormOfOtherAxes(t *testing.T) {
	x := graphtest.Randn(1, 5, 6, 7, 2)
	d := normalization{kind: "layer", epsilon: 1e-5, group: func(at []int) int { return at[1]/3*2 + at[3] }}
	y, got := resultOf(t, func() (graph.Array, error) {
		return GroupNorm(x, GroupNormOptions{Axis: -3, Spatial: []int{2, 0}, Groups: 2, Epsilon: 1e-5, Activation: "relu6"})
	})
	want := d.of(x.Dims, values(x))
	for i, v := range want {
		want[i] = min(max(v, 0), 6)
	}
	within(t, floats(y, got), want, roundedOnce)
}

// A map of more than longRow elements an image is normalised as smaller ones are.
func TestGroupNormOfLargeMaps(t *testing.T) {
	x := graphtest.Randn(1, 1, 1<<10, 1<<10+8)
	d := normalization{kind: "layer", epsilon: 1e-5, group: func(at []int) int { return at[2] / 129 }}
	y := graphtest.Must(GroupNorm(x, GroupNormOptions{Axis: 2, Spatial: []int{1}, Groups: 8, Epsilon: 1e-5}))
	within(t, floats(y, graphtest.WriteAt(t, y, graph.Options{Threads: 2})), d.of(x.Dims, values(x)), roundedOnce)
}

func TestBatchNormalizeIsItsDefinition(t *testing.T) {
	for _, c := range []struct {
		dims []int
		axis int
	}{
		{[]int{7}, 0}, {[]int{30, 5}, 1}, {[]int{3, 600}, -1}, {[]int{4, 5, 3}, 1}, {[]int{4, 3, 40}, 1}, {[]int{2, 9, 9, 3}, 3},
		{[]int{2, 5, 6, 7}, 1}, {[]int{2, 5, 2, 8}, 1}, {[]int{2, 3, 4, 5, 6}, 4}, {[]int{2, 3, 4, 5, 6}, 1}, {[]int{2, 3, 4, 5, 6}, 0},
	} {
		for _, as := range []dtype.Type{dtype.Float32, dtype.Float64} {
			for with := range 4 {
				t.Run(fmt.Sprintf("%v at %d/%v/%d", c.dims, c.axis, as, with), func(t *testing.T) {
					x := graphtest.Of(as, graphtest.Randn(1, c.dims...))
					axis, err := shape.Axis(c.axis, len(c.dims))
					if err != nil {
						t.Fatal(err)
					}
					mean, variance := graphtest.Randn(2, c.dims[axis]), graphtest.Randn(3, c.dims[axis])
					for i, v := range kernel.View[float32](variance.Data) {
						kernel.View[float32](variance.Data)[i] = v * v
					}
					n := BatchNorm{Mean: mean, Variance: variance, Epsilon: 1e-3}
					weight, bias := func([]int) float64 { return 1 }, func([]int) float64 { return 0 }
					if with&1 != 0 {
						w := graphtest.Randn(4, c.dims[axis])
						n.Weight, weight = w, along(w, axis)
					}
					if with&2 != 0 {
						b := graphtest.Randn(5, c.dims[axis])
						n.Bias, bias = b, along(b, axis)
					}
					xv, m, v, i := values(x), along(mean, axis), along(variance, axis), 0
					want := make([]float64, len(xv))
					graphtest.Indices(x.Dims, func(at []int) {
						want[i] = (xv[i]-m(at))/math.Sqrt(v(at)+1e-3)*weight(at) + bias(at)
						i++
					})
					tolerance := roundedOnce
					if as == dtype.Float64 {
						tolerance = 1e-14
					}
					y, got := resultOf(t, func() (graph.Array, error) { return BatchNormalize(x, c.axis, n, "") })
					within(t, floats(y, got), want, tolerance)
				})
			}
		}
	}
}

// Numbers that are hard to normalise: far from 0, small and large; and a NaN, which
// spoils its own row alone.
func TestHardNumbersAreNormalized(t *testing.T) {
	const rows, cols = 6, 3000
	for kind, norm := range rowNorms {
		for name, f := range map[string]func(v float64) float64{
			"offset": func(v float64) float64 { return 1e4 + v }, "small": func(v float64) float64 { return 1e-3 * v },
			"large": func(v float64) float64 { return 1e3 * v }, "far and small": func(v float64) float64 { return 1 + 1e-3*v },
			"beyond float32's squares": func(v float64) float64 { return 1e30 * v },
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				x := graphtest.Randn(1, rows, cols)
				for i, v := range kernel.View[float32](x.Data) {
					kernel.View[float32](x.Data)[i] = float32(f(float64(v)))
				}
				d := normalization{group: axesOf(x.Dims, 1), kind: kind, epsilon: 1e-12}
				want := d.of(x.Dims, values(x))
				o := NormOptions{Axes: []int{1}, Epsilon: 1e-12}
				y := graphtest.Must(norm(x, o))
				got := floats(y, graphtest.WriteAt(t, y, graph.Options{}))
				// Each by itself, since none may hide behind the largest: by half a unit of its last place,
				// or what is left of a difference of numbers of which float64 has 53 bits.
				for i, w := range want {
					if d := math.Abs(got[i] - w); d > 6e-8*math.Abs(w)+1e-11 {
						t.Fatalf("element %d: got %v, want %v", i, got[i], w)
					}
				}
				kernel.View[float32](x.Data)[cols+5] = float32(math.NaN())
				y = graphtest.Must(norm(x, o))
				for i, v := range floats(y, graphtest.WriteAt(t, y, graph.Options{})) {
					if spoilt := i/cols == 1; spoilt != (v != v) || !spoilt && v != got[i] {
						t.Fatalf("with a NaN in row 1, row %d has %v, without it %v", i/cols, v, got[i])
					}
				}
			})
		}
	}
}

// What is all the same gives the bias, to the last bit, in whatever type.
func TestEqualNumbersGiveTheBias(t *testing.T) {
	for _, as := range []dtype.Type{dtype.Float16, dtype.BFloat16, dtype.Float32, dtype.Float64} {
		for _, c := range []float32{0, 0.1, -1e4, 3e-5} {
			for _, dims := range [][]int{{3, 10, 7}, {2, 10, 999}} {
				x := graphtest.Randn(1, dims...)
				v := kernel.View[float32](x.Data)
				for i := range v {
					v[i] = c
				}
				same := graphtest.Of(as, x)
				channels, last := graphtest.Of(as, graphtest.Randn(2, 10)), graphtest.Of(as, graphtest.Randn(3, dims[2]))
				for name, y := range map[string]struct {
					y    graph.Array
					bias func(at []int) float64
				}{
					"layer":         {graphtest.Must(LayerNorm(same, NormOptions{Axes: []int{-1}, Bias: last, Epsilon: 1e-5})), along(last, 2)},
					"group":         {graphtest.Must(GroupNorm(same, GroupNormOptions{Axis: 1, Spatial: []int{2}, Groups: 5, Bias: channels, Epsilon: 1e-5})), along(channels, 1)},
					"instance":      {graphtest.Must(GroupNorm(same, GroupNormOptions{Axis: 1, Spatial: []int{2}, Bias: channels, Epsilon: 1e-5})), along(channels, 1)},
					"by statistics": {cast(graphtest.Must(grouping{int64(dims[0]), 5, 2, int64(dims[2]), false}.byStatistics(cast(same, as.Compute()), filled(1, 10), cast(channels, dtype.Float64), 1e-5)), as), along(channels, 1)},
				} {
					got, i := floats(y.y, graphtest.WriteAt(t, y.y, graph.Options{})), 0
					graphtest.Indices(x.Dims, func(at []int) {
						if want := y.bias(at); got[i] != want {
							t.Fatalf("%s of %v times %v of %v: got %v, want %v", name, dims, c, as, got[i], want)
						}
						i++
					})
				}
			}
		}
	}
}

// A row of zeros has no direction, and stays.
func TestL2OfZeros(t *testing.T) {
	x := graphtest.ArrayOf("z.npy", dtype.Float32, shape.Shape{2, 2}, []float32{0, 0, 3, -4})
	y := graphtest.Must(L2Normalize(x, NormOptions{Axes: []int{1}, Epsilon: 1e-12}))
	want := []float64{0, 0, 0.6, -0.8}
	within(t, floats(y, graphtest.WriteAt(t, y, graph.Options{})), want, roundedOnce)
}

// Types promote as NumPy has it, and 16-bit ones are computed in float32 and rounded
// once.
func TestNormTypes(t *testing.T) {
	x := graphtest.Randn(1, 4, 50)
	w := graphtest.Randn(2, 50)
	for _, c := range []struct{ x, w, y dtype.Type }{
		{dtype.Float16, dtype.Float16, dtype.Float16}, {dtype.BFloat16, dtype.BFloat16, dtype.BFloat16},
		{dtype.Float16, dtype.Float32, dtype.Float32}, {dtype.Float32, dtype.Float64, dtype.Float64}, {dtype.Float16, dtype.BFloat16, dtype.Float32},
	} {
		x, w := graphtest.Of(c.x, x), graphtest.Of(c.w, w)
		o := NormOptions{Axes: []int{1}, Weight: w, Epsilon: 1e-5}
		y, got := resultOf(t, func() (graph.Array, error) { return LayerNorm(x, o) })
		if y.DType() != c.y {
			t.Errorf("%v by %v: got %v, want %v", c.x, c.w, y.DType(), c.y)
		}
		d := normalization{group: axesOf(x.Dims, 1), kind: "layer", epsilon: 1e-5, weight: along(w, 1)}
		// Half a unit in the last place of 8, 11 and 24 bits.
		within(t, floats(y, got), d.of(x.Dims, values(x)), map[dtype.Type]float64{dtype.BFloat16: 0x1p-8, dtype.Float16: 0x1p-11, dtype.Float32: roundedOnce, dtype.Float64: 1e-14}[c.y])
	}
}

// Arrays without elements stay so.
func TestNormsOfNothing(t *testing.T) {
	for name, dims := range map[string][]int{"no rows": {0, 4, 3}, "no columns": {2, 4, 0}, "no channels": {2, 0, 3}} {
		x := graphtest.Randn(1, dims...)
		for kind, y := range map[string]graph.Array{
			"layer": graphtest.Must(LayerNorm(x, NormOptions{Axes: []int{-1}})),
			"group": graphtest.Must(GroupNorm(x, GroupNormOptions{Axis: 1, Spatial: []int{2}})),
			"batch": graphtest.Must(BatchNormalize(x, 1, BatchNorm{}, "")),
		} {
			if got := graphtest.WriteAt(t, y, graph.Options{}); !y.Shape().Equal(x.Dims) || len(got) > 0 {
				t.Errorf("%s, %s: shape %v and %d bytes", kind, name, y.Shape(), len(got))
			}
		}
	}
}

// foldedMaps are maps by weights [.., 6] to [.., 8], in every way that they are
// computed.
func foldedMaps() map[string]func() (y graph.Array, axis int) {
	nhwc, nchw := graphtest.Randn(1, 2, 9, 8, 6), graphtest.Randn(2, 2, 6, 9, 8)
	k := func(dims ...int) graph.Array { return graphtest.Randn(3, dims...) }
	b := graphtest.Randn(4, 8)
	conv := func(x, kernel graph.Array, l WeightLayout, o ConvOptions) func() (graph.Array, int) {
		axis := len(x.Shape()) - 1
		if o.Layout = shape.NHWC; l == Torch {
			o.Layout, axis = shape.NCHW, 1
		}
		return func() (graph.Array, int) {
			return graphtest.Must(Conv(x, Weights{Kernel: kernel, Bias: b, Layout: l}, o)), axis
		}
	}
	linear := func(x, kernel graph.Array, l WeightLayout, axis int) func() (graph.Array, int) {
		return func() (graph.Array, int) {
			return graphtest.Must(Linear(x, Weights{Kernel: kernel, Layout: l}, LinearOptions{Axis: axis})), axis
		}
	}
	half := graphtest.Of(dtype.Float16, nhwc)
	return map[string]func() (graph.Array, int){
		"conv":                            conv(nhwc, k(3, 3, 6, 8), Keras, ConvOptions{Padding: Pad(1)}),
		"conv, channels first":            conv(nchw, k(8, 6, 3, 3), Torch, ConvOptions{Stride: []int{2}}),
		"conv of a point":                 conv(nhwc, k(1, 1, 6, 8), Keras, ConvOptions{}),
		"conv in groups":                  conv(nhwc, k(3, 3, 3, 8), Keras, ConvOptions{Groups: 2}),
		"transposed conv":                 conv(nhwc, k(3, 3, 8, 6), Keras, ConvOptions{Stride: []int{2}, Transposed: true}),
		"transposed conv apart":           conv(nhwc, k(2, 2, 8, 6), Keras, ConvOptions{Stride: []int{2}, Transposed: true}),
		"transposed conv, channels first": conv(nchw, k(6, 8, 2, 2), Torch, ConvOptions{Stride: []int{2}, Transposed: true}),
		"transposed conv of volumes":      conv(graphtest.Randn(1, 2, 3, 4, 5, 6), k(2, 2, 2, 8, 6), Keras, ConvOptions{Stride: []int{2}, Transposed: true}),
		"conv of float16":                 conv(half, k(3, 3, 6, 8), Keras, ConvOptions{}),
		"linear":                          linear(nhwc, k(6, 8), Keras, 3),
		"linear of few rows":              linear(graphtest.Randn(1, 2, 6), k(8, 6), Torch, 1),
		"linear of channels first":        linear(nchw, k(8, 6), Torch, 1),
		"linear of another axis":          linear(graphtest.Randn(1, 2, 6, 3), k(8, 6), Torch, 1),
	}
}

// opsUnder counts the nodes of a graph by name.
func opsUnder(x graph.Array) map[string]int {
	n := map[string]int{}
	var walk func(graph.Array)
	walk = func(x graph.Array) {
		if node, ok := x.(graph.Node); ok {
			if _, passes := x.(*foldable); !passes {
				n[node.Op()]++
			}
			for _, o := range graph.Operands(node) {
				walk(o)
			}
		}
	}
	walk(x)
	return n
}

// A batch normalisation of what weights give is folded into them, unless the map is
// read otherwise, too; either way it is the normalised map.
func TestBatchNormIsFolded(t *testing.T) {
	n := BatchNorm{graphtest.Randn(5, 8), graphtest.Randn(6, 8), graphtest.Randn(7, 8), graphtest.ArrayOf("v.npy", dtype.Float32, shape.Shape{8}, []float32{1, 2, 3, 4, 5, 6, 7, 8}), 1e-5}
	for name, make := range foldedMaps() {
		for _, activation := range []string{"", "relu"} {
			t.Run(name+" "+activation, func(t *testing.T) {
				build := func() graph.Array {
					x, axis := make()
					return graphtest.Must(BatchNormalize(x, axis, n, activation))
				}
				plain, axis := make()
				v, s := floats(plain, graphtest.WriteAt(t, plain, graph.Options{})), plain.Shape()
				w, b, m, va, i := along(n.Weight.(*graphtest.Mem), axis), along(n.Bias.(*graphtest.Mem), axis), along(n.Mean.(*graphtest.Mem), axis), along(n.Variance.(*graphtest.Mem), axis), 0
				want := append([]float64(nil), v...)
				graphtest.Indices(s, func(at []int) {
					if want[i] = (v[i]-m(at))/math.Sqrt(va(at)+n.Epsilon)*w(at) + b(at); activation == "relu" {
						want[i] = max(want[i], 0)
					}
					i++
				})
				tolerance := 2e-6 // float32 weights, rounded, and sums of up to 54 products of them
				y := build()
				if y.DType() == dtype.Float16 {
					tolerance = 0x1p-10
				}
				if !y.Shape().Equal(s) {
					t.Fatalf("shape %v, want %v", y.Shape(), s)
				}
				alone := graphtest.Result(t, build)
				within(t, floats(y, alone), want, tolerance)

				if _, err := graph.NewPlan(graph.Options{}, y); err != nil {
					t.Fatal(err)
				}
				products := func(x graph.Array) int { return opsUnder(x)["conv"] + opsUnder(x)["linear"] } // a transposed convolution is several
				if has := opsUnder(y); has["norm"] > 0 || products(y) != products(plain) {
					t.Errorf("alone: %v, want a map and no normalisation", has)
				}
				x, axis := make()
				y = graphtest.Must(BatchNormalize(x, axis, n, activation))
				p, err := graph.NewPlan(graph.Options{}, y, x)
				if err != nil {
					t.Fatal(err)
				}
				if has := opsUnder(y); has["norm"] != 1 || products(y) != products(plain) {
					t.Errorf("beside the map itself: %v, want a map and a normalisation", has)
				}
				for k, want := range [][]float64{want, v} {
					data := kernel.Alloc(int(graph.SizeOf(p.Outs()[k])))
					if err := p.Into(t.Context(), data); err != nil {
						t.Fatal(err)
					}
					within(t, floats(p.Outs()[k], data), want, tolerance)
				}
				// A plan of it alone, after that, folds it again.
				if again := graphtest.WriteAt(t, y, graph.Options{}); !slices.Equal(again, alone) {
					t.Error("a second plan gives other bytes")
				}
			})
		}
	}
}

// Nothing is folded into what isn't the map itself, or has done more than that.
func TestBatchNormIsNotFolded(t *testing.T) {
	x, k := graphtest.Randn(1, 2, 5, 6), graphtest.Randn(2, 6, 6)
	n := BatchNorm{Mean: graphtest.Randn(3, 6), Variance: graphtest.ArrayOf("v.npy", dtype.Float32, shape.Shape{6}, []float32{1, 2, 3, 4, 5, 6}), Epsilon: 1e-5}
	linear := func(w Weights, o LinearOptions) graph.Array {
		w.Layout, o.Axis = Keras, 2
		return graphtest.Must(Linear(x, w, o))
	}
	plain := linear(Weights{Kernel: k}, LinearOptions{})
	for name, y := range map[string]struct {
		x    graph.Array
		axis int
	}{
		"activated":        {linear(Weights{Kernel: k}, LinearOptions{Activation: "relu"}), 2},
		"with a residual":  {linear(Weights{Kernel: k}, LinearOptions{Residual: x}), 2},
		"normalised":       {linear(Weights{Kernel: k, Norm: &n}, LinearOptions{}), 2},
		"a bias alone":     {linear(Weights{Bias: graphtest.Randn(4, 6)}, LinearOptions{}), 2},
		"activated since":  {graphtest.Must(Activate("relu", plain, 2)), 2},
		"transposed since": {graphtest.Must(Transpose(plain, []int{0, 2, 1})), 1},
		"reshaped since":   {graphtest.Must(Reshape(plain, shape.Shape{10, 6})), 1},
		"converted since":  {graphtest.Must(Cast(plain, dtype.Float64)), 2},
		"a file":           {x, 2},
	} {
		norm := graphtest.Must(BatchNormalize(y.x, y.axis, n, ""))
		if _, ok := norm.(*foldable); ok {
			t.Errorf("%s: is folded", name)
		}
	}
	other := graphtest.Must(BatchNormalize(plain, 1, BatchNorm{Mean: graphtest.Randn(3, 5), Variance: graphtest.Randn(4, 5)}, ""))
	if _, ok := other.(*foldable); ok {
		t.Error("of another axis: is folded")
	}
}

func TestNormsRefuse(t *testing.T) {
	f32 := dtype.Float32
	of := func(name string, dims ...int) graph.Array { return huge(name, f32, dims...) }
	err := func(_ graph.Array, err error) error { return err }
	x := of("x.npy", 2, 9, 8, 6)
	ints := huge("i.npy", dtype.Int64, 2, 6)
	toFloat := []string{"convert it first: fusectl convert FILE --dtype float32 then ..."}
	takes := "dtype int64: a normalisation takes float16, bfloat16, float32 or float64"
	checkRefusals(t, []refusal{
		{"layer of a number", err(LayerNorm(of("n.npy"), NormOptions{})), "n.npy", "shape () has no axis to normalise over", nil},
		{"layer over no axis", err(LayerNorm(x, NormOptions{Axes: []int{4}})), "x.npy", "axis 4 is out of bounds for an array of 4 dimensions: shape (2,9,8,6)", nil},
		{"layer over an axis twice", err(LayerNorm(x, NormOptions{Axes: []int{3, -1}})), "x.npy", "axis 3 is named twice: shape (2,9,8,6)", nil},
		{"layer of integers", err(LayerNorm(ints, NormOptions{Axes: []int{-1}})), "i.npy", takes, toFloat},
		{"layer with a weight of another axis", err(LayerNorm(x, NormOptions{Axes: []int{-1}, Weight: of("w.npy", 8)})), "w.npy",
			"weight of shape (8,): want (6,), the axes that are normalised over, of x.npy, whose shape is (2,9,8,6)", nil},
		{"rms with a bias in another order", err(RMSNorm(x, NormOptions{Axes: []int{-3, -2, -1}, Bias: of("b.npy", 6, 9, 8)})), "b.npy",
			"bias of shape (6,9,8): want (9,8,6), the axes that are normalised over, of x.npy, whose shape is (2,9,8,6)", nil},
		{"group of groups that don't split", err(GroupNorm(x, GroupNormOptions{Axis: 3, Spatial: []int{1, 2}, Groups: 4})), "x.npy", "shape (2,9,8,6): its 6 channels don't split into 4 groups", nil},
		{"group of no axis", err(GroupNorm(x, GroupNormOptions{Axis: 4})), "x.npy", "axis 4 is out of bounds for an array of 4 dimensions: shape (2,9,8,6)", nil},
		{"group of positions that are channels", err(GroupNorm(x, GroupNormOptions{Axis: 3, Spatial: []int{1, -1}})), "x.npy", "axis 3 is named twice: shape (2,9,8,6)", nil},
		{"group of integers", err(GroupNorm(ints, GroupNormOptions{Axis: 1})), "i.npy", takes, toFloat},
		{"group with a weight of other channels", err(GroupNorm(x, GroupNormOptions{Axis: 3, Weight: of("w.npy", 9)})), "w.npy", "shape (9,): want (6,), a number for each channel of x.npy, whose shape is (2,9,8,6)", nil},
		{"group with a bias of other channels", err(GroupNorm(x, GroupNormOptions{Axis: 3, Bias: of("b.npy", 9)})), "b.npy", "shape (9,): want (6,), a number for each channel of x.npy, whose shape is (2,9,8,6)", nil},
		{"batch of a number", err(BatchNormalize(of("n.npy"), 0, BatchNorm{}, "")), "n.npy", "shape () has no channels to normalise", nil},
		{"batch of no axis", err(BatchNormalize(x, 4, BatchNorm{}, "")), "x.npy", "axis 4 is out of bounds for an array of 4 dimensions: shape (2,9,8,6)", nil},
		{"batch of integers", err(BatchNormalize(ints, 1, BatchNorm{}, "")), "i.npy", takes, toFloat},
		{"batch with statistics of other channels", err(BatchNormalize(x, 3, BatchNorm{Mean: of("m.npy", 6), Variance: of("v.npy", 9)}, "")), "v.npy",
			"shape (9,): want (6,), a number for each channel of x.npy, whose shape is (2,9,8,6)", nil},
	})
	for _, n := range []BatchNorm{{Mean: of("m.npy", 9)}, {Bias: of("m.npy", 9)}} {
		if err := err(BatchNormalize(x, 3, n, "")); err == nil || !strings.Contains(err.Error(), "m.npy: shape (9,): want (6,)") {
			t.Errorf("got %v", err)
		}
	}
	if err := err(LayerNorm(x, NormOptions{Axes: []int{-1}, Activation: "relu"})); err != nil {
		t.Error(err)
	}
}
