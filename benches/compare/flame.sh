#!/usr/bin/env bash
#
# Draws where the processor's time goes in an export of 2 GiB to the local disk, as a flame graph.
#
#   benches/compare/flame.sh path/to/checkout OUT.svg
#
# Builds the command of the checkout anew, with symbols and frame pointers, into a target folder of
# its own (target/flame), and serves the archive from nginx on loopback. Takes as long as that build;
# the first run also builds inferno, which draws the graph, into a folder of TULIP_SERVERS_DIR (by
# default ~/.cache/tulip-servers). Needs the Rust toolchain, and of Debian nginx and linux-perf, which
# root gets installed. TMPDIR must lie on a disk, not in memory. The kernel's part is seen only by root,
# or with kernel.perf_event_paranoid at 1 or less.

set -euo pipefail

readonly INFERNO_VERSION=0.12.8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
# shellcheck source-path=SCRIPTDIR source=tools.sh
source "$here/tools.sh"

install_inferno() { # FOLDER
  say "building inferno $INFERNO_VERSION into $1"
  quietly "inferno" cargo install inferno --locked --version "$INFERNO_VERSION" --root "$1"
}

if (($# != 2)); then
  say "usage: benches/compare/flame.sh path/to/checkout OUT.svg"
  exit 2
fi
readonly checkout=$1 out=$2
[[ -e $checkout/Cargo.toml ]] || fail "$checkout is no checkout of the project: it has no Cargo.toml"
need flock=util-linux python3=python3 nginx=nginx perf=linux-perf
type -P cargo >/dev/null || fail "cargo is missing: the project's Rust toolchain must be in PATH"
readonly inferno=$tools/inferno-$INFERNO_VERSION
once "$inferno" install_inferno

say "building the command with symbols"
readonly target=$checkout/target/flame
RUSTFLAGS="${RUSTFLAGS:-} -C force-frame-pointers=yes" cargo build --quiet --release --locked \
  --manifest-path "$checkout/Cargo.toml" --target-dir "$target" -p tulip-cli \
  --config profile.release.debug=1 --config 'profile.release.strip="none"'

work=$(mktemp -d "${TMPDIR:-/tmp}/tulip-flame.XXXXXX")
trap 'rm -rf "$work"' EXIT
say "recording an export"
PYTHONPATH=$here/.. python3 -P -B -m compare.record "$target/release/tulip" "$work/perf.data"
perf script -i "$work/perf.data" 2>"$work/script.log" >"$work/stacks" ||
  fail "perf script failed: $(<"$work/script.log")"
"$inferno/bin/inferno-collapse-perf" "$work/stacks" >"$work/folded"
"$inferno/bin/inferno-flamegraph" --title "tulip export of 2 GiB to the local disk" "$work/folded" >"$out"
say "the flame graph is in $out"
