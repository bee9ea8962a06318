# A machine with a kernel of its own and a TPM: qemu, and swtpm behind its tpm-tis.
# shellcheck shell=bash
# Sourced by tests/system/run after machine.sh, some of whose functions it replaces.

[[ -n ${ssh_port:-} ]] || readonly key="$cache/key" ssh_port=2222

# The root folder as a disk, with the files that give access to it: a key, and a network card that qemu connects.
disk_of() {
    local release=$1 root disk="$cache/$1.img"
    if [[ ! -e $disk ]]; then
        root="$cache/$release.disk"
        rm -rf "$root"
        cp -a "$(root_of "$release")" "$root"
        lighten "$root"
        [[ -e $key ]] || ssh-keygen -q -t ed25519 -N '' -f "$key"
        install -D -m 0600 "$key.pub" "$root/root/.ssh/authorized_keys"
        printf '[Match]\nName=en* eth*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' >"$root/etc/systemd/network/qemu.network"
        chroot "$root" systemctl --quiet enable systemd-networkd.service ssh.service 2>/dev/null
        mke2fs -q -F -t ext4 -d "$root" "$disk.new" 2G >/dev/null 2>&1
        mv "$disk.new" "$disk"
        rm -rf "$root"
    fi
    echo "$disk"
}

# lighten ROOT: disables services that no step checks, because an emulated processor is thirty times slower.
lighten() {
    local root=$1 unit
    # A hundred profiles of missing programs take it a minute.
    find "$root/etc/apparmor.d" -maxdepth 1 -type f -delete
    for unit in dev-hugepages.mount dev-mqueue.mount sys-kernel-{debug,tracing,config}.mount sys-fs-fuse-connections.mount \
        modprobe@.service systemd-{logind,random-seed,hwdb-update,update-utmp,tpm2-setup,tpm2-setup-early}.service \
        apt-daily{,-upgrade}.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    # udev needs to know only the TPM and its group here; its other rules name disks and sound cards.
    find "$root/usr/lib/udev/rules.d" -type f ! -name '50-udev-default.rules' ! -name '80-drivers.rules' \
        ! -name '99-systemd.rules' ! -name '*tpm*' ! -name '*net*' -delete
    # Without sessions there is no manager of the user's units either.
    echo 'UsePAM no' >"$root/etc/ssh/sshd_config.d/light.conf"
}

make_tpm_machine() {
    rm -rf "$work/tpm" "$work/disk.qcow2"
    mkdir -p "$work/tpm"
    qemu-img create -q -f qcow2 -F raw -b "$(disk_of "$1")" "$work/disk.qcow2"
    echo "$(swtpm --version | grep -o '[0-9.]*' | head -n 1), empty"
}

# switch_on RELEASE with-tpm|without-tpm
switch_on() {
    forget machine
    start machine run_tpm_machine "$@"
    qemu=${daemons[-1]}
}

# Emulated, because KVM is not available everywhere, in the gateway's network namespace, so that it uses that network. A reset ends qemu
# (-no-reboot) and another one is started: in the same one the firmware would be busy with the TPM for minutes. Without IMA, which would
# keep a TPM in use that its driver has released.
run_tpm_machine() {
    local root="$cache/$1" tpm=()
    if [[ $2 == with-tpm ]]; then
        rm -f "$work/tpm.socket"
        swtpm socket --tpm2 --tpmstate "dir=$work/tpm" --ctrl "type=unixio,path=$work/tpm.socket" --terminate &
        echo $! >"$work/tpm.pid"
        while [[ ! -S $work/tpm.socket ]]; do sleep 0.1; done
        tpm=(-chardev "socket,id=tpm,path=$work/tpm.socket" -tpmdev emulator,id=tpm,chardev=tpm -device tpm-tis,tpmdev=tpm)
    fi
    exec ip netns exec "$machine_net" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -smp 2 -m 768 \
        -no-reboot -display none -serial stdio -monitor none -kernel "$root"/boot/vmlinuz-* -initrd "$root"/boot/initrd.img-* \
        -append "root=/dev/vda rw console=ttyS0 quiet mitigations=off nokaslr initcall_blacklist=init_ima" \
        -drive "file=$work/disk.qcow2,if=virtio,cache=unsafe" \
        -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$ssh_port-:22" -device virtio-net-pci,netdev=net "${tpm[@]}"
}

# Logged in as root, with all permissions of a unit; a separate unit for each command would take seconds.
inside() { enter "$@"; }

# One connection is kept open, for the same reason.
enter() {
    ip netns exec "$machine_net" ssh -q -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=30 \
        -o ControlMaster=auto -o ControlPath="$work/ssh" -o ControlPersist=600 -i "$key" -p "$ssh_port" root@127.0.0.1 \
        "$(printf '%q ' "$@")"
}

# Much slower than a container.
status_becomes() { within 600 status_equals "$1" "$2"; }
tpm_machine_boots() {
    within 600 has_booted
    inside systemctl --version | sed -n 1p
    in_shell "grep -q $cloud_host /etc/hosts || echo $cloud_address $cloud_host >>/etc/hosts"
    inside stat -c '%n %U:%G %a' /dev/tpmrm0
}

ssh_forget() { rm -f "$work/ssh"; }

# tpm_machine_ends poweroff|reboot: qemu exits in either case.
tpm_machine_ends() {
    inside systemctl "$1" --no-block || true
    # This is intended, not a failure.
    forget machine
    within 120 qemu_is_over
    ssh_forget
    echo "it is off"
}
qemu_is_over() { ! kill -0 "$qemu" 2>/dev/null; }

# Checks of a gateway with its key in a TPM.

all_is_there() {
    inside gatepost-tpm-setup >"$work/again"
    must_fail grep ' made ' "$work/again" >&2
    sed -n 's/^gatepost-tpm-setup: \(.*its PIN opens it\).*/\1/p' "$work/again" | grep .
}

# cut_off_at COMMAND...: kills the script before each of these commands (a pattern), which covers every place where a power cut may end it.
# The script needs no support for this: bash runs it, and reports each command before it runs it.
cut_off_at() {
    in_shell 'cat >/root/cut-off' <<'BASH'
set -T
point=$1
set --
trap '[[ $BASH_COMMAND != $point ]] || kill -KILL $$' DEBUG
. /usr/sbin/gatepost-tpm-setup
BASH
    local point status
    for point in "$@"; do
        status=0
        # Not the last command, so that a shell and not ssh gets its exit status.
        in_shell "bash /root/cut-off $(printf %q "$point") || exit" >&2 || status=$?
        ((status == 137)) || give_up "not killed at $point, but ended with $status" || return 1
    done
    echo "$# times"
}

# The procedure of an image builder: the units are enabled and not started.
enable_in_image() {
    configure
    inside systemctl enable --quiet gatepost gatepost-tpm-setup
    inside systemctl is-enabled gatepost gatepost-tpm-setup | paste -sd ' '
}
asks_for_a_certificate() {
    within 300 inside test -s /var/lib/gatepost/device.csr
    inside journalctl --quiet --boot --unit gatepost-tpm-setup --output cat | grep -o 'made a token.*'
}

# The module as in gatepost.service, for a line of shell in the machine.
with_module='export TPM2_PKCS11_STORE=/var/lib/gatepost/tpm2-pkcs11 TPM2_PKCS11_TCTI=device:/dev/tpmrm0 TPM2_PKCS11_LOG_LEVEL=0
module() {
    setpriv --reuid gatepost --regid gatepost --groups tss pkcs11-tool --module /usr/lib/*/pkcs11/libtpm2_pkcs11.so "$@"
}'

# Key and token, as another program reports them.
key_is_in_the_tpm() {
    in_shell "$with_module"'
        pin=$(systemd-creds decrypt --name=pin /etc/credstore.encrypted/gatepost.pin -)
        export pin
        module --token-label gateway --login --pin env:pin --list-objects --type privkey' >"$work/objects"
    sed -n 's/^ *Access: *//p' "$work/objects" | grep 'never extractable'
}

# The existing PIN, store and certificate are used unchanged.
upgrade_brings_the_pins_socket() {
    local old
    old=$(main_process)
    has_the_pin_in_the_unit
    upgrade_to "$package" >&2
    within 120 is_restarted "$old"
    is_ready >&2
    must_fail has_the_pin_in_the_unit
    inside systemctl is-active gatepost-pin.socket >&2
    inside dpkg-query --show --showformat='${Package} ${Version} ${Status}\n' gatepost
}

has_the_pin_in_the_unit() { inside systemctl cat gatepost.service | grep '^LoadCredentialEncrypted=pin:' >&2; }

# memory: measures the memory of the daemon with its key in the TPM.
memory() {
    in_shell 'awk "/^(Pss|Private_Dirty):/ { printf \"%s%s %.1f MB\", separator, tolower(\$1), \$2 * 1024 / 1e6; separator = \", \" }" \
        /proc/$(systemctl show --property=MainPID --value gatepost)/smaps_rollup
        echo ", pages of $(getconf PAGESIZE)"'
}

confined() {
    in_shell '
        pid=$(systemctl show --property=MainPID --value gatepost)
        [[ $(cat /proc/$pid/attr/current) == "gatepostd (enforce)" ]]
        ! journalctl --quiet --dmesg --grep "apparmor=.DENIED.*gatepostd" --output cat || exit 1
        [[ $(grep -c "^CapEff:.0*$" /proc/$pid/status) == 1 ]]
        for file in /proc/$pid/root/dev/*; do [[ ! -c $file ]] || basename "$file"; done | paste -sd " " | grep tpmrm0'
}

# Each command that runs gatepostd, or has it do something, as its administrator types it: AppArmor blocks none of them. The AWS files are
# root's own, and only the administrator may read the certificate.
verbs_stay_confined() {
    in_shell '
        mkdir -p ~/.aws
        printf "[profile gateway]\ncredential_process = gatepost credentials\n" >~/.aws/config
        cp /var/lib/gatepost/device.pem ~/new.pem
        done=
        verb() {
            "$@" >/root/verb 2>&1 || { printf "%s: exit %s\n" "$*" "$?" >&2; cat /root/verb >&2; exit 1; }
            ! journalctl --quiet --dmesg --grep "apparmor=.DENIED.*gatepostd" --output cat >&2 || { echo "denied: $*" >&2; exit 1; }
            done+=${done:+, }${2#--}
        }
        verb gatepost check
        verb gatepost check --as root
        ! grep -i "permission denied" /root/verb >&2
        verb gatepost policy
        verb gatepost log-level debug --for 1min
        verb gatepost log-level info
        verb gatepost retry --wait --timeout 120
        verb gatepost allow --user nobody --role-alias telemetry
        verb gatepost allow --user nobody --publish "{thing}/nobody/#"
        verb systemctl reload gatepost.service
        verb gatepost certificate install ~/new.pem
        verb gatepost support --output /root/support.txt
        ! grep -i "permission denied" /root/support.txt >&2
        rm -r ~/.aws ~/new.pem /root/support.txt /etc/gatepost/conf.d/*nobody*
        systemctl reload gatepost.service
        echo "$done"' >"$work/verbs" 2>"$work/verbs.refused" || give_up "$(tail -n 20 "$work/verbs.refused")"
    cat "$work/verbs"
}

# The TPM is missing: gatepost runs, and reports it.
says_that_the_tpm_is_missing() {
    within 600 has_booted
    no_unit_failed
    inside systemctl is-active --quiet multi-user.target gatepost.service
    within 120 in_shell 'journalctl --quiet --boot --unit gatepost --output cat | grep "is it enabled in the firmware" >/dev/null'
    must_fail inside gatepost-tpm-setup 2>"$work/no-tpm" >&2
    grep -o 'this machine has no TPM' "$work/no-tpm"
}
