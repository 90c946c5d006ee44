"""Checks what the generators wrote: every file loads and is used, every command line is of the known form, sizes hold.

usage: check.py TESTDATA
"""
import collections
import io
import json
import pathlib
import re
import sys
import zipfile

import numpy as np

LIMIT = 10_000_000  # bytes, golden and digits together
DIGITS_LIMIT = 700_000
WEIGHTS_LIMIT, NETWORK_LIMIT = 400_000, 550_000  # the network's weights, and its whole folder

# Flags with a value that names files, flags with another value, flags with none.
FILES = {f"--{n}" for n in """
    lateral lateral-bias output-conv output-bias extra-weight extra-bias merge-weights
    down-conv down-bias bottom-up-conv bottom-up-conv-bias bottom-up-weights
    context query key value mask wq wk wv wo bq bk bv bo wf
    weights weight bias fc1 fc1-bias fc2 fc2-bias conv conv-bias
    slope gamma gamma-bias beta beta-bias u u-bias v v-bias p p-bias mean variance
""".split()}
NUMBERED = {"--project", "--project-bias"}  # N=FILE
VALUES = {f"--{n}" for n in """
    axis coef activation gate axes layout upsample mode scale heads kv-heads weight-layout size window stride padding
    dilation groups output-padding align align-mode cubic-coeff weights-prefix extra first-level merge factor form dtype
    sizes parts shape pad op ddof align-at output-size coordinates nearest spatial-order kind eps norm-groups alpha threshold min max
""".split()}
OUTPUTS = {"-o", "--save-scores"}
SWITCHES = {"--keepdims", "--causal", "--residual", "--spatial", "--transpose", "--count-include-pad",
            "--align-corners", "--recompute-scale", "--exclude-outside", "--all", "--bottom-up", "--normalize", "--transpose-a", "--transpose-b",
            "--unit-offset", "--antialias", "--ceil-mode", "--gate-first"}
COMMANDS = {"concat", "add", "mul", "gap", "gmp", "fpn", "crossmodal", "attention", "linear", "conv", "resize", "pool", "reduce", "act", "norm", "se", "cbam",
            "rearrange", "repeat", "reshape", "split", "stack", "pad", "sub", "div", "maximum", "minimum", "pow", "average", "matmul", "einsum", "convert"}
NUMBER = re.compile(r"-?\d+(\.\d+)?")  # in place of a file
TOLERANCES = {"exact": {"kind"}, "ulp": {"kind", "n", "why"}, "rel": {"kind", "x", "why"}}
KEYS = ["name", "args", "want", "tol", "by"]

root = pathlib.Path(sys.argv[1])
golden = root / "golden"


def fail(message):
    sys.exit(f"check: {message}")


def steps(args):
    """The steps of a command line, which "then" joins."""
    step = []
    for arg in args:
        if arg != "then":
            step.append(arg)
            continue
        yield step
        step = []
    yield step


def inputs(args, outputs):
    """The addresses that a step reads, "-" among them; the paths that it writes are added to outputs."""
    if not args or args[0] not in COMMANDS:
        fail(f"{args}: unknown command")
    rest = iter(args[2 if args[0] == "einsum" else 1:])  # what einsum computes comes first
    for arg in rest:
        if arg in VALUES or (args[0], arg) in {("pad", "--value"), ("average", "--normalize"), ("act", "--beta"), ("act", "--value")}:
            next(rest)
        elif arg in FILES:
            yield from (f for f in next(rest).split(",") if f != "none" and not NUMBER.fullmatch(f))
        elif arg in NUMBERED:
            number, file = next(rest).split("=", 1)
            int(number)
            yield file
        elif arg in OUTPUTS:
            outputs.append(next(rest))
        elif "->" in arg or NUMBER.fullmatch(arg):
            continue  # a pattern of axes, a number among arrays
        elif arg == "-" or not arg.startswith("-"):
            yield arg
        elif arg not in SWITCHES:
            fail(f"{args}: unknown flag {arg}")


def load(data):
    """The arrays of an .npy or .npz, by the names of an archive's members; none may be a pickle."""
    loaded = np.load(io.BytesIO(data), allow_pickle=False)
    return dict(loaded) if data.startswith(b"PK") else {"": loaded}


def files(case, present):
    """The files that a case reads, of those in present. Its outputs, if it names any, must be in {dir}, and the one to compare be known."""
    outputs = []
    for i, step in enumerate(steps(case["args"])):
        for address in inputs(step, outputs):
            if address == "-":
                if i == 0:
                    fail(f"{case['name']}: the first step reads -")
                continue
            file, _, member = re.sub(r"\[[^\]]*\]$", "", address).partition(":")  # without its index
            if file not in present or member and member not in present[file]:
                fail(f"{case['name']}: no {address}")
            yield file
    if not all(o.startswith("{dir}/") for o in outputs) or ("-o" in case["args"]) != ("out" in case) or outputs and "out" not in case:
        fail(f"{case['name']}: outputs {outputs}")


def check(case, present):
    """Checks one case by what its folder's archives hold, and gives the files that it uses."""
    name, tol = case["name"], case["tol"]
    if [k for k in case if k != "out"] != KEYS or set(tol) != TOLERANCES[tol["kind"]]:
        fail(f"malformed case: {case}")
    if name.split("/")[0] not in {step[0] for step in steps(case["args"])} or not all(isinstance(a, str) for a in case["args"]):
        fail(f"{name}: args {case['args']}")
    if case["want"] not in present:
        fail(f"{name}: no {case['want']}")
    want = present[case["want"]][""]
    if tol["kind"] != "exact" and want.dtype.kind not in "fc":
        fail(f"{name}: a tolerance on {want.dtype}")
    if tol["kind"] == "rel" and not np.abs(want[np.isfinite(want)]).max(initial=0) > 0:
        if not name.startswith("gap/"):
            fail(f"{name}: a relative tolerance on an array that gives no scale")
    return {*files(case, present), case["want"]}


names, counts, arrays = set(), collections.Counter(), 0
for folder in sorted(golden.iterdir()):
    present = {}
    for kind in ("in.zip", "want.npz"):
        with zipfile.ZipFile(folder / kind) as archive:
            present |= {f"{kind.split('.')[0]}/{n}": load(archive.read(n)) for n in archive.namelist()}
    used = set()
    for line in (folder / "cases.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        used |= check(case, present)
        if case["name"] in names or case["name"].split("/")[0] != folder.name:
            fail(f"repeated case, or one in another command's folder: {line}")
        names.add(case["name"])
        counts[folder.name] += 1
    if set(present) != used:
        fail(f"{folder.name}: unused: {sorted(set(present) - used)}")
    arrays += len(present)
for file in [*(root / "digits").glob("*.npy"), *(root / "network").glob("*.npy")]:
    np.load(file, allow_pickle=False)

network = root / "network"
with np.load(network / "weights.npz", allow_pickle=False) as weights:
    parameters = dict(weights)
if not all(w.dtype == "f4" and np.isfinite(w).all() for w in parameters.values()):
    fail("network: weights are finite float32")
for name, shape, dtype in [("images", (450, 1, 8, 8), "u1"), ("labels", (450,), "u1"), ("logits", (450, 10), "f4"), ("maps", (8, 24, 8, 8), "f4")]:
    array = np.load(network / f"{name}.npy", allow_pickle=False)
    if array.shape != shape or array.dtype != dtype:
        fail(f"network: {name} is {array.dtype} {array.shape}")
recipe = (network / "digits.fuse").read_text("utf-8")
prefixes = tuple(re.findall(r"--weights-prefix (\S+)", recipe))
asked = {*re.findall(r"\bw:(\S+)", recipe), *(n for n in parameters if n.startswith(prefixes))}
if asked != set(parameters):
    fail(f"network: the recipe and weights.npz differ in {sorted(asked ^ set(parameters))}")

sizes = {d: sum(p.stat().st_size for p in (root / d).rglob("*") if p.is_file()) for d in ("golden", "digits", "network")}
if sizes["golden"] + sizes["digits"] > LIMIT or sizes["digits"] > DIGITS_LIMIT or sizes["network"] > NETWORK_LIMIT:
    fail(f"too large: {sizes}")
if (network / "weights.npz").stat().st_size > WEIGHTS_LIMIT:
    fail("network: weights.npz is too large")
print(f"{sum(counts.values())} cases ({', '.join(f'{c} {n}' for c, n in sorted(counts.items()))}), {arrays} files, {sizes} bytes")
