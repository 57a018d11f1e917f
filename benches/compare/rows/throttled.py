"""One archive from a host that gives a single connection little of what it could."""

from .. import peers
from ..bench import Bench
from ..hosts import download
from ..nginx import THROTTLED
from ..report import Section, comparison, size


def measure(bench: Bench) -> Section:
    section = Section("throttled", "From a host that holds back")
    bench.need_room(bench.size)
    section.parts.append(
        f"An archive of {size(bench.size)}, as object stores serve it: one connection is given {THROTTLED}, "
        "several are given several times that."
    )
    for heading, pace, paced in (
        (f"Each request is given {THROTTLED} (nginx's `limit_rate`, which begins anew with every request, and "
         "lets the first second's worth of each pass at once):", "slow", False),
        (f"Each connection is given {THROTTLED} (paced by the kernel, whatever is asked for on it):", "fast", True),
    ):
        results = download(bench, "throttled", pace, paced=paced)
        section.parts += [heading, comparison(results)]
        ours, by = results[peers.OURS].wall, "connection" if paced else "request"
        section.at_most(f"by {by}: wall ≤ 0.1 × curl's", ours / results["curl"].wall, 0.1)
        section.at_most(f"by {by}: wall ≤ 0.6 × aria2c's", ours / results["aria2c -x8 -s8"].wall, 0.6)
    return section
