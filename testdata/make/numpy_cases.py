"""Golden cases whose meaning is NumPy's: concat, add, mul, gap, gmp, crossmodal concat/add/mul.

usage: numpy_cases.py FOLDER
"""
import functools
import itertools
import math
import sys
import warnings

import numpy as np

from golden import DTYPES, EXACT, Golden, dims, edges, grid, rel, rng, typical

g = Golden(sys.argv[1], f"numpy {np.__version__}")
np.seterr(all="ignore")
warnings.simplefilter("ignore")  # UserWarning for format versions 2.0 and 3.0

OPS = {"add": (np.add, "+"), "mul": (np.multiply, "*")}


PAIRS = {d: edges(d) for d in DTYPES}
PAIR_FILES = {d: (g.put(f"x_{d}", x), g.put(f"y_{d}", y)) for d, (x, y) in PAIRS.items()}


def strange(array, how):
    """The same values, stored otherwise."""
    if how == "fortran":
        return np.asfortranarray(array)
    return array.astype(array.dtype.newbyteorder(">"))


# ---- concat

def concat(what, arrays, axis=None, files=None, versions=None):
    """np.concatenate; the axis is fusectl's default, the last, when none is given."""
    files = files or [g.put(f"concat_{what}_{i}", a, versions and versions[i]) for i, a in enumerate(arrays)]
    args = ["concat", *files] + ([] if axis is None else ["--axis", axis])
    want = np.concatenate(arrays, axis=-1 if axis is None else axis)
    g.case(f"concat/numpy/{what}", args, want, by=f"np.concatenate, axis {-1 if axis is None else axis}")


def concat_cases():
    for a, b in itertools.combinations_with_replacement(DTYPES, 2):
        concat(f"pair-{a}-{b}", [PAIRS[a][0], PAIRS[b][1]], files=[PAIR_FILES[a][0], PAIR_FILES[b][1]])
    for trio in [("i2", "u2", "f4"), ("i1", "u1", "f2"), ("b1", "i1", "u1"), ("u8", "i8", "f4"), ("i4", "f4", "c8")]:
        concat("trio-" + "-".join(trio), [PAIRS[d][0] for d in trio], files=[PAIR_FILES[d][0] for d in trio])

    for dtype in ["f4", "u1", "c16"]:
        for axis in [0, 1, 2, -1, -2, None]:
            shapes = [[2, 3, 4] for _ in range(3)]
            for i, shape in enumerate(shapes):
                shape[-1 if axis is None else axis] = i + 1
            arrays = [typical(f"axis{axis}{s}", s, dtype) for s in shapes]
            files = [g.put(f"concat_{dtype}_axis{axis}_{i}", a) for i, a in enumerate(arrays)]
            concat(f"{dtype}-axis-{axis}-two", arrays[:2], axis, files[:2])
            concat(f"{dtype}-axis-{axis}-three", arrays, axis, files)

    concat("vectors", [typical(f"v{n}", n, "f4") for n in (5, 1, 130)])
    concat("maps-middle", [typical(f"m{n}", (2, n, 5, 3), "f4") for n in (1, 4, 2)], 1)
    concat("five-inputs", [typical(f"five{n}", (3, n), "i2") for n in (1, 2, 3, 4, 5)], 1)
    for dtype in ["u1", "f2", "f4", "c16"]:
        concat(f"thin-rows-{dtype}", [typical(f"thin{i}", (6, 7, 1), dtype) for i in range(3)], -1)
    same = typical("same", (2, 3), "f4")
    concat("same-file-twice", [same, same], 0, [g.put("concat_same", same)] * 2)
    concat("rank-7", [typical(f"seven{i}", (2, 1, 2, 1, 3, 1, 2), "i4") for i in range(2)], 3)

    f4 = functools.partial(typical, dtype="f4")
    concat("empty-first", [f4("e0", (0, 3)), f4("e1", (2, 3))], 0)
    concat("empty-last", [f4("e1", (2, 3)), f4("e0", (2, 0))], 1)
    concat("empty-between", [f4("e1", (2, 3)), f4("e2", (2, 0)), f4("e3", (2, 1))], 1)
    concat("empty-all", [f4("e0", (2, 0, 3)), f4("e1", (2, 0, 3))], 1)
    concat("empty-other-axis", [f4("e0", (0, 3)), f4("e1", (0, 2))], 1)
    concat("empty-counts-for-dtype", [np.zeros((0, 3)), f4("e1", (2, 3))], 0)

    concat("unicode", [np.array([["añb", ""], ["日本語", "x"]], "<U3"), np.array([["q"], ["zz"]], "<U3")], 1)
    concat("bytes", [np.array([b"ab", b"wxyz"], "S4"), np.array([b"", b"c"], "S4")], 0)
    days = np.array(["2024-02-29", "NaT", "1969-12-31"], "<M8[D]")
    concat("datetime", [days, days[:1]], 0)
    concat("timedelta", [np.array([1, -5], "<m8[ms]"), np.array([7], "<m8[ms]")], 0)
    concat("raw", [np.arange(6, dtype="u1").view("V3"), np.arange(9, 12, dtype="u1").view("V3")], 0)
    concat("bfloat16-as-raw", [np.arange(6, dtype="<u2").view("V2").reshape(2, 3),
                               np.arange(9, 13, dtype="<u2").view("V2").reshape(2, 2)], 1)
    record = np.dtype([("id", "<i4"), ("box", "<f4", (2,)), ("name", "S3"), ("ok", "?")])
    records = np.array([(1, (0.5, -1), b"cat", True), (2, (3, 4), b"dog", False), (-7, (0, 0), b"", True)], record)
    concat("records", [records, records[1:]], 0)
    concat("records-matrix", [records.reshape(1, 3), records[:2].reshape(1, 2)], 1)
    nested = np.dtype([("a", [("x", "<f8"), ("y", "|u1")]), ("b", "<c8")])
    nest = np.array([((1.5, 2), 3j), ((-0.0, 255), 1)], nested)
    concat("records-nested", [nest, nest], 0)
    latin = np.array([(1.0,), (2.0,)], [("größe", "<f4")])
    concat("records-latin1-names", [latin, latin], 0)
    greek = np.array([(1.0,), (2.0,)], [("μέγεθος", "<f4")])
    concat("records-unicode-names", [greek, greek], 0)

    base = [typical(f"order{i}", (2, 3, 4), "f4") for i in range(2)]
    for how in ["fortran", "big-endian"]:
        for dtype in ["f4", "i2", "c16", "u1"]:
            arrays = [typical(f"order{i}", (2, 3, 4), dtype) for i in range(2)]
            for axis in [0, 1, -1]:
                mixed = [strange(arrays[0], how), arrays[1]]
                files = [g.put(f"concat_{how}_{dtype}_{i}", a) for i, a in enumerate(mixed)]
                concat(f"{how}-{dtype}-axis-{axis}", mixed, axis, files)
    concat("big-endian-promoted", [base[0].astype(">f4"), base[1].astype(">f8")], -1)
    concat("fortran-big-endian", [np.asfortranarray(base[0].astype(">f8")), base[1].astype("f8")], 0)
    concat("header-2.0-and-3.0", base, 0, versions=[(2, 0), (3, 0)])


# ---- add and mul

def fold(op, arrays):
    """op over the arrays, left to right, each pair in NumPy 2's promoted dtype whatever their ranks."""
    return functools.reduce(lambda a, b: op(a, b, dtype=np.promote_types(a.dtype, b.dtype)), arrays)


def half(op, arrays):
    """Float16 as fusectl has it: float32 throughout, one rounding at the end."""
    return fold(op, [a.astype("f4") for a in arrays]).astype("f2")


def elementwise_cases(command):
    op, sign = OPS[command]

    def case(what, arrays, files, want=None, tol=EXACT, by=None):
        want = fold(op, arrays) if want is None else want
        g.case(f"{command}/numpy/{what}", [command, *files], want, tol, by or sign.join("abcd"[:len(arrays)]))

    for a, b in itertools.combinations_with_replacement(DTYPES, 2):
        case(f"pair-{a}-{b}", [PAIRS[a][0], PAIRS[b][1]], [PAIR_FILES[a][0], PAIR_FILES[b][1]])
        if a != b:
            case(f"pair-{b}-{a}", [PAIRS[b][1], PAIRS[a][0]], [PAIR_FILES[b][1], PAIR_FILES[a][0]])

    shapes = [
        ((), ()), ((), (3,)), ((3,), ()), ((1,), (5,)), ((1, 1), (5,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 3), (2, 1)),
        ((2, 1), (1, 3)), ((2, 3, 4), (1, 3, 1)), ((2, 1, 4), (3, 1)), ((2, 1, 3, 1), (4, 1, 5)),
        ((2, 4, 4, 3), (2, 1, 1, 3)), ((2, 4, 4, 3), (2, 4, 4, 1)), ((2, 4, 4, 3), (3,)), ((2, 4, 4, 3), (1, 4, 1, 3)),
        ((2, 3, 4, 4), (2, 3, 1, 1)), ((2, 3, 4, 4), (1, 3, 1, 1)), ((2, 1, 4, 1, 3), (1, 3, 1, 2, 1)),
        ((3, 1, 2, 1, 3, 1), (2, 3, 2, 2, 1, 3, 2)), ((7, 131), (131,)), ((7, 131), (7, 1)), ((7, 131), (7, 131)),
        ((7, 131), ()), ((0, 3), (3,)), ((0, 3), (1, 3)), ((1,), (0,)), ((2, 0, 3), (2, 1, 3)), ((), (0,)),
    ]
    for sa, sb in shapes:
        a, b = typical(f"a{sa}", sa, "f4"), typical(f"b{sb}", sb, "f4")
        files = [g.put(f"a_f4_{dims(sa)}", a), g.put(f"b_f4_{dims(sb)}", b)]
        case(f"broadcast-{dims(sa)}-{dims(sb)}", [a, b], files)
    # A 0-d array counts with its dtype, as in NumPy 2 and not in NumPy 1.
    for da, db in [("f4", "f8"), ("f2", "f4"), ("i1", "i8"), ("u1", "i2"), ("i4", "f2"), ("f4", "c16")]:
        a, b = typical("zero-d a", 3, da), typical("zero-d b", (), db)
        case(f"scalar-counts-{da}-{db}", [a, b], [g.put(f"vec_{da}", a), g.put(f"scalar_{db}", b)])
    for da, db in [("u1", "f4"), ("i2", "i4"), ("f2", "f8"), ("b1", "f2")]:
        a, b = typical("mixed a", (2, 3, 4), da), typical("mixed b", (3, 1), db)
        case(f"broadcast-promoted-{da}-{db}", [a, b], [g.put(f"mix_{da}_2x3x4", a), g.put(f"mix_{db}_3x1", b)])

    three = [(2, 3, 5), (5,), (2, 1, 1), (3, 1)]
    for dtype in ["f4", "f8", "f2", "i1", "i4", "u8", "b1", "c8"]:
        if dtype == "c8":
            arrays = [(grid(f"re{s}", s, 0.5, 4) + 1j * grid(f"im{s}", s, 0.5, 4)).astype(dtype) for s in three]
        else:
            arrays = [typical(f"many{s}", s, dtype) for s in three]
        files = [g.put(f"many_{dtype}_{i}", a) for i, a in enumerate(arrays)]
        for n in (3, 4):
            want = half(op, arrays[:n]) if dtype == "f2" else None
            by = sign.join("abcd"[:n]) + (" in float32, rounded once" if dtype == "f2" else "")
            case(f"{n}-inputs-{dtype}", arrays[:n], files[:n], want, by=by)
    same = [typical(f"row{i}", 131, "f4") for i in range(5)]
    case("5-inputs-same-shape", same, [g.put(f"row_f4_{i}", a) for i, a in enumerate(same)], by="a" + sign + "b" + sign + "…")
    case("same-file-twice", [same[0]] * 2, [g.put("row_f4_0", same[0])] * 2, by=f"a{sign}a")

    for how in ["fortran", "big-endian"]:
        for dtype in ["f4", "f2", "i8", "c16"]:
            a, b = typical("layout a", (2, 3, 4), dtype), typical("layout b", (3, 1), dtype)
            if dtype == "c16":
                a, b = grid("la", a.shape, 0.5) + 1j * grid("lb", a.shape, 0.5), grid("lc", b.shape, 0.5) + 2j
            arrays = [strange(a, how), b]
            case(f"{how}-{dtype}", arrays, [g.put(f"{how}_{dtype}_2x3x4", arrays[0]), g.put(f"lay_{dtype}_3x1", b)])
            case(f"{how}-{dtype}-second", arrays[::-1],
                 [g.put(f"lay_{dtype}_3x1", b), g.put(f"{how}_{dtype}_2x3x4", arrays[0])])


FMA = "the second product may be fused with the sum: one rounding fewer than NumPy, relative to the largest term"


def weighted(coefs, arrays):
    """Each coefficient is a Python number to NumPy 2: an int keeps an integer dtype, a float makes integers float64."""
    terms = []
    for text, a in zip(coefs.split(","), arrays):
        number = float(text) if "." in text else int(text)
        dtype = np.dtype("f8") if isinstance(number, float) and a.dtype.kind in "iu" else a.dtype
        terms.append(np.multiply(np.array(number).astype(dtype), a, dtype=dtype))
    return fold(np.add, terms)


def coef_cases():
    def arrays(*types, shapes=((2, 3, 5), (5,), (2, 1, 1))):
        return [typical(f"coef{i}{s}", s, d) for i, (d, s) in enumerate(zip(types, shapes))]

    runs = [
        ("0.5,2", "f4 f4"), ("0.5,2", "f8 f8"), ("0.5,2", "f2 f2"), ("0.5,2", "c8 c8"), ("0.1,0.9", "f4 f4"), ("1,-1", "f4 f4"),
        ("-1,1", "f4 f4"), ("1,-2,0.25", "f4 f4 f4"), ("2,-3", "i4 i4"), ("2,3", "i1 i1"), ("2,3", "u1 u1"), ("1,-1", "i8 i8"),
        ("2,-3,4", "i2 i2 i2"), ("0.5,2", "i4 i4"), ("0.5,0.25", "i1 u1"), ("1,0.5", "i4 i4"), ("1,2", "f4 i4"), ("0.5,2", "f4 f8"),
        ("1,-1,1", "f8 f8 f8"), ("0.0,1", "f4 f4"),
    ]
    for coefs, types in runs:
        types = types.split()
        values = arrays(*types)
        # Where integers end as float64, whether an integer product wraps first is left open: none here does.
        small = "" if len(set(types)) == 1 and "." not in coefs else "_small"
        if small:
            values = [a // 4 if a.dtype.kind in "iu" else a for a in values]
        files = [g.put(f"coef_{d}_{i}{small}", a) for i, (d, a) in enumerate(zip(types, values))]
        if types[0] == "f2":
            want, by = weighted(coefs, [a.astype("f4") for a in values]).astype("f2"), "in float32, rounded once"
        else:
            want, by = weighted(coefs, values), "each coefficient a Python number, as NumPy 2 promotes"
        tol = rel(3e-7, FMA) if "0.1" in coefs else EXACT
        g.case(f"add/numpy/coef-{coefs}-{'-'.join(types)}", ["add", *files, "--coef", coefs], want, tol,
               "+".join(f"{c}*{v}" for c, v in zip(coefs.split(","), "abc")) + ", " + by)


# ---- gap and gmp

SUM64 = "float64 sums in another order"


def mean(x, axes, keepdims):
    """The float64 mean, rounded to the dtype of the result, and how near fusectl must come."""
    wide = np.dtype("c16" if x.dtype.kind == "c" else "f8")
    out = x.dtype if x.dtype.kind in "fc" else np.dtype("f8")
    want = np.asarray(np.mean(x, axis=axes, dtype=wide, keepdims=keepdims))
    if out == wide:
        small = x.dtype.kind == "b" or x.dtype.kind in "iu" and x.dtype.itemsize < 8
        return want.astype(out), EXACT if small else rel(1e-15, SUM64)
    # No mean may slip in whose rounding to the narrow dtype hangs on the order of the float64 sum.
    rows = np.moveaxis(x, axes, range(-len(axes), 0)).astype(wide)
    rows = rows.reshape(rows.shape[:x.ndim - len(axes)] + (math.prod(x.shape[a] for a in axes),))
    for order in (rows, rows[..., ::-1], np.roll(rows, 7, -1)):
        naive = np.add.accumulate(order, -1)[..., -1] / rows.shape[-1]
        if not np.array_equal(naive.astype(out).ravel(), want.astype(out).ravel(), equal_nan=True):
            raise ValueError("a mean lies between two values of its dtype: choose another seed")
    return want.astype(out), EXACT


def pooled(what, x, axes, flags=(), file=None, commands=("gap", "gmp"), keepdims=False):
    file = file or g.put(f"pool_{what}", x)
    for command in commands:
        if command == "gap":
            want, tol = mean(x, axes, keepdims)
            by = "np.mean in float64, rounded to the dtype"
        else:
            want, tol, by = np.max(x, axis=axes, keepdims=keepdims), EXACT, "np.max"
        args = [command, file, *flags] + (["--keepdims"] if keepdims else [])
        g.case(f"{command}/numpy/{what}", args, want, tol, f"{by}, axis {axes}")


def pool_cases():
    for dtype in DTYPES:
        x = typical("pool dtype", (2, 4, 3, 5), dtype)
        file = g.put(f"pool_{dtype}", x)
        pooled(f"nhwc-{dtype}", x, (1, 2), file=file)
        pooled(f"nchw-{dtype}-keepdims", x, (2, 3), ["--layout", "nchw"], file, keepdims=True)

    for dtype in ["f4", "i4"]:
        x = typical("pool axes", (2, 3, 4, 5), dtype)
        file = g.put(f"pool_axes_{dtype}", x)
        for text in ["1,2", "2,1", "-1", "0,2", "0", "3", "-2,-3", "1,2,3", "0,1,2,3", "0,-1"]:
            axes = tuple(int(a) for a in text.split(","))
            for keepdims in (False, True):
                pooled(f"axes-{text}-{dtype}{'-keepdims' * keepdims}", x, axes, ["--axes", text], file, keepdims=keepdims)
        pooled(f"layout-then-axes-{dtype}", x, (1, 2), ["--layout", "nchw", "--axes", "1,2"], file)

    for shape, nhwc, nchw in [((2, 7, 5), (1,), (2,)), ((2, 3, 4, 5), (1, 2), (2, 3)), ((2, 3, 2, 4, 5), (1, 2, 3), (2, 3, 4))]:
        for keepdims in (False, True):
            x = typical(f"pool rank {shape}", shape, "f4")
            file = g.put(f"pool_rank{len(shape)}", x)
            tail = "-keepdims" * keepdims
            pooled(f"rank{len(shape)}-nhwc{tail}", x, nhwc, file=file, keepdims=keepdims)
            pooled(f"rank{len(shape)}-nhwc-said{tail}", x, nhwc, ["--layout", "nhwc"], file, keepdims=keepdims)
            pooled(f"rank{len(shape)}-nchw{tail}", x, nchw, ["--layout", "nchw"], file, keepdims=keepdims)
    for shape, axes in [((131,), (0,)), ((1,), (0,)), ((7, 131), (0,)), ((7, 131), (1,)), ((131, 3), (0,)), ((3, 131), (-1,))]:
        x = typical(f"pool vector {shape}", shape, "f4")
        pooled(f"axes-of-{dims(shape)}-{axes[0]}", x, axes, ["--axes", axes[0]], g.put(f"pool_vec_{dims(shape)}", x))
    pooled("one-position", typical("one", (2, 1, 1, 3), "f4"), (1, 2))
    pooled("one-channel", typical("one channel", (2, 9, 9, 1), "f4"), (1, 2))
    pooled("no-batch", np.zeros((0, 4, 4, 3), "f4"), (1, 2))
    pooled("no-channel", np.zeros((2, 4, 4, 0), "f4"), (1, 2), keepdims=True)

    nan, inf = np.nan, np.inf
    for dtype in ["f2", "f4", "f8"]:
        x = typical("special", (2, 2, 3, 6), dtype)
        x[0, 0, 0, 0], x[0, 1, 2, 1], x[0, 0, 1, 2], x[0, 1, 1, 3], x[1, 0, 0, 4] = nan, nan, inf, -inf, inf
        x[1, 1, 1, 4], x[1, :, :, 5], x[0, 1, 0, 2] = -inf, -inf, nan
        pooled(f"nan-inf-{dtype}", x, (1, 2))
    x = np.full((1, 67, 3), -2.5, "f4")
    x[0, 66, 0], x[0, 0, 1], x[0, 33, 2] = 7, 7, nan
    pooled("peak-at-either-end", x, (1,))
    x = np.array([[1 + 5j, 3 - 1j, 3 + 2j, -9 + 9j], [0.5j, -0.5j, -1, -2]], "c8")
    pooled("complex-order", x, (1,), ["--axes", "1"], commands=["gmp"])
    x = x.copy()
    x[0, 2] = complex(nan, nan)
    pooled("complex-nan", x, (1,), ["--axes", "1"], commands=["gmp"])
    pooled("all-negative", -np.abs(typical("neg", (2, 5, 5, 3), "f4")) - 1, (1, 2))
    pooled("minimum-integers", np.full((1, 3, 3, 2), -128, "i1"), (1, 2))

    gap = {"commands": ["gap"]}
    x = np.ones((1, 48, 48, 1), "f4")
    x[0, 0, 0, 0] = 2.0**24
    pooled("ones-after-2p24", x, (1, 2), **gap)
    big = np.float32(1e8) * rng("cancel").choice([-1, 1], (1, 20, 20, 2)).astype("f4")
    big[0, 10:] = -big[0, :10]
    pooled("cancelling", big + typical("small", big.shape, "f4") * np.float32(64), (1, 2), **gap)
    pooled("sum-overflows-f4", np.full((1, 6, 6, 2), 3e38, "f4") * np.array([1, -1], "f4"), (1, 2), **gap)
    pooled("sum-overflows-f2", np.full((1, 6, 6, 2), 60000, "f2"), (1, 2), **gap)
    pooled("ones-f2", np.ones((1, 64, 64, 1), "f2"), (1, 2), **gap)
    pooled("white-u1", np.full((1, 64, 64, 1), 255, "u1"), (1, 2), **gap)
    pooled("tenths-f4", np.full((1, 48, 47, 1), 0.1, "f4"), (1, 2), **gap)
    pooled("long-channel-f8", typical("long", (1, 31, 33, 1), "f8"), (1, 2))

    x = typical("pool order", (2, 4, 3, 5), "f4")
    for how in ["fortran", "big-endian"]:
        pooled(how, strange(x, how), (1, 2))
        pooled(f"{how}-nchw", strange(x, how), (2, 3), ["--layout", "nchw"], f"in/pool_{how}.npy")


# ---- crossmodal

def crossmodal_cases():
    for dtype in ["f4", "f8", "f2"]:
        for rank, shape in [(2, (3, 4)), (3, (2, 5, 6)), (4, (2, 3, 4, 5))]:
            arrays = [typical(f"modal {i}{shape}", shape, dtype) for i in range(3)]
            files = [g.put(f"modal_{dtype}_{dims(shape)}_{i}", a) for i, a in enumerate(arrays)]
            for n in (2, 3):
                def case(mode, flags, want, by, n=n, files=files, tail=f"rank{rank}-{dtype}-{n}"):
                    g.case(f"crossmodal/numpy/{mode}-{tail}", ["crossmodal", *files[:n], *flags], want, by=by)
                case("concat", ["--axis", 1] if rank > 3 else [], np.concatenate(arrays[:n], 1), "np.concatenate, axis 1")
                case("concat-last", ["--axis", -1], np.concatenate(arrays[:n], -1), "np.concatenate, axis -1")
                case("concat-said", ["--mode", "concat", "--axis", 0], np.concatenate(arrays[:n], 0), "np.concatenate, axis 0")
                for mode, (op, sign) in OPS.items():
                    want = half(op, arrays[:n]) if dtype == "f2" else fold(op, arrays[:n])
                    case(mode, ["--mode", mode], want, sign.join("abc"[:n]))
    a, b = typical("text", (2, 3, 8), "f4"), typical("picture", (2, 7, 8), "f4")
    files = [g.put("modal_text", a), g.put("modal_picture", b)]
    g.case("crossmodal/numpy/concat-tokens", ["crossmodal", *files], np.concatenate([a, b], 1), by="np.concatenate, axis 1")
    a, b = typical("wide", (3, 6), "f4"), typical("narrow", (3, 2), "f4")
    files = [g.put("modal_wide", a), g.put("modal_narrow", b)]
    g.case("crossmodal/numpy/concat-vectors", ["crossmodal", *files], np.concatenate([a, b], 1), by="np.concatenate, axis 1")
    a, b = typical("tokens", (2, 5, 6), "f4"), typical("vector", (2, 1, 6), "f4")
    files = [g.put("modal_tokens", a), g.put("modal_vector", b)]
    for mode, (op, sign) in OPS.items():
        g.case(f"crossmodal/numpy/{mode}-broadcast", ["crossmodal", *files, "--mode", mode], op(a, b), by=f"a{sign}b")


concat_cases()
for name in OPS:
    elementwise_cases(name)
coef_cases()
pool_cases()
crossmodal_cases()
