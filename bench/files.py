"""Whole processes on 256 MiB files: fusectl beside cp, cat and NumPy.

Each work is timed as a whole process, from start to exit, in turn with its
peers (A B C A B C ...), after one round that isn't counted and with dirty
pages written back before each run. Ratios are taken round by round; the table
shows medians, and in brackets the lowest and highest round. Peak memory is the
largest resident set of fusectl's runs; the system counts that of the Python
which starts them, some 10 MiB, in, so it shows none smaller.

    python3 bench/files.py [--rounds N] [--dir DIR] [--mib N]
"""
import argparse
import os
import statistics
import subprocess
import tempfile

from measure import FUSECTL, fresh, interleave, python, ratios, run, spread

NUMPY = "import numpy as np; "

# The inputs are made by another process, since this one's memory would count.
MAKE = NUMPY + """
rng = np.random.default_rng(0)
for names, shape in [('ab', (16, 256, %d, 64)), ('v', (1, 1, 1, 64)), ('st', (1, 64, 64, 64))]:
    for name in names:
        np.save(name + '.npy', rng.standard_normal(shape, dtype=np.float32))
a = np.load('a.npy')
np.save('w.npy', np.linspace(0.5, 2, 64, dtype='f4'))
np.save('half.npy', a.astype('f2'))
np.save('big.npy', a.astype('>f4'))
np.save('quarter.npy', a[:4])
print(np.__version__)
"""

WINDOWS = "n (h p) (w q) c -> (n h w) (p q) c"  # a word of its own, for all its spaces


def works():
    """(name, fusectl's arguments, the peer that copies, NumPy's one-liner; "": NumPy has none)."""
    copied = ["cp", "a.npy", "out.npy"]
    read = ["cat", "a.npy"]
    half = ["head", "-c", str(os.path.getsize("a.npy") // 2), "a.npy"]
    save = "np.save('out.npy', %s)"
    return [
        ("add", "add a.npy b.npy -o out.npy", copied, save % "np.load('a.npy')+np.load('b.npy')"),
        ("mul", "mul a.npy b.npy -o out.npy", copied, save % "np.load('a.npy')*np.load('b.npy')"),
        ("mul by [1,1,1,C]", "mul a.npy v.npy -o out.npy", copied, save % "np.load('a.npy')*np.load('v.npy')"),
        ("concat, axis 0", "concat a.npy b.npy --axis 0 -o out.npy", ["cat", "a.npy", "b.npy"], save % "np.concatenate([np.load('a.npy'),np.load('b.npy')],0)"),
        ("concat, axis -1", "concat a.npy b.npy -o out.npy", ["cat", "a.npy", "b.npy"], save % "np.concatenate([np.load('a.npy'),np.load('b.npy')],-1)"),
        ("crossmodal concat", "crossmodal a.npy b.npy -o out.npy", ["cat", "a.npy", "b.npy"], save % "np.concatenate([np.load('a.npy'),np.load('b.npy')],1)"),
        ("crossmodal add", "crossmodal a.npy b.npy --mode add -o out.npy", copied, save % "np.load('a.npy')+np.load('b.npy')"),
        ("crossmodal mul", "crossmodal a.npy b.npy --mode mul -o out.npy", copied, save % "np.load('a.npy')*np.load('b.npy')"),
        ("gap", "gap a.npy -o out.npy", read, save % "np.load('a.npy').mean((1,2))"),
        ("gmp", "gmp a.npy -o out.npy", read, save % "np.load('a.npy').max((1,2))"),
        ("weighted add", "add a.npy b.npy --coef 0.5,0.25 -o out.npy", copied, save % "np.float32(0.5)*np.load('a.npy')+np.float32(0.25)*np.load('b.npy')"),
        ("relu", "act a.npy --activation relu -o out.npy", copied, save % "np.maximum(np.load('a.npy'),0)"),
        ("sigmoid", "act a.npy --activation sigmoid -o out.npy", copied, save % "1/(1+np.exp(-np.load('a.npy')))"),
        ("gelu", "act a.npy --activation gelu -o out.npy", copied, ""),
        ("softmax of 64 channels", "act a.npy --activation softmax -o out.npy", copied, ""),
        ("sub", "sub a.npy b.npy -o out.npy", copied, save % "np.load('a.npy')-np.load('b.npy')"),
        ("maximum", "maximum a.npy b.npy -o out.npy", copied, save % "np.maximum(np.load('a.npy'),np.load('b.npy'))"),
        ("average of two", "average a.npy b.npy -o out.npy", copied, save % "(np.load('a.npy')+np.load('b.npy'))/2"),
        ("square root by pow", "pow a.npy 0.5 -o out.npy", copied, save % "np.load('a.npy')**np.float32(0.5)"),
        ("leaky-relu", "act a.npy --activation leaky-relu -o out.npy", copied, ""),
        ("elu", "act a.npy --activation elu -o out.npy", copied, ""),
        ("gelu-tanh", "act a.npy --activation gelu-tanh -o out.npy", copied, ""),
        ("swiglu", "act a.npy --activation swiglu -o out.npy", copied, ""),
        ("layer norm of 64 features", "norm a.npy --kind layer --weight w.npy --bias w.npy -o out.npy", copied, ""),
        ("rms norm of 64 features", "norm a.npy --kind rms --weight w.npy -o out.npy", copied, ""),
        ("batch norm", "norm a.npy --kind batch --mean w.npy --variance w.npy -o out.npy", copied, ""),
        ("group norm, 32 groups", "norm a.npy --kind group --groups 32 -o out.npy", copied, ""),
        ("reduce sum", "reduce a.npy --op sum -o out.npy", read, save % "np.load('a.npy').sum()"),
        ("reduce var, axes 1,2", "reduce a.npy --op var --axes 1,2 -o out.npy", read, save % "np.load('a.npy').var((1,2))"),
        ("reduce l2, axis -1", "reduce a.npy --op l2 --axes -1 -o out.npy", read, save % "np.linalg.norm(np.load('a.npy'),axis=-1)"),
        ("reduce argmax, axis -1", "reduce a.npy --op argmax --axes -1 -o out.npy", read, save % "np.load('a.npy').argmax(-1)"),
        ("index [..., :32]", "convert a.npy[...,:32] -o out.npy", half, save % "np.load('a.npy',mmap_mode='r')[...,:32]"),
        ("index [:, ::2]", "convert a.npy[:,::2] -o out.npy", half, save % "np.load('a.npy',mmap_mode='r')[:,::2]"),
        ("windows of 8 by 8", "rearrange a.npy windows --sizes p=8,q=8 -o out.npy", copied, ""),
        ("pad by 1", "pad a.npy --pad 0,1,1,0 -o out.npy", copied, save % "np.pad(np.load('a.npy'),((0,0),(1,1),(1,1),(0,0)))"),
        ("max pool 2 by 2", "pool a.npy --window 2 -o out.npy", read, ""),
        ("float16 to float32", "convert half.npy --dtype float32 -o out.npy", copied, save % "np.load('half.npy').astype('f4')"),
        ("big-endian to little", "convert big.npy -o out.npy", copied, save % "np.load('big.npy').astype('<f4')"),
        ("bilinear, twice the size", "resize quarter.npy --scale 2 -o out.npy", copied, ""),
        ("bilinear, nchw", "resize quarter.npy --scale 2 --layout nchw -o out.npy", copied, ""),
    ]


def measure(work, rounds):
    """A row of the table."""
    name, args, copy, line = work
    target = "copied" if len(copy) == 3 and copy[0] == "cat" or copy[0] == "head" else "/dev/null"
    words = [WINDOWS if word == "windows" else word for word in args.split()]
    contestants = {"fusectl": lambda: fresh([FUSECTL, *words]), "copy": lambda: fresh(copy, target)}
    if line:
        contestants["numpy"] = lambda: fresh(python(NUMPY + line))
    runs = interleave(contestants, rounds)
    seconds = {who: [s for s, _ in of] for who, of in runs.items()}
    of_copy, of_numpy = (spread(ratios(seconds["fusectl"], seconds[peer])) if peer in seconds else "–" for peer in ("copy", "numpy"))
    peak = max(mib for _, mib in runs["fusectl"])
    return f"| {name} | {of_copy} | {of_numpy} | {peak:.1f} | {1000 * statistics.median(seconds['fusectl']):.0f} |"


def small(rounds):
    """Small files added, which is mostly starting and ending."""
    runs = [run([FUSECTL, "add", "s.npy", "t.npy", "-o", "out.npy"]) for _ in range(rounds)]
    ms = spread([1000 * s for s, _ in runs])
    return f"Two [1,64,64,64] files added: {ms} ms from start to exit, {max(mib for _, mib in runs):.1f} MiB."


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--dir", default=None, help="where the files go; default a new temporary folder")
    p.add_argument("--mib", type=int, default=256)
    o = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="fusectl-bench-", dir=o.dir) as folder:
        os.chdir(folder)
        version = subprocess.run(python(MAKE % o.mib), stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        print(f"{o.mib} MiB float32 files, {os.cpu_count()} cores, {o.rounds} rounds, NumPy {version}\n")
        print("| work | of cp or cat | of NumPy | peak MiB | ms |\n|---|---|---|---|---|")
        for work in works():
            print(measure(work, o.rounds), flush=True)
        print("\n" + small(3 * o.rounds))


if __name__ == "__main__":
    main()
