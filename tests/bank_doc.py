#!/usr/bin/env python3
"""Writes docs/BANK.md: the bugs that the bench must find, who had them, and how soon each is found.

usage: tests/bank_doc.py ASSAY [SEEDS] >docs/BANK.md

The table is `ASSAY list --canaries --format json`; times are those of this machine, now: the median over the seeds of the CPU
time, user and system, of the whole `check --no-minimize --jobs 1` with its children.
"""
import json
import os
import subprocess
import sys
import tempfile
from statistics import median

HEAD = """\
# The bank

Allocators with a bug planted on purpose. A bench that does not find them says nothing with a PASS; `tests/canaries.sh` demands
that each is found, under its rule, by generated programs alone. {count} canaries: {field} of them after bugs that public
allocators had, with the report, and {others} made for a rule or for a place where allocators go wrong. This page is made by
`tests/bank_doc.py`; `assay list --canaries --format json` is the same for programs, `bench/canaries` measures again.

```sh
assay check broken/shrink_below_links
```

The time is the median of {seeds} seeds, in milliseconds of processor time, user and system, of the whole command `assay check
--no-minimize --jobs 1` with its children, from its start to its finding. {within:.1f} % take at most 200 ms, the slowest
takes {slowest:.1f} s.{missed}

| allocator | family | bug | rule | ms | origin |
|---|---|---|---|---|---|"""


def once(assay, canary, seed):
    """CPU seconds until the finding; None if there is none."""
    with tempfile.TemporaryDirectory() as out:
        if canary["rule"] == "DIFFER":
            command = [assay, "diff", canary["name"], canary["name"], canary["family"], "--programs", "1000"]
        else:
            command = [assay, "check", canary["name"], "--seconds", "10"]
        command += ["--seed", str(seed), "--jobs", "1", "--no-minimize", "--quiet", "--out", out]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime if child.returncode == 1 else None


def main():
    assay, seeds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    listed = subprocess.run([assay, "list", "--canaries", "--format", "json"], stdout=subprocess.PIPE, text=True, check=True)
    bank = [json.loads(line) for line in listed.stdout.splitlines()]
    missed = []
    for canary in bank:
        times = [once(assay, canary, seed) for seed in range(1, seeds + 1)]
        if None in times:
            missed.append(canary["name"])
        canary["seconds"] = median([t for t in times if t is not None] or [10.0])
    field = sum("origin" in canary for canary in bank)
    within = 100 * sum(canary["seconds"] <= 0.2 for canary in bank) / len(bank)
    print(HEAD.format(count=len(bank), field=field, others=len(bank) - field, seeds=seeds, within=within,
                      slowest=max(canary["seconds"] for canary in bank),
                      missed=" Not found with every seed: " + ", ".join(missed) + "." if missed else ""))
    for canary in sorted(bank, key=lambda c: "origin" not in c):
        print(f'| {canary["name"].removeprefix("broken/")} | {canary["family"]} | {canary["summary"]} | {canary["rule"]} '
              f'| {canary["seconds"] * 1e3:.0f} | {canary.get("origin", "")} |')


if __name__ == "__main__":
    main()
