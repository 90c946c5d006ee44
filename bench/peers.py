"""Kernels in memory: fusectl beside NumPy with OpenBLAS, PyTorch and ONNX
Runtime, side by side in one run.

Each of them is a process that keeps its arrays (worker.py) and is warm. They
run a workload in turn, A B C A B C ..., and all but the one that runs are
stopped, since some leave threads spinning. A run lasts at least --least ms: short
workloads are repeated. Ratios are taken round by round and are the peer's time
over fusectl's: above 1, fusectl is faster. The table shows medians, and in
brackets the lowest and highest round. Where a peer has several ways to compute
something, the one that is faster on this machine counts, and its name stands
beside the ratio. Both operands of a product are new in each run, so packing
counts; a convolution's kernels and projections are constants to ONNX Runtime.

    python3 bench/peers.py [--rounds N] [--only REGEX] [--threads 1,2] [--cpu LEVEL]
"""
import argparse
import contextlib
import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys

from measure import BIN, HERE, interleave, ratios, spread
from workloads import WORKLOADS

OURS = "fusectl"
PEAK = "peak"  # fusectl on registers alone


class Worker:
    """A process that runs workloads, stopped when it isn't asked. It is killed
    when the ExitStack running ends."""

    def __init__(self, argv, env, running):
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.callback(self.process.kill)
        self.version = self.answer()["version"]
        self.stop()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.process.args)} ended")
        answer = json.loads(line)
        if "error" in answer:
            sys.exit(f"{' '.join(self.process.args)}: {answer['error']}")
        return answer

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def ask(self, workload, repeat=1):
        """The milliseconds of a run, None where there is none, and its form."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps({"workload": workload, "repeat": repeat}) + "\n")
        self.process.stdin.flush()
        answer = self.answer()
        self.stop()
        return answer["ms"], answer["form"]

    def forget(self):
        """Lets go of the workload's arrays."""
        self.ask(None)


def start_workers(threads, cpu, running):
    """{name: worker}: fusectl and its peers with so many threads."""
    # OpenBLAS and OpenMP ask the environment for the number of threads. Freed
    # memory stays with the process, so that no run pays for new pages.
    env = dict(os.environ, FUSECTL_CPU=cpu, OPENBLAS_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads),
               MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_=str(2**30))
    lines = {
        OURS: [os.path.join(BIN, "kernels"), str(threads)],
        PEAK: [os.path.join(BIN, "kernels"), str(threads)],
        "NumPy": [sys.executable, os.path.join(HERE, "peer_numpy.py")],
        "PyTorch": [sys.executable, os.path.join(HERE, "peer_torch.py"), str(threads)],
        "ONNX Runtime": ["node", "--expose-gc", os.path.join(HERE, "peer_onnx.js"), str(threads)],
    }
    return {name: Worker(argv, env, running) for name, argv in lines.items()}


def measure(workers, workload, rounds, least):
    """({name: milliseconds a round}, {name: form}) of those who can run it."""
    contestants, forms = {}, {}
    for name, worker in workers.items():
        spec = workload.peak().spec if name == PEAK else workload.spec
        ms, form = worker.ask(spec)
        if ms is None:
            continue
        repeat = math.ceil(least / max(ms, 1e-4))
        contestants[name] = lambda worker=worker, spec=spec, repeat=repeat: worker.ask(spec, repeat)[0]
        forms[name] = form
    times = interleave(contestants, rounds)
    for worker in workers.values():
        worker.forget()
    return times, forms


def row(workload, threads, peers, times, forms):
    """A line of the table."""
    cells = [workload.name, str(threads)]
    if OURS not in times:
        return f"| {' | '.join(cells + ['–'] * (3 + len(peers)))} |"
    ms = statistics.median(times[OURS])
    cells += [f"{ms:.4g}", workload.speed(ms), "–"]
    if PEAK in times and workload.flops:
        a_flop = workload.peak().flops / workload.flops
        cells[-1] = f"{statistics.median(ratios(times[PEAK], times[OURS])) / a_flop:.0%}"
    for peer in peers:
        if peer in times:
            cells.append(f"{spread(ratios(times[peer], times[OURS]))} {forms[peer]}".strip())
        else:
            cells.append("–")
    return f"| {' | '.join(cells)} |"


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--only", type=re.compile, default="", metavar="REGEX", help="workloads whose name has a match")
    p.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    p.add_argument("--cpu", default=os.environ.get("FUSECTL_CPU", ""), metavar="LEVEL", help="lowers fusectl's instruction set: avx2, generic")
    p.add_argument("--least", type=float, default=20, metavar="MS", help="how long a run lasts at least")
    return p.parse_args()


def table(workers, o):
    """Measures and prints; workers is {threads: {name: worker}}."""
    some = workers[o.threads[0]]
    peers = [name for name in some if name not in (OURS, PEAK)]
    print(f"{'; '.join(w.version for name, w in some.items() if name != PEAK)}; {os.cpu_count()} cores, {o.rounds} rounds\n")
    print(f"| workload | threads | ms | speed | of peak | {' | '.join(peers)} |")
    print("|---" * (5 + len(peers)) + "|", flush=True)
    for workload in WORKLOADS:
        for threads in o.threads:
            if o.only.search(workload.name) and threads in workload.threads:
                times, forms = measure(workers[threads], workload, o.rounds, o.least)
                print(row(workload, threads, peers, times, forms), flush=True)


def main():
    o = options()
    with contextlib.ExitStack() as running:
        table({threads: start_workers(threads, o.cpu, running) for threads in o.threads}, o)


if __name__ == "__main__":
    main()
