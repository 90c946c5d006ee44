package ops

import "fusectl/internal/graph"

// BatchNorm is a batch normalisation with the statistics of training, as
// torch.nn.BatchNorm2d in eval mode: (y - Mean) / sqrt(Variance + Epsilon) ·
// Weight + Bias (Ioffe & Szegedy 2015). Each array is [channels].
type BatchNorm struct {
	Weight, Bias   graph.Array // nil: ones, zeros
	Mean, Variance graph.Array
	Epsilon        float64
}

// arrays lists those that there are.
func (n *BatchNorm) arrays() []graph.Array {
	return present(n.Weight, n.Bias, n.Mean, n.Variance)
}

// present lists those of xs that aren't nil.
func present(xs ...graph.Array) (all []graph.Array) {
	for _, x := range xs {
		if x != nil {
			all = append(all, x)
		}
	}
	return all
}

// origin tells how a map by weights was made, for it to be made again with a
// normalisation that is folded into them.
type origin struct {
	axis       int // of its channels
	normalized func(n *BatchNorm, activation string) (graph.Array, error)
}
