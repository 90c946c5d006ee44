"""Whole fusion steps of networks, by PyTorch: U-Net, ResNet, SENet, GoogLeNet, pyramids, Non-local, VQA, Transformers.

Values are computed in float64 from the inputs as they are stored and rounded once. float32 cases come in both layouts where
one matters, float64 in nchw, float16 in nhwc.

    python3 network_cases.py FOLDER
"""
import sys
import zlib

import numpy as np
import torch
import torch.nn.functional as F

from golden import EXACT, Golden, code, dims, grid, rel, rng

TOLERANCE = {
    "f4": rel(2e-5, "float32 sums, some steps deep, against float64"),
    "f8": rel(1e-13, "float64 sums in another order"),
    "f2": rel(2e-3, "half a unit in 11 bits a step"),
}
g = Golden(sys.argv[1], f"torch {torch.__version__}")
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

SEQUENCES = ["nhwc"]  # where linear maps the last axis of [N,L,D]
CHANNELS = object()  # in arguments: the number of the channel axis


class Array:
    """A seeded array as PyTorch has it, and how nhwc stores it: a map has its channels last, a weight Keras's order."""

    def __init__(self, kind, name, shape, dtype="f4", limit=2.0, array=None):
        self.kind, self.dtype = kind, dtype
        self.a = grid(f"network {name}{shape}", shape, 2.0**-7, limit).astype(dtype) if array is None else array
        self.name = f"net_{name}_{dims(shape)}" + ("" if self.a.dtype == "f4" else f"_{code(self.a.dtype)}")

    @property
    def t(self):
        return t(self.a)

    def file(self, layout):
        if not depends(self):
            return g.put(self.name, self.a)
        last = layout == "nhwc"
        return g.put(f"{self.name}_{layout}", self.stored() if last else self.a)

    def stored(self):
        if self.kind == "map":
            return to_last(self.a)
        # [out,in] to [in,out]; [out,in,h,w] and, of transposed convolutions, [in,out,h,w] to [h,w,in,out] and [h,w,out,in].
        return np.ascontiguousarray(self.a.transpose(*range(2, self.a.ndim), 1, 0)) if self.a.ndim > 1 else self.a


class Bundle:
    """An .npz; its arrays are the same in both layouts, but weights of this program's own names."""

    def __init__(self, name, arrays, compressed=False):
        self.name, self.arrays, self.compressed = name, arrays, compressed

    def file(self, layout):
        own = depends(self)
        stored = {n: a.stored() if layout == "nhwc" and a.kind != "plain" else a.a for n, a in self.arrays.items()}
        return g.bundle(f"net_{self.name}{'_' + layout if own else ''}", stored, self.compressed)


class Member:
    def __init__(self, bundle, name):
        self.bundle, self.name = bundle, name

    def file(self, layout):
        return f"{self.bundle.file(layout)}:{self.name}"


def t(a):
    return torch.from_numpy(np.ascontiguousarray(a).astype("f8"))


def to_last(a):
    return np.ascontiguousarray(np.moveaxis(a, 1, -1))


def fmap(name, shape, dtype="f4", limit=2.0):
    return Array("map", name, shape, dtype, limit)


def weight(name, shape, dtype="f4", limit=0.5):
    return Array("weight", name, shape, dtype, limit)


def plain(name, shape, dtype="f4", limit=1.0):
    return Array("plain", name, shape, dtype, limit)


def boolean(name, a):
    return Array("plain", name, a.shape, array=np.asarray(a))


def word(arg, layout):
    """An argument of the command line: lists join by commas, None is none, a pair is NUMBER=FILE."""
    if arg is CHANNELS:
        return -1 if layout == "nhwc" else 1
    if isinstance(arg, list):
        return ",".join("none" if a is None else a.file(layout) for a in arg)
    if isinstance(arg, tuple):
        return f"{arg[0]}={arg[1].file(layout)}"
    return arg.file(layout) if hasattr(arg, "file") else arg


def depends(arg):
    """Whether an argument depends on the layout."""
    if isinstance(arg, Array):
        return arg.kind == "map" or arg.kind == "weight" and arg.a.ndim > 1
    if isinstance(arg, Bundle):
        return any(depends(a) for a in arg.arrays.values())
    if isinstance(arg, (list, tuple)):
        return any(depends(a) for a in arg)
    return depends(arg.bundle) if isinstance(arg, Member) else arg is CHANNELS


def both(what, args, want, dtype="f4", tol=None, by="", out=None, moved=None, layouts=None):
    """A case a layout. A wanted map, channels first, has them last in nhwc; moved says whether it is one.

    Where nothing depends on the layout, one of the two by turns. Arguments are words, several in a string, and arrays.
    """
    if not torch.isfinite(want).all():
        raise ValueError(f"{what}: not finite")
    want = want.detach().numpy().astype(dtype)
    move = want.ndim > 3 if moved is None else moved
    if layouts:
        pass
    elif dtype != "f4":
        layouts = ["nchw"] if dtype == "f8" else ["nhwc"]
    elif move or any(depends(arg) for arg in args):
        layouts = ["nchw", "nhwc"]
    else:
        layouts = [("nchw", "nhwc")[zlib.crc32(what.encode()) % 2]]
    for layout in layouts:
        line = []
        for arg in [*args, "then"]:
            for w in arg.split() if isinstance(arg, str) else [word(arg, layout)]:
                line += ["--layout", layout, w] if w == "then" else [w]
        g.case(f"{args[0]}/torch/{what}-{layout}", line[:-1], to_last(want) if move and layout == "nhwc" else want,
               tol or TOLERANCE[dtype], by or what, out)


def torch_only(what, args, want):
    """A case in PyTorch's layout alone, float32."""
    g.case(f"{args[0]}/torch/{what}-nchw", [*(word(a, "nchw") for a in args), "--layout", "nchw"], want.numpy().astype("f4"),
           TOLERANCE["f4"], what)


# ---- sizes that differ

def interpolate(x, size, mode):
    """F.interpolate, whose float32 scale must not have moved a nearest index."""
    if not mode.startswith("nearest"):
        return F.interpolate(x, size, mode=mode, align_corners=False)
    half = 0.5 if mode == "nearest-exact" else 0
    index = [[int((i + half) * n / m + 1e-9) for i in range(m)] for n, m in zip(x.shape[2:], size)]
    out = F.interpolate(x, size, mode=mode)
    if not torch.equal(out, x[:, :, index[0]][:, :, :, index[1]]):
        raise ValueError(f"{mode} {x.shape[2:]} to {size}: PyTorch's index differs from the formula")
    return out


def aligned(xs, how, mode="bilinear"):
    """All tensors brought to one size."""
    pick = min if how == "crop" else max
    h, w = (pick(x.shape[axis] for x in xs) for axis in (2, 3))
    out = []
    for x in xs:
        dy, dx = abs(h - x.shape[2]), abs(w - x.shape[3])
        if how == "crop":
            x = x[:, :, dy // 2:dy // 2 + h, dx // 2:dx // 2 + w]
        elif how == "pad":
            x = F.pad(x, (dx // 2, dx - dx // 2, dy // 2, dy - dy // 2))
        elif dy or dx:
            x = interpolate(x, (h, w), mode)
        out.append(x)
    return out


def product(xs):
    out = xs[0]
    for x in xs[1:]:
        out = out * x
    return out


def alignments():
    join = {"concat": lambda xs: torch.cat(xs, 1), "add": sum, "mul": product}
    sizes = {"contained": [(6, 5), (3, 2)], "crossed": [(6, 3), (5, 6)], "three": [(7, 2), (3, 3), (4, 5)],
             "from-one": [(3, 4), (1, 1)]}

    def case(command, shape, how, mode=None, dtype="f4", channels=(2, 2, 2)):
        if command == "concat":
            channels = (2, 1, 1)
        xs = [fmap(f"align{i}", (1, c, *s), dtype) for i, (c, s) in enumerate(zip(channels, sizes[shape]))]
        exact = how != "resize" or (mode or "").startswith("nearest")
        both(f"align-{how}{'-' + mode if mode else ''}-{shape}-{dtype}",
             [command, *xs, *(["--axis", CHANNELS] if command == "concat" else []), "--align", how,
              *(["--align-mode", mode] if mode else [])],
             join[command](aligned([x.t for x in xs], how, mode or "bilinear")), dtype, EXACT if exact else None)

    for command in join:
        for how in ("crop", "pad", "resize"):
            if command != "mul" or how == "resize":
                case(command, "three", how)
        case(command, "contained", "resize", "nearest")
        case(command, "contained", "resize", dtype="f2")
    for how in ("crop", "pad", "resize"):
        case("concat", "crossed", how)
        case("concat", "crossed", how, dtype="f8")
    case("concat", "crossed", "pad", dtype="f2")
    case("mul", "crossed", "pad")
    for mode in ("bilinear", "nearest-exact", "bicubic"):
        case("concat", "contained", "resize", mode)
    case("add", "contained", "resize", "bicubic")
    case("mul", "contained", "resize", "nearest-exact")
    case("concat", "contained", "crop")
    case("concat", "contained", "pad")
    case("mul", "from-one", "resize")
    case("mul", "from-one", "resize", "nearest")

    same = [fmap(f"align{i}", (2, 2, 4, 3)) for i in range(2)]
    for how in ("none", "resize"):
        both(f"align-{how}-same", ["add", *same, "--align", how], same[0].t + same[1].t, tol=EXACT)
    a, b, one = fmap("align0", (2, 2, 5, 3)), fmap("align1", (2, 2, 4, 6)), fmap("align2", (1, 1, 3, 2))
    for how in ("crop", "pad", "resize"):
        xa, xb = aligned([a.t, b.t], how)
        both(f"align-{how}-coef-relu", ["add", a, b, "--coef", "1,-0.5", "--align", how, "--activation", "relu"],
             F.relu(xa - 0.5 * xb),
             tol=None if how == "resize" else EXACT)
        # Inputs are aligned first, then gated: a gate's padding counts as sigmoid(0).
        both(f"align-{how}-gate", ["mul", a, b, "--gate", "sigmoid", "--align", how], xa * torch.sigmoid(xb))
        xa, xo = aligned([a.t, one.t], how)
        both(f"align-{how}-broadcast", ["mul", a, one, "--align", how], xa * xo, tol=None if how == "resize" else EXACT)


def members():
    """Arrays of a bundle by address."""
    maps = {n: fmap(f"member_{n}", (1, c, 3, 2)) for n, c in (("left", 2), ("stage1/right", 1))}
    for compressed in (False, True):
        bundle = Bundle(f"members{'_compressed' * compressed}", maps, compressed)
        both(f"members{'-compressed' * compressed}", ["concat", *(Member(bundle, n) for n in maps), "--axis", CHANNELS],
             torch.cat([m.t for m in maps.values()], 1), tol=EXACT)


def cubic(x, size, a, corners):
    """Keys 1981: w(s) = (a+2)|s|³-(a+3)|s|²+1 up to 1, a|s|³-5a|s|²+8a|s|-4a up to 2; beyond an edge the edge's values."""
    for axis in (2, 3):
        n, m = x.shape[axis], size[axis - 2]
        i = torch.arange(m, dtype=torch.float64)
        at = i * ((n - 1) / (m - 1) if m > 1 else 0) if corners else (i + 0.5) * n / m - 0.5
        blend = torch.zeros(m, n, dtype=torch.float64)
        for tap in range(-1, 3):
            j = at.floor() + tap
            s = (at - j).abs()
            w = torch.where(s <= 1, ((a + 2) * s - (a + 3)) * s * s + 1, ((a * s - 5 * a) * s + 8 * a) * s - 4 * a)
            blend[torch.arange(m), j.clamp(0, n - 1).long()] += w
        x = torch.movedim(torch.movedim(x, axis, -1) @ blend.T, -1, axis)
    return x


def resizes():
    x = fmap("resize", (1, 2, 5, 4))
    for to in ((9, 7), (3, 2), (1, 9)):
        size = ["--size", f"{to[0]},{to[1]}"]
        for mode in ("bilinear", "bicubic"):
            want = F.interpolate(x.t, to, mode=mode, align_corners=True)
            both(f"{mode}-corners-{dims(to)}", ["resize", x, *size, "--mode", mode, "--align-corners"], want)
        for corners in (False, True):
            own = cubic(x.t, to, -0.75, corners)
            if not torch.allclose(own, F.interpolate(x.t, to, mode="bicubic", align_corners=corners), rtol=0, atol=1e-13):
                raise ValueError("the formula is not PyTorch's")
            both(f"cubic-half-{dims(to)}{'-corners' * corners}",
                 ["resize", x, *size, "--mode", "bicubic", "--cubic-coeff", "-0.5", *["--align-corners"] * corners],
                 cubic(x.t, to, -0.5, corners), by="Keys's formula in float64, coefficient -0.5")
    both("cubic-coeff-default", ["resize", x, "--size", "9,8", "--mode", "bicubic", "--cubic-coeff", "-0.75"],
         F.interpolate(x.t, (9, 8), mode="bicubic", align_corners=False))
    for dtype in ("f8", "f2"):
        y = fmap("resize", (1, 2, 5, 4), dtype)
        both(f"bilinear-corners-9x7-{dtype}", ["resize", y, "--size", "9,7", "--align-corners"],
             F.interpolate(y.t, (9, 7), mode="bilinear", align_corners=True), dtype)
        both(f"cubic-half-9x7-{dtype}", ["resize", y, "--size", "9,7", "--mode", "bicubic", "--cubic-coeff", "-0.5"],
             cubic(y.t, (9, 7), -0.5, False), dtype, by="Keys's formula in float64, coefficient -0.5")
    both("bilinear-corners-scale", ["resize", x, "--scale", "2", "--align-corners"],
         F.interpolate(x.t, scale_factor=2, mode="bilinear", align_corners=True))
    point = fmap("resize", (1, 3, 1, 1))
    both("bilinear-corners-from-one", ["resize", point, "--size", "3,2", "--align-corners"], point.t.expand(1, 3, 3, 2))


# ---- pyramids

def conv(x, wb, **how):
    """A convolution by a pair of arrays, the second of which may be absent; the identity without any."""
    w, b = wb or (None, None)
    if w is None:
        return x if b is None else x + b.t[:, None, None]
    return F.conv2d(x, w.t, b.t if b else None, **how)


def merged(kind, x, y, w):
    """weighted, of BiFPN (Tan et al. 2020): (relu(w0)·x + relu(w1)·y) / (relu(w0) + relu(w1) + 1e-4)."""
    if kind == "weighted":
        w = torch.relu(torch.ones(2, dtype=torch.float64) if w is None else w)
        return (w[0] * x + w[1] * y) / (w.sum() + 1e-4)
    return {"add": torch.add, "mul": torch.mul, "concat": lambda x, y: torch.cat([x, y], 1)}[kind](x, y)


def pyramid(xs, laterals=None, outputs=None, mode="bilinear", merge="add", weights=None):
    """Every output of torchvision's FeaturePyramidNetwork, finest first."""
    n = len(xs)
    laterals, outputs = laterals or [None] * n, outputs or [None] * n
    inner = conv(xs[-1], laterals[-1])
    results = [conv(inner, outputs[-1], padding=1)]
    for i in range(n - 2, -1, -1):
        lateral = conv(xs[i], laterals[i])
        inner = merged(merge, lateral, interpolate(inner, lateral.shape[2:], mode), None if weights is None else weights[i])
        results.insert(0, conv(inner, outputs[i], padding=1))
    return results


def bottom_up(ps, downs=None, convs=None, merge="add", weights=None):
    """PANet as mmdetection's PAFPN: all of N_{i+1} = merge(P_{i+1}, down(N_i)) first, then a convolution of all but N_0."""
    n = len(ps)
    downs, convs = downs or [None] * (n - 1), convs or [None] * (n - 1)
    ns = ps[:1]
    for i in range(n - 1):
        down = conv(ns[i], downs[i], stride=2, padding=1) if downs[i] else F.max_pool2d(ns[i], 1, 2)
        ns.append(merged(merge, ps[i + 1], down, None if weights is None else weights[i]))
    return ns[:1] + [conv(x, c, padding=1) for x, c in zip(ns[1:], convs)]


def p6p7(p, c, p6, p7):
    """torchvision's LastLevelP6P7."""
    x = conv(p if p6[0].a.shape[1] == p.shape[1] else c, p6, stride=2, padding=1)
    return [x, conv(F.relu(x), p7, stride=2, padding=1)]


def all_levels(what, args, results, dtype="f4", first=2, only=None, **how):
    """A case for each output of --all."""
    for i, want in enumerate(results, first):
        if only is None or i in only:
            both(f"{what}-p{i}-{dtype}", [*args, "--all", "-o", "{dir}/p{}.npy", *(["--first-level", first] if first != 2 else [])],
                 want, dtype, out=f"p{i}.npy", **how)


SIZES = [(9, 7), (5, 4), (3, 2)]


def levels(name="c", channels=(2, 3, 5), dtype="f4", sizes=SIZES):
    return [fmap(f"{name}{i + 2}", (1, c, *s), dtype) for i, (c, s) in enumerate(zip(channels, sizes))]


def convolution(name, out, inp, k, dtype="f4"):
    return weight(f"{name}_w", (out, inp, k, k), dtype, 0.5), weight(f"{name}_b", (out,), dtype, 1.0)


def laterals_and_outputs(xs, out=3, dtype="f4"):
    return ([convolution(f"inner{i}", out, x.a.shape[1], 1, dtype) for i, x in enumerate(xs)],
            [convolution(f"layer{i}", out, out, 3, dtype) for i in range(len(xs))])


def state(names, prefix=""):
    """A bundle's arrays from names of modules and their weight and bias: PyTorch's order in both layouts."""
    out = {}
    for name, (w, b) in names.items():
        for part, a in (("weight", w), ("bias", b)):
            if a is not None:
                out[f"{prefix}{name}.{part}"] = Array("plain", "", a.a.shape, array=a.a)
    return out


def torchvision_pyramids():
    nearest = ["--upsample", "nearest"]
    for dtype in ("f4", "f2"):
        xs = levels(dtype=dtype)
        ts = [x.t for x in xs]
        inner, layer = laterals_and_outputs(xs, dtype=dtype)
        names = {f"inner_blocks.{i}.0": c for i, c in enumerate(inner)} | {f"layer_blocks.{i}.0": c for i, c in enumerate(layer)}
        bundle = Bundle(f"fpn_{dtype}", state(names))
        want = pyramid(ts, inner, layer, "nearest")
        if dtype == "f4":
            both(f"bundle-{dtype}", ["fpn", *xs, "--weights", bundle, *nearest], want[0], by="torchvision's FeaturePyramidNetwork")
        all_levels("bundle", ["fpn", *xs, "--weights", bundle, *nearest], want, dtype, only=[3, 4] if dtype == "f4" else [3])
        if dtype != "f4":
            continue
        both("bundle-coarse-first", ["fpn", *xs[::-1], "--weights", bundle, *nearest], want[0])
        both("bundle-bilinear", ["fpn", *xs, "--weights", bundle, "--upsample", "bilinear"], pyramid(ts, inner, layer)[0])
        both("bundle-bicubic", ["fpn", *xs, "--weights", bundle, "--upsample", "bicubic"], pyramid(ts, inner, layer, "bicubic")[0])
        older = {name[:-2]: c for name, c in names.items()}
        whole = state(older, "backbone.fpn.") | {"backbone.body.conv1.weight": plain("other", (2, 3, 3, 3))}
        both("bundle-older-names-prefix", ["fpn", *xs, "--weights", Bundle("fpn_prefix", whole), "--weights-prefix",
                                           "backbone.fpn.", *nearest], want[0])
        bare = state({name: (w, None) for name, (w, _) in names.items()})
        both("bundle-no-bias", ["fpn", *xs, "--weights", Bundle("fpn_bare", bare), *nearest],
             pyramid(ts, *([(w, None) for w, _ in c] for c in (inner, layer)), "nearest")[0])
        large = levels("large", sizes=[(13, 9), (7, 5), (4, 3)])
        both("bundle-odd", ["fpn", *large, "--weights", bundle, *nearest], pyramid([x.t for x in large], inner, layer, "nearest")[0])

        all_levels("maxpool", ["fpn", *xs, "--weights", bundle, *nearest, "--extra", "maxpool"],
                   want + [F.max_pool2d(want[-1], 1, 2, 0)], only=[2, 4, 5])
        all_levels("extra-none", ["fpn", *xs, "--weights", bundle, *nearest, "--extra", "none"], want, only=[4])
        for source, channels in (("of-p", 3), ("of-c", 5)):
            p6, p7 = convolution(f"p6_{source}", 3, channels, 3), convolution("p7", 3, 3, 3)
            results = want + p6p7(want[-1], ts[-1], p6, p7)
            more = state({"extra_blocks.p6": p6, "extra_blocks.p7": p7})
            all_levels(f"p6p7-{source}", ["fpn", *xs, "--weights", Bundle(f"fpn_p6p7_{source}", bundle.arrays | more), *nearest,
                                          "--extra", "p6p7"], results, first=3, only=[5, 6, 7])
            all_levels(f"p6p7-{source}-lists",
                       ["fpn", *xs, "--lateral", [w for w, _ in inner], "--lateral-bias", [b for _, b in inner],
                        "--output-conv", [w for w, _ in layer], "--output-bias", [b for _, b in layer], *nearest,
                        "--extra", "p6p7", "--extra-weight", [p6[0], p7[0]], "--extra-bias", [p6[1], p7[1]]], results, only=[6])


def listed_pyramids():
    for dtype in ("f4", "f8", "f2"):
        xs = levels(dtype=dtype)
        ts = [x.t for x in xs]
        inner, layer = laterals_and_outputs(xs, dtype=dtype)
        iw, ib, lw, lb = ([pair[i] for pair in c] for c in (inner, layer) for i in (0, 1))
        args = ["fpn", *xs, "--lateral", iw, "--lateral-bias", ib, "--output-conv", lw, "--output-bias", lb]
        if dtype == "f4":
            all_levels("lists", args, pyramid(ts, inner, layer), only=[3])
        both(f"lists-finest-{dtype}", args, pyramid(ts, inner, layer)[0], dtype)
        for merge in ("concat", "mul", "weighted") if dtype == "f4" else ("weighted",) if dtype == "f8" else ():
            outs = [convolution(f"layer{i}", 3, 3 * (3 - i), 3, dtype) for i in range(3)] if merge == "concat" else layer
            w = plain("merge", (2, 2), dtype) if merge == "weighted" else None
            if w:
                w.a[:] = [[0.75, 0.25], [-0.5, 1.5]]
            results = pyramid(ts, inner, outs, merge=merge, weights=w and w.t)
            all_levels(f"merge-{merge}", ["fpn", *xs, "--lateral", iw, "--lateral-bias", ib, "--output-conv", [w_ for w_, _ in outs],
                                          "--output-bias", [b for _, b in outs], "--merge", merge, *(["--merge-weights", w] if w else [])],
                       results, dtype, only=[2])
    xs = levels("same", (2, 2, 2))
    ts = [x.t for x in xs]
    _, layer = laterals_and_outputs(xs, 2)
    both("output-conv-only", ["fpn", *xs, "--output-conv", [w for w, _ in layer]],
         pyramid(ts, None, [(w, None) for w, _ in layer])[0])
    some = [layer[0], None, layer[2]]
    all_levels("output-conv-some", ["fpn", *xs, "--output-conv", [layer[0][0], None, layer[2][0]], "--output-bias",
                                    [layer[0][1], None, None]],
               pyramid(ts, None, [some[0], None, (layer[2][0], None)]))
    all_levels("no-weights", ["fpn", *xs, "--upsample", "nearest"], pyramid(ts, mode="nearest"), tol=EXACT)
    all_levels("no-weights-maxpool", ["fpn", *xs, "--upsample", "nearest", "--extra", "maxpool"],
               [*pyramid(ts, mode="nearest"), F.max_pool2d(ts[-1], 1, 2, 0)], first=3, only=[6], tol=EXACT)
    for mode in ("bilinear", "nearest"):
        for merge in ("add", "concat", "mul", "weighted"):
            if mode == "bilinear" and merge in ("add", "mul"):
                continue
            both(f"merge-{merge}-{mode}", ["fpn", *xs, "--merge", merge, "--upsample", mode], pyramid(ts, mode=mode, merge=merge)[0],
                 tol=EXACT if mode == "nearest" and merge in ("add", "concat") else None)


def paths():
    """PANet (Liu et al. 2018) and BiFPN's two passes."""
    for dtype in ("f4", "f2"):
        xs = levels(dtype=dtype)
        ts = [x.t for x in xs]
        inner, layer = laterals_and_outputs(xs, dtype=dtype)
        ps = pyramid(ts, inner, layer, "nearest")
        downs, convs = ([convolution(f"{name}{i}", 3, 3, 3, dtype) for i in range(2)] for name in ("down", "up"))

        def lists(flag, pairs, bias=None):
            bias = bias or f"{flag.rsplit('-', 1)[0]}-bias"
            return [flag, [w for w, _ in pairs], bias, [b for _, b in pairs]]
        base = ["fpn", *xs, *lists("--lateral", inner, "--lateral-bias"), *lists("--output-conv", layer),
                "--upsample nearest --bottom-up"]
        down, up = lists("--down-conv", downs), lists("--bottom-up-conv", convs, "--bottom-up-conv-bias")
        all_levels("pafpn", [*base, *down, *up], bottom_up(ps, downs, convs), dtype, only=None if dtype == "f4" else [4],
                   by="mmdetection's PAFPN")
        if dtype != "f4":
            continue
        all_levels("pafpn-no-conv", [*base, *down], bottom_up(ps, downs), only=[4])
        all_levels("pafpn-no-down", [*base, *up], bottom_up(ps, None, convs), only=[4])
        all_levels("pafpn-neither", base, bottom_up(ps), only=[4])
        all_levels("pafpn-some", [*base, "--down-conv", [downs[0][0], None], "--bottom-up-conv", [None, convs[1][0]]],
                   bottom_up(ps, [(downs[0][0], None), None], [None, (convs[1][0], None)]), only=[4])
        results = bottom_up(ps, downs, convs)
        all_levels("pafpn-maxpool", [*base, *down, *up, "--extra", "maxpool"], [*results, F.max_pool2d(results[-1], 1, 2)], only=[5])
        # Even sizes too; concat makes channels grow, up and down.
        even = levels("even", (2, 2, 2), sizes=[(8, 6), (4, 3), (2, 2)])
        for merge in ("add", "concat", "mul", "weighted"):
            ps = pyramid([x.t for x in even], mode="nearest", merge=merge)
            exact = EXACT if merge in ("add", "concat") else None
            all_levels(f"bottom-up-{merge}", ["fpn", *even, "--upsample", "nearest", "--merge", merge, "--bottom-up"],
                       bottom_up(ps, merge=merge), only=[3, 4], tol=exact)
        top, bottom = (Array("plain", n, (2, 2), array=np.array(a, "f4")) for n, a in
                       (("bifpn_top", [[0.5, 1.25], [2, 0.75]]), ("bifpn_bottom", [[1.5, -1], [0.25, 0.5]])))
        ps = pyramid([x.t for x in even], mode="nearest", merge="weighted", weights=top.t)
        all_levels("bifpn", ["fpn", *even, "--upsample", "nearest", "--merge", "weighted", "--merge-weights", top, "--bottom-up",
                             "--bottom-up-weights", bottom], bottom_up(ps, merge="weighted", weights=bottom.t), by="BiFPN's fast normalised fusion")


# ---- several modalities

def on_axis(x, w, b=None):
    """A linear map of the channels: the second axis of maps, the last of sequences and vectors."""
    axis = 1 if x.dim() == 4 else -1
    return torch.movedim(F.linear(torch.movedim(x, axis, -1), w.t, b.t if b else None), -1, axis)


def spread(v, x):
    """Vectors [N,D] as what broadcasts over x's positions."""
    return v[:, :, None, None] if x.dim() == 4 else v[:, None] if x.dim() == 3 else v


def films():
    """FiLM (Perez et al. 2018): γ(B)·A + β(B)."""
    for dtype in ("f4", "f8", "f2"):
        b = plain("question", (2, 5), dtype)
        wg, bg, wb, bb = (weight(f"film_{n}", s, dtype) for n, s in (("g", (4, 5)), ("gb", (4,)), ("b", (4, 5)), ("bb", (4,))))
        for shape in ((2, 4, 3, 2), (2, 3, 4), (2, 4)) if dtype == "f4" else ((2, 4, 3, 2),):
            a = (fmap if len(shape) == 4 else plain)("film_a", shape, dtype)

            def film(a, bg=None, bb=None):
                return spread(on_axis(b.t, wg, bg), a) * a + spread(on_axis(b.t, wb, bb), a)
            args = ["crossmodal", a, b, "--mode", "film", "--gamma", wg, "--beta", wb]
            both(f"film-{dims(shape)}-{dtype}", [*args, "--gamma-bias", bg, "--beta-bias", bb], film(a.t, bg, bb), dtype,
                 by="γ(B)·A + β(B)")
            if shape == (2, 4, 3, 2) and dtype == "f4":
                both(f"film-no-bias-{dtype}", args, film(a.t), dtype, by="γ(B)·A + β(B)")
            if dtype == "f4" and len(shape) == 4:
                c, k, kb = film(a.t, bg, bb), *convolution("film_conv", 4, 4, 3)
                both("film-block", [*args, "--gamma-bias", bg, "--beta-bias", bb, "then", "act", "--activation", "relu",
                                    "then", "conv", "--weight", k, "--bias", kb, "--padding", 1, "then", "add", a, "-"],
                     a.t + F.conv2d(F.relu(c), k.t, kb.t, padding=1), by="FiLM's residual block")


def bilinears():
    """MLB (Kim et al. 2017): P((act(UA)) ∘ (act(VB))). MFB (Yu et al. 2017): sums of K features, sign(z)·√|z|, l2-normalised."""
    for dtype in ("f4", "f8", "f2"):
        # Few bits: products and sums before the root are exact.
        def weights(name, shape):
            return Array("weight", f"mlb_{name}", shape, dtype, array=grid(f"mlb {name}", shape, 2.0**-4, 1.0).astype(dtype))
        sizes = {"u": (12, 6), "ub": (12,), "v": (12, 5), "vb": (12,), "p": (4, 12), "pb": (4,)}
        u, ub, v, vb, p, pb = (weights(*item) for item in sizes.items())
        short_p = Array("weight", "mlb_short", (5, 4), dtype, array=grid("mlb short", (5, 4), 2.0**-4, 1.0).astype(dtype))

        def few(make, name, shape):
            return Array(make, name, shape, dtype, array=grid(f"mlb {name}{shape}", shape, 2.0**-3, 1.0).astype(dtype))
        b = few("plain", "mlb_q", (2, 5))
        tokens = few("plain", "mlb_words", (2, 3, 5))

        def case(what, a, b, act=None, bias=True, out=None, factor=None, normalize=False):
            x, y = on_axis(a.t, u, ub if bias else None), on_axis(b.t, v, vb if bias else None)
            x, y = (torch.tanh(x), torch.tanh(y)) if act else (x, y)
            z = x * (spread(y, x) if y.dim() < x.dim() else y)
            axis = 1 if z.dim() == 4 else -1
            if factor:
                z = z.unflatten(axis, (-1, factor)).sum(axis + 1 if axis == 1 else -1)
            z = on_axis(z, *out) if out else z
            if normalize:
                z = F.normalize(torch.sign(z) * z.abs().sqrt(), dim=axis, eps=1e-12)
            both(f"bilinear-{what}-{dtype}",
                 ["crossmodal", a, b, "--mode", "bilinear", "--u", u, "--v", v, *(["--u-bias", ub, "--v-bias", vb] if bias else []),
                  *(["--p", out[0]] if out else []), *(["--p-bias", out[1]] if out and len(out) > 1 else []),
                  *(["--activation", act] if act else []), *(["--factor", factor] if factor else []), *["--normalize"] * normalize],
                 z, dtype, by="MFB" if factor else "MLB")

        vector = few("plain", "mlb_a", (2, 6))
        case("mlb", vector, b, "tanh", out=(p, pb))
        case("mfb", vector, b, factor=3, normalize=True)
        sequence, image = few("plain", "mlb_seq", (2, 3, 6)), few("map", "mlb_map", (2, 6, 3, 2))
        if dtype != "f4":
            continue
        case("mlb-sequence", sequence, b, "tanh", out=(p, pb))
        case("mlb-map", image, b, "tanh", out=(p, pb))
        case("linear", vector, b, out=(p, pb))
        case("no-bias", vector, b, "tanh", bias=False, out=(p,))
        case("no-output", vector, b, "tanh")
        case("sequences", sequence, tokens, "tanh", out=(p, pb))
        case("factor", vector, b, factor=3)
        case("factor-2-sequence", sequence, b, factor=2)
        case("factor-output", vector, b, factor=3, out=(short_p,))
        case("normalize", vector, b, normalize=True)
        case("mfb-sequence", sequence, b, factor=3, normalize=True)
        case("mfb-map", image, b, factor=4, normalize=True)


def projections():
    """--project maps an input's channels before any fusion."""
    a, b, c = plain("image", (2, 7)), plain("text", (2, 5)), plain("sound", (2, 4))
    pa, pb, pc = (weight(f"project_{n}", (6, i)) for n, i in (("a", 7), ("b", 5), ("c", 4)))
    ba, bb, bc = (weight(f"project_{n}b", (6,)) for n in "abc")
    gates = {"concat": lambda *x: torch.cat(x, 1), "add": lambda *x: sum(x), "mul": lambda *x: product(x),
             "gate": lambda x, *y: product([x, *map(torch.sigmoid, y)])}
    three = [on_axis(x.t, w, b_) for x, w, b_ in ((a, pa, ba), (b, pb, bb), (c, pc, bc))]
    flags = ["--project", (0, pa), "--project-bias", (0, ba), "--project", (1, pb), "--project-bias", (1, bb),
             "--project", (2, pc), "--project-bias", (2, bc)]
    for mode, f in gates.items():
        both(f"project-{mode}-three", ["crossmodal", a, b, c, "--mode", mode, *flags], f(*three))
        if mode in ("concat", "gate"):
            both(f"project-{mode}-two", ["crossmodal", a, b, "--mode", mode, "--project", (1, pb), "--project", (0, pa)],
                 f(on_axis(a.t, pa), on_axis(b.t, pb)))
    x, y = plain("project_full", (2, 6)), fmap("project_map", (2, 5, 3, 2))
    both("project-one-gate", ["crossmodal", x, b, "--mode", "gate", "--project", (1, pb), "--project-bias", (1, bb)],
         x.t * torch.sigmoid(on_axis(b.t, pb, bb)))
    words, regions = plain("words", (2, 4, 5)), plain("regions", (2, 3, 7))
    both("project-tokens", ["crossmodal", regions, words, "--project", (0, pa), "--project", (1, pb), "--project-bias", (1, bb)],
         torch.cat([on_axis(regions.t, pa), on_axis(words.t, pb, bb)], 1))
    z = fmap("project_map6", (2, 6, 3, 2))
    for mode, f in list(gates.items())[::3]:
        both(f"project-{mode}-map", ["crossmodal", z, y, "--mode", mode, *(["--axis", CHANNELS] if mode == "concat" else []),
                                     "--project", (1, pb), "--project-bias", (1, bb)], f(z.t, on_axis(y.t, pb, bb)))
    one = fmap("project_one", (2, 5, 1, 1))
    both("project-gate-channels", ["crossmodal", z, one, "--mode", "gate", "--project", (1, pb)],
         z.t * torch.sigmoid(on_axis(one.t, pb)))
    wg, wb = weight("project_gamma", (6, 6)), weight("project_beta", (6, 6))
    v = on_axis(b.t, pb, bb)
    both("project-film", ["crossmodal", z, b, "--mode", "film", "--gamma", wg, "--beta", wb, "--project", (1, pb),
                          "--project-bias", (1, bb)],
         spread(F.linear(v, wg.t), z.t) * z.t + spread(F.linear(v, wb.t), z.t), by="γ(B)·A + β(B)")
    both("project-attention", ["crossmodal", regions, words, "--mode", "attention", "--project", (0, pa), "--project", (1, pb)],
         attend(on_axis(regions.t, pa), *[on_axis(words.t, pb)] * 2, 1.0)[0])
    for dtype in ("f8", "f2"):
        d = [plain(n, s, dtype) for n, s in (("image", (2, 7)), ("text", (2, 5)))]
        w = [weight("project_a", (6, 7), dtype), weight("project_b", (6, 5), dtype)]
        both(f"project-gate-{dtype}", ["crossmodal", *d, "--mode", "gate", "--project", (0, w[0]), "--project", (1, w[1])],
             on_axis(d[0].t, w[0]) * torch.sigmoid(on_axis(d[1].t, w[1])), dtype)


# ---- attention

def attend(q, k, v, scale, mask=None, causal=False):
    """softmax(QKᵀ·scale + mask)V and the softmax."""
    scores = q @ k.transpose(-1, -2) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    if causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
    weights = torch.softmax(scores, -1)
    return weights @ v, weights


def split(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


class Projections:
    """Weights and biases of q, k, v, o, under this program's flags or names."""

    def __init__(self, name, sizes, dtype="f4", biased="qkvo"):
        self.w = {p: weight(f"{name}_w{p}", s, dtype) for p, s in sizes.items()}
        self.b = {p: weight(f"{name}_b{p}", s[:1], dtype) for p, s in sizes.items() if p in biased}

    def args(self):
        return [x for n, d in (("w", self.w), ("b", self.b)) for p, a in d.items() for x in (f"--{n}{p}", a)]

    def bundle(self, name):
        return Bundle(name, {f"w{p}": a for p, a in self.w.items()} | {f"b{p}": a for p, a in self.b.items()})

    def __call__(self, p, x):
        return F.linear(x, self.w[p].t, self.b[p].t if p in self.b else None) if p in self.w else x

    def attend(self, x, y, heads=1, scale=1.0, **how):
        q, k, v = (split(self(p, a), heads) for p, a in (("q", x), ("k", y), ("v", y)))
        out, scores = attend(q, k, v, q.shape[-1] ** -0.5 if scale is None else scale, **how)
        return self("o", out.transpose(-2, -3).flatten(-2)), scores


def module(name, features, heads, dtype="f4", context=None, bias=True):
    """torch.nn.MultiheadAttention in float64 with values of the dtype, and its state dict."""
    m = torch.nn.MultiheadAttention(features, heads, bias=bias, kdim=context, vdim=context, batch_first=True).double()
    arrays = {}
    with torch.no_grad():
        for n, p in m.state_dict(keep_vars=True).items():
            a = Array("plain", f"{name} {n}", tuple(p.shape), dtype, 0.75)
            p.copy_(a.t)
            arrays[n] = a
    return m, arrays


def run(m, x, y, **how):
    with torch.no_grad():
        return m(x, y, y, need_weights=True, average_attn_weights=False, **how)


Y = ["-o", "{dir}/y.npy", "--save-scores", "{dir}/p.npy"]


def modules():
    """torch.nn.MultiheadAttention. Its True of a boolean mask is masked out, ours attends."""
    by = "nn.MultiheadAttention"
    for dtype in ("f4", "f8", "f2"):
        x, y, z = (plain(n, s, dtype) for n, s in (("mha_x", (2, 5, 6)), ("mha_y", (2, 4, 6)), ("mha_z", (2, 4, 5))))
        m, arrays = module("mha", 6, 2, dtype)
        bundle = Bundle(f"mha_{dtype}", arrays)

        def case(what, m, flags, x, y=None, scores=True, heads=2, **how):
            out, p = run(m, x.t, (y or x).t, **how)
            args = ["attention", x, *(["--context", y] if y else []), *flags, *(["--heads", heads] if heads > 1 else [])]
            both(f"bundle-{what}-{dtype}", args, out, dtype, by=by)
            if scores:
                both(f"bundle-{what}-scores-{dtype}", [*args, *Y], p if heads > 1 else p[:, 0], dtype, by=by, out="p.npy",
                     moved=False)

        w = ["--weights", bundle]
        case("self", m, w, x)
        case("cross", m, w, x, y)
        causal = ~torch.ones(5, 5, dtype=torch.bool).tril()
        case("causal", m, [*w, "--causal"], x, attn_mask=causal)
        if dtype != "f4":
            continue
        split_m, split_arrays = module("mha_split", 6, 2, context=5)
        case("kdim", split_m, ["--weights", Bundle("mha_split", split_arrays)], x, z)
        both("bundle-residual", ["attention", x, *w, "--heads", 2, "--residual"], x.t + run(m, x.t, x.t)[0], by=by)
        both("bundle-scores-output", ["attention", x, *w, "--heads", 2, *Y], run(m, x.t, x.t)[0], by=by, out="y.npy")
        bare, bare_arrays = module("mha_bare", 6, 2, bias=False)
        case("no-bias", bare, ["--weights", Bundle("mha_bare", bare_arrays)], x, y, scores=False)
        bare, bare_arrays = module("mha_split_bare", 6, 2, context=5, bias=False)
        case("kdim-no-bias", bare, ["--weights", Bundle("mha_split_bare", bare_arrays)], x, z, scores=False)
        layer = {f"layers.0.self_attn.{n}": a for n, a in arrays.items()} | {"layers.0.linear1.weight": plain("other", (4, 6))}
        case("prefix", m, ["--weights", Bundle("mha_layer", layer), "--weights-prefix", "layers.0.self_attn."], x, scores=False)
        case("compressed", m, ["--weights", Bundle("mha_compressed", arrays, True)], x, scores=False)
        single, single_arrays = module("mha_single", 6, 1)
        case("one-head", single, ["--weights", Bundle("mha_single", single_arrays)], x, y, heads=1)
        six, six_arrays = module("mha_six", 6, 6)
        case("six-heads", six, ["--weights", Bundle("mha_six", six_arrays)], x, heads=6, scores=False)

        # Masks, by shape. Some key is always left to attend to.
        def some(what, *shape):
            a = rng(f"network mask {what}").random(shape) < 0.6
            a[..., 0] = True
            return boolean(f"mask_{what}", a)

        def masked(what, mask, x, y=None, flags=(), **how):
            case(f"mask-{what}", m, [*w, "--mask", mask, *flags], x, y, scores=what in ("all", "each-head", "padding", "float"),
                 **how)

        def off(mask):  # as PyTorch has it
            return torch.from_numpy(~mask.a)
        mask = some("all", 5, 4)
        masked("all", mask, x, y, attn_mask=off(mask))
        mask = some("all4", 1, 1, 5, 4)
        masked("all4", mask, x, y, attn_mask=off(mask)[0, 0])
        mask = some("each-head", 2, 2, 5, 4)
        masked("each-head", mask, x, y, attn_mask=off(mask).reshape(4, 5, 4))
        mask = some("one-a-head", 1, 2, 5, 4)
        masked("one-a-head", mask, x, y, attn_mask=off(mask).expand(2, -1, -1, -1).reshape(4, 5, 4))
        mask = some("batch", 2, 1, 5, 4)
        masked("batch", mask, x, y, attn_mask=off(mask).repeat_interleave(2, 1).reshape(4, 5, 4))
        mask = some("padding", 2, 1, 1, 4)
        masked("padding", mask, x, y, key_padding_mask=off(mask)[:, 0, 0])
        mask = some("padding-self", 2, 1, 1, 5)
        masked("padding-causal", mask, x, flags=["--causal"], attn_mask=causal, key_padding_mask=off(mask)[:, 0, 0])
        mask = plain("mask_float", (5, 4))
        masked("float", mask, x, y, attn_mask=mask.t)
        mask = plain("mask_float_each", (2, 2, 5, 4))
        masked("float-each", mask, x, y, attn_mask=mask.t.reshape(4, 5, 4))
        mask = plain("mask_float_heads", (2, 1, 1))  # a bias a head
        masked("float-heads", mask, x, y, attn_mask=mask.t.expand(2, 2, 5, 4).reshape(4, 5, 4))
        ruled = plain("mask_ruled", (5, 4))
        ruled.a[rng("network ruled").random((5, 4)) < 0.4] = -np.inf
        ruled.a[:, 0] = 0
        masked("float-inf", ruled, x, y, attn_mask=ruled.t)

        # The default scale gives way to one that is named.
        parts = dict(zip("qkv", zip(arrays["in_proj_weight"].t.chunk(3), arrays["in_proj_bias"].t.chunk(3))))
        q, k, v = (split(F.linear(a.t, *parts[n]), 2) for n, a in (("q", x), ("k", y), ("v", y)))
        for name, scale in (("none", 1.0), ("0.5", 0.5), ("auto", 3 ** -0.5)):
            out = attend(q, k, v, scale)[0].transpose(1, 2).flatten(2)
            both(f"bundle-scale-{name}", ["attention", x, "--context", y, *w, "--heads", 2, "--scale", name],
                 F.linear(out, arrays["out_proj.weight"].t, arrays["out_proj.bias"].t), by="the module's projections and softmax")
        both("bundle-ffn", ["attention", x, *w, "--heads 2 --residual then linear --weight", fc(9, 6)[0], "--bias", fc(9, 6)[1],
                            "--activation", "gelu", "then", "linear", "--weight", fc(6, 9)[0], "--bias", fc(6, 9)[1]],
             ffn(x.t + run(m, x.t, x.t)[0]), by="a Transformer layer's two blocks, without the second shortcut", layouts=SEQUENCES)


def fc(out, inp):
    return weight("ffn_w", (out, inp)), weight("ffn_b", (out,))


def ffn(x):
    (w1, b1), (w2, b2) = fc(9, 6), fc(6, 9)
    return F.linear(F.gelu(F.linear(x, w1.t, b1.t)), w2.t, b2.t)


def keras_attention():
    """Keras's MultiHeadAttention (Vaswani et al. 2017): q = einsum(abc,cde->abde) + b, softmax(q·kᵀ/√d)·v by heads,
    einsum(abcd,cde->abe) + b. The heads come from the kernels."""
    for dtype in ("f4", "f2"):
        x, y = plain("mha_x", (2, 5, 6), dtype), plain("mha_z", (2, 4, 5), dtype)
        for what, context, heads, d, dv, bias in (("self", x, 2, 3, 3, True), ("cross", y, 2, 4, 2, True),
                                                  ("bare", y, 3, 2, 2, False)):
            if dtype != "f4" and what != "cross":
                continue
            c = context.a.shape[-1]
            sizes = {"query": (6, heads, d), "key": (c, heads, d), "value": (c, heads, dv), "attention_output": (heads, dv, 6)}
            arrays = {f"{n}/kernel": plain(f"keras_{n}", s, dtype) for n, s in sizes.items()}
            if bias:
                for n, shape in sizes.items():
                    arrays[f"{n}/bias"] = plain(f"keras_{n}_bias", shape[2:] if n == "attention_output" else shape[1:], dtype)

            def project(n, x):
                return torch.einsum("nlc,chd->nhld", x, arrays[f"{n}/kernel"].t) + (arrays[f"{n}/bias"].t[:, None] if bias else 0)
            mask = rng(f"network keras {what}").random((2, 1, 5, context.a.shape[1])) < 0.6
            mask[..., 0] = True
            for masked in (False, True) if dtype == "f4" and bias else (False,):
                out, p = attend(project("query", x.t), project("key", context.t), project("value", context.t), d ** -0.5,
                                torch.from_numpy(mask) if masked else None)
                out = torch.einsum("nhld,hde->nle", out, arrays["attention_output/kernel"].t)
                out = out + arrays["attention_output/bias"].t if bias else out
                args = ["attention", x, *(["--context", context] if context is y else []), "--weights",
                        Bundle(f"keras_{what}_{dtype}", arrays),
                        *(["--mask", boolean(f"mask_keras_{what}", mask)] if masked else [])]
                both(f"keras-{what}{'-mask' * masked}-{dtype}", args, out, dtype, by="Keras's MultiHeadAttention by einsum")
                if dtype == "f4":
                    both(f"keras-{what}{'-mask' * masked}-scores-{dtype}", [*args, *Y], p, dtype, out="p.npy", moved=False,
                         by="Keras's MultiHeadAttention by einsum")
                if dtype == "f4" and what == "self" and not masked:
                    prefixed = {f"encoder/mha/{n}": a for n, a in arrays.items()}
                    both("keras-prefix", [*args[:2], "--weights", Bundle("keras_prefix", prefixed), "--weights-prefix",
                                          "encoder/mha/"], out,
                         by="Keras's MultiHeadAttention by einsum")
                    both("keras-residual", [*args, "--residual"], x.t + out, by="Keras's MultiHeadAttention by einsum")


def own_attention():
    """A bundle of this program's own names, whose scale stays none; the softmax of every form; fewer heads of keys."""
    x, y = plain("mha_x", (2, 5, 6)), plain("mha_z", (2, 4, 5))
    w = Projections("own", {"q": (8, 6), "k": (8, 5), "v": (4, 5), "o": (6, 4)})
    bundle = w.bundle("own")
    for what, flags, how in (("plain", [], {}), ("heads", ["--heads", 2, "--scale", "auto"], {"heads": 2, "scale": None})):
        out, p = w.attend(x.t, y.t, **how)
        args = ["attention", x, "--context", y, "--weights", bundle, *flags]
        both(f"own-{what}", args, out)
        both(f"own-{what}-scores", [*args, *Y], p if how else p[:, 0], out="p.npy", moved=False)
        both(f"own-{what}-flags", ["attention", x, "--context", y, *w.args(), *flags, *Y], p if how else p[:, 0], out="p.npy",
             moved=False)
    some = Projections("own_some", {"q": (6, 6), "v": (6, 6)}, biased="v")
    both("own-some", ["attention", x, "--weights", some.bundle("own_some")], some.attend(x.t, x.t)[0])
    both("own-members", ["attention", x, "--context", y, *(a for p in "qkvo" for a in (f"--w{p}", Member(bundle, f"w{p}")))],
         Projections("own", {"q": (8, 6), "k": (8, 5), "v": (4, 5), "o": (6, 4)}, biased="").attend(x.t, y.t)[0])
    prefixed = Bundle("own_prefix", {f"block1.{n}": a for n, a in bundle.arrays.items()} | {"block2.wq": plain("other", (4, 6))})
    both("own-prefix", ["attention", x, "--context", y, "--weights", prefixed, "--weights-prefix", "block1."], w.attend(x.t, y.t)[0])

    for dtype in ("f4", "f8", "f2"):
        for heads, kv in ((4, 2), (4, 1), (4, 4)):
            sizes = {"q": (1, heads, 3, 4), "k": (1, kv, 5, 4), "v": (1, kv, 5, 3)}
            q, k, v = (plain(f"gqa_{n}", shape, dtype) for n, shape in sizes.items())
            tk, tv = (a.t.repeat_interleave(heads // kv, 1) for a in (k, v))
            for causal in (False, True):
                out, p = attend(q.t, tk, tv, 0.5, causal=causal)
                args = ["attention", "--query", q, "--key", k, "--value", v, "--scale", "auto", *["--causal"] * causal]
                if dtype == "f4" or (kv == 2 and not causal):
                    what = f"qkv-{heads}-{kv}{'-causal' * causal}-shared-{dtype}"
                    both(what, args, out, dtype, moved=False, by="grouped-query attention")
                    both(f"{what}-scores", [*args, *Y], p, dtype, out="p.npy", moved=False, by="grouped-query attention")
    q, k, v = (plain(f"three_{n}", s) for n, s in (("q", (2, 3, 4)), ("k", (2, 5, 4)), ("v", (2, 5, 3))))
    both("qkv-rank3-scores", ["attention", "--query", q, "--key", k, "--value", v, *Y], attend(q.t, k.t, v.t, 1.0)[1], out="p.npy")
    both("qkv-rank3-scores-output", ["attention", "--query", q, "--key", k, "--value", v, *Y], attend(q.t, k.t, v.t, 1.0)[0],
         out="y.npy")


def flat(x):
    return x.flatten(2).transpose(1, 2)


def unflat(y, x):
    return y.transpose(1, 2).reshape(x.shape[0], -1, *x.shape[2:])


def non_local():
    """Wang et al. 2018: z = Wz·y + x, y_i = Σ_j f(x_i, x_j)·g(x_j) / C. Embedded Gaussian f = exp(θᵀφ), C = Σf; Gaussian
    f = exp(xᵀx); dot product f = θᵀφ, C = N; concatenation f = relu(wfᵀ[θ, φ]), C = N."""
    for shape in ((2, 6, 3, 4), (1, 6, 2, 3, 2)):
        for dtype in ("f4", "f8", "f2") if len(shape) == 4 else ("f4",):
            x = fmap("local", shape, dtype, 1.0)
            every = Projections("local", {"q": (3, 6), "k": (3, 6), "v": (3, 6), "o": (6, 3)}, dtype)
            xs, rank = flat(x.t), len(shape)
            args = ["attention", x, "--spatial"]

            def put(what, args, y, weights):
                both(f"{what}-rank{rank}-{dtype}", [*args, "--residual"], x.t + unflat(weights("o", y), x.t), dtype,
                     by="Non-local, " + what)
            y = attend(every("q", xs), every("k", xs), every("v", xs), 1.0)[0]
            put("embedded-gaussian", [*args, *every.args()], y, every)
            if dtype == "f2":
                continue
            theta, phi, value = (every(p, xs) for p in "qkv")
            n = xs.shape[1]
            put("dot-product", [*args, *every.args(), "--form", "dot-product"], theta @ phi.transpose(1, 2) / n @ value, every)
            wf = plain("local_wf", (6,), dtype)
            f = F.relu((theta @ wf.t[:3])[:, :, None] + (phi @ wf.t[3:])[:, None]) / n
            put("concatenation", [*args, *every.args(), "--form", "concatenation", "--wf", wf], f @ value, every)
            if dtype != "f4":
                continue
            put("embedded-gaussian-bundle", [*args, "--weights", every.bundle("local")], y, every)
            if rank == 4:  # with one row, as PyTorch's convolution has it
                row = Array("plain", "local_wf_row", (1, 6), array=wf.a[None])
                torch_only("concatenation-row", [*args, *every.args(), "--form", "concatenation", "--wf", row, "--residual"],
                           x.t + unflat(every("o", f @ value), x.t))
            both(f"dot-product-plain-rank{rank}", [*args, "--form", "dot-product"], unflat(xs @ xs.transpose(1, 2) / n @ xs, x.t))
            outer = Projections("local", {"v": (3, 6), "o": (6, 3)})
            put("gaussian", [*args, *outer.args()], attend(xs, xs, outer("v", xs), 1.0)[0], outer)
            bare = Projections("local", {"q": (3, 6), "k": (3, 6), "v": (3, 6), "o": (6, 3)}, biased="")
            put("no-bias", [*args, *bare.args()], attend(bare("q", xs), bare("k", xs), bare("v", xs), 1.0)[0], bare)


def crossmodal_attention():
    """A's positions query B's."""
    for dtype in ("f4", "f8", "f2"):
        a, b = plain("mha_x", (2, 5, 6), dtype), plain("mha_z", (2, 4, 5), dtype)
        w = Projections("cross", {"q": (4, 6), "k": (4, 5), "v": (6, 5), "o": (6, 6)}, dtype)
        args = ["crossmodal", a, b, "--mode", "attention"]
        both(f"attention-heads-{dtype}", [*args, *w.args(), "--heads", 2, "--scale", "auto"], w.attend(a.t, b.t, 2, None)[0], dtype)
        if dtype == "f4":
            both(f"attention-residual-{dtype}", [*args, *w.args(), "--residual"], a.t + w.attend(a.t, b.t)[0], dtype)
        if dtype == "f2":
            continue
        image, depth = fmap("local", (2, 6, 3, 4), dtype, 1.0), fmap("depth", (2, 5, 2, 3), dtype, 1.0)
        v = Projections("cross_map", {"q": (4, 6), "k": (4, 5), "v": (4, 5), "o": (6, 4)}, dtype)
        out = unflat(v.attend(flat(image.t), flat(depth.t), 2, None)[0], image.t)
        both(f"attention-map-{dtype}", ["crossmodal", image, depth, "--mode attention", *v.args(), "--heads 2 --scale", "auto",
                                        "--residual"],
             image.t + out, dtype)
        if dtype == "f8":
            continue
        both("attention-map-no-residual", ["crossmodal", image, depth, "--mode attention", *v.args(), "--heads 2 --scale",
                                           "auto"], out)
        other = fmap("other_map", (2, 6, 2, 3), dtype, 1.0)
        both("attention-map-plain", ["crossmodal", image, other, "--mode", "attention"],
             unflat(attend(flat(image.t), *[flat(other.t)] * 2, 1.0)[0], image.t))
        same = plain("mha_y", (2, 4, 6))
        both("attention-plain", ["crossmodal", a, same, "--mode", "attention"], attend(a.t, same.t, same.t, 1.0)[0])
        mask = rng("network crossmodal mask").random((2, 1, 1, 4)) < 0.6
        mask[..., 0] = True
        both("attention-mask", [*args, *w.args(), "--heads", 2, "--mask", boolean("mask_crossmodal", mask)],
             w.attend(a.t, b.t, 2, mask=torch.from_numpy(mask))[0])
        m, arrays = module("mha_split", 6, 2, context=5)
        both("attention-bundle", [*args, "--weights", Bundle("mha_split", arrays), "--heads 2"], run(m, a.t, b.t)[0],
             by="nn.MultiheadAttention")


# ---- blocks as chains

def unets():
    """A decoder's step: upsample, join the skip connection, convolve."""
    for dtype in ("f4", "f8"):
        x = fmap("unet_x", (1, 4, 4, 3), dtype)
        k, kb = convolution("unet", 3, 6, 3, dtype)
        for size in ((8, 6), (9, 7)) if dtype == "f4" else ((9, 7),):
            skip = fmap("unet_skip", (1, 2, *size), dtype)
            for how in ("crop", "pad", "resize"):
                if how != "crop" and (size == (8, 6) or dtype == "f8"):
                    continue
                up = F.interpolate(x.t, scale_factor=2, mode="bilinear", align_corners=False)
                want = F.relu(F.conv2d(torch.cat(aligned([skip.t, up], how), 1), k.t, kb.t, padding=1))
                both(f"unet-{how}-{dims(size)}-{dtype}",
                     ["resize", x, "--scale", 2, "--mode", "bilinear", "then", "concat", skip, "-", "--align", how, "--axis",
                      CHANNELS,
                      "then", "conv", "-", "--weight", k, "--bias", kb, "--padding", "same", "--activation", "relu"], want, dtype)
    x, skip, even = fmap("unet_x", (1, 4, 4, 3)), fmap("unet_skip", (1, 2, 9, 7)), fmap("unet_skip", (1, 2, 8, 6))
    (k, kb), (k2, k2b) = convolution("unet", 3, 6, 3), convolution("unet2", 2, 3, 3)
    kt, ktb = weight("unet_up", (4, 3, 2, 2)), weight("unet_upb", (3,))
    kc, kcb = convolution("unet_up", 3, 5, 3)
    to = F.interpolate(x.t, (9, 7), mode="bilinear", align_corners=False)
    tail = ["then", "conv", "--weight", k, "--bias", kb, "--padding", "same", "--activation", "relu"]
    both("unet-size", ["resize", x, "--size", "9,7", "then", "concat", skip, "-", "--axis", CHANNELS, *tail],
         F.relu(F.conv2d(torch.cat([skip.t, to], 1), k.t, kb.t, padding=1)))
    both("unet-nearest", ["resize", x, "--size", "9,7", "--mode", "nearest", "then", "concat", "-", skip, "--axis", CHANNELS],
         torch.cat([interpolate(x.t, (9, 7), "nearest"), skip.t], 1), tol=EXACT)
    corners = F.interpolate(x.t, scale_factor=2, mode="bilinear", align_corners=True)
    both("unet-corners", ["resize", x, "--scale 2 --align-corners then concat", skip, "- --align pad --axis", CHANNELS, *tail],
         F.relu(F.conv2d(torch.cat(aligned([skip.t, corners], "pad"), 1), k.t, kb.t, padding=1)))
    up = F.conv_transpose2d(x.t, kt.t, ktb.t, stride=2)
    for how, s in (("crop", skip), ("pad", skip), ("none", even)):
        joined = torch.cat(aligned([s.t, up], how) if how != "none" else [s.t, up], 1)
        both(f"unet-up-{how}", ["conv", x, "--weight", kt, "--bias", ktb, "--transpose --stride 2 then concat", s, "- --align", how,
                                "--axis", CHANNELS, "then conv - --weight", kc, "--bias", kcb, "--padding same --activation relu",
                                "then", "conv", "--weight", k2, "--bias", k2b, "--padding", "same", "--activation", "relu"],
             F.relu(F.conv2d(F.relu(F.conv2d(joined, kc.t, kcb.t, padding=1)), k2.t, k2b.t, padding=1)))
    # The coarse map comes first and the skip is what is cropped; attention U-Net's gate; a sum in place of the join.
    small = fmap("unet_skip", (1, 1, 13, 9))
    both("unet-valid", ["conv", x, "--weight", kt, "--bias", ktb, "--transpose --stride 2 then concat -", small, "--align crop",
                        "--axis", CHANNELS], torch.cat(aligned([up, small.t], "crop"), 1))
    gate = fmap("unet_gate", (1, 1, 9, 7))
    both("unet-gate", ["resize", x, "--scale", 2, "then", "mul", "-", gate, "--gate", "sigmoid", "--align", "crop"],
         product(aligned([F.interpolate(x.t, scale_factor=2, mode="bilinear", align_corners=False), torch.sigmoid(gate.t)], "crop")))
    lateral = fmap("unet_sum", (1, 4, 9, 7))
    both("unet-add", ["resize", x, "--scale 2 --mode nearest then add", lateral, "- --align pad --activation relu"],
         F.relu(sum(aligned([lateral.t, F.interpolate(x.t, scale_factor=2)], "pad"))), tol=EXACT)


def residuals():
    """He et al. 2015, 2016: shortcuts by projection, by identity, and before the activation."""
    for dtype in ("f4", "f8", "f2"):
        x = fmap("res_x", (1, 2, 5, 4), dtype)
        branch = fmap("res_branch", (1, 3, 3, 2), dtype)
        p, pb = convolution("res_p", 3, 2, 1, dtype)
        both(f"resnet-projection-{dtype}", ["conv", x, "--weight", p, "--bias", pb, "--stride 2 then add", branch,
                                            "- --activation relu"],
             F.relu(branch.t + F.conv2d(x.t, p.t, pb.t, stride=2)), dtype)
        if dtype == "f2":
            continue
        (k1, b1), (k2, b2) = convolution("res1", 2, 2, 3, dtype), convolution("res2", 2, 2, 3, dtype)
        same = ["--padding", 1]
        body = F.conv2d(F.relu(F.conv2d(x.t, k1.t, b1.t, padding=1)), k2.t, b2.t, padding=1)
        both(f"resnet-identity-{dtype}", ["conv", x, "--weight", k1, "--bias", b1, *same, "--activation relu then conv --weight",
                                          k2, "--bias", b2,
                                          *same, "then", "add", x, "-", "--activation", "relu"], F.relu(x.t + body), dtype)
    x = fmap("res_x", (1, 2, 5, 4))
    (k1, b1), (k2, b2) = convolution("res1", 2, 2, 3), convolution("res2", 2, 2, 3)
    body = F.conv2d(F.relu(F.conv2d(F.relu(x.t), k1.t, b1.t, padding=1)), k2.t, b2.t, padding=1)
    both("resnet-preactivation", ["act", x, "--activation", "relu", "then", "conv", "--weight", k1, "--bias", b1, "--padding", 1,
                                  "then act - --activation relu then conv - --weight", k2, "--bias", b2, "--padding 1",
                                  "then", "add", x, "-"], x.t + body)
    (ka, ba), (kb, bb), (kc, bc) = convolution("neck1", 3, 2, 1), convolution("neck2", 3, 3, 3), convolution("neck3", 2, 3, 1)
    y = F.relu(F.conv2d(F.relu(F.conv2d(x.t, ka.t, ba.t)), kb.t, bb.t, padding=1))
    both("resnet-bottleneck", ["conv", x, "--weight", ka, "--bias", ba, "--activation relu then conv --weight", kb, "--bias", bb,
                               "--padding 1",
                               "--activation relu then conv --weight", kc, "--bias", bc, "then add -", x, "--activation relu"],
         F.relu(F.conv2d(y, kc.t, bc.t) + x.t))
    # The main path strides; the shortcut is an array.
    (k, b), branch = convolution("res_down", 3, 2, 3), fmap("res_branch", (1, 3, 3, 2))
    (l, c) = convolution("res_down2", 3, 3, 3)
    y = F.conv2d(F.relu(F.conv2d(x.t, k.t, b.t, 2, 1)), l.t, c.t, padding=1)
    both("resnet-stride", ["conv", x, "--weight", k, "--bias", b, "--stride 2 --padding 1 --activation relu then conv --weight",
                           l, "--bias", c,
                           "--padding", 1, "then", "add", branch, "-", "--activation", "relu"], F.relu(branch.t + y))
    both("densenet", ["conv", x, "--weight", k, "--bias", b, "--padding 1 --activation relu then concat", x, "- --axis", CHANNELS],
         torch.cat([x.t, F.relu(F.conv2d(x.t, k.t, b.t, padding=1))], 1))


def excitations():
    """SENet (Hu et al. 2018): x·sigmoid(fc2(relu(fc1(mean)))), as one command and as a chain."""
    for dtype in ("f4", "f8", "f2"):
        x = fmap("se_x", (2, 8, 3, 2), dtype)
        (w1, b1), (w2, b2) = ((weight(f"se_w{i}", s, dtype), weight(f"se_b{i}", s[:1], dtype)) for i, s in ((1, (2, 8)), (2, (8, 2))))
        gate = torch.sigmoid(F.linear(F.relu(F.linear(x.t.mean((2, 3)), w1.t, b1.t)), w2.t, b2.t))
        want = x.t * gate[:, :, None, None]
        both(f"senet-{dtype}", ["se", x, "--fc1", w1, "--fc1-bias", b1, "--fc2", w2, "--fc2-bias", b2], want, dtype)
        squeeze = ["gap", x, "--keepdims", "then", "linear", "--weight", w1, "--bias", b1, "--activation", "relu"]
        both(f"senet-{dtype}", [*squeeze, "then linear --weight", w2, "--bias", b2, "--activation sigmoid then mul", x, "-"],
             want, dtype)
        if dtype == "f4":
            both("senet-gate", [*squeeze, "then linear - --weight", w2, "--bias", b2, "then mul", x, "- --gate sigmoid"], want)
            both("senet-residual", ["se", x, "--fc1", w1, "--fc1-bias", b1, "--fc2", w2, "--fc2-bias", b2, "then add", x,
                                    "- --activation relu"],
                 F.relu(x.t + want))
            both("senet-max", ["gmp", *squeeze[1:], "then linear --weight", w2, "--bias", b2, "--activation sigmoid then mul", x,
                               "-"],
                 x.t * torch.sigmoid(F.linear(F.relu(F.linear(x.t.amax((2, 3)), w1.t, b1.t)), w2.t, b2.t))[:, :, None, None])


def inceptions():
    """GoogLeNet (Szegedy et al. 2015): the classifier, and four branches joined along the channels."""
    for dtype in ("f4", "f8", "f2"):
        x = fmap("incept_x", (1, 4, 5, 4), dtype)
        w, b = weight("incept_w", (7, 4), dtype), weight("incept_b", (7,), dtype)
        want = torch.softmax(F.linear(x.t.mean((2, 3)), w.t, b.t), -1)
        both(f"googlenet-{dtype}", ["gap", x, "then linear --weight", w, "--bias", b, "then act --activation softmax"], want, dtype)
    both("googlenet-one-step", ["gap", fmap("incept_x", (1, 4, 5, 4)), "then", "linear", "-", "--weight", weight("incept_w", (7, 4)),
                                "--bias", weight("incept_b", (7,)), "--activation", "softmax"],
         torch.softmax(F.linear(fmap("incept_x", (1, 4, 5, 4)).t.mean((2, 3)), weight("incept_w", (7, 4)).t,
                                weight("incept_b", (7,)).t), -1))
    x = fmap("incept_x", (1, 4, 5, 4))
    branches = [fmap(f"incept_{i}", (1, c, 5, 4)) for i, c in enumerate((3, 4, 2, 1))]
    both("inception", ["concat", *branches, "--axis", CHANNELS], torch.cat([b.t for b in branches], 1), tol=EXACT)
    k, kb = convolution("incept_pool", 2, 4, 1)
    pooled = F.relu(F.conv2d(F.max_pool2d(x.t, 3, 1, 1), k.t, kb.t))
    both("inception-pool", ["pool", x, "--window 3 --stride 1 --padding 1 then conv --weight", k, "--bias", kb, "--activation relu",
                            "then concat", *branches[:3], "- --axis", CHANNELS], torch.cat([*(b.t for b in branches[:3]), pooled], 1))
    (k1, b1), (k2, b2) = convolution("incept_5a", 2, 4, 1), convolution("incept_5b", 3, 2, 5)
    five = F.relu(F.conv2d(F.relu(F.conv2d(x.t, k1.t, b1.t)), k2.t, b2.t, padding=2))
    both("inception-five", ["conv", x, "--weight", k1, "--bias", b1, "--activation relu then conv --weight", k2, "--bias", b2,
                            "--padding 2",
                            "--activation", "relu", "then", "concat", branches[0], "-", branches[2], "--axis", CHANNELS],
         torch.cat([branches[0].t, five, branches[2].t], 1))


def mixed_chains():
    """A pyramid, an attention and a crossmodal fusion as steps, the result so far as a flag's value."""
    xs = levels("same", (2, 2, 2))
    k, kb = convolution("chain_down", 2, 2, 3)
    c6 = F.conv2d(xs[2].t, k.t, kb.t, 2, 1)
    both("then-fpn", ["conv", xs[2], "--weight", k, "--bias", kb, "--stride", 2, "--padding", 1, "then", "fpn", *xs, "-"],
         pyramid([*(x.t for x in xs), c6])[0])
    words, w = plain("words", (2, 4, 5)), weight("chain_embed", (6, 5))
    x = plain("mha_x", (2, 5, 6))
    y = F.linear(words.t, w.t)
    both("then-context", ["linear", words, "--weight", w, "then attention", x, "--context - --residual"],
         x.t + attend(x.t, y, y, 1.0)[0],
         layouts=SEQUENCES)
    both("then-attention", ["linear", words, "--weight", w, "then attention --scale", "auto"], attend(y, y, y, 6 ** -0.5)[0],
         layouts=SEQUENCES)
    both("then-crossmodal", ["linear", words, "--weight", w, "--activation", "tanh", "then crossmodal", x, "- --mode attention"],
         attend(x.t, *[torch.tanh(y)] * 2, 1.0)[0], layouts=SEQUENCES)
    image = fmap("film_a", (2, 6, 4, 3))
    q, qw = plain("question", (2, 5)), weight("film_g", (6, 5))
    both("then-gate", ["gap", image, "then", "crossmodal", "-", q, "--mode", "gate", "--project", (1, qw)],
         image.t.mean((2, 3)) * torch.sigmoid(F.linear(q.t, qw.t)))
    both("then-local", ["conv", image, "--weight", weight("chain_1", (3, 6, 1, 1)), "then", "attention", "--spatial", "--residual"],
         (lambda v: v + unflat(attend(*[flat(v)] * 3, 1.0)[0], v))(F.conv2d(image.t, weight("chain_1", (3, 6, 1, 1)).t)))


for part in (alignments, members, resizes, torchvision_pyramids, listed_pyramids, paths, films, bilinears, projections, modules,
             keras_attention,
             own_attention, non_local, crossmodal_attention, unets, residuals, excitations, inceptions, mixed_chains):
    part()
