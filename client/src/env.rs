//! `gatepost env`: what an SDK's container provider must find in its environment.

use std::ffi::OsString;
use std::path::Path;

use crate::aws_files::{self, AwsFiles};
use crate::command_line::Matches;
use crate::credentials::target;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::{daemon, output};

/// The daemon's names and the SDKs' (AWS SDKs and Tools Reference Guide, "Container credential provider").
const SETTINGS: [(&str, &str); 2] = [
    ("uri", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ("token_file", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
];

/// Prints the settings as a shell takes them.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let body = daemon::get(socket, &target("/v1/loopback", matches.operand(0)))?;
    let document = Value::parse(&body).map_err(daemon::not_gatepost)?;
    let mut lines = String::new();
    for (name, variable) in SETTINGS {
        let value = document.get(name).text();
        let value = value.ok_or_else(|| daemon::not_gatepost(format!("{name:?} is missing")))?;
        lines.push_str(&format!("export {variable}={}\n", quoted(value)));
    }
    for note in shadows(|name| std::env::var_os(name)) {
        output::note(&note);
    }
    output::print(lines.as_bytes())
}

/// The variable that gives programs keys, if one does: every SDK looks there first.
pub(crate) fn shadowing_variable(variable: impl Fn(&str) -> Option<OsString>) -> Option<&'static str> {
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        .into_iter()
        .find(|name| variable(name).is_some_and(|value| !value.is_empty()))
}

/// What an SDK finds before its container provider, each with what to do.
fn shadows(variable: impl Fn(&str) -> Option<OsString>) -> Vec<String> {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let mut notes = Vec::new();
    if let Some(name) = shadowing_variable(&variable) {
        notes.push(format!(
            "{name} is set in this environment, and programs use it first; to have gatepost's credentials used: unset \
             AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"
        ));
    }
    for (name, others) in [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ""),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            ", which some programs send in the place of the token file's",
        ),
    ] {
        if is_set(name) {
            notes.push(format!("{name} is set in this environment{others}, and programs use it first; to have gatepost's credentials used: unset {name}"));
        }
    }
    let found = AwsFiles::of_environment(aws_files::home()).sources();
    notes.extend(found.unread.iter().cloned());
    let profile = aws_files::profile_of_environment();
    if let Some(source) = found.of(&profile).next() {
        notes.push(format!(
            "{}, line {}, has {} for profile {profile}, and programs that name no other profile use it first; to have gatepost's \
             credentials used, remove it there, or name a profile without credentials by AWS_PROFILE",
            source.file.display(),
            source.line,
            source.setting
        ));
    }
    notes
}

/// As one word of a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_takes_a_word_as_it_is() {
        for word in ["/run/gatepost/loopback/user-camera", "a b$(c)`d`\"", "it's"] {
            let line = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
