# A whole arm64 machine with a TPM on another architecture's host: its own kernel, emulated, and a TPM by the kernel's
# tpm_vtpm_proxy, because Debian's arm64 kernels have no driver for the TPM that qemu emulates.
# shellcheck shell=bash
# Sourced by tests/system/run after tpm_machine.sh, some of whose functions it replaces.

arm64_packages=(systemd systemd-sysv dbus udev libpam-systemd ca-certificates iproute2 procps init-system-helpers curl
    openssh-server apparmor kmod tpm-udev libtpm2-pkcs11-1 tpm2-tools)
# The kernel modules that the machine loads, by folder or file below kernel/.
arm64_modules=(drivers/char/tpm drivers/char/hw_random drivers/net/virtio_net.ko.xz drivers/net/net_failover.ko.xz
    drivers/virtio drivers/block/virtio_blk.ko.xz net/core net/packet net/ipv6 fs/ext4 fs/jbd2 fs/mbcache.ko.xz crypto lib arch
    fs/autofs)
# The kernel and the initramfs that qemu is given.
arm64_boot="$cache/arm64-machine.boot"

# The kernel runs arm64 programs, such as the packages' scripts, with qemu's emulation of single processes. F: the emulator is opened now,
# so that it is found in the machine's root folder as well.
run_arm64_programs() {
    local register=/proc/sys/fs/binfmt_misc/register line
    [[ -e $register ]] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    [[ ! -e ${register%/*}/qemu-aarch64 && ! -e ${register%/*}/gatepost-aarch64 ]] || return 0
    line=':gatepost-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    line+=':\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s:%s:F' "$line" "$(command -v qemu-aarch64-static)" >"$register"
}

# arm64_machine_root: created once, in about eight minutes, and kept in $cache.
arm64_machine_root() {
    local root="$cache/arm64-machine" packages
    packages=$(comma_separated "${arm64_packages[@]}")
    if [[ $(cat "$root.complete" 2>/dev/null) != "$packages" ]]; then
        rm -rf "$root" "$root.img" "$arm64_boot"
        mkdir -p "$arm64_boot/packages"
        run_arm64_programs
        # The kernel and the tools that mount its disk are only downloaded: creating an initramfs would take minutes in emulation.
        mmdebstrap --quiet --skip=check/qemu --architectures=arm64 --variant=minbase --dpkgopt=force-unsafe-io \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' --include="$packages" \
            --customize-hook="$here/arm64_kernel '$arm64_boot'" trixie "$root" http://deb.debian.org/debian >&2
        make_arm64_boot
        copy_arm64_modules "$root"
        rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
        : >"$root/etc/machine-id"
        echo "$packages" >"$root.complete"
    fi
    echo "$root"
}

kernel_version() { basename "$arm64_boot"/kernel/usr/lib/modules/*; }

copy_arm64_modules() {
    local version from to one
    version=$(kernel_version)
    from="$arm64_boot/kernel/usr/lib/modules/$version" to="$1/usr/lib/modules/$version"
    mkdir -p "$to"
    cp "$from"/modules.* "$to/"
    for one in "${arm64_modules[@]}"; do
        [[ ! -e $from/kernel/$one ]] || { mkdir -p "$to/kernel/${one%/*}" && cp -a "$from/kernel/$one" "$to/kernel/${one%/*}/"; }
    done
    depmod --basedir "$1" "$version"
}

# make_arm64_boot: creates an initramfs of busybox and the modules for disk and file system, in the order in which they are loaded.
make_arm64_boot() {
    local version tree="$arm64_boot/initramfs" name
    version=$(kernel_version)
    rm -rf "$tree"
    mkdir -p "$tree"/{bin,modules,dev,proc,sys,root}
    cp "$arm64_boot/busybox/usr/bin/busybox" "$tree/bin/"
    : >"$tree/modules/order"
    for name in virtio_pci virtio_blk crc32c_generic ext4; do
        add_module "$arm64_boot/kernel/usr/lib/modules/$version" "$tree/modules" "$name"
    done
    cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev && $b mount -t proc proc /proc && $b mount -t sysfs sys /sys
while read -r module; do $b insmod "/modules/$module"; done </modules/order
while ! $b test -b /dev/vda; do $b usleep 50000; done
$b mount -t ext4 -o rw /dev/vda /root
$b mount --move /dev /root/dev && $b umount /sys /proc
exec $b switch_root /root /sbin/init
INIT
    chmod +x "$tree/init"
    (cd "$tree" && find . | cpio --quiet -o -H newc) >"$arm64_boot/initrd"
    cp "$arm64_boot/kernel/boot/vmlinuz-$version" "$arm64_boot/vmlinuz"
}

# add_module FROM TO NAME: adds a module after those that it depends on. A built-in module has no file.
add_module() {
    local from=$1 to=$2 name=${3//-/_} file needed
    [[ ! -e $to/$name.ko ]] || return 0
    file=$(find "$from/kernel" -name "$name.ko*" -o -name "${name//_/-}.ko*" | head -n 1)
    [[ -n $file ]] || return 0
    case $file in
    *.xz) xz -dc "$file" ;;
    *.zst) zstd -qdc "$file" ;;
    *) cat "$file" ;;
    esac >"$to/$name.ko"
    for needed in $(tr '\0' '\n' <"$to/$name.ko" | sed -n 's/^depends=//p; s/^softdep=pre: //p' | tr ', ' '\n'); do
        add_module "$from" "$to" "$needed"
    done
    echo "$name.ko" >>"$to/order"
}

# These functions replace those in tpm_machine.sh that differ on this machine.

readonly tpm_port=2321
arm64_disk() {
    local root="$cache/arm64-machine.disk" disk="$cache/arm64-machine.img"
    if [[ ! -e $disk ]]; then
        arm64_machine_root >&2
        rm -rf "$root"
        cp -a "$cache/arm64-machine" "$root"
        lighten "$root"
        [[ -e $key ]] || ssh-keygen -q -t ed25519 -N '' -f "$key"
        install -D -m 0600 "$key.pub" "$root/root/.ssh/authorized_keys"
        printf '[Match]\nName=en* eth*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' >"$root/etc/systemd/network/qemu.network"
        aarch64-linux-gnu-gcc -std=gnu11 -O2 -static -o "$root/usr/local/sbin/tpm_relay" "$here/../rig/tpm_relay.c"
        cat >"$root/etc/systemd/system/tpm.service" <<UNIT
[Unit]
Description=A TPM by tpm_vtpm_proxy
After=systemd-networkd.service systemd-udevd.service

[Service]
ExecStartPre=/sbin/modprobe tpm_vtpm_proxy
ExecStart=/usr/local/sbin/tpm_relay device 10.0.2.2 $tpm_port /run/tpm.log /run/tpm.orders

[Install]
WantedBy=multi-user.target
UNIT
        chroot "$root" systemctl --quiet enable systemd-networkd.service ssh.service tpm.service 2>/dev/null
        mke2fs -q -F -t ext4 -d "$root" "$disk.new" 2G >/dev/null 2>&1
        mv "$disk.new" "$disk"
        rm -rf "$root"
    fi
    echo "$disk"
}

make_arm64_machine() {
    run_arm64_programs
    mkdir -p "$work/tpm"
    qemu-img create -q -f qcow2 -F raw -b "$(arm64_disk)" "$work/disk.qcow2"
    echo "swtpm $(swtpm --version | grep -o '[0-9.]*' | head -n 1), cortex-a72, Linux $(kernel_version)"
}

# The guest reaches the host's loopback, and with it swtpm, at 10.0.2.2.
run_arm64_machine() {
    ip netns exec "$machine_net" swtpm socket --tpm2 --tpmstate "dir=$work/tpm" --flags not-need-init,startup-clear \
        --server "type=tcp,port=$tpm_port,bindaddr=127.0.0.1" --ctrl "type=tcp,port=$((tpm_port + 1)),bindaddr=127.0.0.1" &
    exec ip netns exec "$machine_net" qemu-system-aarch64 -machine virt -cpu cortex-a72 -accel tcg,thread=multi -smp 2 -m 1024 \
        -no-reboot -display none -serial stdio -monitor none -kernel "$arm64_boot/vmlinuz" -initrd "$arm64_boot/initrd" \
        -append "root=/dev/vda rw console=ttyAMA0 quiet mitigations=off nokaslr initcall_blacklist=init_ima" \
        -drive "file=$work/disk.qcow2,if=virtio,cache=unsafe" -device virtio-rng-pci \
        -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$ssh_port-:22" -device virtio-net-pci,netdev=net,romfile=
}

arm64_switch_on() {
    forget machine
    start machine run_arm64_machine
    qemu=${daemons[-1]}
}

# slow_tpm KEY OTHERS: sets the delay in milliseconds for commands that use a key, and for all others.
slow_tpm() { in_shell "echo $1 $2 >/run/tpm.orders.new && mv /run/tpm.orders.new /run/tpm.orders"; }

# The daemon is killed and queried at once: the previous run's credentials are handed out before the TPM has answered anything that the new
# run needs. The commands with which the kernel removes the old run's objects, as it closes the device, come first: FlushContext (165).
killed_with_a_slow_tpm() {
    local before
    slow_tpm 150 20
    before=$(inside gatepost credentials telemetry)
    in_shell ': >/run/tpm.log
        systemctl kill --signal=KILL gatepost
        curl --silent --fail --max-time 60 --unix-socket /run/gatepost/gatepost.sock http://localhost/v1/credentials/telemetry >/run/answer
        cp /run/tpm.log /run/tpm.log.answered'
    [[ $(inside cat /run/answer) == "$before" ]] || give_up "it was not answered as before"
    is_ready >&2
    slow_tpm 0 0
    # ContextLoad, ContextSave, FlushContext (161, 162, 165): commands with which the kernel makes room in the TPM for each program.
    in_shell 'cut -d " " -f 2 /run/tpm.log | sort | uniq -c | sort -rn >&2
        echo "$(grep -vc " 165 " /run/tpm.log.answered || true) commands before the answer, $(grep -vcE " 16[125] " /run/tpm.log) until it was ready, beside $(grep -cE " 16[125] " /run/tpm.log) by which the kernel makes room"'
}
