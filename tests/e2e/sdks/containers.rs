//! Programs in containers: the socket's folder is mounted into them, and the kernel reports their identity outside.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rig::{command, user, wait};

use super::Machine;
use super::page::containers_line;
use crate::command::contains_all;
use crate::support::SOON;

/// The ID mapping in docs/programs.md.
const MAPPED: &str = "--uidmap 0:100000:65536 --gidmap 0:100000:65536";

/// Creates a machine with Podman and the image `camera`, which contains a shell and the libraries of the command.
fn machine(rules: &str) -> Machine {
    let machine = Machine::with(3600, |gateway| {
        let own = format!("uid = {}\n", rustix::process::getuid().as_raw());
        gateway.configure(&own, "uid = 4294967294\n");
        gateway.config.push_str(rules);
    });
    fs::set_permissions(machine.home.path(), Permissions::from_mode(0o755)).unwrap();
    // Nothing is left behind: images and containers are in the programs' folder, and no network is created for them.
    let settings = "[containers]\nnetns = \"none\"\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=512:512\"]\n\
                    [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";
    fs::write(machine.file("containers.conf"), settings).unwrap();
    let folder = machine.home.path().display();
    let settings =
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{folder}/images\"\nrunroot = \"{folder}/podman\"\n");
    fs::write(machine.file("storage.conf"), settings).unwrap();
    let image = "mkdir -p image/bin
        for file in /bin/busybox $(ldd /usr/bin/gatepost | grep -o '/[^ ]*'); do
            cp --parents -L \"$file\" image
        done
        ln -s busybox image/bin/sh
        tar -C image -c . | podman import --quiet - camera";
    let made = command::output(&mut podman(&machine, image), "podman runc busybox-static").unwrap();
    assert!(
        made.status.success(),
        "podman, runc and busybox-static are needed, `make setup-test` installs them: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    machine
}

fn podman(machine: &Machine, script: &str) -> Command {
    let mut bash = machine.bash(script);
    bash.env("CONTAINERS_CONF", machine.file("containers.conf"))
        .env("CONTAINERS_STORAGE_CONF", machine.file("storage.conf"));
    bash
}

/// The control groups that Podman creates for containers, in every hierarchy, and leaves behind.
struct ControlGroups([String; 2]);

impl ControlGroups {
    /// Removes empty groups; returns whether none of the tests' own are left. Podman's own group may also be used by others.
    fn remove(&self) -> bool {
        let root = Path::new("/sys/fs/cgroup");
        let hierarchies = fs::read_dir(root).into_iter().flatten().flatten();
        let hierarchies: Vec<_> = hierarchies.map(|entry| entry.path()).chain([root.to_owned()]).collect();
        let groups = || {
            hierarchies
                .iter()
                .flat_map(|tree| self.0.iter().map(|group| tree.join(group)))
        };
        for group in groups().chain(hierarchies.iter().map(|tree| tree.join("libpod_parent"))) {
            // The remains of the containers' supervisors first.
            for below in fs::read_dir(&group).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(below.path());
            }
            let _ = fs::remove_dir(group);
        }
        !groups().any(|group| group.exists())
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        // A container's supervisor outlives it by a moment.
        if let Err(error) = wait::until(SOON, "the control groups' end", || self.remove()) {
            eprintln!("{error}");
        }
    }
}

#[test]
fn promise_7_a_container_has_the_identity_of_its_user_outside() {
    if !user::is_root() {
        eprintln!("NOT TESTED: containers, because only root's Podman needs no set-up of the machine");
        return;
    }
    let unit = format!("gatepost-test-{}-camera.service", std::process::id());
    let rules = format!(
        "[[access]]\nuid = 1000\nrole-aliases = [\"telemetry\"]\n\
         [[access]]\nuid = 101000\nrole-aliases = [\"telemetry\"]\n\
         [[access]]\nunit = \"{unit}\"\nrole-aliases = [\"telemetry\"]\n"
    );
    let machine = machine(&rules);
    let _groups = ControlGroups(["", "other-"].map(|other| format!("system.slice/{other}{unit}")));
    let documented = containers_line();
    let quadlet = format!("--cgroup-parent /system.slice/{unit}");
    let other = format!("--cgroup-parent /system.slice/other-{unit}");
    for (options, uid, allowed) in [
        ("", 0, false),
        ("--user 1000", 1000, true),
        (MAPPED, 100_000, false),
        (&format!("{MAPPED} --user 1000"), 101_000, true),
        (&format!("{MAPPED} --user 1001"), 101_001, false),
        // The user's group, but another user.
        (&format!("{MAPPED} --user 1001:1000"), 101_001, false),
        (&quadlet, 0, true),
        (&format!("{quadlet} {MAPPED}"), 100_000, true),
        (&other, 0, false),
    ] {
        let line = documented.replace("--rm", &format!("--rm {options}"));
        let output = command::output(&mut podman(&machine, &line), "podman").unwrap();
        let (out, said) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(out.contains("SecretAccessKey"), allowed, "{options}: {out}{said}");
        if !allowed {
            assert_eq!(output.status.code(), Some(77), "{options}: {said}");
            contains_all(&said, &[&format!("no [[access]] rule grants uid {uid} (gid ")]);
        }
    }
    let log = machine.world.gateway.log();
    contains_all(
        &log,
        &[
            "uid 101000 (pid ",
            "was allowed role alias telemetry by access[2]",
            &format!("{unit}) was allowed role alias telemetry by access[3]"),
            "uid 101001 (pid ",
        ],
    );
}
