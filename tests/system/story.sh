# One machine, from its first boot to the purge, a line for each thing that must be true.
# shellcheck shell=bash
# Sourced by tests/system/run, once for each release.

heading "Debian $release"
step "Its root folder is there: %" root_of "$release"
step "piuparts installs, removes and purges the package in it: %" piuparts_passes
make_machine "$release"
start machine run_machine
step "It has booted, with %" machine_boots
step "It reaches the local AWS, and nothing else: %" reaches_the_cloud
remember_files

heading "Installation"
step "apt installs the package, and asks nothing: %" install_package "$package"
step "User, folders and modes are made: %" account_and_folders
step "Nothing runs before it is configured: %" units_are disabled inactive
step "The package's own tests pass: %" autopkgtest commands
step "Its service starts, makes a request, and goes: %" autopkgtest service
step "Nothing is left of that: %" units_are disabled inactive
step "systemd finds no fault in the units, and little exposure: %" little_exposure 15
step "The sample configuration is understood, %" sample_is_good
step "The programs explain themselves: %" manual_and_completions

heading "First boot, with a key in SoftHSM"
step "A token in the state folder, its PIN encrypted for this machine: %" make_softhsm_token
step "One file is edited, and the unit enabled and started: %" configure_and_enable "$softhsm"
step "The certificate is signed and delivered: %" certify
step "It becomes ready by itself: %" is_ready
step "gatepost check finds nothing to mend: %" check_is_good
step "systemctl status says in one line what is: %" status_line

heading "Local programs"
step "A user with a rule gets credentials: %" user_gets_credentials
step "A user without one is told which rule is missing: %" stranger_is_refused
step "A unit with a dynamic user is known by its name: %" unit_gets_credentials
step "A token file of the loopback listener is its reader's alone: %" loopback_token
step "A credentials file is its owner's alone: %" file_is_its_owners

heading "Restarts: a program asks all the time, and the cloud cannot be reached"
start_asking
start_copyist
unplug
step "Restarted: %" nobody_noticed restart_it
step "Killed (kill -9): %" nobody_noticed kill_it
step "Killed again and again: %" kill_it_again
step "Upgraded to the next version: %" nobody_noticed upgrade_to "$newer"
step "Downgraded to the one before: %" nobody_noticed upgrade_to "$older"
step "Upgraded to the one under test: %" nobody_noticed upgrade_to "$package"
step "A service with a copy of its token was never refused: %" copy_still_opens
step "Restarted with a wrong file it uses the last good configuration: %" last_good_start
step "Mended, the file is loaded by itself: %" mended_by_itself
step "With neither it keeps the credentials until the file is mended: %" held_credentials
step "With a wrong PIN it hands out what it has: %" rejected_pin_with_credentials
step "After a version that did not start, programs have their credentials at once: %" broken_version
plug_in
stop_asking
step "The edited file is as it was, and the session comes back: %" still_configured
step "Stopped, it leaves no credentials file: %" file_goes_at_a_stop
give_own_token
step "The machine reboots under another host name, and the gateway is ready by itself: %" reboot_and_ready
step "A token of the administrator's own opens after the reboot what it opened before: %" own_token_opens
step "Stopped (SIGSTOP), the watchdog restarts it: %" watchdog_restarts
step "gatepostd complains of nothing under the hardened unit: %" complains_of_nothing

heading "What can be wrong"
step "A wrong file makes a reload fail, changes nothing and is seen: %" wrong_reload
step "A wrong file and nothing to go on with: the start fails with 78, and says why: %" wrong_start
step "An upgrade that meets a wrong file leaves the running daemon alone: %" upgrade_meets_wrong_file
step "An upgrade leaves a gateway alone that was stopped by hand: %" upgrade_respects_stop
step "An upgrade starts a gateway that had failed: %" upgrade_mends_failed
step "A wrong PIN is tried once, however many programs connect: %" wrong_pin
step "A PIN encrypted for another machine is named, tried again, and mended: %" foreign_pin
step "Started twice it is one, and a second gatepostd does not start: %" started_twice
step "A vendor's module in /opt is loaded: %" vendor_module
step "With /var full it keeps what it has: %" var_full
step "With /var read-only it starts and works: %" var_read_only
# A clock that steps without the kernel's knowledge, as with libfaketime, is checked once a minute, so this waits once.
[[ $release != bookworm ]] || step "Its clock at 1970, it waits, and goes on when the clock is set: %" clock_at_1970
step "The network comes late, and is met: %" network_late
step "An image that was cloned with its machine-id is found out: %" cloned_machine_id

heading "Removal"
step "Removed, it keeps what is the administrator's and the state: %" remove_package
step "Installed again, it goes on where it was by itself: %" install_again
step "Purged, nothing is left: %" purge_package
step "The machine shuts down, with nothing failed: %" machine_ends
forget machine
