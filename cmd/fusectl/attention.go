package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/blocks"
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// attentionFlags is the flags of attention, paths as they are given.
type attentionFlags struct {
	context, query, key, value     string
	wq, bq, wk, bk, wv, bv, wo, bo string
	weights                        bundleFlags
	given                          func(flag string) bool // whether it is on the command line
	mask, scale, weightLayout      string
	form, wf, scores               string
	heads, kvHeads                 int
	causal, spatial, residual      bool
}

func newAttentionCommand(st *step) *cobra.Command {
	var a attentionFlags
	cmd := &cobra.Command{
		Use:   "attention [X]",
		Short: "softmax(QK')V, self- or cross-attention (Transformer, Non-local)",
		Long: `Computes softmax(Q·K'·scale + mask)·V over the last two axes, sequence and
features; all leading axes are batch. Q, K and V are X, or X mapped by --wq,
--wk and --wv, or the arrays that --query, --key and --value name; --context
gives keys and values of another array. Scores are never held whole.

--heads splits features into heads, as torch.nn.MultiheadAttention does.
Projected inputs of 4 dimensions have their heads on the second axis, and keys
and values may have fewer (grouped-query attention).

--scale is none (the default: the plain product), auto (1/sqrt(d), as
Transformers have it, d being the features of a head) or a number.

A boolean --mask is true where a query attends (torch.nn.MultiheadAttention's
own masks are the other way round), a float one is added to the scores; it
broadcasts as NumPy has it to [batch..., queries, keys], or with heads to
[batch..., heads, queries, keys]: a padding mask [batch, keys] goes as
[batch, 1, keys], or [batch, 1, 1, keys]. What a boolean mask or --causal hides
doesn't count, NaN too. A query that attends to nothing gives zeros.

--spatial makes one sequence of all positions of a feature map: Non-local.
--form dot-product weighs values by Q·K'·scale/N, concatenation by
relu(WF·[q,k])/N, N being the number of keys.

Weights are [in,out] under nhwc, [out,in] under nchw, unless --weight-layout
says otherwise; an absent one is the identity. --weights names an archive with
wq, bq, wk, ..., bo, or with the names of torch.nn.MultiheadAttention
(in_proj_weight, out_proj.weight, ...) or of Keras's MultiHeadAttention
(query/kernel, attention_output/kernel, ...): then in the framework's layout,
with its scale, auto, and Keras's also with its heads. A name that nothing
reads is an error, unless --ignore-unused is given.`,
		Example: `  # a Transformer layer's self-attention, 8 heads, and its residual
  fusectl attention x.npy --wq wq.npy --wk wk.npy --wv wv.npy --wo wo.npy \
      --heads 8 --scale auto --residual -o y.npy
  # the same by a module's own weights, and where each position looks
  fusectl attention x.npy --weights mha.npz --heads 8 --residual -o y.npy \
      --save-scores scores.npy
  # Non-local, Gaussian: every position of a map attends to every other
  fusectl attention map.npy --spatial --residual -o z.npy`,
		Args: inputs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := st.attention(a)
			if err != nil {
				return err
			}
			var x graph.Array
			if len(args) == 1 {
				xs, err := st.openOperands(args)
				if err != nil {
					return err
				}
				x = xs[0]
			}
			if a.spatial && x != nil {
				st.takesMaps(0, x)
			}
			out, scores, err := blocks.AttentionScores(x, o)
			if err != nil {
				return err
			}
			if err := st.lookAtMask(cmd.Context(), o.Mask); err != nil {
				return err
			}
			return st.finishWith(cmd.Context(), out, a.scores, scores)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.context, "context", "", "keys and values come from `Y`: cross-attention")
	f.StringVar(&a.query, "query", "", "projected queries, with --key and --value in place of X")
	f.StringVar(&a.key, "key", "", "projected keys")
	f.StringVar(&a.value, "value", "", "projected values")
	f.BoolVar(&a.spatial, "spatial", false, "all spatial positions form one sequence")
	a.addTo(cmd)
	weightLayoutFlag(cmd, &a.weightLayout)
	return cmd
}

// addTo defines the flags that self-attention and attention between modalities
// have in common.
func (a *attentionFlags) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	a.given = f.Changed
	a.weights.addTo(f, "archive of all weights, `W.npz`", "layers.0.self_attn.")
	for _, p := range []struct {
		to          *string
		name, usage string
	}{
		{&a.wq, "wq", "weights of the queries"}, {&a.bq, "bq", "their bias"},
		{&a.wk, "wk", "weights of the keys"}, {&a.bk, "bk", "their bias"},
		{&a.wv, "wv", "weights of the values"}, {&a.bv, "bv", "their bias"},
		{&a.wo, "wo", "weights of the output"}, {&a.bo, "bo", "their bias"},
		{&a.wf, "wf", "weight of query and key features, 2d numbers, for --form concatenation"},
		{&a.mask, "mask", "boolean (true: attend) or float (added to the scores)"},
		{&a.scores, "save-scores", "write the weights given to the values, [..,heads,queries,keys], to `PATH`"},
	} {
		f.StringVar(p.to, p.name, "", p.usage)
	}
	f.IntVar(&a.heads, "heads", 1, "split features into `N` heads")
	f.IntVar(&a.kvHeads, "kv-heads", 0, "heads of keys and values; default as many as --heads")
	f.StringVar(&a.scale, "scale", "", "multiply scores: none (the default), auto or a `NUMBER`")
	f.StringVar(&a.form, "form", "gaussian", "pairwise `FUNCTION`: "+strings.Join(ops.AttentionForms, ", "))
	f.BoolVar(&a.causal, "causal", false, "position i attends to positions up to i")
	f.BoolVar(&a.residual, "residual", false, "add X to the result")
	complete(cmd, "form", ops.AttentionForms)
}

// attention opens what the flags name.
func (st *step) attention(a attentionFlags) (o blocks.AttentionOptions, err error) {
	l, err := st.weightLayout(a.weightLayout)
	if err != nil {
		return o, err
	}
	if a.heads < 1 || a.kvHeads < 0 {
		return o, usagef("--heads %d --kv-heads %d: want at least 1", a.heads, a.kvHeads)
	}
	if err := a.weights.check(); err != nil {
		return o, err
	}
	if err := oneOf("form", a.form, ops.AttentionForms); err != nil {
		return o, err
	}
	o = blocks.AttentionOptions{
		Heads: a.heads, KVHeads: a.kvHeads, Scale: 1, Causal: a.causal, Spatial: a.spatial,
		Residual: a.residual, Form: a.form, Layout: shape.Layout(st.layout),
	}
	for _, w := range []*ops.Weights{&o.WQ, &o.WK, &o.WV, &o.WO} {
		w.Layout = l
	}
	for _, f := range []struct {
		to   *graph.Array
		path string
	}{
		{&o.Context, a.context}, {&o.Query, a.query}, {&o.Key, a.key}, {&o.Value, a.value},
		{&o.WQ.Kernel, a.wq}, {&o.WQ.Bias, a.bq}, {&o.WK.Kernel, a.wk}, {&o.WK.Bias, a.bk},
		{&o.WV.Kernel, a.wv}, {&o.WV.Bias, a.bv}, {&o.WO.Kernel, a.wo}, {&o.WO.Bias, a.bo},
		{&o.WF, a.wf}, {&o.Mask, a.mask},
	} {
		if *f.to, err = st.openOptional(f.path); err != nil {
			return o, err
		}
	}
	for _, x := range []*graph.Array{&o.Query, &o.Context} { // with these all others are promoted
		if *x != nil {
			if *x, err = st.operand(*x); err != nil {
				return o, err
			}
		}
	}
	if a.weights.path != "" {
		if a.wq+a.bq+a.wk+a.bk+a.wv+a.bv+a.wo+a.bo != "" {
			return o, usagef("--weights has all weights: name them there or one by one")
		}
		b, err := st.openBundle(a.weights)
		if err != nil {
			return o, err
		}
		if err := b.attention(&o, a); err != nil {
			return o, err
		}
	}
	switch a.scale {
	case "":
	case "none":
		o.AutoScale = false
	case "auto":
		o.AutoScale = true
	default:
		o.AutoScale = false
		if o.Scale, err = strconv.ParseFloat(a.scale, 64); err != nil {
			return o, usagef("--scale %s: want none, auto or a number", a.scale)
		}
	}
	return o, nil
}

// lookAtMask warns of a float mask of nothing but 0 and 1, which is hardly meant
// to be added to scores. It looks at the first elements alone.
func (st *step) lookAtMask(ctx context.Context, mask graph.Array) error {
	const most = 64 << 10
	if mask == nil || st.dryRun || st.quiet || !mask.DType().IsFloat() {
		return nil
	}
	x, err := ops.Cast(mask, dtype.Float64)
	if err != nil {
		return err
	}
	first := make([]byte, 8*min(most, x.Shape().Len()))
	if err := x.Read(ctx, first, 0); err != nil {
		return err
	}
	values := kernel.View[float64](first)
	if slices.Contains(values, 1) && !slices.ContainsFunc(values, func(v float64) bool { return v != 0 && v != 1 }) {
		name := npyio.Printable(graph.NameOf(mask))
		st.warn("%s: a float mask is added to the scores, and this one has nothing but 0 and 1: fusectl convert %s --dtype bool makes one that hides", name, name)
	}
	return nil
}

// attention takes the weights of an attention from a bundle, by the names that
// a framework or fusectl itself gives them. A framework's module also scales
// as it does. Flags that contradict the module are errors.
func (b *bundle) attention(o *blocks.AttentionOptions, a attentionFlags) error {
	if err := b.openAttention(o, a); err != nil {
		return err
	}
	if b.has("bias_k", "bias_v") {
		return b.unread("bias_k and bias_v are a key and a value added to the sequence, which fusectl doesn't know")
	}
	return b.unread()
}

func (b *bundle) openAttention(o *blocks.AttentionOptions, a attentionFlags) error {
	switch {
	case b.has("in_proj_weight", "q_proj_weight"):
		o.AutoScale = true
		if o.Mask != nil && o.Mask.DType() == dtype.Bool {
			b.st.warn("%s: true is where a query attends: torch.nn.MultiheadAttention's own masks are the other way round", npyio.Printable(graph.NameOf(o.Mask)))
		}
		if !a.given("heads") {
			b.st.warn("%s: PyTorch's weights don't say how many heads there are: 1 is assumed; --heads N says it", npyio.Printable(b.path))
		}
		if err := b.ordered(ops.Torch, a.weightLayout); err != nil {
			return err
		}
		return b.torchAttention(o)
	case b.has("query/kernel", "query/kernel:0"):
		o.AutoScale = true
		if err := b.ordered(ops.Keras, a.weightLayout); err != nil {
			return err
		}
		return b.kerasAttention(o, a)
	}
	if !slices.ContainsFunc([]string{"wq", "wk", "wv", "wo"}, func(n string) bool { return b.has(n) }) {
		_, err := b.need("in_proj_weight")
		return err
	}
	for _, w := range []struct {
		to   *ops.Weights
		name string
	}{{&o.WQ, "q"}, {&o.WK, "k"}, {&o.WV, "v"}, {&o.WO, "o"}} {
		var err error
		if w.to.Kernel, err = b.optional("w" + w.name); err != nil {
			return err
		}
		if w.to.Bias, err = b.optional("b" + w.name); err != nil {
			return err
		}
	}
	return nil
}

// agrees takes the number of heads from a kernel [features, heads, d] of Keras's,
// of the queries, keys or values. A flag or an earlier kernel that says
// otherwise is an error.
func (a attentionFlags) agrees(name string, kernel graph.Array, o *blocks.AttentionOptions) error {
	heads, flag, given := &o.KVHeads, "kv-heads", a.kvHeads
	if name == "query" {
		heads, flag, given = &o.Heads, "heads", a.heads
	}
	n := kernel.Shape()[1]
	if a.given(flag) && given != n {
		return usagef("--%s %d: %s has %d heads, its shape is %v", flag, given, graph.NameOf(kernel), n, kernel.Shape())
	}
	if name == "value" && n != *heads {
		return &npyio.ReadError{Name: graph.NameOf(kernel), Msg: fmt.Sprintf("has %d heads, its shape is %v: the keys have %d", n, kernel.Shape(), *heads)}
	}
	*heads = n
	return nil
}

// torchAttention takes the weights of a torch.nn.MultiheadAttention.
func (b *bundle) torchAttention(o *blocks.AttentionOptions) (err error) {
	if o.WO, err = b.convolution("out_proj"); err != nil {
		return err
	}
	var kernels, biases []graph.Array
	if b.has("in_proj_weight") {
		joined, err := b.need("in_proj_weight")
		if err != nil {
			return err
		}
		if kernels, err = ops.SplitEqually(joined, 0, 3); err != nil {
			return err
		}
	}
	bias, err := b.optional("in_proj_bias")
	if err == nil && bias != nil {
		biases, err = ops.SplitEqually(bias, 0, 3)
	}
	if err != nil {
		return err
	}
	for i, w := range []struct {
		to   *ops.Weights
		name string
	}{{&o.WQ, "q"}, {&o.WK, "k"}, {&o.WV, "v"}} {
		w.to.Layout = ops.Torch
		if kernels != nil {
			w.to.Kernel = kernels[i]
		} else if w.to.Kernel, err = b.need(w.name + "_proj_weight"); err != nil {
			return err
		}
		if biases != nil {
			w.to.Bias = biases[i]
		}
	}
	return nil
}

// kerasAttention takes the weights of a keras.layers.MultiHeadAttention, whose
// kernels [features, heads, d] also say how many heads there are.
func (b *bundle) kerasAttention(o *blocks.AttentionOptions, a attentionFlags) error {
	for _, w := range []struct {
		to   *ops.Weights
		name string
	}{{&o.WQ, "query"}, {&o.WK, "key"}, {&o.WV, "value"}, {&o.WO, "attention_output"}} {
		k, err := b.need(w.name+"/kernel", w.name+"/kernel:0")
		if err != nil {
			return err
		}
		s := k.Shape()
		if len(s) != 3 {
			return &npyio.ReadError{Name: graph.NameOf(k), Msg: fmt.Sprintf("shape %v: want a kernel of 3 dimensions, as Keras's MultiHeadAttention has", s)}
		}
		w.to.Layout = ops.Keras
		into := shape.Shape{s[0], s[1] * s[2]}
		if w.to == &o.WO {
			if s[0] != o.Heads {
				return &npyio.ReadError{Name: graph.NameOf(k), Msg: fmt.Sprintf("has %d heads, its shape is %v: the queries have %d", s[0], s, o.Heads)}
			}
			into = shape.Shape{s[0] * s[1], s[2]}
		} else if err := a.agrees(w.name, k, o); err != nil {
			return err
		}
		if w.to.Kernel, err = ops.Reshape(k, into); err != nil {
			return err
		}
		if w.to.Bias, err = b.optional(w.name+"/bias", w.name+"/bias:0"); err != nil {
			return err
		}
	}
	return nil
}
