package ops

import (
	"context"
	"fmt"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// Distributions lists what Random draws from.
var Distributions = []string{"normal", "uniform"}

// random is drawn from a counter: an element's value depends on the seed and
// its place alone.
type random struct {
	computed
	seed uint64
	loop func(dst []byte, seed uint64, off int64)
}

// Random is an array drawn from the standard normal distribution or the
// uniform one on [0,1): the same bytes for a seed on every machine. float64
// and float32 are drawn as they are; other floats are rounded from float32,
// and integers have no distribution to draw from.
func Random(distribution string, s shape.Shape, t dtype.Type, seed uint64) (graph.Array, error) {
	if !t.IsFloat() {
		return nil, &graph.Error{Msg: fmt.Sprintf("dtype %v: random draws float16, bfloat16, float32 or float64", t)}
	}
	if _, err := s.Check(max(t.Size(), 4)); err != nil {
		return nil, &graph.Error{Msg: err.Error()}
	}
	loops := &kernel.Active().Normal
	switch distribution {
	case "normal":
	case "uniform":
		loops = &kernel.Active().Uniform
	default:
		return nil, &graph.Error{Msg: fmt.Sprintf("unknown distribution %q: want normal or uniform", distribution)}
	}
	r := &random{computed{op: distribution, dt: t.Compute(), sh: s}, seed, loops[t.Compute().Kind()]}
	return cast(r, t), nil
}

func (*random) Operands(func(*graph.Array)) {}

func (r *random) Flops() int64 { return elementary * r.sh.Len() }

func (r *random) Memory(int64) int64 { return 0 }

func (r *random) Read(_ context.Context, dst []byte, off int64) error {
	r.loop(dst, r.seed, off)
	return nil
}
