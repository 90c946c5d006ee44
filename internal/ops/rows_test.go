package ops

import (
	"fmt"
	"testing"

	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
)

// A loop over rows takes arrays with an element for each column, such as the scale
// and the shift of a layer normalisation, from files and from what is computed.
func TestRowsTakeColumns(t *testing.T) {
	const cols = 37
	x, scale, shift := graphtest.Randn(1, 50, 3, cols), graphtest.Randn(2, cols), graphtest.Randn(3, cols)
	build := func() graph.Array {
		twice := graphtest.Must(Add([]graph.Array{shift, shift}, AddOptions{}))
		return eachRowWith("affine", x, []graph.Array{scale, twice}, 2, func(dst, src []byte, cols int, columns [][]float64) {
			d, s := kernel.View[float32](dst), kernel.View[float32](src)
			for i, v := range s {
				d[i] = float32(float64(v)*columns[0][i%cols] + columns[1][i%cols])
			}
		})
	}
	xv, by, more := values(x), values(scale), values(shift)
	var want []float64
	for i, v := range xv {
		want = append(want, v*by[i%cols]+2*more[i%cols])
	}
	within(t, floats(build(), graphtest.Result(t, build)), want, 1.2e-7) // two roundings to float32: of the sum of the shifts, and of the result
}

// A bias is an element for each position of an axis, the last one or another, added
// where no product does it.
func TestBiasOfTheIdentity(t *testing.T) {
	x, b := graphtest.Randn(1, 4, 5, 6), graphtest.Randn(2, 5)
	last := graphtest.Randn(3, 6)
	xv := values(x)
	for axis, bias := range map[int]*graphtest.Mem{1: b, 2: last} {
		t.Run(fmt.Sprintf("axis %d", axis), func(t *testing.T) {
			bv := values(bias)
			build := func() graph.Array {
				return graphtest.Must(Linear(x, Weights{Bias: bias, Layout: Torch}, LinearOptions{Axis: axis}))
			}
			var want []float64
			for i, v := range xv {
				at := i % 6
				if axis == 1 {
					at = i / 6 % 5
				}
				want = append(want, v+bv[at])
			}
			within(t, floats(build(), graphtest.Result(t, build)), want, 6e-8) // one rounding
		})
	}
}
