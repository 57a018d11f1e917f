#!/usr/bin/env bash
# Builds the workspace with the lowest versions of its direct dependencies that Cargo.toml allows, so that
# what it allows is true. Works in a copy, and leaves Cargo.lock as it is.
#
#   scripts/minimal_versions.sh [CARGO'S OPTIONS…]      by default: check --workspace --all-targets
set -euo pipefail
cd "$(dirname "$0")/.."

target=$PWD/target
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z -- . ':!fuzz' | xargs -0 cp --parents --no-dereference --target-directory "$copy"
cd "$copy"
# The option has no stable form. It only resolves: nothing is compiled as nightly does it.
RUSTC_BOOTSTRAP=1 cargo update --quiet -Z direct-minimal-versions
[ $# -gt 0 ] || set -- check --workspace --all-targets
cargo "$@" --locked --target-dir "$target"
