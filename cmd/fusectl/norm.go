package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// normKinds are the words of --kind.
var normKinds = []string{"batch", "layer", "group", "instance", "rms", "l2"}

// normFlags is the flags of norm.
type normFlags struct {
	kind, activation             string
	weight, bias, mean, variance string
	weights                      bundleFlags
	epsilon                      float64
	groups, axis                 int
	axes                         list
	unitOffset                   bool
	given                        func(flag string) bool
}

func newNormCommand(st *step) *cobra.Command {
	var n normFlags
	cmd := &cobra.Command{
		Use:   "norm X --kind KIND",
		Short: "batch, layer, group, instance, RMS and L2 normalisation",
		Long: `Normalises X, by its own statistics or given ones, and scales and shifts it:

  batch     (x-mean)/sqrt(variance+eps) of each channel, by --mean and
            --variance, the statistics of training, as in eval mode
  layer     likewise, by the mean and the variance over the features
  group     by those of each of --groups groups of channels, over all positions
  instance  by those of each channel, over all positions
  rms       x/sqrt(mean of x² + eps) over the features
  l2        x/max(length, eps) over the features

Channels and positions are found by --layout; the features are the channels of
maps and the last axis of sequences and vectors. --axis names another one,
--axes several that are normalised over together. Each result is multiplied by
--weight, if there is one, and --bias is added: a number a channel, or as many
as there are features.

--weights takes them all from an archive by the names of torch (weight, bias,
running_mean, running_var) or of Keras (gamma, beta, moving_mean,
moving_variance). eps is 1e-5, of Keras's names 1e-3; of rms 1e-6, of l2 1e-12.

A batch normalisation of what conv or linear has just given is folded into
their weights and takes no time.`,
		Example: `  # ResNet: a convolution and its normalisation, in one pass
  fusectl conv map.npy --weight k.npy --padding same then \
      norm --kind batch --weights bn1.npz --activation relu -o features.npy
  # a Transformer's tokens
  fusectl norm x.npy --kind layer --weight gamma.npy --bias beta.npy -o normed.npy
  # embeddings of length 1
  fusectl norm image.npy --kind l2 -o unit.npy`,
		Args: inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (graph.Array, error) {
			if err := n.check(); err != nil {
				return nil, err
			}
			return st.norm(xs[0], n)
		}),
	}
	f := cmd.Flags()
	n.given = f.Changed
	f.StringVar(&n.kind, "kind", "", "`KIND`: "+strings.Join(normKinds, ", "))
	f.StringVar(&n.weight, "weight", "", "what the result is multiplied by, `W`")
	f.StringVar(&n.bias, "bias", "", "what is added then, `B`")
	f.StringVar(&n.mean, "mean", "", "of training, `M`, for --kind batch")
	f.StringVar(&n.variance, "variance", "", "of training, `V`, for --kind batch")
	n.weights.addTo(f, "archive of all of these, `W.npz`", "layer1.0.bn1.")
	f.Float64Var(&n.epsilon, "eps", 0, "`NUMBER` added to the variance; of l2, the least length")
	f.IntVar(&n.groups, "groups", 0, "split the channels into `N` groups, for --kind group")
	f.IntVar(&n.axis, "axis", 0, "the axis of the channels or of the features, `N`; may count from the end")
	f.Var(&n.axes, "axes", "the axes of the features, such as -3,-2,-1, for --kind layer, rms and l2")
	f.BoolVar(&n.unitOffset, "unit-offset", false, "multiply by 1 + W, as Gemma does, for --kind rms and layer")
	activationFlag(cmd, &n.activation, "activation", "apply `NAME` to the result")
	complete(cmd, "kind", normKinds)
	needs(cmd, "kind")
	return cmd
}

// byFeatures reports whether the kind is one over the features.
func (n *normFlags) byFeatures() bool { return n.kind == "layer" || n.kind == "rms" || n.kind == "l2" }

// check refuses words that mean nothing and flags that would do nothing.
func (n *normFlags) check() error {
	if err := oneOf("kind", n.kind, normKinds); err != nil {
		return err
	}
	if err := checkActivation("activation", n.activation); err != nil {
		return err
	}
	if err := n.weights.check(); err != nil {
		return err
	}
	switch {
	case n.weights.path != "" && n.weight+n.bias+n.mean+n.variance != "":
		return usagef("--weights has all weights: name them there or one by one")
	case n.kind != "batch" && n.mean+n.variance != "":
		return usagef("--mean and --variance go with --kind batch: %s computes its own", n.kind)
	case n.kind == "batch" && n.weights.path == "" && (n.mean == "" || n.variance == ""):
		return usagef("--kind batch needs --mean and --variance, the statistics of training, or --weights, an archive with both")
	case n.kind == "group" && n.groups < 1:
		if !n.given("groups") {
			return usagef("--kind group needs --groups N")
		}
		return usagef("--groups %d: want at least 1", n.groups)
	case n.kind != "group" && n.given("groups"):
		return usagef("--groups goes with --kind group")
	case !n.byFeatures() && n.axes != nil:
		return usagef("--axes goes with --kind layer, rms and l2: --axis names the axis of the channels")
	case n.axes != nil && n.given("axis"):
		return usagef("--axis and --axes both say what is normalised over: give one")
	case n.unitOffset && !(n.kind == "rms" || n.kind == "layer"):
		return usagef("--unit-offset goes with --kind rms and layer")
	case n.unitOffset && n.weight == "" && n.weights.path == "":
		return usagef("--unit-offset goes with --weight or --weights")
	case !(n.epsilon >= 0):
		return usagef("--eps %v: want 0 or more", n.epsilon)
	}
	return nil
}

// norm is x normalised as flags say.
func (st *step) norm(x graph.Array, n normFlags) (graph.Array, error) {
	w, err := st.openNorm(n)
	if err != nil {
		return nil, err
	}
	y, err := st.normBy(x, n, w)
	if e := (*graph.Error)(nil); errors.As(err, &e) && !n.given("axis") && n.axes == nil {
		hintAxis(e, x, w.Weight, w.Bias, w.Mean, w.Variance)
	}
	return y, err
}

// hintAxis adds which axis of x has as many positions as the array at fault has
// numbers, if one has.
func hintAxis(e *graph.Error, x graph.Array, ws ...graph.Array) {
	for _, w := range ws {
		if w == nil || graph.NameOf(w) != e.Name {
			continue
		}
		if a := slices.Index(x.Shape(), int(w.Shape().Len())); a >= 0 {
			e.Hint("axis %d has %d: --axis %d says that it is meant, and so does a --layout", a, x.Shape()[a], a)
		}
		return
	}
}

// normBy is norm by the arrays that flags name.
func (st *step) normBy(x graph.Array, n normFlags, w ops.BatchNorm) (graph.Array, error) {
	if n.byFeatures() {
		axes, err := numbers("axes", n.axes)
		if err != nil {
			return nil, err
		}
		if axes == nil {
			if axes = []int{st.channel(x)}; n.given("axis") {
				axes[0] = n.axis
			}
		}
		o := ops.NormOptions{Axes: axes, Weight: w.Weight, Bias: w.Bias, UnitOffset: n.unitOffset, Epsilon: w.Epsilon, Activation: n.activation}
		switch n.kind {
		case "layer":
			return ops.LayerNorm(x, o)
		case "rms":
			return ops.RMSNorm(x, o)
		}
		return ops.L2Normalize(x, o)
	}
	axis, spatial, err := st.channelsOf(x, n)
	if err != nil {
		return nil, err
	}
	if n.kind == "batch" {
		return ops.BatchNormalize(x, axis, w, n.activation)
	}
	return ops.GroupNorm(x, ops.GroupNormOptions{
		Axis: axis, Spatial: spatial, Groups: n.groups, Weight: w.Weight, Bias: w.Bias, Epsilon: w.Epsilon, Activation: n.activation,
	})
}

// channelsOf is the axis of x's channels and those of its positions: by the layout,
// or where --axis names the first, all but it and the batch.
func (st *step) channelsOf(x graph.Array, n normFlags) (axis int, spatial []int, err error) {
	if !n.given("axis") {
		st.takesMaps(0, x)
		form, err := ops.MapForm("norm --kind "+n.kind, x, shape.Layout(st.layout), 0)
		return form.Channel(), form.Spatial(), err
	}
	ndim := len(x.Shape())
	if axis, err = shape.Axis(n.axis, ndim); err != nil {
		return 0, nil, graph.Errorf(x, "%v: shape %v", err, x.Shape())
	}
	for a := 1; a < ndim; a++ {
		if a != axis {
			spatial = append(spatial, a)
		}
	}
	return axis, spatial, nil
}

// openNorm opens the arrays that flags name, and gives the eps that goes with
// them. Kinds that compute their statistics have none.
func (st *step) openNorm(n normFlags) (w ops.BatchNorm, err error) {
	keras := false
	if n.weights.path == "" {
		for _, f := range []struct {
			to   *graph.Array
			path string
		}{{&w.Weight, n.weight}, {&w.Bias, n.bias}, {&w.Mean, n.mean}, {&w.Variance, n.variance}} {
			if *f.to, err = st.openOptional(f.path); err != nil {
				return w, err
			}
		}
	} else {
		b, err := st.openBundle(n.weights)
		if err != nil {
			return w, err
		}
		if w, keras, err = b.norm(n.kind); err != nil {
			return w, err
		}
	}
	switch w.Epsilon = normEpsilon; {
	case n.given("eps"):
		w.Epsilon = n.epsilon
	case n.kind == "rms":
		w.Epsilon = 1e-6
	case n.kind == "l2":
		w.Epsilon = 1e-12
	case keras:
		w.Epsilon = 1e-3
	}
	return w, nil
}

// norm takes the arrays of a normalisation from a bundle with torch's names or with
// Keras's, which it tells apart.
func (b *bundle) norm(kind string) (w ops.BatchNorm, keras bool, err error) {
	names := [][]string{{"weight"}, {"bias"}, {"running_mean"}, {"running_var"}}
	own := [][]string{{"gamma", "gamma:0"}, {"beta", "beta:0"}, {"moving_mean", "moving_mean:0"}, {"moving_variance", "moving_variance:0"}}
	if kind == "rms" { // a weight alone
		own[0] = append(own[0], "scale", "scale:0")
	}
	for i, n := range own {
		keras = keras || b.has(n...) && !b.has(names[i]...)
	}
	if keras {
		names = own
	}
	for i, to := range []*graph.Array{&w.Weight, &w.Bias, &w.Mean, &w.Variance} {
		switch statistic := i >= 2; {
		case statistic && kind != "batch":
		case statistic, kind != "batch" && i == 0 && !b.has(names[1]...): // one that is there, or the error says what is
			*to, err = b.need(names[i]...)
		default:
			*to, err = b.optional(names[i]...)
		}
		if err != nil {
			return w, keras, err
		}
	}
	var hints []string
	if kind != "batch" && b.has(append(names[2], names[3]...)...) {
		hints = append(hints, npyio.Printable(names[2][0])+" and "+npyio.Printable(names[3][0])+" are statistics of training: --kind batch normalises by them")
	}
	return w, keras, b.unread(hints...)
}
