//! Folders, sockets and instances that are in the way.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rig::process::Process;
use serde_json::Value;

use super::{BUSY, CANNOT_CREATE, ends};
use crate::support::{SOON, World};

fn set(world: &mut World, variable: &str, value: &str) {
    let entry = world.gateway.env.iter_mut().find(|(name, _)| name == variable);
    entry.unwrap().1 = value.to_owned();
}

/// Returns a part of the status without its `since`, which depends on the wall clock and is rounded.
fn timeless(part: &Value) -> Value {
    let mut part = part.clone();
    if let Some(fields) = part.as_object_mut() {
        fields.remove("since");
    }
    part
}

#[test]
fn an_unwritable_folder_is_reported() {
    let mut world = World::new();
    let good = world.gateway.env.clone();
    let root = world.gateway.folder.path().to_owned();
    let file = root.join("file");
    fs::write(&file, "").unwrap();
    let closed = root.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    let mut cases = vec![
        ("STATE_DIRECTORY", file.join("state"), "Not a directory"),
        ("STATE_DIRECTORY", file.clone(), "exists"),
        ("RUNTIME_DIRECTORY", file.join("run"), "Not a directory"),
        // No user can create anything there, not even root.
        ("STATE_DIRECTORY", "/proc/gatepost".into(), "No such file"),
    ];
    if rustix::process::getuid().is_root() {
        eprintln!("not tried: a folder that is closed to gatepost's user, because root may write to every folder");
    } else {
        cases.push(("STATE_DIRECTORY", closed.clone(), "Permission denied"));
        cases.push(("STATE_DIRECTORY", closed.join("state"), "Permission denied"));
    }
    for (variable, folder, cause) in cases {
        let folder = folder.display().to_string();
        set(&mut world, variable, &folder);
        let words = [
            folder.as_str(),
            "cannot be created or written",
            cause,
            "check the owner of the folder",
        ];
        ends(&mut world.gateway, CANNOT_CREATE, &words);
        world.gateway.env.clone_from(&good);
    }
    world.gateway.start();
    world.gateway.wait_for_csr();
    world.gateway.stop();
}

#[test]
fn a_socket_file_left_behind_is_replaced() {
    let mut world = World::new();
    for _ in 0..2 {
        world.gateway.start();
        world.gateway.wait_for_csr();
        world.gateway.kill();
        assert!(world.gateway.socket().exists(), "kill -9 leaves it behind");
    }
    world.gateway.start();
    world.gateway.wait_for_csr();
    world.gateway.stop();
}

#[test]
fn a_second_instance_leaves_the_first_alone() {
    let mut world = World::new();
    world.bring_online();
    let before = world.gateway.status();
    let pid = world.gateway.process().pid();
    let seen = world.cloud.events().len();

    let other = world.gateway.folder.path().join("other").display().to_string();
    for moved in [None, Some("RUNTIME_DIRECTORY"), Some("STATE_DIRECTORY")] {
        let mut second = world.gateway.command();
        if let Some(variable) = moved {
            second.env(variable, &other);
        }
        let mut second = Process::spawn(&mut second, "gatepost").unwrap();
        let status = second.wait(SOON).unwrap();
        let said = second.log();
        assert_eq!(status.code(), Some(BUSY), "{moved:?}: {said}");
        for words in ["another gatepostd is running: it ", "systemctl status gatepost"] {
            assert!(said.contains(words), "{moved:?}: {said}");
        }
    }

    let after = world.gateway.status();
    for part in ["token", "identity", "session", "provisioning"] {
        assert_eq!(timeless(&after[part]), timeless(&before[part]), "{part}");
    }
    assert_eq!(world.gateway.credentials().status, 200);
    assert_eq!(world.cloud.events().len(), seen, "AWS has noticed nothing");
    assert_eq!(world.gateway.process().pid(), pid);
    world.gateway.stop();
}
