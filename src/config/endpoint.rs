//! An AWS endpoint: a host name and a port.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::ServerName;

use crate::foreign_text;

/// Where to connect. The host is a name, never an address: it is sent as SNI, without which AWS refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host name in lower case.
    pub host: String,
    /// The TCP port, never 0.
    pub port: u16,
}

impl Endpoint {
    /// Reads `HOST` or `HOST:PORT`.
    ///
    /// # Errors
    /// With the reason, when `text` is something else.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let shown = foreign_text::value(text);
        if text.contains("://") {
            return Err(format!("{shown} is a URL; give the host name alone"));
        }
        let (host, port) = match text.rsplit_once(':') {
            None => (text, default_port),
            Some((host, port)) => match port.parse() {
                Ok(port) if port != 0 => (host, port),
                _ => return Err(format!("{shown} does not end in a port from 1 to 65535")),
            },
        };
        if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            return Err(format!(
                "{shown} is an address; AWS needs the host name (it is sent as SNI)"
            ));
        }
        match ServerName::try_from(host) {
            Ok(ServerName::DnsName(_)) => Ok(Self {
                host: host.to_ascii_lowercase(),
                port,
            }),
            _ => Err(format!(
                "{shown} is no host name; `aws iot describe-endpoint` prints yours"
            )),
        }
    }

    /// The Region in the name of an AWS endpoint (AWS General Reference, "AWS IoT Core endpoints and quotas").
    pub fn region(&self) -> Option<String> {
        let (_, rest) = self.host.split_once(".iot.")?;
        let (region, domain) = rest.split_once('.')?;
        domain.starts_with("amazonaws.com").then(|| region.to_owned())
    }

    /// The host as TLS wants it; cannot fail for a host that [`parse`](Self::parse) let through.
    ///
    /// # Errors
    /// When the host is no DNS name.
    pub fn server_name(&self) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
        ServerName::try_from(self.host.clone())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_in_the_name_of_an_aws_endpoint_only() {
        for (host, expected) in [
            ("a1b2c3-ats.iot.us-east-2.amazonaws.com", Some("us-east-2")),
            ("c4d5e6.credentials.iot.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("a1b2c3.iot.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("iot.example.com", None),
            ("a.iot.example.com", None),
            ("localhost", None),
        ] {
            let endpoint = Endpoint::parse(host, 443).unwrap();
            assert_eq!(endpoint.region().as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn hosts_with_and_without_port() {
        let cases = [
            (
                "a1-ats.iot.us-east-2.amazonaws.com",
                Some(("a1-ats.iot.us-east-2.amazonaws.com", 8883)),
            ),
            ("LOCALHOST:443", Some(("localhost", 443))),
            ("https://a1.iot.example", None),
            ("127.0.0.1", None),
            ("[::1]:8883", None),
            ("::1", None),
            ("a b.example", None),
            ("host:", None),
            ("host:0", None),
            ("host:70000", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let parsed = Endpoint::parse(text, 8883).ok();
            assert_eq!(parsed.as_ref().map(|e| (e.host.as_str(), e.port)), expected, "{text:?}");
        }
    }
}
