"""sub, div, maximum, minimum, pow and average as NumPy 2 has them; average also as PyTorch's mean and AllenNLP's ScalarMix.

    python3 elementwise_cases.py FOLDER
"""
import functools
import sys

import numpy as np
import torch

from golden import DTYPES, EXACT, Golden, dims, edges, grid, rel, typical, ulp

np.seterr(all="ignore")
g = Golden(sys.argv[1], f"numpy {np.__version__}")

MIXED = [("b1", "i1"), ("i1", "u1"), ("u8", "i8"), ("i2", "f2"), ("i4", "f4"), ("u1", "f2"), ("f2", "f4"), ("f8", "f4"), ("i1", "i8")]
SHAPES = [
    ((), ()), ((), (3,)), ((3,), (2, 3)), ((2, 3), (3,)), ((2, 1, 4), (3, 1)), ((2, 2, 2, 3), (2, 1, 1, 3)), ((2, 3, 2, 2), (1, 3, 1, 1)),
    ((3, 37), (37,)), ((0, 3), (3,)), ((1,), (0,)), ((), (0,)),
]


def weak(number, dtype):
    """A Python number beside arrays of a dtype, in NumPy 2."""
    if isinstance(number, float):
        return np.array(number, dtype if np.dtype(dtype).kind in "fc" else "f8")
    return np.array(number, "i8" if dtype == "b1" else dtype)


def inexact(dtype):
    return np.dtype("f8") if dtype.kind in "biu" else dtype


def power_dtype(dtype):
    return np.dtype("i1") if dtype.kind == "b" else dtype


def apply(op, arrays, result=None):
    """op over the arrays, left to right, in NumPy 2's promoted dtype whatever their ranks, or what result makes of it."""
    promoted = functools.reduce(np.promote_types, [a.dtype for a in arrays])
    out = result(promoted) if result else promoted
    work = np.dtype("f4") if out == "f2" else out
    return functools.reduce(op, [a.astype(work) for a in arrays]).astype(out)


class Command:
    """The cases of one command, whose operation is op over the operands."""

    def __init__(self, name, op, result=None):
        self.name, self.op, self.result = name, op, result

    def case(self, what, operands, files, flags=(), tol=EXACT, want=None):
        want = apply(self.op, operands, self.result) if want is None else want
        by = f"np.{self.op.__name__}" if hasattr(self.op, "__name__") else self.name
        g.case(f"{self.name}/numpy/{what}", [self.name, *files, *flags], want, tol, by)

    def pairs(self, dtypes, symmetric):
        """The awkward values of each dtype, and of some beside others; of extrema, zeros without a sign, which NumPy leaves open."""
        def pair(a, b):
            x, y = edges(a)[0], edges(b)[1]
            files = [g.put(f"ew_x_{a}", x), g.put(f"ew_y_{b}", y)]
            if symmetric and a != b:
                x, y = x + x.dtype.type(0), y + y.dtype.type(0)
                files = [g.put(f"ew_x0_{a}", x), g.put(f"ew_y0_{b}", y)]
            return [x, y], files

        for d in dtypes:
            self.case(f"pair-{d}", *pair(d, d))
        for a, b in MIXED:
            if a in dtypes and b in dtypes:
                x, f = pair(a, b)
                self.case(f"pair-{a}-{b}", x, f)
                if not symmetric:
                    self.case(f"pair-{b}-{a}", x[::-1], f[::-1])

    def shapes(self, shapes):
        for sa, sb in shapes:
            a, b = typical(f"ew a{sa}", sa, "f4"), typical(f"ew b{sb}", sb, "f4")
            self.case(f"broadcast-{dims(sa)}-{dims(sb)}", [a, b], [g.put(f"ew_a_{dims(sa)}", a), g.put(f"ew_b_{dims(sb)}", b)])

    def numbers(self, dtypes, symmetric):
        for d in dtypes:
            for number in (3, 0.5) + ((-2,) if d[0] in "ifc" else ()):
                x, n = np.array([0, 1, 2, 3, 5, 7], d), weak(number, "f8" if self.result is inexact and d[0] in "biu" else d)
                file = g.put(f"ew_small_{d}", x)
                self.case(f"number-{d}-{number}", [x, n], [file, number])
                if not symmetric:
                    self.case(f"{number}-number-{d}", [n, x], [number, file])

    def stored_otherwise(self):
        for d in ("f4", "i8"):
            a, b = typical("ew layout a", (2, 3, 4), d), typical("ew layout b", (3, 1), d)
            for how, x in (("fortran", np.asfortranarray(a)), ("big-endian", a.astype(a.dtype.newbyteorder(">")))):
                self.case(f"{how}-{d}", [a, b], [g.put(f"ew_{how}_{d}", x), g.put(f"ew_column_{d}", b)])

    def flags(self):
        a, b = grid("ew map a", (1, 4, 5, 2), 2.0**-3).astype("f4"), grid("ew map b", (1, 2, 3, 2), 2.0**-3).astype("f4")
        files = [g.put("ew_map", a), g.put("ew_part", b)]
        self.case("align-crop-relu6", [a[:, 1:3, 1:4], b], files, ["--align", "crop", "--activation", "relu6"],
                  want=np.clip(apply(self.op, [a[:, 1:3, 1:4], b], self.result), 0, 6))


def many(command):
    """Of any number of inputs."""
    for d in ("f4", "f2", "i2", "b1"):
        arrays = [typical(f"ew many {s}", s, d) for s in ((2, 3, 5), (5,), (2, 1, 1), (3, 1))]
        files = [g.put(f"ew_many_{d}_{i}", a) for i, a in enumerate(arrays)]
        for n in (1, 3, 4):
            command.case(f"{n}-inputs-{d}", arrays[:n], files[:n])


REAL = [d for d in DTYPES if d[0] != "c"]
for c, dtypes, symmetric in [
    (Command("sub", np.subtract), DTYPES[1:], False), (Command("div", np.true_divide, inexact), DTYPES, False),
    (Command("maximum", np.maximum), REAL, True), (Command("minimum", np.minimum), REAL, True),
]:
    c.pairs(dtypes, symmetric)
    c.shapes(SHAPES if c.name == "sub" else SHAPES[:1] + SHAPES[4:6] + SHAPES[8:9])
    c.numbers(["b1", "u1", "i2", "f2", "f4"], symmetric)
    c.stored_otherwise()
    c.flags()
    if symmetric:
        many(c)

# ---- pow


def power(x, y):
    """Floats by x87's powl, of 64 bits, so that it is right in all but one of some thousand last bits of float64."""
    if x.dtype.kind == "f":
        return np.power(x.astype("g"), y.astype("g")).astype(x.dtype)
    return np.power(x, y)


NEAR = ulp(1, "x87's power is rounded a second time to float64, and fusectl's is within 1 ulp")
p = Command("pow", power, power_dtype)
exponents = [0, 1, 2, 3, 5, 7, 1, 2]
for d in [d for d in REAL if d[0] in "biu"]:
    x, y = edges(d)[0], np.array([e % 2 if d == "b1" else e for e in exponents], d)
    p.case(f"pair-{d}", [x, y], [g.put(f"ew_x_{d}", x), g.put(f"ew_e_{d}", y)])
special = [0.0, -0.0, 1, -1, 0.5, -3, 2, -2.5, np.inf, -np.inf, np.nan, 1e4, -6e-5]
for d in ("f2", "f4", "f8"):
    column, row = np.array(special, d)[:, None], np.array(special, d)
    p.case(f"special-{d}", [column, row], [g.put(f"ew_special_column_{d}", column), g.put(f"ew_special_{d}", row)], tol=NEAR if d == "f8" else EXACT)
    x, y = np.abs(typical("ew base", (7, 9), d)), typical("ew exponent", (7, 9), d) * 4
    p.case(f"typical-{d}", [x, y.astype(d)], [g.put(f"ew_base_{d}", x), g.put(f"ew_exponent_{d}", y.astype(d))], tol=NEAR if d == "f8" else EXACT)
for a, b in MIXED:
    x, y = np.array([0, 1, 1, 1], a) if a == "b1" else np.array([0, 1, 2, 7], a), np.array([0, 1, 2, 3], b)
    p.case(f"pair-{a}-{b}", [x, y], [g.put(f"ew_few_{a}", x), g.put(f"ew_powers_{b}", y)])
for sa, sb in SHAPES[4:9]:
    a, b = np.abs(typical(f"ew a{sa}", sa, "f4")), typical(f"ew b{sb}", sb, "f4")
    p.case(f"broadcast-{dims(sa)}-{dims(sb)}", [a, b], [g.put(f"ew_abs_{dims(sa)}", a), g.put(f"ew_b_{dims(sb)}", b)])
for d, numbers in [("i2", (2, 0.5, -1.0)), ("u1", (3, 2.0)), ("b1", (2,)), ("f2", (2, 0.5, -1)), ("f4", (2, 0.5, -1, 3.0)), ("f8", (2, -0.5))]:
    for number in numbers:
        x, n = np.array([0, 1, 2, 3, 5, 7], d), weak(number, d)
        file = g.put(f"ew_small_{d}", x)
        tol = NEAR if np.promote_types(x.dtype, n.dtype) == "f8" else EXACT
        p.case(f"number-{d}-{number}", [x, n], [file, number], tol=tol)
        if number > 0:
            p.case(f"{number}-number-{d}", [n, x], [number, file], tol=tol)
p.flags()

# ---- average

SUM64 = "products and sums in float64, in another order"


def average(what, arrays, files, weights=None, flags=(), shares=None):
    """np.average of the arrays broadcast and stacked, in float64, rounded once; by shares where the weights aren't divided."""
    promoted = functools.reduce(np.promote_types, [a.dtype for a in arrays])
    out = inexact(promoted)
    work = np.dtype("c16" if out.kind == "c" else "f8")
    stacked = np.stack(np.broadcast_arrays(*[a.astype(promoted).astype(work) for a in arrays]))
    if shares:
        want = np.tensordot(np.asarray(shares), stacked, 1)
    else:
        want = np.average(stacked, 0, weights) if weights else np.mean(stacked, 0)
    tol = rel(1e-15, SUM64) if out.itemsize == work.itemsize else EXACT
    args = ["average", *files] + (["--weights", ",".join(map(str, weights))] if weights else [])
    g.case(f"average/numpy/{what}", [*args, *flags], np.asarray(want).astype(out), tol, "np.average of the stacked arrays in float64, rounded once")


for d in DTYPES:
    arrays = [typical(f"ew average {s}", s, d) for s in ((2, 3, 5), (5,), (3, 1))]
    files = [g.put(f"ew_average_{d}_{i}", a) for i, a in enumerate(arrays)]
    average(f"mean-{d}", arrays, files)
    average(f"weighted-{d}", arrays, files, [1, 2.5, -0.5])
for a, b in MIXED:
    x, y = typical("ew average mixed", (2, 3), a), typical("ew average mixed", (3,), b)
    average(f"pair-{a}-{b}", [x, y], [g.put(f"ew_mixed_{a}", x), g.put(f"ew_mixed_row_{b}", y)])
for sa, sb in SHAPES[2:]:
    a, b = typical(f"ew a{sa}", sa, "f4"), typical(f"ew b{sb}", sb, "f4")
    average(f"broadcast-{dims(sa)}-{dims(sb)}", [a, b], [g.put(f"ew_a_{dims(sa)}", a), g.put(f"ew_b_{dims(sb)}", b)])
arrays = [typical(f"ew layer {i}", (2, 3, 5), "f4") for i in range(3)]
files = [g.put(f"ew_layer_{i}", a) for i, a in enumerate(arrays)]
average("one", arrays[:1], files[:1])
average("same-file-twice", arrays[:1] * 2, files[:1] * 2)
average("many", arrays * 7, files * 7)
average("unnormalized", arrays, files, shares=[2, -1, 0.25], flags=["--weights", "2,-1,0.25", "--normalize", "none"])
average("number", [arrays[0], np.float32(3)], [files[0], 3])
a, b = grid("ew map a", (1, 4, 5, 2), 2.0**-3).astype("f4"), grid("ew map b", (1, 2, 3, 2), 2.0**-3).astype("f4")
g.case("average/numpy/align-crop-relu", ["average", g.put("ew_map", a), g.put("ew_part", b), "--align", "crop", "--activation", "relu"],
       np.maximum((a[:, 1:3, 1:4] + b) / 2, 0), by="(a+b)/2 of the middle, relu")

# PyTorch's mean of a stack, and the scalar mix of ELMo: gamma · Σ softmax(w)ᵢ·xᵢ, as AllenNLP's ScalarMix computes it.
t = [torch.from_numpy(x.astype("f8")) for x in arrays]
scalars, gamma = np.array([0.3, -1.2, 0.8], "f4"), np.array([1.5], "f4")
weights = torch.softmax(torch.from_numpy(scalars.astype("f8")), 0)
mix = sum(w * x for w, x in zip(weights, t)).numpy()
scalar_mix = g.bundle("ew_mix", {"w": scalars, "gamma": gamma, **{f"scalar_parameters.{i}": scalars[i:i + 1] for i in range(3)}})
torch_by = f"torch {torch.__version__}, in float64"
g.case("average/torch/mean", ["average", *files], torch.stack(t).mean(0).numpy().astype("f4"), by="torch.stack(x).mean(0), " + torch_by)
g.case("average/torch/scalar-mix-weights", ["average", *files, "--weights", scalar_mix + ":w", "--normalize", "softmax"], mix.astype("f4"),
       by="Σ softmax(w)·x, " + torch_by)
listed = ",".join(f"{scalar_mix}:scalar_parameters.{i}" for i in range(3))
g.case("average/torch/scalar-mix", ["average", *files, "--weights", listed, "--normalize", "softmax", "then", "mul", "-", scalar_mix + ":gamma"],
       (mix * 1.5).astype("f4"), ulp(1, "the mix is rounded to float32 before it is scaled"), "gamma · Σ softmax(w)·x, " + torch_by)
positive = torch.relu(torch.from_numpy(scalars.astype("f8")))
fast = positive / (positive.sum() + 1e-4)
g.case("average/torch/fast", ["average", *files, "--weights", scalar_mix + ":w", "--normalize", "fast"],
       sum(w * x for w, x in zip(fast, t)).numpy().astype("f4"), by="Σ relu(w)/(Σ relu(w) + 1e-4)·x, BiFPN's fusion, " + torch_by)
