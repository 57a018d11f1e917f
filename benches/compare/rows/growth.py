"""How the cost of an export grows: with the archive's size, with the number of jobs, and with how many
of them go at once."""

from pathlib import Path

from .. import peers
from ..bench import Bench, api
from ..measure import Series
from ..nginx import Nginx, job, nginx
from ..report import Plot, Section, Table, figure, size, spread
from .memory import from_emulator

MIB = 1 << 20
SIZES = [MIB, 10 * MIB, 100 * MIB, 1024 * MIB, 2048 * MIB]
JOBS = [1, 10, 100, 1000, 10_000]
JOBS_AT_ONCE = 32
JOB_ARCHIVE = 10_000
CONCURRENCIES = [1, 2, 4, 8, 16, 32, 64]
CONCURRENT_JOBS = 200
CONCURRENT_ARCHIVE = 1_000_000


def measure(bench: Bench) -> Section:
    section = Section("growth", "Growth")
    bench.need_room(10 * bench.size)
    with bench.folder("nginx") as folder, nginx(folder / "run", bench.archives.folder) as server:
        _by_size(bench, server, section)
        with bench.folder("kept") as kept:
            _by_jobs(bench, server, section, kept)
            _by_concurrency(bench, server, section, kept)
    return section


def _by_size(bench: Bench, server: Nginx, section: Section) -> None:
    sizes = [wanted for wanted in SIZES if wanted < bench.size] + [bench.size]
    ours, curls = {}, {}
    for wanted in sizes:
        archive = bench.archives.of(wanted)
        tools = [
            peers.tulip(bench, archive, job(wanted)),
            peers.curl(bench, archive, server.archive(wanted)),
        ]
        results = bench.runner(api(server.url)).alternate(f"growth {size(wanted)}", tools, bench.runs)
        ours[wanted], curls[wanted] = results[peers.OURS], results["curl"]
    largest = 10 * bench.size
    section.parts += [
        f"One archive to the local disk, from nginx; the one of {size(largest)} comes from `tulip emulate`, "
        "which takes longer to make it, and was exported once. × is against the line above.",
        _steps("archive", {**ours, largest: from_emulator(bench, "growth", largest)}, size),
        "curl beside it, not synced: "
        + "; ".join(f"{size(wanted)} {spread(series)} s" for wanted, series in curls.items()) + ".",
    ]
    section.plots.append(
        Plot(
            "size.svg", "One archive to the local disk", "archive, MiB", "wall time, s",
            {
                name: [(wanted / MIB, series.wall) for wanted, series in results.items()]
                for name, results in ((peers.OURS, ours), ("curl (not synced)", curls))
            },
        )
    )


def _by_jobs(bench: Bench, server: Nginx, section: Section, kept: Path) -> None:
    archive = bench.archives.of(JOB_ARCHIVE)
    results = {}
    for count in JOBS:
        tool = peers.tulip_jobs(bench, archive, JOB_ARCHIVE, count, JOBS_AT_ONCE)
        runner = bench.runner(api(server.url), kept=kept)
        results[count] = runner.alternate(f"growth {count} jobs", [tool], bench.runs)[peers.OURS]
    section.parts += [
        f"Jobs of {size(JOB_ARCHIVE)}, {JOBS_AT_ONCE} at once, to the local disk:",
        _steps("jobs", results, "{:,}".format),
    ]


def _by_concurrency(bench: Bench, server: Nginx, section: Section, kept: Path) -> None:
    archive = bench.archives.of(CONCURRENT_ARCHIVE)
    results = {}
    for at_once in CONCURRENCIES:
        tool = peers.tulip_jobs(bench, archive, CONCURRENT_ARCHIVE, CONCURRENT_JOBS, at_once)
        runner = bench.runner(api(server.url), kept=kept)
        results[at_once] = runner.alternate(f"growth {at_once} at once", [tool], bench.runs)[peers.OURS]
    section.parts += [
        f"{CONCURRENT_JOBS} jobs of {size(CONCURRENT_ARCHIVE)} to the local disk, against how many go at once:",
        _steps("`--concurrency`", results, str),
    ]
    section.plots.append(
        Plot(
            "concurrency.svg", f"{CONCURRENT_JOBS} archives of {size(CONCURRENT_ARCHIVE)} to the local disk",
            "exports at once", "wall time, s",
            {peers.OURS: [(at_once, series.wall) for at_once, series in results.items()]},
            logarithmic=False,
        )
    )


def _steps(what: str, results: dict[int, Series], name) -> Table:
    """Each line beside how many times that of the line above it is."""
    table = Table([what, "×", "wall, s", "×", "CPU, s", "×", "peak, MiB", "×"])
    before = None
    for number, series in results.items():
        figures = [series.wall, series.cpu, series.peak]
        factors = ["", "", "", ""]
        if before:
            pairs = zip([number, *figures], before, strict=True)
            factors = [figure(later / earlier) for later, earlier in pairs]
        cells = [name(number), spread(series), figure(series.cpu), figure(series.peak)]
        table.lines.append([cell for pair in zip(cells, factors, strict=True) for cell in pair])
        before = [number, *figures]
    return table
