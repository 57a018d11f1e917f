"""One archive to a file on the local disk."""

from .. import peers
from ..bench import Bench, api
from ..nginx import job, nginx
from ..report import Section, comparison, size


def measure(bench: Bench) -> Section:
    section = Section("disk", "To the local disk")
    bench.need_room(bench.size)
    archive = bench.archives.of(bench.size)
    with bench.folder("nginx") as folder, nginx(folder / "run", bench.archives.folder) as server:
        url = server.archive(bench.size)
        curl = peers.curl(bench, archive, url)
        copy_loop = peers.copy_loop(bench, archive, url)
        fetchers = [
            curl,
            peers.wget(bench, archive, url),
            peers.aria2c(bench, archive, url),
            peers.aria2c(bench, archive, url, "--file-allocation=none"),
            peers.rclone_copyurl(bench, archive, url),
        ]
        tools = [
            peers.tulip(bench, archive, job(bench.size)),
            *fetchers, copy_loop, peers.synced(curl), peers.synced(copy_loop),
            peers.disk_alone(bench, bench.size),
        ]
        results = bench.runner(api(server.url)).alternate("disk", tools, bench.runs)
    ours, fastest = results[peers.OURS], min(results[tool.name].wall for tool in fetchers)
    section.parts = [
        f"An archive of {size(bench.size)} from nginx on loopback, which reads it from memory. Whatever has "
        "no sync in its name leaves the file to the page cache; ours is on the disk when it ends. The disk "
        "alone is written to from memory, by one block of 1 MiB after the other.",
        comparison(results),
    ]
    section.at_most(
        "wall ≤ 0.5 × the fastest of curl, wget, aria2c -x8 and rclone copyurl", ours.wall / fastest, 0.5
    )
    section.at_most("CPU ≤ 0.6 × curl's", ours.cpu / results["curl"].cpu, 0.6)
    section.at_most("wall ≤ 1.25 × the copy loop's", ours.wall / results["copy loop"].wall, 1.25)
    return section
