# Sourced by run.sh and flame.sh: finds what they need, and installs what can be.
# shellcheck shell=bash

readonly tools=${TULIP_SERVERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tulip-servers}

say() { printf 'compare: %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

# Programs that Debian has. Root gets what is missing installed, anybody else is told how.
need() { # PROGRAM=PACKAGE…
  local pair missing=()
  for pair in "$@"; do
    # Of some, Debian puts the program where only root's path leads.
    PATH=$PATH:/usr/sbin type -P "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)) || ! type -P apt-get >/dev/null; then
    say "programs are missing; on Debian: apt-get install --no-install-recommends ${missing[*]}"
    exit 2
  fi
  say "installing ${missing[*]}"
  quietly "${missing[*]}" apt-get update
  quietly "${missing[*]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "${missing[@]}"
}

# Runs a command, and shows what it said only if it fails.
quietly() { # WHAT COMMAND…
  local what=$1 log=$tools/compare.log
  shift
  mkdir -p "$tools"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    fail "$what could not be installed; all that was said is in $log"
  fi
}

# Installs into a folder of its own, unless that was done before. Of two first runs at once one
# installs, and the other waits.
once() { # FOLDER FUNCTION
  mkdir -p "$tools"
  exec 9>"$tools/lock"
  flock 9
  if [[ ! -e $1/complete ]]; then
    rm -rf "$1"
    # What is started in there must not keep the lock.
    "$2" "$1" 9>&-
    touch "$1/complete"
  fi
  exec 9>&-
}
