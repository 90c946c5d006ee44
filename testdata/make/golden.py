"""What every Python generator shares: seeded values on a grid, and writing arrays and cases.

A generator is called with the folder to fill. Inputs go to in/, wanted outputs to want/COMMAND/, and a line a case is
appended to cases.jsonl. A wanted array whose bytes the same generator has already written for that command is not
written twice. pack.py makes archives of the folder.
"""
import hashlib
import json
import pathlib
import zlib

import numpy as np

# One name a dtype, as in NumPy's type strings.
DTYPES = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
FLOATS = ["f4", "f8", "f2"]

EXACT = {"kind": "exact"}


def ulp(n, why):
    return {"kind": "ulp", "n": n, "why": why}


def rel(x, why):
    return {"kind": "rel", "x": x, "why": why}


def code(dtype):
    """The short name of a dtype: f4, b1, c16."""
    return np.dtype(dtype).str[1:]


def rng(name):
    """A generator that depends on the name alone, so that adding a case changes no other."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def grid(name, shape, step=2.0**-10, limit=4.0):
    """Float64 multiples of step in [-limit, limit]: short enough mantissas make sums and products exact where wanted."""
    top = int(limit / step)
    return rng(name).integers(-top, top + 1, shape) * step


def typical(name, shape, dtype):
    """Full-precision values over the dtype's ordinary range: what a feature map of that type holds."""
    dtype, r = np.dtype(dtype), rng(name)
    if dtype.kind == "b":
        return r.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return r.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    if dtype.kind == "c":
        return (r.normal(size=shape) + 1j * r.normal(size=shape)).astype(dtype)
    return r.normal(size=shape).astype(dtype)


def edges(dtype):
    """Two arrays of 8 elements whose sums and products wrap, overflow, lose bits, or meet inf, nan, -0 and subnormals.

    Complex values are short, so that a complex product is the same with and without fused multiply-add.
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        x, y = [1, 0, 1, 0, 1, 1, 0, 0], [1, 1, 0, 0, 1, 0, 1, 0]
    elif dtype.kind in "iu":
        info = np.iinfo(dtype)
        lo, hi, half = info.min, info.max, info.max // 2
        minus = -1 if lo else hi
        x = [hi, lo, minus, 0, 3, half + 7, 1, hi - 1]
        y = [1, minus, lo, 7, hi, half + 9, lo, hi]
    elif dtype.kind == "f":
        info = np.finfo(dtype)
        x = [1.5, -0.0, np.inf, -np.inf, np.nan, info.max, info.smallest_subnormal, 1 + info.eps]
        y = [-2.25, -0.0, 1, np.inf, 2, info.max, 0.75, 1 + info.eps]
    else:
        x = [1.5 - 2j, -0.0 + 3j, complex(np.inf, 1), complex(np.nan, 1), 0j, 0.25 + 0.5j, -3 - 1j, 100 + 7j]
        y = [-2.25 + 1j, 1 - 0.5j, 2 - 1j, 3j, -1 + 0j, 8 - 4j, complex(1, -np.inf), 0.5 - 100j]
    return np.array(x, dtype), np.array(y, dtype)


def dims(shape):
    """A shape in a file name: 2x3x4, or 'scalar'."""
    return "x".join(map(str, shape)) or "scalar"


class Golden:
    def __init__(self, root, by):
        self.root = pathlib.Path(root)
        self.by = by
        self.digests = {}
        self.names = set()
        self.lines = open(self.root / "cases.jsonl", "a", encoding="utf-8")

    def put(self, name, array, version=None):
        """Writes an input once and gives its path; a second array of that name must be the same."""
        return self._once(f"in/{name}.npy", lambda file: self._save(file, array, version))

    def bundle(self, name, arrays, compressed=False):
        """Writes an .npz of the arrays likewise. Its bytes are reproducible: NumPy dates every member 1980-01-01."""
        save = np.savez_compressed if compressed else np.savez

        def write(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            save(file, **arrays)
        return self._once(f"in/{name}.npz", write)

    def _once(self, path, write):
        file = self.root / path
        old = file.read_bytes() if file.exists() else None
        write(file)
        if old is not None and file.read_bytes() != old:
            raise ValueError(f"two different inputs are called {path}")
        return path

    def case(self, name, args, want, tol=EXACT, by="", out=None):
        """Adds the case COMMAND/FRAMEWORK/WHAT. The wanted array is in C order and native bytes, as fusectl writes.

        Where the arguments themselves say where outputs go, in {dir}, out names the file to compare.
        """
        if name in self.names:
            raise ValueError(f"two cases are called {name}")
        self.names.add(name)
        want = np.asarray(want)
        if want.dtype.fields is None:
            want = want.astype(want.dtype.newbyteorder("="))
        path = self._want(name, np.ascontiguousarray(want).reshape(want.shape))
        line = {"name": name, "args": [str(a) for a in args], **({"out": out} if out else {}), "want": path, "tol": tol,
                "by": f"{self.by}: {by}"}
        self.lines.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    def _want(self, name, array):
        command, framework, what = name.split("/")
        path = f"want/{command}/{framework}-{what}.npy"
        self._save(self.root / path, array, None)
        digest = command, hashlib.sha256((self.root / path).read_bytes()).digest()
        if digest in self.digests:
            (self.root / path).unlink()
        return self.digests.setdefault(digest, path)

    @staticmethod
    def _save(file, array, version):
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "wb") as out:
            if version:
                np.lib.format.write_array(out, array, version=version, allow_pickle=False)
            else:
                np.save(out, array, allow_pickle=False)
