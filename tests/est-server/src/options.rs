//! The options of a server.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::ca::CaSource;
use crate::events::Observer;
use crate::switches::Switches;

/// A user who may enrol by HTTP Basic authentication.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The secret.
    pub secret: String,
    /// Whether the secret works for one certificate only.
    pub one_time: bool,
}

/// The answer to `GET csrattrs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RequestAttributes {
    /// 404: the server has none.
    #[default]
    NotFound,
    /// 204: the server has none.
    NoContent,
    /// Requires challengePassword, which binds the request to the TLS connection and cannot be computed in TLS 1.3.
    ChallengePassword,
    /// The DER of a CsrAttrs.
    Der(Vec<u8>),
}

/// The options of a server.
#[derive(Clone)]
pub struct Options {
    /// The host name in the server's certificate and its URL.
    pub host: String,
    /// The address to listen on.
    pub listen: IpAddr,
    /// The port; 0 for a free one.
    pub port: u16,
    /// The folder of keys and certificates, which is reused by the next start; `None` for a temporary one.
    pub dir: Option<PathBuf>,
    /// The label in the path (`/.well-known/est/LABEL/...`). The path without a label works as well.
    pub label: Option<String>,
    /// The CA's certificate and key.
    pub ca: CaSource,
    /// The users who may enrol with a secret.
    pub users: Vec<User>,
    /// The CA certificates (PEM) whose holders may enrol for the first time.
    pub bootstrap_cas: Option<String>,
    /// Whether TLS demands a client certificate, so that a client without one is not even heard.
    pub require_certificate: bool,
    /// Whether anybody may enrol.
    pub open: bool,
    /// Whether a used-up secret still works for the same request that used it up, which then gets the same certificate again.
    pub repeat_same_request: bool,
    /// How long certificates are valid.
    pub lifetime: Duration,
    /// The answer to `GET csrattrs`.
    pub request_attributes: RequestAttributes,
    /// The initial switches.
    pub switches: Switches,
    /// Called for each event as it happens.
    pub observer: Option<Observer>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            listen: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            dir: None,
            label: None,
            ca: CaSource::default(),
            users: Vec::new(),
            bootstrap_cas: None,
            require_certificate: false,
            open: false,
            repeat_same_request: false,
            lifetime: Duration::from_secs(90 * 24 * 3600),
            request_attributes: RequestAttributes::default(),
            switches: Switches::default(),
            observer: None,
        }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("one_time", &self.one_time)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("host", &self.host)
            .field("listen", &self.listen)
            .field("port", &self.port)
            .field("dir", &self.dir)
            .field("label", &self.label)
            .field("users", &self.users)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
