package ops

import (
	"math"
	"strings"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/shape"
)

// refusal is the error of something that can't be built, and all it must say.
type refusal struct {
	what  string
	err   error
	input string // the array at fault; "": none
	msg   string
	hints []string
}

func checkRefusals(t *testing.T, all []refusal) {
	t.Helper()
	for _, r := range all {
		graphtest.Refused(t, r.what, r.err, r.input, r.msg, r.hints)
	}
}

// huge is an array without data, for sizes that no memory holds.
func huge(name string, t dtype.Type, dims ...int) graph.Array {
	return &graphtest.Mem{Label: name, Type: t, Dims: dims}
}

func TestRefusals(t *testing.T) {
	of := func(name string, t dtype.Type, dims ...int) graph.Array { return huge(name, t, dims...) }
	f32, i64 := dtype.Float32, dtype.Int64
	x := of("x.npy", f32, 2, 9, 8, 6)
	text := of("text.npy", dtype.BytesOf(3), 4)
	complexes := of("c.npy", dtype.Complex64, 1, 4, 4, 2)
	number := of("n.npy", f32)
	err := func(_ graph.Array, err error) error { return err }
	errs := func(_ []graph.Array, err error) error { return err }
	partsHint := []string{"the extents add up to that of the axis; one of them may be -1, what the others leave"}
	widths := [][2]int{{1, 1}}
	number64 := func(v float64) *float64 { return &v }
	nhwc := shape.NHWC
	toFloat := []string{"convert it first: fusectl convert FILE --dtype float32 then ..."}
	sizes := []string{"concat, add, mul and their like bring feature maps to one size with --align crop, pad or resize"}
	align := func(xs ...graph.Array) error {
		_, err := Align(xs, "resize", "", ResizeOptions{Mode: "bilinear", Layout: nhwc})
		return err
	}
	conv := func(x, k graph.Array, o ConvOptions) error {
		if o.Layout == "" {
			o.Layout = nhwc
		}
		return err(Conv(x, Weights{Kernel: k, Layout: Keras}, o))
	}
	torch := func(x, k graph.Array, o ConvOptions) error {
		o.Layout = shape.NCHW
		return err(Conv(x, Weights{Kernel: k, Layout: Torch}, o))
	}
	linear := func(k graph.Array, l WeightLayout) error {
		return err(Linear(x, Weights{Kernel: k, Layout: l}, LinearOptions{Axis: -1}))
	}
	resize := func(x graph.Array, size []int, o ResizeOptions) error {
		o.Layout = nhwc
		return err(Resize(x, size, o))
	}
	pool := func(x graph.Array, w Window) error {
		return err(Pool(x, "max", PoolOptions{Window: w, Layout: nhwc}))
	}
	with := func(name string, o ActivateOptions) error { return err(ActivateWith(name, x, o)) }
	checkRefusals(t, []refusal{
		{"activate text", err(Activate("relu", text, -1)), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"activate raw bfloat16", err(Activate("relu", of("raw.npy", dtype.RawOf(2), 4), -1)), "raw.npy", "dtype |V2 has no arithmetic",
			[]string{"a bfloat16 array is stored as raw 2-byte void: read it with --as bfloat16"}},
		{"activate raw float8", err(Activate("relu", of("raw.npy", dtype.RawOf(1), 4), -1)), "raw.npy", "dtype |V1 has no arithmetic",
			[]string{"a float8 or int4 array of ml_dtypes is stored as raw 1-byte void: cast it in Python before it is saved, x.astype('float32')"}},
		{"activate complex", err(Activate("tanh", complexes, -1)), "c.npy", "dtype complex64: an activation takes real numbers", nil},
		{"softmax of a number", err(Activate("softmax", number, -1)), "n.npy", "shape () has no channel axis for softmax", nil},
		{"softmax of no axis", err(Activate("softmax", x, 4)), "x.npy", "axis 4 is out of bounds for an array of 4 dimensions: shape (2,9,8,6)", nil},

		{"activate by no name", err(Activate("swish2", x, -1)), "", `no activation is called "swish2"`, nil},
		{"add with an activation of no name", err(Add([]graph.Array{x}, AddOptions{Activation: "swish2"})), "", `no activation without parameters is called "swish2"`, nil},
		{"add with an activation that needs a slope", err(Add([]graph.Array{x}, AddOptions{Activation: "prelu"})), "", `no activation without parameters is called "prelu"`, nil},
		{"glu of an odd extent", err(Activate("glu", x, 1)), "x.npy", "shape (2,9,8,6): glu takes the two halves of axis 1, whose extent is odd", nil},
		{"a parameter of another activation", with("gelu", ActivateOptions{Parameters: map[string]float64{"alpha": 1}}), "", "--alpha: gelu has none", nil},
		{"a parameter that isn't positive", with("celu", ActivateOptions{Parameters: map[string]float64{"alpha": 0}}), "", "--alpha 0: celu takes a positive number", nil},
		{"a negative threshold", with("soft-shrink", ActivateOptions{Parameters: map[string]float64{"threshold": -1}}), "", "--threshold -1: soft-shrink takes a number that isn't negative", nil},
		{"a parameter NaN", with("clip", ActivateOptions{Parameters: map[string]float64{"min": math.NaN()}}), "", "--min NaN: clip takes a number", nil},
		{"an infinite slope", with("leaky-relu", ActivateOptions{Parameters: map[string]float64{"alpha": math.Inf(1)}}), "", "--alpha +Inf: leaky-relu takes a finite number", nil},
		{"bounds that cross", with("clip", ActivateOptions{Parameters: map[string]float64{"min": 2, "max": 1}}), "", "--min 2: clip takes at most --max, 1", nil},
		{"a bound beyond the other's default", with("hard-tanh", ActivateOptions{Parameters: map[string]float64{"min": 2}}), "", "--min 2: hard-tanh takes at most --max, 1", nil},
		{"clip by nothing", with("clip", ActivateOptions{}), "", "clip needs --min or --max", nil},
		{"prelu without a slope", with("prelu", ActivateOptions{}), "", "prelu needs --slope", nil},
		{"a slope of relu", with("relu", ActivateOptions{Slope: x}), "", "--slope: relu has none", nil},
		{"a gate of softmax", with("softmax", ActivateOptions{GateFirst: true}), "", "--gate-first: softmax has no gate", nil},
		{"a slope of other channels", with("prelu", ActivateOptions{Slope: of("s.npy", f32, 6), Axis: 1}), "s.npy",
			"shape (6,): want one number, one for each channel, or what broadcasts to x.npy, whose shape is (2,9,8,6)", nil},
		{"a slope of more axes", with("prelu", ActivateOptions{Slope: of("s.npy", f32, 3, 2, 9, 8, 6)}), "s.npy",
			"shape (3,2,9,8,6): want one number, one for each channel, or what broadcasts to x.npy, whose shape is (2,9,8,6)", nil},
		{"slopes of a number", err(ActivateWith("prelu", number, ActivateOptions{Slope: of("s.npy", f32, 6), Axis: -1})), "s.npy",
			"shape (6,): want one number, one for each channel, or what broadcasts to n.npy, whose shape is ()", nil},
		{"a slope of text", with("prelu", ActivateOptions{Slope: text}), "text.npy", "dtype |S3 has no common type with float32 of x.npy", nil},
		{"a complex slope", with("prelu", ActivateOptions{Slope: complexes}), "c.npy", "dtype complex64: an activation takes real numbers", nil},

		{"add text", err(Add([]graph.Array{x, text}, AddOptions{})), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"add of too few coefficients", err(Add([]graph.Array{x, x}, AddOptions{Coef: []Number{{Value: 1}}})), "", "--coef has 1 numbers for 2 inputs: want one each", nil},
		{"add of a coefficient beyond int8", err(Add([]graph.Array{of("i.npy", dtype.Int8, 2)}, AddOptions{Coef: []Number{{128, true}}})), "", "number 128 does not fit dtype int8",
			[]string{"write 128.0 to compute in float64"}},
		{"add of a negative coefficient of uint8", err(Add([]graph.Array{of("i.npy", dtype.Uint8, 2)}, AddOptions{Coef: []Number{{-1, true}}})), "", "number -1 does not fit dtype uint8",
			[]string{"write -1.0 to compute in float64"}},
		{"add of other sizes", err(Add([]graph.Array{x, of("y.npy", f32, 2, 7, 8, 6)}, AddOptions{})), "y.npy", "shape (2,7,8,6) does not broadcast with (2,9,8,6) of x.npy", sizes},
		{"add of a third", err(Add([]graph.Array{of("a.npy", f32, 1, 3), of("b.npy", f32, 2, 1), of("y.npy", f32, 5, 3)}, AddOptions{})), "y.npy", "shape (5,3) does not broadcast with (2,3) of the inputs before it", nil},
		{"add of channels", err(Add([]graph.Array{of("m.npy", f32, 2, 6, 9, 8), of("v.npy", f32, 6)}, AddOptions{})), "v.npy", "shape (6,) does not broadcast with (2,6,9,8) of m.npy",
			[]string{"a number for each channel of a map with channels first (nchw) broadcasts as (6,1,1)"}},
		{"add of what has no channels", err(Add([]graph.Array{of("m.npy", f32, 2, 9, 8), of("v.npy", f32, 6)}, AddOptions{})), "v.npy", "shape (6,) does not broadcast with (2,9,8) of m.npy", nil},
		{"add of too much", err(Add([]graph.Array{of("a.npy", f32, 1<<40, 1), of("b.npy", f32, 1, 1<<40)}, AddOptions{})), "", "the result is too large: " + tooLarge(1<<40, 1<<40), nil},
		{"add of numbers", err(Add([]graph.Array{Literal(Number{1, true})}, AddOptions{})), "", "no input is an array: a number takes its dtype from one", nil},
		{"sub text", err(Sub(text, x, ElementwiseOptions{})), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"sub of booleans", err(Sub(of("b.npy", dtype.Bool, 2), of("c.npy", dtype.Bool, 2), ElementwiseOptions{})), "b.npy", "dtype bool: booleans have no difference", []string{"--dtype int8 subtracts them as numbers"}},
		{"sub of a number beyond uint8", err(Sub(of("i.npy", dtype.Uint8, 2), Literal(Number{300, true}), ElementwiseOptions{})), "", "number 300 does not fit dtype uint8", []string{"write 300.0 to compute in float64"}},
		{"div text", err(Div(text, x, ElementwiseOptions{})), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"div of other sizes", err(Div(x, of("y.npy", f32, 2, 7, 8, 6), ElementwiseOptions{})), "y.npy", "shape (2,7,8,6) does not broadcast with (2,9,8,6) of x.npy", sizes},
		{"maximum of complex numbers", err(Maximum([]graph.Array{x, complexes}, ElementwiseOptions{})), "c.npy", "dtype complex64: a maximum takes real numbers", nil},
		{"minimum of complex numbers", err(Minimum([]graph.Array{complexes}, ElementwiseOptions{})), "c.npy", "dtype complex64: a minimum takes real numbers", nil},
		{"pow of complex numbers", err(Pow(x, complexes, ElementwiseOptions{})), "c.npy", "dtype complex64: a power takes real numbers", nil},
		{"pow text", err(Pow(x, text, ElementwiseOptions{})), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"pow of a negative integer", err(Pow(of("i.npy", i64, 2), Literal(Number{-2, true}), ElementwiseOptions{})), "", "exponent -2: integers have no negative powers", []string{"write -2.0 to compute in float64"}},
		{"pow of unsigned integers by a negative one", err(Pow(of("i.npy", dtype.Uint8, 2), Literal(Number{-2, true}), ElementwiseOptions{})), "", "number -2 does not fit dtype uint8", []string{"write -2.0 to compute in float64"}},
		{"average of text", err(Average([]graph.Array{text}, AverageOptions{})), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"average of other sizes", err(Average([]graph.Array{x, of("y.npy", f32, 2, 7, 8, 6)}, AverageOptions{})), "y.npy", "shape (2,7,8,6) does not broadcast with (2,9,8,6) of x.npy", sizes},
		{"average by too few weights", err(Average([]graph.Array{x, x}, AverageOptions{Weights: of("w.npy", f32, 3)})), "w.npy", "weights of shape (3,): want 2 numbers, one for each input", nil},
		{"average by complex weights", err(Average([]graph.Array{x, x}, AverageOptions{Weights: of("w.npy", dtype.Complex64, 2)})), "w.npy", "weights of dtype complex64: want real numbers", nil},
		{"average by weights without a sum", err(Average([]graph.Array{x, x}, AverageOptions{Weights: Numbers(1, -1)})), "", "the weights sum to 0, by which they would be divided", []string{"--normalize none leaves them as they are"}},
		{"average with an activation of complex numbers", err(Average([]graph.Array{complexes}, AverageOptions{Activation: "relu"})), "c.npy", "dtype complex64: an activation takes real numbers", nil},
		{"add with an activation of complex numbers", err(Add([]graph.Array{complexes}, AddOptions{Activation: "relu"})), "c.npy", "dtype complex64: an activation takes real numbers", nil},
		{"mul text", err(Mul([]graph.Array{text, x}, MulOptions{})), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"mul by a gate of complex numbers", err(Mul([]graph.Array{x, complexes}, MulOptions{Gate: "sigmoid"})), "c.npy", "dtype complex64: an activation takes real numbers", nil},

		{"align rank 2", align(of("y.npy", f32, 3, 4)), "y.npy", "shape (3,4): --align takes a map of 1, 2 or 3 spatial axes, such as nhwc: got 2 axes", []string{"--layout lc takes it as a sequence: l=3 c=4"}},
		{"align of other ranks", align(x, of("y.npy", f32, 2, 9, 6)), "y.npy", "shape (2,9,6): --align takes maps of as many dimensions as x.npy, which has (2,9,8,6)", nil},
		{"align resizing integers", align(x, of("y.npy", i64, 2, 3, 4, 6)), "y.npy", "dtype int64: bilinear resizing takes float16, bfloat16, float32 or float64", toFloat},

		{"broadcast to another extent", err(Broadcast(x, shape.Shape{2, 9, 8, 5})), "x.npy", "shape (2,9,8,6) does not broadcast to (2,9,8,5)", nil},
		{"broadcast to less", err(Broadcast(x, shape.Shape{1, 9, 8, 6})), "x.npy", "shape (2,9,8,6) does not broadcast to (1,9,8,6)", nil},
		{"cast of text", err(Cast(text, f32)), "text.npy", "dtype |S3 can't be converted to float32", nil},

		{"concat of no axis", err(Concat([]graph.Array{x}, 4)), "x.npy", "axis 4 is out of bounds for an array of 4 dimensions: shape (2,9,8,6)", nil},
		{"concat of other ranks", err(Concat([]graph.Array{x, text}, 0)), "text.npy", "shape (4,) has 1 dimensions, (2,9,8,6) of x.npy has 4", nil},
		{"concat of other sizes", err(Concat([]graph.Array{x, of("y.npy", f32, 2, 7, 8, 6)}, -1)), "y.npy", "shape (2,7,8,6) does not join with (2,9,8,6) of x.npy along axis 3: axis 1 differs", sizes},
		{"concat of text and numbers", err(Concat([]graph.Array{of("y.npy", f32, 4), text}, 0)), "text.npy", "dtype |S3 has no common type with float32 of y.npy", nil},
		{"concat of raw data and numbers", err(Concat([]graph.Array{of("y.npy", f32, 4), of("raw.npy", dtype.RawOf(2), 4)}, 0)), "raw.npy", "dtype |V2 has no common type with float32 of y.npy",
			[]string{"a bfloat16 array is stored as raw 2-byte void: read it with --as bfloat16"}},

		{"conv of rank 2", conv(of("y.npy", f32, 3, 3), of("k.npy", f32, 3, 3, 6, 5), ConvOptions{}), "y.npy", "shape (3,3) has 2 axes: a convolution over 2 spatial axes takes 4, such as nhwc, or 3 without a batch, such as hwc",
			[]string{"the kernel has 2 spatial axes: its shape (3,3,6,5) is read as (h,w,in/groups,out)"}},
		{"conv without a kernel", err(Conv(x, Weights{}, ConvOptions{Layout: nhwc})), "", "a convolution needs a kernel", nil},
		{"conv by a kernel of rank 3", conv(x, of("k.npy", f32, 3, 6, 5), ConvOptions{}), "x.npy", "shape (2,9,8,6) has 4 axes: a convolution over 1 spatial axis takes 3, such as nlc, or 2 without a batch, such as lc",
			[]string{"the kernel has 1 spatial axis: its shape (3,6,5) is read as (l,in/groups,out)"}},
		{"conv by Torch's kernel of rank 3", torch(x, of("k.npy", f32, 3, 6, 5), ConvOptions{}), "x.npy", "shape (2,9,8,6) has 4 axes: a convolution over 1 spatial axis takes 3, such as ncl, or 2 without a batch, such as cl",
			[]string{"the kernel has 1 spatial axis: its shape (3,6,5) is read as (out,in/groups,l)"}},
		{"transposed conv by a kernel of rank 3", conv(x, of("k.npy", f32, 3, 6, 5), ConvOptions{Transposed: true}), "x.npy", "shape (2,9,8,6) has 4 axes: a convolution over 1 spatial axis takes 3, such as nlc, or 2 without a batch, such as lc",
			[]string{"the kernel has 1 spatial axis: its shape (3,6,5) is read as (l,out/groups,in)"}},
		{"transposed conv by Torch's kernel of rank 4", torch(of("v.npy", f32, 1, 2, 3, 3, 3), of("k.npy", f32, 3, 6, 5, 2), ConvOptions{Transposed: true}), "v.npy", "shape (1,2,3,3,3) has 5 axes: a convolution over 2 spatial axes takes 4, such as nchw, or 3 without a batch, such as chw",
			[]string{"the kernel has 2 spatial axes: its shape (3,6,5,2) is read as (in,out/groups,h,w)"}},
		{"conv of integers", conv(of("y.npy", i64, 2, 9, 8, 6), of("k.npy", f32, 3, 3, 6, 5), ConvOptions{}), "y.npy", "dtype int64: a convolution takes float16, bfloat16, float32 or float64", toFloat},
		{"conv of complex numbers", conv(complexes, of("k.npy", f32, 3, 3, 2, 5), ConvOptions{}), "c.npy", "dtype complex64: a convolution takes float16, bfloat16, float32 or float64", nil},
		{"conv of other channels", conv(x, of("k.npy", f32, 3, 3, 4, 5), ConvOptions{}), "k.npy",
			"kernel of shape (3,3,4,5) takes 4 channels: want (3,3,in/groups,out), in being the 6 channels of x.npy, whose shape is (2,9,8,6)",
			[]string{"kernels are read as (h,w,in/groups,out); --weight-layout says otherwise"}},
		{"conv by a kernel of other groups", conv(x, of("k.npy", f32, 3, 3, 6, 2), ConvOptions{Groups: 2}), "k.npy",
			"kernel of shape (3,3,6,2) takes 12 channels in 2 groups: want (3,3,in/groups,out), in being the 6 channels of x.npy, whose shape is (2,9,8,6)",
			[]string{"kernels are read as (h,w,in/groups,out); --weight-layout says otherwise"}},
		{"conv of groups that don't split", conv(x, of("k.npy", f32, 3, 3, 3, 5), ConvOptions{Groups: 2}), "k.npy", "5 output channels don't split into 2 groups", nil},
		{"transposed conv of other channels", torch(of("y.npy", f32, 2, 4, 8, 6), of("k.npy", f32, 6, 4, 3, 3), ConvOptions{Groups: 2, Transposed: true}), "k.npy",
			"kernel of shape (6,4,3,3) takes 6 channels in 2 groups: want (in,out/groups,3,3), in being the 4 channels of y.npy, whose shape is (2,4,8,6)",
			[]string{"kernels are read as (in,out/groups,h,w); --weight-layout says otherwise"}},
		{"transposed conv of groups that don't split", conv(x, of("k.npy", f32, 3, 3, 4, 6), ConvOptions{Groups: 4, Transposed: true}), "x.npy", "shape (2,9,8,6): 6 channels don't split into 4 groups", nil},
		{"transposed conv with causal padding", conv(x, of("k.npy", f32, 3, 3, 4, 6), ConvOptions{Causal: true, Transposed: true}), "", "causal padding goes with a convolution that isn't transposed", nil},
		{"transposed conv with too much padding", conv(x, of("k.npy", f32, 3, 3, 4, 6), ConvOptions{Stride: []int{2}, Padding: Pad(3, 9), Transposed: true}), "x.npy",
			"shape (2,9,8,6): a transposed convolution gives 17 positions of 8: padding of 9 and 9 takes them all away", nil},
		{"transposed conv with output padding of a stride", conv(x, of("k.npy", f32, 3, 3, 4, 6), ConvOptions{Stride: []int{2}, OutputPadding: []int{0, 2}, Transposed: true}), "x.npy",
			"shape (2,9,8,6): output padding of 2: want less than 2, the larger of stride and dilation", nil},
		{"transposed conv to a size too large", conv(x, of("k.npy", f32, 3, 3, 4, 6), ConvOptions{Stride: []int{2}, OutputSize: []int{20, 19}, Transposed: true}), "x.npy",
			"shape (2,9,8,6): output size 19: want 17 to 18, which a convolution of that stride brings back to 8", nil},
		{"transposed conv to a size too small, same padding", conv(x, of("k.npy", f32, 3, 3, 4, 6), ConvOptions{Stride: []int{2}, Padding: Padding{Same: true}, OutputSize: []int{16}, Transposed: true}), "x.npy",
			"shape (2,9,8,6): output size 16: want 17 to 18, which a convolution of that stride brings back to 9", nil},
		{"transposed conv with a bias of other outputs", err(Conv(x, Weights{Kernel: of("k.npy", f32, 3, 3, 4, 6), Bias: of("b.npy", f32, 6), Layout: Keras}, ConvOptions{Stride: []int{2}, Transposed: true, Layout: nhwc})), "b.npy",
			"bias of shape (6,): want (4,), a number for each output channel", nil},
		{"transposed conv to too much", conv(x, of("k.npy", f32, 1, 1, 1<<40, 6), ConvOptions{Stride: []int{1 << 20}, Transposed: true}), "x.npy",
			"the result is too large: " + tooLarge(2, 8<<20+1, 7<<20+1, 1<<40), nil},
		{"transposed conv of too much", conv(x, of("k.npy", f32, 1, 1, 4, 6), ConvOptions{Stride: []int{1 << 40}, Padding: Padding{Each: [][2]int{{0, 8 << 40}, {0, 7 << 40}}}, Transposed: true}), "x.npy",
			"the result is too large: " + tooLarge(2, 8<<40+1, 7<<40+1, 6), nil},
		{"transposed conv of no position", conv(of("e.npy", f32, 2, 0, 8, 6), of("k.npy", f32, 3, 3, 4, 6), ConvOptions{Transposed: true}), "e.npy", "shape (2,0,8,6): there are no positions to move a window over", nil},
		{"conv of no position", conv(of("e.npy", f32, 2, 0, 8, 6), of("k.npy", f32, 3, 3, 6, 4), ConvOptions{}), "e.npy", "shape (2,0,8,6): there are no positions to move a window over", nil},
		{"conv of a window too large", torch(of("y.npy", f32, 1, 6, 2, 9), of("k.npy", f32, 5, 6, 3, 3), ConvOptions{Padding: Padding{Each: [][2]int{{0, 0}, {1, 1}}}}), "y.npy", "shape (1,6,2,9): a window that reaches over 3 positions does not fit 2 with 0 of padding", nil},
		{"depthwise conv of a window too large", conv(of("y.npy", f32, 1, 2, 9, 6), of("k.npy", f32, 3, 3, 1, 6), ConvOptions{Groups: 6}), "y.npy", "shape (1,2,9,6): a window that reaches over 3 positions does not fit 2 with 0 of padding", nil},
		{"conv of a stride for other axes", conv(x, of("k.npy", f32, 3, 3, 6, 5), ConvOptions{Stride: []int{1, 2, 3}}), "x.npy", "shape (2,9,8,6) has 2 spatial axes: 3 numbers say the stride", nil},
		{"conv of too much", conv(of("y.npy", f32, 1, 1<<31, 1<<30, 1), of("k.npy", f32, 1, 2, 1, 1<<10), ConvOptions{}), "y.npy", "the result is too large: " + tooLarge(1, 1<<31, 1<<30-1, 1<<10), nil},
		{"conv of too much, channels first", torch(of("y.npy", f32, 1, 1, 1<<31, 1<<30), of("k.npy", f32, 1<<10, 1, 1, 2), ConvOptions{}), "y.npy", "the result is too large: " + tooLarge(1, 1<<10, 1<<31, 1<<30-1), nil},
		{"align padding to too much", func() error {
			_, err := Align([]graph.Array{of("y.npy", f32, 1, 1<<31, 1, 1<<10), of("z.npy", f32, 1, 1, 1<<30, 1<<10)}, "pad", "", ResizeOptions{Layout: nhwc})
			return err
		}(), "y.npy", "the result is too large: " + tooLarge(1, 1<<31, 1<<30, 1<<10), nil},

		{"linear of a number", err(Linear(number, Weights{}, LinearOptions{})), "n.npy", "shape () has no channels to map", nil},
		{"linear of no axis", err(Linear(x, Weights{}, LinearOptions{Axis: 4})), "x.npy", "axis 4 is out of bounds for an array of 4 dimensions: shape (2,9,8,6)", nil},
		{"linear of integers", err(Linear(of("i.npy", i64, 3), Weights{}, LinearOptions{Axis: -1})), "i.npy", "dtype int64: a linear map takes float16, bfloat16, float32 or float64", toFloat},
		{"linear of other channels", linear(of("w.npy", f32, 4, 5), Keras), "w.npy", "weight of shape (4,5) takes 4 channels: want (6,out) for the 6 of x.npy, whose shape is (2,9,8,6)",
			[]string{"weights are read in keras's order; --weight-layout says otherwise"}},
		{"linear of other channels, Torch's", linear(of("w.npy", f32, 4, 5, 1, 1), Torch), "w.npy", "weight of shape (4,5,1,1) takes 5 channels: want (out,6) for the 6 of x.npy, whose shape is (2,9,8,6)",
			[]string{"weights are read in torch's order; --weight-layout says otherwise"}},
		{"linear by a window", linear(of("w.npy", f32, 3, 3, 6, 5), Keras), "w.npy", "shape (3,3,6,5): want a linear weight, (in,out) or (1,1,in,out)", nil},
		{"linear by Torch's window", linear(of("w.npy", f32, 5, 6, 3, 3), Torch), "w.npy", "shape (5,6,3,3): want a linear weight, (out,in) or (out,in,1,1)", nil},
		{"linear with a bias of other outputs", err(Linear(x, Weights{Kernel: of("w.npy", f32, 6, 5), Bias: of("b.npy", f32, 4), Layout: Keras}, LinearOptions{Axis: -1})), "b.npy", "bias of shape (4,): want (5,), a number for each output channel", nil},
		{"the identity with a bias of other channels", err(Linear(x, Weights{Bias: of("b.npy", f32, 4)}, LinearOptions{Axis: -1})), "b.npy", "bias of shape (4,): want (6,), a number for each output channel", nil},
		{"linear with a residual of another shape", err(Linear(x, Weights{Kernel: of("w.npy", f32, 6, 5), Layout: Keras}, LinearOptions{Axis: -1, Residual: x})), "x.npy", "shape (2,9,8,6): want (2,9,8,5), the shape of what it is added to", nil},
		{"linear by a window with a residual", err(Linear(x, Weights{Kernel: of("w.npy", f32, 3, 3, 6, 5), Layout: Keras}, LinearOptions{Axis: -1, Residual: x})), "w.npy", "shape (3,3,6,5): want a linear weight, (in,out) or (1,1,in,out)", nil},
		{"linear with a norm of other outputs", err(Linear(x, Weights{Kernel: of("w.npy", f32, 6, 5), Layout: Keras, Norm: &BatchNorm{Mean: of("m.npy", f32, 4)}}, LinearOptions{Axis: -1})), "m.npy",
			"shape (4,): want (5,), a number for each output channel of w.npy, whose shape is (6,5)", nil},
		{"conv with a norm of other outputs", err(Conv(x, Weights{Kernel: of("w.npy", f32, 3, 3, 6, 5), Layout: Keras, Norm: &BatchNorm{Variance: of("v.npy", f32, 6)}}, ConvOptions{Layout: nhwc})), "v.npy",
			"shape (6,): want (5,), a number for each output channel of w.npy, whose shape is (3,3,6,5)", nil},
		{"conv with a bias of other outputs", err(Conv(x, Weights{Kernel: of("w.npy", f32, 3, 3, 6, 5), Bias: of("b.npy", f32, 6), Layout: Keras}, ConvOptions{Layout: nhwc})), "b.npy", "bias of shape (6,): want (5,), a number for each output channel", nil},

		{"fast normalization of a number", err(FastNormalize(number, 1)), "n.npy", "shape () has no axis to normalize", nil},
		{"power normalization of integers", err(PowerNormalize(of("i.npy", i64, 3))), "i.npy", "dtype int64: power-normalize takes float16, bfloat16, float32 or float64", toFloat},

		{"pool text", pool(text, Window{Size: []int{2}}), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"pool of rank 2", pool(of("y.npy", f32, 3, 3), Window{Size: []int{2}}), "y.npy", "shape (3,3): pooling takes a map of 1, 2 or 3 spatial axes, such as nhwc: got 2 axes", []string{"--layout lc takes it as a sequence: l=3 c=3"}},
		{"pool complex numbers", pool(complexes, Window{Size: []int{2}}), "c.npy", "dtype complex64: pooling takes real numbers", nil},
		{"pool by nothing", pool(x, Window{Size: []int{0}}), "x.npy", "shape (2,9,8,6): a window of 0: want at least 1 along each axis", nil},
		{"pool padding", pool(x, Window{Size: []int{2}, Padding: Padding{Each: [][2]int{{0, 2}, {1, 0}}}}), "", "padding of 2 by 1 beside a window of 2 by 2: a window of nothing but padding has nothing to pool", nil},
		{"pool padding between taps", pool(of("y.npy", f32, 1, 2, 9, 6), Window{Size: []int{2}, Dilation: []int{4, 1}, Padding: Pad(2, 0)}), "", "padding of 2 by 0 beside a window of 2 by 2, dilation 4 by 1: a window of nothing but padding has nothing to pool", nil},
		{"pool of a window too large", pool(x, Window{Size: []int{12, 2}, Stride: []int{3}, Ceil: true}), "x.npy", "shape (2,9,8,6): a window that reaches over 12 positions does not fit 9 with 0 of padding", nil},
		{"pool to nothing", err(Pool(x, "max", PoolOptions{Output: []int{3, 0}, Layout: nhwc})), "x.npy", "shape (2,9,8,6): an output of 3 by 0: want at least 1 along each axis", nil},
		{"pool no position to some", err(Pool(of("e.npy", f32, 2, 0, 8, 6), "max", PoolOptions{Output: []int{3, 3}, Layout: nhwc})), "e.npy", "shape (2,0,8,6): there are no positions to move a window over", nil},
		{"pool to other axes", err(Pool(x, "max", PoolOptions{Window: Window{Stride: []int{1, 1, 1}}, Output: []int{3, 3}, Layout: nhwc})), "x.npy", "shape (2,9,8,6) has 3 spatial axes: 2 numbers say the output size", nil},
		{"pool bins by powers", err(Pool(x, "lp", PoolOptions{Output: []int{3}, Layout: nhwc})), "", "mode lp has a window, not bins: --output-size goes with max and average", nil},
		{"pool to too much", err(Pool(x, "max", PoolOptions{Output: []int{1 << 40, 1 << 30}, Layout: nhwc})), "x.npy", "the result is too large: " + tooLarge(2, 1<<40, 1<<30, 6), nil},

		{"random integers", err(Random("normal", shape.Shape{2}, i64, 1)), "", "dtype int64: random draws float16, bfloat16, float32 or float64", nil},
		{"random of another distribution", err(Random("cauchy", shape.Shape{2}, f32, 1)), "", `unknown distribution "cauchy": want normal or uniform`, nil},
		{"random of too much", err(Random("normal", shape.Shape{1 << 40, 1 << 40}, f32, 1)), "", tooLarge(1<<40, 1<<40), nil},

		{"gap of text", err(GlobalAvgPool(text, ReduceOptions{})), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"gmp of text", err(GlobalMaxPool(text, ReduceOptions{})), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"gap of vectors", err(GlobalAvgPool(of("v.npy", f32, 2, 6), ReduceOptions{Layout: nhwc})), "v.npy", "shape (2,6) has no axes between batch and channel for gap to pool", []string{"name the axes, such as --axes 0"}},
		{"gap of another form", err(GlobalAvgPool(x, ReduceOptions{Layout: "nthwc"})), "x.npy", "shape (2,9,8,6) has 4 axes: layout nthwc names 5", []string{"--layout nhwc takes it as n=2 h=9 w=8 c=6"}},
		{"sum of text", err(Reduce(text, "sum", ReduceOptions{})), "text.npy", "dtype |S3 has no arithmetic", nil},
		{"an unknown reduction", err(Reduce(x, "median", ReduceOptions{})), "", `unknown reduction "median": want one of ` + strings.Join(Reductions(), ", "), nil},
		{"sum of an axis twice", err(Reduce(x, "sum", ReduceOptions{Axes: []int{1, -3}})), "x.npy", "axis 1 is named twice: shape (2,9,8,6)", nil},
		{"max of complex numbers", err(Reduce(complexes, "max", ReduceOptions{})), "c.npy", "dtype complex64: max takes real numbers", nil},
		{"var of complex numbers", err(Reduce(complexes, "var", ReduceOptions{})), "c.npy", "dtype complex64: var takes real numbers", nil},
		{"min of no element", err(Reduce(of("e.npy", f32, 2, 0, 3), "min", ReduceOptions{})), "e.npy", "shape (2,0,3): min over axis 1 has no element", nil},
		{"argmax of no class", err(Reduce(of("y.npy", f32, 3, 0), "argmax", ReduceOptions{Axes: []int{-1}})), "y.npy", "shape (3,0): argmax over axis 1 has no element", nil},
		{"argmax over some axes", err(Reduce(x, "argmax", ReduceOptions{Axes: []int{1, 2}})), "x.npy", "shape (2,9,8,6): argmax goes over one axis, or over all, through which it then counts: got 2 of 4", nil},
		{"var of one element less one", err(Reduce(x, "var", ReduceOptions{Axes: []int{0}, DDof: 2})), "x.npy", "shape (2,9,8,6): var of 2 elements less a ddof of 2 divides by 0", nil},
		{"lp without an exponent", err(Reduce(x, "lp", ReduceOptions{})), "", "lp needs an exponent p", nil},
		{"gem of an infinite exponent", err(Reduce(x, "gem", ReduceOptions{P: Literal(Number{Value: math.Inf(1)})})), "", "gem with an exponent of +Inf: want a number above 0", nil},
		{"gem by several exponents", err(Reduce(x, "gem", ReduceOptions{P: of("p.npy", f32, 6)})), "p.npy", "dtype float32 and shape (6,): the exponent of gem is one real number", nil},
		{"gmp of no axis", err(GlobalMaxPool(x, ReduceOptions{Axes: []int{4}})), "x.npy", "axis 4 is out of bounds for an array of 4 dimensions: shape (2,9,8,6)", nil},

		{"reshape", err(Reshape(x, shape.Shape{7})), "x.npy", "shape (2,9,8,6) has 864 elements, (7,) has 7", nil},
		{"reshape to a multiple", err(Reshape(x, shape.Shape{5, -1})), "x.npy", "shape (2,9,8,6) has 864 elements, (5,-1) has a multiple of 5", nil},
		{"reshape to what two leave", err(Reshape(x, shape.Shape{-1, -1})), "x.npy", "shape (-1,-1) has two extents of -1: only one follows from the others", nil},
		{"reshape to less than nothing", err(Reshape(x, shape.Shape{-2, 3})), "x.npy", "shape (-2,3) has an extent of -2: want at least 0, or -1 for what the others leave", nil},
		{"reshape to any number of times nothing", err(Reshape(of("y.npy", f32, 0), shape.Shape{0, -1})), "y.npy", "shape (0,) has 0 elements, (0,-1) has a multiple of 0", nil},
		{"reshape to too much", err(Reshape(x, shape.Shape{1 << 40, 1 << 40})), "x.npy", "shape (1099511627776,1099511627776) at 1 bytes an element takes more than 2^63-1 bytes", nil},
		{"resize of rank 2", resize(of("y.npy", f32, 3, 3), []int{2}, ResizeOptions{Mode: "nearest"}), "y.npy", "shape (3,3): resizing takes a map of 1, 2 or 3 spatial axes, such as nhwc: got 2 axes", []string{"--layout lc takes it as a sequence: l=3 c=3"}},
		{"resize to other axes", resize(x, []int{2, 3, 4, 5}, ResizeOptions{Mode: "nearest"}), "x.npy", "shape (2,9,8,6) has 4 axes: resizing over 4 spatial axes takes 6, such as ntdhwc, or 5 without a batch, such as tdhwc", nil},
		{"resize of no pixel", resize(of("e.npy", f32, 1, 0, 8, 6), []int{2, 3}, ResizeOptions{Mode: "nearest"}), "e.npy", "shape (1,0,8,6) has no pixels to resize", nil},
		{"resize to nothing", resize(x, []int{0, 3}, ResizeOptions{Mode: "nearest"}), "x.npy", "shape (2,9,8,6) would be resized to 0 by 3: want at least 1 by 1", nil},
		{"resize to too much", resize(x, []int{1 << 40, 1 << 30}, ResizeOptions{Mode: "nearest"}), "x.npy", "the result is too large: " + tooLarge(2, 1<<40, 1<<30, 6), nil},
		{"resize of integers", resize(of("i.npy", i64, 1, 2, 2, 1), []int{2, 3}, ResizeOptions{Mode: "bicubic"}), "i.npy", "dtype int64: bicubic resizing takes float16, bfloat16, float32 or float64", toFloat},
		{"resize bilinear without what is outside", resize(x, []int{2, 3}, ResizeOptions{Mode: "bilinear", ExcludeOutside: true}), "", "mode bilinear has no taps outside: --exclude-outside goes with cubic", nil},
		{"resize linear by a coefficient", resize(x, []int{2, 3}, ResizeOptions{Mode: "linear", CubicCoeff: -0.5}), "", "mode linear has no coefficient: --cubic-coeff goes with cubic", nil},
		{"resize area with corners", resize(x, []int{2, 3}, ResizeOptions{Mode: "area", Coordinates: "align-corners"}), "", "mode area has coordinates of its own: --coordinates and --align-corners go with linear, cubic and nearest", nil},
		{"resize linear by rounding", resize(x, []int{2, 3}, ResizeOptions{Mode: "linear", Rounding: "ceil"}), "", "mode linear doesn't round coordinates: --nearest goes with nearest", nil},
		{"resize nearest without aliases", resize(x, []int{2, 3}, ResizeOptions{Mode: "nearest", Antialias: true}), "", "mode nearest has no kernel to widen: --antialias goes with linear and cubic", nil},
		{"resize corners without aliases", resize(x, []int{2, 3}, ResizeOptions{Mode: "linear", Antialias: true, Coordinates: "align-corners"}), "", "--antialias has half-pixel coordinates, not align-corners", nil},
		{"resize three axes by two axes' mode", resize(x, []int{3, 4, 5}, ResizeOptions{Mode: "bilinear"}), "x.npy", "shape (2,9,8,6) has 3 spatial axes: mode bilinear is for 2, linear for any", nil},
		{"resize a map by three axes' mode", resize(x, []int{2, 3}, ResizeOptions{Mode: "trilinear"}), "x.npy", "shape (2,9,8,6) has 2 spatial axes: mode trilinear is for 3, linear for any", nil},
		{"resize a vector by two axes' mode", resize(of("y.npy", f32, 9, 6), []int{3}, ResizeOptions{Mode: "bilinear"}), "y.npy", "shape (9,6) has 2 axes: resizing over 2 spatial axes takes 4, such as nhwc, or 3 without a batch, such as hwc", nil},

		{"split", errs(SplitEqually(x, 0, 3)), "x.npy", "shape (2,9,8,6) doesn't split into 3 equal parts along axis 0, whose extent is 2", nil},
		{"split into none", errs(SplitEqually(x, 1, 0)), "x.npy", "shape (2,9,8,6) doesn't split into 0 equal parts along axis 1, whose extent is 9", nil},
		{"split a number", errs(SplitEqually(number, 0, 1)), "n.npy", "axis 0 is out of bounds for an array of 0 dimensions: shape ()", nil},
		{"split a number into extents", errs(Split(number, -1, []int{1})), "n.npy", "axis -1 is out of bounds for an array of 0 dimensions: shape ()", nil},
		{"split into less", errs(Split(x, 1, []int{3, 5})), "x.npy", "shape (2,9,8,6) doesn't split into parts of 3,5 along axis 1, whose extent is 9", partsHint},
		{"split into more", errs(Split(x, -2, []int{3, -1, 6})), "x.npy", "shape (2,9,8,6) doesn't split into parts of 3,-1,6 along axis 2, whose extent is 8", partsHint},
		{"split into what two leave", errs(Split(x, -2, []int{3, -1, -1})), "x.npy", "shape (2,9,8,6) doesn't split into parts of 3,-1,-1 along axis 2, whose extent is 8", partsHint},
		{"stack of other sizes", err(Stack([]graph.Array{x, of("y.npy", f32, 2, 9, 8, 5)}, 0)), "y.npy", "shape (2,9,8,5) differs from (2,9,8,6) of x.npy: only arrays of one shape can be stacked", []string{"fusectl concat joins along an axis that they have"}},
		{"stack of no axis", err(Stack([]graph.Array{x, x}, 5)), "x.npy", "axis 5 is out of bounds for an array of 5 dimensions, the new one included: shape (2,9,8,6)", nil},
		{"stack of text and numbers", err(Stack([]graph.Array{of("y.npy", f32, 4), text}, 0)), "text.npy", "dtype |S3 has no common type with float32 of y.npy", nil},

		{"arrange of another rank", err(Arrange([]graph.Array{x}, patternOf("a b -> b a", shape.ToRearrange, nil), nil)), "x.npy", "shape (2,9,8,6) does not fit 'a b -> b a': the left side has 2 axes", []string{"... stands for axes that the pattern doesn't name"}},
		{"arrange by what doesn't divide", err(Arrange([]graph.Array{x}, patternOf("a (b c) d e -> a b c d e", shape.ToRearrange, map[string]int{"c": 2}), nil)), "x.npy", "shape (2,9,8,6) does not fit 'a (b c) d e -> a b c d e': axis 1 has extent 9, which (b c) doesn't divide with c=2", nil},
		{"arrange of several", err(Arrange([]graph.Array{x, text}, patternOf("a ... -> ... a", shape.ToRearrange, nil), nil)), "text.npy", "shape (4,) differs from (2,9,8,6) of x.npy: only arrays of one shape can be stacked", []string{"fusectl concat joins along an axis that they have"}},
		{"repeat to too much", err(Arrange([]graph.Array{x}, patternOf("... -> ... n", shape.ToRepeat, map[string]int{"n": 1 << 52}), nil)), "x.npy", "the result is too large: " + tooLarge(2, 9, 8, 6, 1<<52), nil},

		{"pad of no axis", err(Surround(x, SurroundOptions{Widths: widths, Axes: []int{1, 4}, Mode: "edge"})), "x.npy", "axis 4 is out of bounds for an array of 4 dimensions: shape (2,9,8,6)", nil},
		{"pad of an axis twice", err(Surround(x, SurroundOptions{Widths: widths, Axes: []int{1, -3}, Mode: "edge"})), "x.npy", "axis 1 is named twice: shape (2,9,8,6)", nil},
		{"pad by too few widths", err(Surround(x, SurroundOptions{Widths: append(widths, widths...), Mode: "edge"})), "x.npy", "shape (2,9,8,6): 2 widths for 4 axes", []string{"want a width for each axis, or one for all; before and after may differ: 1:2"}},
		{"pad by less than there is", err(Surround(x, SurroundOptions{Widths: [][2]int{{-3, -6}}, Axes: []int{2}, Mode: "constant"})), "x.npy", "shape (2,9,8,6): axis 2 has extent 8, from which 3 and 6 can't be taken away", nil},
		{"pad of what is empty", err(Surround(of("y.npy", f32, 2, 0), SurroundOptions{Widths: widths, Mode: "wrap"})), "y.npy", "shape (2,0): axis 1 has no positions for mode wrap to repeat", nil},
		{"pad to too much", err(Surround(x, SurroundOptions{Widths: [][2]int{{0, 1 << 60}}, Axes: []int{0}, Mode: "constant"})), "x.npy", "the result is too large: " + tooLarge(2+1<<60, 9, 8, 6), nil},
		{"pad beyond counting", err(Surround(x, SurroundOptions{Widths: [][2]int{{1 << 62, 1 << 62}}, Mode: "constant"})), "x.npy", "the result is too large: axis 0 would have 4611686018427387904, 2 and 4611686018427387904 positions", nil},
		{"pad with a fraction", err(Surround(of("i.npy", i64, 4), SurroundOptions{Widths: widths, Mode: "constant", Value: number64(0.5)})), "i.npy", "the value 0.5 does not fit dtype int64", []string{"--dtype pads in another dtype: --dtype float32"}},
		{"pad with a large number", err(Surround(of("i.npy", dtype.Uint8, 4), SurroundOptions{Widths: widths, Mode: "constant", Value: number64(256)})), "i.npy", "the value 256 does not fit dtype uint8", []string{"--dtype pads in another dtype: --dtype float32"}},
		{"pad with a number of no boolean", err(Surround(of("i.npy", dtype.Bool, 4), SurroundOptions{Widths: widths, Mode: "constant", Value: number64(2)})), "i.npy", "the value 2 does not fit dtype bool", []string{"--dtype pads in another dtype: --dtype float32"}},
		{"pad text with a number", err(Surround(text, SurroundOptions{Widths: widths, Mode: "constant", Value: number64(1)})), "text.npy", "dtype |S3 has no number to pad with", []string{"without --value it is padded with zero bytes: empty texts, the date 1970-01-01"}},
		{"rows beyond", err(Rows(x, 1, 2)), "x.npy", "shape (2,9,8,6) has no rows 1 to 2", nil},
		{"rows before", err(Rows(x, -1, 2)), "x.npy", "shape (2,9,8,6) has no rows -1 to 0", nil},
		{"transpose twice the same", err(Transpose(x, []int{0, 1, 1, 2})), "x.npy", "shape (2,9,8,6) can't be transposed by [0 1 1 2]", nil},
		{"transpose too few", err(Transpose(x, []int{0, 1})), "x.npy", "shape (2,9,8,6) can't be transposed by [0 1]", nil},
	})
}

// tooLarge is the message about a shape that is too large.
func tooLarge(dims ...int) string {
	_, err := shape.Shape(dims).Check(4)
	return err.Error()
}

func TestAttendRefuses(t *testing.T) {
	f32 := dtype.Float32
	of := func(name string, dims ...int) graph.Array { return huge(name, f32, dims...) }
	attend := func(q, k, v graph.Array, o AttendOptions) error { _, _, err := Attend(q, k, v, o); return err }
	q, k, v := of("q.npy", 2, 4, 5, 8), of("k.npy", 2, 4, 7, 8), of("v.npy", 2, 4, 7, 3)
	mask := func(t dtype.Type, dims ...int) AttendOptions { return AttendOptions{Mask: huge("m.npy", t, dims...)} }
	noSoftmax := func(form string) string {
		return "form " + form + " has no softmax: --mask and --causal go with gaussian"
	}
	checkRefusals(t, []refusal{
		{"integers", attend(huge("q.npy", dtype.Int8, 5, 8), k, v, AttendOptions{}), "q.npy", "dtype int8: attention takes float16, bfloat16, float32 or float64",
			[]string{"convert it first: fusectl convert FILE --dtype float32 then ..."}},
		{"other ranks", attend(of("q.npy", 5, 8), k, v, AttendOptions{}), "k.npy", "shapes (5,8) of queries, (2,4,7,8) of keys and (2,4,7,3) of values differ in dimensions", nil},
		{"keys without heads", attend(q, of("k.npy", 2, 7, 8), of("v.npy", 2, 7, 3), AttendOptions{}), "k.npy", "shapes (2,4,5,8) of queries, (2,7,8) of keys and (2,7,3) of values differ in dimensions",
			[]string{"the second of 4 axes has the heads: keys and values of one head have the shape (2,1,7,8)"}},
		{"values of other positions", attend(q, k, of("v.npy", 2, 4, 6, 3), AttendOptions{}), "v.npy", "values of shape (2,4,6,3) don't go with keys of shape (2,4,7,8): only the last axis may differ", nil},
		{"other batches", attend(q, of("k.npy", 3, 4, 7, 8), of("v.npy", 3, 4, 7, 8), AttendOptions{}), "k.npy", "keys of shape (3,4,7,8) and queries of shape (2,4,5,8) differ in their leading axes", nil},
		{"heads that don't share", attend(q, of("k.npy", 2, 3, 7, 8), of("v.npy", 2, 3, 7, 8), AttendOptions{Heads: true}), "k.npy", "keys of shape (2,3,7,8) and queries of shape (2,4,5,8) differ in their leading axes",
			[]string{"the heads of queries must be a multiple of those of keys and values"}},
		{"no keys", attend(q, of("k.npy", 2, 4, 0, 8), of("v.npy", 2, 4, 0, 3), AttendOptions{}), "k.npy", "keys of shape (2,4,0,8) leave nothing to attend to", nil},
		{"dot-product with a mask", attend(q, k, v, AttendOptions{Form: "dot-product", Mask: of("m.npy", 5, 7)}), "", noSoftmax("dot-product"), nil},
		{"concatenation with what is causal", attend(q, k, v, AttendOptions{Form: "concatenation", Causal: true}), "", noSoftmax("concatenation"), nil},
		{"gaussian with a weight", attend(q, k, v, AttendOptions{WF: of("wf.npy", 16)}), "", "--wf goes with form concatenation", nil},
		{"concatenation without a weight", attend(q, k, v, AttendOptions{Form: "concatenation"}), "", "form concatenation needs --wf, the weight of query and key features", nil},
		{"concatenation with too short a weight", attend(q, k, v, AttendOptions{Form: "concatenation", WF: of("wf.npy", 15)}), "wf.npy", "shape (15,): want 16 numbers, one for each feature of a query and of a key", nil},
		{"a mask that doesn't broadcast", attend(q, k, v, mask(f32, 5, 6)), "m.npy", "mask of shape (5,6) does not broadcast to the scores, whose shape is (2,4,5,7): [batch..., heads, queries, keys]", nil},
		{"a mask larger than the scores", attend(of("q.npy", 5, 8), of("k.npy", 7, 8), of("v.npy", 7, 8), mask(f32, 2, 5, 7)), "m.npy", "mask of shape (2,5,7) does not broadcast to the scores, whose shape is (5,7): [batch..., queries, keys]", nil},
		{"Keras's mask of keys", attend(q, k, v, mask(dtype.Bool, 2, 7)), "m.npy", "mask of shape (2,7) does not broadcast to the scores, whose shape is (2,4,5,7): [batch..., heads, queries, keys]",
			[]string{"reshape the mask to (2,1,1,7), in NumPy: mask.reshape(2,1,1,7)"}},
		{"a mask of each batch", attend(q, k, v, mask(dtype.Bool, 2, 5, 7)), "m.npy", "mask of shape (2,5,7) does not broadcast to the scores, whose shape is (2,4,5,7): [batch..., heads, queries, keys]",
			[]string{"reshape the mask to (2,1,5,7), in NumPy: mask.reshape(2,1,5,7)"}},
		{"PyTorch's mask of batch and heads", attend(q, k, v, mask(dtype.Bool, 8, 5, 7)), "m.npy", "mask of shape (8,5,7) does not broadcast to the scores, whose shape is (2,4,5,7): [batch..., heads, queries, keys]",
			[]string{"reshape the mask to (2,4,5,7), in NumPy: mask.reshape(2,4,5,7)"}},
		{"a mask of integers", attend(q, k, v, mask(dtype.Int64, 5, 7)), "m.npy", "mask of dtype int64: want bool, true where a query attends, or a float that is added to the scores",
			[]string{"if it is 1 where a query attends: fusectl convert m.npy --dtype bool"}},
		{"a mask of complex numbers", attend(q, k, v, mask(dtype.Complex64, 5, 7)), "m.npy", "mask of dtype complex64: want bool, true where a query attends, or a float that is added to the scores", nil},
	})
}
