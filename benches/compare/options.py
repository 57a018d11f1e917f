"""The command line. Run by itself it only checks one, before anything is installed."""

import argparse
import sys
from pathlib import Path

from .rows import ROWS


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benches/compare/run.sh",
        description="Compares tulip with what people use today, and prints the result as Markdown.",
    )
    parser.add_argument("tulip", type=_program, help="the command, as built with --release")
    parser.add_argument(
        "--rows", type=_rows, default=list(ROWS), metavar="NAME,…",
        help=f"what to measure, by default everything: {', '.join(ROWS)}",
    )
    parser.add_argument(
        "--runs", type=_positive, default=5, metavar="N",
        help="how often each tool runs, in turns with the others (default: 5)",
    )
    parser.add_argument(
        "--size", type=_size, default=2 << 30, metavar="BYTES",
        help="of the archive, at least 1 MiB (default: 2 GiB); memory and growth also take ten times as much",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write report.md and the plots as well",
    )
    parser.add_argument(
        "--work", type=_folder, metavar="DIR",
        help="where the tools write to, in a folder that is removed at the end; it must lie on the "
        "disk to be measured (default: $TMPDIR, or /tmp)",
    )
    return parser.parse_args(arguments)


def _program(text: str) -> Path:
    path = Path(text).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file; build it: cargo build --release -p tulip-cli")
    return path


def _folder(text: str) -> Path:
    path = Path(text).resolve()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder; make it first")
    return path


def _rows(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in ROWS:
            raise argparse.ArgumentTypeError(f"there is no row {name!r}; there are {', '.join(ROWS)}")
    return names


def _positive(text: str) -> int:
    return _at_least(1, text)


def _size(text: str) -> int:
    return _at_least(1 << 20, text)


def _at_least(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"it must be a number, {least} or more")
    return int(text)


if __name__ == "__main__":
    parse(sys.argv[1:])
