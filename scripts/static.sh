#!/usr/bin/env bash
# Builds a static binary of the command, for this machine's processor:
#
#   scripts/static.sh [CARGO'S OPTIONS…]
#   scripts/static.sh --no-default-features --features fs,s3,gcs,azure     # without the emulator
#
# Prints the binary's path. Needs musl-gcc (on Debian: apt install musl-tools), which is installed
# here where that can be done, as root on Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(uname -m)-unknown-linux-musl

if ! command -v musl-gcc >/dev/null; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "musl-gcc is missing; on Debian: apt install musl-tools" >&2
        exit 2
    fi
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends musl-tools >&2
fi
# Nothing to do where the toolchain has the target.
[ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] || rustup target add "$target" >&2

cargo build --release --locked -p tulip-cli --target "$target" "$@" >&2

binary=$(cargo metadata --format-version 1 --no-deps --locked |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/$target/release/tulip
# A static binary names no interpreter that would load libraries.
if readelf --program-headers "$binary" | grep INTERP >/dev/null; then
    echo "$binary is not static" >&2
    exit 1
fi
printf '%s\n' "$binary"
