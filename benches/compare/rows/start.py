"""How soon the command runs, and how large it is."""

import os
import statistics
import time

from ..bench import Bench
from ..errors import Failure
from ..report import Section, Table, figure

STARTS = 50


def measure(bench: Bench) -> Section:
    section = Section("start", "The command")
    times = [_start(bench.tulip) * 1000 for _ in range(STARTS)]
    median, megabytes = statistics.median(times), bench.tulip.stat().st_size / 1e6
    section.parts = [
        Table(
            [f"`tulip --version`, ms, of {STARTS} runs", "binary, MB"],
            [[f"{figure(median)} [{figure(min(times))}–{figure(max(times))}]", figure(megabytes)]],
        )
    ]
    section.at_most("starts in < 10 ms", median, 10, "ms")
    section.at_most("binary < 20 MB", megabytes, 20, "MB")
    return section


def _start(program) -> float:
    to_null = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    began = time.monotonic()
    pid = os.posix_spawn(program, [program, "--version"], {}, file_actions=to_null)
    _, status = os.waitpid(pid, 0)
    took = time.monotonic() - began
    if status:
        raise Failure(f"{program} --version ended with status {os.waitstatus_to_exitcode(status)}")
    return took
