#!/usr/bin/env python3
# presets: release
# timeout: 300
"""Every rule that model/rules.def judges is put to the test by the built-in allocators, and has a canary that breaks it.

A rule that is never checked, or that no planted fault breaks, holds for nothing. Needs ASSAY and ASSAY_SOURCE.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ASSAY = os.path.realpath(os.environ["ASSAY"])
SOURCE = os.environ["ASSAY_SOURCE"]
PROGRAMS = 3000  # of a reference allocator
CANARY_PROGRAMS = 20000  # at most: a canary's run ends with its finding
HOST_ALLOCATORS = {"libc"}  # not ours: whether it holds is no matter of this test


def rules():
    """The IDs of the rules with a check of their own, in order."""
    with open(os.path.join(SOURCE, "model", "rules.def"), encoding="utf-8") as table:
        return re.findall(r"^RULE\((\w+),", table.read(), re.MULTILINE)


def assay(*arguments):
    """Runs the program; its standard output and its exit status."""
    done = subprocess.run([ASSAY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, text=True)
    return done.stdout, done.returncode


def summary(report):
    """The last line of a JSON report."""
    lines = report.splitlines()
    last = json.loads(lines[-1]) if lines else {}
    return last if last.get("type") == "summary" else {}


def check(name, programs, folder):
    """Rules checked in a run, how often, and its exit status."""
    out = os.path.join(folder, name.replace("/", "-"))
    report, status = assay("check", name, "--programs", str(programs), "--jobs", "1", "--format", "json", "--quiet",
                           "--no-minimize", "--timeout", "0.5", "--out", out)
    return summary(report).get("rules", {}), status


def main():
    failures = []
    wanted = rules()
    references = assay("list", "--names")[0].split()
    canaries = [line.split() for line in assay("list", "--canaries")[0].splitlines()]
    checked = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        runs = [(name, "", pool.submit(check, name, PROGRAMS, folder)) for name in references]
        runs += [(name, rule, pool.submit(check, name, CANARY_PROGRAMS, folder)) for name, rule in canaries]
        for name, rule, run in runs:
            counts, status = run.result()
            for each, count in counts.items():
                checked[each] = checked.get(each, 0) + count
            if status != (1 if rule else 0) and name not in HOST_ALLOCATORS:
                failures.append(f"{name}: exit status {status}")
    for rule in wanted:
        if not checked.get(rule):
            failures.append(f"{rule} is never checked")
        if rule not in {broken for _, broken in canaries}:
            failures.append(f"{rule} has no canary")
    failures += [f"{name} names {rule}, which is no rule" for name, rule in canaries if rule not in wanted]
    for line in failures:
        print(line)
    print(f"{len(wanted)} rules, {len(references)} allocators, {len(canaries)} canaries: {len(failures)} failures")
    return 1 if failures or not wanted or not references else 0


if __name__ == "__main__":
    sys.exit(main())
