"""What turns a mutant into a program and has it judged: one file compiled, archives that are there linked to it, `assay
check` run on it in a process of its own."""
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass

PRESET = "release"
ARCHIVES = ("libassay_front.a", "libassay.a", "libassay_allocators.a")
SECONDS_MAX = 600  # for one mutant: far above what any budget of programs needs
CPU_SECONDS_MAX = 300


class BuildError(Exception):
    """What could not be built is not the mutant but assay."""


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode:
        raise BuildError(f"{shlex.join(map(str, command))}\n{done.stdout.decode(errors='replace')}")
    return done.stdout


@dataclass(frozen=True)
class Verdict:
    outcome: str  # killed, survived, or stuck: no verdict within the limits above
    rule: str = ""
    program: int = 0  # number of the one that killed it
    cpu_ms: float = 0


class Bench:
    """Copies of the archives, so that a build beside it does not change what is measured, and the compiler's flags."""

    def __init__(self, root, folder):
        self.root, self.folder = pathlib.Path(root), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        build = self.root / "build" / PRESET
        if not (build / "build.ninja").exists():
            run(["cmake", "--preset", PRESET], cwd=self.root)
        run(["cmake", "--build", "--preset", PRESET, "--target", "front", "libassay", "allocators"], cwd=self.root)
        commands = json.loads((build / "compile_commands.json").read_text())
        self.commands = {os.path.relpath(c["file"], self.root): shlex.split(c["command"]) for c in commands
                         if "CMakeFiles/allocators.dir" in c["command"] or "CMakeFiles/assay.dir" in c["command"]}
        with tempfile.TemporaryDirectory(dir=self.folder) as new:
            parts, digest = self.collect(pathlib.Path(new), build), hashlib.sha256()
            for part in parts:
                digest.update(part.read_bytes())
            self.fingerprint = digest.hexdigest()[:16]
            self.folder = self.folder / self.fingerprint  # another run may judge by an older one
            if not self.folder.exists():
                shutil.copytree(new, self.folder)
        self.parts = [self.folder / part.name for part in parts]
        self.linker = ["-fuse-ld=gold"] if shutil.which("ld.gold") else []

    def collect(self, folder, build):
        """What a mutant is linked to: the program's own files, compiled anew, and the archives without debug information."""
        parts = []
        for path in [path for path in self.commands if not path.startswith("allocators/")]:
            parts.append(folder / (pathlib.Path(path).stem + ".o"))
            run([*self.command(path), str(self.root / path), "-o", str(parts[-1])])
        for name in ARCHIVES:
            parts.append(folder / name)
            run(["strip", "-g", "-o", str(parts[-1]), str(build / name)])
        return parts

    def flags(self, path):
        """Those that say what the source means."""
        return [word for word in self.commands[path] if word.startswith(("-I", "-D", "-std="))]

    def command(self, path):
        """Compiles quietly, without debug information, and without what puts off the work until the link."""
        words = self.commands[path]
        kept = [w for w in words[:words.index("-o")] if not w.startswith(("-W", "-g", "-flto", "-fno-fat", "-ffat"))]
        return [*kept, "-w", "-g0", "-fno-lto", "-c"]

    def compile(self, path, source):
        """The object code of the file with this text; None if it is no C."""
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".o") as out:
            done = subprocess.run([*self.command(path), "-x", "c", "-", "-o", out.name], input=source, check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return None if done.returncode else pathlib.Path(out.name).read_bytes()

    def link(self, code, program):
        """The mutant's object comes before the archive, so that the archive's own is not taken."""
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".o") as part:
            pathlib.Path(part.name).write_bytes(code)
            run(["gcc", "-fno-lto", *self.linker, "-rdynamic", "-s", part.name, *map(str, self.parts), "-ldl", "-o",
                 str(program)])

    def judge(self, code, allocator, programs):
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            program = pathlib.Path(folder, "assay")
            self.link(code, program)
            return check(program, allocator, programs, folder)


def check(program, allocator, programs, folder):
    """`assay check`, which stops at the first broken rule, and the processor time of all its processes."""
    command = [str(program), "check", allocator, "--programs", str(programs), "--jobs", "1", "--format", "json", "--quiet",
               "--no-minimize", "--out", str(pathlib.Path(folder, "out"))]
    with open(pathlib.Path(folder, "report"), "w+b") as report:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=report, stderr=subprocess.DEVNULL,
                                 start_new_session=True)
        alarm = threading.Timer(SECONDS_MAX, os.killpg, (child.pid, signal.SIGKILL))
        alarm.start()
        _, status, usage = os.wait4(child.pid, 0)
        alarm.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        report.seek(0)
        lines = [json.loads(line) for line in report if line.startswith(b"{")]
    cpu_ms = round((usage.ru_utime + usage.ru_stime) * 1000, 1)
    finding = next((line for line in lines if line["type"] == "finding"), None)
    if finding:
        return Verdict("killed", finding["rule"], finding["index"] + 1, cpu_ms)
    if child.returncode == 0:
        return Verdict("survived", cpu_ms=cpu_ms)
    return Verdict("stuck", f"exit status {child.returncode}", 0, cpu_ms)
