package kernel

import (
	"math"
	"slices"
	"unsafe"

	"fusectl/internal/dtype"
)

var activationNames = [...]string{"relu", "relu6", "leaky-relu", "sigmoid", "tanh", "gelu", "silu", "hardswish"}

// Activations returns the names of the elementwise activation functions.
// Softmax isn't among them: see Table.SoftmaxRows.
func Activations() []string { return slices.Clone(activationNames[:]) }

// Activation returns the loop dst[i] = f(src[i]) of the activation function
// called name, or nil if there is none of that name for that kind. dst may be
// src. The functions are PyTorch's, with its defaults:
//
//	relu        max(x, 0)
//	relu6       min(max(x, 0), 6)
//	leaky-relu  x if x > 0, else 0.01·x
//	sigmoid     1/(1+e^-x)
//	tanh        tanh(x)
//	gelu        x·Φ(x), Φ being the normal distribution (no approximation)
//	silu        x·sigmoid(x)
//	hardswish   x·relu6(x+3)/6
//
// relu and relu6 are defined for float32, float64 and all integers, the others
// for float32 and float64; float32 is computed in float64 and rounded once.
// NaN gives NaN; -Inf gives NaN, as in PyTorch, where the definition is
// infinity times 0 (gelu, silu, hardswish).
func (t *Table) Activation(name string, k dtype.Kind) Loop2 {
	i := slices.Index(activationNames[:], name)
	if i < 0 {
		return nil
	}
	return t.activations[i][k]
}

func (t *Table) fillActivations() {
	loops := map[string][dtype.NumKinds]Loop2{
		"relu": {
			dtype.KindInt8:    reluInt[int8, int32],
			dtype.KindInt16:   reluInt[int16, int32],
			dtype.KindInt32:   reluInt[int32, int32],
			dtype.KindInt64:   reluInt[int64, int64],
			dtype.KindUint8:   move,
			dtype.KindUint16:  move,
			dtype.KindUint32:  move,
			dtype.KindUint64:  move,
			dtype.KindFloat32: reluFloat[float32, uint32],
			dtype.KindFloat64: reluFloat[float64, uint64],
		},
		"relu6": {
			dtype.KindInt8:    relu6Int[int8, int32],
			dtype.KindInt16:   relu6Int[int16, int32],
			dtype.KindInt32:   relu6Int[int32, int32],
			dtype.KindInt64:   relu6Int[int64, int64],
			dtype.KindUint8:   relu6Int[uint8, uint32],
			dtype.KindUint16:  relu6Int[uint16, uint32],
			dtype.KindUint32:  relu6Int[uint32, uint32],
			dtype.KindUint64:  relu6Int[uint64, uint64],
			dtype.KindFloat32: func(dst, src []byte) { relu6Float[float32](dst, src, math.Float32bits(6)) },
			dtype.KindFloat64: func(dst, src []byte) { relu6Float[float64](dst, src, math.Float64bits(6)) },
		},
		"leaky-relu": {
			dtype.KindFloat32: leakyRelu[float32, uint32],
			dtype.KindFloat64: leakyRelu[float64, uint64],
		},
		"hardswish": {
			dtype.KindFloat32: hardswish[float32],
			dtype.KindFloat64: hardswish[float64],
		},
		"sigmoid": {dtype.KindFloat32: t.inFloat64(sigmoidLoop), dtype.KindFloat64: sigmoidLoop},
		"tanh":    {dtype.KindFloat32: t.inFloat64(tanhLoop), dtype.KindFloat64: tanhLoop},
		"gelu":    {dtype.KindFloat32: t.inFloat64(geluLoop), dtype.KindFloat64: geluLoop},
		"silu":    {dtype.KindFloat32: t.inFloat64(siluLoop), dtype.KindFloat64: siluLoop},
	}
	for i, name := range activationNames {
		t.activations[i] = loops[name]
	}
}

// inFloat64 makes a float64 loop one for float32, which rounds once.
func (t *Table) inFloat64(loop Loop2) Loop2 {
	return func(dst, src []byte) {
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		for len(src) > 0 {
			n := min(len(buf), len(src)/4)
			b := Bytes(buf[:n])
			t.Convert[dtype.KindFloat32][dtype.KindFloat64](b, src[:4*n])
			loop(b, b)
			t.Convert[dtype.KindFloat64][dtype.KindFloat32](dst[:4*n], b)
			dst, src = dst[4*n:], src[4*n:]
		}
	}
}

// reluInt computes in W, which is as wide as T or wider: there are conditional
// moves for 32 and 64 bits only.
func reluInt[T, W integer](dst, src []byte) {
	d, s := View[T](dst), View[T](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = T(max(W(v), 0))
	}
}

func relu6Int[T, W integer](dst, src []byte) {
	d, s := View[T](dst), View[T](src)
	d = d[:len(s)]
	for i, v := range s {
		d[i] = T(min(max(W(v), 0), 6))
	}
}

// reluFloat compares floats and selects bits of the same width, which compiles
// to a conditional move: signs are random, and a branch on them is slow.
func reluFloat[F Float, U uint32 | uint64](dst, src []byte) {
	d, s, f := View[U](dst), View[U](src), View[F](src)
	d, f = d[:len(s)], f[:len(s)]
	for i, u := range s {
		if f[i] <= 0 {
			u = 0
		}
		d[i] = u
	}
}

// relu6Float is given the bits of 6.
func relu6Float[F Float, U uint32 | uint64](dst, src []byte, six U) {
	d, s, f := View[U](dst), View[U](src), View[F](src)
	d, f = d[:len(s)], f[:len(s)]
	for i, u := range s {
		v := f[i]
		if v <= 0 {
			u = 0
		}
		if v > 6 {
			u = six
		}
		d[i] = u
	}
}

// leakyRelu takes the factor by the sign, without a branch.
func leakyRelu[F Float, U uint32 | uint64](dst, src []byte) {
	d, s, signs := View[F](dst), View[F](src), View[U](src)
	d, signs = d[:len(s)], signs[:len(s)]
	factors := [2]float64{1, 0.01}
	for i, v := range s {
		sign := signs[i] >> (8*unsafe.Sizeof(v) - 1)
		d[i] = F(float64(v) * factors[sign&1])
	}
}

func hardswish[F Float](dst, src []byte) {
	d, s := View[F](dst), View[F](src)
	d = d[:len(s)]
	for i, v := range s {
		x := float64(v)
		gate := x + 3
		if gate < 0 {
			gate = 0
		}
		if gate > 6 {
			gate = 6
		}
		d[i] = F(x * gate / 6)
	}
}

func sigmoidLoop(dst, src []byte) {
	d, s := View[float64](dst), View[float64](src)
	d = d[:len(s)]
	for i, x := range s {
		d[i] = sigmoid(x)
	}
}

func tanhLoop(dst, src []byte) {
	d, s := View[float64](dst), View[float64](src)
	d = d[:len(s)]
	for i, x := range s {
		d[i] = tanh(x)
	}
}

func geluLoop(dst, src []byte) {
	d, s := View[float64](dst), View[float64](src)
	d = d[:len(s)]
	for i, x := range s {
		d[i] = x * phi(x)
	}
}

func siluLoop(dst, src []byte) {
	d, s := View[float64](dst), View[float64](src)
	d = d[:len(s)]
	for i, x := range s {
		d[i] = x * sigmoid(x)
	}
}

// sigmoid is 1/(1+e^-x), or e^x/(1+e^x) where that keeps small values exact;
// in either case the exponential is at most 1.
func sigmoid(x float64) float64 {
	e := exp(-math.Abs(x))
	num := math.Float64bits(1)
	if x < 0 {
		num = math.Float64bits(e)
	}
	return math.Float64frombits(num) / (1 + e)
}
