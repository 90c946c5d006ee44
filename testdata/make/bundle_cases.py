"""What torchvision's pyramid and modules on vectors beside maps compute, in float64: extra levels, every mode of crossmodal.

    python3 bundle_cases.py FOLDER
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden import EXACT, Golden, grid, rel

g = Golden(sys.argv[1], f"torch {torch.__version__}")
SUMS = rel(2e-5, "float32 sums against float64")
LAYOUTS = {"nchw": (0, 1, 2, 3), "nhwc": (0, 2, 3, 1)}


def values(name, shape):
    return grid(f"bundle {name}", shape, limit=1.0).astype("f4")


def f8(x):
    return torch.from_numpy(x.astype("f8"))


def f4(x):
    return x.numpy().astype("f4")


def maps(name, x):
    """The channels-first map x under each layout."""
    return {layout: g.put(f"bundle_{name}_{layout}", np.ascontiguousarray(x.transpose(perm))) for layout, perm in LAYOUTS.items()}


def both(name, args, want, tol=SUMS, out=None, by=""):
    """A case a layout; args may be what maps gave, and want a channels-first map."""
    for layout, perm in LAYOUTS.items():
        words = [a[layout] if isinstance(a, dict) else a for a in args]
        result = f4(want)
        g.case(f"{name}-{layout}", [*words, "--layout", layout], result.transpose(perm) if result.ndim == 4 else result, tol, by, out)


def extra_levels():
    """LastLevelP6P7(in, out) takes the coarsest input where in != out, even if the result has as many channels."""
    c2, c3 = values("c2", (1, 3, 8, 6)), values("c3", (1, 4, 4, 3))
    sizes = {"inner_blocks.0.0": (4, 3, 1, 1), "inner_blocks.1.0": (4, 4, 1, 1), "layer_blocks.0.0": (4, 4, 3, 3),
             "layer_blocks.1.0": (4, 4, 3, 3), "extra_blocks.p6": (2, 4, 3, 3), "extra_blocks.p7": (2, 2, 3, 3)}
    state = {f"{n}.weight": values(n, s) for n, s in sizes.items()} | {f"{n}.bias": values(f"{n} b", s[:1]) for n, s in sizes.items()}
    path = g.bundle("bundle_p6p7", state)
    levels = [maps("c2", c2), maps("c3", c3)]
    w = {n: f8(x) for n, x in state.items()}
    p6 = F.conv2d(f8(c3), w["extra_blocks.p6.weight"], w["extra_blocks.p6.bias"], stride=2, padding=1)
    p7 = F.conv2d(F.relu(p6), w["extra_blocks.p7.weight"], w["extra_blocks.p7.bias"], stride=2, padding=1)
    for level, want in ((4, p6), (5, p7)):
        both(f"fpn/torch/bundle-p6p7-other-channels-{level}", ["fpn", *levels, "--weights", path, "--extra", "p6p7", "--all", "-o", "{dir}/p{}.npy"],
             want, out=f"p{level}.npy", by="torchvision's LastLevelP6P7")


def vectors():
    """Vectors count for all positions whichever input they are, also where the batch is as large as a spatial extent."""
    for what, shape in (("square", (3, 4, 3, 3)), ("one", (1, 4, 2, 3))):
        x, q = values(f"map {what}", shape), values(f"vectors {what}", (3, 4))
        image, question = maps(f"map_{what}", x), g.put(f"bundle_vectors_{what}", q)
        m, v = f8(x), f8(q)[:, :, None, None]
        both(f"crossmodal/torch/vector-film-first-{what}", ["crossmodal", question, image, "--mode", "film", "--gamma", "none", "--beta", "none"], v * m + m)
        both(f"crossmodal/torch/vector-bilinear-first-{what}", ["crossmodal", question, image, "--mode", "bilinear"], v * m)
        both(f"crossmodal/torch/vector-third-{what}", ["crossmodal", image, image, question, "--mode", "add"], m + m + v)
        joined = torch.cat([m.expand(3, -1, -1, -1), v.expand(-1, -1, *shape[2:])], 1)
        for layout, perm in LAYOUTS.items():
            g.case(f"crossmodal/torch/vector-concat-{what}-{layout}",
                   ["crossmodal", image[layout], question, "--axis", str(perm.index(1)), "--layout", layout], f4(joined).transpose(perm), EXACT)
    regions, asked = f8(x := values("regions", (3, 4, 3, 3))).flatten(2).transpose(1, 2), values("asked", (3, 4))
    seen = (torch.softmax(f8(asked)[:, None] @ regions.transpose(1, 2), -1) @ regions)[:, 0]
    both("crossmodal/torch/vector-attention-first", ["crossmodal", g.put("bundle_asked", asked), maps("regions", x), "--mode", "attention"], seen)
    both("crossmodal/torch/vector-attention-second", ["crossmodal", maps("regions", x), g.put("bundle_asked", asked), "--mode", "attention"],
         f8(asked)[:, :, None, None].expand(-1, -1, 3, 3), by="one key has all the weight")


extra_levels()
vectors()
