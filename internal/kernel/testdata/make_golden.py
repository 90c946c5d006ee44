"""Writes golden.json beside itself: what NumPy, PyTorch and mpmath compute, as
hexadecimal bytes of little-endian elements. Made with Python 3, numpy 1.24, torch
1.13 and mpmath 1.2:

    python3 internal/kernel/testdata/make_golden.py
"""

import json
import os
import warnings

import mpmath
import numpy as np
import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")

FIRST = ["exp", "log", "tanh", "phi", "sigmoid"]
KINDS = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
         "float16 float32 float64 complex64 complex128").split()
FLOATS = ["float32", "float64"]
inf, nan = float("inf"), float("nan")


def hexed(a):
    return np.ascontiguousarray(a).tobytes().hex()


def values(kind):
    """Numbers whose conversion to anything is defined but to integers, if inexact."""
    t = np.dtype(kind)
    if kind == "bool":
        return np.array([False, True])
    if t.kind in "iu":
        i = np.iinfo(t)
        return np.array([0, 1, 2, i.max, i.max - 1, i.min, i.min + 1, i.max // 3, i.max // 2 + 1], t)
    v = [0, -0.0, 1, -1.5, nan, inf, -inf, 2049, 65519, 65520, 1e-7, 3e-8, 1.0004883, 1 / 3]
    if t.itemsize >= 8 and kind != "complex64":
        v += [1 + 2.0**-11 + 2.0**-40, 3.4028235677973366e38, 1e-46, 1e300]
    v = np.array(v, t)
    return v + t.type(1j) * v[::-1] if t.kind == "c" else v


def convert():
    out = {}
    for source in KINDS:
        v = values(source)
        small = np.array([0, 1, 100, 99.75, 0.25, 7.5]).astype(source)
        for target in KINDS:
            defined = np.dtype(source).kind in "biu" or np.dtype(target).kind not in "iu"
            src = v if defined else small
            out[source + " " + target] = [hexed(src), hexed(src.astype(target))]
    return out


def pairs(v):
    """A fifth of all pairs, each element several times on either side."""
    return (x.ravel()[::5] for x in np.meshgrid(v, v))


def arith():
    out = {}
    for kind in ["bool", "int8", "uint8", "int64", "float32", "float64", "complex64", "complex128"]:
        v = values(kind)
        if kind.startswith("complex"):
            # Finite for products, whose NaNs depend on how infinities are treated.
            f = np.array([1 + 2j, -0.5 + 3j, 1e-3 - 7j, 2, 1j, -3 - 4j], kind)
            a, b = pairs(f)
            out["Mul " + kind] = [hexed(a), hexed(b), hexed(a * b)]
        else:
            a, b = pairs(v)
            out["Mul " + kind] = [hexed(a), hexed(b), hexed(a * b)]
        a, b = pairs(v)
        out["Add " + kind] = [hexed(a), hexed(b), hexed(a + b)]
        if kind[0] == "f":
            # The maximum of +0 and -0 isn't the same on all of NumPy's machines.
            different = ~((a == 0) & (b == 0) & (np.signbit(a) != np.signbit(b)))
            a, b = a[different], b[different]
        out["Max " + kind] = [hexed(a), hexed(b), hexed(np.maximum(a, b))]
    return out


def activation():
    out = {}
    functions = {
        "relu": F.relu, "relu6": F.relu6, "leaky-relu": F.leaky_relu, "sigmoid": torch.sigmoid,
        "tanh": torch.tanh, "gelu": F.gelu, "silu": F.silu, "hardswish": F.hardswish,
        "elu": F.elu, "selu": F.selu, "celu": F.celu, "gelu-tanh": lambda v: F.gelu(v, approximate="tanh"), "mish": F.mish,
        "softplus": F.softplus, "hard-sigmoid": F.hardsigmoid, "log-sigmoid": F.logsigmoid, "hard-tanh": F.hardtanh, "softsign": F.softsign,
        "hard-shrink": F.hardshrink, "tanh-shrink": F.tanhshrink, "rrelu": F.rrelu,
    }
    x = np.concatenate([
        [0, -0.0, nan, inf, -inf, 1e-300, -1e-300, 1e-40, 3, -3, 6, 6.5, 30, -30, 100, -100, 800, -1000, 1e30],
        np.linspace(-6, 6, 23)])
    for name, f in functions.items():
        for kind in FLOATS:
            v = x.astype(kind)
            out[name + " " + kind] = [hexed(v), hexed(f(torch.from_numpy(v)).numpy())]
    return out


def softmax():
    out = {}
    rows = np.stack([np.linspace(-3, 3, 9), np.linspace(1000, -1000, 9), np.zeros(9),
                     [1, 2, nan, 4, 5, 6, 7, 8, 9], [1, 2, inf, 4, 5, 6, 7, 8, 9],
                     [1, -inf, 2, -inf, -inf, 3, -inf, 0, -inf]])
    for kind in FLOATS:
        v = rows.astype(kind)
        out[kind] = [hexed(v), hexed(torch.softmax(torch.from_numpy(v), -1).numpy())]
    return out


def elementary():
    """Results correctly rounded to float64."""
    out = {}
    rng = np.random.default_rng(1)
    mpmath.mp.dps = 60
    for name, f, low, high in [
        ("exp", mpmath.exp, -745, 709.78), ("exp", mpmath.exp, -1, 1),
        ("log", mpmath.log, 1e-300, 1), ("log", mpmath.log, 0.5, 2), ("log", mpmath.log, 1, 1e300),
        ("tanh", mpmath.tanh, -23, 23), ("tanh", mpmath.tanh, -0.5, 0.5), ("tanh", mpmath.tanh, -1e-9, 1e-9),
        ("phi", mpmath.ncdf, -7, 7), ("phi", mpmath.ncdf, -1, 1), ("phi", mpmath.ncdf, -37.5, -5),
        ("sigmoid", lambda x: 1 / (1 + mpmath.exp(-x)), -700, 40),
        ("expm1", mpmath.expm1, -1, 1), ("expm1", mpmath.expm1, -60, 700), ("expm1", mpmath.expm1, -1e-9, 1e-9),
        ("log1p", mpmath.log1p, -0.999, 3), ("log1p", mpmath.log1p, -1e-9, 1e-9), ("log1p", mpmath.log1p, 1, 1e300),
        ("log", mpmath.log, 1e-323, 1e-308),
        ("erf", mpmath.erf, -1, 1), ("erf", mpmath.erf, -6, 6),
        ("sin", mpmath.sin, -1, 1), ("sin", mpmath.sin, -1000, 1000), ("sin", mpmath.sin, -2e6, 2e6), ("sin", mpmath.sin, -1e300, 1e300),
        ("cos", mpmath.cos, -1, 1), ("cos", mpmath.cos, -1000, 1000), ("cos", mpmath.cos, -2e6, 2e6), ("cos", mpmath.cos, -1e300, 1e300),
        ("mish", lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))), -700, 40),
        ("mish", lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))), -3, 3),
        ("softplus", lambda x: mpmath.log1p(mpmath.exp(x)), -700, 40), ("softplus", lambda x: mpmath.log1p(mpmath.exp(x)), -3, 3),
        ("logSigmoid", lambda x: -mpmath.log1p(mpmath.exp(-x)), -40, 700),
        ("tanhShrink", lambda x: x - mpmath.tanh(x), -1, 1), ("tanhShrink", lambda x: x - mpmath.tanh(x), -1e-9, 1e-9),
        ("geluTanh", lambda x: x / (1 + mpmath.exp(-2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3))), -4, 4),
        ("quickGelu", lambda x: x / (1 + mpmath.exp(-mpmath.mpf("1.702") * x)), -8, 8),
    ]:
        x = rng.uniform(low, high, 1500 if name in FIRST else 400)
        y = np.array([float(f(mpmath.mpf(float(v)))) for v in x])
        out["%s %g %g" % (name, low, high)] = [hexed(x), hexed(y)]
    return out


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json"), "w") as f:
    golden = {"convert": convert(), "arith": arith(), "activation": activation(), "softmax": softmax(),
              "elementary": elementary()}
    json.dump(golden, f, indent=0)
    f.write("\n")
