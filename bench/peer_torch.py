"""PyTorch as a worker, see worker.py: python3 peer_torch.py THREADS"""
import math
import sys

import torch
import torch.nn.functional as F

import worker


def matmul(w):
    dtype = getattr(torch, w["dtype"])
    a = torch.randn(w["m"], w["k"], dtype=dtype)
    b = torch.randn(w["n"], w["k"], dtype=dtype).t() if w["transposed"] else torch.randn(w["k"], w["n"], dtype=dtype)
    out = torch.empty(w["m"], w["n"], dtype=dtype)
    return {"": lambda: torch.mm(a, b, out=out)}


def attend(q, k, v, scores, weights, out):
    """softmax(q·kᵀ/√d)·v of [B,N,d] into out."""
    torch.baddbmm(scores, q, k.transpose(1, 2), beta=0, alpha=1 / math.sqrt(q.shape[-1]), out=scores)
    torch.softmax(scores, -1, out=weights)
    torch.bmm(weights, v, out=out)


def attention_buffers(batch, n, d):
    return torch.empty(batch, n, n), torch.empty(batch, n, n), torch.empty(batch, n, d)


def attention(w):
    batch, heads, n, d = w["shape"]
    q, k, v = (torch.randn(batch * heads, n, d) for _ in range(3))
    buffers = attention_buffers(batch * heads, n, d)
    return {"": lambda: attend(q, k, v, *buffers)}


def attention_proj(w):
    *batch, n, d = w["shape"]
    batch = math.prod(batch)
    x = torch.randn(batch * n, d)
    weights = [torch.randn(d, d) / math.sqrt(d) for _ in range(3)]
    projected = [torch.empty(batch * n, d) for _ in range(3)]
    buffers = attention_buffers(batch, n, d)

    def run():
        for weight, into in zip(weights, projected):
            torch.mm(x, weight, out=into)
        attend(*(p.view(batch, n, d) for p in projected), *buffers)

    return {"": run}


def both_orders(apply, *arrays):
    """apply on arrays in PyTorch's order in memory, and with channels last."""
    def ordered(order):
        mine = [a.contiguous(memory_format=order) for a in arrays]
        return lambda: apply(*mine)

    return {"nchw": ordered(torch.contiguous_format), "channels last": ordered(torch.channels_last)}


def conv(w):
    n, height, width, c = w["shape"]
    k = w["kernel"]
    weight = torch.randn(c, c, k, k) / math.sqrt(c * k * k)
    return both_orders(lambda x, weight: F.conv2d(x, weight, padding=k // 2), torch.randn(n, c, height, width), weight)


def resize(w):
    n, height, width, c = w["shape"]
    double = lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return both_orders(double, torch.randn(n, c, height, width))


def elementwise(function, w):
    a, b, out = (torch.randn(w["count"]) for _ in range(3))
    return {"": lambda: function(a, b, out=out)}


def prepare(w):
    def reduction(name):
        return {"": getattr(torch.randn(w["count"]), name)}

    makers = {
        "matmul": lambda: matmul(w),
        "attention": lambda: attention(w),
        "attention_proj": lambda: attention_proj(w),
        "conv": lambda: conv(w),
        "resize": lambda: resize(w),
        "add": lambda: elementwise(torch.add, w),
        "mul": lambda: elementwise(torch.mul, w),
        "sum": lambda: reduction("sum"),
        "max": lambda: reduction("max"),
    }
    return makers[w["op"]]() if w["op"] in makers else {}


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    with torch.no_grad():
        worker.serve(f"PyTorch {torch.__version__}", prepare)
