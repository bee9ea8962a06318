//! Describes the credentials that a program finds, without values of settings.

use std::path::Path;

use gatepost_client::aws_files::{Call, Environment, Outcome};
use gatepost_client::command_line::DEFAULT_SOCKET;
use gatepost_client::edit_distance::edit_distance;

use crate::config::Config;
use crate::foreign_text::value;
use crate::problem::Problem;
use crate::socket_client::socket as own_socket;

/// The judgement of the credentials that a program finds.
#[derive(Debug)]
pub enum Judgement {
    /// They are gatepost's.
    Good(String),
    /// There are none.
    Nothing,
    /// They are others, or there is an error.
    Other(Problem),
}

/// Judges the outcome for a program with these variables. `is_executable` finds a program for the user.
pub fn judge(
    outcome: &Outcome,
    environment: &Environment,
    config: &Config,
    is_executable: &dyn Fn(&str, &Environment) -> bool,
) -> Judgement {
    let other = |what: String| {
        let step = "remove that, or name a gatepost profile in AWS_PROFILE; docs/programs.md has the order";
        Judgement::Other(Problem::configuration(format!("use {what}, and not gatepost")).next(step))
    };
    match outcome {
        Outcome::Nothing => Judgement::Nothing,
        Outcome::Failure(failure) => Judgement::Other(
            Problem::configuration(format!(
                "get no credentials: the AWS CLI and boto3 stop there: {failure}"
            ))
            .next("correct that, and try it as this user: aws sts get-caller-identity"),
        ),
        Outcome::Process { place, program, .. } if !is_executable(program.as_str(), environment) => Judgement::Other(
            Problem::configuration(format!(
                "get no credentials: {place}: this user can execute no such program as credential_process names"
            ))
            .next("write its whole path, /usr/bin/gatepost, or run gatepost setup-profile as this user"),
        ),
        Outcome::Process {
            place,
            call: Some(call),
            ..
        } => match wrong_call(call, config) {
            Some((what, step)) => Judgement::Other(Problem::configuration(format!("{what} ({place})")).next(step)),
            None => Judgement::Good(format!("ask gatepost ({place})")),
        },
        Outcome::Process { place, call: None, .. } => {
            other(format!("the credential_process of another program ({place})"))
        }
        Outcome::Keys { place } if is_own_file(&place.file, config) => {
            Judgement::Good(format!("read {}, which gatepost keeps fresh", place.file.display()))
        }
        Outcome::Keys { place } => other(format!("the keys in {place}")),
        Outcome::KeysOfEnvironment if environment.non_empty("AWS_CREDENTIAL_EXPIRATION").is_some() => {
            Judgement::Good("have keys in their environment with the time of their end, as by gatepost exec".to_owned())
        }
        Outcome::KeysOfEnvironment => other("AWS_ACCESS_KEY_ID in their environment".to_owned()),
        Outcome::Container { variable } => match is_own_listener(environment, config) {
            true => Judgement::Good("ask gatepost's loopback listener".to_owned()),
            false => other(format!(
                "the service that {variable} names, which is not gatepost's loopback listener"
            )),
        },
        Outcome::Role { place, source } => match judge(source, environment, config, is_executable) {
            Judgement::Good(how) => Judgement::Good(format!("assume a role ({place}), for which they {how}")),
            Judgement::Nothing => other(format!("the role of the machine to assume another ({place})")),
            Judgement::Other(problem) => Judgement::Other(problem),
        },
        Outcome::WebIdentity { place: Some(place) } => other(format!("a role with the token of {place}")),
        Outcome::WebIdentity { place: None } => {
            other("a role with the token of AWS_WEB_IDENTITY_TOKEN_FILE".to_owned())
        }
        Outcome::SingleSignOn { place } => other(format!("a login by single sign-on ({place})")),
        Outcome::Login { place } => other(format!("an interactive login ({place})")),
    }
}

fn is_own_file(file: &Path, config: &Config) -> bool {
    let is_same = |path: &Path| gatepost_client::aws_files::is_same_file(path, file);
    config.credentials_files.iter().any(|entry| is_same(&entry.path))
}

fn is_own_listener(environment: &Environment, config: &Config) -> bool {
    let uri = environment.non_empty("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let address = uri.and_then(|uri| uri.strip_prefix("http://")?.split('/').next());
    // The daemon may listen on a port that the kernel chose.
    let is_known = |listen: &std::net::SocketAddr| match listen.port() {
        0 => address.is_some_and(|address| address.starts_with(&listen.ip().to_string())),
        port => address == Some(listen.to_string().as_str()) || address == Some(format!("localhost:{port}").as_str()),
    };
    config.loopback.as_ref().is_some_and(is_known)
}

/// Returns what is wrong with a call of gatepost, and the next step.
fn wrong_call(call: &Call, config: &Config) -> Option<(String, String)> {
    let role_alias = match call {
        Call::Other => {
            return Some((
                "get no credentials: credential_process runs gatepost, and not its command credentials".to_owned(),
                "gatepost setup-profile --profile NAME".to_owned(),
            ));
        }
        Call::Credentials { socket, .. }
            if *socket != Path::new(DEFAULT_SOCKET) && *socket != own_socket(&config.folders) =>
        {
            // The profile uses another daemon, whose configuration is unknown here.
            return None;
        }
        Call::Credentials { role_alias, .. } => role_alias,
    };
    let names: Vec<&str> = config.role_aliases.iter().map(|alias| alias.name.as_str()).collect();
    let there = match names.is_empty() {
        true => "none is configured".to_owned(),
        false => format!("configured: {}", names.join(", ")),
    };
    let what = match role_alias {
        Some(name) if names.contains(&name.as_str()) => return None,
        None if config.default_alias().is_some() => return None,
        Some(name) => format!("for role alias {}, which does not exist ({there})", value(name)),
        None => format!("for the default role alias, and none is the default ({there})"),
    };
    let near = role_alias
        .as_deref()
        .and_then(|name| names.iter().find(|known| edit_distance(known, name) <= 2));
    let alias = near.copied().unwrap_or("ALIAS");
    // Root may paste this command, so it must not contain the name of the profile, which is a user's text.
    let step = format!("gatepost setup-profile {alias} --profile NAME, or add a [[role-alias]] to the configuration");
    Some((
        format!("get no credentials: credential_process asks gatepost {what}"),
        step,
    ))
}
