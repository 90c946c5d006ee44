package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/blocks"
	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// crossModalFlags is the flags of crossmodal.
type crossModalFlags struct {
	mode, activation, weightLayout string
	gamma, beta, u, v, p           weightFlags
	project, projectBias           []string
	attention                      attentionFlags
	axis, factor                   int
	normalize                      bool
}

func newCrossModalCommand(st *step) *cobra.Command {
	var c crossModalFlags
	cmd := &cobra.Command{
		Use:   "crossmodal A B...",
		Short: "fuse modalities (VQA)",
		Long: `Fuses arrays of several modalities, such as image and text features:

  concat     joins them along --axis: the channels of maps, axis 1 of others
  add        sums them element by element
  mul        multiplies them element by element
  gate       A·sigmoid(B): each input after the first gates it
  film       γ(B)·A + β(B), the linear maps --gamma and --beta (FiLM)
  bilinear   (A·U ∘ B·V)·P, --activation before the product (MLB); --factor k
             sums each k neighbours of it, --normalize takes signed roots and
             divides by the length, both before P (MFB)
  attention  A's positions attend to B's, with the flags of attention

Shapes broadcast and dtypes promote as for the commands of these names, but
vectors [N,D] beside maps or sequences count for all their positions; mode
concat joins such vectors to the features alone. --project I=W maps input I by
a matrix first. Weights map the channels of maps and the last axis of sequences
and vectors; an absent one is the identity.`,
		Example: `  # VQA: question features gate image features
  fusectl crossmodal image.npy question.npy --mode gate -o fused.npy
  # the question scales and shifts the channels of a map
  fusectl crossmodal map.npy question.npy --mode film --gamma g.npy --beta s.npy -o film.npy
  # words attend to the positions of a map, mapped to their width first
  fusectl crossmodal words.npy map.npy --mode attention --project 1=p.npy --scale auto -o seen.npy`,
		Args: inputs(2, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd); err != nil {
				return err
			}
			xs, err := st.openOperands(args)
			if err != nil {
				return err
			}
			o, err := st.crossModal(c)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("axis") {
				o.Axis = blocks.JoinAxis(xs, o.Layout)
			}
			if c.mode != "attention" {
				out, err := blocks.CrossModal(xs, c.mode, o)
				if err != nil {
					return err
				}
				return st.finish(cmd.Context(), out)
			}
			out, scores, err := blocks.CrossAttention(xs, o)
			if err != nil {
				return err
			}
			if err := st.lookAtMask(cmd.Context(), o.Attention.Mask); err != nil {
				return err
			}
			return st.finishWith(cmd.Context(), out, c.attention.scores, scores)
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.mode, "mode", "concat", "how to fuse, `MODE`: "+strings.Join(blocks.CrossModalModes, ", "))
	f.IntVar(&c.axis, "axis", 1, "join along axis `N`, in mode concat (default the channels of maps, axis 1 of others)")
	f.StringArrayVar(&c.project, "project", nil, "map input I by a matrix first, `I=W`; may be repeated")
	f.StringArrayVar(&c.projectBias, "project-bias", nil, "the bias of a projection, `I=B`")
	c.gamma.addTo(cmd, "gamma", "film: the `MATRIX` of what scales")
	c.beta.addTo(cmd, "beta", "film: the `MATRIX` of what shifts")
	c.u.addTo(cmd, "u", "bilinear: the `MATRIX` of A")
	c.v.addTo(cmd, "v", "bilinear: the `MATRIX` of B")
	c.p.addTo(cmd, "p", "bilinear: the `MATRIX` of the product")
	activationFlag(cmd, &c.activation, "activation", "bilinear: apply `NAME` to both sides")
	f.IntVar(&c.factor, "factor", 1, "bilinear: sum each `K` neighbours of the product")
	f.BoolVar(&c.normalize, "normalize", false, "bilinear: signed square roots over their length")
	c.attention.addTo(cmd)
	weightLayoutFlag(cmd, &c.weightLayout)
	complete(cmd, "mode", blocks.CrossModalModes)
	return cmd
}

// modeFlags says which mode a flag belongs to.
var modeFlags = map[string][]string{
	"concat":    {"axis"},
	"film":      {"gamma", "gamma-bias", "beta", "beta-bias"},
	"bilinear":  {"u", "u-bias", "v", "v-bias", "p", "p-bias", "activation", "factor", "normalize"},
	"attention": {"weights", "weights-prefix", "ignore-unused", "wq", "bq", "wk", "bk", "wv", "bv", "wo", "bo", "wf", "mask", "save-scores", "heads", "kv-heads", "scale", "form", "causal", "residual"},
}

// check refuses a mode that there isn't, and flags of another one, which would
// do nothing.
func (c *crossModalFlags) check(cmd *cobra.Command) error {
	if err := oneOf("mode", c.mode, blocks.CrossModalModes); err != nil {
		return err
	}
	if err := checkActivation("activation", c.activation); err != nil {
		return err
	}
	for mode, flags := range modeFlags {
		for _, f := range flags {
			if mode != c.mode && cmd.Flags().Changed(f) && !slices.Contains(modeFlags[c.mode], f) {
				return usagef("--%s goes with --mode %s: got mode %s", f, mode, c.mode)
			}
		}
	}
	switch {
	case c.mode == "film" && (c.gamma.kernel == "" || c.beta.kernel == ""):
		return usagef("mode film needs --gamma and --beta; none is the identity")
	case c.factor < 1:
		return usagef("--factor %d: want at least 1", c.factor)
	}
	return nil
}

// crossModal opens what the flags name.
func (st *step) crossModal(c crossModalFlags) (o blocks.CrossModalOptions, err error) {
	o = blocks.CrossModalOptions{
		Axis: c.axis, Activation: c.activation, Factor: c.factor, Normalize: c.normalize, Layout: shape.Layout(st.layout),
	}
	ws, err := st.openWeights(c.weightLayout, c.gamma, c.beta, c.u, c.v, c.p)
	if err != nil {
		return o, err
	}
	o.Gamma, o.Beta, o.U, o.V, o.P = ws[0], ws[1], ws[2], ws[3], ws[4]
	if o.Project, err = st.projections(c); err != nil {
		return o, err
	}
	if c.mode == "attention" {
		c.attention.weightLayout = c.weightLayout
		o.Attention, err = st.attention(c.attention)
	}
	return o, err
}

// projections opens what --project and --project-bias name, by input.
func (st *step) projections(c crossModalFlags) (map[int]ops.Weights, error) {
	l, err := st.weightLayout(c.weightLayout)
	if err != nil {
		return nil, err
	}
	all := map[int]ops.Weights{}
	for _, f := range []struct {
		flag  string
		texts []string
		set   func(w *ops.Weights, x graph.Array)
	}{
		{"project", c.project, func(w *ops.Weights, x graph.Array) { w.Kernel = x }},
		{"project-bias", c.projectBias, func(w *ops.Weights, x graph.Array) { w.Bias = x }},
	} {
		for _, text := range f.texts {
			i, path, err := indexed(f.flag, text)
			if err != nil {
				return nil, err
			}
			x, err := st.openOptional(path)
			if err != nil {
				return nil, err
			}
			w := ops.Weights{Layout: l, Kernel: all[i].Kernel, Bias: all[i].Bias}
			f.set(&w, x)
			all[i] = w
		}
	}
	return all, nil
}

// indexed reads I=PATH.
func indexed(flag, text string) (int, string, error) {
	number, path, ok := strings.Cut(text, "=")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 || path == "" {
		return 0, "", usagef("--%s %s: want I=FILE, the number of an input, from 0 on, and its matrix", flag, text)
	}
	return i, path, nil
}
