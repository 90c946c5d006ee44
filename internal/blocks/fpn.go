package blocks

import (
	"errors"
	"fmt"
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// MergeModes lists the ways in which a pyramid merges two levels.
var MergeModes = []string{"add", "concat", "mul", "weighted"}

// ExtraModes lists the coarser levels that a pyramid may be given.
var ExtraModes = []string{"none", "maxpool", "p6p7"}

// FPNOptions refine FPN. Lists of weights have one for each level, finest
// first, or are nil; a Weights without a kernel is the identity.
type FPNOptions struct {
	Upsample      string                  // one of ResizeModes; "": linear
	Lateral       []ops.Weights           // 1×1 convolutions of the levels
	Output        []ops.Weights           // 3×3 convolutions of the fused levels
	LateralNorm   []*ops.GroupNormOptions // what normalises the laterals, one a level; nil: nothing
	OutputNorm    []*ops.GroupNormOptions // likewise, the output convolutions' results
	Merge         string                  // one of MergeModes; "": add
	MergeWeights  graph.Array             // weighted: [levels-1, 2], of a level and of the coarser one; nil: ones
	Extra         string                  // one of ExtraModes; "": none
	ExtraConv     []ops.Weights           // p6p7: the two 3×3 convolutions
	BottomUp      bool
	Down          []ops.Weights // BottomUp: 3×3 convolutions of stride 2 from each level to the next; nil: every second position
	BottomUpConv  []ops.Weights // BottomUp: 3×3 convolutions of all levels but the finest
	BottomUpMerge graph.Array   // BottomUp, weighted: [levels-1, 2], of a level and of the finer one; nil: ones
	Layout        shape.Layout
}

// FPN is a feature pyramid (Lin et al. 2017), as torchvision's
// FeaturePyramidNetwork: each level is merged, by addition, with the coarser
// fused level, upsampled, and then convolved. Levels are maps of 1, 2 or 3 spatial
// axes, given finest or coarsest first, and the fused ones are returned finest
// first.
// All have the dtype that the levels and weights promote to; between levels
// nothing is rounded to 16 bits.
//
// Merge weighted is BiFPN's fast normalised fusion (Tan et al. 2020):
// Σ relu(wᵢ)·xᵢ / (Σ relu(wᵢ) + 1e-4). BottomUp is PANet's second pathway (Liu
// et al. 2018) as MMDetection's PAFPN has it: every level but the finest is
// merged with the finer one, halved, and then convolved. Extra maxpool appends
// every second position of the coarsest result; p6p7 (RetinaNet) convolutions
// of stride 2, the first of the coarsest result or, where its channels say so,
// of the coarsest input, the second of the first's relu. Where the channels fit
// both, torchvision's LastLevelP6P7 decides: it is the input that a convolution
// to another number of channels takes.
//
// A computed coarser level is held, since several rows of the finer one read
// each of its rows.
func FPN(levels []graph.Array, o FPNOptions) ([]graph.Array, error) {
	if len(levels) < 2 {
		return nil, &graph.Error{Msg: fmt.Sprintf("fpn needs at least 2 levels: got %d", len(levels))}
	}
	levels, form, err := o.finestFirst(levels)
	if err != nil {
		return nil, err
	}
	o.Layout = form
	all := slices.Clone(levels)
	for _, f := range []struct {
		flag string
		ws   []ops.Weights
		n    int
	}{
		{"lateral", o.Lateral, len(levels)}, {"output-conv", o.Output, len(levels)}, {"down-conv", o.Down, len(levels) - 1},
		{"bottom-up-conv", o.BottomUpConv, len(levels) - 1}, {"extra-weight", o.ExtraConv, 2},
	} {
		if f.ws != nil && len(f.ws) != f.n {
			return nil, &graph.Error{Msg: fmt.Sprintf("--%s names %d weights: want %d for %d levels, or none", f.flag, len(f.ws), f.n, len(levels))}
		}
		for _, w := range f.ws {
			all = append(all, w.Arrays()...)
		}
	}
	for _, n := range slices.Concat(o.LateralNorm, o.OutputNorm) {
		if n != nil {
			all = append(all, n.Arrays()...)
		}
	}
	t, err := ops.FloatType("fpn", all...)
	if err != nil {
		return nil, err
	}
	work := make([]graph.Array, len(levels))
	for i, x := range levels {
		if work[i], err = ops.Cast(x, t.Compute()); err != nil {
			return nil, err
		}
	}
	p := pyramid{o, levels}
	lateral := slices.Clone(work)
	for i := range o.Lateral {
		if lateral[i], err = ops.Linear(work[i], o.Lateral[i], ops.LinearOptions{Axis: p.channel()}); err != nil {
			return nil, err
		}
	}
	if lateral, err = p.normalizeAll(lateral, o.LateralNorm); err != nil {
		return nil, err
	}
	if err := p.sameButSpace(lateral); err != nil {
		return nil, err
	}
	fused, err := p.topDown(lateral)
	if err == nil {
		fused, err = p.convolveAll(fused, o.Output)
	}
	if err == nil {
		fused, err = p.normalizeAll(fused, o.OutputNorm)
	}
	if err == nil && o.BottomUp {
		fused, err = p.bottomUp(fused)
	}
	if err == nil {
		fused, err = p.extra(fused, work[len(work)-1])
	}
	if err != nil {
		return nil, err
	}
	for i, x := range fused {
		if fused[i], err = ops.Cast(x, t); err != nil {
			return nil, err
		}
	}
	return fused, nil
}

// pyramid is a pyramid in the making, whose Layout names the axes of its levels.
type pyramid struct {
	FPNOptions
	levels []graph.Array // as they came, for messages
}

// channel is the axis of the levels that has their channels.
func (p *pyramid) channel() int { return p.Layout.Channel() }

// spatial is the axes of the levels that are neither batch nor channels.
func (p *pyramid) spatial() []int { return p.Layout.Spatial() }

// topDown merges each level with the coarser fused one.
func (p *pyramid) topDown(lateral []graph.Array) ([]graph.Array, error) {
	mode := p.Upsample
	if mode == "" {
		mode = "linear"
	}
	axes := p.spatial()
	fused := slices.Clone(lateral)
	for i := len(fused) - 2; i >= 0; i-- {
		s := lateral[i].Shape()
		fused[i+1] = graph.MaterializeComputed(fused[i+1])
		size := s[axes[0] : axes[0]+len(axes)]
		up, err := ops.Resize(fused[i+1], size, ops.ResizeOptions{Mode: mode, Layout: p.Layout})
		if err != nil {
			return nil, err
		}
		if fused[i], err = p.merge("--merge-weights", p.MergeWeights, i, lateral[i], up); err != nil {
			return nil, err
		}
	}
	return fused, nil
}

// bottomUp merges each level with the finer one, halved.
func (p *pyramid) bottomUp(fused []graph.Array) ([]graph.Array, error) {
	out := slices.Clone(fused)
	for i := range len(out) - 1 {
		w := ops.Weights{}
		if p.Down != nil {
			w = p.Down[i]
		}
		down, err := p.halve(out[i], w)
		if err != nil {
			return nil, err
		}
		want := out[i+1].Shape()
		for _, a := range p.spatial() {
			if down.Shape()[a] != want[a] {
				return nil, graph.Errorf(p.levels[i+1], "shape %v is not half of %v of %s, rounded up: --bottom-up halves each level", p.levels[i+1].Shape(), p.levels[i].Shape(), graph.NameOf(p.levels[i]))
			}
		}
		if out[i+1], err = p.merge("--bottom-up-weights", p.BottomUpMerge, i, out[i+1], down); err != nil {
			return nil, err
		}
	}
	convolved, err := p.convolveAll(out[1:], p.BottomUpConv)
	return append(out[:1], convolved...), err
}

// halve is a 3×3 convolution of stride 2, or without a kernel every second
// position.
func (p *pyramid) halve(x graph.Array, w ops.Weights) (graph.Array, error) {
	if w.Kernel == nil {
		return ops.Pool(x, "max", ops.PoolOptions{Window: ops.Window{Size: []int{1}, Stride: []int{2}}, Layout: p.Layout})
	}
	return ops.Conv(x, w, ops.ConvOptions{Stride: []int{2}, Padding: ops.Pad(1), Layout: p.Layout})
}

// convolveAll convolves levels 3×3, each by its weights; nil leaves them.
func (p *pyramid) convolveAll(xs []graph.Array, ws []ops.Weights) ([]graph.Array, error) {
	out := slices.Clone(xs)
	for i, w := range ws {
		var err error
		if w.Kernel == nil {
			out[i], err = ops.Linear(out[i], w, ops.LinearOptions{Axis: p.channel()})
		} else {
			out[i], err = ops.Conv(out[i], w, ops.ConvOptions{Padding: ops.Pad(1), Layout: p.Layout})
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// normalizeAll normalises levels in groups of channels, each by its norm; nil leaves
// it.
func (p *pyramid) normalizeAll(xs []graph.Array, norms []*ops.GroupNormOptions) ([]graph.Array, error) {
	out := slices.Clone(xs)
	for i, n := range norms {
		if n == nil {
			continue
		}
		o, err := *n, error(nil)
		o.Axis, o.Spatial = p.channel(), p.spatial()
		out[i], err = ops.GroupNorm(out[i], o)
		if e := (*graph.Error)(nil); errors.As(err, &e) {
			return nil, e.Hint("--norm-groups says how many groups a GroupNorm has")
		}
	}
	return out, nil
}

// extra appends coarser levels; last is the coarsest input.
func (p *pyramid) extra(fused []graph.Array, last graph.Array) ([]graph.Array, error) {
	coarsest := fused[len(fused)-1]
	switch p.Extra {
	case "maxpool":
		x, err := p.halve(coarsest, ops.Weights{})
		return append(fused, x), err
	case "p6p7":
		if p.ExtraConv == nil || p.ExtraConv[0].Kernel == nil || p.ExtraConv[1].Kernel == nil {
			return nil, &graph.Error{Msg: "--extra p6p7 needs the weights of two convolutions"}
		}
		from := coarsest
		w, channel := p.ExtraConv[0], p.channel()
		if in, out := convChannels(w); in == last.Shape()[channel] && (in != coarsest.Shape()[channel] || in != out) {
			from = last
		}
		p6, err := p.halve(from, w)
		if err != nil {
			return nil, err
		}
		active, err := ops.Activate("relu", p6, p.channel())
		if err != nil {
			return nil, err
		}
		p7, err := p.halve(active, p.ExtraConv[1])
		return append(fused, p6, p7), err
	}
	return fused, nil
}

// convChannels is the channels that a kernel takes and gives; of one of too few
// dimensions, which the convolution refuses, they are 0.
func convChannels(w ops.Weights) (in, out int) {
	s := w.Kernel.Shape()
	switch n := len(s); {
	case n < 3:
		return 0, 0
	case w.Layout == ops.Torch:
		return s[1], s[0]
	default:
		return s[n-2], s[n-1]
	}
}

// merge is a level x merged with y, of the same size; row i of weights, which
// flag names, is theirs.
func (p *pyramid) merge(flag string, weights graph.Array, i int, x, y graph.Array) (graph.Array, error) {
	switch p.Merge {
	case "concat":
		return ops.Concat([]graph.Array{x, y}, p.channel())
	case "mul":
		return ops.Mul([]graph.Array{x, y}, ops.MulOptions{})
	case "weighted":
		return p.weighted(flag, weights, i, x, y)
	}
	return ops.Add([]graph.Array{x, y}, ops.AddOptions{})
}

// weighted is the fast normalised fusion of x and y.
func (p *pyramid) weighted(flag string, weights graph.Array, i int, x, y graph.Array) (graph.Array, error) {
	o := ops.AverageOptions{Normalize: "fast"}
	if weights != nil {
		want := shape.Shape{len(p.levels) - 1, 2}
		switch {
		case !weights.Shape().Equal(want):
			return nil, graph.Errorf(weights, "shape %v: %s wants %v, a row for each merge, finest first", weights.Shape(), flag, want)
		case !weights.DType().IsFloat():
			return nil, graph.Errorf(weights, "dtype %v: %s wants float16, bfloat16, float32 or float64", weights.DType(), flag)
		}
		var err error
		if o.Weights, err = ops.Rows(weights, i, 1); err != nil {
			return nil, err
		}
	}
	return ops.Average([]graph.Array{x, y}, o)
}

// Spatial is the number of spatial axes that kernels tell; 0 where none does.
func (o *FPNOptions) Spatial() int {
	for _, ws := range [][]ops.Weights{o.Lateral, o.Output, o.ExtraConv, o.Down, o.BottomUpConv} {
		for _, w := range ws {
			if n := w.Spatial(); n > 0 {
				return n
			}
		}
	}
	return 0
}

// finestFirst orders levels by their spatial size, which must fall or rise
// throughout, and names their axes.
func (o *FPNOptions) finestFirst(levels []graph.Array) (_ []graph.Array, form shape.Layout, err error) {
	rank := len(levels[0].Shape())
	for _, x := range levels {
		if len(x.Shape()) != rank {
			return nil, "", graph.Errorf(x, "shape %v: want as many dimensions as %s has, whose shape is %v", x.Shape(), graph.NameOf(levels[0]), levels[0].Shape())
		}
	}
	if form, err = ops.MapForm("fpn", levels[0], o.Layout, o.Spatial()); err != nil {
		return nil, "", err
	}
	if n := len(form.Spatial()); n < 1 || n > 3 {
		return nil, "", graph.Errorf(levels[0], "shape %v: a level of a pyramid has 1, 2 or 3 spatial axes, such as %s", levels[0].Shape(), o.Layout.Like(2, true))
	}
	pixels := func(x graph.Array) int64 {
		n := int64(1)
		for _, a := range form.Spatial() {
			n *= int64(x.Shape()[a])
		}
		return n
	}
	levels = slices.Clone(levels)
	if pixels(levels[0]) < pixels(levels[len(levels)-1]) {
		slices.Reverse(levels)
	}
	for i, x := range levels[1:] {
		if pixels(x) > pixels(levels[i]) {
			return nil, "", graph.Errorf(x, "shape %v is not in order of size: levels go from finest to coarsest or back", x.Shape())
		}
	}
	return levels, form, nil
}

// sameButSpace checks that laterals agree in batch and, unless they are joined
// along them, in channels.
func (p *pyramid) sameButSpace(lateral []graph.Array) error {
	first, channel := lateral[0].Shape(), p.channel()
	for i, x := range lateral {
		s := x.Shape()
		switch {
		case s[channel] != first[channel] && p.Merge != "concat":
			return graph.Errorf(p.levels[i], "%d channels, its shape is %v: %s has %d, its shape is %v", s[channel], s, graph.NameOf(p.levels[0]), first[channel], first).
				Hint("bring all levels to as many channels with 1x1 convolutions: --lateral w2.npy,w3.npy,...")
		case p.Layout.Batched() && s[0] != first[0]:
			return graph.Errorf(p.levels[i], "batch of %d, its shape is %v: %s has %d, its shape is %v", s[0], s, graph.NameOf(p.levels[0]), first[0], first)
		}
	}
	return nil
}
