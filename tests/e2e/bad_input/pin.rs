//! PINs that are wrong, locked, or unreadable.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;

use rig::token::{Login, Token, Tpm};
use rig::user;

use super::{CONFIGURATION, PIN_REFUSED, SOMEBODY, check_config, check_says_the_same, ends};
use crate::support::{PIN, World, options};

type MakeFile = fn(&Path);

/// Replaces the token's PIN file with one of the test's own.
fn with_pin_file(world: &mut World) -> std::path::PathBuf {
    let own = world.gateway.folder.path().join("pin");
    let given = world.token.pin_file().display().to_string();
    world.gateway.configure(&given, &own.display().to_string());
    own
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn promise_8_a_rejected_pin_is_tried_once_and_a_locked_token_is_left_alone() {
    let tpm = Arc::new(Tpm::new(PIN).unwrap());
    let mut world = World::with(Box::new(tpm.clone()), options());
    let pin_file = with_pin_file(&mut world);
    tpm.count_wrong_pins().unwrap();
    assert_eq!(tpm.wrong_pins().unwrap(), 0);

    fs::write(&pin_file, "not the PIN\n").unwrap();
    mode(&pin_file, 0o600);
    ends(
        &mut world.gateway,
        PIN_REFUSED,
        &["the token rejected the PIN", "it is not tried again", "token.pin-file"],
    );
    assert_eq!(tpm.wrong_pins().unwrap(), 1, "exactly one attempt");
    assert!(!world.gateway.log().contains("not the PIN"), "promise 10");

    // The right PIN, after the token has been locked.
    fs::write(&pin_file, format!("{PIN}\n")).unwrap();
    tpm.lock().unwrap();
    ends(
        &mut world.gateway,
        PIN_REFUSED,
        &["the token's PIN is locked", "tpm2_dictionarylockout --clear-lockout"],
    );

    tpm.unlock().unwrap();
    assert_eq!(tpm.login(PIN).unwrap(), Login::Accepted);
    world.gateway.start();
    world.gateway.wait_for_csr();
    world.gateway.stop();
}

#[test]
fn a_pin_file_without_a_pin_is_reported() {
    let mut world = World::new();
    let pin_file = with_pin_file(&mut world);
    let name = pin_file.display().to_string();
    // The unit tests of src/token/pin_content.rs have each content that is no PIN.
    let cases: [(MakeFile, &str); 3] = [
        (|_| {}, "cannot be read: No such file"),
        // Root may read any file, but nobody can read a folder as a file.
        (|path| fs::create_dir(path).unwrap(), "cannot be read: Is a directory"),
        (
            |path| fs::write(path, format!("PIN={PIN}\n")).unwrap(),
            "has a name before the PIN",
        ),
    ];
    for (make, cause) in cases {
        make(&pin_file);
        if pin_file.exists() {
            mode(&pin_file, 0o700);
        }
        let said = ends(&mut world.gateway, CONFIGURATION, &[&name, cause, "token.pin-file"]);
        check_says_the_same(&world.gateway, &said);
        assert!(!world.gateway.log().contains(PIN), "promise 10");
        if pin_file.is_dir() {
            fs::remove_dir(&pin_file).unwrap();
        }
    }
    if rustix::process::getuid().is_root() {
        eprintln!("not tried: a PIN file that is closed to gatepost's user, because root may read every file");
    } else {
        fs::write(&pin_file, PIN).unwrap();
        mode(&pin_file, 0o000);
        let said = ends(
            &mut world.gateway,
            CONFIGURATION,
            &[&name, "cannot be read: Permission denied", "token.pin-file"],
        );
        check_says_the_same(&world.gateway, &said);
    }
}

#[test]
fn a_pin_file_open_to_all_is_used_with_a_warning() {
    let mut world = World::new();
    let pin_file = with_pin_file(&mut world);
    fs::write(&pin_file, PIN).unwrap();
    for (open, warns) in [(0o644, true), (0o602, true), (0o640, false), (0o400, false)] {
        mode(&pin_file, open);
        let earlier = world.gateway.log().len();
        world.gateway.start();
        world.gateway.wait_for_csr();
        world.gateway.stop();
        let log = world.gateway.log().split_off(earlier);
        let warning = format!(
            "gatepostd: warn: token: the PIN file {} is open to every user (mode {open:03o}); next: chmod 0400",
            pin_file.display()
        );
        assert_eq!(log.contains(&warning), warns, "{open:03o}\n{log}");
        assert!(check_config(&world.gateway).status.success());
        mode(&pin_file, 0o600);
    }

    // With another owner, the mode would prevent gatepost itself from reading it.
    if !user::is_root() {
        eprintln!("not tried: an open PIN file of somebody else's, because only root may give files away");
        return;
    }
    chown(&pin_file, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    mode(&pin_file, 0o644);
    world.gateway.start();
    let name = pin_file.display();
    let step = format!("(mode 644); next: chown root: {name} && chmod 0400 {name}");
    world.gateway.wait_for_log(&step);
    world.gateway.wait_for_csr();
    world.gateway.stop();
}
