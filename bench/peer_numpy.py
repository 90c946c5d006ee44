"""NumPy as a worker: see worker.py. OPENBLAS_NUM_THREADS says how many threads
its products have; its loops have one."""
import ctypes
import math

import numpy as np

import worker

rng = np.random.default_rng(0)


def openblas():
    """What the OpenBLAS in this process says of itself, or None without one."""
    np.ones((2, 2)) @ np.ones((2, 2))
    with open("/proc/self/maps") as maps:
        libraries = {line.split()[-1] for line in maps if "openblas" in line}
    for library in libraries:
        config = getattr(ctypes.CDLL(library), "openblas_get_config", None)
        if config:
            config.restype = ctypes.c_char_p
            return config().decode()
    return None


def normal(*shape, dtype="float32"):
    return rng.standard_normal(shape, dtype=dtype)


def matmul(w):
    a = normal(w["m"], w["k"], dtype=w["dtype"])
    b = normal(w["n"], w["k"], dtype=w["dtype"]).T if w["transposed"] else normal(w["k"], w["n"], dtype=w["dtype"])
    out = np.empty((w["m"], w["n"]), w["dtype"])
    return lambda: np.matmul(a, b, out=out)


def attend(q, k, v, scores, out):
    """softmax(q·kᵀ/√d)·v into out. The division by the softmax's sum comes
    last, where there is least to divide."""
    np.matmul(q * np.float32(1 / math.sqrt(q.shape[-1])), k.swapaxes(-1, -2), out=scores)
    np.subtract(scores, scores.max(-1, keepdims=True), out=scores)
    np.exp(scores, out=scores)
    np.matmul(scores, v, out=out)
    np.divide(out, scores.sum(-1, keepdims=True), out=out)


def attention(w):
    q, k, v = (normal(*w["shape"]) for _ in range(3))
    scores, out = np.empty((*q.shape[:-1], q.shape[-2]), "f4"), np.empty_like(q)
    return lambda: attend(q, k, v, scores, out)


def attention_proj(w):
    x, d = normal(*w["shape"]), w["shape"][-1]
    weights = [normal(d, d) / np.float32(math.sqrt(d)) for _ in range(3)]
    projected = [np.empty_like(x) for _ in range(3)]
    scores, out = np.empty((*x.shape[:-1], x.shape[-2]), "f4"), np.empty_like(x)

    def run():
        for weight, into in zip(weights, projected):
            np.matmul(x.reshape(-1, d), weight, out=into.reshape(-1, d))
        attend(*projected, scores, out)

    return run


def elementwise(ufunc, w):
    a, b = normal(w["count"]), normal(w["count"])
    out = np.empty_like(a)
    return lambda: ufunc(a, b, out=out)


def prepare(w):
    def reduction(name):
        return getattr(normal(w["count"]), name)

    makers = {
        "matmul": lambda: matmul(w),
        "attention": lambda: attention(w),
        "attention_proj": lambda: attention_proj(w),
        "add": lambda: elementwise(np.add, w),
        "mul": lambda: elementwise(np.multiply, w),
        "sum": lambda: reduction("sum"),
        "max": lambda: reduction("max"),
    }
    return {"": makers[w["op"]]()} if w["op"] in makers else {}


if __name__ == "__main__":
    blas = openblas()
    name = " ".join(blas.split()[:2]) if blas else "a BLAS that isn't OpenBLAS"
    worker.serve(f"NumPy {np.__version__} with {name}", prepare)
