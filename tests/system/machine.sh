# A Debian that boots in systemd-nspawn: its own systemd, users, journal and network, on this machine's kernel.
# shellcheck shell=bash
# Sourced by tests/system/run. Uses $work (the folder of this run) and $cache (kept for the next one).

# The packages of a Debian system and the tools of the test. gatepost's own dependencies are among them, because the machine
# reaches no package server.
readonly base_packages=(systemd systemd-sysv dbus udev libpam-systemd ca-certificates iproute2 procps
    init-system-helpers softhsm2 opensc curl libfaketime)
# The same root folder boots as a machine with its own kernel and a TPM (tpm_machine.sh).
tpm_packages=("linux-image-$(dpkg --print-architecture)" initramfs-tools openssh-server apparmor tpm-udev libtpm2-pkcs11-1 tpm2-tools)

# comma_separated WORD...: joins words for mmdebstrap's --include. It is a separate function, because everything called with another IFS
# would split its words at other places.
comma_separated() {
    local IFS=,
    echo "$*"
}

# root_of RELEASE: creates the machine's root folder, unless an earlier run has, and prints its path.
root_of() {
    local release=$1 root="$cache/$1" packages
    packages=$(comma_separated "${base_packages[@]}" "${tpm_packages[@]}")
    if [[ $(cat "$root.complete" 2>/dev/null) != "$packages" ]]; then
        rm -rf "$root" "$root.img"
        mmdebstrap --quiet --variant=minbase --setup-hook="$here/small_initramfs \"\$1\"" --include="$packages" \
            "$release" "$root" >&2
        rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
        # Each machine has its own ID: the first boot creates it.
        : >"$root/etc/machine-id"
        echo "$packages" >"$root.complete"
    fi
    echo "$root"
}

# foreign_root ARCH: unpacks the libraries that its programs link to and load. They need no configuration.
foreign_root() {
    local root="$cache/$1"
    if [[ ! -e $root.complete ]]; then
        rm -rf "$root"
        # By its address, because the list of suites on this machine may contain one architecture only.
        mmdebstrap --quiet --architectures="$1" --variant=extract \
            --include=libc6,libgcc-s1,libstdc++6,libssl3,softhsm2,libsofthsm2 bookworm "$root" http://deb.debian.org/debian >&2
        touch "$root.complete"
    fi
    echo "$root"
}

# make_roots NAME...: creates all of them concurrently, because unpacking uses a single processor.
make_roots() {
    local name pid pids=() names
    names=$(printf '%s\n' "$@" | sed 's/^tpm-//; s/^tpm$/trixie/' | sort -u)
    for name in $names; do
        case $name in
        arm64) ;;
        arm64-programs | armhf) foreign_root "${name%-programs}" ;;
        *) root_of "$name" ;;
        esac >&2 &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    echo $names
}

# make_machine RELEASE: creates a fresh machine, whose changes are stored in this run's folder.
make_machine() {
    local root
    root=$(root_of "$1")
    mkdir -p "$work/machine"/{changes,scratch,root}
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/machine/changes,workdir=$work/machine/scratch" \
        "$work/machine/root"
    machine_root="$work/machine/root"
    echo "$machine_address gateway" >>"$machine_root/etc/hosts"
    echo "$cloud_address $cloud_host" >>"$machine_root/etc/hosts"
    echo gateway >"$machine_root/etc/hostname"
}

# It has its own control groups, which its systemd manages, and it ends with the test run.
readonly control_group="gatepost-system-test-$$"
control_groups() {
    if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
        echo "/sys/fs/cgroup/$control_group"
    else
        printf "%s/$control_group\n" /sys/fs/cgroup/{systemd,unified,memory,pids,cpu}
    fi
}

# run_machine: the command of `start`. nspawn exits with 133 when the machine reboots, so that its unit starts it again.
run_machine() {
    local folder status=133
    for folder in $(control_groups); do
        mkdir -p "$folder"
        echo "$BASHPID" >"$folder/cgroup.procs"
    done
    while ((status == 133)); do
        status=0
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 setsid --wait systemd-nspawn --quiet --directory "$machine_root" \
            --machine "gatepost-test-$$" --register=no --keep-unit --network-namespace-path "/run/netns/$machine_net" \
            --bind-ro "$PWD/target/deb:/packages" --boot systemd.unit=multi-user.target || status=$?
    done
    return "$status"
}

# must_fail COMMAND...: asserts that COMMAND fails. After a mere `! COMMAND` that is false bash continues, in spite of -e.
must_fail() {
    ! "$@" || give_up "it should have failed: $*"
}

# The machine's PID 1, as this machine numbers it.
leader() { pgrep -f "^systemd-nspawn .*--machine gatepost-test-$$ " | head -n 1 | xargs -r pgrep -P | head -n 1; }

# inside COMMAND...: runs it in the machine as a unit of its systemd, with the permissions of a unit.
inside() { within_unit -- "$@"; }

# as_user USER COMMAND...
as_user() {
    local user=$1
    shift
    within_unit --uid="$user" -- "$@"
}

# enter COMMAND...: runs it directly in the machine, with more permissions than a unit has: only to reach systemd-run.
enter() {
    local pid
    pid=$(leader)
    [[ -n $pid ]] || give_up "the machine does not run" || return 1
    nsenter -t "$pid" -a "$@"
}

# within_unit OPTION... -- COMMAND...
within_unit() {
    # systemd would treat text after a dollar sign as a variable (systemd.service(5), "Command lines").
    enter systemd-run --quiet --pipe --wait --collect "${@//\$/\$\$}"
}

# in_shell SCRIPT: the same for a line of shell.
in_shell() { inside bash -euo pipefail -c "$1"; }

has_booted() {
    # It waits by itself, and is not available before systemd answers.
    inside systemctl is-system-running --wait 2>/dev/null | grep -E '^(running|degraded)' >/dev/null
}

no_unit_failed() {
    local failed
    failed=$(inside systemctl list-units --failed --plain --no-legend | grep -v '^systemd-' || true)
    [[ -z $failed ]] || give_up "failed units: $failed"
}

machine_boots() {
    within 60 has_booted
    inside systemctl --version | sed -n 1p
}

reboot_machine() {
    local before
    before=$(leader)
    inside systemctl reboot --no-block || true
    within 60 is_another_leader "$before"
    machine_boots
}

is_another_leader() {
    local now
    now=$(leader)
    [[ -n $now && $now != "$1" ]]
}

# keep_journal: saves the journal of the machine's units, for the analysis of a failed step.
keep_journal() {
    inside journalctl --quiet --boot --no-pager --output short-precise --since -20min >"$work/log/journal" 2>/dev/null </dev/null || true
}

stop_machine() {
    local folder
    if [[ -n $(leader) ]]; then
        inside systemctl poweroff --no-block || true
        local tenth
        for ((tenth = 0; tenth < 300; tenth++)); do
            [[ -n $(leader) ]] || break
            sleep 0.1
        done
    fi
    for folder in $(control_groups); do
        [[ ! -d $folder ]] || find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    if mountpoint -q "$work/machine/root"; then umount "$work/machine/root"; fi
    rm -rf "$work/machine"
}
