#!/usr/bin/env python3
# presets: release
"""The GitHub action and the workflows: what stands in the YAML is read, and the action's steps are run as GitHub runs them,
in a scratch folder, on libraries and adapters that are right and wrong. Needs python3-yaml."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    print("python3-yaml is not installed")
    sys.exit(77)

SOURCE = pathlib.Path(os.environ["ASSAY_SOURCE"]).resolve()
ASSAY = pathlib.Path(os.environ["ASSAY"]).resolve()
CC = os.environ["ASSAY_CC"].split()
HELD, BROKEN, NOT_JUDGED = 0, 1, 2


class Wrong(Exception):
    pass


def demand(condition, what):
    if not condition:
        raise Wrong(what)


def read(path):
    with open(SOURCE / path, encoding="utf-8") as file:
        return yaml.safe_load(file)


# ---- The action, as GitHub runs it -------------------------------------------------------------------------------------

ACTION = read("action.yml")


def expand(text, values):
    """The only expressions that the action uses: ${{ inputs.X }} and ${{ steps.X.outputs.Y }}."""
    def value(match):
        demand(match[1] in values, f"{match[0]} is not declared")
        return values[match[1]]
    return re.sub(r"\$\{\{ *([a-z.]+) *\}\}", value, text)


class Run:
    """One `uses:` with these inputs, in a folder; its exit status, log, summary and outputs."""

    def __init__(self, workspace, action_path, **given):
        demand(set(given) <= set(ACTION["inputs"]), "an input that the action does not declare")
        values = {f"inputs.{name}": given.get(name, facts["default"]) for name, facts in ACTION["inputs"].items()}
        self.status, self.log = 0, ""
        files = {name: workspace / f".{name}" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        self.summary = ""
        for step in ACTION["runs"]["steps"]:
            for file in files.values():
                file.write_text("")
            env = {name: expand(text, values) for name, text in step.get("env", {}).items()}
            env |= {name: str(path) for name, path in files.items()}
            env |= {"GITHUB_ACTION_PATH": str(action_path), "GITHUB_WORKSPACE": str(workspace), "PATH": os.environ["PATH"],
                    "HOME": str(workspace), "CC": CC[0]}
            script = workspace / ".step.sh"
            script.write_text(step["run"])
            run = subprocess.run(["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script], cwd=workspace, env=env,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            self.log += run.stdout.decode()
            self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
            for line in files["GITHUB_OUTPUT"].read_text().splitlines():
                name, value = line.split("=", 1)
                values[f"steps.{step.get('id')}.outputs.{name}"] = value
            self.status = run.returncode
            if self.status:
                break
        self.outputs = {}
        for name, facts in ACTION["outputs"].items():
            demand(re.fullmatch(r"\$\{\{ steps\.[a-z]+\.outputs\.[a-z]+ \}\}", facts["value"]), f"output {name}")
            self.outputs[name] = values.get(facts["value"][4:-3], "")

    def results(self, workspace):
        found = []
        for report in sorted((workspace / self.outputs["sarif"]).glob("*.sarif")):
            found += json.loads(report.read_text())["runs"][0]["results"]
        return found


def check_action_is_whole():
    demand(ACTION["name"] and ACTION["description"], "no name or description")
    demand(ACTION["runs"]["using"] == "composite", "no composite action")
    for name, facts in ACTION["inputs"].items():
        demand(facts["description"] and isinstance(facts["default"], str), f"input {name}")
    for step in ACTION["runs"]["steps"]:
        demand(step["shell"] == "bash", f"{step['name']}: a step of a composite action names its shell")
        demand("${{" not in step["run"], f"{step['name']}: what a user gives must not become a part of the script")
    used = set(re.findall(r"inputs\.([a-z]+)", json.dumps(ACTION["runs"])))
    demand(used == set(ACTION["inputs"]), f"inputs that are not used: {set(ACTION['inputs']) ^ used}")


FEW = {"programs": "300", "args": "--jobs 1"}  # the library has room for so many


def library(workspace, name, *options):
    subprocess.run([*CC, "-O1", "-w", "-fno-builtin", "-DREGION_BYTES=268435456u", "-shared", "-fPIC", *options,
                    SOURCE / "tests/broken_malloc.c", "-o", workspace / name], check=True)


def check_action(workspace):
    # The tree as a checkout of the action is, with the program built already.
    tree = workspace / "action"
    (tree / "build/release").mkdir(parents=True)
    for part in ("ci", "allocators"):
        (tree / part).symlink_to(SOURCE / part)
    (tree / "ci").unlink()
    (tree / "ci").mkdir()
    for script in ("action", "setup"):
        (tree / "ci" / script).write_bytes((SOURCE / "ci" / script).read_bytes())
        (tree / "ci" / script).chmod(0o755)
    (tree / "build/release/assay").symlink_to(ASSAY)

    library(workspace, "libgood.so")
    run = Run(workspace, tree, allocator="./libgood.so", **FEW)
    demand(run.status == HELD, f"a right library: {run.status}\n{run.log}")
    demand(run.outputs["verdict"] == "PASS" and "PASS" in run.summary, f"outputs {run.outputs}\n{run.summary}")
    demand(not run.results(workspace), "results on a right library")

    library(workspace, "libbroken.so", "-DBUG_MISALIGNS")
    run = Run(workspace, tree, allocator="./libbroken.so", seconds="3", args="--jobs 1")
    demand(run.status == BROKEN, f"a wrong library: {run.status}\n{run.log}")
    demand(run.outputs["verdict"] == "FAIL", f"outputs {run.outputs}")
    results = run.results(workspace)
    demand([r["ruleId"] for r in results] == ["A2"], "the SARIF report does not have the finding")
    demand("A2" in run.summary and "assay replay ./libbroken.so" in run.summary, f"summary:\n{run.summary}")
    demand(re.search(r"^::error title=assay A2::\./libbroken\.so: [^\n]*%0AReplay: ", run.log, re.M), run.log)
    kept = list((workspace / run.outputs["findings"]).glob("*.ops"))
    demand(len(kept) == 1 and kept[0].read_text().strip() in run.log, "the program is not in the log")

    # What was found is a regression from then on, which a mended library passes.
    (workspace / "mine").mkdir()
    kept[0].rename(workspace / "mine/one.ops")
    run = Run(workspace, tree, allocator="./libbroken.so", seconds="0", corpus="mine")
    demand(run.status == BROKEN and run.results(workspace), f"replay on the wrong library: {run.status}\n{run.log}")
    run = Run(workspace, tree, allocator="./libgood.so", corpus="mine", **FEW)
    demand(run.status == HELD, f"replay on the right library: {run.status}\n{run.log}")
    names = {p.name for p in (workspace / run.outputs["sarif"]).iterdir()}
    demand(names == {"replay.sarif", "check.sarif"}, f"reports {names}")

    library(workspace, "libprefixed.so", "-DPREFIX=x_")
    run = Run(workspace, tree, allocator="./libprefixed.so", prefix="x_", profile="-errno", **FEW)
    demand(run.status == HELD, f"a prefix: {run.status}\n{run.log}")

    run = Run(workspace, tree, sources=str(SOURCE / "examples/arena/arena.c"), seconds="1", seed="7")
    demand(run.status == HELD, f"an adapter: {run.status}\n{run.log}")

    for given in ({}, {"allocator": "./there-is-none.so"}, {"allocator": "./libgood.so", "args": "--no-such-option"},
                  {"allocator": "./libgood.so", "seconds": "soon"}, {"sources": "there-is-none.c"},
                  {"allocator": "./libgood.so", "corpus": "there-is-none"},
                  {"allocator": "$(touch run-by-the-shell); touch run-by-the-shell"}):
        run = Run(workspace, tree, **given)
        demand(run.status == NOT_JUDGED, f"{given}: {run.status}\n{run.log}")
        demand("::error title=assay could not judge::" in run.log, f"{given}: no annotation\n{run.log}")
        demand("could not judge" in run.summary and run.outputs["verdict"] == "ERROR", f"{given}: {run.summary}")
    demand(not (workspace / "run-by-the-shell").exists(), "an input was run by the shell")


# ---- The workflows -------------------------------------------------------------------------------------------------------

def check_workflows():
    seen = set()
    for path in sorted((SOURCE / ".github/workflows").glob("*.yml")):
        flow = read(path)
        triggers = flow[True]  # YAML takes `on` for a truth
        seen |= set(triggers)
        demand(flow["permissions"] == {"contents": "read"}, f"{path.name}: more rights than it needs")
        for name, job in flow["jobs"].items():
            demand(re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"]), f"{path.name}: {name} runs on whatever is newest")
            demand(0 < job["timeout-minutes"] <= 360, f"{path.name}: {name} has no end")
            for step in job["steps"]:
                check_step(path.name, step)
    demand({"push", "pull_request", "schedule"} <= seen, f"triggers {seen}")


def check_step(where, step):
    demand(("uses" in step) != ("run" in step), f"{where}: {step}")
    uses = step.get("uses", "")
    if uses == "./":
        demand(set(step["with"]) <= set(ACTION["inputs"]), f"{where}: inputs {set(step['with'])}")
        for name in ("sources", "corpus"):
            demand((SOURCE / step["with"].get(name, ".")).exists(), f"{where}: {name}")
    elif uses:
        demand(re.fullmatch(r"[\w-]+/[\w/-]+@(v\d+|[0-9a-f]{40})", uses), f"{where}: {uses} is not pinned")
    demand("${{" not in step.get("run", ""), f"{where}: an expression in a script")
    command = step.get("run", "").split(" ")[0]
    if command.startswith("ci/"):
        demand(os.access(SOURCE / command, os.X_OK), f"{where}: there is no {command}")


failed = 0
with tempfile.TemporaryDirectory() as scratch:
    for check, arguments in ((check_action_is_whole, ()), (check_workflows, ()), (check_action, (pathlib.Path(scratch),))):
        try:
            check(*arguments)
            print(f"ok    {check.__name__}")
        except (Wrong, OSError, ValueError, KeyError, yaml.YAMLError, subprocess.SubprocessError) as wrong:
            failed += 1
            print(f"FAIL  {check.__name__}: {type(wrong).__name__}: {wrong}")
sys.exit(failed > 0)
