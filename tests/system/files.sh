# Files that gatepost writes for local programs.
# shellcheck shell=bash
# Sourced by tests/system/run.

# gatepostd may not change the owner of files, so an access control list admits the reader.
loopback_token() {
    local token=/run/gatepost/loopback/user-camera
    must_fail as_user nobody cat "$token" >/dev/null
    as_user camera bash -c "curl --silent --fail --header \"Authorization: \$(cat $token)\" \
        http://127.0.0.1:9922/v1/credentials/telemetry" | is_a_set
}

readonly credentials_file=/run/gatepost/files/camera-telemetry.aws
file_is_its_owners() {
    within 10 as_user camera grep -q '^aws_session_token = .' "$credentials_file"
    must_fail as_user nobody cat "$credentials_file" >/dev/null
    in_shell "stat -c 'belongs to %U, and camera reads it' $credentials_file"
}
file_goes_at_a_stop() {
    inside test -s "$credentials_file"
    inside systemctl stop gatepost.socket gatepost.service
    must_fail inside test -e "$credentials_file"
    inside systemctl start gatepost
    is_ready >&2
    within 10 inside test -s "$credentials_file"
    echo "gone, and there again after a start"
}
