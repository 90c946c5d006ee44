package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// attentionFlags is the flags of attention, paths as they are given.
type attentionFlags struct {
	context, query, key, value     string
	wq, bq, wk, bk, wv, bv, wo, bo string
	mask, scale, weightLayout      string
	heads, kvHeads                 int
	causal, spatial, residual      bool
}

func newAttentionCommand(e *env) *cobra.Command {
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

A boolean --mask is true where a query attends, a float one is added to the
scores; it broadcasts to [batch..., queries, keys], or with heads to
[batch..., heads, queries, keys]. A query that attends to nothing gives zeros.

--spatial makes one sequence of all positions of a feature map: Non-local.
Weights are [in,out] under nhwc, [out,in] under nchw, unless --weight-layout
says otherwise; an absent one is the identity.`,
		Example: `  # a Transformer layer's self-attention, 8 heads, and its residual
  fusectl attention x.npy --wq wq.npy --wk wk.npy --wv wv.npy --wo wo.npy \
      --heads 8 --scale auto --residual -o y.npy
  # Non-local, Gaussian: every position of a map attends to every other
  fusectl attention map.npy --spatial --residual -o z.npy`,
		Args: inputs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := e.attention(a, args)
			if err != nil {
				return err
			}
			return e.finish(cmd.Context(), out)
		},
	}
	f := cmd.Flags()
	for _, p := range []struct {
		to          *string
		name, usage string
	}{
		{&a.context, "context", "keys and values come from `Y`: cross-attention"},
		{&a.query, "query", "projected queries, with --key and --value in place of X"},
		{&a.key, "key", "projected keys"}, {&a.value, "value", "projected values"},
		{&a.wq, "wq", "weights of the queries"}, {&a.bq, "bq", "their bias"},
		{&a.wk, "wk", "weights of the keys"}, {&a.bk, "bk", "their bias"},
		{&a.wv, "wv", "weights of the values"}, {&a.bv, "bv", "their bias"},
		{&a.wo, "wo", "weights of the output"}, {&a.bo, "bo", "their bias"},
		{&a.mask, "mask", "boolean (true: attend) or float (added to the scores)"},
	} {
		f.StringVar(p.to, p.name, "", p.usage)
	}
	f.IntVar(&a.heads, "heads", 1, "split features into `N` heads")
	f.IntVar(&a.kvHeads, "kv-heads", 0, "heads of keys and values; default as many as --heads")
	f.StringVar(&a.scale, "scale", "none", "multiply scores: none, auto or a `NUMBER`")
	f.BoolVar(&a.causal, "causal", false, "position i attends to positions up to i")
	f.BoolVar(&a.spatial, "spatial", false, "all spatial positions form one sequence")
	f.BoolVar(&a.residual, "residual", false, "add X to the result")
	weightLayoutFlag(cmd, &a.weightLayout)
	return cmd
}

// attention opens what the flags name and builds the array.
func (e *env) attention(a attentionFlags, args []string) (ops.Array, error) {
	l, err := e.weightLayout(a.weightLayout)
	if err != nil {
		return nil, err
	}
	if a.heads < 1 || a.kvHeads < 0 {
		return nil, usagef("--heads %d --kv-heads %d: want at least 1", a.heads, a.kvHeads)
	}
	o := ops.AttentionOptions{
		Heads: a.heads, KVHeads: a.kvHeads, Scale: 1, Causal: a.causal, Spatial: a.spatial,
		Residual: a.residual, Layout: shape.Layout(e.layout),
	}
	switch a.scale {
	case "none":
	case "auto":
		o.AutoScale = true
	default:
		if o.Scale, err = strconv.ParseFloat(a.scale, 64); err != nil {
			return nil, usagef("--scale %s: want none, auto or a number", a.scale)
		}
	}
	var x ops.Array
	if len(args) == 1 {
		if x, err = e.open(args[0]); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct {
		to   *ops.Array
		path string
	}{
		{&o.Context, a.context}, {&o.Query, a.query}, {&o.Key, a.key}, {&o.Value, a.value},
		{&o.WQ.Kernel, a.wq}, {&o.WQ.Bias, a.bq}, {&o.WK.Kernel, a.wk}, {&o.WK.Bias, a.bk},
		{&o.WV.Kernel, a.wv}, {&o.WV.Bias, a.bv}, {&o.WO.Kernel, a.wo}, {&o.WO.Bias, a.bo},
		{&o.Mask, a.mask},
	} {
		if *f.to, err = e.openOptional(f.path); err != nil {
			return nil, err
		}
	}
	for _, w := range []*ops.Weights{&o.WQ, &o.WK, &o.WV, &o.WO} {
		w.Layout = l
	}
	return ops.Attention(x, o)
}
