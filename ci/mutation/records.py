"""What is known of mutants: results on disk, and the reviewed list of those that change nothing."""
import json
import pathlib
import re

ENTRY = re.compile(r"(?P<path>\S+) (?P<function>.+)")


class Results:
    """One JSON line a mutant, appended as soon as it is judged, so that an interrupted run goes on where it was. The first
    line says what they were judged by: what another harness or another budget found is not taken over, unless only
    the survivors are to be judged again."""

    def __init__(self, path, judged_by, keep_killed):
        self.path = pathlib.Path(path)
        self.rows = {}
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        try:
            rows = [json.loads(line) for line in lines]
        except ValueError:  # the last line of an interrupted run
            rows = [json.loads(line) for line in lines[:-1]]
        if rows and rows[0] == judged_by:
            self.rows = {row["name"]: row for row in rows[1:]}
        if keep_killed:
            self.rows = {row["name"]: row for row in rows[1:] if row["outcome"] == "killed"}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".new")
        with open(temporary, "w", encoding="utf-8") as out:
            for row in [judged_by, *self.rows.values()]:
                print(json.dumps(row), file=out)
        temporary.replace(self.path)
        self.out = open(self.path, "a", encoding="utf-8")  # pylint: disable=consider-using-with

    def add(self, row):
        self.rows[row["name"]] = row
        print(json.dumps(row), file=self.out, flush=True)


class Equivalents:
    """ci/mutants-equivalent.txt. An entry is four lines or more:

        PATH FUNCTION
        - the lines touched, as they are
        + as the mutant has them; `*` for all mutants of those lines, in both for all of the function
        = why no program could tell them apart
    """

    def __init__(self, path):
        self.entries = {}  # key: reason
        self.used = set()
        place = before = after = None
        for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            mark, text = line[:2], line[2:].strip()
            if mark == "- ":
                before = text
            elif mark == "+ ":
                after = text
                self.entries[(*place, before, after)] = ""
            elif mark == "= ":
                for key in self.open_entries():
                    self.entries[key] = text
            elif mark == "  ":
                for key in reversed(self.entries):
                    self.entries[key] += " " + text
                    break
            else:
                found = ENTRY.fullmatch(line)
                if not found:
                    raise ValueError(f"{path}:{number}: neither an entry's first line nor a part of one")
                place = found["path"], found["function"]
        missing = self.open_entries()
        if missing:
            raise ValueError(f"{path}: {' '.join(missing[0][:2])}: no reason")

    def open_entries(self):
        return [key for key, reason in self.entries.items() if not reason]

    def keys_of(self, mutant):
        path, function, before, after = mutant.key
        return (path, function, before, after), (path, function, before, "*"), (path, function, "*", "*")

    def has(self, mutant):
        for key in self.keys_of(mutant):
            if key in self.entries:
                return True
        return False

    def stale(self, mutants, paths):
        """Entries of these files that are no mutant's any more."""
        live = {key for mutant in mutants for key in self.keys_of(mutant)}
        return [key for key in self.entries if key[0] in paths and key not in live]
