"""nginx as the host of archives and as the Tulip API."""

import http.client
import os
import re
import resource
import shutil
import socket
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .certificates import Certificates
from .errors import Failure
from .processes import START_DEADLINE, await_words, background

THROTTLED_RATE = 90_000_000  # bytes per second
THROTTLED = f"{THROTTLED_RATE // 1_000_000} MB/s"
CONNECTIONS = 16384


@dataclass
class Counts:
    """What nginx has counted since it was started."""

    connections: int
    requests: int
    open_now: int


@dataclass
class Nginx:
    port: int
    scheme: str
    _asked: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def archive(self, size: int, pace: str = "fast") -> str:
        """The signed URL of the archive of that size."""
        return f"{self.url}/{pace}/{size}/0.csv?X-Amz-Signature=1"

    def counts(self) -> Counts:
        """Without the connection and the request that ask for it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/status")
        numbers = [int(number) for number in re.findall(rb"\d+", connection.getresponse().read())]
        connection.close()
        open_now, accepted, _, requests = numbers[:4]
        self._asked += 1
        return Counts(accepted - self._asked, requests - self._asked, open_now - 1)


def job(size: int, number: int = 0, pace: str = "fast") -> str:
    """The id of a job that is complete, and has the archive of that size."""
    return f"{pace}_{size}_{number}"


def pending_job(number: int) -> str:
    """As long as Tulip's ids are."""
    return f"pending{number:010}"


@contextmanager
def nginx(
    folder: Path, archives: Path, certificates: Certificates | None = None, paced: bool = False, delay: int = 0
):
    """nginx over the archives of a folder.

    `paced` holds each of its connections to THROTTLED_RATE; the pace `late` of its archives is answered after
    `delay` milliseconds.
    """
    folder.mkdir()
    with ExitStack() as servers, socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        if paced:
            # Connections inherit it from the socket that accepts them. Python has no name for it.
            so_max_pacing_rate = 47
            listening.setsockopt(socket.SOL_SOCKET, so_max_pacing_rate, THROTTLED_RATE)
        # nginx takes sockets that it is handed to be like its own. With one that blocks, a worker whose
        # connection the other has accepted before it stands still until the next one comes.
        listening.setblocking(False)
        port = listening.getsockname()[1]
        configuration = folder / "nginx.conf"
        # Without a delay nothing is asked for it, and any port will do.
        delaying = servers.enter_context(_delay(delay, folder / "delay.log")) if delay else port
        configuration.write_text(_configuration(folder, archives, port, delaying, certificates))
        # nginx takes over the socket, as it does when it replaces itself: nobody can take the port
        # between our finding it and nginx's listening on it.
        with background(
            "nginx", [program(), "-e", "stderr", "-c", configuration], folder / "log",
            env={**os.environ, "NGINX": f"{listening.fileno()};"}, pass_fds=[listening.fileno()],
        ) as process:
            # Connections are taken from now on, if only by the queue: an answer tells that it runs.
            _await_answer(process, port)
            yield Nginx(port, "https" if certificates else "http")


@contextmanager
def _delay(milliseconds: int, log: Path):
    """What nginx asks before it answers; yields its port."""
    program = Path(__file__).with_name("delay.py")
    with background("delay", [sys.executable, program, milliseconds], log) as process:
        yield int(await_words(process, r"(?m)^port (\d+)$")[1])


def _configuration(
    folder: Path, archives: Path, port: int, delaying: int, certificates: Certificates | None
) -> str:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    values = {
        "FILES": files,
        "CONNECTIONS": min(CONNECTIONS, files),
        # The archives lie in a folder that only we can read.
        "USER": "user root;" if os.geteuid() == 0 else "",
        "FOLDER": folder,
        "ARCHIVES": archives,
        "PORT": port,
        "DELAY": delaying,
        "RATE": THROTTLED_RATE,
        "TLS": "ssl" if certificates else "",
        "CERTIFICATE": f"ssl_certificate {certificates.chain}; ssl_certificate_key {certificates.key};"
        if certificates
        else "",
    }
    template = Path(__file__).with_name("nginx.conf.in").read_text()
    return re.sub("@([A-Z]+)@", lambda name: str(values[name[1]]), template)


def program() -> str:
    # Debian has it where only root's path leads.
    path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise Failure("nginx is missing; on Debian: apt install nginx")
    return path


def _await_answer(process, port: int) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                # Over TLS this is answered as well: by an alert, or by nginx's own page for it.
                connection.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
                if connection.recv(1):
                    return
        except TimeoutError:
            continue
        except OSError:
            time.sleep(0.05)
    raise Failure(f"nginx does not answer:\n{process.log.read_text(errors='replace')[-2000:]}")
