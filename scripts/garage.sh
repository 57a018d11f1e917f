#!/usr/bin/env bash
#
# Starts three nodes of Garage, a distributed S3 store, on loopback, runs a command against them, and
# stops them.
#
#   scripts/garage.sh COMMAND [ARGUMENTS…]
#   scripts/servers.sh scripts/garage.sh cargo test -p tulip-sinks --all-features --test servers \
#       -- --ignored --nocapture garage
#
# The test reads what was stored with rclone, which servers.sh brings.
#
# Each object lies on all three nodes. The first run builds Garage from crates.io, which takes ten
# minutes and more and needs a C compiler; GARAGE_BIN names one that is there already. It is kept in
# TULIP_SERVERS_DIR (by default ~/.cache/tulip-servers).
#
# COMMAND finds in its environment: TULIP_TEST_GARAGE_ENDPOINT, _REGION, _BUCKET, _ACCESS_KEY_ID,
# _SECRET_ACCESS_KEY. The exit status is COMMAND's.

set -euo pipefail

readonly VERSION=2.5.0
readonly BUCKET=lake
readonly tools=${TULIP_SERVERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tulip-servers}

(($# > 0)) || { echo 'usage: scripts/garage.sh COMMAND [ARGUMENTS…]' >&2; exit 2; }

garage=${GARAGE_BIN:-$tools/garage-$VERSION/bin/garage}
if [[ ! -x $garage ]]; then
  echo "garage.sh: building Garage $VERSION; this takes a while" >&2
  cargo install garage --version "$VERSION" --locked --no-default-features \
    --features bundled-libs,sqlite --root "$tools/garage-$VERSION" >&2
fi

temp=$(mktemp -d "${TMPDIR:-/tmp}/tulip-garage.XXXXXX")
pids=()
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$temp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Six ports that are free now. Garage wants to know them beforehand.
read -ra ports < <(python3 - <<'PYTHON'
import socket

sockets = [socket.socket() for _ in range(6)]
for each in sockets:
    each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in sockets))
PYTHON
)
secret=$(od -An -N 32 -tx1 /dev/urandom | tr -d ' \n')

on() { # NODE ARGUMENTS…
  local node=$1
  shift
  "$garage" -c "$temp/$node.toml" "$@" 2>>"$temp/commands.log"
}

# Tries until it succeeds, for half a minute.
until_it_does() {
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.2
  done
  tail -n 20 "$temp"/*.log >&2
  echo "garage.sh: gave up on: $*" >&2
  exit 1
}

for node in 0 1 2; do
  cat >"$temp/$node.toml" <<TOML
metadata_dir = "$temp/$node/meta"
data_dir = "$temp/$node/data"
db_engine = "sqlite"
replication_factor = 3
rpc_bind_addr = "127.0.0.1:${ports[node]}"
rpc_public_addr = "127.0.0.1:${ports[node]}"
rpc_secret = "$secret"
[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:${ports[node + 3]}"
TOML
  mkdir -p "$temp/$node/meta" "$temp/$node/data"
  chmod 600 "$temp/$node.toml"
  "$garage" -c "$temp/$node.toml" server >"$temp/$node.log" 2>&1 &
  pids+=($!)
done

for node in 0 1 2; do
  until_it_does on "$node" status
done
for node in 1 2; do
  until_it_does on 0 node connect "$(on "$node" node id -q)"
done
for node in 0 1 2; do
  id=$(on "$node" node id -q)
  until_it_does on 0 layout assign "${id%%@*}" -z "zone$node" -c 1G
done
until_it_does on 0 layout apply --version 1
until_it_does on 0 bucket create "$BUCKET"
on 0 key create tulip >"$temp/key"
on 0 bucket allow "$BUCKET" --read --write --owner --key tulip >/dev/null

export TULIP_TEST_GARAGE_ENDPOINT=http://127.0.0.1:${ports[3]}
export TULIP_TEST_GARAGE_REGION=garage
export TULIP_TEST_GARAGE_BUCKET=$BUCKET
TULIP_TEST_GARAGE_ACCESS_KEY_ID=$(sed -n 's/^Key ID: *//p' "$temp/key")
TULIP_TEST_GARAGE_SECRET_ACCESS_KEY=$(sed -n 's/^Secret key: *//p' "$temp/key")
export TULIP_TEST_GARAGE_ACCESS_KEY_ID TULIP_TEST_GARAGE_SECRET_ACCESS_KEY

"$@"
