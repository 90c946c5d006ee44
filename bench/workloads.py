"""What the kernels are measured on: one list for fusectl and all its peers.

A workload's spec is what the workers are sent, as JSON. All numbers are
standard-normal, weights divided by the square root of what they sum over.

    peak            the multiply-add peak of the cores: fusectl alone
    matmul          [m,k] by [k,n], or by [n,k] transposed
    attention       softmax(q·kᵀ/√d)·v of three arrays [B,H,N,d]
    attention_proj  the same of x·wq, x·wk and x·wv, three [d,d] matrices,
                    over the last two axes of x
    conv            a feature map [N,H,W,C], kernel by kernel, to as many channels
                    as it has, with zeros around it; layout is fusectl's, the
                    peers take the one that is faster for them
    add, mul        two arrays of count numbers into a third
    sum, max        of count numbers
    resize          bilinear, to twice the height and width of [N,H,W,C]
"""
import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Workload:
    """A spec, and the arithmetic (flops) or traffic (bytes) that a run takes."""

    name: str
    spec: dict
    flops: float = 0
    bytes: float = 0
    threads: tuple = (1, 2)

    def peak(self):
        """The multiply-add peak that a run can be held against."""
        return peak(self.spec.get("dtype", "float32"))

    def speed(self, ms):
        """What a run of ms milliseconds achieves, with its unit."""
        if self.flops:
            return f"{self.flops / ms / 1e6:.4g} GFLOP/s"
        return f"{self.bytes / ms / 1e6:.4g} GB/s"


IN_L2 = 64 * 2**10
IN_MEMORY = 256 * 2**20


def peak(dtype):
    flops = 2e9
    return Workload(f"peak, {dtype}", {"op": "peak", "dtype": dtype, "flops": flops}, flops=flops)


def matmul(m, k, n, transposed=False, dtype="float32"):
    by = f"[{n},{k}]ᵀ" if transposed else f"[{k},{n}]"
    name = f"matmul [{m},{k}]·{by}" + (f", {dtype}" if dtype != "float32" else "")
    spec = {"op": "matmul", "m": m, "k": k, "n": n, "transposed": transposed, "dtype": dtype}
    return Workload(name, spec, flops=2 * m * k * n)


def attention(*shape):
    batch, heads, n, d = shape
    return Workload(f"attention {list(shape)}", {"op": "attention", "shape": shape}, flops=4 * batch * heads * n * n * d)


def attention_proj(*shape):
    *batch, n, d = shape
    flops = math.prod(batch) * (4 * n * n * d + 3 * 2 * n * d * d)
    return Workload(f"attention_proj {list(shape)}", {"op": "attention_proj", "shape": shape}, flops=flops)


def conv(kernel, shape, layout):
    spec = {"op": "conv", "shape": shape, "kernel": kernel, "layout": layout}
    flops = 2 * math.prod(shape) * shape[-1] * kernel * kernel
    return Workload(f"conv{kernel}x{kernel} {list(shape)}, {layout}", spec, flops=flops)


def loop(op, size):
    """A loop over float32 operands of size bytes. One that stays in L2 is too
    short to be shared by threads."""
    arrays = 3 if op in ("add", "mul") else 1
    place, threads = ("in L2", (1,)) if size == IN_L2 else ("from memory", (1, 2))
    return Workload(f"{op}, {place}", {"op": op, "count": size // 4}, bytes=arrays * size, threads=threads)


def resize(*shape):
    return Workload(f"bilinear 2x {list(shape)}", {"op": "resize", "shape": shape}, bytes=5 * 4 * math.prod(shape))


WORKLOADS = [
    peak("float32"),
    peak("float64"),
    matmul(1024, 1024, 1024),
    matmul(1024, 1024, 1024, dtype="float64"),
    matmul(4096, 128, 4096, transposed=True),
    matmul(4096, 4096, 128),
    matmul(4096, 256, 256),
    matmul(4096, 1, 1024),
    matmul(1, 1024, 1024),
    matmul(4096, 8, 1024),
    matmul(8, 1024, 1024),
    matmul(4096, 1024, 8),
    attention(1, 1, 4096, 128),
    attention(1, 8, 1024, 64),
    attention(1, 16, 4096, 64),
    attention(64, 1, 64, 128),
    attention_proj(1, 64, 64, 128),
    conv(3, (1, 100, 100, 256), "nhwc"),
    conv(3, (1, 100, 100, 256), "nchw"),
    conv(1, (4, 64, 64, 256), "nhwc"),
    conv(1, (4, 64, 64, 256), "nchw"),
    *[loop(op, size) for op in ("add", "mul", "sum", "max") for size in (IN_L2, IN_MEMORY)],
    resize(1, 64, 64, 64),
]
