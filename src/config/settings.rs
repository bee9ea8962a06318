//! The checked configuration. Its values need no further checks anywhere.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::access_rule::AccessRule;
use super::assigned_name::AssignedName;
use super::credentials_file::CredentialsFile;
use super::endpoint::Endpoint;
use super::enrolment::Enrolment;
use super::folders::Folders;
use super::merged::Merged;
use super::network::Network;
use super::sts_endpoint::StsEndpoint;
use super::web_tokens;
use crate::messages::Bounds;
use crate::token::TokenConfig;

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The two endpoints and the trusted roots.
    pub aws: Aws,
    /// The token and its key.
    pub token: TokenConfig,
    /// The certificate and the subject.
    pub identity: IdentityConfig,
    /// The role aliases for which credentials are kept.
    pub role_aliases: Vec<RoleAlias>,
    /// The access rules. Anything that no rule grants is denied.
    pub access: Vec<AccessRule>,
    /// The files of credentials for programs that can only read a file.
    pub credentials_files: Vec<CredentialsFile>,
    /// The MQTT session.
    pub mqtt: Mqtt,
    /// `[loopback]`: the address of the listener for SDKs' container providers; `None` if it is off.
    pub loopback: Option<SocketAddr>,
    /// `[local-mqtt]`: the listeners for programs that speak MQTT.
    pub local_mqtt: LocalMqtt,
    /// `[enrolment]`: how the certificate is obtained.
    pub enrolment: Enrolment,
    /// `[network]`: how servers are reached.
    pub network: Network,
    /// The daemon's own folders.
    pub folders: Folders,
    /// Notes about values that are probably mistakes, a line each: file, key, reason.
    pub notes: Vec<String>,
    /// The merged content of the files, which is stored for a start with invalid files.
    pub(super) merged: Arc<Merged>,
}

impl Config {
    /// Returns the default role alias, which applies to a request that names none.
    pub fn default_alias(&self) -> Option<&str> {
        self.role_aliases
            .iter()
            .find(|alias| alias.default)
            .map(|alias| alias.name.as_str())
    }

    /// Returns the audiences for which access rules grant tokens, each once.
    pub fn audiences(&self) -> Vec<&str> {
        web_tokens::audiences(&self.access)
    }

    /// Returns the configuration in effect after a reload of `new`: the sections that only a restart changes are kept from `self`.
    #[must_use]
    pub fn reloaded(&self, new: Self) -> Self {
        Self {
            aws: self.aws.clone(),
            token: self.token.clone(),
            identity: self.identity.clone(),
            enrolment: self.enrolment.clone(),
            network: self.network.clone(),
            folders: self.folders.clone(),
            merged: Arc::new(
                new.merged
                    .with_tables_of(&self.merged, &["aws", "token", "identity", "enrolment", "network"]),
            ),
            ..new
        }
    }
}

/// `[local-mqtt]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalMqtt {
    /// Whether programs can connect to a Unix socket.
    pub socket: bool,
    /// The loopback address that programs can connect to; `None` if it is off.
    pub listen: Option<SocketAddr>,
}

/// `[aws]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// The IoT data endpoint; port 8883 unless given.
    pub mqtt_endpoint: Endpoint,
    /// The credentials provider's endpoint; port 443 unless given.
    pub credentials_endpoint: Endpoint,
    /// A PEM file of trusted roots; `None` for the Amazon roots in Debian's ca-certificates.
    pub root_ca: Option<PathBuf>,
    /// The protocols that are offered to the MQTT endpoint by ALPN.
    pub mqtt_alpn: &'static [&'static str],
    /// STS; `None` if its Region is unknown.
    pub sts: Option<StsEndpoint>,
}

impl Aws {
    /// Returns the Region in the endpoints' names; a custom domain has none.
    pub fn region(&self) -> Option<String> {
        let endpoints = [&self.mqtt_endpoint, &self.credentials_endpoint];
        endpoints.into_iter().find_map(Endpoint::region)
    }
}

/// `[identity]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityConfig {
    /// The device certificate's file (PEM).
    pub certificate: PathBuf,
    /// A file of CA certificates (PEM) that are sent after the device certificate, its issuer first.
    pub ca_chain: Option<PathBuf>,
    /// The thing name, if it is configured.
    pub thing_name: Option<String>,
    /// The thing name that AWS has assigned, where the enrolment lets AWS choose it.
    pub assigned_name: Option<AssignedName>,
    /// The subject of the signing request.
    pub subject: Subject,
}

impl IdentityConfig {
    /// Returns the thing name if it is not the certificate's common name: the configured one, or the one that AWS has assigned.
    pub fn own_thing_name(&self) -> Option<String> {
        self.thing_name
            .clone()
            .or_else(|| self.assigned_name.as_ref().and_then(AssignedName::read))
    }
}

/// The subject of the certificate signing request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The common name, with placeholders replaced. It is the thing name unless another one is configured, and then has passed
    /// [`check_thing_name`](super::check_thing_name).
    pub common_name: String,
    /// The other attributes by configuration key, in the order of the request.
    pub attributes: Vec<(&'static str, String)>,
}

/// `[[role-alias]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAlias {
    /// The name of the role alias at AWS: 1 to 128 of `[A-Za-z0-9_=,@-]` (CreateRoleAlias).
    pub name: String,
    /// Whether it applies to requests that name no role alias.
    pub default: bool,
}

/// `[mqtt]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mqtt {
    /// The keep-alive interval: 30 s to 20 min, in whole seconds on the wire.
    pub keep_alive: Duration,
    /// The session expiry that is requested, at most 7 days. AWS grants what the account allows.
    pub session_expiry: Duration,
    /// The topic of presence and will, in which `{thing}` is not replaced yet; `None` if it is off.
    pub presence_topic: Option<String>,
    /// The longest time between two health reports on that topic; `None` for changes of presence alone.
    pub report_interval: Option<Duration>,
    /// The highest number of messages published per second. AWS IoT accepts 100 per connection.
    pub publish_rate: u32,
    /// The bounds of the outbox and the inbox.
    pub bounds: Bounds,
}
