package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// node is a graph with what it costs and how it reads. The arrays it is built of
// are x [2,6,5,8], which has 480 elements, and further ones.
type node struct {
	name  string
	more  []shape.Shape
	build func(x ...graph.Array) (graph.Array, error)
	// flops are those of all nodes: 1 for an addition, a product, a comparison or
	// a conversion, 10 for an exponential and what is like it, 0 for a move.
	flops int64
	once  string // which of the arrays are read once, from front to back: 0 is x
}

func nodes() []node {
	nhwc, nchw := shape.NHWC, shape.NCHW
	keras := func(k graph.Array, b ...graph.Array) Weights {
		w := Weights{Kernel: k, Layout: Keras}
		if len(b) > 0 {
			w.Bias = b[0]
		}
		return w
	}
	activate := func(name string, axis int) func(x ...graph.Array) (graph.Array, error) {
		return func(x ...graph.Array) (graph.Array, error) { return Activate(name, x[0], axis) }
	}
	attend := func(o AttendOptions, scores bool) func(x ...graph.Array) (graph.Array, error) {
		return func(x ...graph.Array) (graph.Array, error) {
			o := o
			if o.Form == "concatenation" {
				o.WF = x[3]
			} else if len(x) > 3 {
				o.Mask = x[3]
			}
			out, weights, err := Attend(x[0], x[1], x[2], o)
			if scores {
				return weights, err
			}
			return out, err
		}
	}
	first := func(f func(x graph.Array) (graph.Array, error)) func(x ...graph.Array) (graph.Array, error) {
		return func(x ...graph.Array) (graph.Array, error) { return f(x[0]) }
	}
	align := func(i int, how string) func(x ...graph.Array) (graph.Array, error) {
		return func(x ...graph.Array) (graph.Array, error) {
			xs, err := Align(x, how, "", ResizeOptions{Layout: nhwc})
			if err != nil {
				return nil, err
			}
			return xs[i], nil
		}
	}
	surround := func(mode string) func(x ...graph.Array) (graph.Array, error) {
		return first(func(x graph.Array) (graph.Array, error) {
			return Surround(x, SurroundOptions{Widths: [][2]int{{0, 0}, {1, 2}, {3, 1}, {2, 1}}, Mode: mode})
		})
	}
	arrange := func(text string, use shape.PatternUse) func(x ...graph.Array) (graph.Array, error) {
		return func(x ...graph.Array) (graph.Array, error) {
			return Arrange(x, patternOf(text, use, map[string]int{"p": 2}), nil)
		}
	}
	pool := func(mode string) func(x ...graph.Array) (graph.Array, error) {
		return first(func(x graph.Array) (graph.Array, error) {
			return Pool(x, mode, PoolOptions{Window: Window{Size: []int{2}, Stride: []int{2}}, Layout: nhwc})
		})
	}
	resize := func(mode string) func(x ...graph.Array) (graph.Array, error) {
		return first(func(x graph.Array) (graph.Array, error) {
			return Resize(x, []int{12, 10}, ResizeOptions{Mode: mode, Layout: nhwc})
		})
	}
	conv := func(o ConvOptions) func(x ...graph.Array) (graph.Array, error) {
		return func(x ...graph.Array) (graph.Array, error) { return Conv(x[0], keras(x[1], x[2:]...), o) }
	}
	linear := func(o LinearOptions) func(x ...graph.Array) (graph.Array, error) {
		return func(x ...graph.Array) (graph.Array, error) {
			o, w := o, keras(x[1], x[2])
			if len(x) > 3 {
				o.Residual = x[3]
			}
			return Linear(x[0], w, o)
		}
	}
	matmul := func(x ...graph.Array) (graph.Array, error) { return MatMul(x[0], x[1], MatMulOptions{}) }
	einsum := func(spec string) func(x ...graph.Array) (graph.Array, error) {
		return func(x ...graph.Array) (graph.Array, error) {
			e, err := shape.ParseEinsum(spec)
			if err != nil {
				return nil, err
			}
			return Einsum(e, x)
		}
	}
	spatial := ReduceOptions{Axes: []int{1, 2}}
	qkv := []shape.Shape{{2, 6, 9, 8}, {2, 6, 9, 4}} // keys and values for x's 5 queries of 8
	rows := int64(2 * 6 * 5)                         // of x
	return []node{
		{"cast", nil, first(func(x graph.Array) (graph.Array, error) { return Cast(x, dtype.Float64) }), 480, "0"},
		{"relu", nil, activate("relu", -1), 480, "0"},
		{"gelu", nil, activate("gelu", -1), 10 * 480, "0"},
		{"softmax of rows", nil, activate("softmax", -1), 10 * 480, "0"},
		{"log-softmax of rows", nil, activate("log-softmax", -1), 10 * 480, "0"},
		{"glu of rows", nil, activate("glu", -1), 480 + 11*240 + 240, "0"}, // and the conversions to float64 and back
		{"glu of columns", nil, activate("reglu", 1), 480 + 2*240 + 240, "0"},
		{"prelu", []shape.Shape{{8}}, func(x ...graph.Array) (graph.Array, error) {
			return ActivateWith("prelu", x[0], ActivateOptions{Slope: x[1], Axis: -1})
		}, 480, "01"},
		{"softmax of columns", nil, activate("softmax", 1), 10 * 480, "0"},
		{"add", []shape.Shape{{2, 6, 5, 8}, {2, 6, 5, 8}}, func(x ...graph.Array) (graph.Array, error) { return Add(x, AddOptions{}) }, 2 * 480, "012"},
		{"add with coefficients", []shape.Shape{{2, 6, 5, 8}}, func(x ...graph.Array) (graph.Array, error) {
			return Add(x, AddOptions{Coef: []Number{{Value: 2}, {Value: 1}}, Activation: "tanh"})
		}, 480 + 480 + 10*480, "01"},
		{"add of rows", []shape.Shape{{8}}, func(x ...graph.Array) (graph.Array, error) { return Add(x, AddOptions{}) }, 480, "01"}, // the row is held
		{"mul by a gate", []shape.Shape{{8}}, func(x ...graph.Array) (graph.Array, error) {
			return Mul(x, MulOptions{Gate: "sigmoid"})
		}, 10*8 + 480, "01"},
		{"add to itself", nil, func(x ...graph.Array) (graph.Array, error) {
			return Add([]graph.Array{x[0], x[0]}, AddOptions{})
		}, 480, ""},
		{"sub", []shape.Shape{{2, 6, 5, 8}}, func(x ...graph.Array) (graph.Array, error) { return Sub(x[0], x[1], ElementwiseOptions{}) }, 480, "01"},
		{"pow of a number", nil, first(func(x graph.Array) (graph.Array, error) {
			return Pow(x, Literal(Number{Value: 3}), ElementwiseOptions{})
		}), 1 + 10*480, "0"}, // the number is converted
		{"pow of 2", nil, first(func(x graph.Array) (graph.Array, error) {
			return Pow(x, Literal(Number{Value: 2}), ElementwiseOptions{})
		}), 480, "0"},
		{"pow of integers", []shape.Shape{{2, 6, 5, 8}}, func(x ...graph.Array) (graph.Array, error) {
			return Pow(graphtest.Must(Cast(x[0], dtype.Int64)), graphtest.Must(Cast(graphtest.Must(Maximum([]graph.Array{x[1], Literal(Number{Value: 1})}, ElementwiseOptions{})), dtype.Int64)), ElementwiseOptions{})
		}, 480 + 1 + 480 + 480 + 480 + 10*480, "01"}, // of which the exponents are looked at
		{"average", []shape.Shape{{2, 6, 5, 8}}, func(x ...graph.Array) (graph.Array, error) { return Average(x, AverageOptions{}) }, (4+1)*480 + 480, "01"}, // and rounded
		{"average by weights", []shape.Shape{{2, 6, 5, 8}, {2}}, func(x ...graph.Array) (graph.Array, error) {
			return Average(x[:2], AverageOptions{Weights: x[2], Normalize: "softmax"})
		}, 2 + 10*2 + 4*480 + 480, "012"},
		{"concat of batches", []shape.Shape{{3, 6, 5, 8}}, func(x ...graph.Array) (graph.Array, error) { return Concat(x, 0) }, 0, "01"},
		{"concat of channels", []shape.Shape{{2, 6, 5, 3}}, func(x ...graph.Array) (graph.Array, error) { return Concat(x, -1) }, 0, "01"},
		{"reshape", nil, first(func(x graph.Array) (graph.Array, error) { return Reshape(x, shape.Shape{60, 8}) }), 0, "0"},
		{"transpose", nil, first(func(x graph.Array) (graph.Array, error) { return Transpose(x, []int{0, 3, 1, 2}) }), 0, "0"},
		{"permute", nil, first(func(x graph.Array) (graph.Array, error) { return Transpose(x, []int{3, 2, 1, 0}) }), 0, "0"},            // a pipe is held
		{"broadcast", nil, first(func(x graph.Array) (graph.Array, error) { return Broadcast(x, shape.Shape{3, 2, 6, 5, 8}) }), 0, "0"}, // held
		{"rows", nil, first(func(x graph.Array) (graph.Array, error) { return Rows(x, 1, 1) }), 0, ""},
		{"flip", nil, first(func(x graph.Array) (graph.Array, error) { return flip(x, 1), nil }), 0, ""},
		{"constant", nil, func(...graph.Array) (graph.Array, error) { return Constant(dtype.Float32, 1), nil }, 0, ""},
		{"random", nil, func(...graph.Array) (graph.Array, error) { return Random("normal", shape.Shape{7}, dtype.Float32, 1) }, 10 * 7, ""},
		// The sum of float32 in float64, the quotient, and its rounding.
		{"gap", nil, first(func(x graph.Array) (graph.Array, error) { return GlobalAvgPool(x, spatial) }), 480 + 16 + 16, "0"},
		{"gmp", nil, first(func(x graph.Array) (graph.Array, error) { return GlobalMaxPool(x, spatial) }), 480, "0"},
		{"sum of rows", nil, first(func(x graph.Array) (graph.Array, error) { return Reduce(x, "sum", ReduceOptions{Axes: []int{-1}}) }), 480 + 60, "0"},
		{"argmax", nil, first(func(x graph.Array) (graph.Array, error) { return Reduce(x, "argmax", ReduceOptions{Axes: []int{-1}}) }), 480 + 60, "0"},
		// The sum in float64 of moments is 5 operations; the rest is of the 96 results.
		{"variance", nil, first(func(x graph.Array) (graph.Array, error) { return Reduce(x, "var", ReduceOptions{Axes: []int{2}}) }), 5*480 + 2*96, "0"},
		{"length of scattered axes", nil, first(func(x graph.Array) (graph.Array, error) { return Reduce(x, "l2", ReduceOptions{Axes: []int{1, 3}}) }), 2*480 + 60 + 2*10, "0"},
		{"logsumexp of all", nil, first(func(x graph.Array) (graph.Array, error) { return Reduce(x, "logsumexp", ReduceOptions{}) }), 10*480 + 2, "0"},
		// The magnitude in float64, the cube of each, the sum; the power of the 16, and the rounding.
		{"norm by a power", nil, first(func(x graph.Array) (graph.Array, error) {
			return Reduce(x, "lp", ReduceOptions{Axes: []int{1, 2}, P: Literal(Number{Value: 3})})
		}), (1+1+1+1)*480 + (10+1)*16 + 1, "0"},
		{"product", nil, first(func(x graph.Array) (graph.Array, error) { return Reduce(x, "prod", ReduceOptions{Axes: []int{0}}) }), 2*480 + 240, "0"},
		{"max pool", nil, pool("max"), 4 * 96, ""},
		{"average pool", nil, pool("average"), 4*96 + 96, ""},
		{"bilinear", nil, resize("bilinear"), 6 * 4 * 480, ""}, // of 4 times as many positions: three blends of two
		{"nearest", nil, resize("nearest"), 0, ""},
		{"bicubic", nil, resize("bicubic"), 16 * 4 * 480, ""},
		// Of 6 rows of 5 pixels 3 of 2: 3, 4 and 3 rows are summed, and then twice 4 pixels.
		{"antialias", nil, first(func(x graph.Array) (graph.Array, error) {
			return Resize(x, []int{3, 2}, ResizeOptions{Mode: "linear", Antialias: true, Layout: nhwc})
		}), 2 * 2 * ((3+4+3)*40 + 3*2*4*8), ""},
		{"crop", []shape.Shape{{2, 3, 4, 8}}, align(0, "crop"), 0, ""},
		{"pad", []shape.Shape{{2, 7, 9, 8}}, align(0, "pad"), 0, "0"},
		{"pad of rows", nil, surround("constant"), 0, "0"},
		{"pad by edges", nil, surround("edge"), 0, "0"},
		{"reflection", nil, surround("reflect"), 0, "0"},
		{"split", nil, first(func(x graph.Array) (graph.Array, error) {
			parts, err := Split(x, 2, []int{1, -1})
			return parts[1], err
		}), 0, ""},
		{"stack", []shape.Shape{{2, 6, 5, 8}}, func(x ...graph.Array) (graph.Array, error) { return Stack(x, 2) }, 0, "01"},
		{"arrange by one exchange", nil, arrange("n (h p) w c -> n h w p c", shape.ToRearrange), 0, "0"},
		{"arrange by several", nil, arrange("n (h p) w c -> c p h n w", shape.ToRearrange), 0, "0"}, // held
		{"arrange repeated", nil, arrange("n h w c -> w n h p c", shape.ToRepeat), 0, "0"},          // held
		{"conv", []shape.Shape{{3, 3, 8, 4}, {4}}, conv(ConvOptions{Padding: Padding{Same: true}, Activation: "relu", Layout: nhwc}), (2*72 + 1 + 1) * 240, "2"},
		{"conv of channels first", []shape.Shape{{3, 3, 6, 4}, {4}}, conv(ConvOptions{Padding: Padding{Same: true}, Activation: "gelu", Layout: nchw}), (2*54 + 1 + 10) * 2 * 4 * 40, "12"}, // the kernel is permuted, as above
		{"conv by a point", []shape.Shape{{1, 1, 8, 4}, {4}}, conv(ConvOptions{Layout: nhwc}), (2*8 + 1) * 4 * rows, "02"},
		// Patches apart: a matrix of 4 taps by 4 channels; else a convolution for each of 4 phases of 7 by 6
		// positions, which have the kernel's taps between them; the kernel is held.
		{"transposed conv apart", []shape.Shape{{2, 2, 4, 8}, {4}}, conv(ConvOptions{Stride: []int{2}, Transposed: true, Layout: nhwc}), (2*8 + 1) * 16 * rows, "02"},
		{"transposed conv", []shape.Shape{{3, 3, 4, 8}, {4}}, conv(ConvOptions{Stride: []int{2}, Transposed: true, Layout: nhwc}), (2*72 + 4) * 2 * 7 * 6 * 4, "12"},
		{"linear", []shape.Shape{{8, 7}, {7}}, linear(LinearOptions{Axis: -1}), (2*8 + 1) * 7 * rows, "02"},
		{"linear with a residual", []shape.Shape{{8, 7}, {7}, {2, 6, 5, 7}}, linear(LinearOptions{Axis: -1, Activation: "gelu"}), (2*8 + 1 + 1 + 10) * 7 * rows, "023"},
		{"linear of channels first", []shape.Shape{{6, 3}, {3}}, linear(LinearOptions{Axis: 1}), (2*6 + 1) * 3 * 80, "12"},
		{"bias of the last axis", []shape.Shape{{8}}, func(x ...graph.Array) (graph.Array, error) {
			return Linear(x[0], Weights{Bias: x[1]}, LinearOptions{Axis: -1})
		}, 480, "01"},
		{"bias of another axis", []shape.Shape{{6}}, func(x ...graph.Array) (graph.Array, error) {
			return Linear(x[0], Weights{Bias: x[1]}, LinearOptions{Axis: 1})
		}, 480, "01"},
		// The fold: conversions of the 56 weights, each of them by its scale, and of the
		// 4 times 7 statistics to float64, 10 operations for each of 5 columns of 7 (the
		// 5th is the bias that isn't there), and the conversion of the 56 and 7 back.
		{"linear with a batch norm", []shape.Shape{{8, 7}, {7}, {7}, {7}, {7}}, func(x ...graph.Array) (graph.Array, error) {
			return Linear(x[0], Weights{Kernel: x[1], Layout: Keras, Norm: &BatchNorm{x[2], x[3], x[4], x[5], 1e-3}}, LinearOptions{Axis: -1})
		}, 3*56 + 4*7 + 10*5*7 + 7 + (2*8+1)*7*rows, "02345"},
		{"matmul", []shape.Shape{{8, 7}}, matmul, 2 * 8 * 7 * rows, "0"},
		{"matmul of batches", []shape.Shape{{2, 6, 40, 8}}, einsum("abcd,abed->abec"), 2 * 8 * 40 * rows, "1"}, // x is packed
		{"einsum of pairs", []shape.Shape{{2, 6, 5, 8, 3}}, einsum("abcd,abcde->abce"), 2 * 8 * 3 * rows, "01"},
		// The second by the third, in three chunks that are added and converted; times the sum of x.
		{"einsum of long sums", []shape.Shape{{1200, 3}, {1200, 4}}, einsum("abcd,ef,eg->fg"), 2*1200*12 + 3*12 + 12 + 480 + 1 + 12, "0"},
		// Sums along the last axes and then the first, and of the other operand; both are converted.
		{"einsum of sums", []shape.Shape{{8}}, einsum("abcd,e->b"), 480 + 12 + 8 + 6 + 1 + 6, "01"},
		{"einsum of vectors", []shape.Shape{{2, 6, 5, 8}}, einsum("abcd,abcd->a"), 480 + 480 + 2, "01"},
		{"einsum of a diagonal", []shape.Shape{{6, 6, 8}}, einsum("abcd,bbd->abcd"), 480, "0"},
		// A normalised row takes 12 operations an element; a batch normalisation 3, and
		// 10 for each of 5 columns of 8, beside the conversions of what it takes.
		{"layer norm", []shape.Shape{{8}, {8}}, func(x ...graph.Array) (graph.Array, error) {
			return LayerNorm(x[0], NormOptions{Axes: []int{-1}, Weight: x[1], Bias: x[2]})
		}, 12*480 + 2*8, "012"},
		{"rms norm of columns", nil, first(func(x graph.Array) (graph.Array, error) { return RMSNorm(x, NormOptions{Axes: []int{1}}) }), 12 * 480, "0"},
		{"group norm", []shape.Shape{{8}}, func(x ...graph.Array) (graph.Array, error) {
			return GroupNorm(x[0], GroupNormOptions{Axis: 3, Spatial: []int{1, 2}, Groups: 2, Weight: x[1]})
		}, 12*480 + 8, "01"},
		{"instance norm of channels first", nil, first(func(x graph.Array) (graph.Array, error) {
			return GroupNorm(x, GroupNormOptions{Axis: 1, Spatial: []int{2, 3}})
		}), 12 * 480, "0"},
		{"batch norm", []shape.Shape{{8}, {8}}, func(x ...graph.Array) (graph.Array, error) {
			return BatchNormalize(x[0], 3, BatchNorm{Mean: x[1], Variance: x[2]}, "")
		}, 3*480 + 10*5*8 + 8 + 8, "01"},
		{"batch norm of channels first", []shape.Shape{{6}, {6}}, func(x ...graph.Array) (graph.Array, error) {
			return BatchNormalize(x[0], 1, BatchNorm{Mean: x[1], Variance: x[2]}, "")
		}, 3*480 + 10*5*6 + 6 + 6, "01"},
		{"join of batch norms", []shape.Shape{{6}, {2, 6, 5, 3}}, func(x ...graph.Array) (graph.Array, error) {
			return Concat([]graph.Array{graphtest.Must(BatchNormalize(x[0], 1, BatchNorm{Mean: x[1]}, "")), x[2]}, -1)
		}, 3*480 + 10*5*6 + 6, "012"},
		{"fast normalization", nil, first(func(x graph.Array) (graph.Array, error) { return FastNormalize(x, 1e-4) }), 10 * 480, "0"},
		{"power normalization", nil, first(func(x graph.Array) (graph.Array, error) { return PowerNormalize(x) }), 10 * 480, "0"},
		// Each score takes two operations a feature, an exponential, and two a feature of its value.
		{"attention", qkv, attend(AttendOptions{Scale: 1}, false), rows * 9 * (2*(8+4) + 10), "12"},
		{"attention with a mask", append(qkv[:2:2], shape.Shape{5, 9}), attend(AttendOptions{Scale: 1}, false), rows * 9 * (2*(8+4) + 10), "123"},
		{"scores", qkv, attend(AttendOptions{Scale: 1}, true), rows * 9 * (2*8 + 10), "12"},
		{"attention without softmax", qkv, attend(AttendOptions{Scale: 1, Form: "dot-product"}, false), rows * 9 * (2*(8+4) + 10), "12"},
		// Queries and keys become pairs of numbers, a product of 8 and a one.
		{"attention by concatenation", append(qkv[:2:2], shape.Shape{16}), attend(AttendOptions{Form: "concatenation"}, false), 16*rows + 16*2*6*9 + rows*9*(2*(2+4)+10), "12"},
		// Tiles of a join cut rows and groups, which are then read twice or not in order.
		{"join of softmaxes", []shape.Shape{{2, 6, 5, 3}}, func(x ...graph.Array) (graph.Array, error) {
			return Concat([]graph.Array{softmax(x[0]), x[1]}, -1)
		}, 10 * 480, "01"},
		{"join of maxima", []shape.Shape{{2, 1, 1, 8}}, func(x ...graph.Array) (graph.Array, error) {
			return Concat([]graph.Array{graphtest.Must(GlobalMaxPool(x[0], ReduceOptions{Axes: []int{1, 2}, KeepDims: true})), x[1]}, 1)
		}, 480, "01"},
		{"join of products", []shape.Shape{{8, 7}, {2, 6, 5, 7}}, func(x ...graph.Array) (graph.Array, error) {
			return Concat([]graph.Array{graphtest.Must(Linear(x[0], keras(x[1]), LinearOptions{Axis: -1})), x[2]}, 0)
		}, 2 * 8 * 7 * rows, "02"},
	}
}

// arrays holds the arrays that a node is built of.
func (n node) arrays() (xs []*graphtest.Mem) {
	for i, s := range append([]shape.Shape{{2, 6, 5, 8}}, n.more...) {
		xs = append(xs, graphtest.Randn(uint64(i+1), s...))
	}
	return xs
}

// of builds the node of arrays, number i of them being changed.
func (n node) of(i int, change func(*graphtest.Mem) graph.Array) (graph.Array, error) {
	var xs []graph.Array
	for k, x := range n.arrays() {
		if k == i {
			xs = append(xs, change(x))
		} else {
			xs = append(xs, x)
		}
	}
	return n.build(xs...)
}

func TestFlopsAreTheCount(t *testing.T) {
	for _, n := range nodes() {
		x, err := n.of(-1, nil)
		if err != nil {
			t.Fatalf("%s: %v", n.name, err)
		}
		if got := graph.CostOf(x, func(graph.Array) bool { return false }).Flops; got != n.flops {
			t.Errorf("%s: %d operations, want %d", n.name, got, n.flops)
		}
	}
}

// A node says of an operand that it is read once where it is, by whatever tiles.
func TestReadsOnceIsTrue(t *testing.T) {
	for _, n := range nodes() {
		for i := range n.arrays() {
			want := bytes.ContainsRune([]byte(n.once), rune('0'+i))
			for _, o := range []graph.Options{{}, {Tile: 1}, {Tile: 400}, {Tile: 400, InOrder: true}, {InOrder: true}} {
				o.Only = true
				var in *graphtest.Pipe
				x, err := n.of(i, func(x *graphtest.Mem) graph.Array {
					in = graphtest.NewPipe(x, 1, 0)
					return in
				})
				if err != nil {
					t.Fatalf("%s: %v", n.name, err)
				}
				if o.InOrder {
					graphtest.WriteTo(t, x, o)
				} else {
					graphtest.WriteAt(t, x, o)
				}
				what := fmt.Sprintf("%s, operand %d, tiles of %d bytes", n.name, i, o.Tile)
				if in.Once && (slices.Max(in.Times) > 1 || in.Back) {
					t.Errorf("%s: is said to be read once, and is read %d times, back %v", what, slices.Max(in.Times), in.Back)
				}
				if o.Tile == 0 && !o.InOrder && in.Once != want {
					t.Errorf("%s: is said to be read once: %v, want %v", what, in.Once, want)
				}
			}
		}
	}
}

var errTorn = errors.New("the tape is torn")

// torn is an array that can't be read.
type torn struct{ graphtest.Mem }

func (torn) Read(context.Context, []byte, int64) error { return errTorn }

// Whatever reads an array that can't be read says so, whole and in tiles, in
// regions and in runs.
func TestErrorsOfOperandsComeThrough(t *testing.T) {
	for _, n := range nodes() {
		for i := range n.arrays() {
			for _, o := range []graph.Options{{}, {Tile: 1}, {Tile: 400, Threads: 2}, {Tile: 400, InOrder: true}} {
				bad := func(x *graphtest.Mem) graph.Array { return &torn{*x} }
				computed := func(x *graphtest.Mem) graph.Array {
					return mapTo("copy", x.Type, bad(x), func(dst, src []byte) { copy(dst, src) })
				}
				for _, make := range []func(*graphtest.Mem) graph.Array{bad, computed} {
					x, err := n.of(i, make)
					if err != nil {
						t.Fatalf("%s: %v", n.name, err)
					}
					p, err := graph.NewPlan(o, x)
					if err != nil {
						t.Fatalf("%s: %v", n.name, err)
					}
					uses := false // a crop of one of two arrays doesn't
					for _, s := range p.Sources() {
						_, ok := s.(*torn)
						uses = uses || ok
					}
					err = p.Into(t.Context(), kernel.Alloc(int(graph.SizeOf(x))))
					if uses && !errors.Is(err, errTorn) {
						t.Errorf("%s, operand %d, tiles of %d bytes: got %v", n.name, i, o.Tile, err)
					}
				}
			}
		}
	}
}

// What moves elements in tiles of a form of its own says so, too, where arrays are
// larger than those, and in whatever runs it is read.
func TestErrorsOfLargeOperandsComeThrough(t *testing.T) {
	for what, build := range map[string]func(x graph.Array) (graph.Array, error){
		"transpose":         func(x graph.Array) (graph.Array, error) { return Transpose(x, []int{2, 0, 1}) },
		"transpose of rows": func(x graph.Array) (graph.Array, error) { return Transpose(x, []int{1, 0, 2}) },
		"permute":           func(x graph.Array) (graph.Array, error) { return Transpose(x, []int{2, 1, 0}) },
		"broadcast": func(x graph.Array) (graph.Array, error) {
			return Broadcast(graphtest.Must(Reshape(x, shape.Shape{60, 1, 70, 1, 80})), shape.Shape{60, 2, 70, 2, 80})
		},
		"broadcast of columns": func(x graph.Array) (graph.Array, error) {
			return Broadcast(graphtest.Must(Reshape(x, shape.Shape{60 * 70 * 80, 1})), shape.Shape{60 * 70 * 80, 2})
		},
		"pad": func(x graph.Array) (graph.Array, error) {
			return Surround(x, SurroundOptions{Widths: [][2]int{{3, 4}}, Mode: "reflect"})
		},
	} {
		x := graphtest.Must(build(&torn{graphtest.Mem{Label: "x.npy", Type: dtype.Float32, Dims: shape.Shape{60, 70, 80}}}))
		for _, n := range []int64{1, 3, 100, 7000} {
			for _, off := range []int64{0, 80*70*5 + 3} {
				if err := x.Read(t.Context(), make([]byte, 4*n), off); !errors.Is(err, errTorn) {
					t.Errorf("%s: a read of %d elements at %d: %v", what, n, off, err)
				}
			}
		}
		for _, o := range []graph.Options{{}, {Tile: 400, Threads: 2}, {InOrder: true}} {
			p, err := graph.NewPlan(o, x)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Into(t.Context(), kernel.Alloc(int(graph.SizeOf(x)))); !errors.Is(err, errTorn) {
				t.Errorf("%s, %+v: got %v", what, o, err)
			}
		}
	}
}
