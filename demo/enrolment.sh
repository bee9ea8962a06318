# The EST server of the fleet's CA, and what becomes of the gateway's certificate.
# shellcheck shell=bash
# Sourced by demo/run.

# Certificates live for a minute, so that a renewal is seen. At a real CA it is months.
readonly lifetime=60

# The factory gives each gateway a secret for one certificate. Whoever has it can ask once, in this gateway's name.
start_est_server() {
    mkdir -m 0700 "$work/est"
    head -c 16 /dev/urandom | base64 >"$work/est/secret"
    start est-server "$bin/est-server" run --dir "$work/est" --port 0 --lifetime "$lifetime" --one-time "$thing:$work/est/secret" \
        --ca-certificate "$fleet_ca" --ca-key "${fleet_ca%.pem}.key"
}

est_url() { sed -n 's/^url: *//p' "$work/log/est-server" | grep .; }

est_server_listens() {
    within 20 est_url >/dev/null
    est_url
}

write_enrolment() {
    cat >>"$work/gatepost.toml" <<TOML

[enrolment]
method = "est"

[enrolment.est]
url         = "$(est_url)"
server-ca   = "$work/est/server-ca.pem"
secret-file = "$work/est/secret"
TOML
}

has_certificate() { [[ -s $work/state/device.pem ]]; }

certificate_is_there() {
    within 30 has_certificate
    openssl x509 -in "$work/state/device.pem" -noout -enddate | sed 's/^notAfter=//'
}

first_certificate=
# The shell that runs a step is not that of the next one, so this is not a step.
remember_certificate() { first_certificate=$(field identity.certificate_id); }

is_renewed() {
    local now
    now=$(field identity.certificate_id)
    [[ -n $now && $now != "$first_certificate" ]]
}

certificate_is_renewed() {
    within 60 is_renewed
    echo "$(field identity.certificate_id | cut -c 1-12), valid until $(field identity.not_after)"
}

session_has_moved() {
    local now
    now=$(field session.certificate_id)
    [[ -n $now && $now != "$first_certificate" && $(field session.phase) == connected ]]
}

session_moves() {
    within 60 session_has_moved
    field session.certificate_id | cut -c 1-12
}

# Counts the requests that were sent with the secret: one, and all others with a certificate.
secret_was_used() {
    grep -c "simpleenroll by .*: 200" "$work/log/est-server"
}
