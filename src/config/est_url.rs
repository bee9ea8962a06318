//! The URL of an EST server, as `enrolment.est.url` gives it.

use std::fmt;

use super::Endpoint;
use crate::foreign_text;

/// The path of EST under a host (RFC 7030, 3.2.2); a label may follow.
const WELL_KNOWN: &str = "/.well-known/est";
const MAX_LABEL: usize = 128;

/// The URL of an EST server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EstUrl {
    /// The host and the port.
    pub endpoint: Endpoint,
    /// The label of a server with several CAs.
    pub label: Option<String>,
}

impl EstUrl {
    /// Parses `https://HOST[:PORT]`, optionally followed by `/.well-known/est` and a label.
    ///
    /// # Errors
    /// With the reason if `text` has another form.
    pub fn parse(text: &str) -> Result<Self, String> {
        // This check comes first, because a password may contain any character, and must not be repeated in a message.
        if text.contains('@') {
            return Err(
                "has a user name in it; set enrolment.est.user and enrolment.est.secret-file instead".to_owned(),
            );
        }
        let shown = foreign_text::value(text);
        let Some(rest) = text.strip_prefix("https://") else {
            return Err(format!("{shown} does not begin with https://"));
        };
        if rest.contains(['?', '#']) {
            return Err(format!("{shown} has a query or a fragment"));
        }
        let (host, path) = match rest.find('/') {
            Some(place) => rest.split_at(place),
            None => (rest, ""),
        };
        if host.is_empty() || host.starts_with(':') {
            return Err(format!("{shown} has no host name after https://"));
        }
        let endpoint = Endpoint::parse(host, 443)?;
        let label = parse_path(path).map_err(|fault| format!("{shown} {fault}"))?;
        Ok(Self { endpoint, label })
    }

    /// Returns the path prefix of the EST operations.
    pub fn path(&self) -> String {
        match &self.label {
            Some(label) => format!("{WELL_KNOWN}/{label}"),
            None => WELL_KNOWN.to_owned(),
        }
    }
}

/// Parses the path of the URL, and returns the label in it: one path segment of letters, digits and `-._~`, which need no escaping
/// (RFC 3986, 2.3).
///
/// # Errors
/// With the fault of the path, as a predicate of the URL.
fn parse_path(path: &str) -> Result<Option<String>, String> {
    const OPERATIONS: [&str; 5] = ["cacerts", "csrattrs", "simpleenroll", "simplereenroll", "serverkeygen"];
    let path = path.trim_end_matches('/');
    if path.is_empty() || path == WELL_KNOWN {
        return Ok(None);
    }
    let Some(label) = path.strip_prefix(WELL_KNOWN).and_then(|rest| rest.strip_prefix('/')) else {
        return Err(format!("has another path than {WELL_KNOWN} with a label"));
    };
    if OPERATIONS.contains(&label) {
        return Err(format!("ends with the EST operation {label}; leave it out"));
    }
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_dots = label.bytes().all(|byte| byte == b'.');
    if label.len() > MAX_LABEL || !label.bytes().all(is_legal) || is_dots {
        return Err(format!(
            "has no valid label after {WELL_KNOWN}/: it must be one path segment of letters, digits and -._~"
        ));
    }
    Ok(Some(label.to_owned()))
}

impl fmt::Display for EstUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.endpoint, self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_label_are_read_and_everything_else_is_refused() {
        for (text, expected) in [
            ("https://est.example", Ok("https://est.example:443/.well-known/est")),
            ("https://EST.Example/", Ok("https://est.example:443/.well-known/est")),
            (
                "https://est.example:8443",
                Ok("https://est.example:8443/.well-known/est"),
            ),
            (
                "https://est.example/.well-known/est",
                Ok("https://est.example:443/.well-known/est"),
            ),
            (
                "https://est.example/.well-known/est/",
                Ok("https://est.example:443/.well-known/est"),
            ),
            (
                "https://est.example/.well-known/est/fleet",
                Ok("https://est.example:443/.well-known/est/fleet"),
            ),
            (
                "https://est.example/.well-known/est/fleet_1",
                Ok("https://est.example:443/.well-known/est/fleet_1"),
            ),
            (
                "https://est.example/.well-known/est/fleet-1.a~",
                Ok("https://est.example:443/.well-known/est/fleet-1.a~"),
            ),
            ("https://est.example/.well-known/est/a/b", Err("no valid label")),
            (
                "https://est.example/.well-known/est/cacerts",
                Err("operation cacerts; leave it out"),
            ),
            ("https://est.example/.well-known/est/..", Err("no valid label")),
            ("https://est.example/.well-known/established", Err("another path")),
            ("https://est.example//.well-known/est", Err("another path")),
            (
                "https://est.example/.well-known/est/fleet/simpleenroll",
                Err("no valid label"),
            ),
            ("https://est.example/est", Err("another path")),
            ("http://est.example", Err("begin with https://")),
            ("est.example", Err("begin with https://")),
            ("https://", Err("no host name")),
            ("https://:8443", Err("no host name")),
            ("https://192.0.2.1", Err("is an address")),
            ("https://est.example:0", Err("port from 1 to 65535")),
            ("https://est_1.example", Err("underscore")),
            ("https://user:hunter2@est.example", Err("secret-file instead")),
            ("https://user:hunter2/@est.example", Err("secret-file instead")),
            ("https://user:hunter2?@est.example", Err("secret-file instead")),
            ("https://user:#hunter2@est.example", Err("secret-file instead")),
            ("https://user:hunter2 x@est.example", Err("secret-file instead")),
            (
                "https://user:a,hunter2@est.example/.well-known/est",
                Err("secret-file instead"),
            ),
            ("http://user:hunter2@est.example", Err("secret-file instead")),
            ("user:hunter2@est.example", Err("secret-file instead")),
            ("https://est.example?a=b", Err("query")),
        ] {
            match (EstUrl::parse(text), expected) {
                (Ok(url), Ok(expected)) => {
                    assert_eq!(url.to_string(), expected, "{text}");
                    assert_eq!(EstUrl::parse(&url.to_string()), Ok(url), "{text}");
                }
                (Err(why), Err(part)) => {
                    assert!(why.contains(part) && !why.contains("hunter2"), "{text}: {why}");
                }
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }
}
