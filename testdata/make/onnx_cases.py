"""ONNX's own node tests of what fusectl computes, each as one command line, with the results of ONNX's reference.

    python3 onnx_cases.py FOLDER

A node test is a graph of one operator, its inputs and its outputs. What concerns fusion, pooling, products, elementwise arithmetic,
reduction, normalisation and arrangement is said by a rule for each operator below, which turns attributes and constant inputs into flags; the
rest of the inputs are arrays. Tests that fusectl can't say are listed with the reason in FOLDER/../onnx.txt, one a line.
"""
import collections
import pathlib
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

from golden import EXACT, Golden, rel

for name, kind in (("float", float), ("bool", bool), ("int", int), ("object", object)):
    setattr(np, name, kind)  # of which onnx 1.12 makes use and NumPy 1.24 has none
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

g = Golden(sys.argv[1], f"onnx {onnx.__version__}")
FLOAT = rel(5e-6, "ONNX's reference computes in float32")
HALF = rel(1e-3, "one rounding to float16, of half a unit in 11 bits")


class Unsaid(Exception):
    """Why a test has no command line."""


class Node:
    """A node test: its attributes, and its inputs by their place, None where one is left out."""

    def __init__(self, test):
        (self.node,) = test.model.graph.node
        inputs, self.wants = test.data_sets[0]
        named = dict(zip((i.name for i in test.model.graph.input), inputs))
        self.inputs = [named.get(n) if n else None for n in self.node.input]
        self.attributes = {a.name: helper.get_attribute_value(a) for a in self.node.attribute}
        self.short = test.name.removeprefix("test_").replace("_", "-")

    def get(self, name, default=None):
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def value(self, i, default=None):
        """A constant input, or the attribute's default where it is left out."""
        return self.inputs[i] if i < len(self.inputs) and self.inputs[i] is not None else default

    def array(self, i):
        """The path of an input that is an array."""
        x = np.asarray(self.inputs[i])
        if x.dtype == object or x.dtype.kind in "US":
            raise Unsaid("texts")
        return g.put(f"onnx_{self.short}_{i}", x)

    def arrays(self):
        return [self.array(i) for i in range(len(self.inputs))]

    @property
    def x(self):
        return np.asarray(self.inputs[0])


def numbers(values):
    return ",".join(f"{v:.9g}" if isinstance(v, float) else str(int(v)) for v in np.asarray(values).reshape(-1).tolist())


RULES = {}


def rule(*operators, tol=None):
    def add(f):
        for operator in operators:
            RULES[operator] = (f, tol)
        return f
    return add


def elementwise(command):
    def words(n):
        return [command, *n.arrays()]
    return words


for operator, command in {"Add": "add", "Sum": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow", "Max": "maximum", "Min": "minimum", "Mean": "average"}.items():
    RULES[operator] = (elementwise(command), None)


@rule("Div")
def div(n):
    if n.x.dtype.kind in "iu":
        raise Unsaid("a quotient of integers that is rounded to an integer")
    return ["div", *n.arrays()]


@rule("Pow")
def power(n):
    words = ["pow", *n.arrays()]
    if n.inputs[1].dtype != n.x.dtype:  # ONNX's result has the type of the base
        words += ["--dtype", n.x.dtype.name]
    return words


def activation(name, **flags):
    """An activation whose flags are attributes: flag=(attribute, ONNX's default)."""
    def words(n):
        out = ["act", n.array(0), "--activation", name]
        for flag, (attribute, default) in flags.items():
            out += [f"--{flag}", f"{n.get(attribute, default):.9g}"]
        return out
    return words


for operator, (name, flags) in {
    "Abs": ("abs", {}), "Neg": ("neg", {}), "Sqrt": ("sqrt", {}), "Exp": ("exp", {}), "Log": ("log", {}), "Reciprocal": ("reciprocal", {}), "Sign": ("sign", {}),
    "Sin": ("sin", {}), "Cos": ("cos", {}), "Erf": ("erf", {}), "Ceil": ("ceil", {}), "Floor": ("floor", {}), "Round": ("round", {}), "Relu": ("relu", {}),
    "Sigmoid": ("sigmoid", {}), "Tanh": ("tanh", {}), "Softplus": ("softplus", {}), "Softsign": ("softsign", {}), "HardSwish": ("hardswish", {}),
    "Celu": ("celu", {"alpha": ("alpha", 1.0)}), "Elu": ("elu", {"alpha": ("alpha", 1.0)}), "LeakyRelu": ("leaky-relu", {"alpha": ("alpha", 0.01)}),
    "HardSigmoid": ("hard-sigmoid", {"alpha": ("alpha", 0.2), "beta": ("beta", 0.5)}), "ThresholdedRelu": ("thresholded-relu", {"threshold": ("alpha", 1.0)}),
}.items():
    RULES[operator] = (activation(name, **flags), None)


@rule("Selu")
def selu(n):
    alpha, gamma = n.get("alpha"), n.get("gamma")
    if alpha is None and gamma is None:
        return ["act", n.array(0), "--activation", "selu"]
    return ["act", n.array(0), "--activation", "elu", "--alpha", f"{alpha:.9g}", "then", "mul", "-", f"{gamma:.9g}"]


@rule("Shrink")
def shrink(n):
    bias, lambd = n.get("bias", 0.0), n.get("lambd", 0.5)
    if bias not in (0.0, lambd):
        raise Unsaid("a shrink whose bias is neither 0 nor the threshold")
    return ["act", n.array(0), "--activation", "soft-shrink" if bias else "hard-shrink", "--threshold", f"{lambd:.9g}"]


@rule("PRelu")
def prelu(n):
    return ["act", n.array(0), "--activation", "prelu", "--slope", n.array(1), "--layout", "nchw"]


@rule("Clip")
def clip(n):
    words = ["act", n.array(0), "--activation", "clip"]
    for i, flag in ((1, "--min"), (2, "--max")):
        if n.value(i) is not None:
            words += [flag, f"{np.asarray(n.value(i)).item():.9g}"]
    return words if len(words) > 4 else ["convert", n.array(0)]


def along(name, default=-1):
    def words(n):
        return ["act", n.array(0), "--activation", name, "--axis", str(n.get("axis", default))]
    return words


for operator, name in {"Softmax": "softmax", "LogSoftmax": "log-softmax", "Hardmax": "hardmax"}.items():
    RULES[operator] = (along(name), None)


def reduction(op):
    def words(n):
        axes = n.get("axes")
        if axes is None and n.value(1) is not None:
            axes = n.value(1).tolist()
        keep = n.get("keepdims", 1)
        if not axes and n.get("noop_with_empty_axes", 0):
            return ["convert", n.array(0)]
        out = ["reduce", n.array(0), "--op", op]
        if axes:
            out += ["--axes", numbers(axes)]
        return out + (["--keepdims"] if keep else [])
    return words


for operator, op in {"ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod", "ReduceL1": "l1", "ReduceL2": "l2",
                     "ReduceSumSquare": "sum-square", "ReduceLogSum": "log-sum", "ReduceLogSumExp": "logsumexp"}.items():
    RULES[operator] = (reduction(op), None)


def index_of(op):
    def words(n):
        if n.get("select_last_index", 0):
            raise Unsaid("the last of several equal elements")
        return ["reduce", n.array(0), "--op", op, "--axes", str(n.get("axis", 0))] + (["--keepdims"] if n.get("keepdims", 1) else [])
    return words


RULES["ArgMax"] = (index_of("argmax"), None)
RULES["ArgMin"] = (index_of("argmin"), None)


def padding(n):
    """ONNX's pads, all beginnings and then all ends, or its auto_pad."""
    auto = n.get("auto_pad", "NOTSET")
    if auto == "SAME_UPPER":
        return ["--padding", "same"]
    if auto == "SAME_LOWER":
        return ["--padding", "same-lower"]
    pads = n.get("pads")
    if not pads or not any(pads):
        return []
    half = len(pads) // 2
    return ["--padding", ",".join(f"{a}:{b}" for a, b in zip(pads[:half], pads[half:]))]


def listed(n, **flags):
    return [word for flag, attribute in flags.items() if n.get(attribute) for word in (f"--{flag.replace('_', '-')}", numbers(n.get(attribute)))]


@rule("MaxPool", "AveragePool", "LpPool")
def pool(n):
    if len(n.node.output) > 1:
        raise Unsaid("indices of maxima")
    words = ["pool", n.array(0), "--layout", "nchw", "--window", numbers(n.get("kernel_shape")), "--stride", numbers(n.get("strides", [1]))]
    words += listed(n, dilation="dilations") + padding(n) + (["--ceil-mode"] if n.get("ceil_mode", 0) else [])
    if n.node.op_type == "AveragePool":
        words += ["--mode", "average"] + (["--count-include-pad"] if n.get("count_include_pad", 0) else [])
    return words


@rule("GlobalAveragePool")
def gap(n):
    return ["gap", n.array(0), "--layout", "nchw", "--keepdims"]


@rule("GlobalMaxPool")
def gmp(n):
    return ["gmp", n.array(0), "--layout", "nchw", "--keepdims"]


@rule("Conv", "ConvTranspose")
def conv(n):
    words = ["conv", n.array(0), "--layout", "nchw", "--weight", n.array(1)] + (["--bias", n.array(2)] if n.value(2) is not None else [])
    words += listed(n, stride="strides", dilation="dilations") + padding(n)
    if n.get("group", 1) > 1:
        words += ["--groups", str(n.get("group"))]
    if n.node.op_type == "ConvTranspose":
        words += ["--transpose"] + (listed(n, output_size="output_shape") or listed(n, output_padding="output_padding"))
    return words


@rule("BatchNormalization")
def batch_norm(n):
    if n.get("training_mode", 0):
        raise Unsaid("training")
    scale, bias, mean, variance = (n.array(i) for i in range(1, 5))
    return ["norm", n.array(0), "--kind", "batch", "--layout", "nchw", "--weight", scale, "--bias", bias, "--mean", mean, "--variance", variance, "--eps", f"{n.get('epsilon', 1e-5):.9g}"]


@rule("InstanceNormalization")
def instance_norm(n):
    return ["norm", n.array(0), "--kind", "instance", "--layout", "nchw", "--weight", n.array(1), "--bias", n.array(2), "--eps", f"{n.get('epsilon', 1e-5):.9g}"]


@rule("LayerNormalization")
def layer_norm(n):
    axis = n.get("axis", -1)
    axes = list(range(axis, 0)) if axis < 0 else list(range(axis, n.x.ndim))
    return ["norm", n.array(0), "--kind", "layer", "--axes", numbers(axes), "--weight", n.array(1), "--bias", n.array(2), "--eps", f"{n.get('epsilon', 1e-5):.9g}"]


@rule("MeanVarianceNormalization")
def mean_variance(n):
    return ["norm", n.array(0), "--kind", "layer", "--axes", numbers(n.get("axes", [0, 2, 3])), "--eps", "1e-9"]


@rule("Concat", tol=EXACT)
def concat(n):
    return ["concat", *n.arrays(), "--axis", str(n.get("axis"))]


def permutation(perm):
    letters = [chr(ord("a") + i) for i in range(len(perm))]
    return f"{' '.join(letters)} -> {' '.join(letters[p] for p in perm)}"


@rule("Transpose", tol=EXACT)
def transpose(n):
    return ["rearrange", n.array(0), permutation(n.get("perm", list(range(n.x.ndim))[::-1]))]


@rule("DepthToSpace", tol=EXACT)
def depth_to_space(n):
    p = n.get("blocksize")
    pattern = "n (p q c) h w -> n c (h p) (w q)" if n.get("mode", "DCR") == "DCR" else "n (c p q) h w -> n c (h p) (w q)"
    return ["rearrange", n.array(0), pattern, "--sizes", f"p={p},q={p}"]


@rule("SpaceToDepth", tol=EXACT)
def space_to_depth(n):
    p = n.get("blocksize")
    return ["rearrange", n.array(0), "n c (h p) (w q) -> n (p q c) h w", "--sizes", f"p={p},q={p}"]


@rule("Einsum")
def einsum(n):
    return ["einsum", n.get("equation"), *n.arrays()]


@rule("MatMul")
def matmul(n):
    return ["matmul", *n.arrays()]


@rule("Gemm")
def gemm(n):
    words = ["matmul", n.array(0), n.array(1)] + (["--transpose-a"] if n.get("transA", 0) else []) + (["--transpose-b"] if n.get("transB", 0) else [])
    alpha, beta = n.get("alpha", 1.0), n.get("beta", 1.0)
    if n.value(2) is None:
        return words + (["then", "mul", "-", f"{alpha:.9g}"] if alpha != 1 else [])
    return words + ["then", "add", "-", n.array(2), "--coef", f"{alpha:.9g},{beta:.9g}"]


@rule("Reshape", "Flatten", "Squeeze", "Unsqueeze", tol=EXACT)
def reshape(n):
    (want,) = n.wants
    if want.size == 0:
        return ["reshape", n.array(0), "--shape", numbers(want.shape)]
    return ["reshape", n.array(0), "--shape", numbers((-1, *want.shape[1:]) if want.ndim else [])]


@rule("Expand", tol=EXACT)
def expand(n):
    (want,) = n.wants
    extra = want.ndim - n.x.ndim
    left = [f"a{i}" if s > 1 or want.shape[extra + i] == 1 else "1" for i, s in enumerate(n.x.shape)]
    right = [str(want.shape[i]) for i in range(extra)] + [l if l != "1" else str(want.shape[extra + i]) for i, l in enumerate(left)]
    return ["repeat", n.array(0), f"{' '.join(left)} -> {' '.join(right)}"]


@rule("Tile", tol=EXACT)
def tile(n):
    left = [f"a{i}" for i in range(n.x.ndim)]
    return ["repeat", n.array(0), f"{' '.join(left)} -> {' '.join(f'({t} {l})' for t, l in zip(n.inputs[1].tolist(), left))}"]


@rule("Identity", tol=EXACT)
def identity(n):
    if not isinstance(n.inputs[0], np.ndarray):
        raise Unsaid("sequences and optional values")
    return ["convert", n.array(0)]


@rule("Slice", tol=EXACT)
def cut(n):
    starts, ends = n.inputs[1].tolist(), n.inputs[2].tolist()
    axes = n.value(3, np.arange(len(starts))).tolist()
    steps = n.value(4, np.ones(len(starts), int)).tolist()
    words = [":"] * n.x.ndim
    for a, s, e, step in zip(axes, starts, ends, steps):
        words[a] = f"{s}:{e}:{step}" if step != 1 else f"{s}:{e}"
    return ["convert", f"{n.array(0)}[{','.join(words)}]"]


@rule("Gather", tol=EXACT)
def gather(n):
    at = np.asarray(n.inputs[1])
    if at.ndim:
        raise Unsaid("a list of indices")
    return ["convert", f"{n.array(0)}[{','.join([':'] * n.get('axis', 0) + [str(at.item())])}]"]


@rule("Split", tol=EXACT)
def split(n):
    axis = n.get("axis", 0)
    sizes = [w.shape[axis] for w in n.wants]
    return ["split", n.array(0), "--axis", str(axis), "--sizes", numbers(sizes)]


@rule("Pad", tol=EXACT)
def pad(n):
    pads = n.inputs[1].tolist()
    half = len(pads) // 2
    words = ["pad", n.array(0), "--pad", ",".join(f"{a}:{b}" for a, b in zip(pads[:half], pads[half:])), "--mode", n.get("mode", "constant")]
    if n.value(2) is not None:
        words += ["--value", f"{np.asarray(n.value(2)).item():.9g}"]
    return words


@rule("Cast", "CastLike", tol=EXACT)
def cast(n):
    (want,) = n.wants
    if np.asarray(want).dtype == object or n.x.dtype == object:
        raise Unsaid("texts")
    to = n.get("to") if n.node.op_type == "Cast" else None
    if "BFLOAT16" in n.short:
        raise Unsaid("bfloat16, which ONNX's tests store as integers")
    return ["convert", n.array(0), "--dtype", np.asarray(want).dtype.name]


@rule("Resize", "Upsample")
def resize(n):
    coordinates = n.get("coordinate_transformation_mode", "half_pixel" if n.node.op_type == "Resize" else "asymmetric")
    if coordinates == "tf_crop_and_resize":
        raise Unsaid("resizing of a region of interest")
    at = 1 if n.node.op_type == "Upsample" else 2
    scales, sizes = n.value(at), n.value(3)
    mode = {"nearest": "nearest", "linear": "linear", "cubic": "cubic"}[n.get("mode", "nearest")]
    words = ["resize", n.array(0), "--layout", "nchw", "--mode", mode]
    if scales is not None and len(scales):
        words += ["--scale", numbers(scales[2:])]
        if coordinates == "align_corners" and any(s * e % 1 for s, e in zip(scales.tolist(), n.x.shape)):
            raise Unsaid("corners aligned by extents that aren't rounded")
    else:
        words += ["--size", numbers(sizes[2:])]
    words += ["--coordinates", coordinates.replace("_", "-")]
    if mode == "nearest":
        words += ["--nearest", n.get("nearest_mode", "round_prefer_floor" if n.node.op_type == "Resize" else "floor").replace("_", "-")]
    if n.get("cubic_coeff_a") is not None:
        words += ["--cubic-coeff", f"{n.get('cubic_coeff_a'):.9g}"]
    if n.get("exclude_outside", 0) and mode == "cubic":
        words += ["--exclude-outside"]
    return words


# What concerns fusion and has no rule: these operators are of the same families.
CONCERN = set(RULES) | {"And", "Or", "Xor", "Mod", "CumSum", "Where", "LRN", "MaxUnpool", "GatherElements", "Compress", "Trilu", "Tan", "Sinh", "Cosh"}

said, unsaid = collections.Counter(), {}
for test in sorted(collect_testcases(None), key=lambda t: t.name):
    if len(test.model.graph.node) != 1 or test.model.graph.node[0].op_type not in CONCERN:
        continue
    node = Node(test)
    try:
        if node.node.op_type not in RULES:
            raise Unsaid(f"no command for {node.node.op_type}")
        make, tol = RULES[node.node.op_type]
        words = make(node)
    except Unsaid as why:
        unsaid[node.short] = str(why)
        continue
    want = np.asarray(node.wants[0])
    if node.node.op_type in ("Add", "Sub", "Mul", "Div", "Max", "Min", "MaxPool", "GlobalMaxPool", "Abs", "Neg", "Ceil", "Floor", "Round", "Sqrt", "Relu") or "nearest" in words:
        tol = EXACT
    if tol is None:
        tol = EXACT if want.dtype.kind not in "fc" else HALF if want.dtype == np.float16 else FLOAT
    command = words[0]
    if len(node.wants) > 1 and command == "split":
        for i, want in enumerate(node.wants):
            g.case(f"{command}/onnx/{node.short}-{i}", [*words, "-o", "{dir}/{}.npy"], want, tol, "its node test", out=f"{i}.npy")
    else:
        g.case(f"{command}/onnx/{node.short}", words, want, tol, "its node test")
    said[node.short] += 1

with open(pathlib.Path(sys.argv[1]) / "onnx.txt", "w", encoding="utf-8") as out:
    for name, why in sorted(unsaid.items()):
        out.write(f"{name}: {why}\n")
print(f"onnx: {len(said)} node tests said, {len(unsaid)} not", file=sys.stderr)
