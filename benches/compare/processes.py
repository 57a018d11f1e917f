"""Servers in the background: started, awaited, stopped."""

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from .errors import Failure

START_DEADLINE = 60  # seconds
STOP_DEADLINE = 10


def end(process: subprocess.Popen) -> None:
    """Ends a process that was started as the leader of a group, and whatever it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


@contextmanager
def background(name: str, command: list, log: Path, **settings):
    """A process that runs until the block ends; all that it says goes to `log`.

    It has a process group of its own, so that the terminal's Ctrl-C does not reach it before it is
    stopped in its turn.
    """
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, process_group=0, **settings,
        )
    process.name, process.log = name, log
    try:
        yield process
    finally:
        end(process)


def await_words(process: subprocess.Popen, pattern: str) -> re.Match:
    """Waits until the log of a process in the background has something that matches."""
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        text = process.log.read_text(errors="replace")
        if found := re.search(pattern, text):
            return found
        if process.poll() is not None:
            raise Failure(f"{process.name} ended at once:\n{text[-2000:]}")
        time.sleep(0.05)
    raise Failure(f"{process.name} was not ready within {START_DEADLINE} s:\n{text[-2000:]}")


def processor_seconds(pid: int) -> float:
    """User and system time of a process that runs, all of its threads together."""
    # The name in parentheses can hold spaces; user and system time are the 14th and 15th field.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """The most memory that a process that runs has had resident so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024
