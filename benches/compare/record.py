"""Records a profile of one export to the local disk: record.py TULIP PERF_DATA. flame.sh starts this."""

import subprocess
import sys
import tempfile
from pathlib import Path

from .archives import Archives
from .bench import Bench, api
from .errors import Failure
from .measure import say
from .nginx import job, nginx
from .peers import tulip

SIZE = 2 << 30
# Virtual machines have no hardware counters; a frequency that is no divisor of the kernel's own.
PERF = ["perf", "record", "--quiet", "-e", "cpu-clock", "-F", "997", "--call-graph", "fp"]


def main(program: Path, data: Path) -> None:
    prefix = "tulip-flame."
    with (
        tempfile.TemporaryDirectory(prefix=prefix) as work,
        tempfile.TemporaryDirectory(prefix=prefix, dir="/dev/shm") as memory,
    ):
        archives = Archives(program, Path(memory), Path(work))
        bench = Bench(program, None, 1, SIZE, Path(work), archives)
        bench.need_room(SIZE)
        archive = archives.of(SIZE)
        with bench.folder("nginx") as folder, nginx(folder / "run", archives.folder) as server:
            environment = bench.runner(api(server.url)).prepared()
            command = tulip(bench, archive, job(SIZE)).command
            done = subprocess.run(
                [*PERF, "-o", data, "--", *command], env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
        if done.returncode:
            raise Failure(
                f"perf record ended with status {done.returncode}; it has to be root's, or "
                f"kernel.perf_event_paranoid 1 or less:\n{done.stderr}"
            )


if __name__ == "__main__":
    try:
        main(*(Path(argument).resolve() for argument in sys.argv[1:]))
    except Failure as failure:
        say(str(failure))
        sys.exit(1)
