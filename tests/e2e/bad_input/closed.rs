//! Files that root may read and the service's user may not: a check by root must detect them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rig::{executable, user};
use serde_json::Value;

use super::{CONFIGURATION, NO_PERMISSION, SOMEBODY, check_config};
use crate::check::check;
use crate::command::run;
use crate::support::World;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Copies a file of the configuration to the test's folder, which everybody may enter, and configures the copy.
fn lay(world: &mut World, from: &Path, name: &str) -> PathBuf {
    let to = world.gateway.folder.path().join(name);
    fs::copy(from, &to).unwrap();
    mode(&to, 0o644);
    world
        .gateway
        .configure(&from.display().to_string(), &to.display().to_string());
    to
}

#[test]
fn files_that_the_service_may_not_read_are_reported_to_root() {
    if !user::is_root() {
        eprintln!("NOT TESTED: what the service's user may not read, because only root sees with another's eyes");
        return;
    }
    let mut world = World::new();
    let folder = world.gateway.folder.path().to_owned();
    mode(&folder, 0o755);
    let (roots, chain, given) = (
        world.cloud.root_ca_path().to_owned(),
        world.ca.ca_pem_path(),
        world.token.pin_file().to_owned(),
    );
    let roots = lay(&mut world, &roots, "roots.pem");
    let chain = lay(&mut world, &chain, "chain.pem");
    let pin = lay(&mut world, &given, "pin");
    mode(&pin, 0o400);
    let state = world.gateway.state("");
    fs::create_dir(&state).unwrap();
    for owned in [&state, &pin] {
        chown(owned, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    }
    let drop_ins = folder.join("conf.d");
    let drop_in = drop_ins.join("60-mine.toml");
    fs::create_dir(&drop_ins).unwrap();
    fs::write(&drop_in, "[mqtt]\nkeep-alive = \"60s\"\n").unwrap();
    mode(&drop_ins, 0o755);
    mode(&drop_in, 0o644);
    let main = world.gateway.write_config();
    mode(&main, 0o644);
    let good = check_config(&world.gateway);
    assert!(good.status.success(), "{good:?}");

    let close = |path: &Path, closed: u32| {
        let step = match closed {
            0o700 => format!("chmod 0755 {}", path.display()),
            _ => format!("chmod 0644 {}", path.display()),
        };
        (path.to_owned(), closed, step)
    };
    let name = pin.display();
    let cases = [
        close(&drop_in, 0o600),
        close(&drop_ins, 0o700),
        close(&roots, 0o600),
        close(&chain, 0o640),
        close(&main, 0o600),
        (
            pin.clone(),
            0o600,
            format!("chown {SOMEBODY}: {name} && chmod 0400 {name}"),
        ),
    ];
    for (path, closed, step) in cases {
        let before = fs::metadata(&path).unwrap().permissions();
        if path == pin {
            chown(&path, Some(0), Some(0)).unwrap();
        }
        mode(&path, closed);
        let cause = format!("cannot be read by {SOMEBODY}, the user of the service");
        let refused = check_config(&world.gateway);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(CONFIGURATION), "{said}");
        assert!(
            said.contains(&cause)
                && said.contains(&path.display().to_string())
                && said.contains(&format!("next: {step}\n")),
            "{step}: {said}"
        );
        let (_, document, reason) = run(&mut check(&world.gateway, &world.cloud, &["--json"]));
        let document: Value = serde_json::from_str(&document).unwrap_or_else(|error| panic!("{error}: {reason}"));
        let lines = document["checks"].as_array().unwrap();
        let line = lines.iter().find(|line| line["name"] == "files");
        let line = line.unwrap_or_else(|| panic!("{document:#}"));
        assert_eq!((&line["outcome"], &line["next_step"]), (&"fail".into(), &step.into()));
        fs::set_permissions(&path, before).unwrap();
    }

    // The top folder, where somebody tests a draft.
    chown(&pin, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    mode(&folder, 0o700);
    let refused = check_config(&world.gateway);
    let said = String::from_utf8_lossy(&refused.stderr);
    let step = format!("chmod 0755 {}", folder.display());
    assert!(said.contains("is closed to it") && said.contains(&step), "{said}");
    assert_eq!(said.lines().count(), 1, "one folder is one cause: {said}");
}

/// A user who may not read the files gets advice, and no error about their content.
#[test]
fn a_user_who_may_not_read_the_files_is_advised_to_use_sudo() {
    if !user::is_root() {
        eprintln!("NOT TESTED: a user who may not read the files, because only root may start a check as another user");
        return;
    }
    let world = World::new();
    let folder = world.gateway.folder.path().to_owned();
    mode(&folder, 0o755);
    let main = world.gateway.write_config();
    mode(&main, 0o644);
    let drop_ins = folder.join("conf.d");
    let drop_in = drop_ins.join("60-mine.toml");
    fs::create_dir(&drop_ins).unwrap();
    fs::write(&drop_in, "[mqtt]\nkeep-alive = \"60s\"\n").unwrap();
    // Other users may not enter the folder where the daemon was built.
    let copy = folder.join("gatepostd");
    let built = world.gateway.command();
    executable::copy(Path::new(built.get_program()), &copy).unwrap();
    let as_somebody = |option: &str| {
        let mut command = Command::new(&copy);
        command.args(built.get_args()).arg(option).uid(SOMEBODY).gid(SOMEBODY);
        for (name, value) in built.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    for (what, main_mode, folder_mode, file_mode, broken) in [
        ("the folder", 0o644, 0o700, 0o644, false),
        ("a file in it", 0o644, 0o755, 0o600, false),
        ("the main file", 0o600, 0o755, 0o644, false),
        (
            "a file in it, beside a fault in the main file",
            0o644,
            0o755,
            0o600,
            true,
        ),
    ] {
        if broken {
            fs::write(&main, "[aws\n").unwrap();
        }
        mode(&main, main_mode);
        mode(&drop_ins, folder_mode);
        mode(&drop_in, file_mode);
        for option in ["--check-config", "--check", "--print-policy"] {
            let (code, said) = as_somebody(option);
            let expected = if broken { CONFIGURATION } else { NO_PERMISSION };
            assert_eq!(code, Some(expected), "{what}, {option}: {said}");
            assert!(said.contains("ermission denied"), "{what}, {option}: {said}");
            assert_eq!(said.contains("sudo"), !broken, "{what}, {option}: {said}");
        }
    }
}
