"""concat of texts, dates, durations and records of unequal types, as numpy.concatenate of the files' arrays has it."""
import sys

import numpy as np

from golden import Golden, rng

g = Golden(sys.argv[1], f"numpy {np.__version__}")


def joined(name, *arrays, axis=0, join=np.concatenate):
    paths = [g.put(f"type_{name}_{i}", x) for i, x in enumerate(arrays)]
    loaded = [np.load(g.root / p) for p in paths]
    g.case(f"concat/numpy/type-{name}", ["concat", *paths, "--axis", str(axis)], join(loaded, axis=axis))


def into(*fields):
    """numpy.concatenate of records with sub-arrays to these fields: its own promotion of them corrupts the memory of NumPy 1.24."""
    def join(arrays, axis):
        out = np.zeros(sum(map(len, arrays)), list(fields))

        def fill(to, columns):
            for name in to.dtype.names or ():
                if to[name].dtype.names:
                    fill(to[name], [c[name] for c in columns])
                else:
                    to[name] = np.concatenate([c[name] for c in columns])
        fill(out, arrays)
        return out
    return join


def words(dtype, rows=2):
    pool = ["a", "", "bcd", "longer word", "x\0y"]
    return np.array([pool[i] for i in rng(str(dtype)).integers(0, len(pool), (rows, 3)).ravel()]).reshape(rows, 3).astype(dtype)


# ---- texts

for a in ("S3", "S7", "S1", "<U2", ">U2", "<U5", ">U9"):
    for b in ("S5", "<U4", ">U4"):
        joined(f"texts-{a.strip('<>')}{'b' if a[0] == '>' else ''}-{b.strip('<>')}{'b' if b[0] == '>' else ''}", words(a), words(b))
joined("texts-beyond", np.array(["\N{GREEK SMALL LETTER MU}", "\N{CRAB}", "a"], ">U1"), np.array(["\N{EURO SIGN}uro"]))
joined("texts-alone", words(">U3"))
joined("texts-three", words("S2"), words("<U3"), words("S9"), axis=1)
joined("texts-inner", words("S2", 4).reshape(4, 3, 1), words("S6", 8).reshape(4, 3, 2), axis=-1)
joined("texts-fortran", np.asfortranarray(words("S4", 6).reshape(3, 2, 3)), np.asfortranarray(words("<U2", 6).reshape(3, 2, 3)), axis=1)
joined("raw", np.frombuffer(b"abcdef", "V3"), np.frombuffer(b"ghi", "V3"))

# ---- dates and durations

def counts(dtype):
    n = rng(dtype).integers(-200, 200, 6)  # years of which ns have 64 bits: NumPy wraps those beyond
    n[2], n[3] = 0, np.iinfo("i8").min  # 1970 and NaT
    return n.astype("i8").view(dtype) if dtype[0] != ">" else n.astype(">i8").view(dtype)


UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"]
for kind in ("M8", "m8"):
    for i, u in enumerate(UNITS):
        for v in UNITS[i + 1:]:
            if kind == "m8" and u in ("Y", "M") and v not in ("Y", "M"):
                continue  # NumPy refuses it
            joined(f"{'dates' if kind == 'M8' else 'durations'}-{u}-{v}", counts(f"{kind}[{u}]"), counts(f"{kind}[{v}]"))
    for u, v in (("25s", "10s"), ("2W", "3D"), ("7ms", "3s"), ("90m", "2h")):
        joined(f"{'dates' if kind == 'M8' else 'durations'}-{u}-{v}", counts(f"{kind}[{u}]"), counts(f"{kind}[{v}]"))
joined("dates-3Y-7D", counts("M8[3Y]"), counts("M8[7D]"))
joined("dates-10us-M", counts("M8[10us]"), counts("M8[M]"))
joined("dates-2M-1W", counts("M8[2M]"), counts("M8[W]"))
joined("dates-orders", counts(">M8[s]"), counts("M8[ms]"))
joined("dates-big", counts(">M8[D]"), counts(">M8[D]"))
joined("dates-generic", np.array(["NaT", "NaT"], "M8"), counts("M8[D]"))
joined("durations-generic", np.array([5, -7], "m8"), counts("m8[25s]"))
centuries = np.array([f"{y}-{m:02}" for y in (1, 1582, 1600, 1900, 1999, 2000, 2100, 9999) for m in (1, 2, 3, 12)], "M8[M]")
joined("dates-centuries", centuries, np.array(["2000-02-29"], "M8[D]"))

# ---- records

def record(name, *fields, rows=3, align=False):
    t = np.dtype(list(fields), align=align)
    x = np.zeros(rows, t)
    r = rng(name)

    def fill(column):
        if column.dtype.names:
            for f in column.dtype.names:
                fill(column[f])
        elif column.dtype.kind in "SU":
            column[...] = np.array(["", "p", "qr"])[r.integers(0, 3, column.shape)]
        elif column.dtype.kind in "mM":
            column[...] = r.integers(-900, 900, column.shape).astype("i8").view(f"{column.dtype.kind}8[{np.datetime_data(column.dtype)[0]}]")
        else:
            column[...] = r.integers(0, 2 if column.dtype.kind == "b" else 100, column.shape)
    fill(x)
    return x


plain = record("plain", ("id", "<i2"), ("score", "<f4"), ("name", "S3"))
joined("records-wider", plain, record("wider", ("id", "<i4"), ("score", "<f8"), ("name", "U5")))
joined("records-orders", plain, record("orders", ("id", ">i2"), ("score", ">f4"), ("name", "S3")))
joined("records-big-alone", record("big alone", ("id", ">i8"), ("name", ">U2"), ("when", ">M8[s]"), ("z", ">c8")))
joined("records-same", plain, plain[::-1].copy())
joined("records-padded", record("padded", ("a", "i1"), ("b", "<f8"), ("c", "i1"), align=True), record("padded too", ("a", "i1"), ("b", "<f8"), ("c", "i1"), align=True))
joined("records-padded-wider", record("padded", ("a", "i1"), ("b", "<f8"), ("c", "i1"), align=True), record("unpadded", ("a", "<i2"), ("b", "<f4"), ("c", "?")))
joined("records-dates", record("dates", ("t", "M8[D]"), ("d", "m8[h]")), record("dates too", ("t", "M8[ms]"), ("d", "m8[25m]")))
joined("records-nested", record("nested", ("p", [("x", "S2"), ("y", "<i2")]), ("q", "?")), record("nested too", ("p", [("x", "U4"), ("y", ">f4")]), ("q", "i1")))
joined("records-arrays", record("arrays", ("v", "<i2", (2, 3)), ("w", "S2", (2,))), record("arrays too", ("v", "<f4", (2, 3)), ("w", "U5", (2,))), join=into(("v", "<f4", (2, 3)), ("w", "U5", (2,))))
joined("records-in-arrays", record("in arrays", ("v", [("a", "i1"), ("b", ">u2")], (2,))), record("in arrays too", ("v", [("a", "<f4"), ("b", "u1")], (2,))),
       join=into(("v", [("a", "<f4"), ("b", "<u2")], (2,))))
joined("records-titles", record("titles", (("Title", "a"), "i1"), ("b", "S1")), record("titles too", (("Title", "a"), "<u2"), ("b", "S4")))
joined("records-matrix", record("matrix", ("a", "<i2"), rows=6).reshape(2, 3), record("matrix too", ("a", "<i8"), rows=4).reshape(2, 2), axis=1)
