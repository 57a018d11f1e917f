"""One archive from a host that gives a single connection little of what it could."""

from .. import peers
from ..bench import Bench, api
from ..measure import Series
from ..nginx import THROTTLED_RATE, job, nginx
from ..report import Section, comparison, size

RATE = f"{THROTTLED_RATE // 1_000_000} MB/s"


def measure(bench: Bench) -> Section:
    section = Section("throttled", "From a host that holds back")
    bench.need_room(bench.size)
    section.parts.append(
        f"An archive of {size(bench.size)}, as object stores serve it: one connection is given {RATE}, "
        "several are given several times that."
    )
    for heading, pace, paced in (
        (f"Each request is given {RATE} (nginx's `limit_rate`, which begins anew with every request, and "
         "lets the first second's worth of each pass at once):", "slow", False),
        (f"Each connection is given {RATE} (paced by the kernel, whatever is asked for on it):", "fast", True),
    ):
        results = _measure(bench, pace, paced)
        section.parts += [heading, comparison(results)]
        ours, by = results[peers.OURS].wall, "connection" if paced else "request"
        section.at_most(f"by {by}: wall ≤ 0.1 × curl's", ours / results["curl"].wall, 0.1)
        section.at_most(f"by {by}: wall ≤ 0.6 × aria2c's", ours / results["aria2c -x8 -s8"].wall, 0.6)
    return section


def _measure(bench: Bench, pace: str, paced: bool) -> dict[str, Series]:
    archive = bench.archives.of(bench.size)
    with bench.folder("nginx") as folder, nginx(folder / "run", bench.archives.folder, paced=paced) as server:
        url = server.archive(bench.size, pace)
        tools = [
            peers.tulip(bench, archive, job(bench.size, pace=pace)),
            peers.curl(bench, archive, url),
            peers.aria2c(bench, archive, url),
            peers.rclone_copyurl(bench, archive, url),
        ]
        return bench.runner(api(server.url)).alternate("throttled", tools, bench.runs)
