"""One archive over TLS, from a certificate authority of our own."""

from .. import peers
from ..bench import Bench, api
from ..certificates import certificates
from ..nginx import job, nginx
from ..report import Section, comparison, size


def measure(bench: Bench) -> Section:
    section = Section("tls", "Over TLS")
    bench.need_room(bench.size)
    archive = bench.archives.of(bench.size)
    with bench.folder("nginx") as folder:
        issued = certificates(folder / "certificates")
        with nginx(folder / "run", bench.archives.folder, issued) as server:
            url = server.archive(bench.size)
            tools = [
                peers.tulip(bench, archive, job(bench.size), "--ca-file", issued.authority),
                peers.curl(bench, archive, url, "--cacert", issued.authority),
                peers.rclone_copyurl(bench, archive, url, "--ca-cert", issued.authority),
            ]
            results = bench.runner(api(server.url)).alternate("tls", tools, bench.runs)
    ours, curl = results[peers.OURS], results["curl"]
    section.parts = [
        f"An archive of {size(bench.size)} to the local disk; nginx encrypts on the same processors.",
        comparison(results),
    ]
    section.at_most("wall less than curl's", ours.wall / curl.wall, 1)
    section.at_most("CPU less than curl's", ours.cpu / curl.cpu, 1)
    return section
