package blocks

import (
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/ops"
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

// array is one without data, of which nothing is read.
func array(name string, dims ...int) graph.Array { return typed(dtype.Float32, name, dims...) }

func typed(t dtype.Type, name string, dims ...int) graph.Array {
	return &graphtest.Mem{Label: name, Type: t, Dims: dims}
}

func keras(name string, dims ...int) ops.Weights {
	return ops.Weights{Kernel: array(name, dims...), Layout: ops.Keras}
}

var (
	toFloat = []string{"convert it first: fusectl convert FILE --dtype float32 then ..."}
	inKeras = []string{"weights are read in keras's order; --weight-layout says otherwise"}
	inConvs = []string{"kernels are read as (h,w,in/groups,out); --weight-layout says otherwise"}
)

func TestGatesRefuseByName(t *testing.T) {
	x, i := array("x.npy", 2, 9, 8, 6), typed(dtype.Int8, "i.npy", 2, 9, 8, 6)
	se := func(x graph.Array, fc1, fc2 ops.Weights) error { _, err := SE(x, fc1, fc2, shape.NHWC); return err }
	cbam := func(x graph.Array, fc1, fc2, s ops.Weights) error {
		_, err := CBAM(x, fc1, fc2, s, "mean,max", shape.NHWC)
		return err
	}
	fc1, fc2, s := keras("fc1.npy", 6, 3), keras("fc2.npy", 3, 6), keras("s.npy", 7, 7, 2, 1)
	biased := func(w ops.Weights) ops.Weights { w.Bias = array("b.npy", 9); return w }
	checkRefusals(t, []refusal{
		{"se of integers", se(i, fc1, fc2), "i.npy", "dtype int8: se takes float16, bfloat16, float32 or float64", toFloat},
		{"cbam of integers", cbam(i, fc1, fc2, s), "i.npy", "dtype int8: cbam takes float16, bfloat16, float32 or float64", toFloat},
		{"se of vectors", se(array("x.npy", 2, 6), fc1, fc2), "x.npy", "shape (2,6) has no positions to pool: want a feature map, such as nhwc", nil},
		{"se of no positions", se(array("x.npy", 2, 0, 8, 6), fc1, fc2), "x.npy", "shape (2,0,8,6): gap over axis 1 has no element", nil},
		{"cbam of no positions", cbam(array("x.npy", 2, 0, 8, 6), fc1, fc2, s), "x.npy", "shape (2,0,8,6): gap over axis 1 has no element", nil},
		{"se by a window", se(x, fc1, keras("fc2.npy", 3, 6, 1)), "fc2.npy", "shape (3,6,1): want a linear weight, (in,out) or (1,1,in,out)", nil},
		{"se to other channels", se(x, fc1, keras("fc2.npy", 3, 5)), "fc2.npy", "shape (3,5): gives 5 channels: want the 6 of x.npy, whose shape is (2,9,8,6), which they scale", nil},
		{"se by maps that don't follow", se(x, fc1, keras("fc2.npy", 4, 6)), "fc2.npy", "weight of shape (4,6) takes 4 channels: want (3,out) for the 3 of what is computed from x.npy, whose shape is (2,1,1,3)", inKeras},
		{"se with a bias of other channels", se(x, biased(fc1), fc2), "b.npy", "bias of shape (9,): want (3,), a number for each output channel", nil},
		{"cbam of no channels", cbam(array("x.npy", 2, 9, 8, 0), ops.Weights{}, ops.Weights{}, s), "x.npy", "shape (2,9,8,0): gap over axis 3 has no element", nil},
		{"cbam with a bias of other channels", cbam(x, biased(fc1), fc2, s), "b.npy", "bias of shape (9,): want (3,), a number for each output channel", nil},
		{"cbam from other channels", cbam(x, keras("fc1.npy", 5, 3), fc2, s), "fc1.npy", "weight of shape (5,3) takes 5 channels: want (6,out) for the 6 of x.npy, whose shape is (2,9,8,6)", inKeras},
		{"cbam by a window of one map", cbam(x, fc1, fc2, keras("s.npy", 7, 7, 1, 1)), "s.npy",
			"kernel of shape (7,7,1,1) takes 1 channels: want (7,7,in/groups,out), in being the 2 channels of what is computed from x.npy, whose shape is (2,9,8,2)", inConvs},
		{"cbam by a window that gives 5 maps", cbam(x, fc1, fc2, keras("s.npy", 7, 7, 2, 5)), "x.npy", "shape (2,9,8,5) does not broadcast with (2,9,8,6) of x.npy",
			[]string{"concat, add, mul and their like bring feature maps to one size with --align crop, pad or resize"}},
	})
}

func TestFPNRefuses(t *testing.T) {
	p3, p4, p5 := array("p3.npy", 2, 9, 6, 4), array("p4.npy", 2, 5, 3, 4), array("p5.npy", 2, 3, 2, 4)
	fpn := func(o FPNOptions, levels ...graph.Array) error {
		if o.Layout == "" {
			o.Layout = shape.NHWC
		}
		_, err := FPN(levels, o)
		return err
	}
	one, three := keras("w.npy", 4, 4), keras("w.npy", 3, 3, 4, 4)
	bad := keras("w.npy", 3, 3, 5, 4)
	biased := ops.Weights{Bias: array("b.npy", 9)}
	conv := func(shape, want string) string {
		return "kernel of shape (3,3,5,4) takes 5 channels: want (3,3,in/groups,out), in being the 4 channels of what is computed from " + want + ", whose shape is " + shape
	}
	conv64 := func(want string) string {
		return "kernel of shape (3,3,5,4) takes 5 channels: want (3,3,in/groups,out), in being the 4 channels of " + want
	}
	number := func(flag string, got, want int) string {
		n := map[int]string{1: "1", 2: "2", 3: "3"}
		return "--" + flag + " names " + n[got] + " weights: want " + n[want] + " for 3 levels, or none"
	}
	checkRefusals(t, []refusal{
		{"one level", fpn(FPNOptions{}, p3), "", "fpn needs at least 2 levels: got 1", nil},
		{"rank 2", fpn(FPNOptions{}, array("z.npy", 6, 4), array("y.npy", 3, 4)), "z.npy", "shape (6,4): a level of a pyramid has 1, 2 or 3 spatial axes, such as nhwc", nil},
		{"other ranks", fpn(FPNOptions{}, p3, array("y.npy", 2, 3, 4)), "y.npy", "shape (2,3,4): want as many dimensions as p3.npy has, whose shape is (2,9,6,4)", nil},
		{"no order", fpn(FPNOptions{}, p3, p5, p4), "p4.npy", "shape (2,5,3,4) is not in order of size: levels go from finest to coarsest or back", nil},
		{"few laterals", fpn(FPNOptions{Lateral: []ops.Weights{one}}, p3, p4, p5), "", number("lateral", 1, 3), nil},
		{"few outputs", fpn(FPNOptions{Output: []ops.Weights{three, three}}, p3, p4, p5), "", number("output-conv", 2, 3), nil},
		{"many down", fpn(FPNOptions{Down: []ops.Weights{three, three, three}}, p3, p4, p5), "", number("down-conv", 3, 2), nil},
		{"few bottom-up", fpn(FPNOptions{BottomUpConv: []ops.Weights{three}}, p3, p4, p5), "", number("bottom-up-conv", 1, 2), nil},
		{"few extra", fpn(FPNOptions{ExtraConv: []ops.Weights{three}}, p3, p4, p5), "", number("extra-weight", 1, 2), nil},
		{"integers", fpn(FPNOptions{}, p3, typed(dtype.Int8, "i.npy", 2, 5, 3, 4)), "i.npy", "dtype int8: fpn takes float16, bfloat16, float32 or float64", toFloat},
		{"a lateral of other channels", fpn(FPNOptions{Lateral: []ops.Weights{one, keras("w.npy", 5, 4), one}}, p3, p4, p5), "w.npy", "weight of shape (5,4) takes 5 channels: want (4,out) for the 4 of p4.npy, whose shape is (2,5,3,4)", inKeras},
		{"other channels", fpn(FPNOptions{}, p3, array("y.npy", 2, 5, 3, 5)), "y.npy", "5 channels, its shape is (2,5,3,5): p3.npy has 4, its shape is (2,9,6,4)",
			[]string{"bring all levels to as many channels with 1x1 convolutions: --lateral w2.npy,w3.npy,..."}},
		{"another batch", fpn(FPNOptions{}, p3, array("y.npy", 3, 5, 3, 4)), "y.npy", "batch of 3, its shape is (3,5,3,4): p3.npy has 2, its shape is (2,9,6,4)", nil},
		{"no pixels", fpn(FPNOptions{}, p3, array("y.npy", 2, 0, 3, 4)), "y.npy", "shape (2,0,3,4) has no pixels to resize", nil},
		{"weights of other merges", fpn(FPNOptions{Merge: "weighted", MergeWeights: array("w.npy", 2, 3)}, p3, p4, p5), "w.npy", "shape (2,3): --merge-weights wants (2,2), a row for each merge, finest first", nil},
		{"integers as weights", fpn(FPNOptions{Merge: "weighted", MergeWeights: typed(dtype.Int8, "w.npy", 2, 2)}, p3, p4, p5), "w.npy", "dtype int8: --merge-weights wants float16, bfloat16, float32 or float64", nil},
		{"bottom-up weights of other merges", fpn(FPNOptions{Merge: "weighted", BottomUp: true, BottomUpMerge: array("w.npy", 3, 2)}, p3, p4, p5), "w.npy", "shape (3,2): --bottom-up-weights wants (2,2), a row for each merge, finest first", nil},
		{"levels that aren't halves", fpn(FPNOptions{BottomUp: true}, p3, p5), "p5.npy", "shape (2,3,2,4) is not half of (2,9,6,4) of p3.npy, rounded up: --bottom-up halves each level", nil},
		{"an output of other channels", fpn(FPNOptions{Output: []ops.Weights{three, bad, three}}, p3, p4, p5), "w.npy", conv64("p4.npy, whose shape is (2,5,3,4)"), inConvs},
		{"a bias of other channels", fpn(FPNOptions{Output: []ops.Weights{three, biased, three}}, p3, p4, p5), "b.npy", "bias of shape (9,): want (4,), a number for each output channel", nil},
		{"a way down of other channels", fpn(FPNOptions{BottomUp: true, Down: []ops.Weights{three, bad}}, p3, p4, p5), "w.npy", conv64("p4.npy, whose shape is (2,5,3,4)"), inConvs},
		{"bottom-up of other channels", fpn(FPNOptions{BottomUp: true, BottomUpConv: []ops.Weights{bad, three}}, p3, p4, p5), "w.npy", conv64("p4.npy, whose shape is (2,5,3,4)"), inConvs},
		{"p6p7 without weights", fpn(FPNOptions{Extra: "p6p7"}, p3, p4), "", "--extra p6p7 needs the weights of two convolutions", nil},
		{"p6 of other channels", fpn(FPNOptions{Extra: "p6p7", ExtraConv: []ops.Weights{bad, three}}, p3, p4), "w.npy", conv64("p4.npy, whose shape is (2,5,3,4)"), inConvs},
		{"p7 of other channels", fpn(FPNOptions{Extra: "p6p7", ExtraConv: []ops.Weights{three, bad}}, p3, p4), "w.npy", conv("(2,3,2,4)", "p4.npy"), inConvs},
		{"p6 by a matrix", fpn(FPNOptions{Extra: "p6p7", ExtraConv: []ops.Weights{one, three}}, p3, p4), "w.npy", "shape (4,4): want a kernel of 3, 4 or 5 dimensions, such as (h,w,in/groups,out)", nil},
		{"p6 by PyTorch's kernel of other channels", fpn(FPNOptions{Extra: "p6p7", ExtraConv: []ops.Weights{{Kernel: array("w.npy", 4, 5, 3, 3), Layout: ops.Torch}, three}}, p3, p4), "w.npy",
			"kernel of shape (4,5,3,3) takes 5 channels: want (out,in/groups,3,3), in being the 4 channels of p4.npy, whose shape is (2,5,3,4)",
			[]string{"kernels are read as (out,in/groups,h,w); --weight-layout says otherwise"}},
	})
}

func TestCrossModalRefuses(t *testing.T) {
	a, v, number := array("a.npy", 2, 9, 8, 6), array("v.npy", 2, 6), array("n.npy")
	modal := func(mode string, o CrossModalOptions, xs ...graph.Array) error {
		o.Layout = shape.NHWC
		_, err := CrossModal(xs, mode, o)
		return err
	}
	film := func(gamma, beta ops.Weights, xs ...graph.Array) error {
		return modal("film", CrossModalOptions{Gamma: gamma, Beta: beta}, xs...)
	}
	bilinear := func(o CrossModalOptions, xs ...graph.Array) error { return modal("bilinear", o, xs...) }
	project := func(i int, w ops.Weights) CrossModalOptions {
		return CrossModalOptions{Project: map[int]ops.Weights{i: w}}
	}
	w := keras("w.npy", 6, 4)
	checkRefusals(t, []refusal{
		{"another mode", modal("blend", CrossModalOptions{}, a, a), "", `unknown mode "blend": want one of concat, add, mul, gate, film, bilinear, attention`, nil},
		{"film of three", film(w, w, a, a, a), "", "mode film fuses 2 inputs: got 3", nil},
		{"attention of one", modal("attention", CrossModalOptions{}, a), "", "mode attention fuses 2 inputs: got 1", nil},
		{"film by a number", film(w, w, a, number), "n.npy", "shape () has no features for film", nil},
		{"bilinear of a number", bilinear(CrossModalOptions{}, number, a), "n.npy", "shape () has no features for bilinear", nil},
		{"film of other features", film(w, keras("b.npy", 5, 6), a, v), "b.npy", "weight of shape (5,6) takes 5 channels: want (6,out) for the 6 of v.npy, whose shape is (2,6)", inKeras},
		{"film to other features", film(w, w, a, v), "v.npy", "gives 4 features by --gamma or --beta: a.npy has 6 to scale and shift", nil},
		{"film of integers", film(ops.Weights{}, ops.Weights{}, a, typed(dtype.Int8, "i.npy", 2, 6)), "i.npy", "dtype int8: film takes float16, bfloat16, float32 or float64", toFloat},
		{"film of a map of other positions", film(ops.Weights{}, ops.Weights{}, a, array("b.npy", 2, 7, 8, 6)), "b.npy", "shape (2,7,8,6) does not broadcast with (2,9,8,6) of a.npy",
			[]string{"concat, add, mul and their like bring feature maps to one size with --align crop, pad or resize"}},
		{"film by a sequence", film(ops.Weights{}, ops.Weights{}, a, array("s.npy", 2, 3, 6)), "s.npy", "shape (2,3,6) beside a.npy, whose shape is (2,9,8,6): film wants as many dimensions, or vectors (N,D), which count for all positions", nil},
		{"film with a bias of other features", film(ops.Weights{Kernel: array("w.npy", 6, 6), Layout: ops.Keras, Bias: array("bias.npy", 5)}, ops.Weights{}, a, v), "bias.npy", "bias of shape (5,): want (6,), a number for each output channel", nil},
		{"film with a bias of other features that shifts", film(ops.Weights{}, ops.Weights{Bias: array("bias.npy", 5)}, a, v), "bias.npy", "bias of shape (5,): want (6,), a number for each output channel", nil},
		{"film shifting by other features", film(ops.Weights{}, w, a, v), "v.npy", "gives 4 features by --gamma or --beta: a.npy has 6 to scale and shift", nil},
		{"bilinear of integers", bilinear(CrossModalOptions{}, a, typed(dtype.Int8, "i.npy", 2, 6)), "i.npy", "dtype int8: bilinear takes float16, bfloat16, float32 or float64", toFloat},
		{"bilinear of other features", bilinear(CrossModalOptions{U: w}, a, v), "v.npy", "--v gives 6 features, --u gives 4 of a.npy: their product wants as many", nil},
		{"bilinear by other features", bilinear(CrossModalOptions{U: keras("u.npy", 5, 4)}, a, v), "u.npy", "weight of shape (5,4) takes 5 channels: want (6,out) for the 6 of a.npy, whose shape is (2,9,8,6)", inKeras},
		{"bilinear with a bias of other features", bilinear(CrossModalOptions{U: ops.Weights{Bias: array("bias.npy", 5)}}, a, v), "bias.npy", "bias of shape (5,): want (6,), a number for each output channel", nil},
		{"bilinear in groups that don't split", bilinear(CrossModalOptions{Factor: 4}, a, v), "", "6 features don't split into groups of --factor 4", nil},
		{"bilinear of maps of other positions", bilinear(CrossModalOptions{}, a, array("b.npy", 2, 7, 8, 6)), "b.npy", "shape (2,7,8,6) does not broadcast with (2,9,8,6) of a.npy",
			[]string{"concat, add, mul and their like bring feature maps to one size with --align crop, pad or resize"}},
		{"bilinear to other features", bilinear(CrossModalOptions{P: keras("p.npy", 5, 4)}, a, v), "p.npy", "weight of shape (5,4) takes 5 channels: want (6,out) for the 6 of a.npy, whose shape is (2,9,8,6)", inKeras},
		{"a projection of no input", modal("add", project(2, w), a, v), "", "--project 2: there are inputs 0 to 1", nil},
		{"a projection of a number", modal("add", project(1, w), a, number), "n.npy", "shape () has no features to project", nil},
		{"a projection in attention", modal("attention", project(2, w), a, v), "", "--project 2: there are inputs 0 to 1", nil},
		{"vectors of another batch", modal("add", CrossModalOptions{}, a, array("v.npy", 3, 6)), "v.npy", "shape (3,6): a batch of 3: want the 2 of a.npy, whose shape is (2,9,8,6)", nil},
		{"vectors of other features", modal("mul", CrossModalOptions{}, a, array("v.npy", 2, 5)), "v.npy", "shape (2,5): 5 features: want the 6 of a.npy, whose shape is (2,9,8,6)", nil},
		{"vectors joined along another axis", modal("concat", CrossModalOptions{Axis: 1}, a, v), "v.npy", "shape (2,6): vectors beside a.npy, whose shape is (2,9,8,6) join its features, which are axis 3: got axis 1",
			[]string{"--axis 3 joins them to the features of each position"}},
		{"vectors beside maps of other batches", modal("concat", CrossModalOptions{Axis: 3}, a, v, array("b.npy", 3, 9, 8, 6)), "b.npy", "shape (3,9,8,6): a batch of 3: want the 2 of a.npy, whose shape is (2,9,8,6)", nil},
		{"joined with a sequence", modal("concat", CrossModalOptions{Axis: 3}, a, v, array("s.npy", 2, 3, 6)), "s.npy", "shape (2,3,6) has 3 dimensions, (2,9,8,6) of a.npy has 4", nil},
		{"attention of a vector of another batch", modal("attention", CrossModalOptions{}, a, array("v.npy", 3, 6)), "v.npy", "shape (3,6): a batch of 3: want the 2 of a.npy, whose shape is (2,9,8,6)", nil},
	})
}

func TestAttentionRefuses(t *testing.T) {
	x, words, wide := array("x.npy", 2, 5, 6), array("c.npy", 2, 7, 6), array("c.npy", 2, 7, 4)
	attend := func(x graph.Array, o AttentionOptions) error {
		o.Layout = shape.NHWC
		_, err := Attention(x, o)
		return err
	}
	heads := array("h.npy", 2, 3, 5, 4)
	w := keras("w.npy", 6, 4)
	checkRefusals(t, []refusal{
		{"nothing", attend(nil, AttentionOptions{}), "", "attention needs an input X, or --query, --key and --value", nil},
		{"a query alone", attend(nil, AttentionOptions{Query: x}), "", "--query, --key and --value go together, without X and --context", nil},
		{"a query beside X", attend(x, AttentionOptions{Query: x, Key: x, Value: x}), "", "--query, --key and --value go together, without X and --context", nil},
		{"a query with a residual", attend(nil, AttentionOptions{Query: x, Key: x, Value: x, Residual: true}), "", "--residual and --spatial need an input X", nil},
		{"a vector", attend(array("x.npy", 6), AttentionOptions{}), "x.npy", "shape (6,): attention takes at least 2 dimensions", nil},
		{"positions of a matrix", attend(array("x.npy", 5, 6), AttentionOptions{Spatial: true}), "x.npy", "shape (5,6): attention takes at least 3 dimensions", nil},
		{"integers", attend(typed(dtype.Int8, "i.npy", 2, 5, 6), AttentionOptions{}), "i.npy", "dtype int8: attention takes float16, bfloat16, float32 or float64", toFloat},
		{"an integer weight", attend(x, AttentionOptions{Form: "concatenation", WF: typed(dtype.Int8, "wf.npy", 12)}), "wf.npy", "dtype int8: attention takes float16, bfloat16, float32 or float64", toFloat},
		{"queries by other features", attend(x, AttentionOptions{WQ: keras("w.npy", 5, 4)}), "w.npy", "weight of shape (5,4) takes 5 channels: want (6,out) for the 6 of x.npy, whose shape is (2,5,6)", inKeras},
		{"keys of other features", attend(x, AttentionOptions{Context: wide}), "c.npy", "keys of shape (2,7,4) have 4 features, queries of shape (2,5,6) have 6: want as many", nil},
		{"queries mapped alone", attend(x, AttentionOptions{WQ: w}), "x.npy", "keys of shape (2,5,6) have 6 features, queries of shape (2,5,4) have 4: want as many",
			[]string{"--wq maps the queries: --wk has to map the keys to as many features"}},
		{"keys mapped alone", attend(x, AttentionOptions{Context: words, WK: w}), "c.npy", "keys of shape (2,7,4) have 4 features, queries of shape (2,5,6) have 6: want as many",
			[]string{"--wk maps the keys: --wq has to map the queries to as many features"}},
		{"keys of fewer heads", attend(x, AttentionOptions{Heads: 3, WQ: keras("q.npy", 6, 12), WK: w, WV: w}), "x.npy", "keys of shape (2,5,4) have 4 features, queries of shape (2,5,12) have 12: want as many a head, of 3 and 3 heads",
			[]string{"--kv-heads 1 gives keys and values heads of 4 features, as queries have them"}},
		{"heads that don't split", attend(x, AttentionOptions{Heads: 4}), "x.npy", "6 features don't split into 4 heads", nil},
		{"values of more heads that don't split", attend(x, AttentionOptions{Heads: 3, KVHeads: 4, WK: keras("w.npy", 6, 8)}), "x.npy", "6 features don't split into 4 heads", nil},
		{"values of heads that don't split", attend(x, AttentionOptions{Heads: 3, WV: w}), "x.npy", "4 features don't split into 3 heads", nil},
		{"heads of projected heads", attend(nil, AttentionOptions{Heads: 2, Query: heads, Key: heads, Value: heads}), "", "--heads splits features of sequences; projected inputs of 4 dimensions have their heads on the second axis", nil},
		{"another batch", attend(x, AttentionOptions{Context: array("c.npy", 3, 7, 6)}), "c.npy", "keys of shape (3,7,6) and queries of shape (2,5,6) differ in their leading axes", nil},
		{"a residual of other features", attend(x, AttentionOptions{Residual: true, WO: w}), "x.npy", "shape (2,5,6) can't be added to the attention's result of shape (2,5,4): --residual wants equal shapes",
			[]string{"an output projection of the input's width makes them equal"}},
		{"a residual by a window", attend(x, AttentionOptions{Residual: true, WO: keras("w.npy", 6)}), "w.npy", "shape (6,): want a linear weight, (in,out) or (1,1,in,out)", nil},
		{"a result by other features", attend(x, AttentionOptions{WO: keras("w.npy", 5, 4)}), "w.npy", "weight of shape (5,4) takes 5 channels: want (6,out) for the 6 of x.npy, whose shape is (2,5,6)", inKeras},
	})
}
