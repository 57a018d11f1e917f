#!/usr/bin/env bash
#
# Exports to S3 beside the aws command and rclone: time, processor time and peak memory, in turns, so
# that a noisy machine troubles all three alike.
#
#   scripts/servers.sh benches/stores.sh target/release/tulip [ROWS]
#
# `tulip` downloads the archive from its emulator, checks it and uploads it; the others upload a file.

set -euo pipefail

readonly tulip=${1:?usage: scripts/servers.sh benches/stores.sh path/to/tulip [ROWS]} rows=${2:-10000000}
: "${TULIP_TEST_S3_ENDPOINT:?run this with scripts/servers.sh}"

work=$(mktemp -d "${TMPDIR:-/tmp}/tulip-bench.XXXXXX")
emulator=
trap 'kill "$emulator" 2>/dev/null || true; rm -rf "$work"' EXIT

export AWS_ACCESS_KEY_ID=$TULIP_TEST_S3_ACCESS_KEY_ID
export AWS_SECRET_ACCESS_KEY=$TULIP_TEST_S3_SECRET_ACCESS_KEY
export AWS_DEFAULT_REGION=$TULIP_TEST_S3_REGION

export TULIP_STATE=$work/state
"$tulip" emulate --machines 1 --rows "$rows" >"$work/env" 2>/dev/null &
emulator=$!
until grep -q TULIP_API_SECRET "$work/env"; do sleep 0.1; done
# shellcheck disable=SC1091
eval "$(grep '^export' "$work/env")"

run() { # NAME COMMAND…
  local name=$1
  shift
  printf '%-8s %s\n' "$name" "$(
    python3 - "$@" <<'PYTHON'
import resource, subprocess, sys, time

began = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
took, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{took:6.2f} s  cpu {used.ru_utime + used.ru_stime:5.2f} s  peak {used.ru_maxrss / 1024:4.0f} MiB")
PYTHON
  )"
  rm -rf "${TULIP_TEST_S3_DATA:?}/$TULIP_TEST_S3_BUCKET/bench"
}

"$tulip" export --all --to "$work/local" --name a.csv >/dev/null
ls -l "$work/local/a.csv"
for _ in 1 2 3; do
  run tulip "$tulip" export --all --to "s3://$TULIP_TEST_S3_BUCKET/bench" --name a.csv \
    --sink-option "endpoint=$TULIP_TEST_S3_ENDPOINT"
  run aws "$TULIP_TEST_AWS" --endpoint-url "$TULIP_TEST_S3_ENDPOINT" s3 cp "$work/local/a.csv" \
    "s3://$TULIP_TEST_S3_BUCKET/bench/a.csv"
  run rclone "$TULIP_TEST_RCLONE" --config '' --s3-provider Rclone --s3-env-auth \
    --s3-endpoint "$TULIP_TEST_S3_ENDPOINT" --s3-chunk-size 8Mi --s3-upload-concurrency 4 \
    copyto "$work/local/a.csv" ":s3:$TULIP_TEST_S3_BUCKET/bench/a.csv"
done
