# The package of another architecture: its programs run, emulated, and answer. Not a whole machine: under qemu-user systemd
# 257 starts no service (it spawns by clone3 into a control group), and CONTRIBUTING.md says how to boot one that is real.
# shellcheck shell=bash
# Sourced by tests/system/run; release is the architecture.

foreign="$work/$release"
# In memory: an emulated 32-bit program cannot list a folder on ext4, whose positions have 64 bits.
foreign_token="/dev/shm/gatepost-system-test-$$"
case $release in
arm64) emulator=qemu-aarch64 ;;
armhf) emulator=qemu-arm ;;
esac

emulation=(env SOFTHSM2_CONF="$foreign/softhsm2.conf" STATE_DIRECTORY="$foreign/state" RUNTIME_DIRECTORY="$foreign/run"
    "$emulator" -L "$cache/$release")
emulated() { "${emulation[@]}" "$@"; }

unpack_foreign() {
    local file
    file=$(compgen -G "target/deb/gatepost_*_$release.deb" | head -n 1)
    [[ -n $file ]] || give_up "there is no package in target/deb: make deb ARCH=$release" || return 1
    mkdir -p "$foreign"/{state,run} "$foreign_token"
    dpkg-deb --extract "$file" "$foreign/package"
    echo "directories.tokendir = $foreign_token" >"$foreign/softhsm2.conf"
    (umask 077 && printf %s "$pin" >"$foreign/pin")
    emulated "$cache/$release/usr/bin/softhsm2-util" --init-token --free --label gateway --so-pin 13579111 --pin "$pin" >&2
    configuration "$softhsm" | sed "/^key /a pin-file = \"$foreign/pin\"
        s|/etc/gatepost/root-ca.pem|$ROOT_CA|; s|/etc/gatepost/fleet-ca.pem|$fleet_ca|; /^.loopback/,\$d" >"$foreign/gatepost.toml"
    basename "$file"
}

# The process itself, not a child of a shell that would be stopped in its place.
foreign_gatepostd() { exec "${emulation[@]}" "$foreign/package/usr/sbin/gatepostd" --config "$foreign/gatepost.toml"; }
foreign_gatepost() { emulated "$foreign/package/usr/bin/gatepost" --socket "$foreign/run/gatepost.sock" "$@"; }

answers_with_a_request() {
    within 60 test -s "$foreign/state/device.csr"
    foreign_gatepost csr >"$foreign/csr"
    openssl req -in "$foreign/csr" -verify -noout 2>&1 | grep "verify OK"
    { foreign_gatepost status || true; } | sed -n 2p
}

heading "The programs for $release, emulated"
step "What they need of that architecture is there: %" foreign_root "$release"
step "They are unpacked, and a token made: %" unpack_foreign
start gatepostd foreign_gatepostd
step "gatepostd makes a key, and answers the command on its socket: %" answers_with_a_request
stop_daemon "${daemons[-1]}"
forget gatepostd
rm -r "$foreign_token"
