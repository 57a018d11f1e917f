"""Runs the rows that were asked for. run.sh starts this, with the Python that has the peers."""

import os
import signal
import sys
import tempfile
from pathlib import Path

from . import machine, options, plots
from .archives import Archives
from .bench import Bench
from .errors import Failure
from .measure import say
from .report import Section, markdown
from .rows import ROWS

MEMORY = Path("/dev/shm")


def main() -> int:
    copy_loop, *arguments = sys.argv[1:]
    wanted = options.parse(arguments)
    # Servers are stopped and folders removed on the way out. A shell has SIGINT ignored by what it runs
    # in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _compare(wanted, Path(copy_loop))
    except Failure as failure:
        say(str(failure))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _compare(wanted, copy_loop: Path) -> None:
    prefix = "tulip-compare."
    with (
        tempfile.TemporaryDirectory(prefix=prefix, dir=wanted.work) as work,
        tempfile.TemporaryDirectory(prefix=prefix, dir=MEMORY) as memory,
    ):
        archives = Archives(wanted.tulip, Path(memory), Path(work))
        bench = Bench(wanted.tulip, copy_loop, wanted.runs, wanted.size, Path(work), archives)
        described = machine.describe(bench)
        sections: list[Section] = []
        try:
            for name in wanted.rows:
                sections.append(ROWS[name].measure(bench))
        finally:
            # What was measured before a row failed was dear enough.
            if sections:
                _publish(markdown(described, sections), sections, wanted.out)


def _publish(text: str, sections: list[Section], out: Path | None) -> None:
    print(text, flush=True)
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(text)
    for section in sections:
        for plot in section.plots:
            plots.draw(plot, out)
    say(f"report.md and plots are in {os.fspath(out)}")


sys.exit(main())
