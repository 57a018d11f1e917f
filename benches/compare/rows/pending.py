"""Very many jobs that are not complete, waited for at once."""

import signal
import subprocess
import time

from ..bench import Bench, api
from ..errors import Failure
from ..measure import say
from ..nginx import nginx, pending_job
from ..processes import end, peak_mib, processor_seconds
from ..report import Section, Table, figure

JOBS = 10_000
# By then the pauses between two questions for a job have grown as long as they become.
SETTLES_IN = 60  # seconds
WINDOW = 60
EXIT_DEADLINE = 60


def measure(bench: Bench) -> Section:
    section = Section("pending", "Many jobs that are pending")
    with bench.folder("nginx") as folder, nginx(folder / "run", bench.archives.folder) as server:
        environment = bench.runner(api(server.url)).prepared()
        command = [bench.tulip, "export", "--to", bench.out, "--max-pending", JOBS, "--timeout", "10m"]
        for number in range(JOBS):
            command += ["--job", pending_job(number)]
        log = bench.work / "stderr"
        with open(log, "wb") as stderr:
            process = subprocess.Popen(
                [str(word) for word in command], env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=stderr, process_group=0,
            )
        try:
            say(f"pending: waiting {SETTLES_IN} s for the polls to settle, then measuring for {WINDOW} s")
            _sleep(process, log, SETTLES_IN)
            cpu, counts = processor_seconds(process.pid), server.counts()
            _sleep(process, log, WINDOW)
            cpu = processor_seconds(process.pid) - cpu
            later, peak = server.counts(), peak_mib(process.pid)
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            try:
                status = process.wait(EXIT_DEADLINE)
            except subprocess.TimeoutExpired:
                raise Failure(f"tulip did not end within {EXIT_DEADLINE} s of SIGINT") from None
            took = time.monotonic() - began
        finally:
            end(process)
    if status != 130:
        raise Failure(f"tulip ended with status {status} after SIGINT:\n{log.read_text()[-2000:]}")
    section.parts = [
        f"{JOBS:,} jobs pending at once, over {WINDOW} s that begin {SETTLES_IN} s after the start.",
        Table(
            [
                "peak, MiB", "CPU, % of a core", "requests/s", "open connections", "new connections/s",
                "ends after SIGINT, s",
            ],
            [[
                figure(peak), figure(100 * cpu / WINDOW),
                figure((later.requests - counts.requests) / WINDOW), f"{later.open_now:,}",
                figure((later.connections - counts.connections) / WINDOW), figure(took),
            ]],
        ),
    ]
    section.at_most("peak < 100 MiB", peak, 100, "MiB")
    section.at_most("CPU < 5 % of a core", 100 * cpu / WINDOW, 5, "%")
    return section


def _sleep(process: subprocess.Popen, log, seconds: float) -> None:
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    raise Failure(f"tulip ended with status {status} instead of waiting:\n{log.read_text()[-2000:]}")
