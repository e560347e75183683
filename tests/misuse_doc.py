#!/usr/bin/env python3
"""Writes docs/MISUSE.md: what each allocator makes of its caller's errors.

usage: tests/misuse_doc.py ASSAY >docs/MISUSE.md

Runs `ASSAY misuse` on the built-in allocators and on those of the system's libraries that are installed.
"""
import glob
import json
import os
import subprocess
import sys

BUILT_IN = ["freelist", "region", "break", "buddy", "slab", "kmalloc", "vmalloc", "libc"]
LIBRARIES = [
    ("jemalloc", "libjemalloc.so.2", None),
    ("mimalloc", "libmimalloc.so.2", None),
    ("tcmalloc", "libtcmalloc_minimal.so.4", None),
    ("tcmalloc debug", "libtcmalloc_minimal_debug.so.4", None),
    ("tbbmalloc", "libtbbmalloc.so.2", "scalable_"),
]
LETTERS = {"detected": "D", "missed": "m", "suffered": "S", "control": "", "skipped": ""}

HEAD = """\
# Misuse

What allocators make of their caller's errors. This page is made by `tests/misuse_doc.py`; {versions}.

```sh
assay misuse libc
assay misuse ./libmine.so --format json
```

Each error is made in a process of its own: a heap with twelve live blocks of one size, the error, six hundred ordinary calls
with a look at every block, everything freed. What comes of it is one of three:

- **D, detected**: somebody is told: a report through the vtable, an abort, a trap, a message on standard error, a refusal, a
  fault at the wild store itself, or the heap's own `check()`. `, later` stands where that came in the calls that followed.
- **m, missed**: the program goes on. *nothing seen* is no proof that nothing will be; *overlap* means that two live blocks
  share bytes, *memory lost* that an emptied heap holds less than before, *neighbour hit* that the store landed in the next
  block, *block outside* that a block is none of the heap's memory.
- **S, suffered**: the allocator falls over it: a crash, a hang, an exit without a word, or a live block whose contents it
  changes.

Nothing here is a mark. C leaves every one of these errors undefined, so no allocator breaks a promise by missing all of them;
the last column says what C, POSIX or the kernel say. Only where a contract promises a report (`PROMISE_DETECTS_*`,
`checks_misuse`) is an error that goes undetected a broken promise: it is marked `!`, and the exit status is 1.

A cell with several letters stands for blocks of 48, 2000 and 300000 bytes; a number is that of bits, of {bits}, whose flip
was detected, missed and suffered. An empty cell: not offered, or no block of that size.
"""


def run(assay, operand, prefix):
    command = [assay, "misuse", operand, "--format", "json"] + (["--prefix", prefix] if prefix else [])
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if out.returncode == 2:
        return None
    return [row for row in map(json.loads, out.stdout.splitlines()) if row["type"] == "misuse"]


def letters(rows):
    """The cell of the matrix: one letter if all sizes agree, counts for many trials."""
    tried = [row for row in rows if row["trials"]]
    if not tried or rows[0]["result"] == "control":
        return ""
    if tried[0]["trials"] > 1:
        cells = [f'{row["detected"]}/{row["missed"]}/{row["suffered"]}' for row in tried]
    else:
        cells = [LETTERS[row["result"]] for row in tried]
    if any(row["promised"] and row["detected"] < row["trials"] for row in tried):
        cells[-1] += " !"
    return cells[0] if len(set(cells)) == 1 else " ".join(cells)


def words(rows):
    """The cell of an allocator's own table: what happened, for each size."""
    tried = [row for row in rows if row["trials"]]
    cells = [row["how"] for row in tried]
    return cells[0] if len(set(cells)) == 1 else " · ".join(cells)


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "|".join("---" for _ in head) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def main():
    assay = sys.argv[1]
    found = [(name, run(assay, name, None)) for name in BUILT_IN]
    for name, library, prefix in LIBRARIES:
        paths = glob.glob(f"/usr/lib/*/{library}")
        if paths:
            found.append((name, run(assay, paths[0], prefix)))
    found = [(name, rows) for name, rows in found if rows]
    files = [os.path.basename(os.path.realpath(path)) for _, lib, _ in LIBRARIES for path in glob.glob(f"/usr/lib/*/{lib}")]
    bits = max(row["trials"] for _, rows in found for row in rows)
    print(HEAD.format(versions="the libraries were glibc " + os.confstr("CS_GNU_LIBC_VERSION").split()[1] + ", " +
                      ", ".join(files), bits=bits))
    keys = list(dict.fromkeys((row["family"], row["error"], row["law"]) for row in found[0][1]))
    of = {(name, row["family"], row["error"]): [] for name, rows in found for row in rows}
    for name, rows in found:
        for row in rows:
            of[name, row["family"], row["error"]].append(row)
    for family in dict.fromkeys(key[0] for key in keys):
        names = [name for name, rows in found if any(row["family"] == family and row["trials"] for row in rows)]
        print(f"## {family}\n")
        table([""] + names + [""],
              [[error] + [letters(of[name, family, error]) for name in names] + [law]
               for f, error, law in keys if f == family and any(r["result"] != "control" for n in names for r in of[n, f, error])])
    print("## In words\n")
    for name, _ in found:
        rows = [[error, words(of[name, family, error])] for family, error, _ in keys
                if words(of[name, family, error]) and of[name, family, error][0]["trials"] == 1]
        print(f"### {name}\n")
        table(["", "what happened"], rows)


if __name__ == "__main__":
    main()
