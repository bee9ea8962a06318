# A whole arm64 machine with a TPM, from the installation to a crash with a slow TPM, a line for each thing that must be true.
# shellcheck shell=bash
# Sourced by tests/system/run.

# shellcheck source=tests/system/tpm_machine.sh
source "$here/tpm_machine.sh"
# shellcheck source=tests/system/arm64_machine.sh
source "$here/arm64_machine.sh"
# shellcheck source=tests/system/tpm_faults.sh
source "$here/tpm_faults.sh"

arm64_package=$(compgen -G "target/deb/gatepost_*_arm64.deb" | head -n 1) || true
[[ -n $arm64_package ]] || { echo "there is no package in target/deb: make deb ARCH=arm64" >&2 && exit 1; }

heading "A whole arm64 machine with a TPM, trixie"
step "Its parts: %" make_arm64_machine
arm64_switch_on
step "It has booted: %" tpm_machine_boots
step "It reaches the local AWS: %" reaches_the_cloud
step "apt installs the package: %" install_package "$arm64_package"
step "It is configured, and both units are enabled: %" enable_in_image
inside systemctl start multi-user.target
step "Its TPM is made ready by the unit, and gatepost asks for a certificate: %" asks_for_a_certificate
step "The certificate is signed and delivered: %" certify
step "It becomes ready by itself: %" is_ready
step "AppArmor confines it, it has no capability, and sees these devices only: %" confined
step "gatepost check finds nothing to mend: %" check_is_good
step "Its memory: %" memory
step "Killed (kill -9) with a TPM of 150 ms, it answers before the TPM does: %" killed_with_a_slow_tpm
step "The machine shuts down: %" tpm_machine_ends poweroff
forget machine
