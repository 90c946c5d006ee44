package ops

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// Activation describes an activation function: a function of one number, which the
// kernel has, or one that works along an axis.
type Activation struct {
	Name       string
	Group      string             // of functions that are alike
	Parameters []kernel.Parameter // numbers that it takes
	Needs      bool               // says nothing without a parameter or a slope
	Slope      bool               // takes an array of slopes, along an axis or not
	Gate       string             // gates one half of an axis by this activation of the other; "": does not

	rows func(x graph.Array) graph.Array // along the last axis of float32 or float64; nil: element by element
}

// Activations lists all activation functions, those that are alike one after the other.
func Activations() []Activation { return slices.Clone(activations()) }

var activations = sync.OnceValue(func() []Activation {
	var all []Activation
	for _, k := range kernel.Activations() {
		all = append(all, Activation{Name: k.Name, Group: k.Group, Parameters: k.Parameters, Needs: k.Needs})
	}
	const normalizers, gates = "along an axis", "of the two halves of an axis"
	return append(all,
		Activation{Name: "prelu", Group: "with slopes from an array", Needs: true, Slope: true},
		Activation{Name: "softmax", Group: normalizers, rows: softmax},
		Activation{Name: "log-softmax", Group: normalizers, rows: logSoftmax},
		Activation{Name: "softmin", Group: normalizers, rows: softmin},
		Activation{Name: "hardmax", Group: normalizers, rows: hardmax},
		Activation{Name: "glu", Group: gates, Gate: "sigmoid"},
		Activation{Name: "reglu", Group: gates, Gate: "relu"},
		Activation{Name: "geglu", Group: gates, Gate: "gelu"},
		Activation{Name: "swiglu", Group: gates, Gate: "silu"},
	)
})

// ActivationNamed finds an activation function by its name.
func ActivationNamed(name string) (a Activation, ok bool) {
	all := activations()
	i := slices.IndexFunc(all, func(a Activation) bool { return a.Name == name })
	if i < 0 {
		return a, false
	}
	return all[i], true
}

// HasAxis reports whether a looks along an axis.
func (a Activation) HasAxis() bool { return a.rows != nil || a.Gate != "" || a.Slope }

// ActivateOptions refine ActivateWith. The zero value has the defaults of all parameters,
// and the first axis.
type ActivateOptions struct {
	Parameters map[string]float64 // numbers, by their names
	Axis       int                // which softmax and others work along; may count from the end
	Slope      graph.Array        // of prelu: one number, one for each position of the axis, or what broadcasts
	GateFirst  bool               // the first half of an axis is the gate, not the second
}

// Check refuses options that a has no use for, or can't do without. What it says names
// them as flags.
func (a Activation) Check(o ActivateOptions) error {
	_, err := a.numbers(o.Parameters)
	switch {
	case err != nil:
		return err
	case a.Slope && o.Slope == nil:
		return fmt.Errorf("%s needs --slope", a.Name)
	case o.Slope != nil && !a.Slope:
		return fmt.Errorf("--slope: %s has none", a.Name)
	case o.GateFirst && a.Gate == "":
		return fmt.Errorf("--gate-first: %s has no gate", a.Name)
	}
	return nil
}

// numbers gives the values of a's parameters, of which some are given.
func (a Activation) numbers(given map[string]float64) ([]float64, error) {
	values, flags := map[string]float64{}, []string{}
	var p []float64
	for _, parameter := range a.Parameters {
		v, ok := given[parameter.Name]
		switch {
		case !ok:
			v = parameter.Default
		case !parameter.Range.Has(v):
			return nil, fmt.Errorf("--%s %v: %s takes %v", parameter.Name, v, a.Name, parameter.Range)
		}
		p, values[parameter.Name] = append(p, v), v
		flags = append(flags, "--"+parameter.Name)
	}
	for name := range given {
		if _, ok := values[name]; !ok {
			return nil, fmt.Errorf("--%s: %s has none", name, a.Name)
		}
	}
	switch {
	case a.Needs && len(given) == 0 && len(flags) > 0:
		return nil, fmt.Errorf("%s needs %s", a.Name, strings.Join(flags, " or "))
	case values["min"] > values["max"]:
		return nil, fmt.Errorf("--min %v: %s takes at most --max, %v", values["min"], a.Name, values["max"])
	}
	return p, nil
}

// Activate is ActivateWith with the defaults of all parameters.
func Activate(name string, x graph.Array, axis int) (graph.Array, error) {
	return ActivateWith(name, x, ActivateOptions{Axis: axis})
}

// ActivateWith applies the activation of that name, as PyTorch's module has it. Integers
// stay what they are where the function gives integers of them (relu, relu6, abs,
// neg, sign, square, floor, ceil, round; clip and hard-tanh between integers) and
// give float64 elsewhere, booleans everywhere. Of a slope the dtype counts as well.
// Complex arrays have no activation.
func ActivateWith(name string, x graph.Array, o ActivateOptions) (graph.Array, error) {
	if err := NeedArithmetic([]graph.Array{x}); err != nil {
		return nil, err
	}
	a, ok := ActivationNamed(name)
	if !ok {
		return nil, &graph.Error{Msg: fmt.Sprintf("no activation is called %q", name)}
	}
	if err := a.Check(o); err != nil {
		return nil, &graph.Error{Msg: err.Error()}
	}
	out, err := a.apply(x, o)
	if err == nil && x.DType().IsFloat() && !a.Slope {
		out = cast(out, x.DType())
	}
	return out, err
}

// activate is Activate without the rounding of 16-bit floats, which stay as the
// float32 they are computed in.
func activate(name string, x graph.Array, axis int) (graph.Array, error) {
	a, ok := ActivationNamed(name)
	if !ok || a.Needs {
		return nil, &graph.Error{Msg: fmt.Sprintf("no activation without parameters is called %q", name)}
	}
	return a.apply(x, ActivateOptions{Axis: axis})
}

// apply is activate with options that were checked.
func (a Activation) apply(x graph.Array, o ActivateOptions) (graph.Array, error) {
	t, s, axis := x.DType(), x.Shape(), 0
	if err := needReal("an activation", []graph.Array{x}); err != nil {
		return nil, err
	}
	if a.HasAxis() {
		if len(s) == 0 && !a.Slope {
			return nil, graph.Errorf(x, "shape () has no channel axis for %s", a.Name)
		}
		var err error
		if axis, err = shape.Axis(o.Axis, max(len(s), 1)); err != nil {
			return nil, graph.Errorf(x, "%v: shape %v", err, s)
		}
	}
	w := t.Inexact().Compute()
	switch {
	case a.Slope:
		return prelu(x, o.Slope, axis)
	case a.Gate != "":
		return glu(a.Name, x, a.Gate, axis, o.GateFirst)
	case a.rows != nil:
		return onLast(cast(x, w), axis, func(x graph.Array) (graph.Array, error) { return a.rows(x), nil })
	}
	p, _ := a.numbers(o.Parameters)
	if loop := kernel.Active().Activation(a.Name, t.Kind(), p...); loop != nil {
		return mapTo(a.Name, t, x, loop), nil
	}
	return mapTo(a.Name, w, cast(x, w), kernel.Active().Activation(a.Name, w.Kind(), p...)), nil
}
