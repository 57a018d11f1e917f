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
        "--work", type=Path, metavar="DIR",
        help="where the tools write to, in a folder that is removed at the end; it must lie on the "
        "disk to be measured (default: $TMPDIR, or /tmp)",
    )
    return parser.parse_args(arguments)


def _program(text: str) -> Path:
    path = Path(text).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file; build it: cargo build --release -p tulip-cli")
    return path


def _rows(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in ROWS:
            raise argparse.ArgumentTypeError(f"there is no row {name!r}; there are {', '.join(ROWS)}")
    return names


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number


def _size(text: str) -> int:
    number = int(text)
    if number < 1 << 20:
        raise argparse.ArgumentTypeError("it must be 1048576 or more")
    return number


if __name__ == "__main__":
    parse(sys.argv[1:])
