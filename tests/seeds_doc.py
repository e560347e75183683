#!/usr/bin/env python3
# presets: release
"""Writes the last column of docs/SEEDS.md: what shows each rule that a claim is held against.

With --check it says whether the page is as it would write it, and fails too where a rule is shown by nothing. A rule with
a check of its own is shown by the canaries that break it, a rule judged under another ID by that one's, and a fact of
the harness by its test. Needs the built program: ASSAY, or build/release/assay.
"""
import os
import pathlib
import re
import subprocess
import sys

import rules_doc

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "SEEDS.md"
ASSAY = os.environ.get("ASSAY", str(ROOT / "build" / "release" / "assay"))
ROW = re.compile(r"^\| (S\d\.\d+) \| (.+) \| (.+) \| ((?:[ABC]\d+ ?)+) \|(.*)\|$")


def canaries():
    """Canaries by the rule that they break, without their common prefix."""
    listed = subprocess.run([ASSAY, "list", "--canaries"], stdout=subprocess.PIPE, check=True, text=True).stdout
    by_rule = {}
    for name, rule in (line.split() for line in listed.splitlines()):
        by_rule.setdefault(rule, []).append(name.removeprefix("broken/"))
    return by_rule


def shown_by(rule, rows, by_rule):
    """What shows this rule: names of canaries, or the path of a test; nothing if it is unknown."""
    if rule in by_rule:
        return by_rule[rule][:1]
    for name, judged_as, _ in rows["SAME"]:
        if name == rule:
            return [found for other in judged_as.split(", ") for found in by_rule.get(other, [])[:1]]
    for name, where, _ in rows["TEST"]:
        if name == rule:
            return [where] if (ROOT / where).exists() else []
    return []


def write(page, rows, by_rule):
    """The page with its last column made anew, and what is shown by nothing."""
    lines, missing = [], []
    for line in page.splitlines():
        match = ROW.match(line)
        if match:
            seed, claim, truth, rules, _ = match.groups()
            found = []
            for rule in rules.split():
                shown = shown_by(rule, rows, by_rule)
                if not shown:
                    missing.append(f"{seed}: {rule} is shown by nothing")
                found += [name for name in shown if name not in found]
            line = f"| {seed} | {claim} | {truth} | {rules.strip()} | {', '.join(f'`{name}`' for name in found)} |"
        lines.append(line)
    return "\n".join(lines) + "\n", missing


def main():
    page = PAGE.read_text(encoding="utf-8")
    rows = rules_doc.parse(rules_doc.TABLE.read_text(encoding="utf-8"))
    wanted, missing = write(page, rows, canaries())
    for line in missing:
        print(line)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        print(f"{PAGE.name} is not what tests/seeds_doc.py writes")
        return 1
    print(f"{sum(bool(ROW.match(line)) for line in page.splitlines())} claims, {len(missing)} rules shown by nothing")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
