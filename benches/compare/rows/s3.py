"""One archive to an S3 server."""

from .. import peers
from ..bench import Bench, api
from ..nginx import nginx
from ..processes import processor_seconds
from ..report import Section, comparison, figure, size
from ..store import BUCKET, store


def measure(bench: Bench) -> Section:
    section = Section("s3", "To an S3 server")
    bench.need_room(bench.size)
    archive = bench.archives.of(bench.size)
    with (
        bench.folder("nginx") as folder,
        bench.folder("store") as store_folder,
        bench.folder("unsigned") as unsigned_folder,
        nginx(folder / "run", bench.archives.folder) as server,
        store(bench.rclone, store_folder) as target,
        store(bench.rclone, unsigned_folder, keys=False) as unsigned,
    ):
        tools = peers.to_store(bench, server, target, archive, bench.size)
        tools.append(peers.copy_loop_to_store(bench, archive, server.archive(bench.size), unsigned))
        runner = bench.runner(
            {**api(server.url), **target.credentials}, target.data / BUCKET, unsigned.data / BUCKET
        )
        servers = {"server": lambda: processor_seconds(target.pid) + processor_seconds(unsigned.pid)}
        results = runner.alternate("s3", tools, bench.runs, servers)
    server_cpu = ("server's CPU, s", lambda series: figure(series.count("server")))
    server_share = ("its share of all CPU", lambda series: f"{_share(series):.0%}")
    section.parts = [
        f"An archive of {size(bench.size)} from nginx to rclone's S3 server, both on loopback, in parts of "
        f"{peers.PART >> 20} MiB, {peers.PARTS_AT_ONCE} at once (aws: its own choice). The server has the "
        "same processors, so its part of the work is shown.",
        "Over HTTP without TLS boto3 and aws always sign each payload, which is a SHA-256 of every byte; "
        "ours is compared as it is at Amazon, where payloads are not signed, and also with signed ones.",
        "The copy loop reads ranges of a part's size and sends them, four at once, and does nothing else: no "
        "checks, no checksum, no signatures.",
        comparison(results, server_cpu, server_share),
    ]
    ours = results[peers.OURS]
    others = [results[name].wall for name in ("rclone copyurl", "boto3", "curl | aws s3 cp -")]
    for name, peer in (("rclone's", "rclone copyurl"), ("boto3's", "boto3")):
        section.at_most(f"CPU ≤ 0.3 × {name}", ours.cpu / results[peer].cpu, 0.3)
    section.at_most("wall less than every other tool's", ours.wall / min(others), 1)
    return section


def _share(series) -> float:
    server = series.count("server")
    return server / (server + series.cpu)
