# Mistakes of people and faults of hardware.
# shellcheck shell=bash
# Sourced by tests/system/run.

readonly wrong=/etc/gatepost/conf.d/99-wrong.toml
break_configuration() { in_shell "echo 'log-level = 1' >$wrong"; }
mend_configuration() { inside rm -f "$wrong"; }

journal_since() { inside journalctl --quiet --unit gatepost --after-cursor "$1" --output cat; }
journal_cursor() { inside journalctl --quiet --lines 0 --show-cursor | sed -n 's/^-- cursor: //p'; }

wrong_reload() {
    local old
    old=$(main_process)
    break_configuration
    must_fail inside systemctl reload gatepost 2>/dev/null
    [[ $(main_process) == "$old" ]]
    # A start would not use this file, so somebody should know before there is one.
    within 20 status_line_has log-level
    user_gets_credentials >&2
    mend_configuration
    inside systemctl reload gatepost
    [[ $(main_process) == "$old" ]]
    is_ready >&2
    echo "process $old goes on"
}

# An upgrade never replaces a running daemon with one that does not start.
upgrade_meets_wrong_file() {
    local old
    old=$(main_process)
    break_configuration
    upgrade_to "$newer" >"$work/upgrade"
    [[ $(main_process) == "$old" ]]
    user_gets_credentials >&2
    mend_configuration
    is_ready >&2
    grep -o 'this version finds fault with the configuration that is there' "$work/upgrade"
}

# If its administrator has stopped it to look at its files, it stays stopped.
upgrade_respects_stop() {
    inside systemctl stop gatepost.socket gatepost.service
    upgrade_to "$newer" >&2
    units_are enabled inactive
    inside systemctl start gatepost
    is_ready >&2
}

# Without credentials and a last good configuration it cannot continue.
forget_everything() {
    inside systemctl stop gatepost.socket gatepost.service
    inside rm -f /var/lib/gatepost/last-good.json
}

# A version that fails, followed by one that works: the gateway recovers without a person.
upgrade_mends_failed() {
    forget_everything
    break_configuration
    inside systemctl restart gatepost || true
    within 20 has_failed_with 78
    within 20 socket_is inactive
    mend_configuration
    upgrade_to "$package" >&2
    units_are enabled active >&2
    is_ready
}

wrong_start() {
    local cursor
    cursor=$(journal_cursor)
    forget_everything
    break_configuration
    must_fail inside systemctl restart gatepost 2>/dev/null
    within 20 has_failed_with 78
    # Callers do not wait for ever.
    within 20 socket_is inactive
    journal_since "$cursor" | grep -F log-level | sed -n 1p
    mend_configuration
    inside systemctl restart gatepost
    is_ready >&2
    units_are enabled active >&2
}

# The last good configuration is used, so programs notice nothing. A corrected file is loaded automatically.
last_good_start() {
    break_configuration
    inside systemctl restart gatepost
    within 20 status_line_has 'the last good configuration, saved at'
    within 20 status_line_has log-level
    must_fail inside gatepostd --check-config 2>/dev/null >&2
    within 20 user_gets_credentials >&2
    status configuration.phase
}
mended_by_itself() {
    mend_configuration
    within 20 status_equals configuration.phase loaded
    echo loaded
}

# Without a last good configuration and a valid file, the process continues for the credentials that systemd has kept.
held_credentials() {
    inside rm -f /var/lib/gatepost/last-good.json
    break_configuration
    inside systemctl restart gatepost
    within 20 status_line_has log-level
    must_fail as_user camera gatepost credentials telemetry 2>"$work/refusal" >&2
    grep -qF log-level "$work/refusal" || give_up "refused with: $(cat "$work/refusal")"
    mend_configuration
    within 20 user_gets_credentials
}

# It cannot open its token, and continues with the credentials that it has.
rejected_pin_with_credentials() {
    set_pin 31415926
    inside systemctl restart gatepost
    within 20 status_equals token.phase failed
    user_gets_credentials >&2
    set_pin "$pin"
    inside systemctl restart gatepost
    within 20 user_gets_credentials
}

# A version that does not run at all, and is replaced after a while.
broken_version() {
    in_shell 'mv /usr/sbin/gatepostd /usr/sbin/gatepostd.good
        printf "#!/bin/sh\nexit 1\n" >/usr/sbin/gatepostd; chmod 0755 /usr/sbin/gatepostd
        systemctl restart gatepost || true'
    within 20 has_restarted_twice
    in_shell 'mv /usr/sbin/gatepostd.good /usr/sbin/gatepostd'
    within 30 user_gets_credentials
}
has_restarted_twice() { in_shell '(($(systemctl show --property=NRestarts --value gatepost) >= 2))'; }

has_failed_with() {
    [[ $(inside systemctl show --property=ActiveState,ExecMainStatus --value gatepost | paste -sd ' ') =~ ^($1 failed|failed $1)$ ]]
}
socket_is() { [[ $(inside systemctl is-active gatepost.socket || true) == "$1" ]]; }

# A token counts rejected PINs and locks itself, so a program that connects must not cause another attempt.
wrong_pin() {
    local cursor starts
    set_pin 31415926
    cursor=$(journal_cursor)
    inside systemctl stop gatepost
    in_shell 'for i in {1..20}; do gatepost credentials telemetry >/dev/null 2>&1 & done; wait'
    within 20 has_failed_with 77
    within 20 socket_is inactive
    in_shell 'for i in {1..20}; do gatepost credentials telemetry >/dev/null 2>&1 || true; done'
    starts=$(journal_since "$cursor" | grep -c '^gatepostd .* starts with' || true)
    [[ $starts == 1 ]] || give_up "it was started $starts times"
    set_pin "$pin"
    inside systemctl restart gatepost
    is_ready >&2
    journal_since "$cursor" | grep -o 'the token rejected the PIN[^;]*' | sed -n 1p
}

# The encrypted PIN of another machine, as in a copied image. systemd does not start gatepostd then, so gatepostd cannot report it.
foreign_pin() {
    local cursor secret=/var/lib/systemd/credential.secret
    cursor=$(journal_cursor)
    inside mv "$secret" "$secret.own"
    set_pin "$pin"
    inside mv "$secret.own" "$secret"
    inside systemctl restart gatepost || true
    within 30 status_line_has 'systemd cannot decrypt the PIN in /etc/credstore.encrypted/gatepost.pin: Decryption failed'
    # Not by the cursor: bookworm's journalctl omits the first matching line after it.
    inside journalctl --quiet --boot --catalog --unit gatepost --lines 1 GATEPOST_EVENT=pin-undecryptable |
        grep 'Next: if it was encrypted for another machine, encrypt the PIN again' >&2
    # Callers wait, because the fault may be temporary; here somebody corrects it.
    socket_is active
    set_pin "$pin"
    is_ready >&2
    journal_since "$cursor" | grep -o 'systemd cannot decrypt the PIN in [^;]*' | sed -n 1p
}
# status_line_has TEXT: the last line is kept, because there is none between two starts.
status_line_has() { status_line >"$work/status-line" && grep -qF "$1" "$work/status-line"; }

started_twice() {
    local old
    old=$(main_process)
    inside systemctl start gatepost gatepost.socket
    [[ $(main_process) == "$old" ]]
    second_instance
}
second_instance() {
    must_fail within_unit --uid=gatepost --setenv=SOFTHSM2_CONF=/etc/gatepost/softhsm2.conf -- gatepostd 2>"$work/second" >&2
    inside systemctl start gatepost
    grep -o 'another gatepostd is running' "$work/second"
}

# A module that does not belong to a package, in a folder that vendors use.
vendor_module() {
    local module=/opt/vendor/lib/libvendor-pkcs11.so file=/etc/gatepost/conf.d/50-vendor.toml
    in_shell "install -D -m 0644 /usr/lib/softhsm/libsofthsm2.so $module
        printf '[token]\nmodule = \"$module\"\n' >$file
        systemctl restart gatepost"
    is_ready >&2
    in_shell "grep -o '/opt/.*' /proc/\$(systemctl show --property=MainPID --value gatepost)/maps | sort -u"
    in_shell "rm -r $file /opt/vendor && systemctl restart gatepost"
    is_ready >&2
}

# with_small_state COMMAND...: runs COMMAND with the state folder on a separate file system of two megabytes.
with_small_state() {
    local status=0
    in_shell '
        systemctl stop gatepost.socket gatepost.service
        mount -t tmpfs -o size=2m,mode=0700,uid=$(id -u gatepost),gid=$(id -g gatepost) small /mnt
        cp -a /var/lib/gatepost/. /mnt/
        mount --move /mnt /var/lib/gatepost 2>/dev/null || { mount --bind /mnt /var/lib/gatepost; umount /mnt; }
        systemctl start gatepost'
    is_ready >&2
    (set -e && "$@") || status=$?
    in_shell '
        systemctl stop gatepost.socket gatepost.service
        umount /var/lib/gatepost
        systemctl start gatepost'
    is_ready >&2
    return "$status"
}

var_full() { with_small_state full_state; }
full_state() {
    must_fail in_shell 'dd if=/dev/zero of=/var/lib/gatepost/filler bs=4k 2>/dev/null'
    must_fail in_shell 'echo x >/var/lib/gatepost/more'
    user_gets_credentials >&2
    inside systemctl restart gatepost
    is_ready
}

var_read_only() { with_small_state read_only_state; }
read_only_state() {
    in_shell 'systemctl stop gatepost.socket gatepost.service
        mount -o remount,ro /var/lib/gatepost
        systemctl start gatepost'
    must_fail inside touch /var/lib/gatepost/x
    user_gets_credentials_soon >&2
    status_becomes session.phase connected
    # Not ready: messages cannot be accepted, which is reported.
    status_becomes messages.phase failed
    status summary
}
user_gets_credentials_soon() { within 30 as_user camera gatepost credentials telemetry >/dev/null; }

# grep reads to the end: with -q, journalctl would fail at a closed pipe.
journal_has() { journal_since "$1" | grep -F "$2" >/dev/null; }

# libfaketime reads the offset again whenever the time is read.
clock_at_1970() {
    local library
    library=$(in_shell 'ls /usr/lib/*/faketime/libfaketimeMT.so.1')
    in_shell "
        echo '-$(($(date +%s) - 60))' >/etc/gatepost/faketime
        printf '[Service]\nEnvironment=LD_PRELOAD=%s FAKETIME_NO_CACHE=1 FAKETIME_TIMESTAMP_FILE=/etc/gatepost/faketime FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1\n' \
            '$library' >/etc/systemd/system/gatepost.service.d/clock.conf
        systemctl daemon-reload
        systemctl stop gatepost && systemctl start gatepost"
    status_becomes clock.phase unset
    inside gatepost status --json >"$work/unset" || true
    in_shell 'echo +0 >/etc/gatepost/faketime'
    is_ready >&2
    in_shell 'rm /etc/systemd/system/gatepost.service.d/clock.conf /etc/gatepost/faketime
        systemctl daemon-reload && systemctl restart gatepost'
    is_ready >&2
    grep -o 'the clock shows [^,]*' "$work/unset" | head -n 1
}

# The boot is not delayed; the socket answers and reports what is missing.
network_late() {
    local reason
    unplug
    reboot_machine >&2
    no_unit_failed
    within 30 inside systemctl is-active --quiet gatepost multi-user.target
    within 90 says session.problem.message "cannot be reached"
    reason=$(<"$work/said")
    plug_in
    is_ready >&2
    echo "$reason"
}

# Two gateways from one image: each has its own key, as created at the first boot, but the same machine-id and therefore the same name.
cloned_machine_id() {
    in_shell "
        mkdir -m 0700 -p /root/clone/state /root/clone/run /root/clone/token
        echo 'directories.tokendir = /root/clone/token' >/root/clone/softhsm2.conf
        printf %s '$pin' >/root/clone/pin && chmod 0600 /root/clone/pin
        export SOFTHSM2_CONF=/root/clone/softhsm2.conf
        softhsm2-util --init-token --free --label gateway --so-pin 13579111 --pin '$pin' >/dev/null
        sed '/^key /a pin-file = \"/root/clone/pin\"' /etc/gatepost/gatepost.toml | sed '/^.loopback/,\$d' >/root/clone/gatepost.toml"
    within_unit --unit=clone --setenv=SOFTHSM2_CONF=/root/clone/softhsm2.conf --setenv=STATE_DIRECTORY=/root/clone/state \
        --setenv=RUNTIME_DIRECTORY=/root/clone/run -- gatepostd --config /root/clone/gatepost.toml >"$work/log/clone" 2>&1 &
    certify_in /root/clone/state >&2
    within 60 says session.problem.message "in use twice"
    inside systemctl stop clone.service
    wait $! || true
    # The session is reconnected, but the other client may come back: that is reported for an hour, or until the next start.
    status_becomes session.phase connected
    says session.problem.message "in use twice"
    inside systemctl restart gatepost
    is_ready >&2
    inside rm -r /root/clone
    cat "$work/said"
}
