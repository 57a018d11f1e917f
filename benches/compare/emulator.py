"""`tulip emulate` as a source: the archive is made while it is sent, and stored nowhere."""

import re
from contextlib import contextmanager
from pathlib import Path

from .processes import await_words, background

BYTES_PER_ROW = 98.3  # of the emulator's records, on average


@contextmanager
def emulator(tulip: Path, size: int, log: Path):
    """An emulator of one machine with an archive of about that size; yields the client's environment."""
    rows = max(1, round(size / BYTES_PER_ROW))
    command = [tulip, "emulate", "--machines", "1", "--rows", rows]
    with background("tulip emulate", command, log) as process:
        await_words(process, r"(?m)^export TULIP_API_SECRET=.+\n")
        # The lines behind these are commented out: they are for another kind of token.
        yield dict(re.findall(r"(?m)^export (TULIP_\w+)=(\S+)$", log.read_text()))
