//! The canonical request and the string to sign (IAM User Guide, "Create a signed AWS API request", steps 1 to 3).

use hyper::HeaderMap;
use hyper::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode};

use super::claim::{ALGORITHM, Claim};
use super::refusal::Refusal;
use crate::sha256;

/// Everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The replacement for the hash of an unsigned body.
const UNSIGNED: &[u8] = b"UNSIGNED-PAYLOAD";

/// Builds the string to sign from the parts of a request.
pub(super) fn string_to_sign(request: &Parts, body: &[u8], claim: &Claim) -> Result<String, Refusal> {
    let hash = sha256::hex(canonical_request(request, body, claim)?.as_bytes());
    let scope = &claim.scope;
    let scope = [&scope.date, &scope.region, &scope.service, &scope.terminator]
        .map(String::as_str)
        .join("/");
    Ok([ALGORITHM, &claim.timestamp, &scope, &hash].join("\n"))
}

fn canonical_request(request: &Parts, body: &[u8], claim: &Claim) -> Result<String, Refusal> {
    let of_s3 = claim.scope.service == "s3";
    Ok([
        request.method.as_str(),
        &if of_s3 {
            object_path(request.uri.path())
        } else {
            path(request.uri.path())
        },
        &query(request.uri.query().unwrap_or_default()),
        &headers(&request.headers, &claim.signed_headers)?,
        &claim.signed_headers.join(";"),
        // For all other services the received body is hashed.
        &if of_s3 {
            payload(request, body, claim)?
        } else {
            sha256::hex(body)
        },
    ]
    .join("\n"))
}

/// Returns the hash of the body. S3's bodies may be unsigned, which the header x-amz-content-sha256 then says (S3 API Reference, "Signature
/// Calculations for the Authorization Header"); for a presigned URL that is the default.
fn payload(request: &Parts, body: &[u8], claim: &Claim) -> Result<String, Refusal> {
    let said = request.headers.get("x-amz-content-sha256").map(|said| said.as_bytes());
    match said {
        Some(UNSIGNED) => {}
        None if claim.lifetime.is_some() => {}
        None => {
            return Err(Refusal::incomplete(
                "Missing required header for this request: x-amz-content-sha256",
            ));
        }
        Some(said) if said.starts_with(b"STREAMING-") => {
            return Err(Refusal::incomplete(
                "Bodies that are signed in chunks are not implemented here",
            ));
        }
        Some(said) => {
            let hash = sha256::hex(body);
            return match said == hash.as_bytes() {
                true => Ok(hash),
                false => Err(Refusal::wrong_signature()),
            };
        }
    }
    Ok(String::from_utf8_lossy(UNSIGNED).into_owned())
}

/// Encodes the name of an object, which is neither normalised nor encoded twice.
fn object_path(path: &str) -> String {
    let encoded = |segment| percent_encode(&percent_decode_str(segment).collect::<Vec<_>>(), ENCODED).to_string();
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

/// Normalises the path, and encodes once more what was already encoded for sending. All services but S3 do so.
fn path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut canonical: String = segments
        .iter()
        .map(|segment| format!("/{}", utf8_percent_encode(segment, ENCODED)))
        .collect();
    let names_a_folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    if canonical.is_empty() || names_a_folder {
        canonical.push('/');
    }
    canonical
}

/// Returns the query sorted by name, then value, with each re-encoded. The signature of a presigned URL is not part of what it signs.
fn query(query: &str) -> String {
    let encode = |text: &str| percent_encode(&percent_decode_str(text).collect::<Vec<_>>(), ENCODED).to_string();
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(name), encode(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Returns the signed headers, one per line. `host` and all of AWS's own headers must be among them.
fn headers(headers: &HeaderMap, signed: &[String]) -> Result<String, Refusal> {
    let must_be_signed = |name: &str| name == "host" || name.starts_with("x-amz-");
    let unsigned = |name: &&str| must_be_signed(name) && !signed.iter().any(|signed| signed == name);
    if let Some(name) = headers.keys().map(|name| name.as_str()).chain(["host"]).find(unsigned) {
        return Err(Refusal::incomplete(format!(
            "'{name}' must be a 'SignedHeader' in the AWS Authorization."
        )));
    }
    let mut canonical = String::new();
    for name in signed {
        let mut values = Vec::new();
        for value in headers.get_all(name) {
            let value = String::from_utf8_lossy(value.as_bytes());
            values.push(value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        }
        if values.is_empty() {
            return Err(Refusal::wrong_signature());
        }
        canonical.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    Ok(canonical)
}

#[cfg(test)]
mod tests {
    use super::{object_path, path, query};

    #[test]
    fn the_path_of_an_object_is_encoded_once_and_nothing_else() {
        for (sent, canonical) in [
            ("/", "/"),
            ("/bucket/a//b/../c", "/bucket/a//b/../c"),
            ("/bucket/a%20b%2Fc", "/bucket/a%20b%2Fc"),
            ("/bucket/a:b@c", "/bucket/a%3Ab%40c"),
        ] {
            assert_eq!(object_path(sent), canonical, "{sent}");
        }
    }

    #[test]
    fn paths_are_normalised_and_encoded_again() {
        for (sent, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("/./", "/"),
            ("//", "/"),
            ("/example/..", "/"),
            ("/example1/example2/../..", "/"),
            ("/../..", "/"),
            ("//example//", "/example/"),
            ("/./example", "/example"),
            ("/example/.", "/example/"),
            ("/-._~0Az", "/-._~0Az"),
            ("/example%20space/", "/example%2520space/"),
            ("/a:b@c", "/a%3Ab%40c"),
        ] {
            assert_eq!(path(sent), canonical, "{sent}");
        }
    }

    #[test]
    fn queries_are_sorted_and_encoded_anew() {
        for (sent, canonical) in [
            ("", ""),
            ("&&", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&A=3", "A=3&a=1&a=2"),
            ("a", "a="),
            ("a=b=c", "a=b%3Dc"),
            ("a=%7e%2f+%20", "a=~%2F%2B%20"),
            ("%E1%88%B4=bar", "%E1%88%B4=bar"),
            ("a=1&X-Amz-Signature=00", "a=1"),
        ] {
            assert_eq!(query(sent), canonical, "{sent}");
        }
    }
}
