//! Credentials files, for programs that can only read a file.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cloudlet::switches::{Answer, Lifetime};
use rig::{command, user, wait};

use crate::bad_input::check_config;
use crate::command::{client, contains_all, run};
use crate::faults::SmallDisk;
use crate::operator::retry::refresh;
use crate::reload::reload;
use crate::support::{Gateway, SOON, World};

/// The user who may read the files, besides root.
const OWNER: u32 = 61001;

fn entry(owner: &str, format: &str, more: &str) -> String {
    format!("\n[[credentials-file]]\nrole-alias = \"telemetry\"\n{owner}\nformat = \"{format}\"\n{more}\n")
}

fn file(gateway: &Gateway, name: &str) -> PathBuf {
    gateway.folder.path().join("run/files").join(name)
}

/// Creates a world with credentials of this lifetime in seconds, and a runtime folder that every user can enter.
fn world(lifetime: i64, entries: &str) -> World {
    let mut world = World::new();
    let switches = world.cloud.switches();
    switches.set(|switches| switches.credentials.lifetime = Lifetime::Seconds(lifetime));
    fs::set_permissions(world.gateway.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    world.gateway.config.push_str(entries);
    world
}

/// Returns the content as a user reads it; empty if the user may not.
fn read_as(uid: u32, path: &Path) -> Option<String> {
    user::act_as(uid, uid, || fs::read_to_string(path).ok()).unwrap()
}

#[test]
fn a_file_is_for_its_owner_alone_and_follows_three_rotations() {
    if !user::is_root() {
        return;
    }
    let owner = format!("owner = \"{OWNER}\"");
    let entries = ["aws", "env", "kvssink"].map(|format| entry(&owner, format, ""));
    let mut world = world(3600, &entries.concat());
    world.bring_online();
    world.gateway.wait_for_text("credentials_files.phase", "written");
    let [aws, env, kvssink] = ["aws", "env", "kvssink"].map(|format| {
        let path = file(&world.gateway, &format!("{OWNER}-telemetry.{format}"));
        let found = fs::metadata(&path).unwrap();
        assert_eq!(
            (found.uid(), found.permissions().mode() & 0o7777),
            (OWNER, 0o400),
            "{format}"
        );
        assert!(read_as(OWNER + 1, &path).is_none(), "{format}");
        path
    });
    let mut keys = BTreeSet::new();
    let minted = |world: &World| world.cloud.minted();
    let mut read = || {
        let text = read_as(OWNER, &aws).expect("the file is always there");
        let value = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            line.expect("the file is always whole").to_owned()
        };
        let set = minted(&world)
            .into_iter()
            .find(|set| set.access_key_id == value("aws_access_key_id"));
        let set = set.expect("the keys are AWS's");
        assert_eq!(value("aws_secret_access_key"), set.secret_access_key);
        assert_eq!(value("aws_session_token"), set.session_token);
        keys.insert(set.access_key_id);
        keys.len()
    };
    for sets in 1..=4 {
        wait::until(SOON, "the file of a set", || read() == sets).unwrap();
        if sets < 4 {
            refresh(&world.gateway, "telemetry");
        }
    }
    // All formats contain the same credentials once all files have been written.
    wait::until(SOON, "the same set in each file", || {
        let key = minted(&world).pop().unwrap().access_key_id;
        [&aws, &env, &kvssink]
            .iter()
            .all(|path| fs::read_to_string(path).unwrap().contains(&key))
    })
    .unwrap();
    let shell = format!(". {} && printf %s \"$AWS_SESSION_TOKEN\"", env.display());
    let token = command::run(command::command("sh").args(["-c", &shell]), "dash").unwrap();
    assert!(
        fs::read_to_string(&kvssink)
            .unwrap()
            .ends_with(&format!(" {}\n", token.trim()))
    );
    for secret in minted(&world) {
        assert!(!world.gateway.log().contains(&secret.secret_access_key));
    }
}

#[test]
fn without_privileges_the_owner_is_let_in_by_an_access_control_list() {
    if !user::is_root() {
        return;
    }
    let mut world = world(3600, &entry(&format!("owner = \"{OWNER}\""), "aws", ""));
    world.gateway.config.push_str(&entry("group = \"61002\"", "env", ""));
    // As in the package's unit: the daemon may not change the owner of files.
    let words = ["setpriv", "--bounding-set=-chown"];
    world.gateway.through = words.map(str::to_owned).into();
    world.bring_online();
    world.gateway.wait_for_text("credentials_files.phase", "written");
    for (name, reader) in [("61001-telemetry.aws", OWNER), ("61002-telemetry.env", 61002)] {
        let path = file(&world.gateway, name);
        assert_eq!(fs::metadata(&path).unwrap().uid(), 0, "{name}");
        assert!(read_as(reader, &path).is_some(), "{name}");
        assert!(read_as(61003, &path).is_none(), "{name}");
    }
}

#[test]
fn a_file_goes_with_its_credentials_its_entry_and_the_daemon() {
    let uid = format!("owner = \"{}\"", rustix::process::getuid().as_raw());
    let (first, second) = (entry(&uid, "aws", ""), entry(&uid, "env", ""));
    // Handed out for 20 s, and refreshed before that.
    let mut world = world(80, &first);
    world.bring_online();
    world.gateway.wait_for_text("credentials_files.phase", "written");
    let paths = ["aws", "env"].map(|format| {
        let name = format!("{}-telemetry.{format}", rustix::process::getuid().as_raw());
        file(&world.gateway, &name)
    });
    let there = |expected: [bool; 2]| {
        let is_as_expected = || paths.each_ref().map(|path| path.exists()) == expected;
        wait::until(2 * SOON, &format!("files: {expected:?}"), is_as_expected).unwrap();
    };
    there([true, false]);
    world.gateway.config.push_str(&second);
    reload(&mut world.gateway);
    there([true, true]);
    let text = world.gateway.config.replace(&first, "");
    world.gateway.config = text;
    reload(&mut world.gateway);
    there([false, true]);
    world
        .gateway
        .wait_for("credentials_files.files", |files| files.as_array().unwrap().len() == 1);
    // AWS refuses, and the last credentials expire.
    let switches = world.cloud.switches();
    switches.set(|switches| switches.credentials.answer = Answer::Status(500, String::new()));
    there([false, false]);
    world.gateway.wait_for_text("credentials_files.phase", "waiting");
    assert_eq!(world.gateway.credentials().status, 503);
    switches.set(|switches| switches.credentials.answer = Answer::Normal);
    there([false, true]);
    world.gateway.kill();
    there([false, true]);
    world.gateway.start();
    world.gateway.wait_for_text("credentials_files.phase", "written");
    there([false, true]);
    world.gateway.stop();
    there([false, false]);
}

#[test]
fn every_output_names_the_reason_why_a_file_is_not_written() {
    if !user::is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let own = "owner = \"root\"";
    let at = |name: &str| format!("path = \"{}\"", folder.path().join(name).display());
    fs::create_dir(folder.path().join("foreign")).unwrap();
    std::os::unix::fs::chown(folder.path().join("foreign"), Some(61005), None).unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).unwrap();
    fs::write(folder.path().join("mine"), "[default]\n").unwrap();
    let disk = SmallDisk::at(&folder.path().join("full"), 1);
    disk.fill();
    let cases = [
        (
            entry(own, "aws", &at("foreign/keys")),
            "belongs to uid 61005, who can replace the files in it",
        ),
        (
            entry(own, "aws", &at("link/keys")),
            "is a symbolic link, and gatepost follows none",
        ),
        (entry(own, "aws", &at("none/keys")), "none does not exist"),
        (
            entry(own, "aws", &at("mine")),
            "was not written by gatepost, and would be lost",
        ),
        (
            entry("owner = \"no-such-user\"", "aws", ""),
            "there is no user no-such-user on this machine",
        ),
        (entry(own, "aws", &at("full/keys")), "No space left on device"),
    ];
    let entries: Vec<&str> = cases.iter().map(|(entry, _)| entry.as_str()).collect();
    let good = format!("{}{}", entries.concat(), entry("owner = \"0\"", "aws", ""));
    let mut world = world(3600, &good);
    let output = check_config(&world.gateway);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    let written = file(&world.gateway, "0-telemetry.aws");
    wait::until(SOON, "the file that nothing keeps", || written.exists()).unwrap();
    for (index, (_, words)) in cases.iter().enumerate() {
        world.gateway.wait_for_words("credentials_files.problem.message", words);
        world
            .gateway
            .wait_for_words(&format!("credentials_files.files.{index}.problem"), words);
        assert!(world.gateway.log().contains(words), "{}", world.gateway.log());
        let is_found_before = !words.contains("No space");
        assert_eq!(said.contains(words), is_found_before, "{said}");
    }
    let status = world.gateway.status();
    assert_eq!(
        (&status["state"], &status["exit_code"]),
        (&"attention".into(), &78.into())
    );
    assert_eq!(status["problems"][0]["id"], "credentials-file-problem");
    // Responses on the socket are not affected.
    assert_eq!(world.gateway.credentials().status, 200);
    // Each file is marked in the status, on the screen as well.
    let states: Vec<_> = status["credentials_files"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, [["failed"; 6].as_slice(), &["written"]].concat(), "{status:#}");
    let (_, screen, _) = run(&mut client(&world.gateway, &["status"]));
    let screen = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    contains_all(
        &screen,
        &[
            "mine: failed problem: ",
            "next: move it away",
            "0-telemetry.aws: written, expires in ",
        ],
    );
    disk.free();
    let (code, said, noted) = run(&mut client(&world.gateway, &["retry", "credentials-files", "--wait"]));
    assert_eq!(code, 78, "the others still fail: {said}{noted}");
    contains_all(
        &said,
        &[
            "credentials files: those that failed are tried again now",
            "not written by gatepost",
        ],
    );
    assert!(!said.contains("No space"), "{said}");
    assert!(folder.path().join("full/keys").exists());
}
