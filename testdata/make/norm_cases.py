"""Normalisations by PyTorch, and Keras's by their formulas: norm, after conv and linear too, and in a pyramid.

Values are computed in float64 from the inputs as they are stored and rounded once.

    python3 norm_cases.py FOLDER
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden import FLOATS, Golden, dims, grid, rel

ROUNDED = {
    "f4": rel(6.1e-8, "one rounding to float32, of half a unit in 24 bits"),
    "f8": rel(1e-14, "float64 sums in another order"),
    "f2": rel(4.9e-4, "one rounding to float16, of half a unit in 11 bits"),
}
FOLDED = rel(2e-6, "float32 weights, rounded, and sums of up to 54 products of them, against float64")
SUMS = rel(2e-5, "float32 sums of up to some hundred products, against float64")
g = Golden(sys.argv[1], f"torch {torch.__version__}")
MAPS = [(5, 6), (2, 6, 17), (2, 6, 5, 4), (1, 6, 2, 3, 4)]  # channels first, of 0 to 3 spatial axes


def values(name, shape, dtype="f4"):
    return grid(f"norm {name}", shape, 2.0**-7, 2.0).astype(dtype)


def t(a):
    return torch.from_numpy(np.asarray(a).astype("f8"))


def to_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def numbers(n, dtype="f4"):
    """A weight, a bias, a mean and a variance for n channels."""
    return [values(f"weight {n}", n, dtype), values(f"bias {n}", n, dtype), values(f"mean {n}", n, dtype),
            (np.abs(values(f"variance {n}", n)) + 0.25).astype(dtype)]


def flags(*names, **arrays):
    return [word for name in names for word in (f"--{name}", g.put(f"norm_{name}_{dims(arrays[name].shape)}_{arrays[name].dtype.str[1:]}", arrays[name]))]


def both(what, x, args, want, dtype="f4", tol=None, by=""):
    """A case a layout; x and want are channels first."""
    out = want.numpy().astype(dtype)
    for layout in ("nchw", "nhwc"):
        last = layout == "nhwc"
        name = g.put(f"norm_x_{what}_{layout}", to_last(x) if last else x)
        g.case(f"norm/torch/{what}-{layout}", ["norm", name, *args, "--layout", layout], to_last(out) if last else out, tol or ROUNDED[dtype], by)


def by_channels():
    for s in MAPS:
        for dtype in FLOATS if len(s) == 4 else ("f4",):
            x = values(f"x {dims(s)}", s, dtype)
            w, b, m, v = numbers(s[1], dtype)
            named = {"weight": w, "bias": b, "mean": m, "variance": v}
            what = f"{dims(s)}-{dtype}"
            both(f"batch-{what}", x, ["--kind", "batch", *flags("mean", "variance", "weight", "bias", **named)],
                 F.batch_norm(t(x), t(m), t(v), t(w), t(b)), dtype, by="batch_norm, training=False")
            both(f"group-{what}", x, ["--kind", "group", "--groups", "3", *flags("weight", "bias", **named)],
                 F.group_norm(t(x), 3, t(w), t(b)), dtype, by="group_norm")
            if len(s) > 2:
                both(f"instance-{what}", x, ["--kind", "instance", *flags("weight", "bias", **named)],
                     F.instance_norm(t(x), weight=t(w), bias=t(b)), dtype, by="instance_norm")
    s = MAPS[2]
    x = values(f"x {dims(s)}", s)
    w, b, m, v = numbers(s[1])
    both("batch-statistics-alone", x, ["--kind", "batch", *flags("mean", "variance", mean=m, variance=v), "--eps", "0.01", "--activation", "relu"],
         F.relu(F.batch_norm(t(x), t(m), t(v), eps=0.01)))
    both("group-one-alone", x, ["--kind", "group", "--groups", "1"], F.group_norm(t(x), 1))
    torch_names = g.bundle("norm_torch", {"bn1.weight": w, "bn1.bias": b, "bn1.running_mean": m, "bn1.running_var": v, "bn1.num_batches_tracked": np.int64(7)})
    both("batch-bundle", x, ["--kind", "batch", "--weights", torch_names, "--weights-prefix", "bn1."], F.batch_norm(t(x), t(m), t(v), t(w), t(b)), by="BatchNorm2d, eval mode")
    keras_names = g.bundle("norm_keras", {"gamma:0": w, "beta:0": b, "moving_mean:0": m, "moving_variance:0": v})
    both("batch-keras-bundle", x, ["--kind", "batch", "--weights", keras_names], F.batch_norm(t(x), t(m), t(v), t(w), t(b), eps=1e-3), by="Keras's BatchNormalization, epsilon=1e-3")
    affine = g.bundle("norm_keras_affine", {"gamma": w, "beta": b})
    both("group-keras-bundle", x, ["--kind", "group", "--groups", "2", "--weights", affine], F.group_norm(t(x), 2, t(w), t(b), eps=1e-3), by="Keras's GroupNormalization, epsilon=1e-3")
    far = (values("far", (1, 6, 9, 5)) + 1e4).astype("f4")
    for kind, groups in (("group", 2), ("instance", 6)):
        both(f"{kind}-far", far, ["--kind", kind, *(["--groups", "2"] if kind == "group" else [])], F.group_norm(t(far), groups), by="numbers about 10,000")
    # The axis of the channels where no layout has it.
    moved = np.ascontiguousarray(x.transpose(2, 0, 1, 3))
    g.case("norm/torch/batch-axis", ["norm", g.put("norm_x_moved", moved), "--kind", "batch", "--axis", "-2", *flags("mean", "variance", mean=m, variance=v)],
           F.batch_norm(t(x), t(m), t(v)).numpy().astype("f4").transpose(2, 0, 1, 3), ROUNDED["f4"])


def rms(x, axes, eps):
    return x / torch.sqrt((x * x).mean(axes, keepdim=True) + eps)


def by_features():
    for s in ((7,), (5, 24), (2, 5, 24), (2, 3, 4, 24), (1, 2, 3, 4, 24)):
        for dtype in FLOATS if len(s) == 3 else ("f4",):
            x, w, b = values(f"rows {dims(s)}", s, dtype), values(f"row weight {s[-1]}", s[-1], dtype), values(f"row bias {s[-1]}", s[-1], dtype)
            name = g.put(f"norm_rows_{dims(s)}_{dtype}", x)
            for kind, want, named in (
                ("layer", F.layer_norm(t(x), s[-1:], t(w), t(b)), ("weight", "bias")),
                ("rms", rms(t(x), -1, 1e-6) * t(w), ("weight",)),
                ("l2", F.normalize(t(x), dim=-1), ()),
            ):
                g.case(f"norm/torch/{kind}-{dims(s)}-{dtype}", ["norm", name, "--kind", kind, *flags(*named, weight=w, bias=b)],
                       want.numpy().astype(dtype), ROUNDED[dtype], {"rms": "x/sqrt(mean(x²)+1e-6)·weight", "l2": "normalize, dim=-1", "layer": "layer_norm"}[kind])
    s = (1, 24, 3, 4)
    x, w, b = values("maps", s), values("row weight 24", 24), values("row bias 24", 24)
    last = torch.movedim(t(x), 1, -1)
    both("layer-maps", x, ["--kind", "layer", *flags("weight", "bias", weight=w, bias=b)], torch.movedim(F.layer_norm(last, (24,), t(w), t(b)), -1, 1), by="ConvNeXt's LayerNorm")
    both("rms-maps", x, ["--kind", "rms", "--eps", "1e-5"], torch.movedim(rms(last, -1, 1e-5), -1, 1))
    both("l2-maps", x, ["--kind", "l2", *flags("weight", weight=w)], F.normalize(t(x), dim=1) * t(w)[:, None, None], by="SSD's L2Norm")
    w3, b3 = values("w3", s[1:]), values("b3", s[1:])
    g.case("norm/torch/layer-three-axes", ["norm", g.put("norm_maps", x), "--kind", "layer", "--axes", "-3,-2,-1", *flags("weight", "bias", weight=w3, bias=b3)],
           F.layer_norm(t(x), s[1:], t(w3), t(b3)).numpy().astype("f4"), ROUNDED["f4"], "layer_norm, normalized_shape of three axes")
    x, w, b = values("rows 2x5x24", (2, 5, 24)), values("row weight 24", 24), values("row bias 24", 24)
    name = g.put("norm_rows_2x5x24_f4", x)
    g.case("norm/torch/rms-unit-offset", ["norm", name, "--kind", "rms", "--unit-offset", *flags("weight", weight=w)],
           (rms(t(x), -1, 1e-6) * (1 + t(w))).numpy().astype("f4"), ROUNDED["f4"], "Gemma's RMSNorm")
    g.case("norm/torch/layer-axis", ["norm", name, "--kind", "layer", "--axis", "1", "--activation", "gelu"],
           F.gelu(torch.movedim(F.layer_norm(torch.movedim(t(x), 1, -1), (5,)), -1, 1)).numpy().astype("f4"),
           rel(1.3e-7, "two roundings to float32: before gelu, and after it"))
    names = g.bundle("norm_layer", {"norm1.weight": w, "norm1.bias": b})
    g.case("norm/torch/layer-bundle", ["norm", name, "--kind", "layer", "--weights", names, "--weights-prefix", "norm1."],
           F.layer_norm(t(x), (24,), t(w), t(b)).numpy().astype("f4"), ROUNDED["f4"])
    names = g.bundle("norm_layer_keras", {"gamma": w, "beta": b})
    g.case("norm/torch/layer-keras-bundle", ["norm", name, "--kind", "layer", "--weights", names],
           F.layer_norm(t(x), (24,), t(w), t(b), eps=1e-3).numpy().astype("f4"), ROUNDED["f4"], "Keras's LayerNormalization, epsilon=1e-3")
    names = g.bundle("norm_rms_keras", {"scale": w})
    g.case("norm/torch/rms-keras-bundle", ["norm", name, "--kind", "rms", "--weights", names],
           (rms(t(x), -1, 1e-6) * t(w)).numpy().astype("f4"), ROUNDED["f4"], "Keras's RMSNormalization, epsilon=1e-6")
    for what, f in (("far", lambda v: v + 1e4), ("small", lambda v: 1e-3 * v), ("large", lambda v: 1e3 * v)):
        x = f(values("hard", (4, 90)).astype("f8")).astype("f4")
        x[3] = x[3, 0]
        name = g.put(f"norm_rows_{what}", x)
        for kind, want in (("layer", F.layer_norm(t(x), (90,), None, t(values("hard bias", 90)))), ("rms", rms(t(x), -1, 1e-6) + t(values("hard bias", 90)))):
            g.case(f"norm/torch/{kind}-{what}", ["norm", name, "--kind", kind, *flags("bias", bias=values("hard bias", 90))],
                   want.numpy().astype("f4"), ROUNDED["f4"], "one row is all the same")


def after_products():
    """What batch_norm does after a product, which is folded into its weights."""
    x, (w, b, m, v) = values("px", (1, 6, 5, 4)), numbers(8)
    bundle = g.bundle("norm_after", {"weight": w, "bias": b, "running_mean": m, "running_var": v})

    def folded(what, first, y, kernel, keras):
        want = F.relu(F.batch_norm(y, t(m), t(v), t(w), t(b))).numpy().astype("f4")
        for layout in ("nchw", "nhwc"):
            last = layout == "nhwc"
            maps = y.ndim > 2
            words = [first[0], g.put(f"norm_px_{layout}" if maps else "norm_pv", to_last(x) if last and maps else x if maps else x[:, :, 0, 0]),
                     "--weight", g.put(f"norm_k_{what}_{layout}", np.ascontiguousarray(kernel.transpose(keras)) if last else kernel), *first[1:]]
            g.case(f"norm/torch/after-{what}-{layout}", [*words, "--layout", layout, "then", "norm", "--kind", "batch", "--weights", bundle, "--activation", "relu"],
                   to_last(want) if last and maps else want, FOLDED, "batch_norm and relu after it")

    k = values("k3", (8, 6, 3, 3))
    folded("conv", ["conv", "--padding", "1"], F.conv2d(t(x), t(k), padding=1), k, (2, 3, 1, 0))
    k = values("kg", (8, 3, 3, 3))
    folded("conv-groups", ["conv", "--groups", "2", "--stride", "2"], F.conv2d(t(x), t(k), stride=2, groups=2), k, (2, 3, 1, 0))
    for what, size, stride in (("apart", 2, 2), ("over", 3, 2)):
        k = values(f"kt {what}", (6, 8, size, size))
        folded(f"transposed-{what}", ["conv", "--transpose", "--stride", str(stride)], F.conv_transpose2d(t(x), t(k), stride=stride), k, (2, 3, 1, 0))
    k = values("kl", (8, 6))
    folded("linear", ["linear"], F.linear(t(x[:, :, 0, 0]), t(k)), k, (1, 0))
    folded("linear-maps", ["linear"], torch.einsum("nchw,oc->nohw", t(x), t(k)), k, (1, 0))


def pyramid():
    """torchvision's FeaturePyramidNetwork with norm_layer=partial(GroupNorm, 4)."""
    c2, c3 = values("c2", (1, 3, 4, 2)), values("c3", (1, 5, 2, 1))
    state = {}
    for i, c in enumerate((3, 5)):
        for name, s in ((f"inner_blocks.{i}", (8, c, 1, 1)), (f"layer_blocks.{i}", (8, 8, 3, 3))):
            state |= {f"{name}.0.weight": values(name, s), f"{name}.1.weight": values(name + "w", 8), f"{name}.1.bias": values(name + "b", 8)}
    w = {n: t(a) for n, a in state.items()}

    def block(name, x, pad):
        return F.group_norm(F.conv2d(x, w[f"{name}.0.weight"], padding=pad), 4, w[f"{name}.1.weight"], w[f"{name}.1.bias"])

    p3 = block("inner_blocks.1", t(c3), 0)
    want = block("layer_blocks.0", block("inner_blocks.0", t(c2), 0) + F.interpolate(p3, size=(4, 2)), 1).numpy().astype("f4")
    path = g.bundle("norm_pyramid", state)
    for layout in ("nchw", "nhwc"):
        as_is = to_last if layout == "nhwc" else np.asarray
        levels = [g.put(f"norm_{n}_{layout}", as_is(x)) for n, x in (("c2", c2), ("c3", c3))]
        g.case(f"fpn/torch/group-norm-{layout}", ["fpn", *levels, "--weights", path, "--norm-groups", "4", "--layout", layout], as_is(want), SUMS)


by_channels()
by_features()
after_products()
pyramid()
