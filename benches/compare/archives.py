"""Archives below /dev/shm, from which nginx serves them: reading the source costs no disk."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .emulator import emulator
from .errors import Failure


@dataclass
class Archives:
    tulip: Path
    folder: Path
    work: Path
    _made: dict[int, Path] = field(default_factory=dict)

    def of(self, size: int) -> Path:
        """The archive of about that size; made when it is first asked for."""
        if size not in self._made:
            self._made[size] = self._make(size)
        return self._made[size]

    def _make(self, size: int) -> Path:
        free = shutil.disk_usage(self.folder).free
        if free < size * 1.05:
            raise Failure(
                f"{self.folder} has room for {free >> 20} MiB, and the archive has {size >> 20}: remount "
                "/dev/shm with more, or ask for a smaller --size"
            )
        staging = self.folder / "staging"
        with emulator(self.tulip, size, self.work / "emulator.log") as connection:
            done = subprocess.run(
                [self.tulip, "export", "--all", "--to", staging, "--name", "a.csv", "--no-state"],
                env={**os.environ, **connection}, capture_output=True, text=True,
            )
        if done.returncode:
            raise Failure(f"the archive could not be made:\n{done.stderr}")
        path = self.folder / f"{size}.csv"
        (staging / "a.csv").rename(path)
        shutil.rmtree(staging)
        return path
