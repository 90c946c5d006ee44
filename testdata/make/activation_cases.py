"""The activations of act, by PyTorch; those of integers, by NumPy.

PyTorch computes in float64 from the inputs as they are stored; NumPy rounds the result once.

    python3 activation_cases.py FOLDER
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden import EXACT, Golden, code, grid, rel, ulp

g = Golden(sys.argv[1], f"torch {torch.__version__}")
torch.set_num_threads(1)

SPECIAL = [0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1e-8, -1e-8, 0.001, -0.001, 0.5, -0.5, 1, -1, 2.5, 3.5, -2.5, -3, 3, 6, 10, 20, 25,
           -20, 88, -88, -104, 1000, -1000, 1e5, -1e5, 1e30, -1e30]
ONCE = ulp(1, "both round once, from float64 results that differ in their last places")
DOUBLE = ulp(16, "exponentials, logarithms and quotients round in PyTorch, too")


def elu(a, b=1, scale=1):
    """scale·x, or a·(e^(x/b) - 1), of which F.elu loses small values, since it subtracts 1 from an exponential."""
    def f(v):
        want = torch.where(v > 0, scale * v, a * torch.expm1(v / b))
        torch.testing.assert_close(want, F.selu(v) if scale != 1 else F.celu(v, b) if b != 1 else F.elu(v, a), rtol=1e-15, atol=1e-15, equal_nan=True)
        return want
    return f


# Name, what the case is of, the function, flags; whether nothing rounds.
ELEMENTWISE = [
    ("relu", "", F.relu, [], True), ("relu6", "", F.relu6, [], True),
    ("leaky-relu", "", F.leaky_relu, [], False), ("leaky-relu", "-yolo", lambda v: F.leaky_relu(v, 0.1), ["--alpha", "0.1"], False),
    ("rrelu", "", F.rrelu, [], False),
    ("thresholded-relu", "", lambda v: F.threshold(v, 1, 0), [], True),
    ("thresholded-relu", "-low", lambda v: F.threshold(v, -0.5, 0), ["--threshold", "-0.5"], True),
    ("threshold", "", lambda v: F.threshold(v, 0.25, -3), ["--threshold", "0.25", "--value", "-3"], True),
    ("elu", "", elu(1), [], False), ("elu", "-alpha", elu(0.3), ["--alpha", "0.3"], False),
    ("selu", "", elu(1.0507009873554805 * 1.6732632423543772, 1, 1.0507009873554805), [], False),
    ("celu", "", elu(1), [], False), ("celu", "-alpha", elu(2.5, 2.5), ["--alpha", "2.5"], False),
    ("gelu", "", F.gelu, [], False), ("gelu-tanh", "", lambda v: F.gelu(v, approximate="tanh"), [], False),
    ("quick-gelu", "", lambda v: v * torch.sigmoid(1.702 * v), [], False), ("silu", "", F.silu, [], False),
    ("hardswish", "", F.hardswish, [], False), ("mish", "", F.mish, [], False),
    ("softplus", "", F.softplus, [], False), ("softplus", "-beta", lambda v: F.softplus(v, 2, 5), ["--beta", "2", "--threshold", "5"], False),
    ("sigmoid", "", torch.sigmoid, [], False), ("hard-sigmoid", "", F.hardsigmoid, [], False),
    ("hard-sigmoid", "-keras2", lambda v: (0.2 * v + 0.5).clamp(0, 1), ["--alpha", "0.2", "--beta", "0.5"], False),
    ("log-sigmoid", "", F.logsigmoid, [], False), ("tanh", "", torch.tanh, [], False), ("softsign", "", F.softsign, [], False),
    ("hard-tanh", "", F.hardtanh, [], True), ("hard-tanh", "-bounds", lambda v: F.hardtanh(v, -2, 0.5), ["--min", "-2", "--max", "0.5"], True),
    ("hard-shrink", "", F.hardshrink, [], True), ("hard-shrink", "-wide", lambda v: F.hardshrink(v, 2), ["--threshold", "2"], True),
    ("soft-shrink", "", F.softshrink, [], False), ("soft-shrink", "-wide", lambda v: F.softshrink(v, 2), ["--threshold", "2"], False),
    ("tanh-shrink", "", F.tanhshrink, [], False),
    ("abs", "", torch.abs, [], True), ("neg", "", torch.neg, [], True), ("sign", "", torch.sign, [], True),
    ("square", "", torch.square, [], False), ("sqrt", "", torch.sqrt, [], False), ("rsqrt", "", torch.rsqrt, [], False),
    ("reciprocal", "", torch.reciprocal, [], False),
    ("exp", "", torch.exp, [], False), ("expm1", "", torch.expm1, [], False), ("log", "", torch.log, [], False), ("log1p", "", torch.log1p, [], False),
    ("erf", "", torch.erf, [], False), ("sin", "", torch.sin, [], False), ("cos", "", torch.cos, [], False),
    ("floor", "", torch.floor, [], True), ("ceil", "", torch.ceil, [], True), ("round", "", torch.round, [], True),
    ("clip", "", lambda v: v.clamp(-1.5, 3), ["--min", "-1.5", "--max", "3"], True),
    ("clip", "-min", lambda v: v.clamp(min=0.5), ["--min", "0.5"], True), ("clip", "-max", lambda v: v.clamp(max=-0.5), ["--max", "-0.5"], True),
]
# Differences of nearly equal numbers in PyTorch: where those are small, few of its digits are right.
CANCELLING = {"gelu": lambda x: x > -2, "gelu-tanh": lambda x: x > -2, "tanh-shrink": lambda x: abs(x) > 0.3}


def t(a):
    return torch.from_numpy(np.ascontiguousarray(a).astype("f8"))


def rounded(tensor, dtype):
    with np.errstate(over="ignore"):
        return tensor.numpy().astype(dtype)


def elementwise():
    x = np.concatenate([SPECIAL, grid("activation", (45,), limit=8.0)])
    for dtype in ("f4", "f8", "f2"):
        with np.errstate(over="ignore"):
            stored = x.astype(dtype)
        for name, what, f, flags, plain in ELEMENTWISE:
            if dtype == "f2" and name not in ("leaky-relu", "selu", "gelu-tanh", "mish", "softplus", "log-sigmoid", "round", "log", "sin"):
                continue  # float16 is float32 rounded, whatever the function
            v, file = stored, f"activation_{dtype}"
            if name in CANCELLING:
                v = v[np.isnan(v) | CANCELLING[name](v.astype("f8")) | np.isinf(v)]
                file += f"_{name}"
            # PyTorch 1.13 makes 0 of NaN in softshrink and sign.
            want = np.where(np.isnan(v), np.nan, f(t(v)).numpy())
            with np.errstate(over="ignore"):
                want = want.astype(dtype)
            tol = ulp(0, "zeros of either sign are one value") if plain else DOUBLE if dtype == "f8" else ONCE
            g.case(f"act/torch/{name}{what}-{dtype}", ["act", g.put(file, v), "--activation", name, *flags], want, tol, f"{name} in float64")


def integers():
    for dtype in ("i1", "u1", "i2", "i8"):
        i = np.iinfo(dtype)
        x = np.array([i.min, i.min + 1, i.max, i.max - 1, 0, 1, 2, 3, 6, 7, 100, i.max // 3], dtype)
        x = np.append(x, -x[4:]).astype(dtype)
        file = g.put(f"activation_{code(dtype)}", x)
        for name, want, flags in [
            ("abs", np.abs(x), []), ("neg", np.negative(x), []), ("sign", np.sign(x), []), ("square", np.square(x), []),
            ("floor", x, []), ("ceil", x, []), ("round", x, []), ("relu", np.maximum(x, 0), []), ("relu6", np.clip(x, 0, 6), []),
            ("clip", np.clip(x, 2, 50), ["--min", "2", "--max", "50"]), ("hard-tanh", np.clip(x, 0, 1) if i.min == 0 else np.clip(x, -1, 1), []),
        ]:
            g.case(f"act/numpy/{name}-{code(dtype)}", ["act", file, "--activation", name, *flags], want.astype(dtype), EXACT, f"numpy, {name}")
        half = np.clip(x.astype("f8"), -0.5, 1.5)
        g.case(f"act/numpy/clip-half-{code(dtype)}", ["act", file, "--activation", "clip", "--min", "-0.5", "--max", "1.5"], half, EXACT, "numpy.clip of float64")
        g.case(f"act/torch/elu-{code(dtype)}", ["act", file, "--activation", "elu"], F.elu(t(x)).numpy(), DOUBLE, "elu in float64")


def hardmax(v, axis):
    one = F.one_hot(v.argmax(axis), v.shape[axis]).double()
    return torch.movedim(one, -1, axis)


def log_softmax(v, axis):
    """torch.log_softmax, which loses what the others add to the greatest's exponential where it is less than 1e-16."""
    top, at = v.max(axis, keepdim=True)
    rest = torch.exp(v - top).scatter(axis, at, 0).sum(axis, keepdim=True)
    want = v - top - torch.log1p(rest)
    torch.testing.assert_close(want, torch.log_softmax(v, axis), rtol=1e-14, atol=1e-14)
    return want


def gelu(v):
    """F.gelu, which cancels for v < 0."""
    want = v * torch.erfc(-v / 2**0.5) / 2
    torch.testing.assert_close(want, F.gelu(v), rtol=1e-14, atol=1e-14)
    return want


def gated(gate, first=False):
    def f(v, axis):
        a, b = v.chunk(2, axis)
        return gate(a) * b if first else a * gate(b)
    return f


ALONG = [
    ("softmax", "", torch.softmax, [], 2), ("log-softmax", "", log_softmax, [], 1), ("softmin", "", F.softmin, [], 2), ("hardmax", "", hardmax, [], 0),
    ("glu", "", F.glu, [], 1), ("reglu", "", gated(F.relu), [], 1), ("geglu", "", gated(gelu), [], 1), ("swiglu", "", gated(F.silu), [], 1),
    ("swiglu", "-first", gated(F.silu, True), ["--gate-first"], 1), ("geglu", "-first", gated(gelu, True), ["--gate-first"], 1),
]


def along():
    first = grid("activation along", (2, 6, 4, 2), limit=8.0)
    first[0, :, 0, 0] = [-1000, 0, 0, 40, 0, 0]  # far apart: the greatest's logarithm is nearly 0
    for dtype in ("f4", "f2", "f8"):
        for layout, x in (("nchw", first), ("nhwc", np.moveaxis(first, 1, -1))):
            x = np.ascontiguousarray(x).astype(dtype)
            file = g.put(f"activation_{dtype}_{layout}", x)
            for name, what, f, flags, n in ALONG:
                tol = ulp(0, "zeros of either sign are one value") if n == 0 else ulp(64, "exponentials and quotients round in PyTorch, too; of gelu, with the square of its argument") \
                    if dtype == "f8" else ulp(n, "one rounding, and one of softmax's exponential")
                for axis, more in (({"nchw": 1, "nhwc": -1}[layout], []), (0, ["--axis", "0"]), (2, ["--axis", "-2"])):
                    if more and dtype != "f4":
                        continue
                    where = f"-axis{axis}" if more else ""
                    g.case(f"act/torch/{name}{what}{where}-{dtype}-{layout}", ["act", file, "--activation", name, *flags, *more, "--layout", layout],
                           rounded(f(t(x), axis), dtype), tol, f"{name} in float64")
    x = grid("activation sequence", (2, 5, 8)).astype("f4")
    for name, _, f, _, n in ALONG[:8]:
        g.case(f"act/torch/{name}-sequence", ["act", g.put("activation_sequence", x), "--activation", name, "--layout", "nchw"],
               rounded(f(t(x), -1), "f4"), ulp(n, "one rounding, and one of softmax's exponential"), f"{name} in float64")


def slopes():
    first = grid("activation prelu", (2, 6, 4, 3), limit=8.0)
    for dtype in ("f4", "f2", "f8"):
        each = grid("activation slopes", (6,), limit=1.0).astype(dtype)
        for layout, x in (("nchw", first), ("nhwc", np.moveaxis(first, 1, -1))):
            x = np.ascontiguousarray(x).astype(dtype)
            file = g.put(f"activation_prelu_{dtype}_{layout}", x)
            for what, w in (("channels", each), ("one", each[:1])):
                want = F.prelu(t(np.moveaxis(x, -1, 1) if layout == "nhwc" else x), t(w)).numpy()
                want = np.moveaxis(want, 1, -1) if layout == "nhwc" else want
                g.case(f"act/torch/prelu-{what}-{dtype}-{layout}",
                       ["act", file, "--activation", "prelu", "--slope", g.put(f"activation_slope_{what}_{dtype}", w), "--layout", layout],
                       want.astype(dtype), ulp(1, "one rounding"), "prelu in float64")


for part in (elementwise, integers, along, slopes):
    part()
