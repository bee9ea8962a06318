# A gateway whose key is in a software TPM, for the memory that tpm2-pkcs11 takes.
# shellcheck shell=bash
# Sourced by bench/run.

tpm2_module() { compgen -G '/usr/lib/*/pkcs11/libtpm2_pkcs11.so' | head -n 1; }

# two_free_ports: the first of two neighbours, because the module looks for swtpm's control channel at the next one.
two_free_ports() {
    python3 -c '
import socket
while True:
    one, other = socket.socket(), socket.socket()
    one.bind(("127.0.0.1", 0))
    port = one.getsockname()[1]
    try:
        other.bind(("127.0.0.1", port + 1))
        break
    except (OSError, OverflowError):
        continue
print(port)'
}

# No resource manager runs in front of it, because a single program needs none. On a gateway the kernel is the resource manager, so nothing
# of D-Bus and GLib is loaded into the process there either.
start_tpm() {
    local port
    port=$(two_free_ports)
    mkdir "$work/tpm" "$work/tpm-store"
    start swtpm swtpm socket --tpm2 --tpmstate "dir=$work/tpm,mode=0600" --flags not-need-init,startup-clear \
        --server "type=tcp,port=$port,bindaddr=127.0.0.1" --ctrl "type=tcp,port=$((port + 1)),bindaddr=127.0.0.1" \
        --pid "file=$work/tpm/pid"
    tpm_gatepostd=(env "TPM2_PKCS11_STORE=$work/tpm-store" "TPM2_PKCS11_TCTI=swtpm:host=127.0.0.1,port=$port"
        TPM2_PKCS11_LOG_LEVEL=0 "${gatepostd[@]}")
}

# Created as by gatepost-tpm-setup.
make_tpm_token() {
    within 20 test -s "$work/tpm/pid"
    # Without its last word, which is --config.
    printf %s "$pin" | "${tpm_gatepostd[@]:0:${#tpm_gatepostd[@]}-1}" --prepare-token make --module "$(tpm2_module)" --token gateway
    swtpm --version | grep -o '[0-9.]*' | head -n 1
}

# The same gateway with another token, and therefore under another name.
write_tpm_config() {
    sed "s|^module .*|module = \"$(tpm2_module)\"|; s|\"$thing\"|\"$thing-tpm\"|" "$work/gatepost.toml" >"$work/tpm.toml"
}
