//! Where a program finds credentials: the order of botocore (botocore/credentials.py), without input and output.

mod outcome;

pub use outcome::{Failure, Outcome, Program};

use super::environment::Environment;
use super::process::{Call, shell_words};
use super::profiles::{Profile, Profiles};
use super::sections::Kind;

/// No one writes a longer chain of roles; AWS's tools would not follow one of a thousand either.
const LONGEST_CHAIN: usize = 50;
const STATIC_KEYS: [&str; 2] = ["aws_access_key_id", "aws_secret_access_key"];

/// Returns where a program with these variables finds credentials, if the program itself names the profile `named`, or none.
pub fn resolve(profiles: &Profiles, environment: &Environment, named: Option<&str>) -> Outcome {
    if let Some((place, fault)) = profiles.faults().first() {
        let (place, fault) = (place.clone(), *fault);
        return Failure::Unparsable { place, fault }.into();
    }
    let by_variable = environment.profile();
    let name = named.or(by_variable.map(|(_, name)| name));
    if let Some(name) = name
        && profiles.get(name).is_none()
    {
        let variable = named
            .is_none()
            .then(|| by_variable.map(|(variable, _)| variable))
            .flatten();
        let name = name.to_owned();
        return Failure::NoSuchProfile { name, variable }.into();
    }
    let name = name.unwrap_or("default");
    let chain = Chain { profiles, environment };
    let keys = match named {
        // A program that names a profile does not look at keys in its environment.
        Some(_) => None,
        None => chain.keys_of_environment(),
    };
    keys.or_else(|| chain.role(name))
        .or_else(|| chain.profile(name, named.is_none()))
        .or_else(|| chain.container())
        .unwrap_or(Outcome::Nothing)
}

/// Returns whether something names a Region for the program.
pub fn has_region(profiles: &Profiles, environment: &Environment, named: Option<&str>) -> bool {
    let name = named
        .or(environment.profile().map(|(_, name)| name))
        .unwrap_or("default");
    let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    variables
        .iter()
        .any(|variable| environment.non_empty(variable).is_some())
        || profiles.get(name).is_some_and(|profile| profile.has("region"))
}

struct Chain<'a> {
    profiles: &'a Profiles,
    environment: &'a Environment,
}

impl Chain<'_> {
    fn keys_of_environment(&self) -> Option<Outcome> {
        self.environment.non_empty("AWS_ACCESS_KEY_ID")?;
        Some(match self.environment.non_empty("AWS_SECRET_ACCESS_KEY") {
            Some(_) => Outcome::KeysOfEnvironment,
            None => Failure::NoSecretInEnvironment.into(),
        })
    }

    /// A role that a profile assumes with the credentials of another source.
    fn role(&self, name: &str) -> Option<Outcome> {
        has_role(self.profiles.get(name)?).then(|| self.assume(name, vec![name.to_owned()]))
    }

    fn assume(&self, name: &str, mut visited: Vec<String>) -> Outcome {
        let profile = self.profiles.get(name);
        let value = |setting: &str| profile.and_then(|profile| profile.get(setting));
        let Some(place) = value("role_arn").map(|role| role.place.clone()) else {
            return Outcome::Nothing;
        };
        let source = match (value("source_profile"), value("credential_source")) {
            (Some(_), Some(_)) => return Failure::BothSources { place }.into(),
            (None, None) => return Failure::NoSource { place }.into(),
            (None, Some(source)) => match source.text.as_str() {
                "EcsContainer" => self.container(),
                "Environment" => self.keys_of_environment(),
                "Ec2InstanceMetadata" => Some(Outcome::Nothing),
                _ => return Failure::UnknownSource { place }.into(),
            },
            (Some(source), None) => {
                let source = &source.text;
                let Some(profile) = self.profiles.get(source) else {
                    return Failure::NoSourceProfile { place }.into();
                };
                let is_static = STATIC_KEYS.iter().any(|key| profile.has(key));
                // A profile may name itself, if it has keys as well.
                let is_visited = visited.contains(source) && (source != name || !is_static);
                if is_visited || visited.len() >= LONGEST_CHAIN {
                    return Failure::Loop { place }.into();
                }
                match is_static || !has_role(profile) {
                    true => self.profile(source, false),
                    false => {
                        visited.push(source.clone());
                        Some(self.assume(source, visited))
                    }
                }
            }
        };
        match source {
            None => Failure::NoCredentialsInSource { place }.into(),
            Some(Outcome::Failure(failure)) => failure.into(),
            Some(source) => Outcome::Role {
                place,
                source: Box::new(source),
            },
        }
    }

    /// The credentials of a profile itself.
    fn profile(&self, name: &str, uses_environment: bool) -> Option<Outcome> {
        let nothing = Profile::default();
        let profile = self.profiles.get(name).unwrap_or(&nothing);
        self.web_identity(profile, uses_environment)
            .or_else(|| self.single_sign_on(profile))
            .or_else(|| keys(profile, Kind::Credentials))
            .or_else(|| {
                profile.get("login_session").map(|login| Outcome::Login {
                    place: login.place.clone(),
                })
            })
            .or_else(|| process(profile))
            .or_else(|| keys(profile, Kind::Config))
    }

    fn web_identity(&self, profile: &Profile, uses_environment: bool) -> Option<Outcome> {
        let variable = |name: &str| uses_environment && self.environment.get(name).is_some();
        let setting = profile.get("web_identity_token_file");
        let by_variable = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
        if setting.is_none() && !by_variable {
            return None;
        }
        let place = setting.filter(|_| !by_variable).map(|setting| setting.place.clone());
        Some(match variable("AWS_ROLE_ARN") || profile.has("role_arn") {
            true => Outcome::WebIdentity { place },
            false => Failure::NoRoleForWebIdentity { place }.into(),
        })
    }

    fn single_sign_on(&self, profile: &Profile) -> Option<Outcome> {
        let first = profile.get("sso_account_id").or_else(|| profile.get("sso_role_name"))?;
        let place = first.place.clone();
        let session = profile.get("sso_session");
        let in_session = session.map(|session| self.profiles.sso_sessions.get(&session.text));
        let has = |name: &str| profile.has(name) || in_session.flatten().is_some_and(|names| names.contains(name));
        let needed = ["sso_role_name", "sso_account_id", "sso_start_url", "sso_region"];
        Some(match (in_session, needed.into_iter().find(|name| !has(name))) {
            (Some(None), _) => Failure::NoSsoSession { place }.into(),
            (_, Some(missing)) => Failure::Incomplete { place, missing }.into(),
            (_, None) => Outcome::SingleSignOn { place },
        })
    }

    fn container(&self) -> Option<Outcome> {
        let variables = [
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ];
        let variable = variables
            .into_iter()
            .find(|name| self.environment.get(name).is_some())?;
        Some(Outcome::Container { variable })
    }
}

fn has_role(profile: &Profile) -> bool {
    profile.has("role_arn") && !profile.has("web_identity_token_file")
}

/// Static keys of one of the files.
fn keys(profile: &Profile, kind: Kind) -> Option<Outcome> {
    let [access_key, secret] = STATIC_KEYS;
    let key = profile.get(access_key).filter(|key| key.kind == kind)?;
    let place = key.place.clone();
    let is_whole = profile
        .get(secret)
        .is_some_and(|secret| secret.kind == kind || kind == Kind::Config);
    Some(match is_whole {
        true => Outcome::Keys { place },
        false => Failure::Incomplete { place, missing: secret }.into(),
    })
}

fn process(profile: &Profile) -> Option<Outcome> {
    let setting = profile.get("credential_process")?;
    let place = setting.place.clone();
    Some(match shell_words(&setting.text).map(|words| words.into_iter().next()) {
        None => Failure::Quoting { place }.into(),
        Some(None) => Failure::EmptyProcess { place }.into(),
        Some(Some(program)) => Outcome::Process {
            place,
            program: Program::new(program),
            call: Call::read(&setting.text),
        },
    })
}

#[cfg(test)]
mod tests;
