# What is true of the gateway, and of the program on it, one function a step.
# shellcheck shell=bash
# Sourced by demo/run.

readonly thing=demo-gateway socket="$work/run/gatepost.sock"

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
TOML
}

gatepost() { "$bin/gatepost" --socket "$socket" "$@"; }

csr_is_good() {
    local csr="$work/state/device.csr"
    within 20 test -s "$csr"
    # Its exit code is 0 even if the signature is wrong (OpenSSL 3.0), so its words are looked at.
    openssl req -in "$csr" -verify -noout 2>&1 | grep "verify OK"
    openssl req -in "$csr" -noout -subject -nameopt compat
}

key_cannot_leave() {
    local access
    access=$(token_objects --type privkey | sed -n 's/^ *Access: *//p')
    [[ $access == *sensitive*"never extractable"*local* ]]
    echo "$access"
}

# field PATH: one field of the status, such as session.phase; empty as long as there is none.
field() {
    # The exit code says whether all is well yet; here only the document counts.
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

# status_is PATH VALUE...: waits until the field is one of these values, and prints it. A minute is enough for what
# comes last, the second connection: AWS allows one CONNECT in ten seconds.
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

# First under another name, then renamed: so the daemon never sees half a certificate.
sign_and_deliver() {
    local ca="${fleet_ca%.pem}"
    openssl x509 -req -in "$work/state/device.csr" -CA "$ca.pem" -CAkey "$ca.key" -CAcreateserial \
        -out "$work/state/device.pem.new" -days 365 -sha256
    mv "$work/state/device.pem.new" "$work/state/device.pem"
    openssl x509 -in "$work/state/device.pem" -noout -enddate
}

# cloud_says REGEX: the first such line in the cloudlet's log.
cloud_says() { grep -m 1 -oE "$1" "$work/log/cloudlet"; }

first_connection_dropped() {
    within 20 cloud_says "MQTT +$thing: not connected.*"
}

thing_exists() {
    within 30 cloud_says "JITP .*thing $thing created"
    within 30 cloud_says 'JITP .*ACTIVE, provisioning done'
}

# The refresh begins once AWS lets the certificate in; the command itself never waits.
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

# Nothing of the caller's own AWS set-up may help here.
aws_as_program() {
    env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_ENDPOINT_URL \
        AWS_CONFIG_FILE="$work/aws-config" AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true \
        AWS_PAGER="" aws --profile gatepost --endpoint-url "$STS_ENDPOINT" sts "$@"
}

caller_identity() {
    local arn
    load_endpoints
    arn=$(aws_as_program get-caller-identity --query Arn --output text)
    [[ $arn == arn:aws:sts::*:assumed-role/* ]]
    echo "$arn"
}

log_keeps_secrets() {
    python3 - "$work/log/gatepostd" "$work/credentials.json" "$pin" <<'PYTHON'
import json, sys
log, answer, pin = open(sys.argv[1]).read(), json.load(open(sys.argv[2])), sys.argv[3]
assert not any(secret in log for secret in (pin, answer["SecretAccessKey"], answer["SessionToken"]))
print(len(log.splitlines()))
PYTHON
}

say_what_to_try() {
    cat >"$work/stop" <<STOP
#!/bin/sh
kill ${daemons[1]}; sleep 1; kill ${daemons[0]}; rm -rf '$work'
STOP
    chmod +x "$work/stop"
    cat <<TRY

It goes on running. Try:
  export GATEPOST_SOCKET=$socket PATH=$bin:\$PATH
  gatepost status
  gatepost credentials
  curl --unix-socket \$GATEPOST_SOCKET http://localhost/v1/status
  AWS_CONFIG_FILE=$work/aws-config aws --profile gatepost --endpoint-url $(load_endpoints && echo "$STS_ENDPOINT") sts get-caller-identity
  tail -f $work/log/gatepostd $work/log/cloudlet
To stop it and remove its folder:
  $work/stop
TRY
}
