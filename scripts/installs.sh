#!/usr/bin/env bash
#
# Installs what scripts/dist.sh has built as a user does, and runs it:
#
#   scripts/installs.sh [FOLDER]        by default target/dist
#
# The wheel goes into a venv of its own and exports from its emulator; the binary of the tar file runs
# in an empty root (scripts/scratch.sh).
set -euo pipefail
cd "$(dirname "$0")/.."

dist=$(realpath "${1:-target/dist}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$dist" && sha256sum --check --quiet SHA256SUMS)

python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index \
    "$dist"/tulip_archive-*.whl
"$work/venv/bin/tulip" demo --to "$work/archives" --no-progress
[ "$(find "$work/archives" -name '*.csv' | wc -l)" -eq 3 ]
[ "$(find "$work/archives" -name '_*.csv.receipt.json' | wc -l)" -eq 3 ]
"$work/venv/bin/tulip" verify "$work/archives"

tar --extract --gzip --file "$dist"/tulip-*.tar.gz --directory "$work" --strip-components 1
[ -e "$work/man/tulip-export.1" ]
scripts/scratch.sh "$work/tulip"
