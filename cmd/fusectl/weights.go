package main

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// weightFlags is the paths of a weight and its bias.
type weightFlags struct{ kernel, bias string }

// addTo defines --NAME and --NAME-bias; a weight named "weight" has the bias
// "bias".
func (w *weightFlags) addTo(cmd *cobra.Command, name, usage string) {
	bias := name + "-bias"
	if name == "weight" {
		bias = "bias"
	}
	cmd.Flags().StringVar(&w.kernel, name, "", usage)
	cmd.Flags().StringVar(&w.bias, bias, "", "its bias, one number an output channel")
}

// openWeights opens what flags name, in the order that --weight-layout says.
func (st *step) openWeights(layout string, flags ...weightFlags) ([]ops.Weights, error) {
	l, err := st.weightLayout(layout)
	if err != nil {
		return nil, err
	}
	out := make([]ops.Weights, len(flags))
	for i, f := range flags {
		out[i].Layout = l
		if out[i].Kernel, err = st.openOptional(f.kernel); err != nil {
			return nil, err
		}
		if out[i].Bias, err = st.openOptional(f.bias); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// bundleFlags say which archive of weights a module takes, and which of its
// names are the module's.
type bundleFlags struct {
	path, prefix string
	ignoreUnused bool
}

func (b *bundleFlags) addTo(f *pflag.FlagSet, usage, prefix string) {
	f.StringVar(&b.path, "weights", "", usage)
	f.StringVar(&b.prefix, "weights-prefix", "", "`TEXT` before the names in it, such as "+prefix)
	f.BoolVar(&b.ignoreUnused, "ignore-unused", false, "allow names in it that nothing reads")
}

// check refuses flags that say nothing without an archive.
func (b bundleFlags) check() error {
	if b.path == "" && (b.prefix != "" || b.ignoreUnused) {
		return usagef("--weights-prefix and --ignore-unused go with --weights")
	}
	return nil
}

// ordered refuses a --weight-layout other than l, that of the framework whose
// names the bundle has.
func (b *bundle) ordered(l ops.WeightLayout, given string) error {
	if given == "" || given == string(l) {
		return nil
	}
	return usagef("--weight-layout %s: the names in %s are of %s's weights", given, npyio.Printable(b.path), l)
}

// bundle is an archive of weights, named as a framework names them.
type bundle struct {
	bundleFlags
	st      *step
	archive *npyio.Archive
	read    map[string]bool // the names that were read, without the prefix
}

// openBundle opens the archive that flags name.
func (st *step) openBundle(flags bundleFlags) (*bundle, error) {
	flags.path = st.path(flags.path)
	a, err := st.openArchive(flags.path, st.common)
	if err != nil {
		return nil, err
	}
	return &bundle{flags, st, a, map[string]bool{}}, nil
}

// saysNothing reports whether a name holds nothing that a module computes
// with: batch normalisation counts the batches that it was trained on.
func saysNothing(name string) bool {
	return name == "num_batches_tracked" || strings.HasSuffix(name, ".num_batches_tracked")
}

// unread refuses a bundle with names under the prefix that nothing has read:
// the module that they belong to computes something else. hints say what would
// read some of them.
func (b *bundle) unread(hints ...string) error {
	var left []string
	for _, name := range b.archive.Names() {
		if own, ok := strings.CutPrefix(name, b.prefix); ok && !b.read[own] && !saysNothing(own) {
			left = append(left, name)
		}
	}
	if len(left) == 0 || b.ignoreUnused {
		return nil
	}
	u := usagef("%s: has weights that nothing reads: %s", npyio.Printable(b.path), npyio.Listed(left))
	u.hints = append(hints, "--weights-prefix chooses one module's names; --ignore-unused computes without these")
	return u
}

// has reports whether the bundle has one of some names.
func (b *bundle) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return b.archive.Has(b.prefix + n) })
}

// need is the array of the first name that the bundle has. If it has none of
// them, the error lists what it has.
func (b *bundle) need(names ...string) (graph.Array, error) {
	name := names[0]
	for _, n := range names {
		if b.has(n) {
			name = n
			break
		}
	}
	b.read[name] = true
	name = b.prefix + name
	key := fileKey{b.path + ":" + name, b.st.as.t}
	in, err := b.st.opened(key, b.st.common, func() (*npyio.File, error) { return b.archive.Open(name) })
	if err != nil {
		if r := (*npyio.ReadError)(nil); errors.As(err, &r) && !b.archive.Has(name) {
			r.Hints = append(r.Hints, "--weights-prefix is what stands before a module's own names, such as fpn.")
		}
		return nil, err
	}
	return in.array, nil
}

// optional is need, or nil where the bundle has none of the names.
func (b *bundle) optional(names ...string) (graph.Array, error) {
	if !b.has(names...) {
		return nil, nil
	}
	return b.need(names...)
}

// convolution is the weights of a PyTorch module by one of some names.
func (b *bundle) convolution(names ...string) (w ops.Weights, err error) {
	w.Layout = ops.Torch
	if w.Kernel, err = b.need(withSuffix(names, ".weight")...); err == nil {
		w.Bias, err = b.optional(withSuffix(names, ".bias")...)
	}
	return w, err
}

// normEpsilon is the number that torch's normalisations add to the variance.
const normEpsilon = 1e-5

// normalized is convolution for a sequence of a convolution, NAME.0, and perhaps
// a normalisation, NAME.1, as torchvision's Conv2dNormActivation names them; or,
// as its older versions do, a convolution alone, NAME. One with statistics is a
// batch normalisation; one without is a group normalisation, of so many groups.
func (b *bundle) normalized(name string, groups int) (w ops.Weights, group *ops.GroupNormOptions, err error) {
	if w, err = b.convolution(name+".0", name); err != nil {
		return w, nil, err
	}
	norm := name + ".1."
	n := ops.BatchNorm{Epsilon: normEpsilon}
	statistics := b.has(norm+"running_mean", norm+"running_var")
	if !statistics && !b.has(norm+"weight") {
		return w, nil, nil
	}
	if n.Weight, err = b.optional(norm + "weight"); err == nil {
		n.Bias, err = b.optional(norm + "bias")
	}
	if err == nil && statistics {
		if n.Mean, err = b.need(norm + "running_mean"); err == nil {
			n.Variance, err = b.need(norm + "running_var")
		}
	}
	if statistics {
		w.Norm = &n
		return w, nil, err
	}
	return w, &ops.GroupNormOptions{Groups: groups, Weight: n.Weight, Bias: n.Bias, Epsilon: n.Epsilon}, err
}

func withSuffix(names []string, suffix string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n + suffix
	}
	return out
}

// openList opens lists of kernels and of biases, --NAME and --NAME-bias, of n
// weights each; nil where there are none.
func (st *step) openList(name, biasName string, kernels, biases list, n int, layout string) ([]ops.Weights, error) {
	if kernels == nil && biases == nil {
		return nil, nil
	}
	for _, f := range []struct {
		name string
		list list
	}{{name, kernels}, {biasName, biases}} {
		if f.list != nil && len(f.list) != n {
			return nil, usagef("--%s names %d: want %d, none where there is none", f.name, len(f.list), n)
		}
	}
	flags := make([]weightFlags, n)
	for i := range flags {
		if kernels != nil {
			flags[i].kernel = kernels[i]
		}
		if biases != nil {
			flags[i].bias = biases[i]
		}
	}
	return st.openWeights(layout, flags...)
}

// needs marks flags that a command can't do without.
func needs(cmd *cobra.Command, flags ...string) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, f := range flags {
			if !cmd.Flags().Changed(f) {
				return usagef("needs --%s", f)
			}
		}
		return run(cmd, args)
	}
}

// mostPositions bounds numbers of positions, so that sums of them don't overflow.
const mostPositions = math.MaxInt32

// perAxis reads a number for each spatial axis, or one for all; least is the
// smallest that is allowed.
func perAxis(flag string, words list, least int) ([]int, error) {
	n, err := numbers(flag, words)
	if err == nil && n != nil && (slices.Min(n) < least || slices.Max(n) > mostPositions) {
		return nil, usagef("--%s %s: want one number, or one for each spatial axis, of at least %d and at most %d", flag, words.String(), least, mostPositions)
	}
	return n, err
}

// paddingUsage is the forms of --padding.
const paddingUsage = "same, same-lower, valid, N, or N or BEFORE:AFTER for each spatial axis"

// padding reads --padding.
func padding(words list) (p ops.Padding, err error) {
	switch words.String() {
	case "valid", "":
		return p, nil
	case "same", "same-lower":
		return ops.Padding{Same: true, Lower: words[0] == "same-lower"}, nil
	}
	for _, word := range words {
		before, after, two := strings.Cut(word, ":")
		if !two {
			after = before
		}
		b, err1 := strconv.Atoi(before)
		a, err2 := strconv.Atoi(after)
		if err1 != nil || err2 != nil || min(a, b) < 0 || max(a, b) > mostPositions {
			return p, usagef("--padding %s: want %s", words.String(), paddingUsage)
		}
		p.Each = append(p.Each, [2]int{b, a})
	}
	return p, nil
}

func weightLayoutFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "weight-layout", "", "the order of weights' axes, keras or torch; default keras under nhwc, torch under nchw")
	complete(cmd, "weight-layout", []string{string(ops.Keras), string(ops.Torch)})
}

func (st *step) weightLayout(name string) (ops.WeightLayout, error) {
	switch l := ops.WeightLayout(name); l {
	case "":
		return ops.DefaultWeights(shape.Layout(st.layout)), nil
	case ops.Keras, ops.Torch:
		return l, nil
	}
	return "", usagef("--weight-layout %s: want keras or torch", name)
}
