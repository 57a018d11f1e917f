#!/usr/bin/env bash
# Runs all fuzz targets side by side, each for SECONDS (default 60), from the seeds and whatever
# inputs earlier runs have grown. Fails when one of them finds something.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
logs=$(mktemp -d)
mapfile -t targets < <(cargo fuzz list)
# Assertions find what there is to find in safe Rust; without a sanitizer it works on stable.
options=(--sanitizer none)
cargo fuzz build "${options[@]}"

pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' INT TERM
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    cargo fuzz run "${options[@]}" "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -dict="fuzz/dictionaries/$target.dict" -max_total_time="$seconds" \
        -timeout=10 -print_final_stats=1 >"$logs/$target" 2>&1 &
    pids+=($!)
done

found=0
for at in "${!targets[@]}"; do
    target=${targets[at]}
    result="nothing found"
    if ! wait "${pids[at]}"; then
        result="FOUND SOMETHING, see $logs/$target and fuzz/artifacts/$target"
        found=1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$target")
    printf '%-12s %12s executions, %s\n' "$target" "${runs:-unknown}" "$result"
done
exit "$found"
