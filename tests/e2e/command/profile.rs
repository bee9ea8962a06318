//! AWS profiles that `gatepost setup-profile` writes, used by the AWS CLI.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rig::command;

use crate::support::World;

use super::{contains_all, run};

#[test]
fn the_aws_cli_takes_credentials_from_the_command() {
    let mut world = World::new();
    world.bring_online();
    let config = world.gateway.folder.path().join("aws-config");
    fs::write(&config, "# mine\n[default]\nregion = eu-west-1\n").unwrap();
    let socket = world.gateway.socket().display().to_string();
    let set_up = |arguments: &[&str]| {
        let mut client = Command::new(world.gateway.client());
        client.env("AWS_CONFIG_FILE", &config).arg("setup-profile");
        run(client.args(arguments))
    };
    let wanted = [
        "telemetry",
        "--profile",
        "gateway",
        "--region",
        "us-east-1",
        "--socket",
        &socket,
    ];
    let (code, said, _) = set_up(&wanted);
    assert_eq!(code, 0);
    contains_all(&said, &["profile gateway now has", "region = us-east-1"]);
    let written = fs::read_to_string(&config).unwrap();
    assert!(
        written.starts_with("# mine\n[default]\nregion = eu-west-1\n\n[profile gateway]\n"),
        "{written}"
    );
    let (code, said, _) = set_up(&wanted);
    assert_eq!(code, 0);
    contains_all(&said, &["nothing changed"]);
    assert_eq!(fs::read_to_string(&config).unwrap(), written);
    // The socket becomes part of the profile, however it was given. The path of a temporary build is written too, with a warning.
    let mut client = Command::new(world.gateway.client());
    client.env("AWS_CONFIG_FILE", &config).env("GATEPOST_SOCKET", &socket);
    let (code, said, noted) = run(client.args(["setup-profile", "telemetry", "--profile", "by-environment"]));
    assert_eq!(code, 0);
    contains_all(&said, &["--socket", &socket]);
    contains_all(&noted, &["may be removed one day"]);

    // Version 1 of the AWS CLI has no `export-credentials`; this shows the last four characters, and their source.
    let mut aws = command::command("aws");
    aws.args(["configure", "list", "--profile", "gateway"])
        .env("AWS_CONFIG_FILE", &config)
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    let list = command::run(&mut aws, "awscli").unwrap();
    let given = world.gateway.credentials().json().unwrap();
    for (row, name) in [("access_key", "AccessKeyId"), ("secret_key", "SecretAccessKey")] {
        let end = given[name].as_str().unwrap();
        let line = list.lines().find(|line| line.trim().starts_with(row)).unwrap();
        assert!(
            line.contains(&end[end.len() - 4..]) && line.contains("custom-process"),
            "{list}"
        );
    }
    let mut aws = command::command("aws");
    aws.args(["sts", "get-caller-identity", "--profile", "gateway", "--endpoint-url"])
        .arg(world.cloud.api_endpoint())
        .env("AWS_CONFIG_FILE", &config)
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("NO_PROXY", "127.0.0.1");
    let caller = command::run(&mut aws, "awscli").unwrap();
    assert!(caller.contains("assumed-role/telemetry/"), "{caller}");
}

/// Conflicting settings are reported, and the file stays unchanged.
#[test]
fn setup_profile_does_not_overwrite_other_settings() {
    let world = World::new();
    let folder = world.gateway.folder.path();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let taken = file("taken", b"[profile telemetry]\naws_access_key_id = AKIAEXAMPLE\n");
    let binary = file("binary", b"[profile a]\n\xff\n");
    let below_a_file = format!("{taken}/config");
    for (path, code, said) in [
        (taken.as_str(), 78, "aws_access_key_id"),
        (&binary, 78, "not UTF-8"),
        (&below_a_file, 78, "Not a directory"),
        ("/proc/gatepost/config", 78, "/proc/gatepost/config"),
    ] {
        let before = fs::read(path).ok();
        let mut client = Command::new(world.gateway.client());
        let (found, out, reason) = run(client.args(["setup-profile", "telemetry", "--file", path]));
        assert_eq!((found, out.as_str()), (code, ""), "{path}");
        contains_all(&reason, &[said, "nothing changed"]);
        assert_eq!(fs::read(path).ok(), before);
    }
    let mut client = Command::new(world.gateway.client());
    let (code, _, reason) = run(client.args(["setup-profile", "a]\nb"]));
    assert_eq!(code, 64, "{reason}");
    // A new file and its folder are accessible to their owner only.
    let new = folder.join("home/.aws/config");
    let mut client = Command::new(world.gateway.client());
    let (code, _, reason) = run(client
        .env_remove("AWS_CONFIG_FILE")
        .env("HOME", folder.join("home"))
        .arg("setup-profile"));
    assert_eq!(code, 0, "{reason}");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&new), mode(new.parent().unwrap())), (0o600, 0o700));
}

/// Keys of the same profile in the credentials file take precedence, so the profile would never be used.
#[test]
fn a_profile_that_other_credentials_would_hide_is_refused() {
    let world = World::new();
    let folder = world.gateway.folder.path().join("aws");
    fs::create_dir(&folder).unwrap();
    let (config, credentials) = (folder.join("config"), folder.join("credentials"));
    let keys = "aws_access_key_id = AKIAhunter2\naws_secret_access_key = wJahunter2\n";
    let set_up = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut client = Command::new(world.gateway.client());
        client
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_SHARED_CREDENTIALS_FILE", &credentials)
            .envs(variables.iter().copied())
            .args(["setup-profile", "telemetry"])
            .args(arguments);
        let (code, out, reason) = run(&mut client);
        assert!(!out.contains("hunter2") && !reason.contains("hunter2"), "{out}{reason}");
        (code, out, reason)
    };
    for (text, code, words) in [
        (String::new(), 0, ""),
        (
            format!("[telemetry]\n{keys}"),
            78,
            "credentials, line 2, has aws_access_key_id for it",
        ),
        (
            format!("\u{feff}[telemetry]\r\n{}", keys.replace('\n', "\r\n")),
            78,
            "line 2, has aws_access_key_id",
        ),
        (
            format!("# mine\n\n[ telemetry ] ; x\n  {keys}"),
            78,
            "line 4, has aws_access_key_id",
        ),
        (
            "[telemetry]\nAWS_SECRET_ACCESS_KEY: wJahunter2\n".to_owned(),
            78,
            "line 2, has aws_secret_access_key",
        ),
        (
            "[telemetry]\ncredential_process = /opt/other hunter2\n".to_owned(),
            78,
            "has credential_process",
        ),
        (
            "[telemetry]\nregion = x\nrole_arn = hunter2\n".to_owned(),
            78,
            "line 3, has role_arn",
        ),
        (
            "[telemetry]\ncredential_process = /usr/bin/gatepost credentials\n".to_owned(),
            0,
            "",
        ),
        (
            format!("[Telemetry]\n{keys}[profile telemetry]\n{keys}[default]\n{keys}"),
            0,
            "",
        ),
        (
            "[telemetry]\n#aws_access_key_id = hunter2\nregion = x\n".to_owned(),
            0,
            "",
        ),
        (format!("include = ~/keys\n[include]\n{keys}"), 0, ""),
    ] {
        fs::write(&credentials, &text).unwrap();
        let _ = fs::remove_file(&config);
        let (found, out, reason) = set_up(&[], &[]);
        assert_eq!(found, code, "{text:?}: {out}{reason}");
        assert!(reason.contains(words), "{text:?}: {reason}");
        assert_eq!(config.exists(), code == 0, "{text:?}");
        assert_eq!(
            fs::read_to_string(&credentials).unwrap(),
            text,
            "it is another program's"
        );
    }
    let elsewhere = folder.join("elsewhere");
    fs::rename(&credentials, &elsewhere).unwrap();
    fs::write(&elsewhere, format!("[telemetry]\n{keys}")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &credentials).unwrap();
    assert_eq!(set_up(&[], &[]).0, 78, "a link is followed");
    fs::remove_file(&credentials).unwrap();
    fs::create_dir(&credentials).unwrap();
    let (code, _, reason) = set_up(&[], &[]);
    assert_eq!(code, 0, "{reason}");
    contains_all(&reason, &["credentials cannot be read: it is not a file"]);
    fs::remove_dir(&credentials).unwrap();

    let (code, _, reason) = set_up(&[], &[("AWS_ACCESS_KEY_ID", "AKIAhunter2")]);
    assert_eq!(code, 0, "{reason}");
    contains_all(&reason, &["AWS_ACCESS_KEY_ID is set", "unset AWS_ACCESS_KEY_ID"]);

    // For programs that read only the credentials file.
    for arguments in [&["--credentials-file"][..], &["--file", credentials.to_str().unwrap()]] {
        let _ = fs::remove_file(&credentials);
        fs::write(&config, "[default]\nregion = x\n").unwrap();
        let (code, out, reason) = set_up(arguments, &[]);
        assert_eq!(code, 0, "{out}{reason}");
        let written = fs::read_to_string(&credentials).unwrap();
        assert!(written.starts_with("[telemetry]\ncredential_process = "), "{written}");
        assert_eq!(fs::metadata(&credentials).unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::write(&config, "[profile telemetry]\nsso_session = hunter2\n").unwrap();
    let (code, _, reason) = set_up(&["--credentials-file"], &[]);
    assert_eq!(code, 78, "{reason}");
    contains_all(&reason, &["config, line 2, has sso_session", "nothing changed"]);
}
