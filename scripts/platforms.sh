#!/usr/bin/env bash
#
# Compiles the command for systems that CI does not run on, without linking it:
#
#   scripts/platforms.sh windows macos
#
# ring has some C, so a C compiler for each is needed: MinGW for Windows (on Debian:
# apt install gcc-mingw-w64-x86-64, which is done here as root), and for macOS zig's, which the first run
# installs from PyPI into TULIP_PLATFORMS_DIR (by default ~/.cache/tulip-platforms).
set -euo pipefail
cd "$(dirname "$0")/.."

readonly ZIG_VERSION=0.13.0

check() { # TARGET
    rustup target list --installed | grep -qx "$1" || rustup target add "$1"
    cargo clippy -p tulip-cli --locked --target "$1" -- -D warnings
}

windows() {
    if ! command -v x86_64-w64-mingw32-gcc >/dev/null; then
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            echo "MinGW is missing; on Debian: apt install gcc-mingw-w64-x86-64" >&2
            exit 2
        fi
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends gcc-mingw-w64-x86-64
    fi
    check x86_64-pc-windows-gnu
}

macos() {
    local tools=${TULIP_PLATFORMS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tulip-platforms}/zig-$ZIG_VERSION
    if [ ! -e "$tools/complete" ]; then
        rm -rf "$tools"
        python3 -m venv "$tools"
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "ziglang==$ZIG_VERSION"
        # Takes clang's names of the target and of the SDK away, which zig has its own for.
        cat >"$tools/cc" <<ZIG
#!/usr/bin/env bash
arguments=()
while [ \$# -gt 0 ]; do
    case \$1 in
    --target=* | -mmacosx-version-min=*) ;;
    -arch | -isysroot | -target) shift ;;
    *) arguments+=("\$1") ;;
    esac
    shift
done
exec "$tools/bin/python" -m ziglang cc -target aarch64-macos "\${arguments[@]}"
ZIG
        printf '#!/usr/bin/env bash\nexec "%s/bin/python" -m ziglang ar "$@"\n' "$tools" >"$tools/ar"
        chmod +x "$tools/cc" "$tools/ar"
        touch "$tools/complete"
    fi
    SDKROOT=/ CC_aarch64_apple_darwin=$tools/cc AR_aarch64_apple_darwin=$tools/ar \
        check aarch64-apple-darwin
}

[ $# -gt 0 ] || { echo "usage: scripts/platforms.sh windows|macos…" >&2; exit 2; }
for system in "$@"; do
    case $system in
    windows | macos) "$system" ;;
    *) echo "unknown: $system" >&2; exit 2 ;;
    esac
done
