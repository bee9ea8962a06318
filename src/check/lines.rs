//! The checks, each with an identifier that is the same in every version.

/// A check: its identifier for programs and its name for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// The identifier, the same in every version.
    pub id: &'static str,
    /// The name.
    pub name: &'static str,
}

/// The subject of a line: a check, and the checked object if there are several.
#[derive(Clone, Debug)]
pub struct CheckSubject {
    /// The check.
    pub check: Check,
    /// The checked object.
    pub subject: Option<String>,
}

impl Check {
    /// Returns the subject for one of several objects, such as a role alias.
    pub fn of(self, subject: &str) -> CheckSubject {
        CheckSubject {
            check: self,
            subject: Some(subject.to_owned()),
        }
    }
}

impl From<Check> for CheckSubject {
    fn from(check: Check) -> Self {
        Self { check, subject: None }
    }
}

macro_rules! checks {
    ($($constant:ident = $id:literal, $name:literal;)+) => {
        $(pub const $constant: Check = Check { id: $id, name: $name };)+

        /// All checks.
        #[cfg(test)]
        pub const ALL: &[Check] = &[$($constant,)+];
    };
}

checks! {
    CONFIGURATION = "configuration", "configuration";
    ACCESS_RULES = "access-rules", "access rules";
    FILES = "files", "files";
    REST = "rest", "everything else";
    DAEMON = "daemon", "daemon";
    STATE = "state", "state";
    ENVIRONMENT = "environment", "environment";
    USER = "user", "user";
    CLOCK = "clock", "clock";
    CLOCK_SKEW = "clock-skew", "clock skew";
    NETWORK = "network", "network";
    MODULE = "module", "PKCS#11 module";
    TOKEN = "token", "token";
    PIN = "pin", "PIN";
    KEY = "key", "key";
    TOKEN_AND_KEY = "token-and-key", "token and key";
    OTHER_KEYS = "other-keys", "other keys";
    CERTIFICATE = "certificate", "certificate";
    EXPIRY = "expiry", "expiry";
    BOOTSTRAP = "bootstrap-certificate", "bootstrap certificate";
    ENROLMENT = "enrolment", "enrolment";
    ROTATION = "rotation", "rotation by jobs";
    MESSAGES = "messages", "messages";
    ROOT_CA = "root-ca", "root CA";
    PROVISIONING = "provisioning", "provisioning";
    SESSION = "session", "MQTT session";
    MQTT_DNS = "mqtt-dns", "MQTT endpoint: DNS";
    MQTT_TCP = "mqtt-tcp", "MQTT endpoint: TCP";
    MQTT_TLS = "mqtt-tls", "MQTT endpoint: TLS";
    MQTT_CONNECT = "mqtt-connect", "MQTT endpoint: CONNECT";
    CREDENTIALS_DNS = "credentials-dns", "credentials endpoint: DNS";
    CREDENTIALS_TCP = "credentials-tcp", "credentials endpoint: TCP";
    CREDENTIALS_TLS = "credentials-tls", "credentials endpoint: TLS";
    ROLE_ALIAS = "role-alias", "role alias";
    ROLE_ALIASES = "role-aliases", "role aliases";
    AWS_CALL = "aws-call", "AWS call";
    LOOPBACK = "loopback", "loopback";
    LOCAL_MQTT = "local-mqtt", "MQTT programs";
    OTHER = "other", "other";
    AWS_FILES = "aws-files", "AWS files";
    AWS_ENVIRONMENT = "aws-environment", "AWS variables";
    AWS_CLI = "aws-cli", "AWS CLI";
    CREDENTIALS_FILES = "credentials-files", "credentials files";
    WEB_TOKENS = "web-tokens", "tokens";
    PUBLISH = "publish", "publish";
    SUBSCRIBE = "subscribe", "subscribe";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_unique_and_documented() {
        let documentation = include_str!("../../docs/operations.md");
        for check in ALL {
            let row = format!("| `{}` | {} |", check.id, check.name);
            assert!(documentation.contains(&row), "docs/operations.md lacks {row}");
            let same_name_or_id = ALL
                .iter()
                .filter(|other| other.id == check.id || other.name == check.name);
            assert_eq!(same_name_or_id.count(), 1, "{check:?}");
        }
    }
}
