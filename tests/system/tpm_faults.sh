# Faults of a TPM and of its data. Each function is a step of the story: its stdout is the result in the report, all else goes to stderr.
# shellcheck shell=bash
# Sourced by tests/system/tpm_story.sh, under `set -e`. The helpers are in tests/system/{machine,gateway,bad_input,tpm_machine}.sh.

# gatepost becomes ready although another process holds the raw device and keeps the resource manager busy.
tpm_busy() {
    local hog
    within_unit --unit=hog -- bash -c 'exec 3<>/dev/tpm0
        while :; do tpm2_createprimary -Q -C o -T device:/dev/tpmrm0 && echo created; done' >"$work/log/hog" 2>&1 &
    hog=$!
    within 180 grep -q created "$work/log/hog"
    inside systemctl restart gatepost
    is_ready >&2
    inside systemctl stop hog.service
    wait "$hog" || true
    echo "$(grep -c created "$work/log/hog") primary keys created by the other process meanwhile"
}

# tpm_driver bind|unbind: binds the driver to the TPM (by its ACPI name), or unbinds it.
tpm_driver() { in_shell "echo MSFT0101:00 >/sys/bus/platform/drivers/tpm_tis/$1"; }

# start_without_tpm COMMAND...: unbinds the TPM, runs the command, and starts gatepost. The caller binds the TPM again. gatepost is stopped
# first: the kernel would give the device another number while a process has it open.
start_without_tpm() {
    inside systemctl stop gatepost.socket gatepost.service
    tpm_driver unbind
    "$@"
    inside systemctl start gatepost || true
}

# gatepost starts before the TPM's driver is bound. systemd cannot decrypt the PIN then; gatepost runs nevertheless, and reports no problem
# within the 30 s that it grants the driver.
tpm_comes_late() {
    local cursor
    cursor=$(journal_cursor)
    start_without_tpm true
    within 180 status_line_has "this machine's TPM is not there yet"
    cp "$work/status-line" "$work/late"
    tpm_driver bind
    is_ready >&2
    inside journalctl --quiet --unit gatepost --after-cursor "$cursor" --output short-monotonic >"$work/late-journal"
    must_fail grep 'Failed to start' "$work/late-journal" >&2
    # An emulated machine may take longer than 30 s, and then the problem is reported, but not earlier. The second field is the time since
    # the boot; "firmware" is a word of the problem's next step.
    awk -F '[][]' '/gatepostd .* starts with/ { begun = $2 } /firmware/ && $2 - begun < 30 { print; early = 1 } END { exit early }' \
        "$work/late-journal" >&2
    grep -o "this machine's TPM is not there[^;]*" "$work/late"
}

# The TPM does not answer, and the previous run's credentials are handed out nevertheless.
killed_with_a_silent_tpm() {
    local old before
    before=$(inside gatepost credentials telemetry)
    old=$(main_process)
    inside systemctl kill --signal=KILL gatepost
    # The kernel closes the device of the killed process, and with it the sessions in the TPM, which must still answer for that.
    within 60 main_process_changes "$old"
    kill -STOP "$(cat "$work/tpm.pid")"
    # Not with `gatepost credentials`: its time limit is too short for a program on an emulated machine.
    inside curl --silent --fail --max-time 60 --unix-socket /run/gatepost/gatepost.sock \
        http://localhost/v1/credentials/telemetry >"$work/answer" || true
    kill -CONT "$(cat "$work/tpm.pid")"
    [[ $(cat "$work/answer") == "$before" ]] || give_up "other credentials than before the kill: $(cut -c 1-100 "$work/answer")"
    is_ready
}
# main_process_changes OLD: there is another main process than OLD, which need not be ready.
main_process_changes() {
    local now
    now=$(main_process)
    [[ $now != 0 && $now != "$1" ]]
}

# At an ordinary boot udev reports the TPM too, and must not restart gatepost, which has opened it or is about to be started.
started_once() {
    local starts
    starts=$(inside journalctl --quiet --boot --unit gatepost --output cat --grep '^Starting gatepost.service' | wc -l)
    [[ $starts == 1 ]] || give_up "it was started $starts times"
    inside journalctl --quiet --boot --unit gatepost-tpm-arrived --output cat | tail -n 1
}

# gatepost runs, but its TPM was missing when it started: the event of udev restarts it. The PIN is away meanwhile, because systemd could
# not decrypt it.
tpm_arrives() {
    local old
    start_without_tpm inside mv /etc/credstore.encrypted/gatepost.pin /root/gatepost.pin
    old=$(main_process)
    inside mv /root/gatepost.pin /etc/credstore.encrypted/gatepost.pin
    tpm_driver bind
    within 180 is_restarted "$old"
    is_ready >&2
    inside journalctl --quiet --boot --unit gatepost-tpm-arrived --output cat | grep -o "Finished .*" | tail -n 1
}

# The dictionary-attack lockout, as after somebody has guessed at the PIN. systemd needs the TPM to decrypt the PIN, so it fails first.
tpm_locked() {
    # More guesses than the TPM allows, each of which must fail.
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

# The token store is lost, as with a damaged SD card, and an interrupted run of gatepost-tpm-setup leaves a token without a PIN. The next
# run creates a new token, whose key does not belong to the certificate.
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
    inside gatepost-tpm-setup | grep 'has no PIN, because its creation was interrupted' >&2
    # Restarted, because gatepost looks for the token only every 30 s.
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
