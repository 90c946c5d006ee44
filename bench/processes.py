"""Whole processes that compute: fusectl beside Python with PyTorch or NumPy.

Each loads .npy files, computes, saves its result and exits, in turn with the
others, as in files.py; before they are timed, their results are compared.
Ratios are the peer's time over fusectl's, so that above 1 fusectl is faster.
All feature maps are channels last but that of the row nchw: PyTorch takes them
as they lie, since its own channels-last order is the same in memory. Weights
are PyTorch's. Peak memory is fusectl's, as in files.py.

    python3 bench/processes.py [--rounds N] [--dir DIR] [--only REGEX]
"""
import argparse
import dataclasses
import glob
import os
import re
import statistics
import subprocess
import tempfile

from measure import FUSECTL, fresh, interleave, python, ratios, spread

MAKE = """
import numpy as np
rng = np.random.default_rng(0)
normal = lambda *shape, by=1: rng.standard_normal(shape, dtype=np.float32) / np.float32(by**0.5)
kernel = lambda out, c, k: normal(out, c, k, k, by=c*k*k)
arrays = {
    **{name: normal(1, 1, 4096, 128) for name in 'qkv'},
    'x': normal(1, 64, 64, 128), **{name: normal(128, 128, by=128) for name in ('wq', 'wk', 'wv')},
    'map': normal(1, 100, 100, 256), 'nchw': normal(1, 256, 100, 100), 'k3': kernel(256, 256, 3),
    'maps': normal(4, 64, 64, 256), 'k1': kernel(256, 256, 1),
    'rows': normal(4096, 256), 'w': normal(256, 256, by=256),
    'c2': normal(1, 100, 100, 256), 'c3': normal(1, 50, 50, 256), 'c4': normal(1, 25, 25, 256),
}
for name, array in arrays.items():
    np.save(name + '.npy', array)
weights = {}
for i in range(3):
    for block, k in ('inner_blocks', 1), ('layer_blocks', 3):
        weights[f'{block}.{i}.0.weight'], weights[f'{block}.{i}.0.bias'] = kernel(256, 256, k), normal(256)
np.savez('fpn.npz', **weights)
"""

TORCH = """
import numpy as np, torch, torch.nn.functional as F
torch.set_grad_enabled(False)
load = lambda name: torch.from_numpy(np.load(name + '.npy'))
save = lambda name, x: np.save(name + '.npy', x.numpy())
first, last = lambda x: x.permute(0, 3, 1, 2), lambda x: x.permute(0, 2, 3, 1)
"""

NUMPY = """
import numpy as np
load = lambda name: np.load(name + '.npy')
save = lambda name, x: np.save(name + '.npy', x)
def attend(q, k, v):
    scores = q * 128**-0.5 @ k.swapaxes(-1, -2)
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    return scores @ v / scores.sum(-1, keepdims=True)
"""

TORCH_FPN = """
w = {name: torch.from_numpy(a) for name, a in np.load('fpn.npz').items()}
conv = lambda x, block, i, pad: F.conv2d(x, w[f'{block}.{i}.0.weight'], w[f'{block}.{i}.0.bias'], padding=pad)
fused = None
for i in 2, 1, 0:
    lateral = conv(first(load(f'c{i+2}')), 'inner_blocks', i, 0)
    fused = lateral if fused is None else lateral + F.interpolate(fused, size=lateral.shape[2:], mode='nearest')
    save(f'out{i+2}', last(conv(fused, 'layer_blocks', i, 1)))
"""


@dataclasses.dataclass
class Work:
    name: str
    fusectl: str
    torch: str
    numpy: str = None


WORKS = [
    Work("attention [1,1,4096,128]", "attention --query q.npy --key k.npy --value v.npy --scale auto -o out.npy",
         "q, k, v = map(load, 'qkv'); save('out', torch.softmax(q * 128**-0.5 @ k.transpose(-1, -2), -1) @ v)",
         "save('out', attend(*map(load, 'qkv')))"),
    Work("attention [1,64,64,128], three projections",
         "attention x.npy --wq wq.npy --wk wk.npy --wv wv.npy --weight-layout torch --scale auto -o out.npy",
         "x = load('x'); q, k, v = (x @ load('w' + c).t() for c in 'qkv')\n"
         "save('out', torch.softmax(q * 128**-0.5 @ k.transpose(-1, -2), -1) @ v)",
         "x = load('x'); save('out', attend(*(x @ load('w' + c).T for c in 'qkv')))"),
    Work("conv 3x3, [1,100,100,256]", "conv map.npy --weight k3.npy --weight-layout torch --padding 1 -o out.npy",
         "save('out', last(F.conv2d(first(load('map')), load('k3'), padding=1)))"),
    Work("conv 3x3, [1,256,100,100], nchw", "conv nchw.npy --weight k3.npy --layout nchw --padding 1 -o out.npy",
         "save('out', F.conv2d(load('nchw'), load('k3'), padding=1))"),
    Work("conv 1x1, [4,64,64,256]", "conv maps.npy --weight k1.npy --weight-layout torch -o out.npy",
         "save('out', last(F.conv2d(first(load('maps')), load('k1'))))"),
    Work("linear [4096,256], 256 to 256", "linear rows.npy --weight w.npy --weight-layout torch -o out.npy",
         "save('out', load('rows') @ load('w').t())", "save('out', load('rows') @ load('w').T)"),
    Work("fpn [1,100,100,256], [1,50,50,256], [1,25,25,256]",
         "fpn c2.npy c3.npy c4.npy --weights fpn.npz --upsample nearest --all -o out{}.npy", TORCH_FPN),
]


def peers_of(work):
    """{name: command line}"""
    lines = {"PyTorch": python(TORCH + work.torch)}
    if work.numpy:
        lines["NumPy"] = python(NUMPY + work.numpy)
    return lines


def compare(ours, peers):
    """Ends the program if a peer's results aren't fusectl's."""
    fresh(ours)
    outs = glob.glob("out*.npy")
    for out in outs:
        os.rename(out, "our-" + out)
    for argv in peers.values():
        fresh(argv)
        for out in outs:
            diff = [ours[0], "diff", "our-" + out, out, "--rtol", "1e-3", "--atol", "1e-4"]
            subprocess.run(diff, check=True, stdout=subprocess.DEVNULL)


def measure(work, rounds):
    """A row of the table."""
    ours, peers = [FUSECTL, *work.fusectl.split()], peers_of(work)
    compare(ours, peers)
    lines = {"fusectl": ours, **peers}
    runs = interleave({name: lambda argv=argv: fresh(argv) for name, argv in lines.items()}, rounds)
    seconds = {name: [s for s, _ in of] for name, of in runs.items()}
    faster = [spread(ratios(seconds[peer], seconds["fusectl"])) if peer in peers else "–" for peer in ("PyTorch", "NumPy")]
    ms, peak = 1000 * statistics.median(seconds["fusectl"]), max(mib for _, mib in runs["fusectl"])
    return f"| {work.name} | {' | '.join(faster)} | {ms:.0f} | {peak:.1f} |"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--dir", default=None, help="where the files go; default a new temporary folder")
    p.add_argument("--only", type=re.compile, default="", metavar="REGEX", help="works whose name has a match")
    o = p.parse_args()
    print(f"\nWhole processes, {os.cpu_count()} cores, {o.rounds} rounds\n")
    print("| work | PyTorch | NumPy | ms | peak MiB |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="fusectl-bench-", dir=o.dir) as folder:
        os.chdir(folder)
        subprocess.run(python(MAKE), check=True)
        for work in WORKS:
            if o.only.search(work.name):
                print(measure(work, o.rounds), flush=True)


if __name__ == "__main__":
    main()
