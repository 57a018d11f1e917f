"""A certificate authority for one run, and the server's certificate from it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import Failure


@dataclass
class Certificates:
    authority: Path
    chain: Path
    key: Path


def certificates(folder: Path) -> Certificates:
    folder.mkdir()
    authority, authority_key = folder / "ca.pem", folder / "ca.key"
    chain, key, request = folder / "server.pem", folder / "server.key", folder / "server.csr"
    extensions = folder / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl(
        "req", "-x509", *new_key, "-keyout", authority_key, "-out", authority, "-days", "7",
        "-subj", "/CN=Comparison CA", "-addext", "keyUsage=critical,keyCertSign",
    )
    _openssl("req", *new_key, "-keyout", key, "-out", request, "-subj", "/CN=127.0.0.1")
    _openssl(
        "x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial",
        "-out", chain, "-days", "7", "-extfile", extensions,
    )
    return Certificates(authority, chain, key)


def _openssl(*words) -> None:
    command = ["openssl", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failure(f"openssl {words[0]} failed:\n{done.stderr}")
