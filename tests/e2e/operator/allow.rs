//! `gatepost allow`: the rule is in effect when the command ends, and a caller's text is never interpreted as anything else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rig::{unix_http, user};

use crate::command::{client, contains_all, run};
use crate::support::{Gateway, World};

/// Runs the command with this gateway's configuration.
fn allow(gateway: &Gateway, words: &[&str]) -> (i32, String, String) {
    let config = gateway.folder.path().join("gatepost.toml").display().to_string();
    let words = [&["allow", "--config", &config], words].concat();
    run(&mut client(gateway, &words))
}

#[test]
fn a_refused_program_is_allowed_and_earlier_rules_stay() {
    let mut world = World::new();
    let uid = rustix::process::getuid().as_raw().to_string();
    world.gateway.configure(&format!("uid = {uid}\n"), "uid = 61001\n");
    world.gateway.config.push_str("[[role-alias]]\nname = \"video\"\n");
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    let status = |path: &str| world.gateway.get(path).status;
    assert_eq!(status("/v1/credentials/telemetry"), 403);
    let hint = world.gateway.credentials().json().unwrap()["hint"].to_string();
    contains_all(&hint, &["gatepost allow --help"]);

    let drop_ins = world.gateway.folder.path().join("conf.d");
    let (code, shown, _) = allow(&world.gateway, &["--uid", &uid, "--role-alias=telemetry", "--dry-run"]);
    assert_eq!(code, 0);
    contains_all(
        &shown,
        &["[[access]]", "role-aliases = [\"telemetry\"]", "nothing was written"],
    );
    assert!(!drop_ins.exists());

    let (code, said, noted) = allow(&world.gateway, &["--uid", &uid, "--role-alias=telemetry"]);
    assert_eq!(code, 0, "{said}{noted}");
    contains_all(&said, &["allow-uid-", "gatepostd has loaded it"]);
    assert_eq!(status("/v1/credentials/telemetry"), 200, "at once");
    assert_eq!(status("/v1/credentials/video"), 403, "and nothing else");
    let (code, said, noted) = allow(
        &world.gateway,
        &["--uid", &uid, "--role-alias=video", "--publish={thing}/a"],
    );
    assert_eq!(code, 0, "{said}{noted}");
    assert_ne!(status("/v1/credentials/video"), 403);
    assert_eq!(
        status("/v1/credentials/telemetry"),
        200,
        "the rule before it still holds"
    );
    let files = || fs::read_dir(&drop_ins).unwrap().count();
    assert_eq!(files(), 2);
    let (code, said, _) = allow(&world.gateway, &["--uid", &uid, "--role-alias=video"]);
    assert_eq!((code, files()), (0, 2), "{said}");
    contains_all(&said, &["nothing changed"]);

    // Hostile texts, which a caller may have got into the message of a refusal.
    for (words, code) in [
        (["--publish", "x/';touch pwned;'"], 0),
        (["--publish", "x/$(touch pwned)"], 0),
        (["--publish", "a\"], role-aliases = [\"*\"], subscribe = [\"b"], 0),
        (["--subscribe", "$aws/rules/all"], 64),
        (["--subscribe", "two\nlines"], 64),
        (["--role-alias", "a b"], 64),
        (["--role-alias", "nowhere"], 78),
        (["--user", "-x"], 64),
    ] {
        let (found, said, noted) = allow(&world.gateway, &[&["--uid=61002"], &words[..]].concat());
        assert_eq!(found, code, "{words:?}: {said}{noted}");
        assert!(code == 0 || said.is_empty(), "{said}");
    }
    if user::is_root() {
        let stranger = |path: &str| user::act_as(61002, 61002, || world.gateway.get(path).status).unwrap();
        fs::set_permissions(world.gateway.folder.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(stranger("/v1/credentials/telemetry"), 403);
        let reload = user::act_as(61002, 61002, || {
            let request = b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            unix_http::request_raw(&world.gateway.socket(), request).unwrap().status
        });
        assert_eq!(reload.unwrap(), 403);
    }
}

#[test]
fn a_wrong_configuration_and_a_folder_that_may_not_be_written_are_named() {
    let world = World::new();
    let uid = ["--uid", "7", "--role-alias", "telemetry"];
    world.gateway.write_config();
    let drop_ins = world.gateway.folder.path().join("conf.d");
    fs::create_dir(&drop_ins).unwrap();
    fs::write(drop_ins.join("bad.toml"), "colour = \"red\"").unwrap();
    let (code, said, noted) = allow(&world.gateway, &uid);
    assert_eq!((code, said.as_str()), (78, ""));
    contains_all(&noted, &["bad.toml:1", "unknown field"]);
    assert_eq!(fs::read_dir(&drop_ins).unwrap().count(), 1);
    fs::remove_file(drop_ins.join("bad.toml")).unwrap();
    let (code, said, _) = allow(&world.gateway, &uid);
    assert_eq!(code, 0);
    contains_all(&said, &["gatepostd is not running"]);
    for words in [&["--uid", "7"][..], &["--role-alias", "telemetry"], &[]] {
        let (code, _, noted) = allow(&world.gateway, words);
        assert_eq!(code, 64);
        contains_all(&noted, &["gatepost allow --help"]);
    }
}
