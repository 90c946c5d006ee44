"""Pooling, resizing, pyramids and CBAM over one, two and three spatial axes, by PyTorch and by ONNX's node tests.

Values are computed in float64 from the inputs as they are stored and rounded once.

    python3 window_cases.py FOLDER
"""
import sys
import zlib

import numpy as np
import torch
import torch.nn.functional as F

from golden import EXACT, Golden, dims, grid, rel

g = Golden(sys.argv[1], f"torch {torch.__version__}")
BLENDS = rel(1e-6, "blends in float32, an axis each, against float64")
SUMS = rel(2e-7, "sums in float64, rounded once or twice")
PRODUCTS = rel(2e-5, "float32 sums of products, some steps deep, against float64")


def t(a):
    return torch.from_numpy(np.asarray(a).astype("f8"))


def last(a):
    return np.ascontiguousarray(np.moveaxis(a, 1, -1))


def values(name, shape, limit=2.0):
    return grid(f"window {name}", shape, 2.0**-7, limit).astype("f4")


def both(name, what, maps, args, want, tol):
    """A case a layout, of sequences and volumes in one that its name says; maps and want are channels first."""
    command = name.split("/")[0]
    want = want.numpy().astype("f4")
    for layout in ("nchw", "nhwc") if want.ndim == 4 else (("nchw", "nhwc")[zlib.crc32(name.encode()) % 2],):
        turn = last if layout == "nhwc" else np.asarray
        paths = [g.put(f"window_{n}_{layout}", turn(x)) for n, x in maps]
        g.case(f"{name}-{layout}", [command, *paths, *args, "--layout", layout], turn(want), tol, what)


def joined(numbers):
    return ",".join(map(str, numbers)) if isinstance(numbers, (tuple, list)) else str(numbers)


def pools():
    size = {1: (2, 3, 11), 2: (1, 2, 7, 8), 3: (1, 2, 5, 4, 6)}
    cases = [  # what, axes, window, stride, padding, dilation, ceil
        ("3-by-2-ceil", 1, 3, 2, 0, 1, True), ("dilated", 1, 3, 2, 1, 3, False), ("next-in-padding", 1, 2, 3, 1, 1, True), ("wide", 1, 4, 5, 2, 1, True),
        ("3x2-ceil", 2, (3, 2), (2, 3), (1, 0), 1, True), ("dilated-ceil", 2, 3, 2, 1, (1, 2), True),
        ("plain", 3, 2, 2, 0, 1, False), ("ceil", 3, (2, 3, 2), (2, 2, 5), (1, 1, 0), 1, True), ("dilated", 3, 2, (1, 2, 1), 1, (2, 1, 3), True),
    ]
    for what, n, window, stride, pad, dilation, ceil in cases:
        x = values(f"pool {n}", size[n])
        flags = ["--window", joined(window), "--stride", joined(stride), "--padding", joined(pad)] + ["--ceil-mode"] * ceil
        name, map_ = f"{n}d-{what}", [(f"pool{n}", x)]
        both(f"pool/torch/max{name}", what, map_, flags + ["--dilation", joined(dilation)],
             getattr(F, f"max_pool{n}d")(t(x), window, stride, pad, dilation, ceil), EXACT)
        if dilation != 1:
            continue  # PyTorch has it for maxima alone
        for count in (False, True):
            both(f"pool/torch/average{name}{'-counted' * count}", what, map_, flags + ["--mode", "average"] + ["--count-include-pad"] * count,
                 getattr(F, f"avg_pool{n}d")(t(x), window, stride, pad, ceil, count), SUMS)
    for n, window, stride, p, ceil in ((1, 3, 2, 2.0, True), (1, 2, 1, 3.0, False), (2, (3, 2), (2, 3), 2.0, True), (2, 2, 2, 1.0, False), (2, 3, 2, 1.5, True)):
        x = values(f"pool {n}", size[n])
        x = np.abs(x) if p == 1.5 else x
        flags = ["--window", joined(window), "--stride", joined(stride), "--mode", "lp", "--p", f"{p:g}"] + ["--ceil-mode"] * ceil
        both(f"pool/torch/lp{n}d-{p:g}", "lp_pool", [(f"pool{n}{'-abs' * (p == 1.5)}", x)], flags, getattr(F, f"lp_pool{n}d")(t(x), p, window, stride, ceil), SUMS)
    for n, outs in ((1, 4), (1, 17), (2, (3, 5)), (2, (None, 3)), (3, (2, 3, 5))):
        x = values(f"pool {n}", size[n])
        flags = ["--output-size", joined(outs).replace("None", "none")]
        name = f"adaptive{n}d-{joined(outs).replace(',', 'x')}"
        both(f"pool/torch/{name}-max", "adaptive", [(f"pool{n}", x)], flags, getattr(F, f"adaptive_max_pool{n}d")(t(x), outs), EXACT)
        both(f"pool/torch/{name}-average", "adaptive", [(f"pool{n}", x)], flags + ["--mode", "average"], getattr(F, f"adaptive_avg_pool{n}d")(t(x), outs), SUMS)


def resizes():
    size = {1: (2, 3, 9), 2: (1, 2, 7, 6), 3: (1, 2, 4, 3, 5)}
    names = {1: "linear", 2: "bilinear", 3: "trilinear"}
    for n, to in ((1, (14,)), (1, (4,)), (2, (3, 10)), (3, (6, 5, 3))):
        x = values(f"resize {n}", size[n])
        map_, flags = [(f"resize{n}", x)], ["--size", joined(to)]
        for corners in (False, True):
            both(f"resize/torch/linear{n}d-{dims(to)}{'-corners' * corners}", "linear", map_, flags + ["--align-corners"] * corners,
                 F.interpolate(t(x), size=to, mode=names[n], align_corners=corners), BLENDS)
        for mode in ("nearest", "nearest-exact", "area"):
            want = F.interpolate(torch.from_numpy(x) if mode != "area" else t(x), size=to, mode=mode)
            both(f"resize/torch/{mode}{n}d-{dims(to)}", mode, map_, flags + ["--mode", mode], want, EXACT if mode != "area" else SUMS)
    x = values("resize 3", size[3])
    both("resize/torch/scales3d", "a number for each axis", [("resize3", x)], ["--scale", "2,1.5,0.7", "--mode", "trilinear"],
         F.interpolate(t(x), scale_factor=(2, 1.5, 0.7), mode="trilinear"), BLENDS)
    # 41 half steps of 2/41 are a centre's edge: float32 decides
    x = values("edge", (1, 1, 2))
    both("resize/torch/nearest-exact-edge", "float32 steps", [("edge", x)], ["--size", "41", "--mode", "nearest-exact"],
         F.interpolate(torch.from_numpy(x), size=41, mode="nearest-exact"), EXACT)
    x = values("resize 2", size[2])
    for mode in ("bilinear", "bicubic"):
        for to in ((3, 2), (10, 4), (7, 9)):
            both(f"resize/torch/antialias-{mode}-{dims(to)}", "antialias", [("resize2", x)], ["--size", joined(to), "--mode", mode, "--antialias"],
                 F.interpolate(t(x), size=to, mode=mode, antialias=True), SUMS)
        both(f"resize/torch/antialias-{mode}-scale", "antialias", [("resize2", x)], ["--scale", "0.45,0.7", "--mode", mode, "--antialias"],
             F.interpolate(t(x), scale_factor=(0.45, 0.7), mode=mode, antialias=True), SUMS)


def blocks():
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
    for n, size, order in ((1, (9,), "mean,max"), (2, (4, 5), "max,mean"), (3, (3, 2, 4), "mean,max")):
        x, fc1, fc2 = values(f"cbam x {n}", (2, 4, *size)), values("cbam 1", (2, 4), 1.0), values("cbam 2", (4, 2), 1.0)
        k = values(f"cbam k {n}", (1, 2) + (3,) * n, 0.5)
        over = tuple(range(2, 2 + n))

        def mlp(v):
            return F.linear(F.relu(F.linear(v, t(fc1))), t(fc2))

        y = t(x) * torch.sigmoid(mlp(t(x).mean(over)) + mlp(t(x).amax(over))).reshape(2, 4, *[1] * n)
        pooled = {"mean": y.mean(1, True), "max": y.amax(1, True)}
        where = torch.sigmoid(conv[n](torch.cat([pooled[p] for p in order.split(",")], 1), t(k), padding=1))
        weights = [w for flag, a in (("fc1", fc1), ("fc2", fc2), ("conv", k)) for w in (f"--{flag}", g.put(f"window_cbam{n}_{flag}", a))]
        both(f"cbam/torch/{n}d", order, [(f"cbam{n}", x)], weights + ["--weight-layout", "torch", "--spatial-order", order], y * where, PRODUCTS)
    for n, sizes in ((1, ((11,), (6,), (3,))), (3, ((4, 5, 3), (2, 3, 2)))):
        levels = [values(f"fpn {n} {i}", (1, 3, *s)) for i, s in enumerate(sizes)]
        lateral, output = values(f"fpn lateral {n}", (4, 3) + (1,) * n, 1.0), values(f"fpn output {n}", (4, 4) + (3,) * n, 0.5)
        fused = None
        for x in reversed(levels):
            here = conv[n](t(x), t(lateral))
            fused = here if fused is None else here + F.interpolate(fused, size=x.shape[2:], mode=("linear", "bilinear", "trilinear")[n - 1])
        lists = [w for flag, a in (("lateral", lateral), ("output-conv", output)) for w in (f"--{flag}", ",".join([g.put(f"window_fpn{n}_{flag}", a)] * len(levels)))]
        both(f"fpn/torch/{n}d", "linear upsampling", [(f"fpn{n}_{i}", x) for i, x in enumerate(levels)], lists + ["--weight-layout", "torch"],
             conv[n](fused, t(output), padding=1), PRODUCTS)


pools()
resizes()
blocks()
