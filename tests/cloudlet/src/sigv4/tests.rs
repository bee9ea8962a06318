mod published;

use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use hyper::Request;
use hyper::http::request::Parts;
use proptest::prelude::*;
use ring::hmac;
use time::OffsetDateTime;

use super::claim::{Claim, TIMESTAMP};
use super::{Code, Endpoint, SKEW, canonical, signing_key, verify};
use crate::access_keys::{AccessKeys, Minted};

/// The placeholder for a signature.
const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let builder = Request::builder().method(method).uri(uri);
    let builder = headers
        .iter()
        .fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(()).unwrap().into_parts().0
}

fn signature(request: &Parts, body: &[u8], secret: &str) -> String {
    let claim = Claim::read(request).unwrap();
    let string_to_sign = canonical::string_to_sign(request, body, &claim).unwrap();
    HEXLOWER.encode(hmac::sign(&signing_key(secret, &claim.scope), string_to_sign.as_bytes()).as_ref())
}

/// A store with one access key, and a time at which it is valid.
struct Scene {
    store: AccessKeys,
    minted: Minted,
    now: SystemTime,
}

const LIFETIME: Duration = Duration::from_secs(3_600);
const BODY: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";
const SIGNED: &str = "host;x-amz-date;x-amz-security-token";

impl Scene {
    fn new() -> Self {
        let (store, now) = (
            AccessKeys::new(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_384_800),
        );
        let minted = store.mint("arn:aws:iam::123456789012:role/gateway", "session", now + LIFETIME);
        Self { store, minted, now }
    }

    /// Signs with the right secret, whatever the headers say; leaves the request unsigned if it cannot be signed.
    fn with_headers(&self, scope: &str, signed: &str, token: &str, at: SystemTime) -> Parts {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={BLANK}",
            self.minted.access_key_id
        );
        let mut request = request(
            "POST",
            "/",
            &[
                ("Host", "127.0.0.1"),
                ("X-Amz-Date", &timestamp(at)),
                ("X-Amz-Security-Token", token),
                ("Authorization", &authorization),
            ],
        );
        let complete = Claim::read(&request)
            .and_then(|claim| canonical::string_to_sign(&request, BODY, &claim))
            .is_ok();
        if complete {
            let authorization =
                authorization.replace(BLANK, &signature(&request, BODY, &self.minted.secret_access_key));
            request.headers.insert("authorization", authorization.parse().unwrap());
        }
        request
    }

    fn presigned(&self, expires: &str, at: SystemTime) -> Parts {
        let token: String = form_urlencoded::byte_serialize(self.minted.session_token.as_bytes()).collect();
        let uri = format!(
            "/?Action=GetCallerIdentity&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F20261122%2Fus-east-2%2F\
             sts%2Faws4_request&X-Amz-Date={}{expires}&X-Amz-SignedHeaders=host&X-Amz-Security-Token={token}\
             &X-Amz-Signature={BLANK}",
            self.minted.access_key_id,
            timestamp(at)
        );
        let unsigned = request("GET", &uri, &[("Host", "127.0.0.1")]);
        let signature = signature(&unsigned, b"", &self.minted.secret_access_key);
        request("GET", &uri.replace(BLANK, &signature), &[("Host", "127.0.0.1")])
    }

    fn verify(&self, request: &Parts, body: &[u8], now: SystemTime) -> Result<(), (Code, String)> {
        let endpoint = Endpoint {
            service: "sts".to_owned(),
            region: None,
        };
        match verify(request, body, &endpoint, &self.store, now) {
            Ok(key) => {
                assert_eq!(key.id, self.minted.access_key_id);
                Ok(())
            }
            Err(refusal) => {
                let said = format!("{refusal} {refusal:?}");
                assert!(!said.contains(&self.minted.secret_access_key) && !said.contains(&self.minted.session_token));
                Err((refusal.code, refusal.message))
            }
        }
    }
}

fn timestamp(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(TIMESTAMP).unwrap()
}

const SCOPE: &str = "20261122/us-east-2/sts/aws4_request";

#[test]
fn headers_are_verified() {
    let scene = Scene::new();
    let (now, token) = (scene.now, scene.minted.session_token.as_str());
    let good = || scene.with_headers(SCOPE, SIGNED, token, now);
    assert_eq!(scene.verify(&good(), BODY, now), Ok(()));
    assert_eq!(scene.verify(&good(), BODY, now + SKEW), Ok(()));
    assert_eq!(scene.verify(&good(), BODY, now - SKEW), Ok(()));

    let one = Duration::from_secs(1);
    let wrong = Code::SignatureDoesNotMatch;
    let late = now + SKEW + one;
    for (request, time, code, words) in [
        (
            good(),
            late,
            wrong,
            "Signature expired: 20261122T220000Z is now earlier than 20261122T220001Z (20261122T220501Z - 5 min.)",
        ),
        (
            good(),
            now - SKEW - one,
            wrong,
            "Signature not yet current: 20261122T220000Z is still later than 20261122T215959Z",
        ),
        (
            scene.with_headers(SCOPE, SIGNED, token, now + LIFETIME),
            now + LIFETIME,
            Code::ExpiredToken,
            "is expired",
        ),
        (
            scene.with_headers(SCOPE, SIGNED, "another", now),
            now,
            Code::InvalidClientTokenId,
            "is invalid",
        ),
        (
            scene.with_headers(SCOPE, SIGNED, "", now),
            now,
            Code::InvalidClientTokenId,
            "is invalid",
        ),
        (
            scene.with_headers("20261121/us-east-2/sts/aws4_request", SIGNED, token, now),
            now,
            wrong,
            "'20261121' != '20261122'",
        ),
        (
            scene.with_headers("20261122/mars/sts/aws4_request", SIGNED, token, now),
            now,
            wrong,
            "valid region, not 'mars'",
        ),
        (
            scene.with_headers("20261122/us-east-2/s3/aws4_request", SIGNED, token, now),
            now,
            wrong,
            "correct service: 'sts'",
        ),
        (
            scene.with_headers("20261122/us-east-2/sts/aws5", SIGNED, token, now),
            now,
            wrong,
            "terminator",
        ),
        (
            scene.with_headers(SCOPE, "x-amz-date;x-amz-security-token", token, now),
            now,
            Code::IncompleteSignature,
            "'host' must be",
        ),
        (
            scene.with_headers(SCOPE, "host;x-amz-date", token, now),
            now,
            Code::IncompleteSignature,
            "'x-amz-security-token' must be",
        ),
        (
            scene.with_headers(SCOPE, "absent;host;x-amz-date;x-amz-security-token", token, now),
            now,
            wrong,
            "does not match",
        ),
    ] {
        let (got, message) = scene.verify(&request, BODY, time).unwrap_err();
        assert!(got == code && message.contains(words), "{words}: {got:?} {message}");
    }

    type Change = fn(&mut Parts);
    let changes: [Change; 4] = [
        |request| request.method = hyper::Method::GET,
        |request| request.uri = "/else".parse().unwrap(),
        |request| request.uri = "/?a=b".parse().unwrap(),
        |request| drop(request.headers.insert("host", "127.0.0.2".parse().unwrap())),
    ];
    for change in changes {
        let mut request = good();
        change(&mut request);
        assert_eq!(scene.verify(&request, BODY, now).unwrap_err().0, wrong);
    }
}

#[test]
fn invalid_signatures() {
    let scene = Scene::new();
    let credential = format!("Credential={}/{SCOPE}", scene.minted.access_key_id);
    let value = |rest: &str| format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders={SIGNED}{rest}");
    for (authorization, code, words) in [
        (None, Code::MissingAuthenticationToken, "missing Authentication Token"),
        (Some("Bearer abc".to_owned()), Code::IncompleteSignature, "algorithm"),
        (
            Some("AWS4-HMAC-SHA256".to_owned()),
            Code::IncompleteSignature,
            "requires 'Credential'",
        ),
        (Some(value("")), Code::IncompleteSignature, "requires 'Signature'"),
        (Some(value(", Signature")), Code::IncompleteSignature, "key=value"),
        (
            Some(value(", Signature=zz")),
            Code::SignatureDoesNotMatch,
            "does not match",
        ),
        (
            Some(value(", Signature=")),
            Code::SignatureDoesNotMatch,
            "does not match",
        ),
        (
            Some(value(&format!(",Signature={BLANK}"))),
            Code::SignatureDoesNotMatch,
            "does not match",
        ),
        (
            Some(value(&format!(", Signature={BLANK}")).replace("/sts/", "/")),
            Code::IncompleteSignature,
            "slash-delimited",
        ),
        (
            Some(value(&format!(", Signature={BLANK}")).replace("ASIA", "AKIA")),
            Code::InvalidClientTokenId,
            "is invalid",
        ),
    ] {
        let mut headers = vec![
            ("host", "127.0.0.1".to_owned()),
            ("x-amz-date", timestamp(scene.now)),
            ("x-amz-security-token", scene.minted.session_token.clone()),
        ];
        headers.extend(authorization.clone().map(|value| ("authorization", value)));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (got, message) = scene
            .verify(&request("POST", "/", &headers), BODY, scene.now)
            .unwrap_err();
        assert!(
            got == code && message.contains(words),
            "{authorization:?}: {got:?} {message}"
        );
    }
}

#[test]
fn presigned_urls_are_verified() {
    let scene = Scene::new();
    let now = scene.now;
    let minute = Duration::from_secs(60);
    assert_eq!(
        scene.verify(&scene.presigned("&X-Amz-Expires=60", now), b"", now),
        Ok(())
    );
    assert_eq!(scene.verify(&scene.presigned("", now), b"", now), Ok(()));

    let both = || {
        let mut request = scene.presigned("", now);
        request
            .headers
            .insert("authorization", "AWS4-HMAC-SHA256".parse().unwrap());
        request
    };
    let without_date = request(
        "GET",
        "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/b/c/d/e",
        &[],
    );
    for (request, time, code) in [
        (
            scene.presigned("&X-Amz-Expires=60", now),
            now + minute,
            Code::RequestExpired,
        ),
        (
            scene.presigned("&X-Amz-Expires=604801", now),
            now,
            Code::IncompleteSignature,
        ),
        (scene.presigned("", now), now + 6 * minute, Code::SignatureDoesNotMatch),
        (both(), now, Code::IncompleteSignature),
        (without_date, now, Code::IncompleteSignature),
        (
            scene.presigned("&X-Amz-Expires=7200", now),
            now + LIFETIME,
            Code::ExpiredToken,
        ),
    ] {
        assert_eq!(
            scene.verify(&request, b"", time).unwrap_err().0,
            code,
            "{}",
            request.uri
        );
    }
}

proptest! {
    #[test]
    fn any_other_body_is_refused(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assume!(body != BODY);
        let scene = Scene::new();
        let request = scene.with_headers(SCOPE, SIGNED, &scene.minted.session_token, scene.now);
        prop_assert_eq!(scene.verify(&request, &body, scene.now).unwrap_err().0, Code::SignatureDoesNotMatch);
    }

    #[test]
    fn no_header_and_no_query_panics(
        authorization in "(AWS4-HMAC-SHA256 )?[ -~]{0,80}",
        date in "[0-9TZ]{0,17}",
        query in "[A-Za-z0-9%&=+_.~-]{0,80}",
    ) {
        let scene = Scene::new();
        let headers = [("host", "h"), ("x-amz-date", &date), ("authorization", &authorization)];
        let _ = scene.verify(&request("GET", &format!("/?{query}"), &headers), b"", scene.now);
        let query = format!("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={date}&{query}");
        let _ = scene.verify(&request("GET", &query, &headers[..2]), b"", scene.now);
    }
}
