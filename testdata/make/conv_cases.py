"""Convolutions of one, two and three spatial axes, plain and transposed, by PyTorch, computed in float64 and rounded once.

    python3 conv_cases.py FOLDER
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden import Golden, grid, rel

g = Golden(sys.argv[1], f"torch {torch.__version__}")
SUMS = rel(2e-5, "float32 sums of up to some hundred products, against float64")


def t(a):
    return torch.from_numpy(np.asarray(a).astype("f8"))


def values(name, shape):
    return grid(name, shape, 2.0**-7, 2.0).astype("f4")


def to_keras(w):
    """[out,in,k...] to [k...,in,out], and [in,out,k...] to [k...,out,in]."""
    return np.ascontiguousarray(w.transpose([*range(2, w.ndim), 1, 0]))


def to_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def words(n):
    return ",".join(map(str, n))


def both(what, x, k, b, flags, want, by):
    """A case a layout, with weights in its framework's order."""
    want = want.numpy().astype("f4")
    for layout, arrays in (("nchw", (x, k, b)), ("nhwc", (to_last(x), to_keras(k), b))):
        fx, fk, fb = (g.put(f"conv_{what}_{layout}_{n}", a) for n, a in zip("xkb", arrays))
        g.case(f"conv/torch/{what}-{layout}", ["conv", fx, "--weight", fk, "--bias", fb, *flags, "--layout", layout],
               to_last(want) if layout == "nhwc" else want, SUMS, by)


def plain():
    for what, size, kernel, o in [
        ("1d", (13,), (5,), {}),
        ("1d-wide", (19,), (3,), {"padding": (4,), "dilation": (4,), "stride": (2,)}),
        ("1d-depthwise", (13,), (3,), {"padding": (1,), "groups": 6}),
        ("2d-mixed", (6, 7), (3, 2), {"padding": (2, 1), "dilation": (1, 3), "stride": (2, 1), "groups": 2}),
        ("3d", (3, 4, 2), (3, 3, 3), {"padding": (1, 1, 1)}),
        ("3d-point", (3, 4, 2), (1, 1, 1), {}),
        ("3d-time", (9, 2, 3), (5, 1, 1), {"padding": (2, 0, 0), "stride": (4, 1, 1)}),
        ("3d-mixed", (4, 5, 4), (2, 3, 1), {"padding": (1, 0, 2), "dilation": (2, 1, 3), "stride": (1, 2, 2), "groups": 3}),
        ("3d-depthwise", (3, 4, 5), (3, 3, 3), {"padding": (1, 1, 1), "stride": (1, 2, 2), "groups": 6}),
    ]:
        groups = o.get("groups", 1)
        x, k, b = values(what + "x", (1, 6, *size)), values(what + "k", (6, 6 // groups, *kernel)), values(what + "b", (6,))
        f = [F.conv1d, F.conv2d, F.conv3d][len(size) - 1]
        flags = [w for name, n in o.items() for w in ("--" + name, words(n) if name != "groups" else n)]
        both(what, x, k, b, flags, f(t(x), t(k), t(b), **o), f"conv{len(size)}d {o}")
    # Four sides of their own: MobileNet's first convolution, and ONNX's pads.
    x, k, b = values("sidesx", (1, 3, 9, 8)), values("sidesk", (4, 3, 3, 3)), values("sidesb", (4,))
    for pads in (((0, 1), (0, 1)), ((1, 2), (0, 3))):
        want = F.conv2d(F.pad(t(x), [n for side in reversed(pads) for n in side]), t(k), t(b), 2)
        both(f"sides-{pads[0][0]}{pads[0][1]}", x, k, b, ["--stride", "2", "--padding", ",".join(f"{n}:{m}" for n, m in pads)], want, f"pad {pads}, conv2d")


def transposed():
    for what, size, kernel, o in [
        ("up-1d", (9,), (4,), {"stride": (2,), "padding": (1,)}),
        ("up-1d-sparse", (9,), (2,), {"stride": (3,), "output_padding": (2,)}),
        ("up-2d-groups", (3, 4), (3, 3), {"stride": (2, 2), "padding": (1, 1), "output_padding": (1, 1), "groups": 3}),
        ("up-2d-depthwise", (3, 4), (4, 4), {"stride": (2, 2), "padding": (1, 1), "groups": 6}),
        ("up-2d-dilated", (4, 3), (3, 2), {"stride": (2, 3), "padding": (2, 0), "output_padding": (1, 3), "dilation": (2, 4)}),
        ("up-2d-cut", (6, 5), (2, 3), {"stride": (1, 2), "padding": (2, 4)}),
        ("up-3d", (3, 2, 2), (3, 2, 4), {"stride": (1, 2, 3), "padding": (1, 0, 2), "output_padding": (0, 1, 2), "groups": 2}),
        ("up-3d-apart", (2, 1, 3), (2, 2, 2), {"stride": (2, 2, 2)}),
    ]:
        groups = o.get("groups", 1)
        x, k, b = values(what + "x", (1, 6, *size)), values(what + "k", (6, 6 // groups, *kernel)), values(what + "b", (6,))
        f = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][len(size) - 1]
        flags = [w for name, n in o.items() for w in ("--" + name.replace("_", "-"), words(n) if name != "groups" else n)]
        both(what, x, k, b, ["--transpose", *flags], f(t(x), t(k), t(b), **o), f"conv_transpose{len(size)}d {o}")
    x, k, b = values("sizex", (1, 4, 6, 5)), values("sizek", (4, 3, 3, 3)), values("sizeb", (3,))
    layer = torch.nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1)
    layer.weight.data, layer.bias.data = t(k), t(b)
    for to in ((11, 10), (12, 9)):
        both(f"up-size-{to[0]}", x, k, b, ["--transpose", "--stride", "2", "--padding", "1", "--output-size", words(to)],
             layer(t(x), output_size=to).detach(), f"ConvTranspose2d(..., output_size={to})")


for part in (plain, transposed):
    part()
