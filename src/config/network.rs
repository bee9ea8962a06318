//! `[network]`: its types and its checks.

use std::fmt;
use std::path::PathBuf;

use rustls::pki_types::ServerName;

use super::findings::Findings;
use super::raw::RawNetwork;
use super::values::{check_basic_user, parse_absolute_path};
use crate::foreign_text;

/// `[network]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The HTTP proxy through which servers are reached; `None` for direct connections.
    pub proxy: Option<Proxy>,
}

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy's address.
    pub address: ProxyAddress,
    /// The user name; `None` for a proxy without authentication.
    pub user: Option<String>,
    /// The file with the user's password; `None` for the systemd credential `proxy-secret`.
    pub secret_file: Option<PathBuf>,
    /// Hosts that are reached without the proxy.
    pub no_proxy: Vec<HostPattern>,
}

/// The host and the port of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAddress {
    /// The host name or IP address.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

/// A host name, or all names below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(String);

impl Proxy {
    /// Returns whether `host` is reached through the proxy.
    pub fn applies_to(&self, host: &str) -> bool {
        !self.no_proxy.iter().any(|pattern| pattern.matches(host))
    }
}

impl ProxyAddress {
    /// Parses `http://HOST:PORT`.
    ///
    /// # Errors
    /// With the reason if `text` has another form. A password in it is never repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "write http://HOST:PORT";
        let text = text.trim();
        // This check comes first, so that a password is never repeated in a message.
        if text.contains('@') {
            return Err(
                "has a user name in it; the name belongs in network.proxy-user, and the password into a file of its own \
                 (network.proxy-secret-file) or the systemd credential proxy-secret"
                    .to_owned(),
            );
        }
        let shown = foreign_text::value(text);
        if text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return Err(format!("{shown} has a blank in it; {FORM}"));
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| format!("{shown} has no scheme; {FORM}"))?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => {
                return Err(format!(
                    "{shown}: gatepost speaks to the proxy in plain HTTP, and TLS with AWS goes through it unopened; {FORM}, with \
                     the proxy's HTTP port"
                ));
            }
            "socks" | "socks4" | "socks4a" | "socks5" | "socks5h" => {
                return Err(format!(
                    "{shown}: SOCKS is not supported, only HTTP proxies with CONNECT"
                ));
            }
            _ => return Err(format!("{shown} has another scheme than http; {FORM}")),
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(format!("{shown} has a path; {FORM}"));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => return Err(format!("{shown} has no port, and proxies have no usual one; {FORM}")),
        };
        let port = match port.parse() {
            Ok(number) if number != 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => number,
            _ => return Err(format!("{shown} does not end in a port from 1 to 65535")),
        };
        let host = match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) if inner.contains(':') => inner,
            None if !host.contains(':') => host.strip_suffix('.').unwrap_or(host),
            _ => {
                return Err(format!(
                    "{shown}: an IPv6 address stands in brackets, http://[ADDRESS]:PORT"
                ));
            }
        };
        match ServerName::try_from(host) {
            Ok(_) => Ok(Self {
                host: host.to_ascii_lowercase(),
                port,
            }),
            Err(_) => Err(format!("{shown} has no host name or address; {FORM}")),
        }
    }
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl HostPattern {
    /// Parses a host name, or a domain after a dot (`.example.com`) for all names below it.
    ///
    /// # Errors
    /// With the reason if `text` is neither.
    fn parse(text: &str) -> Result<Self, String> {
        let shown = foreign_text::value(text);
        let name = text.trim();
        let name = name
            .strip_prefix('*')
            .filter(|rest| rest.starts_with('.'))
            .unwrap_or(name);
        let host = name.strip_prefix('.').unwrap_or(name);
        match ServerName::try_from(host) {
            Ok(ServerName::DnsName(_)) => Ok(Self(name.to_ascii_lowercase())),
            _ => Err(format!(
                "{shown} is not a host name; write a name, or .DOMAIN for all names below it"
            )),
        }
    }

    fn matches(&self, host: &str) -> bool {
        match self.0.starts_with('.') {
            true => host.len() > self.0.len() && host.ends_with(&self.0),
            false => host == self.0,
        }
    }
}

/// Checks `[network]`.
pub(super) fn check_network(raw: RawNetwork, findings: &mut Findings) -> Network {
    let address = findings.parse_optional("network.proxy", raw.proxy, ProxyAddress::parse);
    let user = findings.parse_optional("network.proxy-user", raw.proxy_user, check_basic_user);
    let secret_file = findings.parse_optional("network.proxy-secret-file", raw.proxy_secret_file, parse_absolute_path);
    let no_proxy: Vec<HostPattern> = raw
        .no_proxy
        .iter()
        .filter_map(|text| findings.check("network.no-proxy", HostPattern::parse(text)))
        .collect();
    let Some(address) = address else {
        let unused = [
            ("network.proxy-user", user.is_some()),
            ("network.proxy-secret-file", secret_file.is_some()),
            ("network.no-proxy", !no_proxy.is_empty()),
        ];
        for (key, _) in unused.into_iter().filter(|(_, is_set)| *is_set) {
            findings.add_note(key, "is not used without network.proxy");
        }
        return Network::default();
    };
    if secret_file.is_some() && user.is_none() {
        findings.add_fault(
            "network.proxy-secret-file",
            "needs network.proxy-user, the name that the password belongs to",
        );
    }
    let proxy = Some(Proxy {
        address,
        user,
        secret_file,
        no_proxy,
    });
    Network { proxy }
}

#[cfg(test)]
mod tests;
