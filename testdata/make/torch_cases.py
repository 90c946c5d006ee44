"""Golden cases whose meaning is PyTorch's: activations, gates, adaptive pooling, pyramids, attention.

PyTorch computes in float64; NumPy rounds the result once to the dtype of the case.

usage: torch_cases.py FOLDER
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden import EXACT, FLOATS, Golden, dims, grid, rel, rng, ulp

g = Golden(sys.argv[1], f"torch {torch.__version__}")
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def t(array):
    """As a float64 tensor."""
    return torch.from_numpy(np.ascontiguousarray(array).astype("f8"))


def rounded(tensor, dtype):
    with np.errstate(over="ignore"):
        return tensor.numpy().astype(dtype)


def short(name, shape, dtype, product=False):
    """Values of few bits, so that a sum (or a product) of two is exact in the dtype and only what follows it rounds."""
    steps = {"f2": (2.0**-6, 2.0**-3), "f4": (2.0**-18, 2.0**-8), "f8": (2.0**-40, 2.0**-20)}
    values = grid(name, shape, steps[dtype][product], 4.0 if product else 8.0)
    if product:
        values[values == 0] = 1  # no product is -0, whose relu is 0 or -0 as one likes
    return values.astype(dtype)


def channels_first(array):
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


LAYOUTS = {"nhwc": (-1, []), "nchw": (1, ["--layout", "nchw"])}


# ---- activations and gates

ACTIVATIONS = {
    "relu": F.relu, "relu6": F.relu6, "leaky-relu": F.leaky_relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    "gelu": F.gelu, "silu": F.silu, "hardswish": F.hardswish,
}


def activation_tol(name, dtype):
    if name in ("relu", "relu6"):
        return EXACT
    if dtype == "f2":
        if name == "gelu":
            return rel(6e-4, "float32 inside, rounded once; x(1+erf)/2 cancels for x < 0")
        return ulp(1, "float32 inside, rounded once")
    if name == "gelu":
        return rel({"f4": 3e-7, "f8": 1e-15}[dtype], "x(1+erf)/2 cancels for x < 0, in PyTorch too")
    if name == "leaky-relu":
        return ulp(1, "the slope 0.01 rounds to the dtype first")
    if name == "hardswish":
        return ulp(3, "two products and a division round")
    if name == "softmax":
        return ulp(8, "exponential, sum and division round")
    return ulp(4, "an exponential and a division") if dtype == "f4" else ulp(
        8, "an exponential and a division, PyTorch's own too")


def activate(name, tensor, axis):
    return torch.softmax(tensor, axis) if name == "softmax" else ACTIVATIONS[name](tensor)


def activation_cases():
    ops = {"add": torch.add, "mul": torch.mul}
    for dtype in FLOATS:
        for command, op in ops.items():
            shape = (2, 3, 4, 5)
            a, b = (short(f"act {command}{i}", s, dtype, command == "mul") for i, s in enumerate([shape, shape[1:]]))
            files = [g.put(f"act_{command}_{dtype}_{i}", x) for i, x in enumerate([a, b])]
            for name in [*ACTIVATIONS, "softmax"]:
                for layout, (axis, flags) in LAYOUTS.items():
                    if layout == "nchw" and name != "softmax":
                        continue
                    want = rounded(activate(name, op(t(a), t(b)), axis), dtype)
                    g.case(f"{command}/torch/{name}-{dtype}{'-nchw' if flags else ''}",
                           [command, *files, "--activation", name, *flags], want, activation_tol(name, dtype),
                           f"{name} in float64" + (f" over axis {axis}" if name == "softmax" else ""))
        a, b = short("act 2d a", (3, 7), dtype), short("act 2d b", (7,), dtype)
        files = [g.put(f"act_2d_{dtype}_{i}", x) for i, x in enumerate([a, b])]
        for layout, (axis, flags) in LAYOUTS.items():
            g.case(f"add/torch/softmax-rank2-{dtype}-{layout}", ["add", *files, "--activation", "softmax", *flags],
                   rounded(torch.softmax(t(a) + t(b), axis), dtype), activation_tol("softmax", dtype), "softmax in float64")

    # Ends of the range. Infinities where PyTorch gives 0·inf are left out.
    zero = np.zeros(1)
    ends = np.array([np.nan, np.inf, 1e4, -1e4, 80, -80, 17, 9, 2.0**-9, -(2.0**-9), 0])
    for dtype in FLOATS:
        for name in ACTIVATIONS:
            x = np.append(ends, -np.inf) if name in ("relu", "relu6", "leaky-relu", "sigmoid", "tanh") else ends
            files = [g.put(f"act_ends{len(x)}_{dtype}", x.astype(dtype)), g.put(f"act_zero_{dtype}", zero.astype(dtype))]
            tol = activation_tol(name, dtype)
            if name == "gelu":  # infinities make no scale
                tol = ulp(8, "no value here cancels but those that end as zero")
                x = x[(x > -10) | np.isnan(x)]
                files[0] = g.put(f"act_ends_gelu_{dtype}", x.astype(dtype))
            g.case(f"add/torch/{name}-ends-{dtype}", ["add", *files, "--activation", name],
                   rounded(ACTIVATIONS[name](t(x.astype(dtype))), dtype), tol, f"{name} in float64")
        rows = np.array([[1e4, 1e4, -1e4], [0, -np.inf, 0], [np.nan, 1, 2], [6e4, 6e4, 6e4], [-6e4, -6e4, -59000]]).astype(dtype)
        files = [g.put(f"act_rows_{dtype}", rows), g.put(f"act_zero_{dtype}", zero.astype(dtype))]
        g.case(f"add/torch/softmax-ends-{dtype}", ["add", *files, "--activation", "softmax"],
               rounded(torch.softmax(t(rows), -1), dtype), activation_tol("softmax", dtype), "softmax in float64")


def gate_tol(name, dtype):
    if name in ("relu", "relu6"):
        return EXACT
    if dtype == "f2":
        return ulp(1, "float32 inside, rounded once")
    n = {"softmax": 10}.get(name, 6 if dtype == "f4" else 10)
    return ulp(n, "the gate's error and one rounding a product")


def gate_cases():
    for dtype in FLOATS:
        for layout, (axis, flags) in LAYOUTS.items():
            shapes = {"x": (2, 3, 3, 6), "se": (2, 1, 1, 6), "full": (2, 3, 3, 6), "spatial": (2, 3, 3, 1)}
            arrays = {k: short(f"gate {k}", s, dtype, True) for k, s in shapes.items()}
            if layout == "nchw":
                arrays = {k: channels_first(a) for k, a in arrays.items()}
            files = {k: g.put(f"gate_{dtype}_{layout}_{k}", a) for k, a in arrays.items()}

            def case(what, names, gate, after=None):
                args = ["mul", *(files[n] for n in names), "--gate", gate, *flags]
                want = t(arrays[names[0]])
                for n in names[1:]:
                    want = want * activate(gate, t(arrays[n]), axis)
                if after:
                    args += ["--activation", after]
                    want = activate(after, want, axis)
                g.case(f"mul/torch/gate-{gate}-{what}-{dtype}-{layout}", args, rounded(want, dtype), gate_tol(gate, dtype),
                       f"x*{gate}(g) in float64" + (f", then {after}" if after else ""))

            for gate in ["sigmoid", "tanh", "softmax"]:
                case("se", ["x", "se"], gate)
                case("full", ["x", "full"], gate)
                case("two", ["x", "se", "full"], gate)
            case("spatial", ["x", "spatial"], "sigmoid")
            case("se", ["x", "se"], "relu")
            case("then-relu", ["x", "se"], "sigmoid", "relu")

        for shape in [(3, 7), (2, 5, 8), (2, 3, 4, 5)]:
            a, b = short(f"cm a{shape}", shape, dtype, True), short(f"cm b{shape}", shape, dtype, True)
            files = [g.put(f"cm_{dtype}_{dims(shape)}_{i}", x) for i, x in enumerate([a, b])]
            g.case(f"crossmodal/torch/gate-{dtype}-{dims(shape)}", ["crossmodal", *files, "--mode", "gate"],
                   rounded(t(a) * torch.sigmoid(t(b)), dtype), gate_tol("sigmoid", dtype), "a*sigmoid(b) in float64")


# ---- pooling

def pool_cases():
    pools = {3: (F.adaptive_avg_pool1d, F.adaptive_max_pool1d), 4: (F.adaptive_avg_pool2d, F.adaptive_max_pool2d),
             5: (F.adaptive_avg_pool3d, F.adaptive_max_pool3d)}
    for dtype in FLOATS:
        for shape in [(2, 3, 9), (2, 3, 7, 5), (2, 3, 4, 2, 5)]:
            x = rng(f"adaptive {shape}").normal(size=shape).astype(dtype)
            file = g.put(f"adaptive_{dtype}_rank{len(shape)}", x)
            for command, pool in zip(("gap", "gmp"), pools[len(shape)]):
                want = rounded(pool(t(x), 1), dtype)
                tol = EXACT
                if command == "gap":
                    tol = rel(1e-15, "float64 sums in another order") if dtype == "f8" else ulp(
                        1, "float64 sums in another order, rounded")
                for keepdims in (True, False):
                    g.case(f"{command}/torch/adaptive-rank{len(shape)}-{dtype}{'-keepdims' * keepdims}",
                           [command, file, "--layout", "nchw"] + ["--keepdims"] * keepdims,
                           want if keepdims else want.reshape(shape[:2]), tol, f"{pool.__name__}(x, 1) in float64")


# ---- fpn

# Levels, finest first, and the number of channels. In the dyadic ones every size doubles, and bilinear weights are
# quarters: with values of few bits all is exact in float32.
PYRAMIDS = {
    "two": ([(8, 8), (4, 4)], 3), "three": ([(16, 12), (8, 6), (4, 3)], 2), "four": ([(16, 16), (8, 8), (4, 4), (2, 2)], 2),
    "odd": ([(13, 9), (7, 5), (4, 3)], 3), "ragged": ([(11, 10), (4, 3)], 3), "from-one": ([(5, 6), (1, 1)], 4),
    "one-axis": ([(6, 4), (3, 2), (1, 1)], 2),
}
DYADIC = ("two", "three", "four")


def levels(name, dtype, layout):
    """A pyramid's arrays and files; the same values for both layouts."""
    sizes, channels = PYRAMIDS[name]
    batch = 2 if name == "two" else 1
    arrays = [grid(f"fpn {name}{i}", (batch, *s, channels), 0.125, 8.0).astype(dtype) for i, s in enumerate(sizes)]
    if layout == "nchw":
        arrays = [channels_first(a) for a in arrays]
    return arrays, [g.put(f"fpn_{name}_{dtype}_{layout}_{i}", a) for i, a in enumerate(arrays)]


def upsample(x, size, mode):
    if mode == "bilinear":
        return F.interpolate(x, size, mode="bilinear", align_corners=False)
    half = 0.5 if mode == "nearest-exact" else 0
    for axis in (2, 3):  # PyTorch's float32 scale must not have moved an index
        i = np.arange(size[axis - 2])
        at = np.floor((i + half) * x.shape[axis] / size[axis - 2] + 1e-9).astype(int)
        ramp = torch.arange(x.shape[axis], dtype=torch.float64).reshape(1, 1, -1, 1)
        if F.interpolate(ramp, (len(i), 1), mode=mode).flatten().tolist() != at.tolist():
            raise ValueError(f"{mode} {x.shape[axis]} to {len(i)}: PyTorch's index differs from the formula")
    return F.interpolate(x, size, mode=mode)


def topdown(arrays, mode, layout, laterals=None):
    """The finest fused level; laterals are functions on N,C,H,W tensors."""
    tensors = [t(a if layout == "nchw" else channels_first(a)) for a in arrays]
    if laterals:
        tensors = [f(x) for f, x in zip(laterals, tensors)]
    fused = tensors[-1]
    for x in tensors[-2::-1]:
        fused = x + upsample(fused, x.shape[2:], mode)
    return fused if layout == "nchw" else fused.permute(0, 2, 3, 1).contiguous()


def fpn_tol(dtype, steps):
    if dtype == "f2":
        return rel(1e-3, "rounded once: half a unit is 4.9e-4")
    return rel({"f4": 1e-6, "f8": 2e-15}[dtype] * steps, "weights and sums round at each level")


def fpn_cases():
    for name, (sizes, _) in PYRAMIDS.items():
        for dtype in FLOATS:
            if dtype != "f4" and name not in ("two", "odd"):
                continue
            for layout, (_, flags) in LAYOUTS.items():
                arrays, files = levels(name, dtype, layout)
                for mode in ["bilinear", "nearest", "nearest-exact"]:
                    # Float16 of more than 11 bits rounds even where float32 is exact, but once, as the wanted array did.
                    exact = mode != "bilinear" or (name in DYADIC and (dtype != "f2" or len(sizes) == 2))
                    want = rounded(topdown(arrays, mode, layout), dtype)
                    g.case(f"fpn/torch/{mode}-{name}-{dtype}-{layout}", ["fpn", *files, "--upsample", mode, *flags], want,
                           EXACT if exact else fpn_tol(dtype, len(sizes) - 1), f"interpolate {mode} in float64")
                if dtype == "f4" and name in ("two", "odd", "four"):
                    want = rounded(topdown(arrays, "bilinear", layout), dtype)
                    tol = EXACT if name in DYADIC else fpn_tol(dtype, len(sizes) - 1)
                    g.case(f"fpn/torch/default-coarse-first-{name}-{layout}", ["fpn", *files[::-1], *flags], want, tol,
                           "interpolate bilinear in float64")
    lateral_cases()


def lateral_cases():
    sizes, inputs, out = [(8, 6), (4, 3), (3, 2)], [3, 5, 4], 4
    for dtype in FLOATS:
        for layout, (_, flags) in LAYOUTS.items():
            def put(name, array):
                return g.put(f"lateral_{dtype}_{name}", array)

            levels_, weights, biases = [], [], []
            for i, (size, c) in enumerate(zip(sizes, inputs)):
                x = grid(f"lateral x{i}", (1, *size, c), 0.125, 4.0).astype(dtype)
                levels_.append(channels_first(x) if layout == "nchw" else x)
                weights.append(grid(f"lateral w{i}", (c, out), 0.0625, 1.0).astype(dtype))
                biases.append(grid(f"lateral b{i}", out, 0.25, 2.0).astype(dtype))

            def case(what, n, store, chosen, biased=(), extra=(), mode="bilinear"):
                """Levels 0 to n; chosen levels have a weight, biased ones a bias."""
                args = ["fpn", *(put(f"{layout}_c{i + 2}", x) for i, x in enumerate(levels_[:n])), *flags, *extra, "--lateral"]
                args += [",".join(put(f"w{i + 2}_{store.__name__}", store(weights[i])) if i in chosen else "none" for i in range(n))]
                if biased:
                    args += ["--lateral-bias", ",".join(put(f"b{i + 2}", biases[i]) if i in biased else "none" for i in range(n))]

                def lateral(i):
                    w = t(weights[i].T)[:, :, None, None] if i in chosen else torch.eye(inputs[i], dtype=torch.float64)[:, :, None, None]
                    b = t(biases[i]) if i in biased else None
                    return lambda x: F.conv2d(x, w, b)
                want = topdown(levels_[:n], mode, layout, [lateral(i) for i in range(n)])
                g.case(f"fpn/torch/lateral-{what}-{dtype}-{layout}", args, rounded(want, dtype),
                       fpn_tol(dtype, n - 1), "1x1 conv2d and interpolate in float64")

            def keras(w):  # [1, 1, in, out]
                return w[None, None]

            def dense(w):  # [in, out]
                return w

            def torch_(w):  # [out, in, 1, 1]
                return np.ascontiguousarray(w.T)[:, :, None, None]

            native = torch_ if layout == "nchw" else keras
            case("bias", 2, native, (0, 1), (0, 1))
            case("three", 3, native, (0, 1, 2))
            if dtype != "f4":
                continue
            case("two", 2, native, (0, 1))
            case("none-coarsest", 3, native, (0, 1), (0, 1))
            case("bias-none", 3, native, (0, 1, 2), (1,))
            case("bias-without-weight", 3, native, (0, 1), (0, 1, 2))
            case("nearest", 3, native, (0, 1, 2), (0, 1, 2), ["--upsample", "nearest"], "nearest")
            if layout == "nhwc":
                case("matrix", 2, dense, (0, 1), (0, 1))
                case("torch-weights", 2, torch_, (0, 1), (0, 1), ["--weight-layout", "torch"])
            else:
                case("keras-weights", 2, keras, (0, 1), (0, 1), ["--weight-layout", "keras"])


# ---- attention

def attend(q, k, v, scale, mask=None, causal=False):
    """softmax(q kᵀ·scale + mask) v; a row with nothing to attend to gives zeros."""
    scores = q @ k.transpose(-1, -2) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    if causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
    return torch.softmax(scores, -1).nan_to_num(0.0) @ v


def split(x, heads):
    """[..., N, heads·d] to [..., heads, N, d]."""
    return x.unflatten(-1, (heads, x.shape[-1] // heads)).transpose(-2, -3)


ATTENTION_TOL = {
    "f4": rel(5e-6, "the exponential magnifies the scores' rounding"),
    "f8": rel(1e-13, "the exponential magnifies the scores' rounding"),
    "f2": rel(1e-3, "rounded once: half a unit is 4.9e-4"),
}


def attention(what, dtype, compute, args, by):
    """compute makes the wanted array from a function that turns a NumPy array into a tensor."""
    want = compute(t)
    if not torch.isfinite(want).all():
        raise ValueError(f"{what}: not finite")
    if dtype == "f4":  # the framework's own float32 must meet the tolerance, or it asks too much
        own = compute(lambda a: torch.from_numpy(a))
        error = ((own.double() - want).abs().max() / want.abs().max()).item()
        if error > ATTENTION_TOL["f4"]["x"]:
            raise ValueError(f"{what}: PyTorch's float32 errs by {error:.1e}")
    g.case(f"attention/torch/{what}-{dtype}", ["attention", *args], rounded(want, dtype),
           ATTENTION_TOL[dtype] if want.any() else EXACT, by + " in float64")


def attention_cases():
    for dtype in FLOATS:
        def array(name, shape, limit=1.0):
            a = grid(f"attention {name}{shape}", shape, 2.0**-10, limit).astype(dtype)
            return a, g.put(f"attn_{dtype}_{name}_{dims(shape)}", a)

        plain_attention(dtype, array)
        projected_attention(dtype, array)
        masked_attention(dtype, array)
        spatial_attention(dtype, array)
        direct_attention(dtype, array)
        torch_module(dtype, array)


def plain_attention(dtype, array):
    shapes = [(5, 4), (33, 5), (3, 67), (2, 7, 16), (1, 4, 6, 8)]
    if dtype == "f4":
        shapes += [(1, 8), (3, 1, 6), (1, 8, 8, 16), (2, 1, 9, 6), (300, 8), (1, 2, 131, 4), (2, 2, 2, 5, 4)]
    for shape in shapes:
        x, file = array("x", shape)
        scales = [(None, 1.0), ("auto", shape[-1] ** -0.5), ("0.5", 0.5), ("none", 1.0)]
        for scale, factor in scales if shape == (2, 7, 16) else scales[:2] if dtype == "f4" else scales[:1]:
            attention(f"x-{dims(shape)}-scale-{scale or 'default'}", dtype, lambda f: attend(f(x), f(x), f(x), factor),
                      [file] + (["--scale", scale] if scale else []), "softmax(XXᵀ·scale)X")
    contexts = [((5, 4), (9, 4)), ((2, 7, 16), (2, 1, 16)), ((1, 4, 6, 8), (1, 4, 67 if dtype == "f4" else 2, 8))]
    for xs, ys in contexts:
        (x, fx), (y, fy) = array("x", xs), array("y", ys)
        attention(f"context-{dims(xs)}-{dims(ys)}", dtype, lambda f: attend(f(x), f(y), f(y), 1.0),
                  [fx, "--context", fy], "softmax(XYᵀ)Y")
        attention(f"context-{dims(xs)}-{dims(ys)}-residual", dtype, lambda f: f(x) + attend(f(x), f(y), f(y), 1.0),
                  [fx, "--context", fy, "--residual"], "X+softmax(XYᵀ)Y")
    x, file = array("x", (2, 7, 16))
    attention("residual", dtype, lambda f: f(x) + attend(f(x), f(x), f(x), 0.25), [file, "--residual", "--scale", "auto"],
              "X+softmax(XXᵀ·scale)X")

    # Integers: scores up to 1e4 and beyond are exact in float32, so that only the softmax is tried.
    x = rng("large scores").integers(-32, 33, (6, 16)).astype(dtype)
    file = g.put(f"attn_{dtype}_large", x)
    attention("large-scores", dtype, lambda f: attend(f(x), f(x), f(x), 1.0), [file], "softmax(XXᵀ)X")
    q, k = np.full((2, 1), 100.0), np.array([[100.0], [-100.0], [100.0], [99.0]])
    q[1] = -100
    v = rng("large v").integers(-8, 9, (4, 3)) / 4
    q, k, v = (a.astype(dtype) for a in (q, k, v))
    files = [g.put(f"attn_{dtype}_large_{n}", a) for n, a in zip("qkv", (q, k, v))]
    attention("scores-of-1e4-both-ways", dtype, lambda f: attend(f(q), f(k), f(v), 1.0),
              ["--query", files[0], "--key", files[1], "--value", files[2]], "softmax(QKᵀ)V")
    same = np.ones((5, 4), dtype)
    attention("equal-keys", dtype, lambda f: attend(f(same), f(same), f(x[:5, :4]), 1.0),
              ["--query", g.put(f"attn_{dtype}_ones", same), "--key", g.put(f"attn_{dtype}_ones", same),
               "--value", g.put(f"attn_{dtype}_large_5x4", np.ascontiguousarray(x[:5, :4]))], "softmax(QKᵀ)V")


# How weights are stored, and the flags that say so. Under nchw without --spatial only the weights' layout changes.
WEIGHT_LAYOUTS = {"keras": [], "nchw": ["--layout", "nchw"], "torch": ["--weight-layout", "torch"],
                  "nchw-keras": ["--layout", "nchw", "--weight-layout", "keras"]}


class Weights:
    """Projections of some of q, k, v, o: matrices [in, out] and biases, stored as a layout wants them."""

    def __init__(self, dtype, sizes, biased=""):
        self.dtype = dtype
        self.w = {p: (grid(f"w{p}{s}", s, 2.0**-8, 1.0) / np.sqrt(s[0])).astype(dtype) for p, s in sizes.items()}
        self.b = {p: grid(f"b{p}{sizes[p][1]}", sizes[p][1], 2.0**-8, 0.5).astype(dtype) for p in biased}

    def args(self, layout="keras"):
        out = []
        for p, w in self.w.items():
            stored = np.ascontiguousarray(w.T) if layout in ("nchw", "torch") else w
            kind = "oi" if layout in ("nchw", "torch") else "io"
            out += [f"--w{p}", g.put(f"attn_{self.dtype}_w{p}_{dims(w.shape)}_{kind}", stored)]
        for p, b in self.b.items():
            out += [f"--b{p}", g.put(f"attn_{self.dtype}_b{p}_{len(b)}", b)]
        return out + WEIGHT_LAYOUTS[layout]

    def apply(self, p, x, f):
        if p in self.w:
            x = x @ f(self.w[p])
        return x + f(self.b[p]) if p in self.b else x


def multihead(f, x, y, weights, heads=1, kv_heads=None, scale=1.0, mask=None, causal=False):
    """The whole of `attention X`, with identities where weights are absent. scale None is auto."""
    q, k, v = (weights.apply(p, f(a), f) for p, a in (("q", x), ("k", y), ("v", y)))
    kv_heads = kv_heads or heads
    q, k, v = split(q, heads), split(k, kv_heads), split(v, kv_heads)
    k, v = (a.repeat_interleave(heads // kv_heads, -3) for a in (k, v))
    out = attend(q, k, v, q.shape[-1] ** -0.5 if scale is None else scale, mask, causal)
    return weights.apply("o", out.transpose(-2, -3).flatten(-2), f)


def projected_attention(dtype, array):
    x, fx = array("x", (2, 7, 16))
    y, fy = array("y", (2, 5, 16))
    every = {"q": (16, 8), "k": (16, 8), "v": (16, 12), "o": (12, 16)}
    square = {p: (16, 16) for p in "qkvo"}
    for layout in WEIGHT_LAYOUTS if dtype == "f4" else ["keras", "torch"]:
        w = Weights(dtype, every, "qkvo")
        attention(f"weights-{layout}", dtype, lambda f: multihead(f, x, x, w), [fx, *w.args(layout)], "projected attention")
        w = Weights(dtype, square, "qkvo")
        attention(f"heads-4-{layout}", dtype, lambda f: multihead(f, x, x, w, 4, scale=None),
                  [fx, *w.args(layout), "--heads", 4, "--scale", "auto"], "4 heads")
    for names, biased in [("qkvo", ""), ("qk", ""), ("v", "v"), ("o", "o"), ("qk", "q"), ("vo", "v"), ("qkv", "k")]:
        w = Weights(dtype, {p: every[p] if names == "qkvo" or p in "qk" else square[p] for p in names}, biased)
        attention(f"weights-of-{names}{'-bias-of-' * bool(biased)}{biased}", dtype, lambda f: multihead(f, x, x, w),
                  [fx, *w.args()], "projected attention")
    w = Weights(dtype, square, "qkvo")
    attention("heads-2-context", dtype, lambda f: multihead(f, x, y, w, 2, scale=None),
              [fx, "--context", fy, *w.args(), "--heads", 2, "--scale", "auto"], "2 heads")
    attention("heads-8-scale-0.5-residual", dtype, lambda f: f(x) + multihead(f, x, x, w, 8, scale=0.5),
              [fx, *w.args(), "--heads", 8, "--scale", 0.5, "--residual"], "8 heads")
    none = Weights(dtype, {})
    attention("heads-4-no-weights", dtype, lambda f: multihead(f, x, x, none, 4), [fx, "--heads", 4], "4 heads")
    grouped = Weights(dtype, {"q": (16, 16), "k": (16, 8), "v": (16, 8), "o": (16, 16)}, "qkvo")
    attention("heads-4-kv-heads-2", dtype, lambda f: multihead(f, x, x, grouped, 4, 2, None),
              [fx, *grouped.args(), "--heads", 4, "--kv-heads", 2, "--scale", "auto"], "4 heads on 2")
    one = Weights(dtype, {"q": (16, 16), "k": (16, 4), "v": (16, 4), "o": (16, 16)})
    attention("heads-4-kv-heads-1", dtype, lambda f: multihead(f, x, y, one, 4, 1, None),
              [fx, "--context", fy, *one.args(), "--heads", 4, "--kv-heads", 1, "--scale", "auto"], "4 heads on 1")
    m, fm = array("x", (1, 2, 5, 16))
    attention("map-heads-4", dtype, lambda f: multihead(f, m, m, w, 4, scale=None),
              [fm, *w.args(), "--heads", 4, "--scale", "auto"], "4 heads along the width")
    narrow, fn = array("z", (2, 5, 6))
    cross = Weights(dtype, {"q": (16, 8), "k": (6, 8), "v": (6, 16)})
    attention("context-of-other-width", dtype, lambda f: multihead(f, x, narrow, cross),
              [fx, "--context", fn, *cross.args()], "projected attention")


def masked_attention(dtype, array):
    x, fx = array("x", (2, 7, 16))
    y, fy = array("y", (2, 5, 16))
    none = Weights(dtype, {})

    def case(what, mask, args, compute):
        file = g.put(f"mask_{what}" + ("" if mask.dtype == bool else f"_{dtype}"), mask)
        attention(f"mask-{what}", dtype, lambda f: compute(f, torch.from_numpy(mask) if mask.dtype == bool else f(mask)),
                  [*args, "--mask", file], "masked softmax")

    def plain(f, m):
        return attend(f(x), f(x), f(x), 1.0, m)

    some = rng("mask").random((2, 7, 7)) < 0.6
    case("square", some[0], [fx], plain)
    case("batch", some, [fx], plain)
    case("keys", some[:, :1], [fx], plain)
    case("one-row", some[0, 0], [fx], plain)
    empty = some[0].copy()
    empty[[0, 4]] = False
    case("empty-rows", empty, [fx], plain)
    case("nothing", np.zeros((7, 7), bool), [fx], plain)
    case("empty-rows-residual", empty, [fx, "--residual"], lambda f, m: f(x) + plain(f, m))
    case("context", rng("mask c").random((7, 5)) < 0.6, [fx, "--context", fy], lambda f, m: attend(f(x), f(y), f(y), 1.0, m))
    case("causal", some[0], [fx, "--causal"], lambda f, m: attend(f(x), f(x), f(x), 1.0, m, True))
    heads = [fx, "--heads", 4, "--scale", "auto"]
    case("heads-square", some[0], heads, lambda f, m: multihead(f, x, x, none, 4, scale=None, mask=m))
    case("heads-keys", some[:, None, :1], heads, lambda f, m: multihead(f, x, x, none, 4, scale=None, mask=m))
    case("heads-each", rng("mask h").random((2, 4, 7, 7)) < 0.6, heads, lambda f, m: multihead(f, x, x, none, 4, scale=None, mask=m))

    bias = grid("mask bias", (7, 7), 0.25, 3.0).astype(dtype)
    case("float", bias, [fx], plain)
    case("float-batch", grid("mask bias b", (2, 7, 7), 0.25, 3.0).astype(dtype), [fx], plain)
    case("float-scaled", bias, [fx, "--scale", "0.5"], lambda f, m: attend(f(x), f(x), f(x), 0.5, m))
    ruled = np.where(empty, bias, -np.inf).astype(dtype)
    case("float-inf", ruled, [fx], plain)
    case("float-low", np.where(some[0], 0, -1e4).astype(dtype), [fx], plain)

    attention("causal", dtype, lambda f: attend(f(x), f(x), f(x), 1.0, causal=True), [fx, "--causal"], "tril")
    attention("causal-more-keys", dtype, lambda f: attend(f(y), f(x), f(x), 1.0, causal=True),
              [fy, "--context", fx, "--causal"], "tril from the top left")
    attention("causal-fewer-keys", dtype, lambda f: attend(f(x), f(y), f(y), 1.0, causal=True),
              [fx, "--context", fy, "--causal"], "tril from the top left")
    attention("causal-heads", dtype, lambda f: multihead(f, x, x, none, 4, scale=None, causal=True), [*heads, "--causal"], "tril")
    if dtype == "f4":
        long, fl = array("x", (300, 8))
        attention("causal-long", dtype, lambda f: attend(f(long), f(long), f(long), 1.0, causal=True), [fl, "--causal"], "tril")


def spatial_attention(dtype, array):
    x, y = (grid(f"spatial {n}", s, 2.0**-10, 1.0).astype(dtype) for n, s in (("x", (2, 3, 5, 8)), ("y", (2, 2, 4, 8))))
    every = Weights(dtype, {"q": (8, 4), "k": (8, 4), "v": (8, 4), "o": (4, 8)}, "qkvo")
    square = Weights(dtype, {p: (8, 8) for p in "qkvo"})
    none = Weights(dtype, {})
    mask = rng("spatial mask").random((15, 15)) < 0.5
    for layout, (_, flags) in LAYOUTS.items():
        put = channels_first if layout == "nchw" else np.asarray
        fx, fy = (g.put(f"spatial_{dtype}_{layout}_{n}", put(a)) for n, a in (("x", x), ("y", y)))

        def case(what, args, weights, context=None, residual=False, mask=None, **how):
            def compute(f):
                flat, other = (a.reshape(2, -1, 8) for a in (x, x if context is None else context))
                out = multihead(f, flat, other, weights, mask=mask, **how).reshape(x.shape[:3] + (-1,))
                out = out + f(x) if residual else out
                return out.permute(0, 3, 1, 2).contiguous() if layout == "nchw" else out
            named = weights.args("nchw" if layout == "nchw" else "keras")
            attention(f"spatial-{what}-{layout}", dtype, compute, [fx, "--spatial", *args, *named], "all positions one sequence,")

        case("plain", [], none)
        case("auto", ["--scale", "auto"], none, scale=None)
        case("non-local", ["--residual"], every, residual=True)
        case("context", ["--context", fy], none, y)
        case("context-weights", ["--context", fy, "--residual"], every, y, True)
        case("heads", ["--heads", 2, "--scale", "auto"], square, heads=2, scale=None)
        case("causal", ["--causal"], none, causal=True)
        case("mask", ["--mask", g.put("mask_spatial", mask)], none, mask=torch.from_numpy(mask))
    s, fs = array("x", (2, 2, 2, 3, 4))
    attention("spatial-rank5", dtype, lambda f: attend(*[f(s.reshape(2, 12, 4))] * 3, 1.0).reshape(s.shape), [fs, "--spatial"],
              "all positions one sequence,")


def direct_attention(dtype, array):
    """--query, --key and --value: projected inputs, the second of four axes holding heads."""
    def case(what, qs, ks, vs, args=(), scale=1.0, mask=None, causal=False):
        (q, fq), (k, fk), (v, fv) = array("q", qs), array("k", ks), array("v", vs)

        def compute(f):
            tq, tk, tv = f(q), f(k), f(v)
            if len(qs) == 4:
                tk, tv = (a.repeat_interleave(qs[1] // ks[1], 1) for a in (tk, tv))
            return attend(tq, tk, tv, qs[-1] ** -0.5 if scale is None else scale, mask, causal)
        attention(f"qkv-{what}", dtype, compute, ["--query", fq, "--key", fk, "--value", fv, *args], "softmax(QKᵀ·scale)V")

    auto = ["--scale", "auto"]
    case("heads", (2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8))
    case("heads-auto", (2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8), auto, None)
    case("wide-values", (2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 3), auto, None)
    case("grouped", (2, 4, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8), auto, None)
    case("multi-query", (2, 4, 5, 8), (2, 1, 7, 8), (2, 1, 7, 6), auto, None)
    case("grouped-causal", (2, 6, 7, 4), (2, 3, 7, 4), (2, 3, 7, 4), [*auto, "--causal"], None, causal=True)
    case("rank-2", (5, 8), (7, 8), (7, 3))
    case("rank-3", (2, 5, 8), (2, 7, 8), (2, 7, 3), ["--scale", "0.5"], 0.5)
    mask = rng("qkv mask").random((5, 7)) < 0.6
    case("mask", (2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8), ["--mask", g.put("mask_qkv", mask)], mask=torch.from_numpy(mask))
    each = rng("qkv mask each").random((2, 4, 5, 7)) < 0.6
    case("grouped-mask-each", (2, 4, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8), ["--mask", g.put("mask_qkv_each", each)],
         mask=torch.from_numpy(each))


def torch_module(dtype, array):
    """torch.nn.MultiheadAttention itself, whose weights are [out, in]."""
    torch.manual_seed(5)
    module = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    x, fx = array("x", (2, 7, 16))
    y, fy = array("y", (2, 5, 16))
    torch.nn.init.uniform_(module.in_proj_bias, -0.5, 0.5)
    torch.nn.init.uniform_(module.out_proj.bias, -0.5, 0.5)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.from_numpy(p.numpy().astype(dtype).astype("f4")))
    args = []
    for name, w, b in zip("qkv", module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)):
        args += [f"--w{name}", g.put(f"mha_{dtype}_w{name}", w.detach().numpy().astype(dtype)),
                 f"--b{name}", g.put(f"mha_{dtype}_b{name}", b.detach().numpy().astype(dtype))]
    args += ["--wo", g.put(f"mha_{dtype}_wo", module.out_proj.weight.detach().numpy().astype(dtype)),
             "--bo", g.put(f"mha_{dtype}_bo", module.out_proj.bias.detach().numpy().astype(dtype)),
             "--weight-layout", "torch", "--heads", 4, "--scale", "auto"]
    causal = ~torch.ones(7, 7, dtype=torch.bool).tril()
    hidden = torch.from_numpy(rng("padding").random((2, 1, 1, 5)) < 0.4)  # true: ignored, as in PyTorch
    shown = g.put("mask_padding", ~hidden.numpy())

    def run(f, a, b, **how):
        m = module.double() if f is t else module.float()
        with torch.no_grad():
            return m(f(a), f(b), f(b), need_weights=False, **how)[0]
    by = "nn.MultiheadAttention"
    attention("module-self", dtype, lambda f: run(f, x, x), [fx, *args], by)
    attention("module-context", dtype, lambda f: run(f, x, y), [fx, "--context", fy, *args], by)
    attention("module-causal", dtype, lambda f: run(f, x, x, attn_mask=causal), [fx, "--causal", *args], by)
    attention("module-key-padding", dtype, lambda f: run(f, x, y, key_padding_mask=hidden[:, 0, 0]),
              [fx, "--context", fy, "--mask", shown, *args], by)


activation_cases()
gate_cases()
pool_cases()
fpn_cases()
attention_cases()
