# The first boot of an image, on a machine with a TPM whose systemd is bookworm's.
# shellcheck shell=bash
# Sourced by tests/system/run.

# shellcheck source=tests/system/tpm_machine.sh
source "$here/tpm_machine.sh"

heading "The first boot of an image, with a TPM, bookworm"
step "Its TPM is swtpm %" make_tpm_machine bookworm
switch_on bookworm with-tpm
step "It has booted: %" tpm_machine_boots
step "apt installs the package: %" install_package "$package"
step "It is configured, and both units are enabled: %" enable_in_image
step "The machine shuts down: %" tpm_machine_ends poweroff
switch_on bookworm with-tpm
step "Its first boot as a gateway: %" tpm_machine_boots
step "By itself it has made its TPM ready, and asks for a certificate: %" asks_for_a_certificate
step "The certificate is signed and delivered: %" certify
step "It becomes ready by itself: %" is_ready
step "The machine shuts down: %" tpm_machine_ends poweroff
forget machine
