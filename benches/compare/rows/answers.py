"""One archive from a host that thinks about each request before it answers."""

from .. import peers
from ..bench import Bench, api
from ..measure import Series
from ..nginx import THROTTLED_RATE, job, nginx
from ..report import Section, comparison, size

RATE = f"{THROTTLED_RATE // 1_000_000} MB/s"


def measure(bench: Bench) -> Section:
    section = Section("answers", "From a host that is slow to answer")
    bench.need_room(bench.size)
    section.parts.append(
        f"An archive of {size(bench.size)}; each request for it waits before it is answered, as those to object stores do."
    )
    for heading, name, delay, paced in (
        ("Answers after 30 ms, and nothing is held back:", "30 ms", 30, False),
        ("Answers after 8 ms, and nothing is held back:", "8 ms", 8, False),
        (f"Answers after 30 ms, and each connection is given {RATE}:", f"30 ms, {RATE} each", 30, True),
    ):
        results = _measure(bench, delay, paced)
        section.parts += [heading, comparison(results)]
        ours = results[peers.OURS].wall
        section.at_most(f"{name}: wall less than curl's", ours / results["curl"].wall, 1)
    return section


def _measure(bench: Bench, delay: int, paced: bool) -> dict[str, Series]:
    archive = bench.archives.of(bench.size)
    archives = bench.archives.folder
    with bench.folder("nginx") as folder, nginx(folder / "run", archives, paced=paced, delay=delay) as server:
        url = server.archive(bench.size, "late")
        tools = [
            peers.tulip(bench, archive, job(bench.size, pace="late")),
            peers.curl(bench, archive, url),
            peers.aria2c(bench, archive, url),
            peers.rclone_copyurl(bench, archive, url),
        ]
        return bench.runner(api(server.url)).alternate("answers", tools, bench.runs)
