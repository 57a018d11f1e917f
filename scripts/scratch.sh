#!/usr/bin/env bash
#
# Runs the static binary as the container image does, without a container engine:
#
#   scripts/scratch.sh PATH/TO/STATIC/TULIP [PATH/TO/A/TULIP/WITH/EMULATOR]
#
# The root holds what scripts/image_root.sh lays out and nothing else: no libraries, no certificates,
# no /etc, no /tmp. It is read-only but for the state and the target; the user is 65532, and the
# environment is empty. An emulator outside of it answers over TLS. The second binary serves it; by
# default the first does.
#
# Needs root (it uses sudo if there is one), openssl and Python 3. One line for each check; the exit
# status is 1 if one failed.

set -euo pipefail

binary=$(realpath "${1:?usage: scripts/scratch.sh path/to/static/tulip}")
server=$(realpath "${2:-$1}")
readonly largest=$((25 * 1000 * 1000)) # bytes of the image

if (($(id -u) != 0)); then
    exec sudo --preserve-env=PATH "$0" "$@"
fi
cd "$(dirname "$0")/.."
# shellcheck source=scripts/emulator.sh
source scripts/emulator.sh

work=$(mktemp -d "${TMPDIR:-/tmp}/tulip-scratch.XXXXXX")
pids=()
failures=0
cleanup() {
    stop_emulator
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

same() { # WHAT EXPECTED FOUND
    if [[ $2 == "$3" ]]; then
        echo "ok    $1"
    else
        echo "FAIL  $1: expected '$2', found '$3'"
        failures=$((failures + 1))
    fi
}

root=$work/root
scripts/image_root.sh "$root" "$binary"
chown -R 65532:65532 "$root/var/lib/tulip"
mkdir "$root/data" "$root/ca" # where the volumes below are mounted
mkdir "$work/data" "$work/state"
chmod 700 "$work/state"
chown 65532:65532 "$work/data" "$work/state"

# The command in the root, with the variables given before it.
# shellcheck disable=SC2016 # expanded by the inner shell
in_image() { # NAME=VALUE… -- ARGUMENTS…
    local variables=()
    while [[ $1 != -- ]]; do
        variables+=("$1")
        shift
    done
    shift
    unshare --mount sh -euc '
        work=$1
        shift
        mount --make-rprivate /
        mount --bind "$work/root" "$work/root"
        mount -o remount,bind,ro "$work/root"
        mount --bind "$work/state" "$work/root/var/lib/tulip"
        mount --bind "$work/data" "$work/root/data"
        mount --bind "$work/ca" "$work/root/ca"
        exec env -i "$@"
    ' sh "$work" "${variables[@]}" \
        "$(command -v chroot)" --userspec=65532:65532 --groups= "$work/root" /tulip "$@"
}

bytes=$(du --bytes --summarize "$root" | cut -f1)
echo "      the image's files are $bytes bytes"
same "the image is smaller than $largest bytes" yes "$( ((bytes < largest)) && echo yes || echo no)"

# A server certificate that no public authority has signed.
mkdir "$work/ca"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tulip-scratch \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key.pem" -out "$work/ca/ca.pem" 2>/dev/null

await() { # FILE PATTERN
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        grep -q "$2" "$1" 2>/dev/null && return
        sleep 0.1
    done
    echo "no '$2' in $1" >&2
    exit 1
}

start_emulator "$server" --machines 2 --rows 1000

# TLS in front of the emulator's API.
python3 - "$TULIP_BASE_URL" "$work/ca/ca.pem" "$work/key.pem" >"$work/front" <<'PYTHON' &
import asyncio, ssl, sys
from urllib.parse import urlsplit

behind = urlsplit(sys.argv[1])
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[2], sys.argv[3])

async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

async def serve(reader, writer):
    to_reader, to_writer = await asyncio.open_connection(behind.hostname, behind.port)
    await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    print(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()

asyncio.run(main())
PYTHON
pids+=($!)
await "$work/front" https

instance=(TULIP_BASE_URL="$(cat "$work/front")" TULIP_API_KEY="$TULIP_API_KEY"
    TULIP_API_SECRET="$TULIP_API_SECRET" TULIP_STATE=/var/lib/tulip)

status=0
in_image -- --version >"$work/out" 2>&1 || status=$?
same "it runs in an empty root" 0 "$status"

# Mozilla's roots are in the binary: the certificate is unknown, and roots are not missing.
status=0
in_image "${instance[@]}" -- machines >"$work/out" 2>&1 || status=$?
same "a certificate of an unknown authority is refused" 1 "$status"
same "and named as such" yes "$(grep -qi 'certificate.*\(issuer\|unknown\|trusted\)' "$work/out" &&
    echo yes || head -c 300 "$work/out")"

# The archive's host speaks HTTP in the emulator, which an instance on HTTPS must be allowed.
status=0
in_image "${instance[@]}" TULIP_CA_FILE=/ca/ca.pem -- export --all --to /data \
    --name '{machine}.csv' --allow-http --json >"$work/out" 2>"$work/err" || status=$?
same "exports over TLS, with the CA file" 0 "$status"
((status == 0)) || head -c 1000 "$work/err"
same "stores every archive" 2 "$(find "$work/data" -name '*.csv' | wc -l)"
same "and a receipt for each" 2 "$(find "$work/data" -name '_*.receipt.json' | wc -l)"
same "warns of nothing" "" "$(grep -i warn "$work/err" || true)"

status=0
in_image -- verify /data >"$work/out" 2>&1 || status=$?
same "verifies them" 0 "$status"

# Without a volume for the state, a read-only root costs a warning and no archive.
status=0
in_image "${instance[@]}" TULIP_CA_FILE=/ca/ca.pem TULIP_STATE= -- export --all --to /data \
    --name 'again/{machine}.csv' --allow-http >"$work/out" 2>"$work/err" || status=$?
same "exports without a state folder" 0 "$status"
same "and warns that runs are not remembered" yes \
    "$(grep -q 'cannot be resumed' "$work/err" && echo yes || echo no)"

if ((failures)); then exit 1; fi
echo "$binary: all is well"
