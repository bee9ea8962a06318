# Checks of the gateway and of the program on it, one function for each step.
# shellcheck shell=bash
# Sourced by demo/run.

readonly thing=demo-gateway socket="$work/run/gatepost.sock"

# Starts it as systemd does, with the folders in the environment.
readonly gatepostd=(env "SOFTHSM2_CONF=$SOFTHSM2_CONF" "STATE_DIRECTORY=$work/state" "RUNTIME_DIRECTORY=$work/run"
    "$bin/gatepostd" --config)

write_config() {
    load_endpoints
    cat >"$work/gatepost.toml" <<TOML
[aws]
mqtt-endpoint        = "$MQTT_ENDPOINT"
credentials-endpoint = "$CREDENTIALS_ENDPOINT"
root-ca              = "$ROOT_CA"

[token]
module   = "$(softhsm_module)"
key      = "pkcs11:token=gateway;object=device"
pin-file = "$work/token/pin"

[identity]
certificate = "$work/state/device.pem"
ca-chain    = "$fleet_ca"
subject     = { common-name = "$thing", country = "IN", organization = "Example" }

[[role-alias]]
name    = "telemetry"
default = true

[[access]]
uid          = $EUID
role-aliases = ["telemetry"]
publish      = ["{thing}/#"]
subscribe    = ["{thing}/#"]
TOML
}

gatepost() { "$bin/gatepost" --socket "$socket" "$@"; }

csr_is_good() {
    local csr="$work/state/device.csr"
    within 20 test -s "$csr"
    # Its exit code is 0 even if the signature is wrong (OpenSSL 3.0), so its output is checked.
    openssl req -in "$csr" -verify -noout 2>&1 | grep "verify OK"
    openssl req -in "$csr" -noout -subject -nameopt compat | sed 's/^subject= *//'
}

key_cannot_leave() {
    local access
    access=$(token_objects --type privkey | sed -n 's/^ *Access: *//p')
    [[ $access == *sensitive*"never extractable"*local* ]]
    echo "$access"
}

# field PATH: prints a field of the status, such as session.phase; nothing while it has no value.
field() {
    # The exit code says whether everything works yet; here only the document matters.
    { gatepost status --json 2>/dev/null || true; } | python3 -c '
import json, sys
try:
    value = json.load(sys.stdin)
    for name in sys.argv[1].split("."):
        value = value[name]
    print(value)
except (ValueError, KeyError, TypeError):
    pass
' "$1"
}

# status_is PATH VALUE...: waits until the field has one of these values, and prints it. A minute is enough for the second connection, which
# comes last: AWS allows one CONNECT in ten seconds.
status_is() {
    within 60 field_is "$@"
    field "$1"
}

field_is() {
    local path=$1 now
    shift
    now=$(field "$path")
    [[ -n $now && " $* " == *" $now "* ]]
}

# Written under another name, then renamed, so that the daemon never sees half a certificate.
sign_and_deliver() {
    local ca="${fleet_ca%.pem}"
    openssl x509 -req -in "$work/state/device.csr" -CA "$ca.pem" -CAkey "$ca.key" -CAcreateserial \
        -out "$work/state/device.pem.new" -days 365 -sha256
    mv "$work/state/device.pem.new" "$work/state/device.pem"
    openssl x509 -in "$work/state/device.pem" -noout -enddate | sed 's/^notAfter=//'
}

# cloud_says REGEX: prints the text after the match in the first matching line of the cloudlet's log.
cloud_says() { sed -nE "/$1/ { s/^.*$1//p; q }" "$work/log/cloudlet" | grep .; }

first_connection_dropped() {
    within 20 cloud_says "MQTT +$thing: not connected: "
}

thing_exists() {
    within 30 cloud_says "JITP .*: thing $thing " >/dev/null
    within 30 cloud_says 'JITP +.*ACTIVE, ' >/dev/null
    echo "thing $thing, $(cloud_says 'JITP +' | grep -o 'certificate [0-9a-f]*') ACTIVE"
}

session_is_open() {
    status_is session.phase connected
    within 20 cloud_says "MQTT +$thing: connected with "
}

# The refresh begins once AWS accepts the certificate; the command itself never waits.
credentials_arrive() {
    within 30 credentials_into "$work/credentials.json"
    python3 -c '
import json, sys
answer = json.load(open(sys.argv[1]))
assert answer["Version"] == 1 and answer["SecretAccessKey"] and answer["SessionToken"]
print(answer["AccessKeyId"], "valid until", answer["Expiration"])
' "$work/credentials.json"
}

credentials_into() {
    (umask 077 && gatepost credentials telemetry >"$1")
}

write_aws_profile() {
    cat >"$work/aws-config" <<INI
[profile gatepost]
region = us-east-1
credential_process = "$bin/gatepost" --socket "$socket" credentials telemetry
INI
}

# The caller's own AWS settings must not help here, and no proxy may interfere.
aws_as_program() {
    env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_PROFILE -u AWS_ENDPOINT_URL \
        AWS_CONFIG_FILE="$work/aws-config" AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true \
        AWS_PAGER="" NO_PROXY=127.0.0.1,localhost aws --profile gatepost --endpoint-url "$AWS_ENDPOINT_URL" sts "$@"
}

# AWS names the session after the certificate. That may be renewed before the answer is there, so the log of the cloud says
# whose it is.
caller_identity() {
    local arn session
    load_endpoints
    arn=$(aws_as_program get-caller-identity --query Arn --output text)
    session=${arn##*/}
    [[ $arn == arn:aws:sts::*:assumed-role/telemetry/"$session" ]] || give_up "that is no session of the role: $arn"
    cloud_says "JITP +certificate ${session:0:12}: attached to thing " >/dev/null || give_up "that is somebody else: $arn"
    echo "$arn"
}

message_is_acknowledged() {
    gatepost publish '{thing}/door' '{"open": true}' --wait || give_up "AWS has not acknowledged it"
    echo "$(field messages.acknowledged) of $(field messages.accepted)"
}

# The program receives its own message, because it has subscribed to that topic.
message_comes_back() {
    gatepost subscribe '{thing}/echo' --name demo --count 1 >"$work/line" &
    within 30 is_subscribed_to_echo
    gatepost publish '{thing}/echo' hello || give_up "it was not accepted"
    wait $! || give_up "the subscription ended"
    python3 -c 'import json, sys; line = json.load(open(sys.argv[1])); print(line["payload"], "on", line["topic"])' "$work/line"
}

is_subscribed_to_echo() { gatepost subscriptions --json | grep -q echo; }

log_is_clean() {
    python3 - "$work/log/gatepostd" "$work/credentials.json" "$pin" <<'PYTHON'
import json, sys
log, answer, pin = open(sys.argv[1]).read(), json.load(open(sys.argv[2])), sys.argv[3]
assert not any(secret in log for secret in (pin, answer["SecretAccessKey"], answer["SessionToken"])), "a secret"
assert "error:" not in log, "an error"
print(len(log.splitlines()))
PYTHON
}

say_what_to_try() {
    load_endpoints
    # The youngest first, as stop_daemons does.
    local youngest_first="" daemon
    for daemon in "${daemons[@]}"; do
        youngest_first="$daemon $youngest_first"
    done
    cat >"$work/environment" <<ENVIRONMENT
export GATEPOST_SOCKET='$socket' AWS_ENDPOINT_URL='$AWS_ENDPOINT_URL' NO_PROXY=127.0.0.1,localhost
export AWS_CONFIG_FILE='$work/aws-config'
export PATH='$bin':"\$PATH":'$(dirname "$(command -v aws)")'
ENVIRONMENT
    cat >"$work/stop" <<STOP
#!/bin/sh
# Whether process \$1 is still running and is ours. A process that has ended may stay in the process table as a zombie.
runs() { { tr '\\0' '\\n' <"/proc/\$1/cmdline"; } 2>/dev/null | grep -qF '$work'; }
for daemon in $youngest_first; do
    tenth=0
    while runs \$daemon; do
        case \$tenth in
        0) kill \$daemon 2>/dev/null ;;
        60) kill -KILL \$daemon 2>/dev/null ;;
        100) echo "process \$daemon does not end" >&2; break ;;
        esac
        tenth=\$((tenth + 1))
        sleep 0.1
    done
done
rm -rf '$work'
STOP
    chmod +x "$work/stop"
    local http="" show
    show=$(printf '%q' "$work")
    # The demo does not need it, so this machine may not have it.
    if command -v curl >/dev/null; then
        http=$'\n  curl --unix-socket "$GATEPOST_SOCKET" http://localhost/v1/status'
    fi
    cat <<TRY

It goes on running. In a shell, first

  . $show/environment

and then, for example

  gatepost status
  gatepost subscribe '{thing}/#' &
  gatepost publish '{thing}/door' closed
  gatepost credentials
  gatepost check --config $show/gatepost.toml$http
  aws --profile gatepost --endpoint-url \$AWS_ENDPOINT_URL sts get-caller-identity
  tail -f $show/log/gatepostd $show/log/cloudlet

To stop it and to remove its folder:

  $show/stop
TRY
}
