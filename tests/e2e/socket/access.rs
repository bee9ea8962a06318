//! Promise 7: the kernel identifies the caller, the rules decide what it may have, and the default is nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use rig::process::Signal;
use rig::{user, wait};

use crate::command::{client, run};
use crate::support::{Gateway, SOON, World};

const RULES: &str = r#"
[[access]]
uid = 61001
role-aliases = ["telemetry"]
[[access]]
gid = 61002
role-aliases = ["telemetry"]
[[access]]
user = "nobody"
role-aliases = ["telemetry"]
[[access]]
group = "daemon"
role-aliases = ["telemetry"]
[[access]]
user = "no-such-user"
role-aliases = ["*"]
[[role-alias]]
name = "video"
"#;

/// Lets every user into the test's folder, as with /run/gatepost.
fn open_folder(gateway: &Gateway) {
    fs::set_permissions(gateway.folder.path(), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn promise_7_access_needs_a_rule() {
    if !user::is_root() {
        eprintln!("NOT TESTED: the access rules for other users, because only root may act as them");
        return;
    }
    let mut world = World::new();
    world.gateway.config.push_str(RULES);
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    open_folder(&world.gateway);
    let nobody = 65534;
    for (uid, gid, alias, status) in [
        (61001, 61001, "telemetry", 200),
        (61001, 61001, "video", 403),
        (61009, 61002, "telemetry", 200),
        (61009, 61009, "telemetry", 403),
        (nobody, 61009, "telemetry", 200),
        (61009, 1, "telemetry", 200),
        (61009, 1, "video", 403),
        (61009, 0, "telemetry", 403),
        (0, 61009, "telemetry", 200),
    ] {
        let path = format!("/v1/credentials/{alias}");
        let answer = user::act_as(uid, gid, || world.gateway.get(&path)).unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "uid {uid} gid {gid} {alias}: {text}");
        if status == 403 {
            let missing = format!("no [[access]] rule grants uid {uid} (gid {gid}) the role alias \\\"{alias}\\\"");
            assert!(text.contains(&missing) && !text.contains("SecretAccessKey"), "{text}");
        }
    }
    for path in ["/v1/status", "/v1/csr"] {
        let answer = user::act_as(61009, 61009, || world.gateway.get(path)).unwrap();
        assert_eq!(answer.status, 200, "{path} is no secret");
    }
    let log = world.gateway.log();
    assert!(log.contains("is for nobody: there is no user no-such-user"), "{log}");
}

#[test]
fn the_hint_of_a_refusal_is_the_missing_rule_and_a_bad_file_changes_nothing() {
    let mut world = World::new();
    let own = format!("uid = {}\n", rustix::process::getuid().as_raw());
    world.gateway.configure(&own, "uid = 61001\n");
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("state", "ready");
    let refused = world.gateway.credentials();
    assert_eq!(refused.status, 403);

    let drop_ins = world.gateway.folder.path().join("conf.d");
    fs::create_dir(&drop_ins).unwrap();
    let hint = refused.json().unwrap()["hint"].as_str().unwrap().to_owned();
    let named = format!("# to allow it, add these lines to {}/access.toml", drop_ins.display());
    assert!(hint.starts_with(&named), "{hint}");
    assert!(!hint.contains(" > ") && !hint.contains("echo"), "{hint}");
    // The command prints it in a form that can be copied.
    let (_, _, shown) = run(&mut client(&world.gateway, &["credentials"]));
    assert!(shown.ends_with(&format!("\n{hint}\n")), "{shown}");
    fs::write(drop_ins.join("access.toml"), &hint).unwrap();
    world.gateway.process().signal(Signal::HUP).unwrap();
    wait::until(SOON, "the pasted rule", || world.gateway.credentials().status == 200).unwrap();

    for (bad, reason) in [
        ("log-level = \"info\"", "unknown field `log-level`"),
        ("[[access]]\nrole-aliases = [\"*\"]", "access"),
        ("not toml", "bad.toml:1"),
    ] {
        fs::write(drop_ins.join("bad.toml"), bad).unwrap();
        let seen = world.gateway.process().line_count();
        world.gateway.process().signal(Signal::HUP).unwrap();
        let process = world.gateway.process();
        process
            .wait_for_line_after(seen, SOON, |line| line.contains("nothing was changed"))
            .unwrap();
        process
            .wait_for_line_after(seen, SOON, |line| line.contains("bad.toml") && line.contains(reason))
            .unwrap();
        assert_eq!(world.gateway.credentials().status, 200, "{bad}");
    }
    fs::remove_dir_all(&drop_ins).unwrap();
    world.gateway.process().signal(Signal::HUP).unwrap();
    wait::until(SOON, "the rule's end", || world.gateway.credentials().status == 403).unwrap();
}

#[test]
fn the_socket_is_open_to_all_and_replaces_a_stale_one() {
    let mut world = World::new();
    let socket = world.gateway.socket();
    fs::create_dir(socket.parent().unwrap()).unwrap();
    drop(UnixListener::bind(&socket).unwrap());
    world.gateway.start();
    world.gateway.wait_for_csr();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        mode(socket.clone()),
        0o666,
        "the rules decide, so that who is refused learns why"
    );
    // kill -9 leaves the socket file behind, which does not affect the next start.
    world.gateway.kill();
    assert!(socket.exists());
    world.gateway.start();
    world.gateway.wait_for_csr();
    world.gateway.stop();
}
