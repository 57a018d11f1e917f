"""The command line of each tool."""

from pathlib import Path

from .bench import Bench
from .measure import Tool
from .nginx import Nginx, job
from .store import BUCKET, Store

OURS = "tulip"
PART = 8 << 20
PARTS_AT_ONCE = 4
S3_KEY = "p/a.csv"


def tulip(bench: Bench, archive: Path, job_id: str, *options, name: str = OURS) -> Tool:
    """The command as it is: checks, checksum, receipt and sync to disk."""
    return Tool(
        name,
        [bench.tulip, "export", "--job", job_id, "--to", bench.out, "--name", "t.csv", *options],
        [bench.out / "t.csv"],
        archive,
    )


def curl(bench: Bench, archive: Path, url: str, *options) -> Tool:
    to = bench.out / "curl.csv"
    return Tool("curl", ["curl", "-sSf", *options, "-o", to, url], [to], archive)


def wget(bench: Bench, archive: Path, url: str) -> Tool:
    to = bench.out / "wget.csv"
    return Tool("wget", ["wget", "-nv", "-O", to, url], [to], archive)


def aria2c(bench: Bench, archive: Path, url: str, *options) -> Tool:
    to = bench.out / "aria2c.csv"
    return Tool(
        " ".join(["aria2c -x8 -s8", *options]),
        ["aria2c", "--quiet", "-x8", "-s8", *options, "-d", bench.out, "-o", to.name, url],
        [to],
        archive,
    )


def rclone_copyurl(bench: Bench, archive: Path, url: str, *options) -> Tool:
    to = bench.out / "rclone.csv"
    return Tool("rclone copyurl", [*_rclone(bench), *options, "copyurl", url, to], [to], archive)


def copy_loop(bench: Bench, archive: Path, url: str) -> Tool:
    to = bench.out / "copy-loop.csv"
    return Tool("copy loop", [bench.copy_loop, url, to], [to], archive)


def copy_loop_to_store(bench: Bench, archive: Path, url: str, unsigned: Store) -> Tool:
    """To a store of its own, for it signs nothing."""
    to = f"{unsigned.endpoint}/{BUCKET}/{S3_KEY}"
    return Tool("copy loop", [bench.copy_loop, url, to], [unsigned.object(S3_KEY)], archive)


def disk_alone(bench: Bench, size: int) -> Tool:
    """As many bytes to the disk, past the page cache, from memory: no other tool can be faster."""
    to = bench.out / "dd.csv"
    command = [
        "dd", "if=/dev/zero", f"of={to}", "bs=1M", f"count={size >> 20}", "oflag=direct", "conv=fsync",
        "status=none",
    ]
    return Tool("the disk alone (dd)", command, [to], size=size >> 20 << 20)


def synced(tool: Tool) -> Tool:
    """The same, and then its file is made durable, as ours always is."""
    to = tool.leaves[0]
    command = ["sh", "-c", '"$@" && exec sync "$0"', to, *tool.command]
    return Tool(f"{tool.name} + sync", command, tool.leaves, tool.source)


def to_store(bench: Bench, nginx: Nginx, store: Store, archive: Path, size: int) -> list[Tool]:
    """Everything that brings an archive to the store, in parts of one size where that can be said."""
    url, target = nginx.archive(size), f"s3://{BUCKET}/{S3_KEY}"
    leaves = [store.object(S3_KEY)]
    tulip_command = [
        bench.tulip, "export", "--job", job(size), *to_s3(store), "--name", S3_KEY.partition("/")[2],
    ]
    rclone_command = [
        *_rclone(bench), "--s3-provider", "Rclone", "--s3-env-auth", "--s3-endpoint", store.endpoint,
        "--s3-chunk-size", f"{PART >> 20}Mi", "--s3-upload-concurrency", PARTS_AT_ONCE,
        "copyurl", url, f":s3:{BUCKET}/{S3_KEY}",
    ]
    script = Path(__file__).with_name("boto3_upload.py")
    boto3_command = [
        bench.programs / "python", "-P", script, url, store.endpoint, BUCKET, S3_KEY, PART, PARTS_AT_ONCE,
    ]
    # Were curl to fail, aws would upload what it got and report success.
    pipeline = 'set -o pipefail; curl -sSf "$1" | "$2" --endpoint-url "$3" s3 cp --only-show-errors - "$4"'
    aws_command = ["bash", "-c", pipeline, "bash", url, bench.programs / "aws", store.endpoint, target]
    commands = {
        OURS: [*tulip_command, "--sink-option", "unsigned_payload=true"],
        "tulip, payloads signed": tulip_command,
        "rclone copyurl": rclone_command,
        "boto3": boto3_command,
        "curl | aws s3 cp -": aws_command,
    }
    return [Tool(name, command, leaves, archive) for name, command in commands.items()]


def tulip_jobs(bench: Bench, archive: Path, size: int, count: int, at_once: int) -> Tool:
    ids = [job(size, number) for number in range(count)]
    command = [bench.tulip, "export", "--to", bench.out, "--concurrency", at_once]
    command += [word for id in ids for word in ("--job", id)]
    return Tool(OURS, command, [bench.out / f"{id}.csv" for id in ids], archive)


def asyncio_jobs(
    bench: Bench, nginx: Nginx, archive: Path, size: int, count: int, at_once: int, *options
) -> Tool:
    ids = [job(size, number) for number in range(count)]
    script = Path(__file__).with_name("asyncio_jobs.py")
    command = [bench.programs / "python", "-P", script, *options, nginx.url, bench.out, at_once, *ids]
    name = " ".join(["asyncio", *options])
    return Tool(name, command, [bench.out / f"{id}.csv" for id in ids], archive)


def to_s3(store: Store) -> list[str]:
    """Options of `tulip export`."""
    prefix = S3_KEY.partition("/")[0]
    return ["--to", f"s3://{BUCKET}/{prefix}", "--sink-option", f"endpoint={store.endpoint}"]


def _rclone(bench: Bench) -> list:
    return [bench.rclone, "--config", ""]
