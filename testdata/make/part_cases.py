"""The parts that fusions are built from, by PyTorch: linear, conv, resize, pool, act, se, cbam.

Values are computed in float64 from the inputs as they are stored and rounded once.

    python3 part_cases.py FOLDER
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden import EXACT, Golden, dims, grid, rel

TOLERANCE = {
    "f4": rel(2e-5, "float32 sums of up to some hundred products, against float64"),
    "f8": rel(1e-13, "float64 sums in another order"),
    "f2": rel(1e-3, "one rounding to float16, of half a unit in 11 bits"),
}
g = Golden(sys.argv[1], f"torch {torch.__version__}")


def t(a):
    return torch.from_numpy(np.asarray(a).astype("f8"))


def to_keras(w, transposed=False):
    """[out,in,h,w] to [h,w,in,out]; transposed kernels [in,out,h,w] to [h,w,out,in]: the same permutation."""
    return np.ascontiguousarray(w.transpose(2, 3, 1, 0))


def to_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def both(command, what, x, weights, flags, want, dtype, tol=None, transposed=False):
    """A case a layout: x and want are channels first, weights (flag, array) as PyTorch has them."""
    for layout in ("nchw", "nhwc"):
        last = layout == "nhwc"
        args = [command, g.put(f"part_{command}_{what}_{layout}_x", to_last(x) if last else x)]
        for flag, w in weights:
            if last and w.ndim == 4:
                w = to_keras(w, transposed)
            elif last and w.ndim == 2:
                w = np.ascontiguousarray(w.T)
            args += ["--" + flag, g.put(f"part_{command}_{what}_{layout}_{flag}", w)]
        out = want.numpy().astype(dtype)
        g.case(f"{command}/torch/{what}-{layout}", args + flags + ["--layout", layout], to_last(out) if last else out,
               tol or TOLERANCE[dtype], what)


def values(name, shape, dtype="f4", limit=2.0):
    return grid(name, shape, 2.0**-7, limit).astype(dtype)


def convolutions():
    cases = [  # what, x, kernel, stride, padding, dilation, groups, flags
        ("1x1", (2, 3, 5, 4), (6, 3, 1, 1), 1, 0, 1, 1, []),
        ("1x1-stride", (1, 3, 7, 6), (4, 3, 1, 1), 2, 0, 1, 1, ["--stride", "2"]),
        ("3x3-same", (2, 3, 7, 5), (4, 3, 3, 3), 1, 1, 1, 1, ["--padding", "same"]),
        ("3x3-valid", (1, 2, 6, 5), (3, 2, 3, 3), 1, 0, 1, 1, ["--padding", "valid"]),
        ("3x3-stride", (1, 3, 9, 8), (4, 3, 3, 3), 2, 1, 1, 1, ["--padding", "1", "--stride", "2"]),
        ("5x3", (1, 2, 8, 9), (3, 2, 5, 3), (2, 1), (2, 1), 1, 1, ["--padding", "2,1", "--stride", "2,1"]),
        ("dilated", (1, 2, 9, 8), (3, 2, 3, 3), 1, 2, 2, 1, ["--padding", "same", "--dilation", "2"]),
        ("groups", (2, 4, 5, 6), (6, 2, 3, 3), 1, 1, 1, 2, ["--padding", "1", "--groups", "2"]),
        ("depthwise", (1, 4, 5, 6), (4, 1, 3, 3), 1, 1, 1, 4, ["--padding", "1", "--groups", "4"]),
    ]
    for what, xs, ks, stride, pad, dilation, groups, flags in cases:
        for dtype in ("f4", "f8", "f2") if what == "3x3-same" else ("f4",):
            x, k, b = values(what + "x", xs, dtype), values(what + "k", ks, dtype), values(what + "b", ks[:1], dtype)
            want = F.conv2d(t(x), t(k), t(b), stride, pad, dilation, groups)
            both("conv", f"{what}-{dtype}", x, [("weight", k), ("bias", b)], flags, want, dtype)
    x, k = values("sx", (1, 3, 8, 7)), values("sk", (4, 3, 3, 3))
    # TensorFlow's padding: 7 rows of 8 by stride 2 take 1 zero, which comes after.
    want = F.relu(F.conv2d(F.pad(t(x), (1, 1, 0, 1)), t(k), stride=2))
    both("conv", "same-stride-relu", x, [("weight", k)], ["--padding", "same", "--stride", "2", "--activation", "relu"], want, "f4")
    for what, ks, stride, pad, extra, flags in [
        ("up2", (3, 5, 2, 2), 2, 0, 0, ["--stride", "2"]),
        ("up3", (3, 5, 3, 3), 2, 1, 0, ["--stride", "2", "--padding", "1"]),
        ("up3-even", (3, 5, 3, 3), 2, 1, 1, ["--stride", "2", "--padding", "1", "--output-padding", "1"]),
        ("up1", (3, 5, 3, 3), 1, 0, 0, []),
    ]:
        x, k, b = values(what + "x", (2, 3, 4, 5)), values(what + "k", ks), values(what + "b", (5,))
        want = F.conv_transpose2d(t(x), t(k), t(b), stride, pad, extra)
        both("conv", what, x, [("weight", k), ("bias", b)], ["--transpose", *flags], want, "f4", transposed=True)


def linears():
    for dtype in ("f4", "f8", "f2"):
        for xs in ((5, 7), (2, 7, 4, 3)):
            x, w, b = values("lx" + dims(xs), xs, dtype), values("lw", (9, 7), dtype), values("lb", (9,), dtype)
            want = F.gelu(torch.movedim(F.linear(torch.movedim(t(x), 1, -1), t(w), t(b)), -1, 1))
            both("linear", f"{dims(xs)}-{dtype}", x, [("weight", w), ("bias", b)], ["--activation", "gelu"], want, dtype)


def resizes():
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        for to in ((10, 8), (13, 9), (3, 2), (5, 11)):
            x = values("rx", (2, 3, 5, 4))
            corners = {} if mode.startswith("nearest") else {"align_corners": False}
            want = F.interpolate(t(x), size=to, mode=mode, **corners)
            both("resize", f"{mode}-{to[0]}x{to[1]}", x, [], ["--size", f"{to[0]},{to[1]}", "--mode", mode], want, "f4",
                 EXACT if not corners else rel(1e-6, "two blends in float32, against float64"))
    x = values("rx", (2, 3, 5, 4))
    both("resize", "scale", x, [], ["--scale", "2", "--mode", "nearest"], F.interpolate(t(x), scale_factor=2), "f4", EXACT)


def pools():
    x = values("px", (2, 3, 7, 8))
    x[0, 1, 2, 3] = np.nan
    for what, k, stride, pad, flags in [
        ("2", 2, 2, 0, ["--window", "2"]), ("3x2", (3, 2), (2, 1), 0, ["--window", "3,2", "--stride", "2,1"]),
        ("padded", 3, 2, 1, ["--window", "3", "--stride", "2", "--padding", "1"]),
    ]:
        both("pool", f"max-{what}", x, [], flags, F.max_pool2d(t(x), k, stride, pad), "f4", EXACT)
        for count in (False, True):
            want = F.avg_pool2d(t(x), k, stride, pad, count_include_pad=count)
            more = ["--mode", "average"] + ["--count-include-pad"] * count
            both("pool", f"average-{what}-{count}", x, [], flags + more, want, "f4", EXACT)


def blocks():
    for dtype in ("f4", "f8", "f2"):
        x = values("bx", (2, 8, 6, 5), dtype)
        fc1, b1, fc2, b2 = (values("b" + n, s, dtype, 1.0) for n, s in [("1", (3, 8)), ("b1", (3,)), ("2", (8, 3)), ("b2", (8,))])
        k, kb = values("bk", (1, 2, 7, 7), dtype, 0.5), values("bkb", (1,), dtype, 0.5)

        def mlp(v):
            return F.linear(F.relu(F.linear(v, t(fc1), t(b1))), t(fc2), t(b2))

        weights = [("fc1", fc1), ("fc1-bias", b1), ("fc2", fc2), ("fc2-bias", b2)]
        gate = torch.sigmoid(mlp(t(x).mean((2, 3))))
        both("se", f"block-{dtype}", x, weights, [], t(x) * gate[:, :, None, None], dtype)
        gate = torch.sigmoid(mlp(t(x).mean((2, 3))) + mlp(t(x).amax((2, 3))))
        y = t(x) * gate[:, :, None, None]
        where = torch.sigmoid(F.conv2d(torch.cat([y.mean(1, True), y.amax(1, True)], 1), t(k), t(kb), padding=3))
        both("cbam", f"block-{dtype}", x, weights + [("conv", k), ("conv-bias", kb)], [], y * where, dtype)


def activations():
    x = values("ax", (2, 5, 3, 2), limit=8.0)
    for name, f in [("relu", F.relu), ("gelu", F.gelu), ("softmax", lambda v: v.softmax(1)), ("hardswish", F.hardswish)]:
        both("act", name, x, [], ["--activation", name], f(t(x)), "f4")


for part in (convolutions, linears, resizes, pools, blocks, activations):
    part()
