package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/shape"
)

// placeOf is the place of position i of out among in, by the definitions of PyTorch's
// interpolate with align_corners and scale_factor.
func placeOf(i, in, out int, scale float64, corners bool) float64 {
	step := float64(in) / float64(out)
	if scale != 0 {
		step = 1 / scale
	}
	if corners {
		return float64(i) * float64(in-1) / float64(max(out-1, 1))
	}
	return (float64(i)+0.5)*step - 0.5
}

// tapsOf is the source positions, clamped into [0,in), and their weights.
func tapsOf(p float64, in int, o ResizeOptions) (at []int, weights []float64) {
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
		{"bilinear corners", x, []int{10, 12}, ResizeOptions{Mode: "bilinear", AlignCorners: true}},
		{"bilinear corners, one position", x, []int{1, 4}, ResizeOptions{Mode: "bilinear", AlignCorners: true}},
		{"bilinear by a scale", x, []int{16, 11}, ResizeOptions{Mode: "bilinear", Scale: []float64{2.3, 2.2}}},
		{"bilinear of many rows to few", tall, []int{9, 5}, ResizeOptions{Mode: "bilinear"}},
		{"one extent for all", x, []int{9}, ResizeOptions{Mode: "bilinear"}},
		{"bicubic corners", x, []int{10, 12}, ResizeOptions{Mode: "bicubic", AlignCorners: true}},
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
				ys, wy := tapsOf(placeOf(at[1], s[1], to[1], scale(0), c.o.AlignCorners), s[1], c.o)
				xs, wx := tapsOf(placeOf(at[2], s[2], to[2], scale(1), c.o.AlignCorners), s[2], c.o)
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
	for _, mode := range []string{"nearest", "nearest-exact"} {
		t.Run(mode+" by a scale", func(t *testing.T) {
			var want []float64
			graphtest.Indices(shape.Shape{2, 16, 11, 3}, func(at []int) {
				from := slices.Clone(at)
				for a, s := range []float64{2.3, 2.2} {
					p := float64(at[1+a]) / s
					if mode == "nearest-exact" {
						p = (float64(at[1+a]) + 0.5) / s
					}
					from[1+a] = min(int(math.Floor(p)), x.Dims[1+a]-1)
				}
				want = append(want, xv[graphtest.FlatIndex(x.Dims, from)])
			})
			y, got := resultOf(t, func() (graph.Array, error) {
				return Resize(x, []int{16, 11}, ResizeOptions{Mode: mode, Scale: []float64{2.3, 2.2}, Layout: shape.NHWC})
			})
			within(t, floats(y, got), want, 0) // it chooses
		})
	}
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
