package kernel

import (
	"math"
	"slices"

	"fusectl/internal/dtype"
)

// Activation describes an activation function, a function of one number: all that
// there is to know of it but its assembly.
type Activation struct {
	Name       string
	Group      string      // of functions that are alike, for lists
	Parameters []Parameter // in the order in which Table.Activation takes them
	Needs      bool        // says nothing without a parameter

	flops int64 // that an element counts for

	// of is the function in float64, or with is, with constants. These are made of the
	// parameters; where made is nil they are the parameters.
	of   func(x float64) float64
	with func(x float64, c []float64) float64
	made func(p []float64) []float64
	// integers are the loops for integers; where they are nil these give float64.
	integers func() [dtype.NumKinds]loopOf
}

// loopOf makes a loop with constants; nil where it isn't defined for these.
type loopOf = func(c []float64) Loop2

// Parameter is a number that an activation takes.
type Parameter struct {
	Name    string
	Default float64
	Range   Range
}

// Range says which numbers a parameter may be.
type Range int

// A parameter is any finite number, such a one that is positive or isn't negative, or
// any number, infinities among them.
const (
	Finite Range = iota
	Positive
	NotNegative
	Unlimited
)

func (r Range) String() string {
	return [...]string{"a finite number", "a positive number", "a number that isn't negative", "a number"}[r]
}

// Has reports whether v is in the range. NaN is in none.
func (r Range) Has(v float64) bool {
	switch {
	case v != v:
		return false
	case r == Unlimited:
		return true
	}
	return !math.IsInf(v, 0) && (v > 0 || r == Finite || r == NotNegative && v == 0)
}

// Counts of operations: of arithmetic, and of an exponential or the like.
const (
	simple     = 1
	elementary = 10
)

// Groups of activations.
const (
	rectifiers = "rectifiers"
	smooth     = "smooth"
	sigmoids   = "sigmoids"
	shrinkage  = "shrinkage"
	functions  = "functions"
)

// activations are PyTorch's functions, with its defaults where it has them. Those
// whose names don't say what they compute:
//
//	relu              max(x, 0)
//	relu6             min(max(x, 0), 6)
//	leaky-relu        x if x > 0, else alpha·x
//	rrelu             likewise, alpha being the mean of the slopes of training
//	thresholded-relu  x if x > threshold, else 0
//	threshold         x if x > threshold, else value
//	elu               x if x > 0, else alpha·(e^x - 1)
//	selu              scale·(x if x > 0, else alpha·(e^x - 1)), both constants
//	celu              x if x > 0, else alpha·(e^(x/alpha) - 1)
//	gelu              x·Φ(x), Φ being the normal distribution (no approximation)
//	gelu-tanh         x·½(1 + tanh(√(2/π)·(x + 0.044715·x³)))
//	quick-gelu        x·sigmoid(alpha·x)
//	silu              x·sigmoid(x)
//	hardswish         x·relu6(x+3)/6
//	mish              x·tanh(log(1+e^x))
//	softplus          log(1+e^(beta·x))/beta, and x where beta·x > threshold
//	sigmoid           1/(1+e^-x)
//	hard-sigmoid      alpha·x + beta, between 0 and 1
//	log-sigmoid       log(sigmoid(x))
//	hard-tanh, clip   x, between min and max
//	softsign          x/(1+|x|)
//	hard-shrink       0 where |x| <= threshold, else x
//	soft-shrink       0 where |x| <= threshold, else x moved towards 0 by threshold
//	tanh-shrink       x - tanh(x)
//	rsqrt             1/√x
//	round             the nearest integer, of two the even one
//
// All are defined for float32 and float64, and computed in float64 and rounded once;
// for integers those that give integers are, clip and hard-tanh where min and max
// are. NaN gives NaN. So do infinities where the definition is infinity times 0 or
// divided by infinity (gelu, silu, mish, softsign), as in PyTorch.
var activations = [...]Activation{
	{Name: "relu", Group: rectifiers, flops: simple, made: positive, with: clip, integers: integerClip},
	{Name: "relu6", Group: rectifiers, flops: simple, made: upTo6, with: clip, integers: integerClip},
	{Name: "leaky-relu", Group: rectifiers, flops: simple, Parameters: []Parameter{{"alpha", 0.01, Finite}}, with: leaky},
	{Name: "rrelu", Group: rectifiers, flops: simple, Parameters: []Parameter{{"alpha", (1./8 + 1./3) / 2, Finite}}, with: leaky},
	{Name: "thresholded-relu", Group: rectifiers, flops: simple, Parameters: []Parameter{{"threshold", 1, Finite}}, made: orZero, with: threshold},
	{Name: "threshold", Group: rectifiers, flops: simple, Parameters: []Parameter{{"threshold", 0, Finite}, {"value", 0, Finite}}, Needs: true, with: threshold},
	{Name: "elu", Group: rectifiers, flops: elementary, Parameters: []Parameter{{"alpha", 1, Finite}}, made: ofElu, with: elu},
	{Name: "selu", Group: rectifiers, flops: elementary, made: ofSelu, with: elu},
	{Name: "celu", Group: rectifiers, flops: elementary, Parameters: []Parameter{{"alpha", 1, Positive}}, made: ofCelu, with: elu},

	{Name: "gelu", Group: smooth, flops: elementary, of: gelu},
	{Name: "gelu-tanh", Group: smooth, flops: elementary, of: geluTanh},
	{Name: "quick-gelu", Group: smooth, flops: elementary, Parameters: []Parameter{{"alpha", 1.702, Finite}}, with: quickGelu},
	{Name: "silu", Group: smooth, flops: elementary, of: silu},
	{Name: "hardswish", Group: smooth, flops: simple, of: hardswish},
	{Name: "mish", Group: smooth, flops: elementary, of: mish},
	{Name: "softplus", Group: smooth, flops: elementary, Parameters: []Parameter{{"beta", 1, Positive}, {"threshold", 20, Finite}}, made: ofSoftplus, with: softplus},

	{Name: "sigmoid", Group: sigmoids, flops: elementary, of: sigmoid},
	{Name: "hard-sigmoid", Group: sigmoids, flops: simple, Parameters: []Parameter{{"alpha", 1. / 6, Finite}, {"beta", 0.5, Finite}}, with: hardSigmoid},
	{Name: "log-sigmoid", Group: sigmoids, flops: elementary, of: logSigmoid},
	{Name: "tanh", Group: sigmoids, flops: elementary, of: tanh},
	{Name: "hard-tanh", Group: sigmoids, flops: simple, Parameters: []Parameter{{"min", -1, Finite}, {"max", 1, Finite}}, with: clip, integers: integerClip},
	{Name: "softsign", Group: sigmoids, flops: simple, of: softsign},

	{Name: "hard-shrink", Group: shrinkage, flops: simple, Parameters: []Parameter{{"threshold", 0.5, NotNegative}}, with: hardShrink},
	{Name: "soft-shrink", Group: shrinkage, flops: simple, Parameters: []Parameter{{"threshold", 0.5, NotNegative}}, with: softShrink},
	{Name: "tanh-shrink", Group: shrinkage, flops: elementary, of: tanhShrink},

	{Name: "abs", Group: functions, flops: simple, of: math.Abs, integers: integerAbs},
	{Name: "neg", Group: functions, flops: simple, of: negative, integers: integerNeg},
	{Name: "sign", Group: functions, flops: simple, of: sign, integers: integerSign},
	{Name: "square", Group: functions, flops: simple, of: square, integers: integerSquare},
	{Name: "sqrt", Group: functions, flops: simple, of: sqrt},
	{Name: "rsqrt", Group: functions, flops: simple, of: rsqrt},
	{Name: "reciprocal", Group: functions, flops: simple, of: reciprocal},
	{Name: "exp", Group: functions, flops: elementary, of: exp},
	{Name: "expm1", Group: functions, flops: elementary, of: expm1},
	{Name: "log", Group: functions, flops: elementary, of: log},
	{Name: "log1p", Group: functions, flops: elementary, of: log1p},
	{Name: "erf", Group: functions, flops: elementary, of: erf},
	{Name: "sin", Group: functions, flops: elementary, of: sin},
	{Name: "cos", Group: functions, flops: elementary, of: cos},
	{Name: "floor", Group: functions, flops: simple, of: math.Floor, integers: integerSame},
	{Name: "ceil", Group: functions, flops: simple, of: math.Ceil, integers: integerSame},
	{Name: "round", Group: functions, flops: simple, of: math.RoundToEven, integers: integerSame},
	{Name: "clip", Group: functions, flops: simple, Parameters: []Parameter{{"min", math.Inf(-1), Unlimited}, {"max", math.Inf(1), Unlimited}}, Needs: true, with: clip, integers: integerClip},
}

// Activations lists the activation functions. Those that work along an axis, such as
// softmax, aren't among them.
func Activations() []Activation { return slices.Clone(activations[:]) }

// indexOf is the number of an activation; -1 where there is none of that name.
func indexOf(name string) int {
	return slices.IndexFunc(activations[:], func(a Activation) bool { return a.Name == name })
}

// ActivationFlops is the operations that an element of an activation counts for; 1 of
// names that are none.
func ActivationFlops(name string) int64 {
	if i := indexOf(name); i >= 0 {
		return activations[i].flops
	}
	return simple
}

// Activation returns the loop dst[i] = f(src[i]) of the activation called name with
// parameters p, or with its defaults if there are none. It is nil if there is no such
// activation, or none for that kind. dst may be src.
func (t *Table) Activation(name string, k dtype.Kind, p ...float64) Loop2 {
	i := indexOf(name)
	if i < 0 || t.activations[i][k] == nil {
		return nil
	}
	a := activations[i]
	if len(p) == 0 {
		for _, d := range a.Parameters {
			p = append(p, d.Default)
		}
	}
	if a.made != nil {
		p = a.made(p)
	}
	return t.activations[i][k](p)
}

func (t *Table) fillActivations() {
	for i, a := range activations {
		loops := &t.activations[i]
		if a.integers != nil {
			*loops = a.integers()
		}
		if a.of != nil {
			loops[dtype.KindFloat32], loops[dtype.KindFloat64] = fixed(each[float32](a.of)), fixed(each[float64](a.of))
		} else {
			loops[dtype.KindFloat32], loops[dtype.KindFloat64] = eachWith[float32](a.with), eachWith[float64](a.with)
		}
	}
	// These are faster without a call for each element.
	t.floats("relu", fixed(reluFloat[float32, uint32]), fixed(reluFloat[float64, uint64]))
	t.floats("relu6", fixed(relu6Float[float32, uint32]), fixed(relu6Float[float64, uint64]))
	t.floats("leaky-relu", leakyFloat[float32, uint32], leakyFloat[float64, uint64])
	t.floats("rrelu", leakyFloat[float32, uint32], leakyFloat[float64, uint64])
}

// floats puts loops for the two kinds in place.
func (t *Table) floats(name string, f32, f64 loopOf) {
	loops := &t.activations[indexOf(name)]
	loops[dtype.KindFloat32], loops[dtype.KindFloat64] = f32, f64
}

// each makes a loop over a function of float64, which rounds once.
func each[F Float](f func(x float64) float64) Loop2 {
	return func(dst, src []byte) {
		d, s := View[F](dst), View[F](src)
		d = d[:len(s)]
		for i, v := range s {
			d[i] = F(f(float64(v)))
		}
	}
}

// eachWith is each of a function with constants.
func eachWith[F Float](f func(x float64, c []float64) float64) loopOf {
	return func(c []float64) Loop2 {
		return func(dst, src []byte) {
			d, s := View[F](dst), View[F](src)
			d = d[:len(s)]
			for i, v := range s {
				d[i] = F(f(float64(v), c))
			}
		}
	}
}
