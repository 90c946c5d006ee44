package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// placeOf is the place of position i of out among in, by the definitions of ONNX's
// Resize, of which half-pixel is PyTorch's and align-corners its align_corners.
func placeOf(i, in, out int, scale float64, o ResizeOptions) float64 {
	step := float64(in) / float64(out)
	if scale != 0 {
		step = 1 / scale
	}
	switch {
	case o.Coordinates == "align-corners":
		return float64(i) * float64(in-1) / float64(max(out-1, 1))
	case o.Coordinates == "asymmetric":
		return float64(i) * step
	case o.Coordinates == "pytorch-half-pixel" && out == 1:
		return 0
	}
	return (float64(i)+0.5)*step - 0.5
}

// tapsOf is the source positions, clamped into [0,in), and their weights.
func tapsOf(p float64, in int, o ResizeOptions) (at []int, weights []float64) {
	if o.Antialias { // over all positions: the kernel says which count
		sum := 0.0
		for i := range in {
			at = append(at, i)
			d := math.Abs(float64(i) - p)
			w := 1.5*d*d*d - 2.5*d*d + 1
			switch {
			case o.Mode == "bilinear":
				w = max(1-d, 0)
			case d >= 2:
				w = 0
			case d > 1:
				w = -0.5*d*d*d + 2.5*d*d - 4*d + 2
			}
			weights, sum = append(weights, w), sum+w
		}
		for i := range weights {
			weights[i] /= sum
		}
		return at, weights
	}
	if o.Mode == "bilinear" {
		p = min(max(p, 0), float64(in-1))
		lo := int(math.Floor(p))
		return []int{lo, min(lo+1, in-1)}, []float64{1 - (p - float64(lo)), p - float64(lo)}
	}
	a := o.CubicCoeff
	if a == 0 {
		a = -0.75
	}
	sum := 0.0
	lo := int(math.Floor(p))
	for k := lo - 1; k <= lo+2; k++ {
		d := math.Abs(p - float64(k))
		w := (a+2)*d*d*d - (a+3)*d*d + 1
		if d > 1 {
			w = a*d*d*d - 5*a*d*d + 8*a*d - 4*a
		}
		if o.ExcludeOutside && (k < 0 || k >= in) {
			continue
		}
		at, weights, sum = append(at, min(max(k, 0), in-1)), append(weights, w), sum+w
	}
	if o.ExcludeOutside {
		for i := range weights {
			weights[i] /= sum
		}
	}
	return at, weights
}

func TestResizeOptionsAreTheirDefinition(t *testing.T) {
	x := graphtest.Randn(1, 2, 7, 5, 3)
	xv := values(x)
	tall := graphtest.Randn(2, 1, 90, 5, 1)
	for _, c := range []struct {
		what string
		x    *graphtest.Mem
		size []int
		o    ResizeOptions
	}{
		{"bilinear corners", x, []int{10, 12}, ResizeOptions{Mode: "bilinear", Coordinates: "align-corners"}},
		{"bilinear corners, one position", x, []int{1, 4}, ResizeOptions{Mode: "bilinear", Coordinates: "align-corners"}},
		{"bilinear by a scale", x, []int{16, 11}, ResizeOptions{Mode: "bilinear", Scale: []float64{2.3, 2.2}}},
		{"bilinear of many rows to few", tall, []int{9, 5}, ResizeOptions{Mode: "bilinear"}},
		{"one extent for all", x, []int{9}, ResizeOptions{Mode: "bilinear"}},
		{"bilinear asymmetric", x, []int{10, 3}, ResizeOptions{Mode: "bilinear", Coordinates: "asymmetric"}},
		{"bilinear asymmetric by a scale", x, []int{16, 11}, ResizeOptions{Mode: "bilinear", Coordinates: "asymmetric", Scale: []float64{2.3, 2.2}}},
		{"bilinear, one position by PyTorch's half pixels", x, []int{1, 12}, ResizeOptions{Mode: "bilinear", Coordinates: "pytorch-half-pixel"}},
		{"bicubic asymmetric", x, []int{10, 3}, ResizeOptions{Mode: "bicubic", Coordinates: "asymmetric"}},
		// Some positions lie on source positions, and their taps end before those of others.
		{"bicubic antialias of more rows", tall, []int{150, 9}, ResizeOptions{Mode: "bicubic", Antialias: true}},
		{"bilinear antialias to as many by a scale", x, []int{7, 5}, ResizeOptions{Mode: "bilinear", Antialias: true, Scale: []float64{1.1}}},
		{"bicubic antialias by a scale", x, []int{16, 11}, ResizeOptions{Mode: "bicubic", Antialias: true, Scale: []float64{2.3, 2.2}}},
		{"bicubic corners", x, []int{10, 12}, ResizeOptions{Mode: "bicubic", Coordinates: "align-corners"}},
		{"bicubic by a scale", x, []int{16, 11}, ResizeOptions{Mode: "bicubic", Scale: []float64{2.3}}},
		{"bicubic of Keys", x, []int{10, 12}, ResizeOptions{Mode: "bicubic", CubicCoeff: -0.5}},
		{"bicubic without what is outside", x, []int{13, 3}, ResizeOptions{Mode: "bicubic", CubicCoeff: -0.5, ExcludeOutside: true}},
		{"bicubic of many rows to few", tall, []int{9, 5}, ResizeOptions{Mode: "bicubic"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			v, s := values(c.x), c.x.Dims
			to := s.Clone()
			to[1], to[2] = c.size[0], c.size[len(c.size)-1]
			var want []float64
			scale := func(axis int) float64 { return pick(c.o.Scale, axis, 0) }
			graphtest.Indices(to, func(at []int) {
				ys, wy := tapsOf(placeOf(at[1], s[1], to[1], scale(0), c.o), s[1], c.o)
				xs, wx := tapsOf(placeOf(at[2], s[2], to[2], scale(1), c.o), s[2], c.o)
				sum := 0.0
				for i := range ys {
					for j := range xs {
						sum += wy[i] * wx[j] * v[((at[0]*s[1]+ys[i])*s[2]+xs[j])*s[3]+at[3]]
					}
				}
				want = append(want, sum)
			})
			c.o.Layout = shape.NHWC
			y, got := resultOf(t, func() (graph.Array, error) { return Resize(c.x, c.size, c.o) })
			// Two blends of three roundings each; of eight, with weights beyond 1, for bicubic.
			within(t, floats(y, got), want, map[string]float64{"bilinear": 4e-7, "bicubic": 1e-6}[c.o.Mode])
		})
	}
	floor := math.Floor
	for _, c := range []struct {
		o     ResizeOptions
		round func(float64) float64
	}{
		{ResizeOptions{Mode: "nearest"}, floor},
		{ResizeOptions{Mode: "nearest-exact"}, func(p float64) float64 { return floor(p + 0.5) }},
		{ResizeOptions{Mode: "nearest", Coordinates: "half-pixel"}, floor},
		{ResizeOptions{Mode: "nearest", Coordinates: "align-corners", Rounding: "round-prefer-floor"}, func(p float64) float64 { return math.Ceil(p - 0.5) }},
		{ResizeOptions{Mode: "nearest", Rounding: "round-prefer-ceil"}, func(p float64) float64 { return floor(p + 0.5) }},
		{ResizeOptions{Mode: "nearest", Coordinates: "half-pixel", Rounding: "ceil"}, math.Ceil},
		{ResizeOptions{Mode: "nearest", Coordinates: "pytorch-half-pixel", Rounding: "floor"}, floor},
	} {
		for _, scale := range [][]float64{nil, {2.3, 2.2}, {0.5, 2}} {
			c.o.Scale = scale
			t.Run(fmt.Sprintf("%s/%s/%s/%v", c.o.Mode, c.o.Coordinates, c.o.Rounding, scale), func(t *testing.T) {
				places := c.o
				if c.o.Mode == "nearest" && c.o.Coordinates == "" {
					places.Coordinates = "asymmetric"
				}
				size := shape.Shape{2, 3, 11, 3}
				for a, s := range scale {
					size[1+a] = int(float64(x.Dims[1+a]) * s)
				}
				var want []float64
				graphtest.Indices(size, func(at []int) {
					from := slices.Clone(at)
					for a := range 2 {
						p := c.round(placeOf(at[1+a], x.Dims[1+a], size[1+a], pick(scale, a, 0), places))
						from[1+a] = min(max(int(p), 0), x.Dims[1+a]-1)
					}
					want = append(want, xv[graphtest.FlatIndex(x.Dims, from)])
				})
				o, to := c.o, size[1:3]
				if o.Layout = shape.NHWC; scale != nil {
					to = nil
				}
				y, got := resultOf(t, func() (graph.Array, error) { return Resize(x, to, o) })
				within(t, floats(y, got), want, 0) // it chooses
			})
		}
	}
	t.Run("a scale that says the size alone", func(t *testing.T) {
		at := func(size []int, o ResizeOptions) []float64 {
			o.Mode, o.Layout = "linear", shape.NHWC
			y, got := resultOf(t, func() (graph.Array, error) { return Resize(x, size, o) })
			return floats(y, got)
		}
		scale := []float64{2.3, 2.2}
		within(t, at(nil, ResizeOptions{Scale: scale, Recompute: true}), at([]int{16, 11}, ResizeOptions{}), 0)
		within(t, at(nil, ResizeOptions{Scale: scale}), at([]int{16, 11}, ResizeOptions{Scale: scale}), 0)
	})
	t.Run("what bilinear leaves as large is copied, whatever the scale", func(t *testing.T) {
		y, got := resultOf(t, func() (graph.Array, error) {
			return Resize(x, []int{7, 5}, ResizeOptions{Mode: "bilinear", Scale: []float64{1.1}, Layout: shape.NHWC})
		})
		within(t, floats(y, got), xv, 0)
	})
	for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} { // a row of one element has neither width nor height beside it
		t.Run(fmt.Sprintf("one pixel/%s", l), func(t *testing.T) {
			one := graphtest.ArrayOf("one.npy", x.Type, shape.Shape{1, 1, 1, 1}, []float32{3})
			y, got := resultOf(t, func() (graph.Array, error) {
				return Resize(one, []int{2, 3}, ResizeOptions{Mode: "bicubic", Layout: l})
			})
			within(t, floats(y, got), []float64{3, 3, 3, 3, 3, 3}, 1e-7) // the weights sum to 1 within a rounding
		})
	}
}

// A sequence of wide positions is resized position by position, as the rows of a map
// of one column are, and one of narrow positions as a line.
func TestSequencesAreResizedAsRows(t *testing.T) {
	for _, c := range []int{leastRow - 1, leastRow, 40} {
		x := graphtest.Randn(1, 2, 9, c)
		for _, o := range []ResizeOptions{{Mode: "linear"}, {Mode: "cubic"}, {Mode: "nearest"}, {Mode: "nearest-exact"}, {Mode: "linear", Antialias: true}, {Mode: "cubic", Antialias: true}} {
			for _, size := range []int{4, 14} {
				t.Run(fmt.Sprintf("%d/%+v/%d", c, o, size), func(t *testing.T) {
					o.Layout = shape.NHWC
					want := graphtest.Must(Resize(graphtest.Must(Reshape(x, shape.Shape{2, 9, 1, c})), []int{size, 1}, o))
					got := graphtest.Result(t, func() graph.Array { return graphtest.Must(Resize(x, []int{size}, o)) })
					w := kernel.View[float32](graphtest.Result(t, func() graph.Array { return want }))
					for i, v := range kernel.View[float32](got) {
						if math.Abs(float64(v-w[i])) > 1e-6 { // a line is blended in another order: 8 roundings of numbers below 2
							t.Fatalf("element %d is %g, want %g", i, v, w[i])
						}
						if c >= leastRow && v != w[i] {
							t.Fatalf("element %d is %g, want %g to the last bit", i, v, w[i])
						}
					}
				})
			}
		}
	}
}
