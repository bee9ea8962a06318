//! `gatepost exec` and `gatepost env --token`, against a scripted daemon.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::support::{Conversing, Daemon, Folder, Reply, command, http};
use crate::{CREDENTIALS, assert_refused, stderr, stdout};

const FAR: &str = r#"{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"a secret",
"SessionToken":"a token","Token":"a token","Expiration":"2099-11-22T22:42:00Z"}"#;
const STATUS: &str = r#"{"session":{"endpoint":"a1-ats.iot.us-east-2.amazonaws.com:8883"}}"#;

fn exec(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let daemon = Conversing::start(|asked| {
        let body = if asked.target.contains("/v1/status") {
            STATUS
        } else {
            FAR
        };
        Reply::Answer(http("200 OK", body))
    })
    .unwrap();
    let mut command = command(&daemon.socket(), &[&["exec"], arguments].concat());
    command.env("PATH", "/usr/bin:/bin").envs(environment.iter().copied());
    command.output().unwrap()
}

#[test]
fn a_program_finds_keys_and_region_and_nothing_that_takes_precedence() {
    let others = [
        ("AWS_PROFILE", "other"),
        ("AWS_ACCESS_KEY_ID", "other"),
        ("AWS_SECURITY_TOKEN", "other"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/other"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/other"),
        ("AWSACCESSKEYID", "other"),
        ("AWS_CREDENTIAL_FILE", "/other"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ];
    let keys = "AWS_ACCESS_KEY_ID=ASIAEXAMPLE\nAWS_CREDENTIAL_EXPIRATION=2099-11-22T22:42:00Z\n";
    let secrets = "AWS_SECRET_ACCESS_KEY=a secret\nAWS_SESSION_TOKEN=a token\n";
    for (arguments, more, region) in [
        (&[][..], &[][..], "us-east-2"),
        (&["--region", "eu-west-1"], &[], "eu-west-1"),
        (&["--region", "eu-west-1"], &[("AWS_REGION", "us-west-1")], "eu-west-1"),
        (&[], &[("AWS_REGION", "")], "us-east-2"),
    ] {
        let words = [arguments, &["telemetry", "--", "sh", "-c", "env | grep ^AWS | sort"]].concat();
        let output = exec(&words, &[&others[..], more].concat());
        let expected = format!(
            "AWS_ACCESS_KEY_ID=ASIAEXAMPLE\nAWS_CREDENTIAL_EXPIRATION=2099-11-22T22:42:00Z\nAWS_DEFAULT_REGION={region}\n\
             AWS_MAX_ATTEMPTS=1\nAWS_REGION={region}\n{secrets}"
        );
        assert_eq!(stdout(&output), expected, "{words:?}: {}", stderr(&output));
    }
    // A Region in the environment is kept.
    let output = exec(
        &["telemetry", "--", "sh", "-c", "env | grep ^AWS | sort"],
        &[("AWS_DEFAULT_REGION", "us-west-1")],
    );
    assert_eq!(
        stdout(&output),
        format!("{}AWS_DEFAULT_REGION=us-west-1\n{secrets}", keys)
    );
}

#[test]
fn a_program_ends_as_it_ends_itself_and_its_keys_are_in_no_command_line() {
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)] {
        let output = exec(&["--quiet", "telemetry", "--", "sh", "-c", script], &[]);
        assert_eq!((output.status.code(), stderr(&output)), (Some(code), ""), "{script}");
    }
    let output = exec(
        &["telemetry", "--", "cat", "/proc/self/cmdline", "--", "/dev/null"],
        &[],
    );
    assert_eq!(stdout(&output), "cat\0/proc/self/cmdline\0--\0/dev/null\0");
    let said = stderr(&output);
    assert!(
        said.starts_with("gatepost: the credentials of this program are valid for ") && said.lines().count() == 1,
        "{said}"
    );
    assert!(said.contains("until 2099-11-22T22:42:00Z; it gets no new ones") && !said.contains("a secret"));
    // Killed by a signal, like the program itself.
    let output = exec(&["telemetry", "--", "sh", "-c", "kill -TERM $$"], &[]);
    assert_eq!(output.status.code(), None, "{output:?}");
}

#[test]
fn a_program_that_cannot_be_run_is_named() {
    let folder = Folder::new().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let plain = file("plain", "#!/bin/sh\n", 0o644);
    let no_interpreter = file("no-interpreter", "#!/no/such/interpreter\n", 0o755);
    let directory = folder.join(".").display().to_string();
    for (words, code, reason) in [
        (
            &["telemetry", "--", "no-such-program"][..],
            127,
            "there is no program no-such-program",
        ),
        (
            &["telemetry", "--", "/no/such/program", "--help"],
            127,
            "there is no program /no/such/program",
        ),
        (
            &["telemetry", "--", &no_interpreter],
            127,
            "or the interpreter in its first line",
        ),
        (
            &["telemetry", "--", &plain],
            126,
            "cannot be executed: permission denied",
        ),
        (&["telemetry", "--", &directory], 126, "cannot be executed"),
        (&["telemetry"], 64, "the program, after -- is missing"),
        (&["telemetry", "--"], 64, "the program, after -- is missing"),
        (&["telemetry", "sh"], 64, "-- is missing before the program"),
        (&["--", "telemetry", "sh"], 64, "-- stands in the wrong place"),
        (&["telemetry", "sh", "--", "x"], 64, "-- stands in the wrong place"),
        (&["telemetry", "--", ""], 64, "is empty"),
        (
            &["--at-least", "x", "telemetry", "--", "true"],
            64,
            "takes a number of seconds",
        ),
        (
            &["--region", "", "telemetry", "--", "true"],
            64,
            "--region needs a value",
        ),
    ] {
        let output = exec(&[&["--quiet"], words].concat(), &[]);
        assert_refused(&output, code, reason);
    }
}

#[test]
fn without_credentials_nothing_is_run() {
    let refusal = r#"{"code":"unknown_alias","message":"no role alias named x"}"#;
    for (status, body, words, code, reason) in [
        (
            "404 Not Found",
            refusal,
            &["x", "--", "echo", "run"][..],
            66,
            "no role alias named x",
        ),
        (
            "503 Service Unavailable",
            r#"{"code":"not_ready","message":"waiting"}"#,
            &["x", "--", "echo", "run"],
            69,
            "waiting",
        ),
        ("200 OK", "{}", &["x", "--", "echo", "run"], 76, "Version"),
        // Expired according to this machine's clock.
        (
            "200 OK",
            CREDENTIALS,
            &["--at-least", "60", "x", "--", "echo", "run"],
            75,
            "60 s are needed",
        ),
    ] {
        let daemon = Daemon::answering(http(status, body)).unwrap();
        let output = daemon.run(&[&["exec"], words].concat()).unwrap();
        assert_refused(&output, code, reason);
    }
}

#[test]
fn the_token_itself_is_printed_for_sdks_that_know_no_token_file() {
    let folder = Folder::new().unwrap();
    let token = folder.join("token");
    fs::write(&token, "0123'456\n").unwrap();
    let answer = |path: &std::path::Path| {
        let path = path.display();
        http(
            "200 OK",
            &format!(r#"{{"uri":"http://127.0.0.1:9922/v1/credentials","token_file":"{path}"}}"#),
        )
    };
    let daemon = Daemon::answering(answer(&token)).unwrap();
    let output = daemon.run(&["env", "--token"]).unwrap();
    let expected = "export AWS_CONTAINER_CREDENTIALS_FULL_URI='http://127.0.0.1:9922/v1/credentials'\n\
                    unset AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE\n\
                    export AWS_CONTAINER_AUTHORIZATION_TOKEN='0123'\\''456'\n";
    assert_eq!((stdout(&output), stderr(&output)), (expected, ""));
    // Runs in a shell that has the variable already.
    let mut again = command(&daemon.socket(), &["env", "--token"]);
    let output = again.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "old").output().unwrap();
    assert_eq!((stdout(&output), stderr(&output)), (expected, ""));
    let daemon = Daemon::answering(answer(&folder.join("none"))).unwrap();
    assert_refused(&daemon.run(&["env", "--token"]).unwrap(), 77, "cannot be read");
}
