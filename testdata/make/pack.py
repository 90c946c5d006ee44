"""Packs what the generators wrote, a file an array, into a folder a command.

    python3 pack.py LOOSE GOLDEN

GOLDEN/COMMAND/ gets cases.jsonl, its lines of LOOSE/cases.jsonl; in.zip, the files in LOOSE/in that they name; and want.npz, those in
LOOSE/want/COMMAND. A file stands in its archive byte for byte, whatever its header. Members are sorted, dated 1980-01-01 and stored:
the archives depend on nothing but the files, and git compresses them better than deflated ones.
"""
import json
import pathlib
import re
import sys
import zipfile

INPUT = re.compile(r"(?<!\w)in/([^,=:]+\.np[yz])")

loose, golden = map(pathlib.Path, sys.argv[1:])


def archive(path, folder, names):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for name in sorted(names):
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = 0o644 << 16
            out.writestr(member, (folder / name).read_bytes())


commands, packed = {}, set()
for line in (loose / "cases.jsonl").read_text("utf-8").splitlines():
    case = json.loads(line)
    commands.setdefault(case["name"].split("/")[0], []).append(case)
for command, cases in commands.items():
    folder = golden / command
    folder.mkdir(parents=True)
    inputs, wanted = set(), set()
    with open(folder / "cases.jsonl", "w", encoding="utf-8") as lines:
        for case in cases:
            inputs.update(name for arg in case["args"] for name in INPUT.findall(arg))
            name = case["want"].removeprefix(f"want/{command}/")
            wanted.add(name)
            lines.write(json.dumps(case | {"want": f"want/{name}"}, ensure_ascii=False, separators=(",", ":")) + "\n")
    archive(folder / "in.zip", loose / "in", inputs)
    archive(folder / "want.npz", loose / "want" / command, wanted)
    packed.update({f"in/{n}" for n in inputs}, {f"want/{command}/{n}" for n in wanted})
if unused := {str(p.relative_to(loose)) for p in loose.rglob("*.np[yz]")} - packed:
    sys.exit(f"pack: no case uses {sorted(unused)}")
