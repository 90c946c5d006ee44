"""What use has found to be wrong or missing, as NumPy and PyTorch have it, computed in float64."""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden import EXACT, Golden, grid, rel

g = Golden(sys.argv[1], f"torch {torch.__version__}")
SUMS = rel(2e-5, "float32 sums against float64")


def f8(x):
    return torch.from_numpy(x.astype("f8"))


def f4(x):
    return x.numpy().astype("f4")


def both(name, args, want, maps, tol=SUMS, by=""):
    """A case under each layout; maps are the words of args that are channels-first maps, and the result is one."""
    for layout, perm in (("nchw", (0, 1, 2, 3)), ("nhwc", (0, 2, 3, 1))):
        words = [g.put(f"use_{a[0]}_{layout}", np.transpose(a[1], perm)) if isinstance(a, tuple) and a[0] in maps
                 else g.put(f"use_{a[0]}", a[1]) if isinstance(a, tuple) else a for a in args]
        result = f4(want)
        g.case(f"{name}-{layout}", [*words, "--layout", layout], np.transpose(result, perm) if result.ndim == 4 else result, tol, by)


# ---- fpn: torchvision's FeaturePyramidNetwork(..., norm_layer=BatchNorm2d) in eval mode

def block(fan_in, fan_out, size, bias, affine):
    return torch.nn.Sequential(torch.nn.Conv2d(fan_in, fan_out, size, padding=size // 2, bias=bias), torch.nn.BatchNorm2d(fan_out, affine=affine))


class Pyramid(torch.nn.Module):
    """The module's names and arithmetic."""

    def __init__(self, channels, out, bias, affine):
        super().__init__()
        self.inner_blocks = torch.nn.ModuleList([block(c, out, 1, bias, affine) for c in channels])
        self.layer_blocks = torch.nn.ModuleList([block(out, out, 3, bias, affine) for _ in channels])

    def forward(self, levels):
        fused = self.inner_blocks[-1](levels[-1])
        results = [self.layer_blocks[-1](fused)]
        for i in reversed(range(len(levels) - 1)):
            fused = self.inner_blocks[i](levels[i]) + F.interpolate(fused, size=levels[i].shape[-2:], mode="nearest")
            results.insert(0, self.layer_blocks[i](fused))
        return results


def fpn_cases():
    levels = [("fpn_c2", grid("use c2", (2, 3, 7, 6)).astype("f4")), ("fpn_c3", grid("use c3", (2, 4, 4, 3)).astype("f4"))]
    for what, bias, affine in (("norm", False, True), ("norm-bias", True, True), ("norm-plain", False, False)):
        net = Pyramid([3, 4], 5, bias, affine).eval()
        state = {}
        for name, x in net.state_dict().items():
            if x.is_floating_point():
                v = grid(f"use {name}", tuple(x.shape), limit=1.0)
                state[name] = (np.abs(v) + 0.05 if name.endswith("running_var") else v).astype("f4")
            else:
                state[name] = np.array(7)
        net.double().load_state_dict({n: torch.from_numpy(v) for n, v in state.items()})
        path = g.bundle(f"use_fpn_{what}", state)
        with torch.no_grad():
            want = net([f8(x) for _, x in levels])
        both(f"fpn/torch/{what}", ["fpn", *levels, "--weights", path], want[0], ["fpn_c2", "fpn_c3"], by="the module in eval mode, float64")


# ---- crossmodal: vectors count for all positions of a map or a sequence

def vector_cases():
    fuse = {"add": lambda x, v: x + v, "mul": lambda x, v: x * v, "gate": lambda x, v: x * torch.sigmoid(v)}
    for what, shape in (("square", (5, 3, 4, 5)), ("other", (2, 3, 4, 5))):
        image, question = grid(f"use image {what}", shape).astype("f4"), grid(f"use question {what}", shape[:2]).astype("f4")
        for mode, f in fuse.items():
            both(f"crossmodal/torch/vector-{mode}-{what}", ["crossmodal", (f"image_{what}", image), (f"question_{what}", question), "--mode", mode],
                 f(f8(image), f8(question)[:, :, None, None]), [f"image_{what}"])
        both(f"crossmodal/torch/vector-first-{what}", ["crossmodal", (f"question_{what}", question), (f"image_{what}", image), "--mode", "gate"],
             f8(question)[:, :, None, None] * torch.sigmoid(f8(image)), [f"image_{what}"])
    words, sentence = grid("use words", (4, 4, 4)).astype("f4"), grid("use sentence", (4, 4)).astype("f4")
    for mode, f in fuse.items():
        g.case(f"crossmodal/torch/vector-{mode}-sequence", ["crossmodal", g.put("use_words", words), g.put("use_sentence", sentence), "--mode", mode],
               f4(f(f8(words), f8(sentence)[:, None])), SUMS)


# ---- attention: what is hidden doesn't count, and masks broadcast as NumPy has it

def attention_cases():
    x = grid("use sequence", (2, 6, 8), 2.0**-6, 1.0).astype("f4")
    heads = f8(x).reshape(2, 6, 2, 4).transpose(1, 2)
    for what, shape in (("heads", (2, 6, 6)), ("batch", (2, 1, 6, 6)), ("keys", (2, 1, 1, 6))):
        mask = grid(f"use mask {what}", shape).astype("f4")
        weights = torch.softmax(heads @ heads.transpose(2, 3) + f8(mask), -1)
        g.case(f"attention/torch/mask-of-{what}", ["attention", g.put("use_sequence", x), "--heads", "2", "--mask", g.put(f"use_mask_{what}", mask)],
               f4((weights @ heads).transpose(1, 2).reshape(2, 6, 8)), SUMS)
    # Keys and values that are NaN or infinite and that no query, or not every one, sees.
    n = 300
    q, k, v = (grid(f"use {w}", (1, n, 4), 2.0**-6, 1.0).astype("f4") for w in "qkv")
    hidden = np.zeros((n, n), bool)
    hidden[:, 5] = hidden[:200, 299] = True
    causal = ~np.tril(np.ones((n, n), bool))
    for what, mask, flags in (("mask", hidden, ["--mask", g.put("use_hidden", ~hidden)]), ("causal", causal, ["--causal"])):
        kk, vv = k.copy(), v.copy()
        if what == "mask":
            kk[0, 5], vv[0, 5] = np.inf, np.nan
        vv[0, 299, 1:] = np.nan
        scores = f8(q)[0] @ f8(np.nan_to_num(kk, nan=0, posinf=0, neginf=0))[0].T
        weights = torch.softmax(scores.masked_fill(torch.from_numpy(mask), -torch.inf), -1)
        want = weights @ f8(np.nan_to_num(vv, nan=0, posinf=0, neginf=0))[0]
        seen = torch.from_numpy(~mask)[:, 299]
        want[seen, 1:] = torch.nan
        g.case(f"attention/torch/hidden-{what}", ["attention", "--query", g.put("use_q", q), "--key", g.put(f"use_k_{what}", kk), "--value",
               g.put(f"use_v_{what}", vv), *flags], f4(want[None]), SUMS)


# ---- resize: steps of 1/F, TensorFlow's border

def resize_cases():
    x = grid("use resize", (1, 2, 7, 10)).astype("f4")
    for scale in (1 / 3, 1.3, 2.5, 0.7, 1.8, 0.9999):
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic"):
            exact = {"tol": EXACT} if mode.startswith("nearest") else {}
            both(f"resize/torch/scale-{scale:.4g}-{mode}", ["resize", ("resize", x), "--scale", repr(scale), "--mode", mode],
                 F.interpolate(f8(x), scale_factor=scale, mode=mode), ["resize"], **exact)
            if mode == "bilinear":
                both(f"resize/torch/recompute-{scale:.4g}", ["resize", ("resize", x), "--scale", repr(scale), "--recompute-scale"],
                     F.interpolate(f8(x), scale_factor=scale, mode=mode, recompute_scale_factor=True), ["resize"])
    both("resize/torch/two-scales", ["resize", ("resize", x), "--scale", "1.3,0.7"],
         F.interpolate(f8(x), scale_factor=(1.3, 0.7), mode="bilinear"), ["resize"])


# ---- --dtype: what the result is rounded to, once

def dtype_cases():
    h = np.array([40000, 1, 0.5, 3], "f2").reshape(1, 2, 2, 1)
    u, v = np.array([200, 3, 255], "u1"), np.array([100, 4, 255], "u1")
    for name, args, want in (
        ("add-half", ["add", g.put("use_half", h), "in/use_half.npy", "--dtype", "float32"], np.add(h, h, dtype="f4")),
        ("mul-half", ["mul", "in/use_half.npy", "in/use_half.npy", "--dtype", "float32"], np.multiply(h, h, dtype="f4")),
        ("add-bytes", ["add", g.put("use_u", u), g.put("use_v", v), "--dtype", "int32"], np.add(u, v, dtype="i4")),
        ("mul-bytes", ["mul", "in/use_u.npy", "in/use_v.npy", "--dtype", "int32"], np.multiply(u, v, dtype="i4")),
        ("add-bytes-float", ["add", "in/use_u.npy", "in/use_v.npy", "--dtype", "float32"], np.add(u, v, dtype="f4")),
        ("gap-half", ["gap", "in/use_half.npy", "--dtype", "float32"], h.mean((1, 2), dtype="f8").astype("f4")),
        ("gap-double", ["gap", g.put("use_third", np.array([1, 2, 4], "f4").reshape(1, 3, 1, 1)), "--dtype", "float64"],
         np.array([[7 / 3]])),
        ("pool-half", ["pool", "in/use_half.npy", "--window", "2", "--mode", "average", "--dtype", "float32"],
         h.mean((1, 2), dtype="f8").astype("f4").reshape(1, 1, 1, 1)),
        ("linear-half", ["linear", "in/use_half.npy", "--weight", g.put("use_ten", np.full((1, 1), 10, "f2")), "--dtype", "float32"], h.astype("f4") * 10),
        ("conv-half", ["conv", "in/use_half.npy", "--weight", g.put("use_ten_conv", np.full((1, 1, 1, 1), 10, "f2")), "--dtype", "float32"], h.astype("f4") * 10),
        ("crossmodal-half", ["crossmodal", "in/use_half.npy", "in/use_half.npy", "--mode", "add", "--dtype", "float32"], np.add(h, h, dtype="f4")),
        ("attention-half", ["attention", g.put("use_one", np.full((1, 1, 1), 1.001, "f2")), "--residual", "--dtype", "float32"],
         np.full((1, 1, 1), 2 * np.float32(np.float16(1.001)), "f4")),
    ):
        g.case(f"{args[0]}/numpy/dtype-{name}", args, want, EXACT, f"numpy {np.__version__}")


fpn_cases()
vector_cases()
attention_cases()
resize_cases()
dtype_cases()
