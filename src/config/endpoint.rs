//! An endpoint in the configuration: a host name and a port.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::ServerName;

use super::aws_name::{AwsName, Service};
use crate::foreign_text;

/// A host name and a port. The host is never an address, because it is sent as SNI, which AWS requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host name in lower case, without a final dot.
    pub host: String,
    /// The TCP port, never 0.
    pub port: u16,
}

impl Endpoint {
    /// Parses `HOST` or `HOST:PORT`, and ignores white space around it.
    ///
    /// # Errors
    /// With the reason if `text` is neither.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let shown = foreign_text::value(text);
        let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
        if let Some(why) = find_paste_fault(text) {
            return Err(format!("{shown} {why}; give the host name alone"));
        }
        let is_address = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let (host, port) = match text.rsplit_once(':') {
            // The last part of an IPv6 address looks like a port.
            _ if is_address(text) => (text, default_port),
            None => (text, default_port),
            Some((host, port)) => match port.parse() {
                Ok(number) if number != 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => (host, number),
                _ => return Err(format!("{shown} does not end in a port from 1 to 65535")),
            },
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let last = host.rsplit('.').next().unwrap_or_default();
        // A host name never ends in a numeric label, so this is an incomplete address.
        if is_address(host) || !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!(
                "{shown} is an address; the host name is needed, which TLS sends as SNI"
            ));
        }
        if host.contains('_') {
            return Err(format!("{shown} is not a host name: it has an underscore"));
        }
        match ServerName::try_from(host) {
            Ok(ServerName::DnsName(_)) => Ok(Self {
                host: host.to_ascii_lowercase(),
                port,
            }),
            _ => Err(format!("{shown} is not a host name")),
        }
    }

    /// Parses the host as an AWS IoT endpoint; `None` for a custom domain.
    ///
    /// # Errors
    /// If the host is in an AWS domain but is not an AWS IoT endpoint.
    pub fn aws_name(&self) -> Result<Option<AwsName>, String> {
        AwsName::parse(&self.host)
    }

    /// Returns the Region of an AWS endpoint.
    pub fn region(&self) -> Option<String> {
        self.aws_name().ok().flatten().map(|name| name.region)
    }

    /// Returns the command that prints the right endpoint.
    pub fn describe_command(&self) -> &'static str {
        match self.aws_name() {
            Ok(Some(name)) if name.service == Service::Credentials => Service::Credentials.describe_command(),
            Ok(None) if self.port == 443 => {
                "aws iot describe-endpoint --endpoint-type iot:CredentialProvider (or iot:Data-ATS, for MQTT)"
            }
            _ => Service::Data.describe_command(),
        }
    }

    /// Returns the host as a TLS server name. This cannot fail for a host that [`parse`](Self::parse) accepted.
    ///
    /// # Errors
    /// If the host is not a DNS name.
    pub fn server_name(&self) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
        ServerName::try_from(self.host.clone())
    }
}

/// Recognises what was pasted around a host name, or instead of one.
fn find_paste_fault(text: &str) -> Option<&'static str> {
    if text.starts_with(['{', '[']) && text.contains('"') {
        return Some("is JSON");
    }
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        return Some("has quotation marks of its own");
    }
    if text.contains("://") {
        return Some("is a URL");
    }
    if text.contains('/') {
        return Some("has a path");
    }
    if text.contains('@') {
        return Some("has a user name");
    }
    text.chars()
        .any(|letter| letter.is_whitespace() || letter.is_control())
        .then_some("is not a host name: it has a blank or a line break in it")
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_with_and_without_port() {
        let data = Some(("a1-ats.iot.us-east-2.amazonaws.com", 8883));
        let cases = [
            ("a1-ats.iot.us-east-2.amazonaws.com", data),
            ("  a1-ats.iot.us-east-2.amazonaws.com\n", data),
            ("\u{feff}a1-ats.iot.us-east-2.amazonaws.com", data),
            ("a1-ats.iot.us-east-2.amazonaws.com.", data),
            ("A1-ATS.IoT.US-East-2.AmazonAWS.com:8883", data),
            ("LOCALHOST:443", Some(("localhost", 443))),
            ("iot.example.com.:443", Some(("iot.example.com", 443))),
        ];
        for (text, expected) in cases {
            let parsed = Endpoint::parse(text, 8883).ok();
            assert_eq!(parsed.as_ref().map(|e| (e.host.as_str(), e.port)), expected, "{text:?}");
        }
    }

    #[test]
    fn each_kind_of_wrong_host_has_its_own_reason() {
        for (text, why) in [
            ("https://a1.iot.example", "is a URL"),
            ("mqtts://a1.iot.example:8883", "is a URL"),
            ("a1.iot.example/mqtt", "has a path"),
            ("\"a1.iot.example\"", "has quotation marks"),
            ("{\"endpointAddress\": \"a1.iot.example\"}", "is JSON"),
            ("user@a1.iot.example", "has a user name"),
            ("a1\n.iot.example", "has a blank or a line break"),
            ("a1 .iot.example", "has a blank or a line break"),
            ("a_1.iot.example", "has an underscore"),
            ("127.0.0.1", "is an address"),
            ("127.0.0.1:8883", "is an address"),
            ("10.0.0", "is an address"),
            ("[::1]:8883", "is an address"),
            ("::1", "is an address"),
            ("fe80::1", "is an address"),
            ("a1.iot.example:8883:443", "is not a host name"),
            ("a1..iot.example", "is not a host name"),
            ("host:", "does not end in a port"),
            ("host:0", "does not end in a port"),
            ("host:+8", "does not end in a port"),
            ("host:70000", "does not end in a port"),
            ("", "is not a host name"),
            (".", "is not a host name"),
        ] {
            let reason = Endpoint::parse(text, 8883).expect_err(text);
            assert!(reason.contains(why) && !reason.contains('\n'), "{text:?}: {reason}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_endpoint_can_be_parsed_again(text in "[ -~\n\u{feff}äA-Z.:-]{0,60}") {
            if let Ok(endpoint) = Endpoint::parse(&text, 8883) {
                prop_assert!(endpoint.server_name().is_ok());
                prop_assert!(!endpoint.host.ends_with('.') && endpoint.port != 0);
                prop_assert_eq!(Endpoint::parse(&endpoint.to_string(), 1), Ok(endpoint));
            }
        }

        #[test]
        fn no_reason_has_a_control_character(text in any::<String>()) {
            if let Err(reason) = Endpoint::parse(&text, 8883) {
                prop_assert!(!reason.chars().any(char::is_control), "{reason:?}");
            }
        }
    }
}
