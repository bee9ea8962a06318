//! The token files of the loopback listener: their permissions, and when they change.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rig::process::Signal;
use rig::{command, executable, user, wait};

use crate::bad_input::check_config;
use crate::command::{client, contains_all, run};
use crate::support::{Gateway, SOON, World};

use super::{OTHER_RULE, TOKEN_FILE, URI, file, get, online, own, switch_on, token};

#[test]
fn a_token_file_is_private_to_its_reader_and_is_recreated() {
    let mut world = World::new();
    world.gateway.config.push_str(OTHER_RULE);
    let address = switch_on(&mut world.gateway);
    // Existing files are neither followed nor kept.
    let elsewhere = world.gateway.folder.path().join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    let folder = file(&world.gateway, "");
    fs::create_dir_all(&folder).unwrap();
    symlink(&elsewhere, folder.join(own())).unwrap();
    symlink(&elsewhere, folder.join("uid-61001.draft")).unwrap();
    fs::write(folder.join("left-behind"), "").unwrap();
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("loopback.phase", "listening");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");

    let first = token(&world.gateway, &own());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
    assert!(!folder.join("left-behind").exists());
    assert!(
        first.len() == 64 && !first.ends_with('\n'),
        "botocore would send a line end along"
    );
    let details = |name: &str| {
        let file = fs::symlink_metadata(file(&world.gateway, name)).unwrap();
        (
            file.is_file(),
            file.uid(),
            file.gid(),
            file.permissions().mode() & 0o7777,
        )
    };
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(details(&own()).3, 0o400);
    if user::is_root() {
        assert_eq!(details("uid-61001"), (true, 61001, 0, 0o400));
        assert_eq!(details("gid-61002"), (true, 0, 61002, 0o440));
        assert_eq!(details("unit-camera.service"), (true, 0, 0, 0o400));
    }
    assert_eq!(details(&own()).1, uid);

    // A reload keeps the tokens of running programs; tokens without a rule are removed.
    world.gateway.configure("uid = 61001", "uid = 61003");
    world.gateway.write_config();
    world.gateway.process().signal(Signal::HUP).unwrap();
    let there = |gateway: &Gateway, name: &str| file(gateway, name).exists();
    wait::until(SOON, "the new rule's file", || {
        there(&world.gateway, "uid-61003") && !there(&world.gateway, "uid-61001")
    })
    .unwrap();
    assert_eq!(get(address, "/v1/credentials", &first).status, 200);

    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_for_text("loopback.phase", "listening");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    assert_eq!(
        get(address, "/v1/credentials", &first).status,
        401,
        "a token lives as long as the daemon"
    );
    assert_eq!(
        get(address, "/v1/credentials", &token(&world.gateway, &own())).status,
        200
    );
}

#[test]
fn an_administrators_token_file_is_used_and_reloaded() {
    let mut world = World::new();
    let path = world.gateway.folder.path().join("camera.token");
    let write = |token: &str, mode: u32| {
        fs::write(&path, token).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let (first, second) = ("first-0123456789abcdef0123456789", "second-0123456789abcdef012345678");
    write(&format!("{first}\n"), 0o640);
    let rule = format!("role-aliases = [\"*\"]\ntoken-file = \"{}\"", path.display());
    world.gateway.configure("role-aliases = [\"*\"]", &rule);
    let address = switch_on(&mut world.gateway);
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    world.gateway.wait_for_text("loopback.phase", "listening");
    let status = |token: &str| get(address, "/v1/credentials", token).status;
    assert_eq!(status(first), 200);
    assert!(!file(&world.gateway, &own()).exists(), "gatepost makes none beside it");
    let (_, lines, _) = run(&mut client(&world.gateway, &["env"]));
    assert!(lines.contains(&format!("{TOKEN_FILE}='{}'", path.display())), "{lines}");

    write(second, 0o600);
    world.gateway.process().signal(Signal::HUP).unwrap();
    wait::until(SOON, "the second token", || status(second) == 200).unwrap();
    assert_eq!(status(first), 401);

    // A file whose mode, content or place is wrong. The unit tests of src/local/bearer_tokens/secret_file.rs have each fault.
    type Make = fn(&Path, &str);
    fn put(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut cases: Vec<(&str, Make)> = vec![
        ("is open to others (mode 0644)", |path, token| put(path, token, 0o644)),
        ("holds 5 characters, and a token has 32 to 512", |path, _| {
            put(path, "short", 0o600)
        }),
        ("is not a regular file", |path, _| {
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap()
        }),
        ("is not a regular file", |path, _| symlink("/dev/zero", path).unwrap()),
        ("is open to others", |path, token| {
            // A link is checked by its target.
            put(&path.with_extension("target"), token, 0o644);
            symlink(path.with_extension("target"), path).unwrap();
        }),
        ("does not exist", |path, _| symlink("/nonexistent", path).unwrap()),
    ];
    if user::is_root() {
        cases.push(("belongs to uid 61001", |path, token| {
            put(path, token, 0o600);
            std::os::unix::fs::chown(path, Some(61001), None).unwrap();
        }));
    }
    for (said, make) in cases {
        fs::remove_file(&path).unwrap();
        make(&path, second);
        world.gateway.process().signal(Signal::HUP).unwrap();
        world.gateway.wait_for_words("loopback.problem.message", said);
        let refused = get(address, "/v1/credentials", second);
        assert_eq!(refused.status, 401, "{said}");
        // Programs are told the cause; status and check show it with the next step.
        contains_all(&String::from_utf8_lossy(&refused.body), &[said, "gatepost status"]);
        let status = world.gateway.status();
        assert_eq!(
            (&status["state"], &status["exit_code"]),
            (&"attention".into(), &78.into()),
            "{status:#}"
        );
        contains_all(
            &status["problems"].to_string(),
            &["loopback-problem", said, "systemctl reload gatepost"],
        );
        let checked = check_config(&world.gateway);
        let reason = String::from_utf8_lossy(&checked.stderr);
        assert_eq!(checked.status.code(), Some(78), "{said}: {reason}");
        contains_all(&reason, &["token-file: ", said, "; next: "]);
        // The next case is another change.
        fs::remove_file(&path).unwrap();
        put(&path, second, 0o600);
        world.gateway.process().signal(Signal::HUP).unwrap();
        wait::until(SOON, "the token that is good again", || {
            world.gateway.status()["loopback"]["problem"].is_null()
        })
        .unwrap();
    }
    // A link to a valid file is valid.
    let _ = fs::remove_file(&path);
    put(&path.with_extension("target"), second, 0o600);
    symlink(path.with_extension("target"), &path).unwrap();
    world.gateway.process().signal(Signal::HUP).unwrap();
    wait::until(SOON, "the token behind a link", || status(second) == 200).unwrap();
    let log = world.gateway.log();
    assert!(!log.contains(first) && !log.contains(second), "promise 10");
}

#[test]
fn without_privileges_the_reader_is_let_in_by_an_access_control_list() {
    if !user::is_root() {
        eprintln!("NOT TESTED: a daemon without privileges, because only root may start one as another user");
        return;
    }
    let mut world = World::new();
    world.gateway.config.push_str(OTHER_RULE);
    switch_on(&mut world.gateway);
    let folder = world.gateway.folder.path().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["run", "state"] {
        fs::create_dir_all(folder.join(name)).unwrap();
        std::os::unix::fs::chown(folder.join(name), Some(61005), Some(61005)).unwrap();
    }
    // Other users may not enter the folder where the daemon was built.
    let copy = folder.join("gatepostd");
    let built = world.gateway.command();
    executable::copy(Path::new(built.get_program()), &copy).unwrap();
    let mut daemon = Command::new(copy);
    daemon.args(built.get_args()).uid(61005).gid(61005);
    for (name, value) in built.get_envs() {
        match value {
            Some(value) => daemon.env(name, value),
            None => daemon.env_remove(name),
        };
    }
    // The command cannot open root's token, which does not matter here.
    let _daemon = rig::process::Process::spawn(&mut daemon, "gatepost").unwrap();
    world.gateway.wait_for_text("loopback.phase", "listening");
    let reads = |uid: u32, gid: u32, name: &str| {
        let path = file(&world.gateway, name);
        user::act_as(uid, gid, || fs::read(path).is_ok()).unwrap()
    };
    for (uid, gid, name, allowed) in [
        (61001, 61009, "uid-61001", true),
        (61002, 61009, "uid-61001", false),
        (61009, 61002, "gid-61002", true),
        (61009, 61001, "gid-61002", false),
        (61001, 61002, "unit-camera.service", false),
        (61005, 61005, "unit-camera.service", true),
    ] {
        assert_eq!(reads(uid, gid, name), allowed, "uid {uid} gid {gid}: {name}");
    }
    let owner = fs::metadata(file(&world.gateway, "uid-61001")).unwrap().uid();
    assert_eq!(owner, 61005, "it has no privilege to give it away");
}

#[test]
fn the_command_names_uri_and_token_file() {
    let (world, address) = online();
    let (code, lines, reason) = run(&mut client(&world.gateway, &["env", "telemetry"]));
    assert_eq!((code, reason.as_str()), (0, ""));
    let token_file = file(&world.gateway, &own());
    let expected = format!(
        "export {URI}='http://{address}/v1/credentials/telemetry'\nexport {TOKEN_FILE}='{}'\n",
        token_file.display()
    );
    assert_eq!(lines, expected);
    let (_, lines, _) = run(&mut client(&world.gateway, &["env"]));
    assert!(lines.contains("/v1/credentials'\n"), "{lines}");
    // Used as its help says.
    let shell = format!(
        "eval \"$({} env)\" && curl -s -o /dev/null -w '%{{http_code}}' -H \"Authorization: $(cat ${TOKEN_FILE})\" \"${URI}\"",
        world.gateway.client().display()
    );
    let mut shell_command = command::command("sh");
    shell_command
        .args(["-c", &shell])
        .env("GATEPOST_SOCKET", world.gateway.socket());
    assert_eq!(command::run(&mut shell_command, "curl").unwrap(), "200");

    let (code, _, reason) = run(&mut client(&world.gateway, &["env", "nope"]));
    assert_eq!(code, 66, "{reason}");
    let (code, _, reason) = run(&mut client(&world.gateway, &["env", "video"]));
    let root = rustix::process::getuid().is_root();
    assert_eq!(code, if root { 0 } else { 77 }, "{reason}");
}
