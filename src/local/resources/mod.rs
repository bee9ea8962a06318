//! The socket's resources, one file each, and the way from a request to one of them.

mod credentials;
mod csr;
mod status;

use hyper::{Method, Request, StatusCode};

use super::answer::{self, Answer};
use super::peer::Peer;
use super::view::Shared;
use crate::percent;

pub use status::summary;

/// Answers one request. Never waits for anything.
pub fn answer<B>(shared: &Shared, peer: Peer, request: &Request<B>) -> Answer {
    let Some(segments) = segments(request.uri().path()) else {
        return answer::error(
            StatusCode::BAD_REQUEST,
            "malformed",
            "the path is not percent-encoded UTF-8",
            None,
        );
    };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let resource: &dyn Fn() -> Answer = match segments.as_slice() {
        ["v1", "credentials"] => &|| credentials::get(shared, peer, None),
        ["v1", "credentials", alias] => &|| credentials::get(shared, peer, Some(alias)),
        ["v1", "status"] => &|| status::get(shared),
        ["v1", "csr"] => &|| csr::get(shared),
        _ => {
            let hint = "there are /v1/credentials, /v1/credentials/{alias}, /v1/status and /v1/csr";
            return answer::error(StatusCode::NOT_FOUND, "not_found", "no such resource", Some(hint));
        }
    };
    match *request.method() {
        Method::GET => resource(),
        _ => answer::only_get(),
    }
}

/// The path's segments, decoded after splitting: an encoded slash is part of a name, never a separator.
fn segments(path: &str) -> Option<Vec<String>> {
    let decoded = |segment| String::from_utf8(percent::decode(segment)?).ok();
    path.strip_prefix('/')?.split('/').map(decoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_slashes_stay_inside_a_name() {
        assert_eq!(segments("/v1/credentials/a%2fb").unwrap(), ["v1", "credentials", "a/b"]);
        assert_eq!(segments("/v1/credentials/..").unwrap(), ["v1", "credentials", ".."]);
        for bad in ["/v1/%2", "/v1/%ff", "v1"] {
            assert_eq!(segments(bad), None, "{bad}");
        }
    }
}
