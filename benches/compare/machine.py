"""What the figures were measured on, and with."""

import datetime
import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from . import nginx
from .bench import Bench

PYTHON_PEERS = ("boto3", "requests", "aiohttp", "awscli")


def describe(bench: Bench) -> list[str]:
    """Lines of Markdown."""
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1]) / (1 << 20)
    tools = [
        _version(["curl", "--version"]),
        _version(["wget", "--version"]),
        _version(["aria2c", "--version"]),
        _version([bench.rclone, "version"]),
        _version([nginx.program(), "-v"]),
        f"Python {platform.python_version()}",
        *(f"{name} {metadata.version(name)}" for name in PYTHON_PEERS),
    ]
    return [
        f"{datetime.date.today()}, {_version([bench.tulip, '--version'])} of commit {_commit(bench.tulip)}; "
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, Linux {platform.release()}; "
        f"files on {_file_system(bench.work)}; each tool run {_times(bench.runs)}.",
        "",
        f"{', '.join(tools)}.",
    ]


def _version(command: list) -> str:
    """The name and version that a program begins with."""
    done = subprocess.run(command, capture_output=True, text=True)
    line = (done.stdout + done.stderr).splitlines()[0]
    return re.match(r"(nginx version: )?(.*?\d+\.[\w.]*\w)", line)[2]


def _commit(tulip: Path) -> str:
    """Of the checkout that the binary lies in."""
    describe = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(describe, cwd=tulip.parent, capture_output=True, text=True)
    return done.stdout.strip() or "unknown: the binary lies in no checkout"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _processor() -> str:
    found = re.search(r"(?m)^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _file_system(folder: Path) -> str:
    command = ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "an unknown file system"
