//! `gatepost exec`: runs a program with credentials in its environment.
//!
//! The program replaces this process, so signals, terminal and exit code are the program's own, and no second process holds the keys.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::instant::{Instant, duration};
use crate::json::Value;
use crate::{credentials, daemon, output};

/// Variables with credentials, or that lead programs to other sources of credentials. All are removed.
const OTHER_SOURCES: [&str; 20] = [
    // Names that old SDKs, boto 2 and s3fs use for what is set here.
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWSACCESSKEYID",
    "AWSSECRETACCESSKEY",
    "AWSSESSIONTOKEN",
    "AWS_CREDENTIAL_FILE",
    // The SDKs for JavaScript and Java prefer a named profile to keys in the environment.
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
];
/// The daemon's names and those of programs (AWS SDKs and Tools Reference Guide, "Environment variables"; botocore and the SDK for
/// JavaScript read the expiration).
const KEYS: [(&str, &str); 4] = [
    ("AccessKeyId", "AWS_ACCESS_KEY_ID"),
    ("SecretAccessKey", "AWS_SECRET_ACCESS_KEY"),
    ("SessionToken", "AWS_SESSION_TOKEN"),
    ("Expiration", "AWS_CREDENTIAL_EXPIRATION"),
];
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Executes the program. Returns only if that fails.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let [program, arguments @ ..] = matches.operands_from(1) else {
        return Err(matches.usage_error("the program, after -- is missing"));
    };
    let (_, document) = credentials::ask(socket, matches.operand(0))?;
    let mut command = Command::new(program);
    command.args(arguments);
    for name in OTHER_SOURCES {
        command.env_remove(name);
    }
    for (name, variable) in KEYS {
        command.env(variable, document.get(name).text().unwrap_or_default());
    }
    let given = matches.value("--region").map(OsStr::to_owned);
    if let Some(region) = given.or_else(|| missing_region(socket).map(Into::into)) {
        for variable in REGIONS {
            command.env(variable, &region);
        }
    }
    let expiration = document.get("Expiration").text().unwrap_or_default();
    let end = Instant::parse(expiration).ok_or_else(|| daemon::not_gatepost("\"Expiration\" is not a time"))?;
    let left = end.seconds_after(Instant::now());
    if let Some(needed) = matches.value("--at-least") {
        check_life(matches, needed, left)?;
    }
    if !matches.flag("--quiet") {
        output::note(&format!(
            "the credentials of this program are valid for {}, until {expiration}; it gets no new ones",
            duration(left)
        ));
    }
    Err(cannot_become(program, &command.exec()))
}

/// Checks that the credentials remain valid for the number of seconds in `--at-least`.
fn check_life(matches: &Matches, needed: &OsStr, left: u64) -> Result<(), Failure> {
    let seconds: Option<u64> = needed.to_str().and_then(|text| text.parse().ok());
    let seconds = seconds.ok_or_else(|| matches.usage_error("--at-least takes a number of seconds"))?;
    if seconds <= left {
        return Ok(());
    }
    let message = format!("the credentials are valid for {left} s, and {seconds} s are needed");
    let hint = "gatepost replaces them at half of their life: try again later, or give the role alias a longer credentialDurationSeconds";
    Err(Failure::new(Exit::Temporary, message).with_hint(hint))
}

/// Returns the Region of the gateway's endpoint, if the environment does not name one.
fn missing_region(socket: &Path) -> Option<String> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if REGIONS.iter().any(is_set) {
        return None;
    }
    let status = daemon::get(socket, "/v1/status").ok()?;
    let status = Value::parse(&status).ok()?;
    region_of(status.get("session").get("endpoint").text()?).map(str::to_owned)
}

/// Returns the Region in the name of an AWS IoT endpoint; a custom domain contains none.
fn region_of(endpoint: &str) -> Option<&str> {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    if !host.contains(".amazonaws.") {
        return None;
    }
    let mut labels = host
        .split('.')
        .skip_while(|label| !matches!(*label, "iot" | "iot-fips"));
    labels.nth(1).filter(|label| label.contains('-'))
}

fn cannot_become(program: &OsStr, error: &io::Error) -> Failure {
    let name = program.to_string_lossy();
    let (exit, message, hint) = match error.kind() {
        ErrorKind::NotFound => (
            Exit::NoProgram,
            format!("there is no program {name}, or the interpreter in its first line is missing"),
            "write its whole path, or put its folder into PATH",
        ),
        ErrorKind::PermissionDenied => (
            Exit::NotExecutable,
            format!("{name} cannot be executed: permission denied"),
            "check that it is a program that this user may execute: chmod +x",
        ),
        _ => (
            Exit::NotExecutable,
            format!("{name} cannot be executed: {error}"),
            "is it a program for this machine? A script needs a first line such as #!/bin/sh",
        ),
    };
    Failure::new(exit, message).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_in_the_name_of_the_endpoint() {
        for (endpoint, region) in [
            ("a1b2c3-ats.iot.us-east-2.amazonaws.com:8883", Some("us-east-2")),
            ("a1b2c3-ats.iot.us-east-2.amazonaws.com", Some("us-east-2")),
            ("a1b2c3.ats.iot.cn-north-1.amazonaws.com.cn:443", Some("cn-north-1")),
            ("data.iot-fips.us-gov-west-1.amazonaws.com:8883", Some("us-gov-west-1")),
            ("a1-ats.iot.eusc-de-east-1.amazonaws.eu:8883", Some("eusc-de-east-1")),
            ("iot.example.com:8883", None),
            ("localhost:8883", None),
            ("127.0.0.1:8883", None),
            ("a1-ats.iot.amazonaws.com:8883", None),
            ("", None),
        ] {
            assert_eq!(region_of(endpoint), region, "{endpoint}");
        }
    }

    #[test]
    fn a_program_that_cannot_be_run_ends_as_in_a_shell() {
        for (kind, code) in [
            (ErrorKind::NotFound, Exit::NoProgram),
            (ErrorKind::PermissionDenied, Exit::NotExecutable),
            (ErrorKind::ExecutableFileBusy, Exit::NotExecutable),
            (ErrorKind::ArgumentListTooLong, Exit::NotExecutable),
            (ErrorKind::IsADirectory, Exit::NotExecutable),
            (ErrorKind::OutOfMemory, Exit::NotExecutable),
        ] {
            let failure = cannot_become(OsStr::new("x"), &kind.into());
            assert_eq!(failure.exit(), code, "{kind:?}");
            assert!(failure.hint().is_some(), "{kind:?}");
        }
    }
}
