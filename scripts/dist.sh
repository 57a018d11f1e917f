#!/usr/bin/env bash
#
# Builds what a release consists of for this machine's processor, into FOLDER:
#
#   scripts/dist.sh [FOLDER]            by default target/dist
#
#   tulip-VERSION-TARGET.tar.gz         static binary, man pages, completions, licences
#   tulip_archive-VERSION-….whl         the same binary as a Python wheel, for glibc and musl
#   SHA256SUMS
#
# Needs what scripts/static.sh needs, and Python 3.9 for maturin, which the first run installs from
# PyPI into TULIP_DIST_DIR (by default ~/.cache/tulip-dist).
set -euo pipefail
cd "$(dirname "$0")/.."

readonly MATURIN_VERSION=1.16.0

dist=${1:-target/dist}
mkdir -p "$dist"
dist=$(realpath "$dist")

tools=${TULIP_DIST_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tulip-dist}/maturin-$MATURIN_VERSION
if [ ! -e "$tools/complete" ]; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "maturin==$MATURIN_VERSION"
    touch "$tools/complete"
fi

target=$(uname -m)-unknown-linux-musl
tulip=$(scripts/static.sh)
version=$("$tulip" --version | cut -d' ' -f2)
name=tulip-$version-$target

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/$name/completions"
install -m 755 "$tulip" "$work/$name/tulip"
install -m 644 README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$work/$name"
"$tulip" man "$work/$name/man"
"$tulip" completions bash >"$work/$name/completions/tulip.bash"
"$tulip" completions zsh >"$work/$name/completions/_tulip"
"$tulip" completions fish >"$work/$name/completions/tulip.fish"
# The same input gives the same bytes.
tar --create --directory "$work" --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}" "$name" |
    gzip --no-name --best >"$dist/$name.tar.gz"

# Cargo has built this already. A static binary runs on every Linux of its processor.
rm -f "$dist"/tulip_archive-*.whl
"$tools/bin/maturin" build --release --locked --target "$target" \
    --compatibility manylinux2014 musllinux_1_1 --out "$dist"

(cd "$dist" && sha256sum "$name.tar.gz" tulip_archive-*.whl >SHA256SUMS)
ls -l "$dist"
