"""The tools that download one archive to the local disk, beside each other, from a host of some kind."""

from . import peers
from .bench import Bench, api
from .measure import Series
from .nginx import job, nginx


def download(bench: Bench, row: str, pace: str, **host) -> dict[str, Series]:
    """All of them in turns; `host` is what nginx is told of itself."""
    archive = bench.archives.of(bench.size)
    with bench.folder("nginx") as folder, nginx(folder / "run", bench.archives.folder, **host) as server:
        url = server.archive(bench.size, pace)
        tools = [
            peers.tulip(bench, archive, job(bench.size, pace=pace)),
            peers.curl(bench, archive, url),
            peers.aria2c(bench, archive, url),
            peers.rclone_copyurl(bench, archive, url),
        ]
        return bench.runner(api(server.url)).alternate(row, tools, bench.runs)
