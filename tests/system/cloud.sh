# The local AWS in a network namespace of its own, with a cable to the machine's.
# shellcheck shell=bash
# Sourced by tests/system/run.

# RFC 5737 reserves these for documentation, so nobody uses them.
readonly cloud_address=192.0.2.1 machine_address=192.0.2.2 cloud_host=aws.example
readonly cloud_net="gatepost-cloud-$$" machine_net="gatepost-gateway-$$"

make_networks() {
    ip netns add "$cloud_net"
    ip netns add "$machine_net"
    ip -n "$cloud_net" link add cloud type veth peer name uplink netns "$machine_net"
    ip -n "$cloud_net" address add "$cloud_address/24" dev cloud
    ip -n "$machine_net" address add "$machine_address/24" dev uplink
    local net
    for net in "$cloud_net" "$machine_net"; do ip -n "$net" link set lo up; done
    plug_in
}

plug_in() {
    ip -n "$cloud_net" link set cloud up
    ip -n "$machine_net" link set uplink up
}

# unplug: disconnects the cloud's end only, as when a router fails; the machine's own link loses its carrier.
unplug() { ip -n "$cloud_net" link set cloud down; }

remove_networks() {
    local net
    for net in "$cloud_net" "$machine_net"; do ip netns delete "$net" 2>/dev/null || true; done
}

# Both in the namespace and where the machine reaches it.
readonly cloud_place=(ip netns exec "$cloud_net") cloud_options=(--listen "$cloud_address" --host "$cloud_host")

certify() { certify_in /var/lib/gatepost; }

# certify_in STATE: signs the request there, and installs the certificate like an administrator would: written under another name, then
# renamed.
certify_in() {
    local ca="${fleet_ca%.pem}" state=$1
    within 30 inside test -s "$state/device.csr"
    inside cat "$state/device.csr" >"$work/device.csr"
    openssl req -in "$work/device.csr" -verify -noout 2>&1 | grep -q "verify OK"
    openssl x509 -req -in "$work/device.csr" -CA "$ca.pem" -CAkey "$ca.key" -CAcreateserial -days 365 -sha256 \
        -out "$work/device.pem" 2>/dev/null
    in_shell "cat >$state/new && chmod 0644 $state/new && mv $state/new $state/device.pem" <"$work/device.pem"
    openssl x509 -in "$work/device.pem" -noout -subject -nameopt compat | sed 's/^subject= *//'
}
