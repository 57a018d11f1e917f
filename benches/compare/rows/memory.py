"""Peak memory against the size of the archive, which the emulator makes while it sends it."""

from .. import peers
from ..bench import Bench
from ..emulator import emulator
from ..measure import Series, Tool
from ..report import Section, Table, figure, size
from ..store import BUCKET, store

SMALL = 100 << 20
# How much more an archive of ten times the size may take, to be called flat.
FLAT = 1.25


def measure(bench: Bench) -> Section:
    section = Section("memory", "Memory")
    sizes = [min(SMALL, bench.size // 2), bench.size, 10 * bench.size]
    # The store keeps the parts of an object beside it while it puts them together.
    bench.need_room(2 * sizes[-1])
    table = Table(["to", "archive", "peak, MiB", "wall, s", "CPU, s"])
    for target, limit, run in (("disk", 32, _to_disk), ("S3", 96, _to_store)):
        peaks = []
        for wanted in sizes:
            result = run(bench, wanted)
            peaks.append(result.peak)
            table.lines.append(
                [target, size(wanted), figure(result.peak), figure(result.wall), figure(result.cpu)]
            )
        section.at_most(f"peak ≤ {limit} MiB to {target}", max(peaks), limit, "MiB")
        section.at_most(
            f"flat to {target}: {size(sizes[-1])} take ≤ {FLAT} × the peak of {size(sizes[-2])}",
            peaks[-1] / peaks[-2], FLAT,
        )
    section.parts = ["One run each, from `tulip emulate`.", table]
    return section


def _to_disk(bench: Bench, wanted: int) -> Series:
    return from_emulator(bench, "memory", wanted)


def _to_store(bench: Bench, wanted: int) -> Series:
    with bench.folder("store") as folder, store(bench.rclone, folder) as target:
        with emulator(bench.tulip, wanted, bench.work / "emulator.log") as connection:
            tool = Tool(
                peers.OURS,
                [
                    bench.tulip, "export", "--all", *peers.to_s3(target), "--name", "a.csv",
                    "--sink-option", "unsigned_payload=true",
                ],
                [target.object(peers.S3_KEY)],
                size=wanted,
            )
            runner = bench.runner({**connection, **target.credentials}, target.data / BUCKET)
            return runner.alternate(f"memory S3 {size(wanted)}", [tool], 1)[peers.OURS]


def from_emulator(bench: Bench, row: str, wanted: int) -> Series:
    """One export to disk of an archive of that size, which is stored nowhere else."""
    with emulator(bench.tulip, wanted, bench.work / "emulator.log") as connection:
        command = [bench.tulip, "export", "--all", "--to", bench.out, "--name", "a.csv"]
        tool = Tool(peers.OURS, command, [bench.out / "a.csv"], size=wanted)
        return bench.runner(connection).alternate(f"{row} {size(wanted)}", [tool], 1)[peers.OURS]
