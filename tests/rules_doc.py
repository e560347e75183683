#!/usr/bin/env python3
"""Writes docs/RULES.md from model/judge/rules.def; with --check says whether the committed page is what it would write."""

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "model" / "judge" / "rules.def"
PAGE = ROOT / "docs" / "RULES.md"

CLASSES = {
    "CORRECT": ("correctness", "no correct allocator may break it"),
    "RESOURCE": ("resources", "memory is lost, wasted or refused without need"),
    "RETURNS": ("returns", "a call must come back"),
}
STRING = r'"((?:[^"\\]|\\.)*)"'
ROWS = {
    "RULE": re.compile(rf"RULE\((\w+), (\w+), {STRING}, {STRING}\)"),
    "SAME": re.compile(rf"SAME\((\w+), {STRING}, {STRING}\)"),
    "TEST": re.compile(rf"TEST\((\w+), {STRING}, {STRING}\)"),
}

HEAD = """\
# Rules

What assay holds an allocator to. A finding names one of these IDs. This page is made from
[model/judge/rules.def](../model/judge/rules.def) by `tests/rules_doc.py`; edit the table, not the page.
"""


def parse(text):
    """The rows of the table by kind, each a tuple of its fields; a line that is neither row nor comment is an error."""
    rows = {kind: [] for kind in ROWS}
    code = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment.group().count("\n"), text, flags=re.DOTALL)
    for number, line in enumerate(code.splitlines(), 1):
        line = line.strip()
        if not line:
            continue
        kind = line.partition("(")[0]
        match = ROWS[kind].fullmatch(line) if kind in ROWS else None
        if match is None:
            raise ValueError(f"{TABLE.name}:{number}: not a row: {line}")
        rows[kind].append(match.groups())
    return rows


def check(rows):
    """Every ID once, every class known, and what a SAME row refers to is a rule."""
    ids = [row[0] for kind in rows for row in rows[kind]]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(f"{TABLE.name}: {name} stands there {ids.count(name)} times")
    for name, judged_class, _, _ in rows["RULE"]:
        if judged_class not in CLASSES:
            raise ValueError(f"{TABLE.name}: {name}: unknown class {judged_class}")
    judged = {row[0] for row in rows["RULE"]}
    for name, judged_as, _ in rows["SAME"]:
        for other in judged_as.split(", "):
            if other not in judged:
                raise ValueError(f"{TABLE.name}: {name} is judged as {other}, which is no rule")


def cell(text):
    return text.replace('\\"', '"').replace("|", "\\|")


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(cell(field) for field in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def page(rows):
    parts = [HEAD]
    parts.append(
        "Its class says what a broken rule means:\n\n"
        + "".join(f"- *{name}*: {meaning}\n" for name, meaning in CLASSES.values())
    )
    parts.append("## Rules with a check of their own\n")
    parts.append(
        table(
            ("ID", "class", "what must hold", "source"),
            [(name, CLASSES[c][0], sentence, source) for name, c, source, sentence in rows["RULE"]],
        )
    )
    parts.append("## Rules found under another ID\n\nThey say in other words what those rules check.\n")
    parts.append(
        table(
            ("ID", "what must hold", "judged as"),
            [(name, sentence, judged_as) for name, judged_as, sentence in rows["SAME"]],
        )
    )
    parts.append(
        "## Rules that no verdict can speak of\n\n"
        "Facts about the harness or the compiler, which a test holds, and things that are left open on purpose.\n"
    )
    parts.append(
        table(
            ("ID", "what must hold", "test"),
            [(name, sentence, where) for name, where, sentence in rows["TEST"]],
        )
    )
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is not up to date")
    arguments = parser.parse_args()
    try:
        rows = parse(TABLE.read_text(encoding="utf-8"))
        check(rows)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    text = page(rows)
    if not arguments.check:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/RULES.md is not what model/judge/rules.def says: run tests/rules_doc.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
