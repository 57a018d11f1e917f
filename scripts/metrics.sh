#!/usr/bin/env bash
# Checks with Prometheus' own tool what the command writes for it, and the alerts in deploy/: the
# metrics of a run that succeeds, of one that fails after it, and of one that is interrupted.
#
#     scripts/metrics.sh target/release/tulip
#
# Needs promtool, of Debian's package prometheus; where it is missing, the package is downloaded and
# unpacked into a folder that is removed. Needs a tulip with the feature `emulator`.
set -euo pipefail

tulip=$(realpath "${1:?the path of a tulip}")
cd "$(dirname "$0")/.."
# shellcheck source=scripts/emulator.sh
source scripts/emulator.sh
folder=$(mktemp -d)
trap 'stop_emulator; rm -rf "$folder"' EXIT

promtool=$(command -v promtool || true)
if [ -z "$promtool" ]; then
    (cd "$folder" && apt-get download prometheus >/dev/null && dpkg -x prometheus_*.deb prometheus)
    promtool=$folder/prometheus/usr/bin/promtool
fi

"$promtool" check rules deploy/prometheus/tulip.rules.yml
"$promtool" test rules deploy/prometheus/tulip.rules.test.yml

start_emulator "$tulip" --machines 5
export TULIP_STATE=$folder/state

check() { # WHAT SAMPLE…
    local what=$1
    shift
    "$promtool" check metrics <"$folder/tulip.prom"
    for sample in "$@"; do
        grep -qF -- "$sample" "$folder/tulip.prom" || {
            echo "$what: no $sample in:" >&2
            cat "$folder/tulip.prom" >&2
            exit 1
        }
    done
    echo "$what: clean"
}
export_all() {
    "$tulip" export --all --to "$folder/out" --metrics-file "$folder/tulip.prom" --quiet "$@"
}

export_all >/dev/null
check "a run that succeeds" 'outcome="stored"} 5' 'tulip_run_success'
success=$(grep '^tulip_run_last_success' "$folder/tulip.prom")
export_all --max-bytes 1 >/dev/null 2>&1 && exit 1
check "a run that fails" "$success" 'reason="too_large"} 5' 'outcome="stored"} 5'
TULIP_API_SECRET=wrong export_all >/dev/null 2>&1 && exit 1
check "a run without access" "$success" 'outcome="stored"} 5'
