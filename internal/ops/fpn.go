package ops

import (
	"fmt"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// FPNOptions refine FPN.
type FPNOptions struct {
	Upsample string    // one of ResizeModes; "": bilinear
	Lateral  []Weights // 1×1 convolutions, finest level first; nil: identities
	Layout   shape.Layout
}

// FPN is the top-down pathway of a feature pyramid (Lin et al. 2017): each
// level is lateral(level) + upsample(coarser level). Levels are rank-4 feature
// maps, given finest or coarsest first, and the fused ones are returned finest
// first. All have the dtype that the levels and weights promote to; between
// levels nothing is rounded to 16 bits. A computed coarser level is held, since
// several rows of the finer one read each of its rows.
func FPN(levels []Array, o FPNOptions) ([]Array, error) {
	if len(levels) < 2 {
		return nil, &Error{Msg: fmt.Sprintf("fpn needs at least 2 levels: got %d", len(levels))}
	}
	if o.Lateral != nil && len(o.Lateral) != len(levels) {
		return nil, &Error{Msg: fmt.Sprintf("--lateral names %d weights for %d levels: want one each, or none", len(o.Lateral), len(levels))}
	}
	levels, err := finestFirst(levels, o.Layout)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(levels)
	for _, w := range o.Lateral {
		all = append(all, w.arrays()...)
	}
	_, t, err := needFloat("fpn", all)
	if err != nil {
		return nil, err
	}
	channel := o.Layout.Channel(4)
	lateral := make([]Array, len(levels))
	for i, x := range levels {
		lateral[i] = cast(x, t.Compute())
		if o.Lateral != nil {
			if lateral[i], err = linear(lateral[i], o.Lateral[i], channel); err != nil {
				return nil, err
			}
		}
	}
	if err := sameButSpace(levels, lateral, o.Layout); err != nil {
		return nil, err
	}
	return topDown(lateral, t, o)
}

func topDown(lateral []Array, t dtype.Type, o FPNOptions) ([]Array, error) {
	mode := o.Upsample
	if mode == "" {
		mode = "bilinear"
	}
	axes := o.Layout.Spatial(4)
	fused := slices.Clone(lateral)
	for i := len(fused) - 2; i >= 0; i-- {
		s := lateral[i].Shape()
		coarser := holdComputed(fused[i+1])
		fused[i+1] = coarser
		up, err := Resize(coarser, s[axes[0]], s[axes[1]], ResizeOptions{Mode: mode, Layout: o.Layout})
		if err != nil {
			return nil, err
		}
		if fused[i], err = Add([]Array{lateral[i], up}, AddOptions{}); err != nil {
			return nil, err
		}
	}
	for i, x := range fused {
		fused[i] = cast(x, t)
	}
	return fused, nil
}

// finestFirst orders levels by their spatial size, which must fall or rise
// throughout.
func finestFirst(levels []Array, l shape.Layout) ([]Array, error) {
	for _, x := range levels {
		if len(x.Shape()) != 4 {
			return nil, errorf(x, "shape %v: a level of a pyramid has 4 dimensions, %s", x.Shape(), l)
		}
	}
	axes := l.Spatial(4)
	pixels := func(x Array) int64 { return int64(x.Shape()[axes[0]]) * int64(x.Shape()[axes[1]]) }
	levels = slices.Clone(levels)
	if pixels(levels[0]) < pixels(levels[len(levels)-1]) {
		slices.Reverse(levels)
	}
	for i, x := range levels[1:] {
		if pixels(x) > pixels(levels[i]) {
			return nil, errorf(x, "shape %v is not in order of size: levels go from finest to coarsest or back", x.Shape())
		}
	}
	return levels, nil
}

// sameButSpace checks that laterals agree in batch and channels.
func sameButSpace(levels, lateral []Array, l shape.Layout) error {
	first, channel := lateral[0].Shape(), l.Channel(4)
	for i, x := range lateral {
		s := x.Shape()
		switch {
		case s[channel] != first[channel]:
			return errorf(levels[i], "%d channels, its shape is %v: %s has %d, its shape is %v", s[channel], s, NameOf(levels[0]), first[channel], first).
				hint("bring all levels to as many channels with 1x1 convolutions: --lateral w2.npy,w3.npy,...")
		case s[0] != first[0]:
			return errorf(levels[i], "batch of %d, its shape is %v: %s has %d, its shape is %v", s[0], s, NameOf(levels[0]), first[0], first)
		}
	}
	return nil
}
