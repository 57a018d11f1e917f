#!/usr/bin/env bash
# Checks licences, versions and sources of the whole dependency tree against deny.toml. Installs
# cargo-deny where it is missing or of another version; the check itself needs no network once the
# crates are there.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
if [ "$(cargo deny --version 2>/dev/null)" != "cargo-deny $version" ]; then
    cargo install cargo-deny --locked --version "$version"
fi
# The licences of crates for other systems are read, too, and they are not built here.
cargo fetch --locked
cargo deny --locked --offline check -D unmatched-skip -D unnecessary-skip licenses bans sources
