//! Checks a user's AWS files for settings that take precedence over gatepost's credentials.

use std::collections::BTreeSet;
use std::path::Path;

use gatepost_client::aws_files::{AwsFiles, Call, Found, Source};
use gatepost_client::command_line::DEFAULT_SOCKET;
use gatepost_client::edit_distance::edit_distance;

use super::lines::AWS_FILES;
use super::report::Report;
use crate::config::Config;
use crate::foreign_text::{clean, value};
use crate::problem::Problem;
use crate::socket_client::socket as own_socket;

/// Reports each such setting in the files in the home folder `home`, or in those that AWS_CONFIG_FILE and
/// AWS_SHARED_CREDENTIALS_FILE name. Shows only names and lines of settings, and the role alias that a profile requests.
pub fn check(user: &str, home: &Path, config: &Config, report: &mut Report) {
    let files = AwsFiles::of_environment(Some(home.to_owned()));
    let found = files.sources();
    for why in &found.unread {
        let problem = Problem::configuration(format!("{why}, so it is unknown what programs find there"));
        report.warn(AWS_FILES, &problem.next("check it, or make it readable for this user"));
    }
    let own: BTreeSet<&str> = found
        .sources
        .iter()
        .filter(|source| source.is_gatepost())
        .map(|source| source.profile.as_str())
        .collect();
    let mut problems: Vec<Problem> = own.iter().filter_map(|profile| shadow(&found, profile)).collect();
    problems.extend(found.sources.iter().filter_map(|source| wrong_call(source, config)));
    if !own.contains("default") {
        problems.extend(found.of("default").next().map(|source| default_profile(user, source)));
    }
    for problem in &problems {
        report.warn(AWS_FILES, problem);
    }
    if problems.is_empty() && found.unread.is_empty() {
        let profiles = match own.is_empty() {
            true => "no profile there uses gatepost".to_owned(),
            false => {
                let names: Vec<String> = own.iter().map(clean).collect();
                format!("profiles that use gatepost: {}", names.join(", "))
            }
        };
        report.ok(AWS_FILES, format!("nothing in them gets in the way; {profiles}"));
    }
}

/// Returns a problem if a profile that uses gatepost also has another source of credentials.
fn shadow(found: &Found, profile: &str) -> Option<Problem> {
    let source = found.of(profile).find(|source| !source.is_gatepost())?;
    let message = format!(
        "{} has {} for profile {}, which programs find before gatepost's credential_process",
        place(source),
        source.setting,
        clean(profile)
    );
    Some(
        Problem::configuration(message)
            .next("remove it there, or give the profile another name: gatepost setup-profile --profile NAME"),
    )
}

/// Returns a problem if a profile requests something that gatepost does not have.
fn wrong_call(source: &Source, config: &Config) -> Option<Problem> {
    let profile = clean(&source.profile);
    let by = format!("{} has a credential_process for profile {profile}", place(source));
    let role_alias = match source.gatepost.as_ref()? {
        Call::Other => {
            let message = format!("{by} that runs gatepost, and not its command credentials");
            return Some(Problem::configuration(message).next("gatepost setup-profile --profile NAME"));
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
    Some(Problem::configuration(format!("{by} that asks gatepost {what}")).next(step))
}

fn default_profile(user: &str, source: &Source) -> Problem {
    let message = format!(
        "{} has {} for profile default: programs of {user} that name no profile use it, and not gatepost",
        place(source),
        source.setting
    );
    Problem::configuration(message)
        .next("remove it there, or run the programs with AWS_PROFILE and a profile of gatepost's")
}

fn place(source: &Source) -> String {
    format!("{}, line {},", source.file.display(), source.line)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::{self, Folders};

    /// Returns a configuration with the role aliases t, which is the default, and video.
    fn configuration() -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        let text = "aws = { mqtt-endpoint = \"m\", credentials-endpoint = \"c\" }\n\
                    token = { module = \"/m\", key = \"pkcs11:object=o\" }\n\
                    identity = { subject = { common-name = \"gw-1\" } }\n\
                    role-alias = [{ name = \"t\", default = true }, { name = \"video\" }]\n";
        fs::write(&path, text).unwrap();
        config::load(&path, &Folders::from_environment()).unwrap()
    }

    #[test]
    fn requests_to_gatepost_must_be_valid() {
        for (call, words) in [
            ("gatepost credentials", "profiles that use gatepost: p"),
            ("gatepost credentials t", "profiles that use gatepost: p"),
            ("/usr/bin/gatepost credentials video", "profiles that use gatepost: p"),
            (
                "gatepost credentials --socket /run/other.sock else",
                "profiles that use gatepost: p",
            ),
            (
                "gatepost credentials otheralias",
                "asks gatepost for role alias \"otheralias\", which does not exist (configured: t, video)",
            ),
            (
                "gatepost credentials vidoe",
                "gatepost setup-profile video --profile NAME, or add a [[role-alias]]",
            ),
            ("gatepost credentials T", "role alias \"T\", which does not exist"),
            (
                "\"/usr/bin/gatepost\" credentials 'a b'",
                "role alias \"a b\", which does not exist",
            ),
            (
                "gatepost credential t",
                "runs gatepost, and not its command credentials",
            ),
            ("gatepost", "runs gatepost, and not its command credentials"),
            ("gatepost status", "runs gatepost, and not its command credentials"),
        ] {
            let home = tempfile::tempdir().unwrap();
            fs::create_dir(home.path().join(".aws")).unwrap();
            let text = format!("[profile p]\ncredential_process = {call}\n");
            fs::write(home.path().join(".aws/config"), text).unwrap();
            let mut report = Report::default();
            check("camera", home.path(), &configuration(), &mut report);
            let text = report.text();
            assert!(text.contains(words), "{call}: {text}");
            assert_eq!(
                text.contains("ok    AWS files"),
                words.starts_with("profiles"),
                "{call}: {text}"
            );
        }
    }

    #[test]
    fn conflicting_settings_are_named_without_their_values() {
        let process = "[profile t]\ncredential_process = /usr/bin/gatepost credentials t\n";
        let keys =
            |profile: &str| format!("[{profile}]\naws_access_key_id = AKIASECRET\naws_secret_access_key = wJaSECRET\n");
        for (config, credentials, words) in [
            (
                "",
                String::new(),
                "ok    AWS files  nothing in them gets in the way; no profile there uses gatepost",
            ),
            (
                process,
                String::new(),
                "ok    AWS files  nothing in them gets in the way; profiles that use gatepost: t",
            ),
            (process, keys("other"), "ok    AWS files"),
            (
                process,
                keys("t"),
                "credentials, line 2, has aws_access_key_id for profile t, which programs find before",
            ),
            (
                process,
                keys("default"),
                "has aws_access_key_id for profile default: programs of camera that name no profile",
            ),
            ("", keys("default"), "has aws_access_key_id for profile default"),
            (
                "[default]\nrole_arn = x\n",
                String::new(),
                "config, line 2, has role_arn for profile default",
            ),
            (
                "[default]\ncredential_process = gatepost credentials\n",
                String::new(),
                "ok    AWS files",
            ),
            (
                "[default]\ncredential_process = gatepost credentials\n",
                keys("default"),
                "for profile default, which programs find before",
            ),
            (
                "[default]\ncredential_process = other\n",
                String::new(),
                "has credential_process for profile default",
            ),
            (
                "[profile t]\ncredential_process = gatepost credentials\nsso_session = x\n",
                String::new(),
                "has sso_session for profile t",
            ),
        ] {
            let home = tempfile::tempdir().unwrap();
            fs::create_dir(home.path().join(".aws")).unwrap();
            fs::write(home.path().join(".aws/config"), config).unwrap();
            fs::write(home.path().join(".aws/credentials"), &credentials).unwrap();
            let mut report = Report::default();
            check("camera", home.path(), &configuration(), &mut report);
            let text = report.text();
            assert!(text.contains(words), "{config:?} {credentials:?}: {text}");
            assert!(!text.contains("SECRET"), "{text}");
        }
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".aws/credentials")).unwrap();
        let mut report = Report::default();
        check("camera", home.path(), &configuration(), &mut report);
        assert!(
            report.text().contains("credentials cannot be read: it is no file"),
            "{}",
            report.text()
        );
    }
}
