"""One archive from a host that thinks about each request before it answers."""

from .. import peers
from ..bench import Bench
from ..hosts import download
from ..nginx import THROTTLED
from ..report import Section, comparison, size


def measure(bench: Bench) -> Section:
    section = Section("answers", "From a host that is slow to answer")
    bench.need_room(bench.size)
    section.parts.append(
        f"An archive of {size(bench.size)}; each request for it waits before it is answered, as those to object stores do."
    )
    for heading, name, delay, paced in (
        ("Answers after 30 ms, and nothing is held back:", "30 ms", 30, False),
        ("Answers after 8 ms, and nothing is held back:", "8 ms", 8, False),
        (f"Answers after 30 ms, and each connection is given {THROTTLED}:", f"30 ms, {THROTTLED} each", 30, True),
    ):
        results = download(bench, "answers", "late", delay=delay, paced=paced)
        section.parts += [heading, comparison(results)]
        ours = results[peers.OURS].wall
        section.at_most(f"{name}: wall less than curl's", ours / results["curl"].wall, 1)
    return section
