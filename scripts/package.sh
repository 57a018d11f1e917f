#!/usr/bin/env bash
# Packages every crate that can be published, in the order in which they need each other, and builds
# each from what would be uploaded: a file that is missing there shows here.
#
#   scripts/package.sh [OPTIONS OF CARGO PACKAGE…]
set -euo pipefail
cd "$(dirname "$0")/.."

unpublished=()
while read -r name; do
    unpublished+=(--exclude "$name")
done < <(cargo metadata --no-deps --format-version 1 --locked | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["publish"] == []:
        print(package["name"])
')
exec cargo package --workspace "${unpublished[@]}" --locked "$@"
