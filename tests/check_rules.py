#!/usr/bin/env python3
# presets: release
"""Every rule of SEMANTICS is accounted for, put to the test by the built-in allocators, and broken by a canary.

A rule that is never checked, or that no planted fault breaks, holds for nothing. That the canaries are found is the
matter of canaries.sh. Needs ASSAY and ASSAY_SOURCE.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import rules_doc

ASSAY = os.path.realpath(os.environ["ASSAY"])
SOURCE = pathlib.Path(os.environ["ASSAY_SOURCE"])
PROGRAMS = 5000  # of each reference allocator
HOST_ALLOCATORS = {"libc"}  # not ours: whether it holds is no matter of this test

SECTIONS = {"A": 50, "B": 128, "C": 44}  # how many rules each has
# What need not hold: either outcome is legal (Y), a contract error (X), the harness's own strictness (S), a number (R).
# All others must hold (M).
TAGS = {
    "Y": "A3 A4 A5 A18 A27 A28 B29 B72 B84",
    "X": "A11 A13 B4 B5 B22 B47 B75 B101 B120",
    "S": "A41",
    "R": "B68 B125",
}
# Of those that must hold, what nothing here could break: it is not simulated, or not offered.
OUT_OF_SCOPE = {"B82", "B119", "C44"}
# Rules about what no reference allocator promises: their canaries alone put them to the test.
UNPROMISED = {"A13"}
# Rules between two allocators, which `assay diff` checks.
COMPARED = {"DIFFER"}


def assay(*arguments):
    """Runs the program; its standard output and its exit status."""
    done = subprocess.run([ASSAY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, text=True)
    return done.stdout, done.returncode


def check(name, folder):
    """Rules checked in a run, how often, and its exit status."""
    report, status = assay("check", name, "--programs", str(PROGRAMS), "--jobs", "1", "--format", "json", "--quiet",
                           "--all", "--no-minimize", "--out", os.path.join(folder, name))
    lines = report.splitlines()
    last = json.loads(lines[-1]) if lines else {}
    return last.get("rules", {}), status


def compared():
    """Rules that a comparison alone checks."""
    report, status = assay("diff", "freelist", "break", "--programs", "200", "--format", "json", "--quiet")
    counts = json.loads(report.splitlines()[-1])["rules"] if status == 0 else {}
    return {rule for rule in COMPARED if counts.get(rule)}


def unaccounted(rows):
    """What is wrong with the table itself."""
    listed = {row[0] for kind in rows for row in rows[kind]}
    tagged = {rule for rules in TAGS.values() for rule in rules.split()}
    for rule in (f"{section}{i}" for section, count in SECTIONS.items() for i in range(1, count + 1)):
        if rule not in listed:
            yield f"{rule} ({'may' if rule in tagged else 'must'} hold) has no row in rules.def"
    for rule, where, _ in rows["TEST"]:
        if where != "none" and not (SOURCE / where).is_file():
            yield f"{rule} is held by {where}, which does not exist"
        if where == "none" and rule not in tagged | OUT_OF_SCOPE:
            yield f"{rule} must hold, and nothing holds it"


def unbroken(rules, canaries):
    """Rules without a canary, and canaries without a rule."""
    broken = {rule for _, rule in canaries}
    yield from (f"{rule} has no canary" for rule in rules if rule not in broken)
    yield from (f"{name} names {rule}, which is no rule" for name, rule in canaries if rule not in rules)


def unchecked(rules, references):
    """Rules that no run of a reference allocator checks, and runs that fail."""
    checked = compared()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, (counts, status) in zip(references, pool.map(lambda name: check(name, folder), references)):
            checked |= {rule for rule, count in counts.items() if count}
            if status and name not in HOST_ALLOCATORS:
                yield f"{name}: exit status {status}"
    yield from (f"{rule} is never checked" for rule in rules if rule not in checked)


def main():
    rows = rules_doc.parse((SOURCE / "model" / "judge" / "rules.def").read_text(encoding="utf-8"))
    judged = [row[0] for row in rows["RULE"]]
    every_call = {row[0] for row in rows["RULE"] if row[1] == "RETURNS"}  # checked by each call, and not counted
    counted = [rule for rule in judged if rule not in every_call | UNPROMISED]
    references = assay("list", "--names")[0].split()
    canaries = [line.split() for line in assay("list", "--canaries")[0].splitlines()]
    failures = [*unaccounted(rows), *unbroken(judged, canaries), *unchecked(counted, references)]
    for line in failures:
        print(line)
    print(f"{len(judged)} rules, {len(references)} allocators, {len(canaries)} canaries: {len(failures)} failures")
    return 1 if failures or not judged or not references else 0


if __name__ == "__main__":
    sys.exit(main())
