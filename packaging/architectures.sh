# The names of Debian's architectures elsewhere.
# shellcheck shell=bash
# Sourced by packaging/build.

# Versions in bookworm, the oldest release that the package supports. A program that was linked on a newer one would not start.
readonly glibc=2.36

daemon_target() {
    case $1 in
    amd64) echo x86_64-unknown-linux-gnu ;;
    arm64) echo aarch64-unknown-linux-gnu ;;
    armhf) echo armv7-unknown-linux-gnueabihf ;;
    *) echo "no such architecture: $1" >&2 && return 1 ;;
    esac
}

# SDKs start the command for every session, and a static musl program starts three times as fast (decision 2 of docs/decisions). For armhf
# it is linked with glibc, because rustup's musl target for armhf is not available everywhere.
client_target() {
    case $1 in
    amd64) echo x86_64-unknown-linux-musl ;;
    arm64) echo aarch64-unknown-linux-musl ;;
    *) daemon_target "$1" ;;
    esac
}

multiarch() {
    case $1 in
    amd64) echo x86_64-linux-gnu ;;
    arm64) echo aarch64-linux-gnu ;;
    armhf) echo arm-linux-gnueabihf ;;
    esac
}

# linker_of TARGET: Debian's gcc for the target, which also compiles its C code. For musl it only links: rustc contains the C library, and
# the command has no C code. (musl-gcc would create a program that needs musl's loader.)
linker_of() {
    case $1 in
    x86_64-*) echo x86_64-linux-gnu-gcc ;;
    aarch64-*) echo aarch64-linux-gnu-gcc ;;
    armv7-*) echo arm-linux-gnueabihf-gcc ;;
    esac
}

needs_no_newer_glibc() {
    local newest
    # A static program needs no library.
    newest=$(readelf --version-info --wide "$1" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -uV | tail -n 1)
    [[ $(printf '%s\n' "$newest" "$glibc" | sort -V | tail -n 1) == "$glibc" ]] || {
        echo "$1 needs glibc $newest; bookworm has $glibc. Build on bookworm." >&2
        return 1
    }
}

is_what_it_should_be() {
    local target=$1 program=$2
    case $target in
    *-musl) ! readelf --program-headers --wide "$program" | grep INTERP >/dev/null || {
        echo "$program is not static" >&2
        return 1
    } ;;
    *) needs_no_newer_glibc "$program" ;;
    esac
}
