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
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

FUSECTL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bin", "fusectl")


# The inputs are made by another process, since this one's memory would count.
MAKE = """
rng = np.random.default_rng(0)
for names, shape in [('ab', (16, 256, %d, 64)), ('v', (1, 1, 1, 64)), ('st', (1, 64, 64, 64))]:
    for name in names:
        np.save(name + '.npy', rng.standard_normal(shape, dtype=np.float32))
print(np.__version__)
"""


def run(argv, stdout):
    """Runs a process; returns its seconds and its peak memory in MiB."""
    os.sync()
    with open(stdout, "wb") as out:
        start = time.perf_counter()
        child = subprocess.Popen(argv, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{argv} ended with {child.returncode}")
    return seconds, usage.ru_maxrss / 1024


def numpy_line(code):
    return [sys.executable, "-c", "import numpy as np; " + code]


def works():
    """(name, fusectl's arguments, the peer that copies, NumPy's one-liner)."""
    save = "np.save('out.npy', %s)"
    return [
        ("add", "add a.npy b.npy -o out.npy", ["cp", "a.npy", "out.npy"], save % "np.load('a.npy')+np.load('b.npy')"),
        ("mul by [1,1,1,C]", "mul a.npy v.npy -o out.npy", ["cp", "a.npy", "out.npy"], save % "np.load('a.npy')*np.load('v.npy')"),
        ("concat, axis 0", "concat a.npy b.npy --axis 0 -o out.npy", ["cat", "a.npy", "b.npy"], save % "np.concatenate([np.load('a.npy'),np.load('b.npy')],0)"),
        ("concat, axis -1", "concat a.npy b.npy -o out.npy", ["cat", "a.npy", "b.npy"], save % "np.concatenate([np.load('a.npy'),np.load('b.npy')],-1)"),
        ("gap", "gap a.npy -o out.npy", ["cat", "a.npy"], save % "np.load('a.npy').mean((1,2))"),
        ("gmp", "gmp a.npy -o out.npy", ["cat", "a.npy"], save % "np.load('a.npy').max((1,2))"),
    ]


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--dir", default=None, help="where the files go; default a new temporary folder")
    p.add_argument("--mib", type=int, default=256)
    o = p.parse_args()
    fusectl = os.path.abspath(FUSECTL)
    folder = tempfile.mkdtemp(prefix="fusectl-bench-", dir=o.dir)
    os.chdir(folder)
    try:
        version = subprocess.run(numpy_line(MAKE % o.mib), stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        print(f"{o.mib} MiB float32 files, {os.cpu_count()} cores, {o.rounds} rounds, NumPy {version}\n")
        print("| work | of cp or cat | of NumPy | peak MiB | ms |\n|---|---|---|---|---|")
        for name, args, copy, line in works():
            target = "copied" if len(copy) == 3 and copy[0] == "cat" else "/dev/null"
            mine, of_copy, of_numpy, peak = [], [], [], 0
            for i in range(o.rounds + 1):
                for f in ("out.npy", "copied"):
                    if os.path.exists(f):
                        os.remove(f)
                t, m = run([fusectl, *args.split()], "/dev/null")
                if os.path.exists("out.npy"):
                    os.remove("out.npy")
                c, _ = run(copy, target)
                for f in ("out.npy", "copied"):
                    if os.path.exists(f):
                        os.remove(f)
                n, _ = run(numpy_line(line), "/dev/null")
                if i:  # the first round warms the caches
                    mine.append(1000 * t), of_copy.append(t / c), of_numpy.append(t / n)
                    peak = max(peak, m)
            print(f"| {name} | {spread(of_copy)} | {spread(of_numpy)} | {peak:.1f} | {statistics.median(mine):.0f} |", flush=True)
        times, peak = [], 0
        for i in range(3 * o.rounds):
            t, m = run([fusectl, "add", "s.npy", "t.npy", "-o", "out.npy"], "/dev/null")
            times.append(1000 * t)
            peak = max(peak, m)
        print(f"\nTwo [1,64,64,64] files added: {spread(times)} ms from start to exit, {peak:.1f} MiB.")
    finally:
        os.chdir("/")
        shutil.rmtree(folder)


main()
