# shellcheck shell=bash
# An emulator for the scripts that source this file.
#
#   start_emulator PROGRAM [OPTION…]   starts `PROGRAM emulate`, and exports what a command needs to reach it
#   stop_emulator                      stops it; a script calls this at its end, too
#
# The variables are read from the emulator's own output, line by line: it has them when it listens, so
# nothing is polled, and an emulator that ran before cannot be taken for this one.

emulator=

start_emulator() { # PROGRAM [OPTION…]
    local program=$1 line
    shift
    exec {emulator_output}< <(exec "$program" emulate "$@" 2>/dev/null)
    emulator=$!
    while read -r line <&"$emulator_output"; do
        [[ $line != export\ * ]] || eval "$line"
        [[ $line != export\ TULIP_API_SECRET=* ]] || return 0
    done
    echo "the emulator did not start; to see why: $program emulate $*" >&2
    return 1
}

stop_emulator() {
    [[ $emulator ]] || return 0
    kill "$emulator" 2>/dev/null || true
    wait "$emulator" 2>/dev/null || true
    exec {emulator_output}<&-
    emulator=
}
