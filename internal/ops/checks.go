package ops

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// checkSize refuses a result of shape out, of x's dtype, that no array can have.
func checkSize(x graph.Array, out shape.Shape) error { return checkSizeOf(x, x.DType(), out) }

// checkSizeOf refuses a result of x, of shape out and dtype t, that no array can have.
func checkSizeOf(x graph.Array, t dtype.Type, out shape.Shape) error {
	if _, err := out.Check(t.Size()); err != nil {
		return graph.Errorf(x, "the result is too large: %v", err)
	}
	return nil
}

// hintAlign adds what to do about sizes that differ.
func hintAlign(e *graph.Error, x graph.Array) *graph.Error {
	switch n := len(x.Shape()); {
	case n == 2:
		return e.Hint("concat, add, mul and their like bring sequences to one length with --layout tc --align crop, pad or resize")
	case n < 3 || n > 5:
		return e
	}
	return e.Hint("concat, add, mul and their like bring feature maps to one size with --align crop, pad or resize")
}

// checkBias refuses a bias that isn't one number for each of n channels.
func checkBias(bias graph.Array, n int) error {
	if bias.Shape().Len() != int64(n) {
		return graph.Errorf(bias, "bias of shape %v: want (%d,), a number for each output channel", bias.Shape(), n)
	}
	return nil
}

// NeedArithmetic refuses opaque types.
func NeedArithmetic(xs []graph.Array) error {
	for _, x := range xs {
		if t := x.DType(); t.IsOpaque() {
			return hintRaw(graph.Errorf(x, "dtype %v has no arithmetic", t), t)
		}
	}
	return nil
}

// needReal refuses complex arrays. what begins the message: "a maximum".
func needReal(what string, xs []graph.Array) error {
	for _, x := range xs {
		if t := x.DType(); t.IsComplex() {
			return graph.Errorf(x, "dtype %v: %s takes real numbers", t, what)
		}
	}
	return nil
}

// hintRaw adds what to do about raw data that may be numbers of a type that NumPy
// doesn't have.
func hintRaw(e *graph.Error, types ...dtype.Type) *graph.Error {
	for _, t := range types {
		switch t {
		case dtype.Opaque("|V2", 2):
			return e.Hint("a bfloat16 array is stored as raw 2-byte void: read it with --as bfloat16")
		case dtype.Opaque("|V1", 1):
			return e.Hint("a float8 or int4 array of ml_dtypes is stored as raw 1-byte void: cast it in Python before it is saved, x.astype('float32')")
		}
	}
	return e
}
