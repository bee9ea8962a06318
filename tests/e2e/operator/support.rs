//! `gatepost support`: contains what a supporter needs, and no secret.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use rig::{executable, user};

use crate::command::{client, contains_all, run};
use crate::loopback::own_token;
use crate::support::{PIN, World};

/// Occurs in an address in the configuration, in a comment, and in place of a file name.
const PASSWORD: &str = "hunter2-in-an-address";
const IN_A_COMMENT: &str = "whispered-in-a-comment";

/// Returns the bundle as this process's user gets it.
fn bundle(world: &World, words: &[&str]) -> (i32, String, String) {
    let config = world.gateway.write_config().display().to_string();
    let words = [&["support", "--config", &config], words].concat();
    let mut client = client(&world.gateway, &words);
    run(client.envs(world.gateway.env.iter().map(|(name, value)| (name, value))))
}

/// Returns all secrets in the test environment, each with its description.
fn secrets(world: &World) -> Vec<(&'static str, String)> {
    let set = world.gateway.credentials().json().unwrap();
    let of_set = |name: &str| set[name].as_str().unwrap().to_owned();
    vec![
        ("the PIN", PIN.to_owned()),
        ("a password", PASSWORD.to_owned()),
        ("a comment", IN_A_COMMENT.to_owned()),
        ("the secret key", of_set("SecretAccessKey")),
        ("the session token", of_set("SessionToken")),
        ("the key ID", of_set("AccessKeyId")),
        ("a token of the loopback listener", own_token(&world.gateway)),
    ]
}

#[test]
fn promise_10_a_support_bundle_has_no_secret_in_it() {
    let mut world = World::new();
    let port = rig::port::free_pair().unwrap();
    world.gateway.config.push_str(&format!(
        "# {IN_A_COMMENT}\n[loopback]\nlisten = \"127.0.0.1:{port}\"\n\
         [[access]]\nuid = 61001\npublish = [\"http://somebody:{PASSWORD}@proxy/x\"]\n"
    ));
    world.bring_online();
    world.gateway.wait_for_text("loopback.phase", "listening");
    let secrets = secrets(&world);
    let drop_ins = world.gateway.folder.path().join("conf.d");
    fs::create_dir(&drop_ins).unwrap();
    let others = format!(
        "[network]\nproxy = \"http://somebody:{PASSWORD}@proxy:3128\"\npin = \"{PIN}\"\n\
         key = \"-----BEGIN PRIVATE KEY-----\\nMIGHAgEA\\n-----END PRIVATE KEY-----\"\n"
    );
    let misplaced = format!("[token]\npin-file = \"{PIN}\"\n");
    for (content, name) in [
        (String::new(), "none"),
        (others, "unknown keys"),
        (misplaced, "a PIN for a path"),
    ] {
        fs::write(drop_ins.join("extra.toml"), &content).unwrap();
        let (code, text, noted) = bundle(&world, &[]);
        assert_eq!(code, 0, "{name}: {noted}");
        contains_all(
            &text,
            &[
                "==== status ====",
                "==== packages ====",
                "==== check ====",
                "==== units ====",
                "==== journal ====",
                "==== files ====",
                "==== metrics ====",
                "aws.mqtt-endpoint = ",
                "\"phase\": \"connected\"",
                "gatepost_",
                "device.pem",
            ],
        );
        for (what, secret) in &secrets {
            for form in [
                secret.clone(),
                secret.escape_debug().to_string(),
                secret.chars().take(20).collect(),
            ] {
                assert!(
                    !text.contains(&form) && !noted.contains(&form),
                    "{name}: {what} is in it"
                );
            }
        }
        assert!(!text.contains("MIGH") && !text.contains('\u{1b}'), "{name}");
    }
    fs::remove_file(drop_ins.join("extra.toml")).unwrap();

    // The file is accessible to its owner only, and never overwrites another one.
    let file = world.gateway.folder.path().join("bundle.txt");
    let path = file.display().to_string();
    let (code, said, noted) = bundle(&world, &["--output", &path]);
    assert_eq!(code, 0, "{noted}");
    contains_all(&said, &["is written", "look it through"]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, _, noted) = bundle(&world, &["--output", &path]);
    assert_eq!(code, 73);
    contains_all(&noted, &["File exists", "name a file that does not exist"]);

    // Without the daemon; and no PIN is tried.
    world.gateway.stop();
    let (code, text, _) = bundle(&world, &[]);
    assert_eq!(code, 0);
    contains_all(
        &text,
        &[
            "no daemon answers at",
            "left out: no daemon runs",
            "aws.mqtt-endpoint = ",
        ],
    );

    if user::is_root() {
        fs::set_permissions(world.gateway.folder.path(), Permissions::from_mode(0o755)).unwrap();
        let folder = world.gateway.folder.path();
        for program in ["gatepost", "gatepostd"] {
            let built = world.gateway.client().with_file_name(program);
            executable::copy(&built, &folder.join(program)).unwrap();
        }
        let mut command = std::process::Command::new(folder.join("gatepost"));
        command
            .args(["support", "--config"])
            .arg(folder.join("gatepost.toml"))
            .current_dir("/");
        command.envs(world.gateway.env.iter().map(|(name, value)| (name, value)));
        let (code, text, noted) = run(command.uid(61009).gid(61009));
        assert_eq!(code, 0, "{noted}");
        contains_all(&text, &["as uid 61009", "state: cannot be listed: Permission denied"]);
    }
}
