//! What the administrator says: `gatepost.toml` and `conf.d/*.toml` beside it.
//!
//! The way of a value: `load` reads and merges the files into `raw`, `check` turns that into the types below. What
//! has reached these types needs no further checking anywhere.

mod aws_name;
mod check;
mod endpoint;
mod endpoints;
mod enrolment;
mod est_url;
mod findings;
mod keys;
mod known_keys;
pub mod last_good;
mod lenient;
mod load;
mod lookalike;
mod mqtt;
mod open_files;
mod placeholders;
mod raw;
mod rule_text;
mod shown;
mod spelling;
mod subject;
mod toml_fault;
mod toml_words;
mod values;

pub use load::Draft;
pub use rule_text::RuleText;
pub use shown::shown;
pub use values::{is_account_name, is_alias_name, is_unit_name, may_be_granted};

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use aws_name::{AwsName, Partition, Service};
pub use endpoint::Endpoint;
pub use enrolment::{Enrolment, EnrolmentMethod, EstConfig};
pub use est_url::EstUrl;
pub use keys::{Changes, KEYS, Key, TakesEffect};
pub use subject::check_thing_name;

use crate::messages::Bounds;
use crate::token::TokenConfig;

/// Where the configuration is looked for when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/gatepost/gatepost.toml";

/// Where what must survive a reboot is kept when nobody says otherwise.
pub const STATE_FOLDER: &str = "/var/lib/gatepost";
/// The runtime folder, unless the environment names another.
pub const RUNTIME_FOLDER: &str = "/run/gatepost";

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The two endpoints and whom to trust.
    pub aws: Aws,
    /// The token and its key.
    pub token: TokenConfig,
    /// Certificate and subject.
    pub identity: IdentityConfig,
    /// The role aliases to keep credentials for.
    pub role_aliases: Vec<RoleAlias>,
    /// Who may have what; nobody may have anything that no rule gives.
    pub access: Vec<AccessRule>,
    /// The session.
    pub mqtt: Mqtt,
    /// `[loopback]`: where container providers of SDKs are answered; `None` where it is off.
    pub loopback: Option<SocketAddr>,
    /// `[enrolment]`: who brings the certificate.
    pub enrolment: Enrolment,
    /// Where the daemon's own files are.
    pub folders: Folders,
    /// What can be used and is seldom meant, a line each: file, key, reason.
    pub notes: Vec<String>,
    /// Merged content of the files, as stored for a start with invalid files.
    merged: Arc<load::Merged>,
}

/// `[aws]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// The IoT data endpoint; port 8883 unless given.
    pub mqtt_endpoint: Endpoint,
    /// The credentials provider's endpoint; port 443 unless given.
    pub credentials_endpoint: Endpoint,
    /// A PEM file of roots to trust instead of Amazon's; `None` for those in Debian's ca-certificates.
    pub root_ca: Option<PathBuf>,
}

impl Aws {
    /// The Region in the endpoints' names; a custom domain has none.
    pub fn region(&self) -> Option<String> {
        let endpoints = [&self.mqtt_endpoint, &self.credentials_endpoint];
        endpoints.into_iter().find_map(Endpoint::region)
    }
}

/// `[identity]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityConfig {
    /// Where the device certificate (PEM) appears.
    pub certificate: PathBuf,
    /// CA certificates (PEM) to send after the device's, its issuer first.
    pub ca_chain: Option<PathBuf>,
    /// The thing name where it is not the certificate's common name.
    pub thing_name: Option<String>,
    /// The subject to ask for.
    pub subject: Subject,
}

/// The subject of the certificate signing request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The thing name to be, placeholders filled in; [`check_thing_name`] has let it through, unless the thing name is configured.
    pub common_name: String,
    /// The other attributes by their configuration key, in the order they are written.
    pub attributes: Vec<(&'static str, String)>,
}

/// `[[role-alias]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAlias {
    /// The alias's name at AWS: 1 to 128 of `[A-Za-z0-9_=,@-]` (CreateRoleAlias).
    pub name: String,
    /// Whether a request without a name means this one.
    pub default: bool,
}

/// `[[access]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    /// Where it stands, for messages: `access[0] of /etc/gatepost/gatepost.toml`.
    pub place: String,
    /// Whom the rule is for.
    pub who: Selectors,
    /// Which role aliases it gives.
    pub role_aliases: Aliases,
    /// Topics that may be published to, as filters with `{thing}` not yet filled in.
    pub publish: Vec<String>,
    /// Topics that may be subscribed to, likewise.
    pub subscribe: Vec<String>,
    /// The administrator's own token for the loopback listener; `None` where gatepost makes one.
    pub token_file: Option<PathBuf>,
}

/// Whom a rule is for: everything given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selectors {
    /// A user by name.
    pub user: Option<String>,
    /// A group by name: as primary group or by membership.
    pub group: Option<String>,
    /// A user by number.
    pub uid: Option<u32>,
    /// A primary group by number.
    pub gid: Option<u32>,
    /// A systemd unit: a service or a scope.
    pub unit: Option<String>,
}

impl fmt::Display for Selectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: &Option<u32>| number.map(|number| number.to_string());
        let all = [
            ("user", self.user.clone()),
            ("group", self.group.clone()),
            ("uid", number(&self.uid)),
            ("gid", number(&self.gid)),
            ("unit", self.unit.clone()),
        ];
        let given = all
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        f.write_str(&given.collect::<Vec<_>>().join(", "))
    }
}

/// Which role aliases a rule gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aliases {
    /// `"*"`: every one, those of later drop-ins too.
    All,
    /// The named ones.
    These(Vec<String>),
}

/// `[mqtt]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mqtt {
    /// How often the connection is proven alive: 30 s to 20 min, in whole seconds on the wire.
    pub keep_alive: Duration,
    /// How long AWS is asked to keep the session while we are away, at most 7 days; it grants what the account allows.
    pub session_expiry: Duration,
    /// Where presence and will are published, `{thing}` not yet filled in; `None` where switched off.
    pub presence_topic: Option<String>,
    /// How often the gateway's health is reported there, at least; `None` for changes of presence alone.
    pub report_interval: Option<Duration>,
    /// Messages published in a second at the most; AWS IoT takes 100 of a connection.
    pub publish_rate: u32,
    /// How much the outbox and the inbox keep.
    pub bounds: Bounds,
}

/// The daemon's own folders, as systemd names them.
#[derive(Clone, Debug)]
pub struct Folders {
    /// STATE_DIRECTORY: what must survive a reboot.
    pub state: PathBuf,
    /// RUNTIME_DIRECTORY: the socket.
    pub runtime: PathBuf,
    /// CREDENTIALS_DIRECTORY: secrets that systemd hands over.
    pub credentials: Option<PathBuf>,
}

impl Folders {
    /// The folders that systemd gave to this process, with the documented defaults.
    pub fn from_environment() -> Self {
        // systemd joins several folders with colons; ours is the first.
        let first = |name: &str| {
            let value = std::env::var(name).ok()?;
            value
                .split(':')
                .next()
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        Self {
            state: first("STATE_DIRECTORY").unwrap_or_else(|| PathBuf::from(STATE_FOLDER)),
            runtime: first("RUNTIME_DIRECTORY").unwrap_or_else(|| PathBuf::from(RUNTIME_FOLDER)),
            credentials: first("CREDENTIALS_DIRECTORY"),
        }
    }
}

/// Everything that is wrong with the configuration, a line each: file, key, reason.
#[derive(Debug)]
pub struct ConfigError(Vec<String>);

impl ConfigError {
    /// One reason.
    pub fn of(message: String) -> Self {
        Self(vec![message])
    }

    /// The lines.
    pub fn findings(&self) -> &[String] {
        &self.0
    }

    /// The first line, and how many there are besides: where there is room for one only.
    pub fn brief(&self) -> String {
        match self.0.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            [first, more @ ..] => format!("{first} (and {} more)", more.len()),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads, merges and checks the configuration whose main file is `path`.
    ///
    /// # Errors
    /// With all findings at once.
    pub fn load(path: &Path, folders: &Folders) -> Result<Self, ConfigError> {
        Self::read(path, None, folders, false)
    }

    /// The same where it is only looked at, perhaps in the image of a machine that has never run: what only a running machine
    /// knows (its machine ID) is a note.
    ///
    /// # Errors
    /// With all findings at once.
    pub fn examine(path: &Path, folders: &Folders) -> Result<Self, ConfigError> {
        Self::examine_with(path, None, folders)
    }

    /// The same as if there were one more file in `conf.d`.
    ///
    /// # Errors
    /// With all findings at once.
    pub fn examine_with(path: &Path, draft: Option<&Draft>, folders: &Folders) -> Result<Self, ConfigError> {
        Self::read(path, draft, folders, true)
    }

    fn read(
        path: &Path,
        draft: Option<&Draft>,
        folders: &Folders,
        is_only_examined: bool,
    ) -> Result<Self, ConfigError> {
        let loaded = load::load(path, draft).map_err(ConfigError)?;
        let messages = |faults: Vec<check::Fault>| faults.into_iter().map(|fault| fault.message).collect();
        check::check(loaded, folders, is_only_examined).map_err(|faults| ConfigError(messages(faults)))
    }

    /// The files that make up the configuration whose main file is `path`, and the folder that some of them are in.
    pub fn files(path: &Path) -> Vec<PathBuf> {
        let mut files = load::files(path, &mut Vec::new());
        files.extend(Some(load::drop_ins(path)).filter(|folder| folder.exists()));
        files
    }

    /// The folder beside the main file `path` whose files add to it.
    pub fn drop_ins(path: &Path) -> PathBuf {
        load::drop_ins(path)
    }

    /// The alias that a request without a name means.
    pub fn default_alias(&self) -> Option<&str> {
        self.role_aliases
            .iter()
            .find(|alias| alias.default)
            .map(|alias| alias.name.as_str())
    }
}

#[cfg(test)]
mod test_files;
#[cfg(test)]
mod tests;
