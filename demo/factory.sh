# The steps before a gateway is shipped: the build, the token, the fleet CA, and the AWS side.
# shellcheck shell=bash
# Sourced by demo/run and tests/system/run.

profile=debug
[[ ${PROFILE:-} != release ]] || profile=release
bin=$(realpath -m "${PROGRAMS:-${CARGO_TARGET_DIR:-target}/$profile}")

# On a terminal cargo shows its progress; in a log only failures are of interest.
build() {
    current_step="the build"
    local flags=(--locked --package gatepost --package gatepost-client --package cloudlet --package est-server --bins)
    [[ $profile == debug ]] || flags+=(--release)
    [[ -t 2 ]] || flags+=(--quiet)
    cargo build "${flags[@]}"
}

programs_exist() {
    local program
    for program in gatepostd gatepost cloudlet est-server; do
        [[ -x $bin/$program ]] || give_up "no $program in $bin"
    done
    echo "$bin"
}

# Long enough never to occur in a log by chance: the demo searches the log for it.
readonly pin=between-you-and-me
export SOFTHSM2_CONF="$work/token/softhsm2.conf"

token_objects() {
    pkcs11-tool --module "$(softhsm_module)" --token-label gateway --login --pin "$pin" --list-objects "$@"
}

softhsm_module() {
    compgen -G '/usr/lib/*/softhsm/libsofthsm2.so' | head -n 1
}

make_token() {
    mkdir "$work/token/objects"
    echo "directories.tokendir = $work/token/objects" >"$SOFTHSM2_CONF"
    (umask 077 && echo "$pin" >"$work/token/pin")
    softhsm2-util --init-token --free --label gateway --so-pin 13579111 --pin "$pin"
    local objects
    objects=$(token_objects | grep -c Object || true)
    [[ $objects == 0 ]]
    echo "$objects"
}

# https://repost.aws/knowledge-center/aws-iot-core-jitp-setup, with its questions answered by -subj.
readonly fleet_ca="$work/fleet-ca/deviceRootCA.pem"
make_fleet_ca() {
    cd "$work/fleet-ca"
    cat >deviceRootCA_openssl.conf <<'CONF'
[ req ]
distinguished_name       = req_distinguished_name
extensions               = v3_ca
req_extensions           = v3_ca

[ v3_ca ]
basicConstraints         = CA:TRUE

[ req_distinguished_name ]
countryName              = Country Name (2 letter code)
organizationName         = Organization Name (eg, company)
CONF
    openssl genrsa -out deviceRootCA.key 2048
    openssl req -new -sha256 -key deviceRootCA.key -nodes -out deviceRootCA.csr \
        -config deviceRootCA_openssl.conf -subj "/C=IN/O=Example"
    openssl x509 -req -days 3650 -extfile deviceRootCA_openssl.conf -extensions v3_ca \
        -in deviceRootCA.csr -signkey deviceRootCA.key -out deviceRootCA.pem
    openssl x509 -in deviceRootCA.pem -noout -subject -nameopt compat | sed 's/^subject= *//'
}

# start_cloud OPTION...: starts the local AWS on free ports; cloud_place is a command that runs it elsewhere.
start_cloud() {
    start cloudlet "${cloud_place[@]}" "$bin/cloudlet" run --dir "$work/cloud" --mqtt-port 0 --credentials-port 0 \
        --api-port 0 --fleet-ca "$fleet_ca" --policy seed-with-credentials "$@"
}

# The cloudlet writes its endpoints into a file once it listens on all of them.
cloud_listens() {
    within 20 test -s "$work/cloud/cloudlet.env"
    load_endpoints
    echo "$MQTT_ENDPOINT"
}

load_endpoints() {
    # shellcheck source=/dev/null
    source "$work/cloud/cloudlet.env"
    : "${MQTT_ENDPOINT:?}" "${CREDENTIALS_ENDPOINT:?}" "${ROOT_CA:?}" "${AWS_ENDPOINT_URL:?}"
}
