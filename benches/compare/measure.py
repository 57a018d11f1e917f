"""Runs the tools in turns, and says what each run took."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .errors import Failure
from .processes import end

BLOCK = 1 << 20


@dataclass
class Run:
    wall: float  # seconds
    cpu: float  # seconds, user and system
    peak: float  # MiB
    # What the probes of `alternate` counted.
    counts: dict[str, float] = field(default_factory=dict)


@dataclass
class Series:
    """All runs of one tool."""

    runs: list[Run] = field(default_factory=list)

    @property
    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    @property
    def fastest(self) -> float:
        return min(run.wall for run in self.runs)

    @property
    def slowest(self) -> float:
        return max(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

    @property
    def peak(self) -> float:
        return max(run.peak for run in self.runs)

    def count(self, name: str) -> float:
        return statistics.median(run.counts[name] for run in self.runs)


@dataclass
class Tool:
    name: str
    command: list
    # The files that a run must leave.
    leaves: list[Path]
    # What each of them must be like. None: about `size` bytes, as nothing to compare with is stored.
    source: Path | None = None
    size: int = 0


class Runner:
    """Runs tools; `folders` are what they write to, and are empty before each run.

    What a run has written goes to the folder `kept`, if there is one, instead of being removed. File
    systems that look past every file that was removed lately when they make another (ext4 without a
    journal) would have each run pay for the thousands of files of the one before.
    """

    def __init__(
        self, scratch: Path, folders: list[Path], environment: dict[str, str], kept: Path | None = None
    ):
        self.scratch = scratch
        self.folders = folders
        self.environment = environment
        self.kept = kept

    def alternate(
        self,
        row: str,
        tools: list[Tool],
        rounds: int,
        probes: dict[str, Callable[[], float]] | None = None,
    ) -> dict[str, Series]:
        """Every tool once, then every tool again: what troubles the machine troubles all alike.

        A probe is read before and after each run, and the difference kept.
        """
        probes = probes or {}
        results = {tool.name: Series() for tool in tools}
        for number in range(1, rounds + 1):
            for tool in tools:
                self._empty()
                before = {name: probe() for name, probe in probes.items()}
                run = self._run(tool)
                run.counts = {name: probe() - before[name] for name, probe in probes.items()}
                _check(tool, whole=number == 1)
                results[tool.name].runs.append(run)
                say(
                    f"{row} {number}/{rounds} {tool.name}: {run.wall:.2f} s, "
                    f"cpu {run.cpu:.2f} s, peak {run.peak:.0f} MiB"
                )
        self._empty()
        return results

    def prepared(self) -> dict[str, str]:
        """Empties the folders, and returns the environment: for a run that is measured otherwise."""
        self._empty()
        return self.environment

    def _empty(self) -> None:
        os.sync()
        for folder in self.folders:
            if self.kept and folder.exists():
                folder.rename(self.kept / str(len(list(self.kept.iterdir()))))
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        if self.kept:
            _forget(self.kept)
        os.sync()

    def _run(self, tool: Tool) -> Run:
        log, peak = self.scratch / "stderr", self.scratch / "peak"
        # A process that Python has started is charged with Python's own memory, which it shared until
        # it became another program. `time` is small, and starts the tool as a child of its own.
        command = ["time", "--quiet", "--format=%M", f"--output={peak}", *map(str, tool.command)]
        with open(log, "wb") as stderr:
            began = time.monotonic()
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                env=self.environment, process_group=0,
            )
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                end(process)
                raise
            wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failure(
                f"{tool.name} failed with status {process.returncode}:\n"
                f"{log.read_text(errors='replace')[-4000:]}"
            )
        return Run(wall, usage.ru_utime + usage.ru_stime, int(peak.read_text()) / 1024)


def _forget(folder: Path) -> None:
    """Has the page cache let go of the files below the folder, as if they were removed."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _check(tool: Tool, whole: bool) -> None:
    for path in tool.leaves:
        if not path.is_file():
            raise Failure(f"{tool.name} left no {path.name}, though it reported success")
        found, expected = path.stat().st_size, tool.source.stat().st_size if tool.source else tool.size
        tolerance = 0 if tool.source else 0.02 * expected
        if abs(found - expected) > tolerance:
            raise Failure(f"{tool.name} left {found} bytes where there should be {expected}")
        if whole and tool.source and not _same(path, tool.source):
            raise Failure(f"{tool.name} left other bytes than the source has")


def _same(path: Path, other: Path) -> bool:
    with open(path, "rb", buffering=0) as left, open(other, "rb", buffering=0) as right:
        while block := left.read(BLOCK):
            if block != right.read(BLOCK):
                return False
        return True


def say(what: str) -> None:
    print(f"compare: {what}", file=sys.stderr, flush=True)
