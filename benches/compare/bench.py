"""What every row is given."""

import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .archives import Archives
from .errors import Failure
from .measure import Runner


@dataclass
class Bench:
    tulip: Path
    copy_loop: Path
    runs: int
    size: int
    # On the disk to be measured.
    work: Path
    archives: Archives

    @property
    def programs(self) -> Path:
        """The folder of the pinned peers: that of the Python which runs this."""
        return Path(sys.executable).parent

    @property
    def rclone(self) -> Path:
        return self.programs / "rclone"

    @property
    def out(self) -> Path:
        """The folder that the tools write to."""
        return self.work / "out"

    def runner(
        self, environment: dict[str, str], *folders: Path, kept: Path | None = None
    ) -> Runner:
        """For tools that write to `out`, or to the given folders as well; what they have written goes to
        `kept`, if that is given.

        They get an environment of their own: no proxy, no configuration file and no credentials of
        whoever runs this.
        """
        clean = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.work / "home"),
            "LC_ALL": "C.UTF-8",
            "TULIP_STATE": str(self.work / "state"),
            **environment,
        }
        emptied = [self.out, self.work / "home", self.work / "state", *folders]
        return Runner(self.work, emptied, clean, kept)

    @contextmanager
    def folder(self, name: str):
        """A folder for a server, away again when it has ended."""
        path = self.work / name
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path)

    def need_room(self, size: int) -> None:
        free = shutil.disk_usage(self.work).free
        if free < size * 1.1:
            raise Failure(
                f"{self.work} has room for {free >> 20} MiB, and {size >> 20} are needed: name a folder "
                "on a larger disk with --work, ask for a smaller --size, or leave out rows with --rows"
            )


def api(url: str) -> dict[str, str]:
    """The environment of a client of the API that nginx plays, which asks for no credentials."""
    return {"TULIP_BASE_URL": url, "TULIP_API_KEY": "k", "TULIP_API_SECRET": "s"}
