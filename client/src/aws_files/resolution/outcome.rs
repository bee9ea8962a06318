//! The outcome of a program's search for credentials.

use super::super::process::Call;
use super::super::profiles::Place;
use super::super::sections::Fault;

/// The program of a credential_process. It is another's text, which may be a key in the wrong place, so that `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Program(String);

impl Program {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the name or path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Program")
    }
}

/// The source of a program's credentials, or the reason why it gets none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It runs a credential_process.
    Process {
        /// The setting.
        place: Place,
        /// The program that is run.
        program: Program,
        /// How it runs gatepost, if it does.
        call: Option<Call>,
    },
    /// It asks a local service.
    Container {
        /// The variable with the address.
        variable: &'static str,
    },
    /// Keys in a file.
    Keys {
        /// The first of them.
        place: Place,
    },
    /// Keys in its environment.
    KeysOfEnvironment,
    /// A role that is assumed with other credentials.
    Role {
        /// The role.
        place: Place,
        /// Those credentials.
        source: Box<Outcome>,
    },
    /// A role that is assumed with a token.
    WebIdentity {
        /// The setting; `None` for a variable.
        place: Option<Place>,
    },
    /// A login by a browser, IAM Identity Center.
    SingleSignOn {
        /// The setting.
        place: Place,
    },
    /// A login by a browser, `aws login`.
    Login {
        /// The setting.
        place: Place,
    },
    /// Nothing, unless the machine is an EC2 instance.
    Nothing,
    /// It stops with an error.
    Failure(Failure),
}

/// Why a program stops before it has credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// One of the files cannot be parsed.
    Unparsable {
        /// The place.
        place: Place,
        /// The fault.
        fault: Fault,
    },
    /// There is no such profile.
    NoSuchProfile {
        /// Its name.
        name: String,
        /// The variable that names it; `None` if the program does.
        variable: Option<&'static str>,
    },
    /// AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not.
    NoSecretInEnvironment,
    /// A setting that belongs to another one is missing.
    Incomplete {
        /// The other one.
        place: Place,
        /// The missing one.
        missing: &'static str,
    },
    /// A role has two sources of credentials.
    BothSources {
        /// The role.
        place: Place,
    },
    /// A role has no source of credentials.
    NoSource {
        /// The role.
        place: Place,
    },
    /// credential_source is none that exists.
    UnknownSource {
        /// The role.
        place: Place,
    },
    /// The source_profile does not exist.
    NoSourceProfile {
        /// The role.
        place: Place,
    },
    /// The source of a role has no credentials.
    NoCredentialsInSource {
        /// The role.
        place: Place,
    },
    /// Roles get their credentials from each other.
    Loop {
        /// One of them.
        place: Place,
    },
    /// The quotation marks of a credential_process are not in pairs.
    Quoting {
        /// The setting.
        place: Place,
    },
    /// A credential_process runs nothing.
    EmptyProcess {
        /// The setting.
        place: Place,
    },
    /// There is a token, but no role for it.
    NoRoleForWebIdentity {
        /// The setting; `None` for a variable.
        place: Option<Place>,
    },
    /// The sso_session does not exist.
    NoSsoSession {
        /// The profile's setting.
        place: Place,
    },
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let variable = "AWS_WEB_IDENTITY_TOKEN_FILE";
        match self {
            Self::Unparsable { place, fault } => write!(f, "{place}: {fault}"),
            Self::NoSuchProfile {
                variable: Some(variable),
                ..
            } => {
                write!(f, "{variable} names a profile that is in neither file")
            }
            Self::NoSuchProfile { variable: None, .. } => f.write_str("the profile is in neither file"),
            Self::NoSecretInEnvironment => f.write_str("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY"),
            Self::Incomplete { place, missing } => write!(f, "{place}: {missing} is missing beside it"),
            Self::BothSources { place } => {
                write!(f, "{place}: the role has both a source_profile and a credential_source")
            }
            Self::NoSource { place } => {
                write!(
                    f,
                    "{place}: the role has neither a source_profile nor a credential_source"
                )
            }
            Self::UnknownSource { place } => {
                write!(f, "{place}: the credential_source of the role is none that exists")
            }
            Self::NoSourceProfile { place } => write!(f, "{place}: the source_profile of the role does not exist"),
            Self::NoCredentialsInSource { place } => write!(f, "{place}: the source of the role has no credentials"),
            Self::Loop { place } => write!(
                f,
                "{place}: the roles take their credentials from each other, or more than 50 in a row"
            ),
            Self::Quoting { place } => write!(f, "{place}: a quotation mark in credential_process is not closed"),
            Self::EmptyProcess { place } => write!(f, "{place}: credential_process runs nothing"),
            Self::NoRoleForWebIdentity { place: Some(place) } => write!(f, "{place}: the token has no role_arn"),
            Self::NoRoleForWebIdentity { place: None } => write!(f, "{variable} is set without AWS_ROLE_ARN"),
            Self::NoSsoSession { place } => write!(f, "{place}: the sso_session of the profile does not exist"),
        }
    }
}
