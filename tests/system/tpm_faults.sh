# Faults of a TPM and of its data.
# shellcheck shell=bash
# Sourced by tests/system/tpm_story.sh.

# One program has the raw device for itself, and another one uses the resource manager all the time.
tpm_busy() {
    within_unit --unit=hog -- bash -c 'exec 3<>/dev/tpm0
        while :; do tpm2_createprimary -Q -C o -T device:/dev/tpmrm0 && echo asked; done' >"$work/log/hog" 2>&1 &
    within 180 grep -q asked "$work/log/hog"
    inside systemctl restart gatepost
    is_ready >&2
    inside systemctl stop hog.service
    wait $! || true
    echo "$(grep -c asked "$work/log/hog") keys made by the other one meanwhile"
}

# tpm_driver bind|unbind: binds the driver to the TPM (by its ACPI name), or unbinds it.
tpm_driver() { in_shell "echo MSFT0101:00 >/sys/bus/platform/drivers/tpm_tis/$1"; }

# No process may hold it meanwhile: the kernel would give the new device another number.
without_tpm() {
    inside systemctl stop gatepost.socket gatepost.service
    tpm_driver unbind
    "$@"
    inside systemctl start gatepost || true
}

# Started before its TPM, it cannot have its PIN either. It runs nevertheless, and reports no problem before the driver has had time.
tpm_comes_late() {
    local cursor
    cursor=$(journal_cursor)
    without_tpm true
    within 180 status_line_has "this machine's TPM is not there yet"
    cp "$work/status-line" "$work/late"
    tpm_driver bind
    is_ready >&2
    inside journalctl --quiet --unit gatepost --after-cursor "$cursor" --output short-monotonic >"$work/late-journal"
    must_fail grep 'Failed to start' "$work/late-journal" >&2
    # An emulated machine may need longer than the 30 s that a driver has, which is then reported.
    awk -F '[][]' '/gatepostd .* starts with/ { begun = $2 } /firmware/ && $2 - begun < 30 { print; early = 1 } END { exit early }' \
        "$work/late-journal" >&2
    grep -o "this machine's TPM is not there[^;]*" "$work/late"
}

# The TPM does not answer, and the previous run's credentials are handed out nevertheless. The killed process must have gone before: the
# kernel has the TPM remove its sessions as it closes the device.
killed_with_a_silent_tpm() {
    local old before
    before=$(inside gatepost credentials telemetry)
    old=$(main_process)
    inside systemctl kill --signal=KILL gatepost
    within 60 begins_anew "$old"
    kill -STOP "$(cat "$work/tpm.pid")"
    # Not with the command, whose time limit is too short for an emulated machine to execute a program.
    inside curl --silent --fail --max-time 60 --unix-socket /run/gatepost/gatepost.sock \
        http://localhost/v1/credentials/telemetry >"$work/answer" || true
    kill -CONT "$(cat "$work/tpm.pid")"
    [[ $(cat "$work/answer") == "$before" ]] || give_up "it was not answered as before: $(cut -c 1-100 "$work/answer")"
    is_ready
}
begins_anew() {
    local now
    now=$(main_process)
    [[ $now != 0 && $now != "$1" ]]
}

# At an ordinary boot udev reports the TPM when gatepost has opened it already, or is about to be started.
started_once() {
    local starts
    starts=$(inside journalctl --quiet --boot --unit gatepost --output cat --grep '^Starting gatepost.service' | wc -l)
    [[ $starts == 1 ]] || give_up "it was started $starts times"
    inside journalctl --quiet --boot --unit gatepost-tpm-arrived --output cat | tail -n 1
}

# While gatepost runs without its TPM, as with a PIN from a file, udev has it restarted.
tpm_arrives() {
    local old
    without_tpm inside mv /etc/credstore.encrypted/gatepost.pin /root/gatepost.pin
    old=$(main_process)
    inside mv /root/gatepost.pin /etc/credstore.encrypted/gatepost.pin
    tpm_driver bind
    within 180 another_process "$old"
    is_ready >&2
    inside journalctl --quiet --boot --unit gatepost-tpm-arrived --output cat | grep -o "Finished .*" | tail -n 1
}

# The dictionary lockout, as after somebody has guessed at the PIN. systemd needs the TPM for gatepost's PIN, so systemd encounters it.
tpm_locked() {
    in_shell "$with_module"'
        for guess in {1..6}; do ! module --token-label gateway --login --pin "wrong-$guess" --list-objects 2>&1; done' >"$work/guesses"
    grep -q CKR_PIN_LOCKED "$work/guesses"
    inside systemctl restart gatepost || true
    within 180 status_line_has 'the TPM is locked'
    cp "$work/status-line" "$work/locked"
    inside gatepost status >"$work/locked-status" || true
    grep -F 'tpm2_dictionarylockout' "$work/locked-status" >&2
    inside gatepost credentials telemetry | is_a_set >&2
    inside tpm2_dictionarylockout --clear-lockout -T device:/dev/tpmrm0
    is_ready >&2
    grep -o 'the TPM is locked[^;]*' "$work/locked"
}

# A damaged PIN is reported, and neither it nor the token is replaced: the key would be lost.
pin_damaged() {
    in_shell 'cd /etc/credstore.encrypted && cp gatepost.pin /root/ && echo damaged >gatepost.pin'
    [[ $(exit_of gatepost-tpm-setup 2>"$work/damaged") == 78 ]]
    in_shell '[[ $(cat /etc/credstore.encrypted/gatepost.pin) == damaged ]]
        mv /root/gatepost.pin /etc/credstore.encrypted/'
    grep -o 'cannot be decrypted: [^;]*' "$work/damaged"
}

# Lost as with a damaged SD card, and then recreated by an interrupted run. gatepost-tpm-setup then creates a new token, whose key does not
# belong to the certificate.
store_lost() {
    in_shell 'systemctl stop gatepost.socket gatepost.service
        mv /var/lib/gatepost/tpm2-pkcs11 /var/lib/gatepost/lost
        systemctl start gatepost'
    within 180 status_line_has 'TPM2_PKCS11_STORE names /var/lib/gatepost/tpm2-pkcs11, which is not there'
    cp "$work/status-line" "$work/lost"
    [[ $(exit_of gatepost status) == 78 ]]
    in_shell "$with_module"'
        setpriv --reuid gatepost --regid gatepost --clear-groups mkdir "$TPM2_PKCS11_STORE"
        module --slot-index 0 --init-token --label gateway --so-pin 13579111' >&2
    inside gatepost-tpm-setup | grep 'has no PIN, because its making was interrupted' >&2
    # gatepost looks for the token every 30 s.
    inside systemctl restart gatepost
    within 180 status_line_has 'is for another key than the one in the token'
    in_shell 'systemctl stop gatepost.socket gatepost.service
        rm -r /var/lib/gatepost/tpm2-pkcs11
        mv /var/lib/gatepost/lost /var/lib/gatepost/tpm2-pkcs11
        systemctl start gatepost'
    is_ready >&2
    grep -o 'TPM2_PKCS11_STORE names [^;]*' "$work/lost"
}
exit_of() {
    local status=0
    inside "$@" >&2 || status=$?
    echo "$status"
}
