"""Reductions, by NumPy, and by PyTorch where NumPy has none or another: logsumexp, unbiased variances, norms, generalised means.

Floats are reduced in float64 from the inputs as they are stored, and rounded once.

    python3 reduce_cases.py FOLDER
"""
import sys

import numpy as np
import torch

from golden import DTYPES, EXACT, Golden, code, grid, rel, rng

numpy = Golden(sys.argv[1], f"numpy {np.__version__}")
pytorch = Golden(sys.argv[1], f"torch {torch.__version__}")
np.seterr(all="ignore")

ROUNDED = {
    "f2": rel(2.0**-11, "one rounding to float16, of half a unit in 11 bits"),
    "f4": rel(2.0**-24, "one rounding to float32, of half a unit in 24 bits"),
    "f8": rel(1e-13, "float64 sums in another order"),
}
ROUNDED |= {"c8": ROUNDED["f4"], "c16": ROUNDED["f8"]}
SHAPES = {(3, 4, 5): [None, (1,), (0, 2), (-1,)], (70, 3): [(0,)], (2, 130): [(1,)]}


def values(dtype, shape):
    """Numbers of few bits, so that float sums are exact; of integers, so large that sums wrap narrower ones."""
    dtype = np.dtype(dtype)
    name = f"reduce_{code(dtype)}_{'x'.join(map(str, shape))}"
    if dtype.kind == "b":
        return name, rng(name).random(shape) < 0.7
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return name, rng(name).integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    x = grid(name, shape, 2.0**-5, 3.0)
    if dtype.kind == "c":
        x = x + 1j * grid(name + "i", shape, 2.0**-5, 3.0)
    return name, x.astype(dtype)


def flags(op, axes, keepdims):
    return ["--op", op] + (["--axes", ",".join(map(str, axes))] if axes is not None else []) + ["--keepdims"] * keepdims


def reduced(x, op, axes, keepdims):
    """The reduction by NumPy: of floats in float64."""
    wide = {"f": "f8", "c": "c16"}.get(x.dtype.kind)
    f = x.astype(wide) if wide else x
    over = {"axis": axes, "keepdims": keepdims}
    of = {"l1": lambda: np.abs(f.astype("f8")).sum(**over), "l2": lambda: np.sqrt((np.abs(f if wide else f.astype("f8")) ** 2).sum(**over)),
          "sum-square": lambda: (np.abs(f if wide else f.astype("f8")) ** 2).sum(**over), "log-sum": lambda: np.log(np.asarray(f.sum(**over), "f8"))}
    want = np.asarray(of[op]() if op in of else getattr(np, op)(f, **over))
    if op in ("any", "all") or not wide:
        return want
    return want.astype(x.dtype if want.dtype.kind == x.dtype.kind else {"c8": "f4", "c16": "f8"}[code(x.dtype)])


def combinations(dtype, ops, kinds=DTYPES):
    """Each op over all axes of each shape for float32, and over one of them, in turn, for each other dtype."""
    for i, op in enumerate(ops):
        if dtype == "f4":
            yield from ((op, shape, axes) for shape, all_axes in SHAPES.items() for axes in all_axes)
        else:
            yield op, (3, 4, 5), SHAPES[3, 4, 5][(i + kinds.index(dtype)) % 4]


def name_of(op, name, axes):
    return f"{op}-{name[7:]}-{'all' if axes is None else '_'.join(map(str, axes))}"


def numpy_cases():
    complex_ops = ["sum", "mean", "prod", "l2", "any"]
    ops = ["sum", "mean", "max", "min", "prod", "var", "std", "l1", "l2", "sum-square", "log-sum", "any", "all"]
    for dtype in DTYPES:
        is_complex = np.dtype(dtype).kind == "c"
        for op, shape, axes in combinations(dtype, complex_ops if is_complex else ops):
            name, x = values(dtype, shape)
            if op == "log-sum":
                if x.dtype.kind == "i":
                    continue
                name, x = name + "_positive", np.abs(x) if x.dtype.kind == "f" else x
            keep = axes == (0, 2)
            want = reduced(x, op, axes, keep)
            numpy.case(f"reduce/numpy/{name_of(op, name, axes)}", ["reduce", numpy.put(name, x), *flags(op, axes, keep)], want,
                       ROUNDED.get(code(want.dtype), EXACT) if want.any() else EXACT, op)
        if is_complex:
            continue
        for op, shape, axes in combinations(dtype, ["argmax", "argmin"]):
            if axes == (0, 2):
                axes = (0,)
            name, x = values(dtype, shape)
            want = np.asarray(getattr(np, op)(x, axis=axes and axes[0]), "i8")
            numpy.case(f"reduce/numpy/{name_of(op, name, axes)}", ["reduce", numpy.put(name, x), *flags(op, axes, False)], want, by=f"np.{op}")
    for dtype in ("f2", "f4", "f8"):
        x = np.array([[1, -0.0, np.nan], [np.inf, 0.0, 2], [3, -0.0, np.nan], [-np.inf, -0.0, -5]], dtype)
        for op in ("sum", "max", "min", "var", "l1", "l2", "prod", "argmax", "argmin", "any", "all"):
            want = np.asarray(np.argmax(x, 0) if op == "argmax" else np.argmin(x, 0) if op == "argmin" else reduced(x, op, (0,), False))
            if op in ("max", "min"):
                want[1] = 0.0 if op == "max" else -0.0  # IEEE 754-2019's; NumPy's depends on the order
            numpy.case(f"reduce/numpy/{op}-special-{dtype}", ["reduce", numpy.put(f"reduce_special_{dtype}", x), *flags(op, (0,), False)], want, by=op)
    for shape, axes in [((2, 0, 3), (1,)), ((0,), None)]:
        x = np.zeros(shape, "f4")
        for op in ("sum", "prod", "l1", "l2", "any", "all"):
            numpy.case(f"reduce/numpy/{op}-empty-{len(shape)}", ["reduce", numpy.put(f"reduce_empty_{len(shape)}", x), *flags(op, axes, False)], reduced(x, op, axes, False), by=op)


def torch_cases():
    kinds = ["f2", "f4", "f8"]
    for dtype in kinds:
        for op, shape, axes in combinations(dtype, ["logsumexp", "var", "std", "l1", "l2", "lp", "gem"], kinds):
            name, x = values(dtype, shape)
            dim, keep = list(range(len(shape))) if axes is None else list(axes), axes == (1,)
            t = torch.from_numpy(x.astype("f8"))
            extra, want = {
                "logsumexp": lambda: ([], torch.logsumexp(t, dim, keep)),
                "var": lambda: (["--ddof", "1"], torch.var(t, dim, unbiased=True, keepdim=keep)),
                "std": lambda: (["--ddof", "1"], torch.std(t, dim, unbiased=True, keepdim=keep)),
                "l1": lambda: ([], torch.linalg.vector_norm(t, 1, dim, keep)),
                "l2": lambda: ([], torch.linalg.vector_norm(t, 2, dim, keep)),
                "lp": lambda: (["--p", "3"], torch.linalg.vector_norm(t, 3, dim, keep)),
                "gem": lambda: ([], t.clamp(min=1e-6).pow(3).mean(dim, keep).pow(1 / 3)),
            }[op]()
            pytorch.case(f"reduce/torch/{name_of(op, name, axes)}", ["reduce", pytorch.put(name, x), *flags(op, axes, keep), *extra],
                         want.numpy().astype(dtype), ROUNDED[dtype], op)
        name, x = values(dtype, (3, 4, 5))
        learned = np.array([2.7], dtype)
        want = torch.from_numpy(x.astype("f8")).clamp(min=0.5).pow(float(learned[0])).mean((0, 2)) ** (1 / float(learned[0]))
        bundle = pytorch.bundle(f"reduce_gem_{dtype}", {"pool.p": learned})
        pytorch.case(f"reduce/torch/gem-learned-{dtype}", ["reduce", pytorch.put(name, x), *flags("gem", (0, 2), False), "--eps", "0.5", "--p", f"{bundle}:pool.p"],
                     want.numpy().astype(dtype), ROUNDED[dtype], "gem, its p a parameter")
        rows = np.array([[-np.inf] * 3, [-np.inf, 1, -np.inf], [1000, 1000, 999], [np.inf, 0, -np.inf], [np.nan, np.inf, 0], [-1000, -1000, -np.inf]], dtype)
        want = torch.logsumexp(torch.from_numpy(rows.astype("f8")), 1).numpy().astype(dtype)
        pytorch.case(f"reduce/torch/logsumexp-special-{dtype}", ["reduce", pytorch.put(f"reduce_rows_{dtype}", rows), *flags("logsumexp", (1,), False)], want,
                     ROUNDED[dtype], "torch.logsumexp")


numpy_cases()
torch_cases()
