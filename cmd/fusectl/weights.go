package main

import (
	"github.com/spf13/cobra"

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
func (e *env) openWeights(layout string, flags ...weightFlags) ([]ops.Weights, error) {
	l, err := e.weightLayout(layout)
	if err != nil {
		return nil, err
	}
	out := make([]ops.Weights, len(flags))
	for i, f := range flags {
		out[i].Layout = l
		if out[i].Kernel, err = e.openOptional(f.kernel); err != nil {
			return nil, err
		}
		if out[i].Bias, err = e.openOptional(f.bias); err != nil {
			return nil, err
		}
	}
	return out, nil
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

// pair reads "H,W" or one number for both; least is the smallest that is
// allowed.
func pair(flag string, words list, least int) (p [2]int, err error) {
	n, err := numbers(flag, words)
	switch {
	case err != nil:
		return p, err
	case len(n) == 0:
		return p, nil
	case len(n) > 2 || n[0] < least || n[len(n)-1] < least:
		return p, usagef("--%s %s: want one number or two, height and width, of at least %d", flag, words.String(), least)
	}
	return [2]int{n[0], n[len(n)-1]}, nil
}

// padding reads --padding: same, valid, N or N,M.
func padding(words list) (p ops.Padding, err error) {
	switch words.String() {
	case "valid", "":
		return p, nil
	case "same":
		return ops.Padding{Same: true}, nil
	}
	if p.Each, err = pair("padding", words, 0); err != nil {
		return p, usagef("--padding %s: want same, valid, N or N,M", words.String())
	}
	return p, nil
}

func weightLayoutFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "weight-layout", "", "the order of weights' axes, keras or torch; default keras under nhwc, torch under nchw")
	complete(cmd, "weight-layout", []string{string(ops.Keras), string(ops.Torch)})
}

func (e *env) weightLayout(name string) (ops.WeightLayout, error) {
	switch l := ops.WeightLayout(name); l {
	case "":
		return ops.DefaultWeights(shape.Layout(e.layout)), nil
	case ops.Keras, ops.Torch:
		return l, nil
	}
	return "", usagef("--weight-layout %s: want keras or torch", name)
}
