#!/usr/bin/env python3
# presets: release
"""The corpus holds what corpus/README.md says of it.

Each file of corpus/rules/ names a rule in its name and its comments, and puts it to the test on a built-in allocator: the
rule's counter is above zero when the file is replayed. Each rule that is counted has a file. Every built-in allocator has
its set of programs, and every folder is told of. Needs ASSAY and ASSAY_SOURCE.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import rules_doc

ASSAY = os.path.realpath(os.environ["ASSAY"])
SOURCE = pathlib.Path(os.environ["ASSAY_SOURCE"])
CORPUS = SOURCE / "corpus"
# Promised by no reference allocator (check_rules.py): a canary alone can be put to the test.
ON_CANARY = {"A13": "broken/write_unnoticed"}
# Checked between two allocators by `assay diff`, by no program alone (check_rules.py).
COMPARED = {"DIFFER"}


def assay(*arguments):
    return subprocess.run([ASSAY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, text=True)


def counters(name, path):
    """How often each rule was checked when `name` ran the file, and whether all held."""
    done = assay("replay", name, str(path), "--format", "json", "--quiet")
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]).get("rules", {}) if lines else {}, done.returncode == 0


def untested(path, names):
    """What is wrong with one file of corpus/rules/."""
    rule = path.name.split("-")[0]
    if f"# {rule}: " not in path.read_text(encoding="utf-8"):
        return f"{path.name}: no comment begins with {rule}:"
    for name in [ON_CANARY[rule]] if rule in ON_CANARY else names:
        counts, held = counters(name, path)
        if rule not in ON_CANARY and not held:
            return f"{path.name}: {name} does not hold"
        if counts.get(rule):
            return None
    return f"{path.name}: no built-in allocator puts {rule} to the test"


def main():
    rows = rules_doc.parse((SOURCE / "model" / "judge" / "rules.def").read_text(encoding="utf-8"))["RULE"]
    counted = {row[0] for row in rows if row[1] != "RETURNS"} - COMPARED
    names = assay("list", "--names").stdout.split()
    files = sorted((CORPUS / "rules").glob("*.ops"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [line for line in pool.map(lambda path: untested(path, names), files) if line]
    failures += [f"{rule}: no file of corpus/rules/ is named for it" for rule in
                 sorted(counted - {path.name.split("-")[0] for path in files})]
    failures += [f"corpus/{name}/ has no program" for name in names if not list((CORPUS / name).glob("*.bin"))]
    told = (CORPUS / "README.md").read_text(encoding="utf-8")
    failures += [f"corpus/README.md does not tell of {folder.name}/" for folder in sorted(CORPUS.iterdir())
                 if folder.is_dir() and folder.name not in names and f"`{folder.name}/`" not in told]
    recorded = sorted((CORPUS / "recorded").glob("*.ops"))
    failures += [f"corpus/README.md does not tell of recorded/{path.name}" for path in recorded
                 if re.sub(r"(-\d+)?\.ops$", "", path.name) not in told]
    for line in failures:
        print(line)
    print(f"{len(files)} programs of {len(counted)} rules: {len(failures)} failures")
    return 1 if failures or not files or not counted or not names else 0


if __name__ == "__main__":
    sys.exit(main())
