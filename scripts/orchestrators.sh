#!/usr/bin/env bash
# Runs the recipes for Dagster and Airflow in deploy/ against an emulator, with a real `tulip`.
#
#   scripts/orchestrators.sh target/release/tulip
#
# The first run installs both from PyPI into TULIP_DEPLOY_DIR (by default ~/.cache/tulip-deploy):
# about 450 MB, and a minute or two.
set -euo pipefail

tulip=$(realpath "$1")
cd "$(dirname "$0")/.."

readonly DAGSTER_VERSION=1.13.29
readonly AIRFLOW_VERSION=3.3.2

# The folder of a package of this version, installed where it is missing.
installed() {
    local tools=${TULIP_DEPLOY_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tulip-deploy}/$1-$2
    if [ ! -e "$tools/complete" ]; then
        rm -rf "$tools"
        python3 -m venv "$tools"
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "$1==$2" >&2
        touch "$tools/complete"
    fi
    printf '%s' "$tools"
}

# Runs a command and shows its log only if it fails.
logged() {
    "$@" 2>"$folder/log" || { tail -n 50 "$folder/log" >&2; return 1; }
}

dagster=$(installed dagster "$DAGSTER_VERSION")
airflow=$(installed apache-airflow "$AIRFLOW_VERSION")

# shellcheck source=scripts/emulator.sh
source scripts/emulator.sh
folder=$(mktemp -d)
trap 'stop_emulator; rm -rf "$folder"' EXIT
start_emulator "$tulip"

mkdir "$folder/bin"
ln -s "$tulip" "$folder/bin/tulip"
export PATH="$folder/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 TULIP_STATE="$folder/state"

echo "Dagster $DAGSTER_VERSION"
export DAGSTER_DISABLE_TELEMETRY=yes
TULIP_TARGET="$folder/dagster" PYTHONPATH=deploy/dagster \
    logged "$dagster/bin/python" scripts/orchestrators/dagster_recipe.py
[ "$(find "$folder/dagster" -name '*.csv' | wc -l)" -eq 3 ]

echo "Airflow $AIRFLOW_VERSION"
export AIRFLOW_HOME="$folder/home" AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__DAGS_FOLDER="$PWD/deploy/airflow"
logged "$airflow/bin/python" -m airflow db migrate >/dev/null
TULIP_TARGET="$folder/airflow" PYTHONPATH=deploy/airflow \
    logged "$airflow/bin/python" scripts/orchestrators/airflow_recipe.py >"$folder/out" ||
    { tail -n 20 "$folder/out" >&2; exit 1; }
grep '^as expected' "$folder/out"
[ "$(find "$folder/airflow" -name '*.csv' | wc -l)" -eq 3 ]
