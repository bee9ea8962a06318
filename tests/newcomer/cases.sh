# The cases: a machine, a command, how it ends and what it says.
# shellcheck shell=bash
# Sourced by tests/newcomer/run. Uses machine.sh.

wanted_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
readonly wanted_rust

no_rust() { :; }
# Debian trixie's own.
old_rust() {
    program cargo 'echo "the old cargo was started" >&2; exit 1'
    program rustc 'echo "rustc 1.85.0 (4d91de4e4 2025-02-17)"'
}
good_rust() {
    program cargo 'exit 0'
    program rustc "echo 'rustc $wanted_rust (x)'"
}
no_sudo() { good_rust; }
refusing_sudo() {
    good_rust
    program sudo 'exit 1'
}

# check_case USER MACHINE ENDS LINES SAYS COMMAND: ENDS is "well" or "badly", LINES the maximum number of lines that it may print besides
# make's own.
check_case() {
    local user=$1 prepare=$2 ends=$3 lines=$4 says=$5 command=$6 status=0 said before wrong=()
    rm -f "$root"/usr/local/bin/*
    "$prepare"
    before=$(packages)
    said=$(enter "$user" "$command" 2>&1) || status=$?
    [[ $ends == well ]] && ((status != 0)) && wrong+=("it ended with $status")
    [[ $ends == badly ]] && ((status == 0)) && wrong+=("it ended well")
    [[ $said == *"$says"* ]] || wrong+=("it did not say \"$says\"")
    (($(grep -vc '^make\(\[[0-9]*\]\)\?: ' <<<"$said") <= lines)) || wrong+=("it said more than $lines lines")
    [[ $said != *$'\e'* ]] || wrong+=("it sent escapes to a dumb terminal")
    [[ $before == "$(packages)" ]] || wrong+=("something was installed")
    if ((${#wrong[@]} == 0)); then
        printf 'newcomer: %s, %s, %s: %s\n' "$release" "${prepare//_/ }" "$command" "${says:-good}"
        return
    fi
    failed=$((failed + 1))
    printf 'newcomer: WRONG: %s, %s, %s:\n' "$release" "${prepare//_/ }" "$command" >&2
    printf '    %s\n' "${wrong[@]}" >&2
    sed 's/^/    | /' <<<"$said" >&2
}

packages() { md5sum <"$root/var/lib/dpkg/status"; }

readonly by_hand="as root: apt-get update && apt-get install --no-install-recommends"

# One machine serves all cases, and each must leave it unchanged.
bare_cases() {
    local target
    make_machine
    check_case 1000:1000 no_rust well 25 "make demo" "make"
    for target in check test demo deb fuzz bench system-test; do
        check_case 1000:1000 no_rust badly 1 "Rust is missing: install version $wanted_rust or newer from https://rustup.rs" "make $target"
    done
    for target in check demo; do
        check_case 1000:1000 old_rust badly 1 "this is Rust 1.85.0, and $wanted_rust or newer is needed" "make $target"
        check_case 1000:1000 no_sudo badly 1 "packages are missing; $by_hand" "make $target"
        check_case 1000:1000 refusing_sudo badly 1 "sudo is not for you, and packages are missing; $by_hand" "make $target"
    done
    check_case 1000:1000 no_rust badly 2 "openssl is missing: apt-get install openssl" "make fleet-ca"
    check_case 1000:1000 no_rust badly 1 "it must be root" "tests/newcomer/run"
    check_case 1000:1000 no_rust badly 1 "demo: missing: openssl softhsm2-util" "demo/run"
    # Root in a container without a network.
    check_case 0:0 good_rust badly 60 "setup: these packages could not be installed: g++ gcc libc6-dev; is the network there?" "make check"
}

# Everything, with the commands that a newcomer types. Rust is this machine's, which is mounted.
full_cases() {
    echo "newcomer: $release: with everything installed (minutes)"
    make_machine
    mount_rust
    cp --remove-destination /etc/resolv.conf "$root/etc/resolv.conf"
    if NETWORK=1 enter 0:0 'make check && chown -R 1000:1000 . && make setup-demo' >"$cache/$release.log" 2>&1 &&
        NETWORK=1 enter 1000:1000 'make fleet-ca MODE=SNI_ONLY && make demo' >>"$cache/$release.log" 2>&1; then
        echo "newcomer: $release: make check, make fleet-ca and make demo work"
    else
        failed=$((failed + 1))
        tail -n 30 "$cache/$release.log" >&2
        echo "newcomer: WRONG: $release, with everything installed: the whole of it is in $cache/$release.log" >&2
    fi
}

# The toolchain itself, not rustup's proxies, which need their user's home folder.
mount_rust() {
    local sysroot
    sysroot=$(rustc --print sysroot)
    mkdir -p "$root/opt/rust"
    mount --bind -o ro "$sysroot" "$root/opt/rust"
    for name in cargo rustc rustfmt cargo-fmt cargo-clippy clippy-driver; do
        ln -s "/opt/rust/bin/$name" "$root/usr/local/bin/$name"
    done
}
