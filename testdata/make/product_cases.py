"""Golden cases of matmul and einsum: by NumPy, and some by PyTorch.

Floats are computed in float64 (complex ones in complex128) from the inputs as they are stored and rounded once; integers and booleans
in the dtype of the result.

    python3 product_cases.py FOLDER
"""
import itertools
import sys

import numpy as np
import torch

from golden import DTYPES, EXACT, Golden, code, dims, rel, rng

SUMS = "sums in another order, the largest element of the result being 1"
TOLERANCE = {
    "f4": rel(2e-6, "float32 sums of up to some hundred products, against float64: " + SUMS),
    "f8": rel(1e-14, "float64 " + SUMS),
    "f2": rel(5e-4, "one rounding to float16, of half a unit in 11 bits"),
}
TOLERANCE |= {"c8": TOLERANCE["f4"], "c16": TOLERANCE["f8"]}
g = Golden(sys.argv[1], f"numpy {np.__version__}")
t = Golden(sys.argv[1], f"torch {torch.__version__}")


def values(name, shape, dtype):
    """Integers take their whole range, so that sums wrap; a quarter of booleans are true."""
    dtype, r = np.dtype(dtype), rng(name)
    if dtype.kind == "b":
        return r.integers(0, 4, shape) == 0
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.asarray(r.integers(info.min, info.max, shape, dtype=dtype, endpoint=True), dtype)
    if dtype.kind == "c":
        return np.asarray(r.normal(size=shape) + 1j * r.normal(size=shape), dtype)
    return np.asarray(r.normal(size=shape), dtype)


def result_type(arrays):
    """NumPy 2's: floats and complex numbers are promoted first, and 0-d arrays count."""
    return np.result_type(*(a.dtype for a in arrays))


def case(golden, command, what, args, names, arrays, compute, by):
    dtype = result_type(arrays)
    wide = {"f": "f8", "c": "c16"}.get(dtype.kind, dtype)
    want = np.asarray(compute(*(a.astype(wide) for a in arrays))).astype(dtype)
    tol = TOLERANCE.get(code(dtype), EXACT) if want.any() else EXACT
    files = [golden.put(n, a) for n, a in zip(names, arrays)]
    golden.case(f"{command}/{by}/{what}", [command, *args[:1], *files, *args[1:]] if command == "einsum" else [command, *files, *args],
                want, tol, f"{command} of {', '.join(dims(a.shape) for a in arrays)}")


def einsum(what, spec, shapes, types, by="numpy"):
    if isinstance(types, str):
        types = [types] * len(shapes)
    arrays = [values(f"einsum {i} {s}", s, d) for i, (s, d) in enumerate(zip(shapes, types))]
    names = [f"product_{i}_{dims(s)}_{d}" for i, (s, d) in enumerate(zip(shapes, types))]
    if by == "numpy":
        case(g, "einsum", what, [spec], names, arrays, lambda *xs: np.einsum(spec, *xs), by)
    else:
        case(t, "einsum", what, [spec], names, arrays, lambda *xs: torch.einsum(spec, *map(torch.from_numpy, xs)).numpy(), by)


def matmul(what, shapes, types, flags=()):
    if isinstance(types, str):
        types = [types] * 2
    arrays = [values(f"matmul {i} {s}", s, d) for i, (s, d) in enumerate(zip(shapes, types))]
    names = [f"matmul_{i}_{dims(s)}_{d}" for i, (s, d) in enumerate(zip(shapes, types))]

    def compute(a, b):
        a = a.swapaxes(-1, -2) if "--transpose-a" in flags else a
        return a @ (b.swapaxes(-1, -2) if "--transpose-b" in flags else b)
    case(g, "matmul", what, list(flags), names, arrays, compute, "numpy")


SPECS = [
    # What networks do.
    ("bilinear-pooling", "nhwc,nhwd->ncd", [(2, 3, 4, 8), (2, 3, 4, 9)]),
    ("scores", "bqhd,bkhd->bhqk", [(2, 5, 3, 8), (2, 7, 3, 8)]),
    ("attended", "bhqk,bkhd->bqhd", [(2, 3, 5, 7), (2, 7, 3, 8)]),
    ("logits", "nc,kc->nk", [(9, 16), (7, 16)]),
    ("pointwise", "nchw,kc->nkhw", [(2, 6, 5, 7), (4, 6)]),
    ("pointwise-last", "nhwc,ck->nhwk", [(2, 5, 7, 6), (6, 4)]),
    ("dense", "...i,ij->...j", [(2, 3, 4), (4, 5)]),
    ("tensor-fusion", "bnd,bne,bnf->bdef", [(2, 5, 3), (2, 5, 4), (2, 5, 2)]),
    ("gated-sum", "nchw,nchw->nc", [(2, 3, 4, 5), (2, 3, 4, 5)]),
    ("attention-pooling", "nhwc,nhw->nc", [(2, 4, 5, 6), (2, 4, 5)]),
    ("cosines", "nd,nd->n", [(11, 9), (11, 9)]),
    ("gram", "nchw,ndhw->ncd", [(2, 5, 4, 3), (2, 5, 4, 3)]),
    ("low-rank", "bi,ir,jr,bj->br", [(3, 6), (6, 4), (5, 4), (3, 5)]),
    # Of one operand.
    ("transpose", "bij->bji", [(2, 3, 4)]),
    ("reverse", "abcd->dcba", [(2, 3, 4, 5)]),
    ("diagonal", "ii->i", [(6, 6)]),
    ("trace", "ii", [(6, 6)]),
    ("traces", "...ii", [(2, 3, 4, 4)]),
    ("two-diagonals", "ijij->ji", [(3, 4, 3, 4)]),
    ("cube", "iii->i", [(4, 4, 4)]),
    ("sum", "ijk->", [(3, 4, 5)]),
    ("sum-middle", "ijk->ik", [(3, 4, 5)]),
    ("sum-outer", "ijk->j", [(3, 4, 5)]),
    ("alphabetical", "bA", [(2, 3)]),
    ("ellipsis-first", "b...a", [(2, 5, 3)]),
    ("copy", "...", [(2, 3)]),
    ("number", "", [()]),
    # Of several.
    ("outer", "i,j->ij", [(5,), (6,)]),
    ("outer-three", "i,j,k->kij", [(3,), (4,), (5,)]),
    ("elementwise", "ij,ij->ji", [(3, 4), (3, 4)]),
    ("times-a-number", "ij,->ij", [(3, 4), ()]),
    ("dot", "i,i", [(40,), (40,)]),
    ("product", "ij,jk", [(5, 7), (7, 6)]),
    ("product-turned", "ij,jk->ki", [(5, 7), (7, 6)]),
    ("of-transposed", "ji,kj->ik", [(7, 5), (6, 7)]),
    ("trace-of-product", "ij,ji", [(5, 7), (7, 5)]),
    ("by-a-vector", "ij,j->i", [(5, 7), (7,)]),
    ("batches", "bij,bjk->bik", [(20, 3, 4), (20, 4, 3)]),
    ("batches-turned", "bij,bjk->kbi", [(3, 4, 9), (3, 9, 5)]),
    ("batches-long", "bki,bkj->bij", [(2, 520, 2), (2, 520, 2)]),
    ("broadcast-ellipsis", "...ij,...jk->...ik", [(2, 1, 4, 5), (3, 5, 6)]),
    ("broadcast-label", "ij,jk->ik", [(5, 1), (7, 6)]),
    ("broadcast-kept", "ij,ij->ij", [(5, 1), (1, 6)]),
    ("ellipsis-moved", "i...,...i->...", [(3, 4), (4, 3)]),
    ("scattered", "abcd,cbe->dae", [(2, 3, 4, 5), (4, 3, 6)]),
    ("chain", "ij,jk,kl->il", [(3, 9), (9, 4), (4, 5)]),
    ("quadratic", "bi,bij,bj->b", [(3, 4), (3, 4, 5), (3, 5)]),
    ("diagonal-by-matrix", "aab,bc->ca", [(4, 4, 5), (5, 3)]),
    ("spaces", " i j , j k -> i k ", [(2, 3), (3, 4)]),
    ("nothing-summed", "ij,jk->ik", [(3, 0), (0, 4)]),
    ("empty", "ij,jk->ik", [(0, 3), (3, 4)]),
]
for i, (what, spec, shapes) in enumerate(SPECS):
    for dtype in ("f4", "i4")[:1 + i % 2]:
        einsum(f"{what}-{dtype}", spec, shapes, dtype)
EACH = ["bilinear-pooling", "scores", "tensor-fusion", "diagonal", "sum-middle", "outer", "dot", "product"]
for what, spec, shapes in [s for s in SPECS if s[0] in EACH]:
    for dtype in ("f8", "f2", "c8", "c16", "u1", "i8", "b1"):
        einsum(f"{what}-{dtype}", spec, shapes, dtype)
for types in (["u1", "f4", "i2"], ["f2", "f4", "f8"], ["i1", "u1", "b1"], ["b1", "c8", "i4"]):
    einsum("three-" + "-".join(types), "ij,jk,k->i", [(3, 4), (4, 5), (5,)], types)
for what, spec, shapes in [
    ("bilinear", "bn,anm,bm->ba", [(3, 5), (4, 5, 6), (3, 6)]), ("attention", "bhqd,bhkd->bhqk", [(2, 3, 5, 8), (2, 3, 7, 8)]),
    ("ellipsis", "...ij->...ji", [(2, 3, 4, 5)]), ("batched", "bij,bjk->bik", [(3, 2, 5), (3, 5, 4)]), ("outer", "i,j->ij", [(5,), (4,)]),
    ("tensor", "abcd,dcba->", [(2, 3, 4, 5), (5, 4, 3, 2)]),
]:
    for dtype in ("f4", "f8"):
        einsum(f"{what}-{dtype}", spec, shapes, dtype, "torch")

MATRICES = [
    ("matrices", [(5, 7), (7, 6)], []), ("vectors", [(7,), (7,)], []), ("row", [(7,), (7, 6)], []), ("column", [(5, 7), (7,)], []),
    ("row-by-batches", [(7,), (2, 3, 7, 6)], []), ("batches-by-column", [(2, 3, 5, 7), (7,)], []), ("batches", [(3, 5, 7), (3, 7, 6)], []),
    ("broadcast", [(2, 1, 5, 7), (3, 7, 6)], []), ("one-by-batches", [(5, 7), (2, 3, 7, 6)], []), ("many", [(17, 3, 2), (17, 2, 3)], []),
    ("long", [(2, 520), (520, 2)], []), ("nothing", [(3, 0), (0, 4)], []), ("none", [(0, 3), (3, 4)], []),
    ("transpose-a", [(7, 5), (7, 6)], ["--transpose-a"]), ("transpose-b", [(2, 5, 7), (2, 6, 7)], ["--transpose-b"]),
    ("transpose-both", [(3, 7, 5), (6, 7)], ["--transpose-a", "--transpose-b"]), ("wide", [(20, 3), (3, 40)], []),
]
for i, (what, shapes, flags) in enumerate(MATRICES):
    for dtype in ("f4", "i4", "b1", "f8", "f2", "c8", "u1")[:7 if i % 4 == 0 else 2]:
        matmul(f"{what}-{dtype}", shapes, dtype, flags)
for a, b in itertools.combinations(DTYPES, 2):
    matmul(f"pair-{a}-{b}", [(2, 3), (3, 2)], [a, b])
