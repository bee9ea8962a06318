//! The environment variables that decide where a program finds credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Variables whose value is a secret: only whether they have one is kept.
const SECRETS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];
const OTHERS: [&str; 15] = [
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

/// The variables of a program, as far as they matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Environment(BTreeMap<&'static str, String>);

impl Environment {
    /// Keeps the variables that matter.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let known = |(name, value): (N, V)| {
            let find = |names: &[&'static str]| names.iter().copied().find(|known| *known == name.as_ref());
            let value = value.as_ref();
            match find(&SECRETS) {
                Some(name) if value.is_empty() => Some((name, String::new())),
                Some(name) => Some((name, "set".to_owned())),
                None => Some((find(&OTHERS)?, value.to_owned())),
            }
        };
        Self(variables.into_iter().filter_map(known).collect())
    }

    /// Returns a variable, which may be empty; of a secret only whether it is.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns a variable that is not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Returns whether a variable of AWS's is set.
    pub fn names_aws(&self) -> bool {
        self.0.keys().any(|name| name.starts_with("AWS_"))
    }

    /// Returns the variables of AWS's alone.
    #[must_use]
    pub fn of_aws(&self) -> Self {
        let variables = self.0.iter().filter(|(name, _)| name.starts_with("AWS_"));
        Self(variables.map(|(name, value)| (*name, value.clone())).collect())
    }

    /// Returns the profile that these variables name for botocore, and by which. Other SDKs prefer AWS_PROFILE, or know it alone.
    pub fn profile(&self) -> Option<(&'static str, &str)> {
        let variables = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];
        variables.into_iter().find_map(|name| Some((name, self.get(name)?)))
    }

    /// Returns the path that a variable names, with the home folder in the place of a tilde, as botocore does it.
    pub(super) fn path(&self, name: &str, home: Option<&std::path::Path>) -> Option<PathBuf> {
        let value = self.filled(name)?;
        Some(match (value.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(value),
        })
    }
}
