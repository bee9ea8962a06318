# A machine with a kernel of its own and a TPM: qemu, and swtpm behind its tpm-tis.
# shellcheck shell=bash
# Sourced by tests/system/run after machine.sh, some of whose functions it replaces.

readonly key="$cache/key" ssh_port=2222

# The root folder as a disk, with what reaches it: a key, and a network card that qemu connects.
disk_of() {
    local release=$1 root disk="$cache/$1.img"
    if [[ ! -e $disk ]]; then
        root="$cache/$release.disk"
        rm -rf "$root"
        cp -a "$(root_of "$release")" "$root"
        # Loading a hundred profiles of programs that are not there takes an emulated machine a minute.
        find "$root/etc/apparmor.d" -maxdepth 1 -type f -delete
        rm -f "$key" "$key.pub"
        ssh-keygen -q -t ed25519 -N '' -f "$key"
        install -D -m 0600 "$key.pub" "$root/root/.ssh/authorized_keys"
        printf '[Match]\nName=en*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' >"$root/etc/systemd/network/qemu.network"
        chroot "$root" systemctl --quiet enable systemd-networkd.service ssh.service 2>/dev/null
        mke2fs -q -F -t ext4 -d "$root" "$disk.new" 2G 2>/dev/null
        mv "$disk.new" "$disk"
        rm -rf "$root"
    fi
    echo "$disk"
}

make_tpm_machine() {
    mkdir -p "$work/tpm"
    qemu-img create -q -f qcow2 -F raw -b "$(disk_of "$1")" "$work/disk.qcow2"
    echo "$(swtpm --version | grep -o '[0-9.]*' | head -n 1), empty"
}

# Emulated, as KVM is not to be had everywhere. It runs in the gateway's network namespace, so its network is that one's.
run_tpm_machine() {
    local root="$cache/$tpm_release" tpm=()
    if [[ $1 == with-tpm ]]; then
        swtpm socket --tpm2 --tpmstate "dir=$work/tpm" --ctrl "type=unixio,path=$work/tpm.socket" --terminate &
        while [[ ! -S $work/tpm.socket ]]; do sleep 0.1; done
        tpm=(-chardev "socket,id=tpm,path=$work/tpm.socket" -tpmdev emulator,id=tpm,chardev=tpm -device tpm-tis,tpmdev=tpm)
    fi
    exec ip netns exec "$machine_net" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -smp 2 -m 768 \
        -display none -serial stdio -monitor none -kernel "$root"/boot/vmlinuz-* -initrd "$root"/boot/initrd.img-* \
        -append "root=/dev/vda rw console=ttyS0 quiet" -drive "file=$work/disk.qcow2,if=virtio,cache=unsafe" \
        -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$ssh_port-:22" -device virtio-net-pci,netdev=net "${tpm[@]}"
}

# One connection is kept: each new one costs an emulated machine seconds.
enter() {
    ip netns exec "$machine_net" ssh -q -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 \
        -o ControlMaster=auto -o ControlPath="$work/ssh" -o ControlPersist=60 -i "$key" -p "$ssh_port" root@127.0.0.1 \
        "$(printf '%q ' "$@")"
}

# Slower by far than a container.
tpm_machine_boots() {
    within 300 has_booted
    inside systemctl --version | head -n 1
    in_shell "grep -q $cloud_host /etc/hosts || echo $cloud_address $cloud_host >>/etc/hosts"
    inside stat -c '%n %U:%G %a' /dev/tpmrm0
}

reboot_tpm_machine() {
    local before
    before=$(inside cat /proc/sys/kernel/random/boot_id)
    inside systemctl reboot --no-block || true
    within 300 booted_anew "$before"
    tpm_machine_boots
}

booted_anew() {
    local now
    ssh_forget
    now=$(inside cat /proc/sys/kernel/random/boot_id 2>/dev/null) || return 1
    [[ -n $now && $now != "$1" ]]
}

ssh_forget() { rm -f "$work/ssh"; }

tpm_machine_ends() {
    inside systemctl poweroff --no-block || true
    within 120 qemu_is_over
    ssh_forget
    echo "it is off"
}
qemu_is_over() { ! kill -0 "$qemu" 2>/dev/null; }

# What is true of a gateway with its key in a TPM.

set_up_tpm() {
    inside gatepost-tpm-setup >"$work/first-setup"
    inside gatepost-tpm-setup >"$work/second-setup"
    grep -c ' made ' "$work/first-setup" | grep -qx 4
    ! grep ' made ' "$work/second-setup"
    sed -n '$s/^gatepost-tpm-setup: //p' "$work/second-setup"
}

# Key and token by another program's word: the module, asked as gatepost's user.
key_is_in_the_tpm() {
    in_shell '
        pin=$(systemd-creds decrypt --name=pin /etc/credstore.encrypted/gatepost.pin -)
        export TPM2_PKCS11_STORE=/var/lib/gatepost/tpm2-pkcs11 TPM2_PKCS11_TCTI=device:/dev/tpmrm0 TPM2_PKCS11_LOG_LEVEL=0 pin
        setpriv --reuid gatepost --regid gatepost --groups tss pkcs11-tool --module /usr/lib/*/pkcs11/libtpm2_pkcs11.so \
            --token-label gateway --login --pin env:pin --list-objects --type privkey' >"$work/objects"
    sed -n 's/^ *Access: *//p' "$work/objects" | grep 'never extractable'
}

confined() {
    in_shell '
        pid=$(systemctl show --property=MainPID --value gatepost)
        [[ $(cat /proc/$pid/attr/current) == "gatepostd (enforce)" ]]
        ! journalctl --quiet --dmesg --grep "apparmor=.DENIED.*gatepostd" --output cat
        [[ $(grep -c "^CapEff:.0*$" /proc/$pid/status) == 1 ]]
        for file in /proc/$pid/root/dev/*; do [[ ! -c $file ]] || basename "$file"; done | paste -sd " " | grep tpmrm0'
}

# The TPM is gone: nothing can be decrypted, so nothing starts, and that is said.
says_that_the_tpm_is_missing() {
    within 300 has_booted
    no_other_unit_failed
    inside systemctl is-active --quiet multi-user.target
    within 60 in_shell 'journalctl --quiet --boot --unit gatepost --output cat | grep -i "credential"' | head -n 1
    ! inside gatepost-tpm-setup 2>"$work/no-tpm" >&2
    grep -o 'this machine has no TPM' "$work/no-tpm"
}
no_other_unit_failed() {
    local failed
    failed=$(inside systemctl list-units --failed --plain --no-legend | grep -v 'gatepost\.' || true)
    [[ -z $failed ]] || give_up "failed units: $failed"
}
