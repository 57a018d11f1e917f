#!/usr/bin/env bash
#
# Exports to the stores that scripts/servers.sh starts, and looks at what lies there with other
# clients: the aws command and rclone. Bytes, checksums, media types, metadata, and that nothing is
# left of uploads that failed or were interrupted.
#
#   scripts/servers.sh scripts/roundtrip.sh target/release/tulip
#
# One line for each check; the exit status is 1 if one failed.

set -euo pipefail
# shellcheck source=scripts/emulator.sh
source "$(dirname "$0")/emulator.sh"

readonly tulip=${1:?usage: scripts/servers.sh scripts/roundtrip.sh path/to/tulip}
: "${TULIP_TEST_S3_ENDPOINT:?run this with scripts/servers.sh}"

work=$(mktemp -d "${TMPDIR:-/tmp}/tulip-roundtrip.XXXXXX")
failures=0
trap 'stop_emulator; rm -rf "$work"' EXIT

# The state is kept here, and not in the home of the user.
export TULIP_STATE=$work/state
export AWS_ACCESS_KEY_ID=$TULIP_TEST_S3_ACCESS_KEY_ID
export AWS_SECRET_ACCESS_KEY=$TULIP_TEST_S3_SECRET_ACCESS_KEY
export AWS_DEFAULT_REGION=$TULIP_TEST_S3_REGION
export AZURE_STORAGE_ACCOUNT=$TULIP_TEST_AZURE_ACCOUNT AZURE_STORAGE_KEY=$TULIP_TEST_AZURE_KEY

ok() { printf 'ok    %s: %s\n' "$store" "$1"; }

fail() {
  printf 'FAIL  %s: %s\n' "$store" "$1"
  failures=$((failures + 1))
}

# Compares what was found with what must be there.
same() { # WHAT EXPECTED FOUND
  if [[ $2 == "$3" ]]; then ok "$1"; else fail "$1: expected '$2', found '$3'"; fi
}

aws() { "$TULIP_TEST_AWS" --endpoint-url "$TULIP_TEST_S3_ENDPOINT" "$@"; }
rclone() { "$TULIP_TEST_RCLONE" --config '' --retries 1 "$@"; }
# A value of a JSON file, by the names that lead to it. Metadata names come back in any case, and with
# the signs that a store allows.
value() { # FILE NAME…
  python3 - "$@" <<'PYTHON'
import json, sys

plain = lambda name: name.lower().replace("_", "-")
found = json.load(open(sys.argv[1]))
for wanted in sys.argv[2:]:
    found = {plain(name): value for name, value in found.items()}.get(plain(wanted))
    if found is None:
        break
print(found)
PYTHON
}

# What a store tells of an object beside its bytes.
head() { # NAME
  case $store in
  s3) aws s3api head-object --bucket "$TULIP_TEST_S3_BUCKET" --key "round trip/$1" ;;
  *) rclone lsjson --stat --metadata "$remote/$1" ;;
  esac
}

# Sets what the three stores differ in.
use() { # STORE
  store=$1 size_name=Size type_name=MimeType
  case $store in
  s3)
    size_name=ContentLength type_name=ContentType
    target="s3://$TULIP_TEST_S3_BUCKET/round trip"
    options=(--sink-option "endpoint=$TULIP_TEST_S3_ENDPOINT")
    remote=":s3,provider=Rclone,env_auth=true,endpoint='$TULIP_TEST_S3_ENDPOINT':$TULIP_TEST_S3_BUCKET/round trip"
    ;;
  gs)
    target="gs://$TULIP_TEST_GCS_BUCKET/round trip"
    options=(--sink-option "endpoint=$TULIP_TEST_GCS_ENDPOINT" --sink-option anonymous=true)
    remote=":s3,provider=Rclone,endpoint='$TULIP_TEST_GCS_ENDPOINT':$TULIP_TEST_GCS_BUCKET/round trip"
    ;;
  az)
    target="az://$TULIP_TEST_AZURE_CONTAINER/round trip"
    options=(--sink-option "endpoint=$TULIP_TEST_AZURE_ENDPOINT")
    remote=":azureblob,account='$TULIP_TEST_AZURE_ACCOUNT',key='$TULIP_TEST_AZURE_KEY',endpoint='$TULIP_TEST_AZURE_ENDPOINT':$TULIP_TEST_AZURE_CONTAINER/round trip"
    ;;
  esac
}

export_to() { # NAME MORE…
  local name=$1
  shift
  "$tulip" export --all --to "$target" "${options[@]}" --name "$name" --digest sha256 "$@"
}

# An archive and its receipt, as another client reads them.
check_object() { # NAME
  local name=$1 receipt=$work/receipt.json head=$work/head.json sha
  rclone cat "$remote/_$name.receipt.json" >"$receipt"
  sha=$(rclone cat "$remote/$name" | sha256sum | cut -d' ' -f1)
  same "$name has the bytes of its receipt" "$(value "$receipt" checksum value)" "$sha"
  head "$name" >"$head"
  same "$name has its size" "$(value "$receipt" bytes)" "$(value "$head" "$size_name")"
  same "$name has its media type" text/csv "$(value "$head" "$type_name")"
  if [[ $store == gs ]]; then
    printf "skip  gs: %s's metadata: rclone's server keeps none that begins with x-goog-meta-\n" "$name"
    return
  fi
  same "$name names its job" "$(value "$receipt" job)" "$(value "$head" Metadata tulip-job)"
  same "$name names its machine" "$(value "$receipt" machine)" "$(value "$head" Metadata tulip-machine)"
  if [[ $name == small.csv ]]; then
    same "$name has its checksum" "sha256:$sha" "$(value "$head" Metadata tulip-checksum)"
  fi
  head "_$name.receipt.json" >"$head"
  same "$name's receipt has the checksum" "sha256:$sha" "$(value "$head" Metadata tulip-checksum)"
  if [[ $store == s3 ]]; then
    same "$name is what aws reads" "$sha" \
      "$(aws s3 cp "s3://$TULIP_TEST_S3_BUCKET/round trip/$name" - | sha256sum | cut -d' ' -f1)"
  fi
}

# Nothing is there under a name, and nothing is left of an upload.
check_nothing() { # NAME WHEN
  same "nothing is there after $2" '' "$(rclone lsf "$remote/$1" 2>/dev/null || true)"
  if [[ $store == s3 ]]; then
    same "no upload is left after $2" None \
      "$(aws s3api list-multipart-uploads --bucket "$TULIP_TEST_S3_BUCKET" --query 'Uploads[].Key' --output text)"
  fi
}

check_store() { # STORE
  use "$1"
  start_emulator "$tulip" --machines 1 --rows 200
  export_to small.csv >/dev/null
  check_object small.csv
  local status=0
  export_to small.csv --if-exists fail >/dev/null 2>&1 || status=$?
  same "an object that is there is kept if asked" 5 "$status"
  stop_emulator
  status=0
  "$tulip" verify "$target" "${options[@]}" >/dev/null 2>&1 || status=$?
  same "what is stored is what its receipt says" 0 "$status"

  start_emulator "$tulip" --machines 1 --rows 250000
  export_to large.csv >/dev/null
  check_object large.csv
  [[ $store != s3 ]] || same "no upload is left after success" None \
    "$(aws s3api list-multipart-uploads --bucket "$TULIP_TEST_S3_BUCKET" --query 'Uploads[].Key' --output text)"
  stop_emulator

  # More than can be moved in two seconds.
  start_emulator "$tulip" --machines 1 --rows 60000000
  status=0
  timeout --signal=INT 2 "$tulip" export --all --to "$target" "${options[@]}" --name cut.csv \
    >/dev/null 2>&1 || status=$?
  same "an interrupted export says so" 124 "$status" # timeout's own word for it
  check_nothing cut.csv "an interruption"

  status=0
  timeout --signal=KILL 2 "$tulip" export --all --to "$target" "${options[@]}" --name killed.csv \
    >/dev/null 2>&1 || status=$?
  same "an export can be killed" 137 "$status"
  "$tulip" resume --discard --all "${options[@]}" >/dev/null
  check_nothing killed.csv "a killed export was given up"

  status=0
  "$tulip" export --all --to "$target" "${options[@]}" --name lost.csv >/dev/null 2>&1 &
  local exporting=$!
  sleep 2
  stop_emulator
  wait "$exporting" || status=$?
  same "an export whose download breaks off fails" 1 "$status"
  check_nothing lost.csv "a failure"
}

for each in s3 gs az; do
  check_store "$each"
done
if ((failures > 0)); then
  printf '%s checks failed\n' "$failures"
  exit 1
fi
