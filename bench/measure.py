"""What the benchmarks share: runs in turn, ratios, whole processes."""
import glob
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(os.path.dirname(HERE), "bin")
FUSECTL = os.path.join(BIN, "fusectl")

# Some systems steer OpenBLAS by these, to kernels that aren't the best that
# the machine has: here it chooses for itself, in this process and its children.
for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(variable, None)


def interleave(contestants, rounds):
    """Calls {name: function} in turn, A B C A B C ..., and returns {name: the
    results}, one a round. A first round warms the caches and isn't counted."""
    results = {name: [] for name in contestants}
    for i in range(rounds + 1):
        for name, run in contestants.items():
            result = run()
            if i:
                results[name].append(result)
    return results


def ratios(times, by):
    """Round by round, times over those of another."""
    return [t / b for t, b in zip(times, by)]


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def run(argv, stdout="/dev/null"):
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


def fresh(argv, stdout="/dev/null"):
    """run, once what the run before wrote is gone: out*.npy and copied."""
    for path in glob.glob("out*.npy") + glob.glob("copied"):
        os.remove(path)
    return run(argv, stdout)


def python(code):
    """The command line of a Python that runs code."""
    return [sys.executable, "-c", code]
