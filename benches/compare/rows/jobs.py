"""Many archives that are complete already, several at once."""

from .. import peers
from ..bench import Bench, api
from ..nginx import nginx
from ..report import Section, comparison, figure, size

JOBS = 1000
AT_ONCE = 32
ARCHIVE = 1_000_000


def measure(bench: Bench) -> Section:
    section = Section("jobs", "Many archives")
    archive = bench.archives.of(ARCHIVE)
    with (
        bench.folder("kept") as kept,
        bench.folder("nginx") as folder,
        nginx(folder / "run", bench.archives.folder) as server,
    ):
        tools = [
            peers.tulip_jobs(bench, archive, ARCHIVE, JOBS, AT_ONCE),
            peers.asyncio_jobs(bench, server, archive, ARCHIVE, JOBS, AT_ONCE),
            peers.asyncio_jobs(bench, server, archive, ARCHIVE, JOBS, AT_ONCE, "--fsync"),
        ]
        bench.need_room(len(tools) * bench.runs * JOBS * ARCHIVE)
        results = bench.runner(api(server.url), kept=kept).alternate(
            "jobs", tools, bench.runs,
            {
                "requests": lambda: server.counts().requests,
                "connections": lambda: server.counts().connections,
            },
        )
    section.parts = [
        f"{JOBS:,} complete jobs of {size(ARCHIVE)}, {AT_ONCE} at once, to the local disk. Requests are "
        "those for status and archive together, as nginx counts them.",
        comparison(
            results,
            ("jobs/s", lambda series: figure(JOBS / series.wall)),
            ("requests per job", lambda series: figure(series.count("requests") / JOBS)),
            ("connections", lambda series: f"{series.count('connections'):,.0f}"),
        ),
    ]
    ours = results[peers.OURS]
    for name in ("asyncio", "asyncio --fsync"):
        section.at_least(f"jobs/s ≥ 3 × those of {name}", results[name].wall / ours.wall, 3)
    return section
