"""How far results in float32 are from the same in float64: fusectl's, PyTorch's,
NumPy's and ONNX Runtime's, of the same inputs.

The table shows the largest error of an element, relative to the largest result.

    python3 bench/accuracy.py [--cpu LEVEL]
"""
import argparse
import dataclasses
import json
import os
import subprocess
import tempfile
from typing import Callable

from measure import FUSECTL, HERE  # before NumPy, which reads the environment

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(0)


def normal(*shape, by=1):
    return rng.standard_normal(shape, dtype=np.float32) / np.float32(by**0.5)


def attend(scale, q, k, v):
    """softmax(q·kᵀ·scale)·v, by NumPy, in the dtype of its arrays."""
    scores = q @ k.swapaxes(-1, -2) * q.dtype.type(scale)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights @ v / weights.sum(-1, keepdims=True)


def convolve(x, w):
    """The convolution of [N,C,H,W] with [out,C,k,k] and zeros around, by NumPy:
    a product for each position of the kernel."""
    k = w.shape[-1]
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    out = 0
    for i in range(k):
        for j in range(k):
            out = out + np.tensordot(w[:, :, i, j], padded[:, :, i:i + height, j:j + width], (1, 1))
    return out.swapaxes(0, 1)


@dataclasses.dataclass
class Case:
    """A computation: its arrays by name, as NumPy and PyTorch take them and as
    fusectl and ONNX Runtime find them in files; spec and form are those of
    onnx_graphs.js."""

    name: str
    arrays: dict
    numpy: Callable
    torch: Callable
    fusectl: str
    spec: dict
    form: str = ""


def linear(m, k, n):
    arrays = {"a": normal(m, k), "b": normal(k, n, by=k)}
    return Case(f"linear [{m},{k}], {k} to {n}", arrays, np.matmul, torch.matmul, "linear a.npy --weight b.npy",
                {"op": "matmul", "m": m, "k": k, "n": n})


def attention(*shape, scaled=True):
    arrays = {name: normal(*shape) for name in "qkv"}
    scale = shape[-1]**-0.5 if scaled else 1
    return Case(f"attention {list(shape)}" + ("" if scaled else ", unscaled"), arrays,
                lambda q, k, v: attend(scale, q, k, v),
                lambda q, k, v: torch.softmax(q @ k.transpose(-1, -2) * scale, -1) @ v,
                f"attention --query q.npy --key k.npy --value v.npy --scale {'auto' if scaled else 'none'}",
                {"op": "attention", "shape": shape, "scale": scale}, "MatMul-Softmax-MatMul")


def conv(n, c, height, width, kernel):
    arrays = {"x": normal(n, c, height, width), "w": normal(c, c, kernel, kernel, by=c * kernel * kernel)}
    return Case(f"conv {kernel}x{kernel}, [{n},{c},{height},{width}]", arrays, convolve,
                lambda x, w: F.conv2d(x, w, padding=kernel // 2),
                f"conv x.npy --weight w.npy --layout nchw --padding {kernel // 2}",
                {"op": "conv", "shape": (n, height, width, c), "kernel": kernel})


def cases():
    yield linear(4096, 256, 256)
    yield linear(1024, 4096, 1024)
    yield attention(1, 1, 4096, 128)
    yield attention(1, 1, 4096, 128, scaled=False)
    yield attention(1, 8, 1024, 64)
    yield conv(1, 256, 100, 100, 3)
    yield conv(1, 256, 100, 100, 1)


def by_fusectl(case, cpu):
    for name, array in case.arrays.items():
        np.save(name + ".npy", array)
    argv = [FUSECTL, *case.fusectl.split(), "-o", "y.npy"]
    subprocess.run(argv, env=dict(os.environ, FUSECTL_CPU=cpu), check=True)
    return np.load("y.npy")


def by_onnx(case):
    for name, array in case.arrays.items():
        array.tofile(name + ".f32")
    subprocess.run(["node", os.path.join(HERE, "compute_onnx.js"), json.dumps(case.spec), case.form], check=True)
    return np.fromfile("y.f32", "f4")


def errors(case, cpu):
    """Largest errors, relative to the largest result, in the table's order."""
    exact = case.numpy(*(a.astype(np.float64) for a in case.arrays.values()))
    results = [
        by_fusectl(case, cpu),
        case.torch(*map(torch.from_numpy, case.arrays.values())).numpy(),
        case.numpy(*case.arrays.values()),
        by_onnx(case),
    ]
    return [np.abs(r.reshape(exact.shape) - exact).max() / np.abs(exact).max() for r in results]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--cpu", default=os.environ.get("FUSECTL_CPU", ""), metavar="LEVEL", help="lowers fusectl's instruction set: avx2, generic")
    o = p.parse_args()
    print("\n| largest error | fusectl | PyTorch | NumPy | ONNX Runtime |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="fusectl-bench-") as folder:
        os.chdir(folder)
        for case in cases():
            print(f"| {case.name} | {' | '.join(f'{e:.1e}' for e in errors(case, o.cpu))} |", flush=True)


if __name__ == "__main__":
    main()
