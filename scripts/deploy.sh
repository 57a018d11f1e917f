#!/usr/bin/env bash
# Checks deploy/: the systemd units with systemd-analyze, the Kubernetes manifests against the schemas
# of Kubernetes, which kubernetes-validate carries.
#
#   scripts/deploy.sh
#
# The first run installs kubernetes-validate from PyPI into TULIP_DEPLOY_DIR (by default
# ~/.cache/tulip-deploy). systemd-analyze is installed where that can be done, as root on Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly KUBERNETES_VALIDATE_VERSION=1.37.0
readonly KUBERNETES_VERSIONS="1.31 1.37" # the oldest that the manifests are for, and the newest known
readonly EXPOSURE=20                     # tenths, of 100: the unit is confined at least this much

tools=${TULIP_DEPLOY_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tulip-deploy}/$KUBERNETES_VALIDATE_VERSION
if [ ! -e "$tools/complete" ]; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check \
        "kubernetes-validate==$KUBERNETES_VALIDATE_VERSION"
    touch "$tools/complete"
fi
if ! command -v systemd-analyze >/dev/null; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "systemd-analyze is missing; on Debian: apt install systemd" >&2
        exit 2
    fi
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends systemd
fi

for version in $KUBERNETES_VERSIONS; do
    "$tools/bin/kubernetes-validate" --strict --kubernetes-version "$version" \
        deploy/kubernetes/{config,state,cronjob}.yaml
done

# The unit names where the command is installed, which need not be so here.
units=$(mktemp -d)
trap 'rm -rf "$units"' EXIT
cp deploy/systemd/tulip-export.timer "$units"
sed 's|/usr/local/bin/tulip|/bin/true|' deploy/systemd/tulip-export.service >"$units/tulip-export.service"
systemd-analyze verify --man=no --recursive-errors=no "$units"/tulip-export.{service,timer}
systemd-analyze security --offline=true --threshold="$EXPOSURE" --no-pager \
    "$units/tulip-export.service" | tail -n 1
