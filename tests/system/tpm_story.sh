# A machine with a TPM, a line for each thing that must be true.
# shellcheck shell=bash
# Sourced by tests/system/run.

# shellcheck source=tests/system/tpm_machine.sh
source "$here/tpm_machine.sh"
# shellcheck source=tests/system/tpm_faults.sh
source "$here/tpm_faults.sh"

heading "A machine with a TPM, trixie"
step "Its TPM is swtpm %" make_tpm_machine trixie
switch_on trixie with-tpm
step "It has booted: %" tpm_machine_boots
step "It reaches the local AWS: %" reaches_the_cloud
step "apt installs the package of before, whose service has the PIN as a credential: %" install_package "$older"
step "Making the TPM ready is cut off in the midst of PIN and token: %" cut_off_at \
    'place "$credential.new" *' 'use "$new" make' 'as_gatepost mv *'
step "It is configured, and both units are enabled: %" enable_in_image
inside systemctl start multi-user.target
step "The unit goes on with that, and gatepost asks for a certificate: %" asks_for_a_certificate
step "The certificate is signed and delivered: %" certify
step "It becomes ready by itself: %" is_ready
step "The key was made in the TPM and cannot leave it: %" key_is_in_the_tpm
step "Upgraded to the one under test, it has its PIN by the socket, and its key: %" upgrade_brings_the_pins_socket
step "The account that the configuration names comes later, as with an application's package: %" make_program_account
inside systemctl reload gatepost
step "AppArmor confines it, it has no capability, and sees these devices only: %" confined
step "AppArmor stands in the way of no command: %" verbs_stay_confined
step "Killed (kill -9) while the TPM is silent, it answers: %" killed_with_a_silent_tpm
step "Little exposure: %" little_exposure 15
step "gatepost check finds nothing to mend: %" check_is_good

heading "What can happen to a TPM"
in_shell 'rm /etc/gatepost/conf.d/50-tpm.toml /etc/systemd/system/gatepost.service.d/gatepost-tpm.conf'
step "Making the rest ready is cut off at each step: %" cut_off_at \
    'place "$configuration.new" *' 'mv -fT "$dropin.new" *' 'as_gatepost touch *'
step "The PIN is damaged: %" pin_damaged
step "Run again, it finds all of it: %" all_is_there
step "Other programs keep it busy, and it starts all the same: %" tpm_busy
step "Its driver comes late, and is met: %" tpm_comes_late
step "Its driver comes after the service has started: %" tpm_arrives
step "Locked by somebody's wrong PINs, that is reported, and it continues once it is unlocked: %" tpm_locked
step "The store of tpm2-pkcs11 is lost: %" store_lost
step "The machine goes down for a reboot: %" tpm_machine_ends reboot
switch_on trixie with-tpm
step "It boots again: %" tpm_machine_boots
step "It is ready by itself, still provisioned: %" is_ready
step "It was started once: %" started_once
step "The machine shuts down: %" tpm_machine_ends poweroff
switch_on trixie without-tpm
step "Without its TPM it boots, and says what is missing: %" says_that_the_tpm_is_missing
step "The machine shuts down: %" tpm_machine_ends poweroff
forget machine
