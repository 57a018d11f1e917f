#!/usr/bin/env bash
# Lays out what the container image holds:
#
#   scripts/image_root.sh FOLDER BINARY
#
# The Dockerfile copies it, and scripts/scratch.sh runs the command in it.
set -euo pipefail

folder=$1 binary=$2
install -D -m 755 "$binary" "$folder/tulip"
install -d -m 755 "$folder/var" "$folder/var/lib"
# The state of incomplete exports: a folder that others can use is refused.
install -d -m 700 "$folder/var/lib/tulip"
