//! The AWS CLI does what `gatepost check --as USER` predicts from the AWS files.

use std::fs;
use std::process::Command;

use rig::command::{self, python};
use serde_json::Value;

use super::REPOSITORY;
use crate::check::check;
use crate::command::run;
use crate::registry::bring_online_registered;
use crate::support::World;

/// The client's unit tests use the expected results of the same file.
#[test]
fn botocore_agrees_with_every_case() {
    let folder = tempfile::tempdir().unwrap();
    let mut judge = Command::new(python());
    judge
        .arg(format!("{REPOSITORY}/tests/sdks/judge_aws_files.py"))
        .arg(format!("{REPOSITORY}/client/src/aws_files/resolution/cases.json"))
        .arg(folder.path());
    let (code, out, reason) = run(&mut judge);
    assert_eq!((code, out.as_str()), (0, ""), "{reason}");
}

/// Profile that asks the daemon of this test. The paths of the client and the socket are put in the places of CLIENT and SOCKET.
const OWN: &str = "credential_process = CLIENT --socket SOCKET credentials telemetry\n";
const KEYS: &str = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMIEXAMPLEKEY\n";

#[test]
fn check_says_what_the_aws_cli_does() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    let folder = tempfile::tempdir().unwrap();
    let (config, credentials) = (folder.path().join("config"), folder.path().join("credentials"));
    let user = rustix::process::geteuid().as_raw().to_string();
    let own = format!("[profile t]\n{OWN}");
    let missing_program = own.replace("CLIENT", "/nowhere/gatepost");
    // The configuration file, the credentials file, variables, what check says, and what the AWS CLI says; "" where it succeeds.
    for (config_text, credentials_text, variables, check_message, cli_error) in [
        (own.as_str(), "", &[("AWS_PROFILE", "t")][..], "ask gatepost (", ""),
        (
            &own,
            &format!("[t]\n{KEYS}"),
            &[("AWS_PROFILE", "t")],
            "use the keys in",
            "InvalidClientTokenId",
        ),
        (
            &own,
            KEYS,
            &[("AWS_PROFILE", "t")],
            "a line stands before the first section",
            "Unable to parse config file",
        ),
        (
            &own.replace("profile ", ""),
            "",
            &[("AWS_PROFILE", "t")],
            "names a profile that is in neither file",
            "could not be found",
        ),
        (
            &format!("\u{feff}{own}"),
            "",
            &[("AWS_PROFILE", "t")],
            "byte order mark",
            "Unable to parse config file",
        ),
        (
            &own.replace('\n', "\r\n"),
            "",
            &[("AWS_PROFILE", "t")],
            "ask gatepost (",
            "",
        ),
        (
            &missing_program,
            "",
            &[("AWS_PROFILE", "t")],
            "can execute no such program",
            "No such file or directory",
        ),
        (
            &own.replace(" telemetry", " nothing"),
            "",
            &[("AWS_PROFILE", "t")],
            "which does not exist",
            "no role alias named",
        ),
        (
            &own,
            "",
            &[
                ("AWS_PROFILE", "t"),
                ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "x"),
            ],
            "use AWS_ACCESS_KEY_ID in their environment",
            "InvalidClientTokenId",
        ),
        (
            &own,
            "",
            &[("AWS_PROFILE", "t"), ("AWS_ACCESS_KEY_ID", "x")],
            "without AWS_SECRET_ACCESS_KEY",
            "Partial credentials",
        ),
        (
            "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\n",
            "",
            &[],
            "neither a source_profile nor",
            "Partial credentials",
        ),
        (
            &own,
            "",
            &[],
            "find no credentials unless they name a profile",
            "Unable to locate credentials",
        ),
    ] {
        let socket = world.gateway.socket().display().to_string();
        let client = world.gateway.client().display().to_string();
        let text = config_text.replace("CLIENT", &client).replace("SOCKET", &socket);
        fs::write(&config, text).unwrap();
        fs::write(&credentials, credentials_text).unwrap();
        let with_files = |command: &mut Command| {
            for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
                command.env_remove(name);
            }
            command
                .env("AWS_CONFIG_FILE", &config)
                .env("AWS_SHARED_CREDENTIALS_FILE", &credentials)
                .env("AWS_ENDPOINT_URL", world.cloud.api_endpoint())
                .env("AWS_DEFAULT_REGION", "us-east-1")
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .envs(variables.iter().copied());
        };
        let mut checking = check(&world.gateway, &world.cloud, &["--as", &user, "--json"]);
        with_files(&mut checking);
        let (_, said, reason) = run(&mut checking);
        let document: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{reason}"));
        let lines = document["checks"].as_array().unwrap();
        let line = lines.iter().find(|line| {
            line["id"] == "aws-environment" && line["message"].as_str().unwrap().starts_with("this shell:")
        });
        let line = line.unwrap_or_else(|| panic!("{said}"));
        let message = line["message"].as_str().unwrap();
        assert!(
            message.contains(check_message),
            "{config_text:?} {credentials_text:?} {variables:?}: {message}"
        );
        // No key of the credentials file is shown.
        assert!(!said.contains("wJalr") && !said.contains("AKIA"), "{said}");

        let mut aws = command::command("aws");
        aws.args(["sts", "get-caller-identity"]);
        with_files(&mut aws);
        let (code, _, reason) = run(&mut aws);
        assert_eq!(
            code == 0,
            cli_error.is_empty(),
            "{config_text:?} {credentials_text:?} {variables:?}: {reason}"
        );
        assert!(
            reason.contains(cli_error),
            "{config_text:?} {credentials_text:?} {variables:?}: {reason}"
        );
        // A program may work without credentials, so their absence alone is no fault for `check`.
        let is_good = line["outcome"] == "ok" && !message.contains("no credentials");
        assert_eq!(is_good, code == 0, "{message}: {reason}");
    }
}
