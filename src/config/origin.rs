//! The server that HTTP requests go to: a scheme, a host and a port.

use std::fmt;

use hyper::Uri;

use super::Endpoint;

/// A scheme, a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether the scheme is https. Plain HTTP is for servers on this machine, in tests.
    pub is_tls: bool,
    /// The host name or address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl From<&Endpoint> for Origin {
    fn from(endpoint: &Endpoint) -> Self {
        Self {
            is_tls: true,
            host: endpoint.host.clone(),
            port: endpoint.port,
        }
    }
}

impl Origin {
    /// Parses a URL without path and query, as the variable AWS_ENDPOINT_URL has it.
    ///
    /// # Errors
    /// With the reason if `text` has another form.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| "this is not a URL")?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("this is not a URL with scheme and host");
        };
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("only scheme, host and port may be in the URL");
        }
        let is_tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err("the scheme is neither https nor http"),
        };
        Ok(Self {
            is_tls,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
        })
    }

    /// Returns the host, in brackets if it is an IPv6 address, with the port unless it is the scheme's default.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => host,
            _ => format!("{host}:{}", self.port),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}
