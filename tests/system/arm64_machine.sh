# A whole arm64 machine with a TPM on another architecture's host: its own kernel, emulated, and a TPM by the kernel's
# tpm_vtpm_proxy, because Debian's arm64 kernels have no driver for the TPM that qemu emulates.
# shellcheck shell=bash
# Sourced by tests/system/run after tpm_machine.sh, some of whose functions it replaces.

arm64_packages=(systemd systemd-sysv dbus udev libpam-systemd ca-certificates iproute2 procps init-system-helpers curl
    openssh-server apparmor tpm-udev libtpm2-pkcs11-1 tpm2-tools)
# What the machine loads of its kernel's modules, by folder or file below kernel/.
arm64_modules=(drivers/char/tpm drivers/char/hw_random drivers/net/virtio_net.ko.xz drivers/net/net_failover.ko.xz
    drivers/virtio drivers/block/virtio_blk.ko.xz net/core net/packet net/ipv6 fs/ext4 fs/jbd2 fs/mbcache.ko.xz crypto lib arch
    fs/autofs)
# The first two numbers of a Debian kernel's file names.
arm64_boot="$cache/arm64-machine.boot"

# The kernel runs arm64 programs, such as the packages' scripts, by qemu's emulation of one process. F: the emulator is opened
# now, so that it is found in the machine's root folder as well.
run_arm64_programs() {
    local register=/proc/sys/fs/binfmt_misc/register line
    [[ -e $register ]] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    [[ ! -e ${register%/*}/qemu-aarch64 && ! -e ${register%/*}/gatepost-aarch64 ]] || return 0
    line=':gatepost-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    line+=':\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s:%s:F' "$line" "$(command -v qemu-aarch64-static)" >"$register"
}

# arm64_machine_root: made once, in about eight minutes, and kept in $cache.
arm64_machine_root() {
    local root="$cache/arm64-machine" IFS=, packages="${arm64_packages[*]}"
    if [[ $(cat "$root.complete" 2>/dev/null) != "$packages" ]]; then
        rm -rf "$root" "$root.img" "$arm64_boot"
        mkdir -p "$arm64_boot/packages"
        run_arm64_programs
        # The kernel and what its disk is mounted with are only fetched: making an initramfs would take minutes, emulated.
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
    /sbin/depmod --basedir "$1" "$version"
}

# make_arm64_boot: an initramfs of busybox and the modules of disk and file system, in the order in which they are loaded.
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

# add_module FROM TO NAME: with what it depends on before it. One that is built in has no file.
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
