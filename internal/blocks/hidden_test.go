package blocks

import (
	"bytes"
	"math"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// What a query doesn't see doesn't count: its result has the bytes that it has
// with zeros there, whatever blocks, tiles and heads.
func TestHiddenPositionsDontCount(t *testing.T) {
	const n, d, from = 600, 8, 520
	// Positions from `from` on are hidden from the queries before them.
	mask := make([]byte, n*n)
	for i := range n {
		for j := range n {
			if j < from || i >= j {
				mask[i*n+j] = 1
			}
		}
	}
	hide := graphtest.ArrayOf("m.npy", dtype.Bool, shape.Shape{n, n}, mask)
	for name, o := range map[string]AttentionOptions{
		"causal":       {Causal: true},
		"mask":         {Mask: hide},
		"both":         {Mask: hide, Causal: true},
		"causal heads": {Causal: true, Heads: 2},
		"mask heads":   {Mask: hide, Heads: 2},
	} {
		attend := func(k, v float32) func() graph.Array {
			keys, values := graphtest.Randn(2, 2, n, d), graphtest.Randn(3, 2, n, d)
			for b := range 2 {
				for _, i := range []int{from, from + 3, n - 1} {
					kernel.View[float32](keys.Data)[(b*n+i)*d+1] = k
					kernel.View[float32](values.Data)[(b*n+i)*d+2] = v
				}
			}
			o := o
			o.Scale = 1
			o.Query, o.Key, o.Value = graphtest.Randn(1, 2, n, d), keys, values
			return func() graph.Array { return graphtest.Must(Attention(nil, o)) }
		}
		whole := func(build func() graph.Array) []byte { return graphtest.WriteAt(t, build(), graph.Options{}) }
		want := whole(attend(0, 0))
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			for what, got := range map[string][]byte{
				"keys": whole(attend(bad, 0)), "values": whole(attend(0, bad)), "both": graphtest.Result(t, attend(bad, bad)),
			} {
				for b := range 2 {
					rows := func(x []byte) []byte { return x[b*n*d*4 : (b*n+from)*d*4] }
					if !bytes.Equal(rows(got), rows(want)) {
						t.Errorf("%s: %v in %s counts where it is hidden", name, bad, what)
					}
				}
				if what != "keys" && kernel.View[float32](got)[(n-1)*d+2] == kernel.View[float32](want)[(n-1)*d+2] {
					t.Errorf("%s: %v in %s doesn't count where it is seen", name, bad, what)
				}
			}
		}
	}
}
