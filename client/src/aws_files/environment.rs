//! The environment variables by which an application's AWS SDK finds credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Variables whose values are not kept, only whether they are empty. An access key ID is no secret, but it identifies its owner and is
/// not needed here.
const SECRETS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];
/// Variables whose values are kept. HOME is where a `~` leads, and PATH is where a `credential_process` is looked up.
const KEPT: [&str; 15] = [
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_SDK_LOAD_CONFIG",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HOME",
    "PATH",
];

/// The next step if SDKs disagree about which profile is named.
pub const ONE_PROFILE: &str = "name the profile by AWS_PROFILE, and unset AWS_DEFAULT_PROFILE";

/// A profile, and the programs that use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProfile {
    /// The name.
    pub name: String,
    /// The programs.
    pub programs: Vec<&'static str>,
}

/// The variables listed above, as a program sees them. The value of a secret is replaced by `set`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Environment(BTreeMap<&'static str, String>);

impl Environment {
    /// Keeps the variables listed above, and forgets all others.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let keep = |(name, value): (N, V)| {
            let find = |names: &[&'static str]| names.iter().copied().find(|listed| *listed == name.as_ref());
            let value = value.as_ref();
            match find(&SECRETS) {
                Some(name) if value.is_empty() => Some((name, String::new())),
                Some(name) => Some((name, "set".to_owned())),
                None => Some((find(&KEPT)?, value.to_owned())),
            }
        };
        Self(variables.into_iter().filter_map(keep).collect())
    }

    /// Keeps the listed variables of this process.
    pub fn of_this_process() -> Self {
        let variables = std::env::vars_os();
        Self::new(variables.map(|(name, value)| {
            let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
            (text(name), text(value))
        }))
    }

    /// Returns the value of a variable, which may be empty. A secret that is not empty has the value `set`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the value of a variable, if it is not empty.
    pub fn non_empty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Returns whether any `AWS_*` variable is set.
    pub fn has_aws_variables(&self) -> bool {
        self.0.keys().any(|name| name.starts_with("AWS_"))
    }

    /// Returns only the `AWS_*` variables.
    #[must_use]
    pub fn aws_variables(&self) -> Self {
        let variables = self.0.iter().filter(|(name, _)| name.starts_with("AWS_"));
        Self(variables.map(|(name, value)| (*name, value.clone())).collect())
    }

    /// Returns the name of the variable that selects a profile for botocore, and that profile. As in botocore, an empty
    /// AWS_DEFAULT_PROFILE hides AWS_PROFILE. Other SDKs prefer AWS_PROFILE, or support only that variable: see [`Self::profiles`].
    pub fn profile(&self) -> Option<(&'static str, &str)> {
        let variables = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];
        variables.into_iter().find_map(|name| Some((name, self.get(name)?)))
    }

    /// Returns the profiles that programs with these variables use, each once. botocore prefers AWS_DEFAULT_PROFILE; the SDKs for Go and
    /// Ruby prefer AWS_PROFILE; those for JavaScript, Java and Rust know no other variable than that.
    pub fn profiles(&self) -> Vec<NamedProfile> {
        let (default, named) = (self.non_empty("AWS_DEFAULT_PROFILE"), self.non_empty("AWS_PROFILE"));
        let mut profiles: Vec<NamedProfile> = Vec::new();
        for (name, program) in [
            (default.or(named), "the AWS CLI and boto3"),
            (named.or(default), "the SDKs for Go and Ruby"),
            (named, "the SDKs for JavaScript, Java and Rust"),
        ] {
            let name = name.unwrap_or("default");
            match profiles.iter_mut().find(|profile| profile.name == name) {
                Some(profile) => profile.programs.push(program),
                None => profiles.push(NamedProfile {
                    name: name.to_owned(),
                    programs: vec![program],
                }),
            }
        }
        profiles
    }

    /// Returns a sentence if programs with these variables disagree about which profile is named.
    pub fn two_profiles(&self) -> Option<&'static str> {
        let default = self.non_empty("AWS_DEFAULT_PROFILE")?;
        match self.non_empty("AWS_PROFILE") {
            Some(profile) if profile != default => Some(
                "AWS_DEFAULT_PROFILE and AWS_PROFILE name two profiles: the AWS CLI and boto3 use the first, and other SDKs use the second",
            ),
            None if default != "default" => Some(
                "AWS_DEFAULT_PROFILE is set without AWS_PROFILE: the SDKs for JavaScript, Java and Rust do not know that variable",
            ),
            _ => None,
        }
    }

    /// Returns the path that a variable names, with a leading `~/` expanded to `home`.
    pub(super) fn path(&self, name: &str, home: Option<&std::path::Path>) -> Option<PathBuf> {
        let value = self.non_empty(name)?;
        Some(match (value.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_the_profile_that_it_finds() {
        // AWS_DEFAULT_PROFILE, AWS_PROFILE; the profile of botocore, of Go and Ruby, and of the others.
        for (default, named, found, disagree) in [
            (None, None, ["default"; 3], false),
            (None, Some("a"), ["a"; 3], false),
            (Some("a"), Some("a"), ["a"; 3], false),
            (Some("a"), Some("b"), ["a", "b", "b"], true),
            (Some("a"), None, ["a", "a", "default"], true),
            (Some("default"), None, ["default"; 3], false),
            (Some("default"), Some("b"), ["default", "b", "b"], true),
            (Some("a"), Some("default"), ["a", "default", "default"], true),
            (Some(""), Some("b"), ["b"; 3], false),
            (Some("a"), Some(""), ["a", "a", "default"], true),
            (Some(""), Some(""), ["default"; 3], false),
            (Some("A"), Some("a"), ["A", "a", "a"], true),
        ] {
            let variables = [("AWS_DEFAULT_PROFILE", default), ("AWS_PROFILE", named)];
            let set = variables.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let environment = Environment::new(set);
            let profiles = environment.profiles();
            for (program, name) in ["boto3", "Ruby", "Rust"].into_iter().zip(found) {
                let uses = |profile: &&NamedProfile| profile.programs.iter().any(|one| one.contains(program));
                let used: Vec<&str> = profiles
                    .iter()
                    .filter(uses)
                    .map(|profile| profile.name.as_str())
                    .collect();
                assert_eq!(used, [name], "{program}: {default:?} {named:?}");
            }
            assert_eq!(environment.two_profiles().is_some(), disagree, "{default:?} {named:?}");
            assert_eq!(profiles.len() > 1, disagree, "{default:?} {named:?}");
        }
    }
}
