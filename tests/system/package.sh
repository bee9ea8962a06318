# Installing, upgrading, removing: what apt and dpkg do with the package.
# shellcheck shell=bash
# Sourced by tests/system/run.

newest_package() {
    local found
    found=$(compgen -G "target/deb/gatepost_*_$(dpkg --print-architecture).deb" | head -n 1)
    [[ -n $found ]] || { echo "there is no package in target/deb: make deb" >&2 && return 1; }
    echo "$found"
}

# make_neighbours: creates the same package with an older and with a newer version number, and with changes in files where a release may
# change what an administrator edits or could edit. The older one has the units from before gatepost-pin.socket.
make_neighbours() {
    local version
    version=$(dpkg-deb --field "$package" Version)
    renumbered "0~before" older with_the_pin_in_the_unit
    renumbered "$version+after" newer true
    echo "0~before, $version, $version+after"
}

# with_the_pin_in_the_unit FOLDER: systemd decrypts the PIN as a credential of the service.
with_the_pin_in_the_unit() {
    local units="$1/usr/lib/systemd/system"
    rm "$units"/gatepost-pin* "$units"/gatepost-enrol*
    sed -i 's/ gatepost-pin.socket//; s/ gatepost-enrol.socket//; s/^\[Service\]$/&\nLoadCredentialEncrypted=pin:gatepost.pin/' "$units/gatepost.service"
    grep -q '^LoadCredentialEncrypted=' "$units/gatepost.service"
}

readonly older="$work/packages/older.deb" newer="$work/packages/newer.deb"
# renumbered VERSION NAME CHANGE: runs CHANGE with the folder of its files.
renumbered() {
    mkdir -p "$work/packages"
    dpkg-deb --raw-extract "$package" "$work/packages/$2"
    "$3" "$work/packages/$2"
    sed -i "s/^Version: .*/Version: $1/" "$work/packages/$2/DEBIAN/control"
    echo "# As version $1 has it." | tee -a "$work/packages/$2"/{usr/share/gatepost/gatepost.toml,etc/apparmor.d/usr.sbin.gatepostd} >/dev/null
    dpkg-deb --build --root-owner-group -Znone "$work/packages/$2" "$work/packages/$2.deb" >/dev/null
    rm -r "${work:?}/packages/$2"
}

# apt inside COMMAND OPTION...: never asks a question, and prints the reason if it fails.
apt_inside() {
    # Nobody would answer a leftover question: there is no terminal and no debconf.
    within_unit --setenv=DEBIAN_FRONTEND=noninteractive -- apt-get --yes --quiet "$@" </dev/null 2>&1
}

# put FILE: copies it to a place where the machine sees it.
put() {
    in_shell "cat >/root/$(basename "$1")" <"$1"
    echo "/root/$(basename "$1")"
}

install_package() {
    apt_inside install "$(put "$1")" >&2
    inside dpkg-query --show --showformat='${Package} ${Version} ${Status}\n' gatepost
}

upgrade_to() {
    apt_inside install --allow-downgrades "$(put "$1")"
}

account_and_folders() {
    in_shell '
        [[ $(getent passwd gatepost) == gatepost:*:/var/lib/gatepost:/usr/sbin/nologin ]]
        [[ $(stat -c "%U:%G %a" /var/lib/gatepost) == "gatepost:gatepost 700" ]]
        [[ $(stat -c "%U:%G %a" /run/gatepost) == "gatepost:gatepost 755" ]]
        [[ $(stat -c "%U:%G %a" /etc/gatepost/gatepost.toml) == "root:root 644" ]]
        cmp /usr/share/gatepost/gatepost.toml /etc/gatepost/gatepost.toml
        stat -c "%U:%G %a %n" /var/lib/gatepost'
}

# autopkgtest NAME: runs one of the package's own tests (packaging/debian/tests) like Debian's autopkgtest.
autopkgtest() {
    within_unit --setenv=AUTOPKGTEST_TMP=/tmp/autopkgtest -- bash -c 'mkdir -p /tmp/autopkgtest
        cat >/tmp/autopkgtest/test && bash /tmp/autopkgtest/test 2>&1; status=$?; rm -r /tmp/autopkgtest; exit $status' \
        <"packaging/debian/tests/$1" >"$work/log/autopkgtest" || { cat "$work/log/autopkgtest" >&2; return 1; }
    tail -n 1 "$work/log/autopkgtest"
}

# units_are ENABLED ACTIVE: checks the states of service and socket.
units_are() {
    local unit
    for unit in gatepost.service gatepost.socket; do
        [[ $(inside systemctl is-enabled "$unit" || true) == "$1" ]] || give_up "$unit is not $1" || return 1
        [[ $(inside systemctl is-active "$unit" || true) == "$2" ]] || give_up "$unit is not $2" || return 1
    done
    echo "$1, $2"
}

# Everything in it is valid except for values that only the reader can know; with those filled in, the module of this architecture is
# loaded.
sample_is_good() {
    must_fail inside gatepostd --check-config 2>"$work/sample" >&2
    [[ $(grep -c "is the sample's placeholder" "$work/sample") == 2 && $(wc -l <"$work/sample") == 2 ]]
    inside sed -i 's/PREFIX/a1b2c3/; s/REGION/us-east-2/' /etc/gatepost/gatepost.toml
    inside gatepostd --check-config >&2
    echo "but the placeholders of both endpoints"
}

manual_and_completions() {
    in_shell '
        # grep reads to the end: with -q, zcat would fail at a closed pipe.
        for page in man8/gatepostd.8 man1/gatepost.1 man5/gatepost.toml.5 man8/gatepost-tpm-setup.8; do
            zcat "/usr/share/man/$page.gz" | grep "^\.TH " >/dev/null
        done
        source /usr/share/bash-completion/completions/gatepost
        complete -p gatepost >/dev/null
        test -s /usr/share/zsh/vendor-completions/_gatepost
        test -s /usr/share/fish/vendor_completions.d/gatepost.fish
        gatepost --version'
}

# Everything below these folders that was not there before the installation is a leftover of purging. Files that change by themselves are
# ignored: logs, caches, the state of apt and dpkg; and a folder that dh_apparmor removes.
list_files() {
    in_shell 'find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /run -o -path /root \
        -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/tmp \
        -o -path /var/lib/systemd -o -path /packages -o -path /etc/apparmor.d/disable \) -prune -o -print | sort
        find /run /var/lib/dpkg /var/lib/systemd -name "*gatepost*" | sort
        getent passwd | cut -d : -f 1; getent group | cut -d : -f 1'
}

# Debian's own test for that; it works in a copy of the root folder.
piuparts_passes() {
    # dh_apparmor's script removes apparmor's own folder if it is empty, and debconf leaves one of its own.
    piuparts --existing-chroot="$cache/$release" --distribution="$release" --no-upgrade-test \
        --ignore-regex='^/etc/apparmor.d/disable/?$' --ignore-regex='^/var/cache/debconf/tmp.ci/?$' \
        --log-file="$work/log/piuparts" "$package" >&2
    tail -n 2 "$work/log/piuparts" | grep -o "PASS.*"
}

remember_files() { list_files >"$work/files"; }

remove_package() {
    apt_inside remove gatepost
    in_shell 'test -s /etc/gatepost/gatepost.toml && test -s /var/lib/gatepost/device.pem
        [[ ! -e /usr/sbin/gatepostd ]]'
    must_fail inside systemctl is-active --quiet gatepost.service gatepost.socket
    echo "gatepost.toml, conf.d, the key and the certificate"
}

# It was and is enabled, so it starts.
install_again() {
    install_package "$package" >&2
    is_ready
}

purge_package() {
    # The test has created these as an administrator, so the package must not remove them.
    in_shell 'userdel camera; rm -r /etc/systemd/system/gatepost.service.d'
    apt_inside purge gatepost >&2
    list_files >"$work/files.after"
    diff "$work/files" "$work/files.after" >&2 || give_up "the purge has left something, or taken too much"
    no_unit_failed
    echo "no file, no folder, no account"
}
