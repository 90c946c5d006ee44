"""A worker: a process that keeps a workload's arrays and runs it when asked.

A line of its input is a JSON object: the workload's spec, or null to forget
what it holds, and how often to repeat it. It answers with a line: the
milliseconds of one run and the form that was run; or null for both where it
can't do the workload. Before, it prints one line, its versions.
"""
import gc
import json
import sys
import time


def milliseconds(run, repeat=1):
    start = time.perf_counter()
    for _ in range(repeat):
        run()
    return 1000 * (time.perf_counter() - start) / repeat


def fastest(forms):
    """The name and function of the fastest of {name: function}, run in turn and
    warm; None for both if there is none."""
    best = dict.fromkeys(forms, float("inf"))
    for run in forms.values():
        milliseconds(run, 2)
    for _ in range(5 if len(forms) > 1 else 0):
        for form, run in forms.items():
            best[form] = min(best[form], milliseconds(run))
    form = min(best, key=best.get, default=None)
    return form, forms.get(form)


def serve(version, prepare):
    """Answers until the input ends. prepare gives the forms, {name: function},
    in which a workload can be run; none if it can't be."""
    print(json.dumps({"version": version}), flush=True)
    workload, form, run = None, None, None
    for line in sys.stdin:
        request = json.loads(line)
        if request["workload"] != workload:
            workload, form, run = request["workload"], None, None
            gc.collect()  # before the next arrays are made
            if workload:
                form, run = fastest(prepare(workload))
        ms = milliseconds(run, request["repeat"]) if run else None
        print(json.dumps({"ms": ms, "form": form}), flush=True)
