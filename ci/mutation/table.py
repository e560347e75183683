"""What a run comes to: in words, and as the table of docs/MUTATION.md."""
import collections
import json
import math
import pathlib
import subprocess
import time

BEGIN, END = "<!-- table -->", "<!-- end of table -->"


def percentile(values, percent):
    """The smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0


class Summary:
    def __init__(self, name, rows, counts, is_equivalent):
        self.name, self.counts = name, counts
        self.killed = [row for row in rows if row["outcome"] == "killed"]
        alive = [row for row in rows if row["outcome"] != "killed"]
        self.equivalent = [row for row in alive if is_equivalent(row)]
        self.survivors = [row for row in alive if not is_equivalent(row)]
        self.judged = len(rows)
        in_question = self.judged - len(self.equivalent)
        self.rate = 100 * len(self.killed) / in_question if in_question else 100.0
        times = [row["cpu_ms"] for row in self.killed]
        self.median_ms, self.p95_ms = percentile(times, 50), percentile(times, 95)

    def show(self):
        print(f"{self.name}: {self.judged} mutants judged ({self.counts['identical']} identical, "
              f"{self.counts['duplicate']} duplicates, {self.counts['no C']} not C): {len(self.killed)} killed, "
              f"{len(self.equivalent)} equivalent, {len(self.survivors)} survived: {self.rate:.2f} %")
        print(f"  processor time to kill: median {self.median_ms:.0f} ms, 95th percentile {self.p95_ms:.0f} ms")
        rules = collections.Counter(row["rule"] for row in self.killed)
        print("  killed by: " + ", ".join(f"{rule} {count}" for rule, count in rules.most_common()))
        for row in sorted(self.survivors, key=lambda row: place_key(row["place"])):
            verdict = "" if row["outcome"] == "survived" else f", no verdict ({row['rule']})"
            print(f"  {row['place']}: {row['function']}: {row['kind']} [{row['name']}]{verdict}\n"
                  f"    - {row['before']}\n    + {row['after']}")

    def save(self, path, arguments):
        """Only what was judged on every allocator alike is worth a table."""
        path.write_text(json.dumps({
            "judged": self.judged, "identical": self.counts["identical"] + self.counts["duplicate"],
            "killed": len(self.killed), "equivalent": len(self.equivalent), "survived": len(self.survivors),
            "rate": self.rate, "median_ms": self.median_ms, "p95_ms": self.p95_ms, "programs": arguments.programs,
            "sample": arguments.sample, "rules": collections.Counter(row["rule"] for row in self.killed).most_common(4),
            "date": time.strftime("%Y-%m-%d"), "commit": commit()}))


def total_rate(summaries):
    killed = sum(len(s.killed) for s in summaries)
    survived = sum(len(s.survivors) for s in summaries)
    return 100 * killed / (killed + survived) if killed + survived else 100.0


def commit():
    return subprocess.run(["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "--short", "HEAD"],
                          stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def place_key(place):
    path, line, column = place.rsplit(":", 2)
    return path, int(line), int(column)


def write(root, folder, names):
    """The table anew, from the summaries of the last runs."""
    lines = ["| allocator | judged | equivalent | killed | survived | kill rate | median | 95th percentile | programs | most by | on |",
             "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|"]
    for name in names:
        runs = [json.loads(path.read_text()) for path in pathlib.Path(folder).glob(f"{name}-*.summary")]
        if not runs:
            continue
        s = max(runs, key=lambda run: (run["judged"], run["programs"]))
        most = ", ".join(f"{rule} ({count})" for rule, count in s["rules"])
        lines.append(f"| {name} | {s['judged']} | {s['equivalent']} | {s['killed']} | {s['survived']} | {s['rate']:.1f} % | "
                     f"{s['median_ms']:.0f} ms | {s['p95_ms']:.0f} ms | {s['programs']} | {most} | {s['date']}, {s['commit']} |")
    page = pathlib.Path(root, "docs", "MUTATION.md")
    text = page.read_text()
    head, rest = text.split(BEGIN, 1)
    page.write_text(head + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + rest.split(END, 1)[1])
    return 0
