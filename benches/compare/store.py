"""rclone's S3 server on loopback, with keys."""

import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .processes import await_words, background

BUCKET = "lake"


@dataclass
class Store:
    endpoint: str
    pid: int
    data: Path
    # What clients find in their environment, since every user can read a process list.
    credentials: dict[str, str]

    def object(self, key: str) -> Path:
        """Where the server keeps an object."""
        return self.data / BUCKET / key


@contextmanager
def store(rclone: Path, folder: Path, keys: bool = True):
    """A store that keeps its objects below the folder; without keys it takes requests that are not signed."""
    data = folder / "data"
    (data / BUCKET).mkdir(parents=True)
    key_id, secret = "TULIP" + secrets.token_hex(8), secrets.token_hex(20)
    # It writes its address into the log once it listens.
    with background(
        "rclone serve s3",
        [rclone, "--config", "", "serve", "s3", "--addr", "127.0.0.1:0", data],
        folder / "log",
        env={**os.environ, **({"RCLONE_AUTH_KEY": f'"{key_id},{secret}"'} if keys else {})},
    ) as process:
        endpoint = await_words(process, r"http://127\.0\.0\.1:[1-9][0-9]*")[0]
        yield Store(
            endpoint, process.pid, data,
            {
                "AWS_ACCESS_KEY_ID": key_id,
                "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_REGION": "us-east-1",
            },
        )
