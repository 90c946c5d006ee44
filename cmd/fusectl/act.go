package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
)

// actParameters are the flags of numbers that activations take, by their names, and what
// the help says of them.
var actParameters = []struct{ name, usage string }{
	{"alpha", "leaky-relu's slope of negative `NUMBER`s, and what elu, celu, hard-sigmoid, quick-gelu have"},
	{"beta", "softplus, hard-sigmoid: `NUMBER` beta"},
	{"threshold", "the `NUMBER` where threshold, thresholded-relu, softplus and the shrinks change"},
	{"value", "threshold: `NUMBER` in place of what is not above it"},
	{"min", "clip, hard-tanh: the least `NUMBER`"},
	{"max", "clip, hard-tanh: the greatest `NUMBER`"},
}

func newActCommand(st *step) *cobra.Command {
	var activation, slope string
	var o ops.ActivateOptions
	numbers := make([]float64, len(actParameters))
	cmd := &cobra.Command{
		Use:   "act X --activation NAME",
		Short: "apply an activation",
		Long: `Applies an activation function: PyTorch's, with its defaults. In brackets are
the flags that one takes, with their defaults.

` + listed(ops.Activations()) + `
softmax and its kin work along the channels, glu and its kin halve them: a is
the first half, b the second, and the result a·sigmoid(b), of reglu a·relu(b),
of geglu a·gelu(b), of swiglu a·silu(b). --gate-first exchanges a and b.
--axis takes another axis than the channels.`,
		Example: `  fusectl act map.npy --activation softmax -o probabilities.npy
  # hard-sigmoid as Keras 2 and ONNX have it
  fusectl act map.npy --activation hard-sigmoid --alpha 0.2 --beta 0.5 -o y.npy
  # SwiGLU of DINOv2's packed projection
  fusectl act map.npy --activation swiglu --gate-first -o gated.npy`,
		Args: inputs(1, 1),
	}
	cmd.RunE = fuses(st, func(xs []graph.Array) (_ graph.Array, err error) {
		a, err := namedActivation("activation", activation)
		if err != nil {
			return nil, err
		}
		o.Parameters = map[string]float64{}
		for i, p := range actParameters {
			if cmd.Flags().Changed(p.name) {
				o.Parameters[p.name] = numbers[i]
			}
		}
		switch {
		case !cmd.Flags().Changed("axis"):
			o.Axis = st.channel(xs[0])
		case !a.HasAxis():
			return nil, usagef("--axis: %s works element by element", a.Name)
		}
		if o.Slope, err = st.openOptional(slope); err != nil {
			return nil, err
		}
		if err := a.Check(o); err != nil {
			u := usagef("%v", err)
			u.hints = []string{taken(a)}
			return nil, u
		}
		return ops.ActivateWith(a.Name, xs[0], o)
	})
	f := cmd.Flags()
	f.StringVar(&activation, "activation", "", "`NAME` of the function")
	complete(cmd, "activation", activationNames(func(ops.Activation) bool { return true }))
	for i, p := range actParameters {
		f.Float64Var(&numbers[i], p.name, 0, p.usage)
	}
	f.StringVar(&slope, "slope", "", "prelu: an array of slopes, one `FILE` with one number, one a channel, or what broadcasts")
	f.IntVar(&o.Axis, "axis", 0, "work along axis `N`, not along the channels")
	f.BoolVar(&o.GateFirst, "gate-first", false, "glu and its kin: the first half is the gate, not the second")
	needs(cmd, "activation")
	return cmd
}

// listed is a list of activations for the help, a paragraph a group.
func listed(all []ops.Activation) string {
	const width = 78
	var b strings.Builder
	for len(all) > 0 {
		group := all[0].Group
		n := slices.IndexFunc(all, func(a ops.Activation) bool { return a.Group != group })
		if n < 0 {
			n = len(all)
		}
		line := "  " + group + ":"
		for i, a := range all[:n] {
			word := " " + signature(a)
			if i < n-1 {
				word += ","
			}
			if len(line)+len(word) > width {
				fmt.Fprintln(&b, line)
				line = "   "
			}
			line += word
		}
		fmt.Fprintln(&b, line)
		all = all[n:]
	}
	return b.String()
}

// taken says which flags an activation takes.
func taken(a ops.Activation) string {
	flags := parameters(a)
	if a.HasAxis() {
		flags = append(flags, "--axis")
	}
	if a.Gate != "" {
		flags = append(flags, "--gate-first")
	}
	if len(flags) == 0 {
		return a.Name + " takes no flags"
	}
	return a.Name + " takes " + strings.Join(flags, ", ")
}

// signature is an activation with its parameters: celu [--alpha 1].
func signature(a ops.Activation) string {
	if flags := parameters(a); len(flags) > 0 {
		return a.Name + " [" + strings.Join(flags, " ") + "]"
	}
	return a.Name
}

// parameters are the flags of an activation's parameters, with their defaults.
func parameters(a ops.Activation) (flags []string) {
	for _, p := range a.Parameters {
		flags = append(flags, fmt.Sprintf("--%s %.4g", p.Name, p.Default))
	}
	if a.Slope {
		flags = append(flags, "--slope FILE")
	}
	return flags
}

func activationNames(which func(ops.Activation) bool) (names []string) {
	for _, a := range ops.Activations() {
		if which(a) {
			names = append(names, a.Name)
		}
	}
	return names
}

// withoutFlags reports whether an activation says something without flags of its own,
// so that every --activation and --gate takes it.
func withoutFlags(a ops.Activation) bool { return !a.Needs }

// activationFlag defines a flag that takes the name of an activation.
func activationFlag(cmd *cobra.Command, to *string, name, usage string) {
	cmd.Flags().StringVar(to, name, "", usage+"; fusectl act --help lists them")
	complete(cmd, name, activationNames(withoutFlags))
}

// checkActivation refuses a name that is none of an activation, or of one that needs
// flags; "" is no activation.
func checkActivation(flag, name string) error {
	if name == "" {
		return nil
	}
	a, err := namedActivation(flag, name)
	if err == nil && !withoutFlags(a) {
		u := usagef("--%s %s: needs flags of its own", flag, name)
		u.hints = []string{"then act --activation " + name + " applies it: " + taken(a)}
		return u
	}
	return err
}

// otherNames of activations, which some give them, with the names here.
var otherNames = map[string]string{"swish": "silu", "hard-silu": "hardswish", "gelu-new": "gelu-tanh", "exponential": "exp"}

func namedActivation(flag, name string) (ops.Activation, error) {
	a, ok := ops.ActivationNamed(name)
	if ok {
		return a, nil
	}
	u := usagef("--%s %s: no activation has this name", flag, name)
	if other, ok := otherNames[name]; ok {
		u.hints = []string{other + " is this function"}
	} else {
		u.hints = near(name, activationNames(func(ops.Activation) bool { return true }))
	}
	u.hints = append(u.hints, "fusectl act --help lists them")
	return a, u
}
