package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fusectl/internal/blocks"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// pyramidFlags is the flags of fpn.
type pyramidFlags struct {
	upsample, merge, extra, weightLayout string
	weights                              bundleFlags
	mergeWeights, bottomUpWeights        string
	lateral, output, down, up, more      convList
	all, bottomUp                        bool
	first, normGroups                    int
	given                                func(flag string) bool
}

// convList is the paths of a list of kernels and of one of biases.
type convList struct{ kernels, biases pathList }

func (c *convList) addTo(f *pflag.FlagSet, name, biasName, usage string) {
	f.Var(&c.kernels, name, usage)
	f.Var(&c.biases, biasName, "their biases, likewise")
}

func newFPNCommand(st *step) *cobra.Command {
	var p pyramidFlags
	cmd := &cobra.Command{
		Use:   "fpn C2 C3...",
		Short: "feature pyramid (FPN in RetinaNet, Faster R-CNN; PANet, BiFPN)",
		Long: `Fuses the levels of a feature pyramid from the top down: each level is
lateral(level) + upsample(coarser level), convolved if --output-conv says so.
Levels are feature maps of one to three spatial axes, given finest or coarsest
first. The result is the finest fused level; --all writes all of them, finest
first.

Linear upsampling has half-pixel centres, as tf.image.resize; nearest is
torch.nn.functional.interpolate's.

--weights takes an archive with the names of torchvision's
FeaturePyramidNetwork: inner_blocks.N.0.weight and .bias, layer_blocks.N.0...,
extra_blocks.p6... It is then computed as the module in eval mode: upsampling
is nearest unless --upsample says otherwise, and inner_blocks.N.1.running_mean
and its like (norm_layer=BatchNorm2d) normalise; so does inner_blocks.N.1.weight
without statistics, a GroupNorm, in --norm-groups groups. A name that nothing
reads is an error, unless --ignore-unused is given.
Or weights are named in lists, finest level first, none
where a level has none: laterals are 1x1 convolutions, all others 3x3, over as
many axes as the levels have. Kernels are [in,out] or [h,w,in,out] with channels
last, [out,in] or [out,in,h,w] with channels first, unless --weight-layout says
otherwise.

--merge weighted is BiFPN's fast normalised fusion, by --merge-weights
[levels-1,2], a row for each merge, the level's own weight first. --bottom-up
adds PANet's second pathway: each level is merged with the finer one, halved
by --down-conv or by taking every second position, and convolved by
--bottom-up-conv. --extra appends coarser levels: maxpool one, p6p7 two.`,
		Example: `  # three levels with as many channels
  fusectl fpn c2.npy c3.npy c4.npy -o p2.npy
  # laterals bring 256, 512 and 1024 channels to 256
  fusectl fpn c2.npy c3.npy c4.npy --lateral w2.npy,w3.npy,w4.npy \
      --lateral-bias b2.npy,b3.npy,b4.npy --all -o 'p{}.npy'
  # PANet, all levels in one archive
  fusectl fpn c2.npy c3.npy c4.npy --bottom-up --all -o 'pan.npz:n{}'`,
		Args: inputs(2, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			if err := st.checkOutput(p.all); err != nil {
				return err
			}
			levels, err := st.openOperands(args)
			if err != nil {
				return err
			}
			o, err := st.pyramid(p, len(levels))
			if err != nil {
				return err
			}
			st.takesMaps(o.Spatial(), levels...)
			fused, err := blocks.FPN(levels, o)
			if err != nil {
				return err
			}
			if p.all {
				return st.finishNumbered(cmd.Context(), fused, p.first)
			}
			return st.finish(cmd.Context(), fused[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.upsample, "upsample", "", "upsampling `MODE`: "+strings.Join(ops.ResizeModes, ", ")+"; default linear, with --weights nearest")
	p.weights.addTo(f, "archive of all weights, `W.npz`, named as torchvision names them", "backbone.fpn.")
	p.given = f.Changed
	f.IntVar(&p.normGroups, "norm-groups", groupsUsual, "the groups of a GroupNorm in --weights, `N`, which its names don't say")
	p.lateral.addTo(f, "lateral", "lateral-bias", "1x1 convolutions of the levels, finest first; none is the identity")
	p.output.addTo(f, "output-conv", "output-bias", "3x3 convolutions of the fused levels, likewise")
	f.StringVar(&p.merge, "merge", "add", "how two levels merge, `HOW`: "+strings.Join(blocks.MergeModes, ", "))
	f.StringVar(&p.mergeWeights, "merge-weights", "", "[levels-1,2], with --merge weighted; default ones")
	f.BoolVar(&p.bottomUp, "bottom-up", false, "add the pathway from the bottom up (PANet)")
	p.down.addTo(f, "down-conv", "down-bias", "3x3 convolutions of stride 2 from each level to the next, with --bottom-up")
	p.up.addTo(f, "bottom-up-conv", "bottom-up-conv-bias", "3x3 convolutions of all levels but the finest, with --bottom-up")
	f.StringVar(&p.bottomUpWeights, "bottom-up-weights", "", "as --merge-weights, for --bottom-up")
	f.StringVar(&p.extra, "extra", "none", "coarser levels, `WHICH`: "+strings.Join(blocks.ExtraModes, ", "))
	p.more.addTo(f, "extra-weight", "extra-bias", "the two convolutions of p6p7")
	f.BoolVar(&p.all, "all", false, "write all fused levels, to an output with {} in its name")
	f.IntVar(&p.first, "first-level", 2, "the `NUMBER` of the finest level in the names of --all")
	weightLayoutFlag(cmd, &p.weightLayout)
	complete(cmd, "upsample", ops.ResizeModes)
	complete(cmd, "merge", blocks.MergeModes)
	complete(cmd, "extra", blocks.ExtraModes)
	return cmd
}

// check refuses words that mean nothing and flags that would do nothing.
func (p *pyramidFlags) check() error {
	if p.upsample == "" {
		p.upsample = "linear"
		if p.weights.path != "" { // torchvision's module
			p.upsample = "nearest"
		}
	}
	for _, f := range []struct {
		name, value string
		of          []string
	}{{"upsample", p.upsample, ops.ResizeModes}, {"merge", p.merge, blocks.MergeModes}, {"extra", p.extra, blocks.ExtraModes}} {
		if err := oneOf(f.name, f.value, f.of); err != nil {
			return err
		}
	}
	lists := func(cs ...convList) bool {
		return slices.ContainsFunc(cs, func(c convList) bool { return c.kernels.list != nil || c.biases.list != nil })
	}
	if err := p.weights.check(); err != nil {
		return err
	}
	switch {
	case p.normGroups < 1:
		return usagef("--norm-groups %d: want at least 1", p.normGroups)
	case p.weights.path == "" && p.given("norm-groups"):
		return usagef("--norm-groups goes with --weights")
	case p.weights.path != "" && lists(p.lateral, p.output):
		return usagef("--weights has the laterals and the output convolutions: name them there or in lists")
	case p.merge != "weighted" && p.mergeWeights+p.bottomUpWeights != "":
		return usagef("--merge-weights and --bottom-up-weights go with --merge weighted")
	case !p.bottomUp && (lists(p.down, p.up) || p.bottomUpWeights != ""):
		return usagef("--down-conv, --bottom-up-conv and --bottom-up-weights go with --bottom-up")
	case p.extra != "p6p7" && lists(p.more):
		return usagef("--extra-weight goes with --extra p6p7")
	}
	return nil
}

// pyramid opens what the flags name, for n levels.
func (st *step) pyramid(p pyramidFlags, n int) (o blocks.FPNOptions, err error) {
	o = blocks.FPNOptions{Upsample: p.upsample, Merge: p.merge, Extra: p.extra, BottomUp: p.bottomUp, Layout: shape.Layout(st.layout)}
	for _, l := range []struct {
		to             *[]ops.Weights
		name, biasName string
		paths          convList
		n              int
	}{
		{&o.Lateral, "lateral", "lateral-bias", p.lateral, n}, {&o.Output, "output-conv", "output-bias", p.output, n},
		{&o.Down, "down-conv", "down-bias", p.down, n - 1},
		{&o.BottomUpConv, "bottom-up-conv", "bottom-up-conv-bias", p.up, n - 1},
		{&o.ExtraConv, "extra-weight", "extra-bias", p.more, 2},
	} {
		if *l.to, err = st.openList(l.name, l.biasName, l.paths.kernels.list, l.paths.biases.list, l.n, p.weightLayout); err != nil {
			return o, err
		}
	}
	if o.MergeWeights, err = st.openOptional(p.mergeWeights); err != nil {
		return o, err
	}
	if o.BottomUpMerge, err = st.openOptional(p.bottomUpWeights); err != nil || p.weights.path == "" {
		return o, err
	}
	b, err := st.openBundle(p.weights)
	if err != nil {
		return o, err
	}
	if o.Down == nil && o.BottomUpConv == nil && o.ExtraConv == nil { // else it is said of these
		if err := b.ordered(ops.Torch, p.weightLayout); err != nil {
			return o, err
		}
	}
	if err := b.pyramid(&o, n, p.normGroups); err != nil {
		return o, err
	}
	switch grouped := o.LateralNorm != nil || o.OutputNorm != nil; {
	case grouped && !p.given("norm-groups"):
		st.warn("%s: PyTorch's weights don't say how many groups a GroupNorm has: %d are assumed; --norm-groups N says it", npyio.Printable(b.path), p.normGroups)
	case !grouped && p.given("norm-groups"):
		return o, usagef("--norm-groups %d: there is no GroupNorm in %s", p.normGroups, npyio.Printable(b.path))
	}
	var hints []string
	if o.Extra != "p6p7" && b.has("extra_blocks.p6.weight") {
		hints = append(hints, "--extra p6p7 reads extra_blocks.p6 and extra_blocks.p7")
	}
	if more := fmt.Sprintf("inner_blocks.%d", n); b.has(more+".0.weight", more+".weight") {
		hints = append(hints, fmt.Sprintf("they are for more than the %d levels given", n))
	}
	return o, b.unread(hints...)
}

// groupsUsual is the groups of the GroupNorm that pyramids have.
const groupsUsual = 32

// pyramid takes the weights of a pyramid of n levels from a bundle with
// torchvision's names, of which there are older ones without the 0. A GroupNorm has
// so many groups.
func (b *bundle) pyramid(o *blocks.FPNOptions, n, groups int) (err error) {
	for _, l := range []struct {
		name  string
		to    *[]ops.Weights
		norms *[]*ops.GroupNormOptions
	}{{"inner_blocks", &o.Lateral, &o.LateralNorm}, {"layer_blocks", &o.Output, &o.OutputNorm}} {
		*l.to = make([]ops.Weights, n)
		norms := make([]*ops.GroupNormOptions, n)
		for i := range n {
			if (*l.to)[i], norms[i], err = b.normalized(fmt.Sprintf("%s.%d", l.name, i), groups); err != nil {
				return err
			}
			if norms[i] != nil {
				*l.norms = norms
			}
		}
	}
	if o.Extra != "p6p7" || o.ExtraConv != nil {
		return nil
	}
	o.ExtraConv = make([]ops.Weights, 2)
	for i, name := range []string{"extra_blocks.p6", "extra_blocks.p7"} {
		if o.ExtraConv[i], err = b.convolution(name); err != nil {
			return err
		}
	}
	return nil
}
