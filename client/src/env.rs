//! `gatepost env`: the environment variables for an SDK's container provider.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::aws_files::{self, AwsFiles, Call, Environment, Found, NamedProfile, ONE_PROFILE};
use crate::command_line::Matches;
use crate::credentials::target;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::{daemon, output};

/// The daemon's names and those of the SDKs (AWS SDKs and Tools Reference Guide, "Container credential provider").
const SETTINGS: [(&str, &str); 2] = [("uri", "AWS_CONTAINER_CREDENTIALS_FULL_URI"), TOKEN_FILE];
const TOKEN_FILE: (&str, &str) = ("token_file", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
/// Maximum length of a token file.
const LONGEST_TOKEN: u64 = 4096;

/// Prints the settings as shell commands.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let gives_token = matches.flag("--token");
    let body = daemon::get(socket, &target("/v1/loopback", matches.operand(0)))?;
    let document = Value::parse(&body).map_err(daemon::not_gatepost)?;
    let mut lines = String::new();
    for (name, variable) in SETTINGS {
        let value = document.get(name).text();
        let value = value.ok_or_else(|| daemon::not_gatepost(format!("{name:?} is missing")))?;
        match gives_token && name == TOKEN_FILE.0 {
            true => lines.push_str(&token_lines(Path::new(value))?),
            false => lines.push_str(&format!("export {variable}={}\n", quoted(value))),
        }
    }
    let found = AwsFiles::of_environment(aws_files::home()).sources();
    let environment = Environment::of_this_process();
    let is_own = |name: &str| gives_token && name == TOKEN;
    let variable = |name: &str| std::env::var_os(name).filter(|_| !is_own(name));
    for note in shadows(variable, &found, &environment.profiles()) {
        output::note(&note);
    }
    if let Some(why) = environment.two_profiles() {
        output::note(&format!("{why}; {ONE_PROFILE}"));
    }
    output::print(lines.as_bytes())
}

/// Returns the lines that pass the token itself to a program. SDKs that know both variables differ in which they prefer, so the other one
/// is removed.
fn token_lines(file: &Path) -> Result<String, Failure> {
    let mut token = String::new();
    let read = File::open(file).and_then(|file| file.take(LONGEST_TOKEN).read_to_string(&mut token));
    read.map_err(|error| {
        let message = format!("the token in {} cannot be read: {error}", file.display());
        Failure::new(Exit::NotAllowed, message).with_hint("run this as the user of the [[access]] rule")
    })?;
    Ok(format!(
        "unset {}\nexport {TOKEN}={}\n",
        TOKEN_FILE.1,
        quoted(token.trim_end())
    ))
}

/// Returns a variable with keys, if one is set: every SDK looks there first.
pub(crate) fn shadowing_variable(variable: impl Fn(&str) -> Option<OsString>) -> Option<&'static str> {
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        .into_iter()
        .find(|name| variable(name).is_some_and(|value| !value.is_empty()))
}

/// Returns the sources that an SDK prefers to its container provider, each with what to do about it.
fn shadows(variable: impl Fn(&str) -> Option<OsString>, found: &Found, profiles: &[NamedProfile]) -> Vec<String> {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let mut notes = Vec::new();
    if let Some(name) = shadowing_variable(&variable) {
        notes.push(format!(
            "{name} is set in this environment, and programs use it first; to have gatepost's credentials used: unset \
             AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"
        ));
    }
    for name in [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    ] {
        if is_set(name) {
            notes.push(format!(
                "{name} is set in this environment, and programs use it first; to have gatepost's credentials used: unset {name}"
            ));
        }
    }
    let unread = found.unread.iter();
    notes.extend(unread.map(|why| format!("{why}, so whether programs find other credentials there is not known")));
    for NamedProfile {
        name: profile,
        programs,
    } in profiles
    {
        let Some(source) = found.of(profile).next() else {
            continue;
        };
        let programs = match profiles.len() {
            1 => "programs that name no other profile".to_owned(),
            _ => programs.join(" and "),
        };
        let place = format!("{}, line {}", source.file.display(), source.line);
        notes.push(match source.gatepost {
            Some(Call::Credentials { .. }) => format!(
                "profile {profile} asks gatepost already ({place}), and {programs} use it instead of the loopback listener"
            ),
            _ => format!(
                "{place}, has {} for profile {profile}, and {programs} use it first; to have gatepost's credentials used, remove it \
                 there, or name a profile without credentials by AWS_PROFILE",
                source.setting
            ),
        });
    }
    notes
}

/// Quotes a word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws_files::Source;

    #[test]
    fn a_shell_takes_a_word_as_it_is() {
        for word in ["/run/gatepost/loopback/user-camera", "a b$(c)`d`\"", "it's"] {
            let line = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn the_first_file_that_programs_find_is_named() {
        let keys = |profile: &str| Found {
            sources: vec![Source {
                file: "/home/camera/.aws/credentials".into(),
                line: 2,
                profile: profile.to_owned(),
                setting: "aws_access_key_id",
                gatepost: None,
            }],
            unread: Vec::new(),
        };
        let mut own = keys("telemetry");
        own.sources[0].gatepost = Some(Call::Credentials {
            role_alias: None,
            socket: "/run/gatepost/gatepost.sock".into(),
        });
        let mut wrong = keys("telemetry");
        wrong.sources[0].gatepost = Some(Call::Other);
        let unread = Found {
            unread: vec!["/x cannot be read: permission denied".to_owned()],
            ..Found::default()
        };
        for (variables, found, profile, words) in [
            (&[][..], Found::default(), "default", &[][..]),
            (
                &["AWS_ACCESS_KEY_ID"],
                Found::default(),
                "default",
                &["unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"],
            ),
            (
                &["AWS_SECRET_ACCESS_KEY"],
                Found::default(),
                "default",
                &["AWS_SECRET_ACCESS_KEY is set"],
            ),
            (&["AWS_SESSION_TOKEN", "AWS_REGION"], Found::default(), "default", &[]),
            (
                &["AWS_WEB_IDENTITY_TOKEN_FILE"],
                Found::default(),
                "default",
                &["unset AWS_WEB_IDENTITY_TOKEN_FILE"],
            ),
            (
                &[
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                ],
                Found::default(),
                "default",
                &[
                    "unset AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    "unset AWS_CONTAINER_AUTHORIZATION_TOKEN",
                ],
            ),
            (
                &[],
                keys("default"),
                "default",
                &["/home/camera/.aws/credentials, line 2, has aws_access_key_id for profile default"],
            ),
            (&[], keys("default"), "telemetry", &[]),
            (&[], keys("telemetry"), "telemetry", &["for profile telemetry"]),
            (&[], own, "telemetry", &["profile telemetry asks gatepost already ("]),
            (
                &[],
                wrong,
                "telemetry",
                &["to have gatepost's credentials used, remove it"],
            ),
            (
                &[],
                unread,
                "default",
                &["/x cannot be read: permission denied, so whether"],
            ),
        ] {
            let variable = |name: &str| variables.contains(&name).then(|| OsString::from("hunter2"));
            let everybody = NamedProfile {
                name: profile.to_owned(),
                programs: vec!["boto3"],
            };
            let notes = shadows(variable, &found, &[everybody]);
            assert_eq!(notes.len(), words.len(), "{notes:?}");
            for (note, words) in notes.iter().zip(words) {
                assert!(note.contains(words) && !note.contains("hunter2"), "{note}");
            }
        }
        let empty = shadows(|_| Some(OsString::new()), &Found::default(), &[]);
        assert!(
            empty.is_empty(),
            "a variable that is empty counts for nothing: {empty:?}"
        );
    }

    #[test]
    fn each_profile_that_some_programs_use_is_looked_for() {
        let source = |profile: &str| Source {
            file: "/home/camera/.aws/credentials".into(),
            line: 2,
            profile: profile.to_owned(),
            setting: "aws_access_key_id",
            gatepost: None,
        };
        for (keys, default, named, expected) in [
            (
                &["a"][..],
                Some("a"),
                Some("b"),
                &["profile a, and the AWS CLI and boto3 use it first"][..],
            ),
            (
                &["b"],
                Some("a"),
                Some("b"),
                &["profile b, and the SDKs for Go and Ruby and the SDKs for JavaScript, Java and Rust use"],
            ),
            (
                &["a", "b"],
                Some("a"),
                Some("b"),
                &["profile a, and the AWS CLI", "profile b, and the SDKs"],
            ),
            (
                &["default"],
                Some("a"),
                None,
                &["profile default, and the SDKs for JavaScript, Java and Rust use it first"],
            ),
            (
                &["a"],
                Some("a"),
                None,
                &["profile a, and the AWS CLI and boto3 and the SDKs for Go and Ruby use it first"],
            ),
            (
                &["a"],
                None,
                Some("a"),
                &["profile a, and programs that name no other profile use it first"],
            ),
            (&["c"], Some("a"), Some("b"), &[]),
        ] {
            let found = Found {
                sources: keys.iter().map(|profile| source(profile)).collect(),
                unread: Vec::new(),
            };
            let variables = [("AWS_DEFAULT_PROFILE", default), ("AWS_PROFILE", named)];
            let set = variables.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let notes = shadows(|_| None, &found, &Environment::new(set).profiles());
            assert_eq!(notes.len(), expected.len(), "{notes:?}");
            for (note, words) in notes.iter().zip(expected) {
                assert!(note.contains(words), "{words}: {note}");
            }
        }
    }
}
