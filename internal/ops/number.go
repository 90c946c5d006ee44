package ops

import (
	"fmt"
	"math"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
)

// Number is a number beside arrays. As a Python number in NumPy 2, it takes their
// dtype: an integer leaves integers what they are, any other number makes float64 of
// them.
type Number struct {
	Value   float64
	Integer bool
}

// literal is a number among the operands of an elementwise operation.
type literal struct {
	*constant
	Number
}

// Literal is n as an operand of Add, Sub, Mul, Div, Maximum, Minimum, Pow and Average,
// of which at least one other must be an array.
func Literal(n Number) graph.Array {
	t := dtype.Float64
	if n.Integer {
		t = dtype.Int64
	}
	return &literal{Constant(t, n.Value).(*constant), n}
}

// IsLiteral reports whether x is a number and no array.
func IsLiteral(x graph.Array) bool {
	_, is := x.(*literal)
	return is
}

// commonType is the dtype that xs promote to, which must have arithmetic.
func commonType(xs []graph.Array) (dtype.Type, error) {
	t, err := arraysType(xs)
	if err != nil {
		return t, err
	}
	var numbers []Number
	for _, x := range xs {
		if n, is := x.(*literal); is {
			numbers = append(numbers, n.Number)
		}
	}
	return weakType(t, numbers)
}

// arraysType is commonType without the numbers among xs.
func arraysType(xs []graph.Array) (dtype.Type, error) {
	var arrays []graph.Array
	for _, x := range xs {
		if !IsLiteral(x) {
			arrays = append(arrays, x)
		}
	}
	if len(arrays) == 0 {
		return dtype.Type{}, &graph.Error{Msg: "no input is an array: a number takes its dtype from one"}
	}
	if err := NeedArithmetic(arrays); err != nil {
		return dtype.Type{}, err
	}
	_, t, err := Promote(arrays)
	return t, err
}

// weakType is the dtype of arrays of dtype t together with numbers.
func weakType(t dtype.Type, numbers []Number) (dtype.Type, error) {
	for _, n := range numbers {
		switch {
		case !n.Integer:
			t = t.Inexact()
		case t == dtype.Bool:
			t = dtype.Int64
		}
	}
	if !t.IsInteger() {
		return t, nil
	}
	for _, n := range numbers {
		if !fits(n.Value, t) {
			e := &graph.Error{Msg: fmt.Sprintf("number %.0f does not fit dtype %v", n.Value, t)}
			return t, e.Hint("write %.1f to compute in float64", n.Value)
		}
	}
	return t, nil
}

// fits reports whether t, if its numbers are integers or booleans, has v.
func fits(v float64, t dtype.Type) bool {
	bits := 8 * t.Size()
	low, high := -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)
	switch {
	case t == dtype.Bool:
		low, high = 0, 2
	case t.IsUnsigned():
		low, high = 0, math.Ldexp(1, bits)
	case !t.IsInteger():
		return true
	}
	return v >= low && v < high && v == math.Trunc(v)
}
