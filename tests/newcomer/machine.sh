# A bare Debian in a folder, fresh for each case, and an ordinary user in it.
# shellcheck shell=bash
# Sourced by tests/newcomer/run. Uses $cache.

readonly home="/home/new comer"
readonly checkout="$home/my projects/gatepost"
machine=

# root_of RELEASE: creates the root folder, unless an earlier run has. Compared with a bare Debian it has only apt and make in addition.
root_of() {
    base="$cache/$1"
    [[ ! -e $base.complete ]] || return 0
    echo "newcomer: making a bare $1 (once)"
    rm -rf "$base"
    mmdebstrap --quiet --variant=apt --include=make "$1" "$base"
    touch "$base.complete"
}

# make_machine: creates the root folder with a clean layer over it, the user, and a copy of the files in git.
make_machine() {
    remove_machine
    machine=$(mktemp -d "$cache/machine.XXXXXX")
    mkdir "$machine"/{changes,scratch,root}
    mount -t overlay overlay -o "lowerdir=$base,upperdir=$machine/changes,workdir=$machine/scratch" "$machine/root"
    root="$machine/root"
    mount -t tmpfs tmpfs "$root/tmp"
    echo "newcomer:x:1000:1000::$home:/bin/bash" >>"$root/etc/passwd"
    echo "newcomer:x:1000:" >>"$root/etc/group"
    # As in a container image.
    : >"$root/etc/machine-id"
    mkdir -p "$root$checkout"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$root$checkout"
    chown -R 1000:1000 "$root/home"
}

remove_machine() {
    [[ -n $machine ]] || return 0
    ! mountpoint -q "$machine/root/tmp" || umount "$machine/root/tmp"
    ! mountpoint -q "$machine/root" || umount -R "$machine/root"
    rm -rf "$machine"
    machine=
}

# program NAME LINE: creates a small script in /usr/local/bin.
program() {
    printf '#!/bin/sh\n%s\n' "$2" >"$root/usr/local/bin/$1"
    chmod 0755 "$root/usr/local/bin/$1"
}

# enter USER COMMAND: runs a shell in the checkout, without a terminal, in separate namespaces. Processes that it leaves running are ended.
# Without NETWORK it has not even a loopback interface.
enter() {
    local network=(--net)
    [[ -z ${NETWORK:-} ]] || network=()
    unshare --mount --pid --ipc "${network[@]}" --fork --kill-child --mount-proc="$root/proc" \
        chroot --userspec="$1" "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$home" TERM=dumb \
        /bin/bash -c 'cd "$0" && eval "$1"' "$checkout" "$2" </dev/null
}
