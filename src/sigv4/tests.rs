use super::*;
use crate::clock::manual::ManualClock;
use serde::Deserialize;

/// The cases of AWS's signing test suite that fit this interface: paths are normalized and percent-encoded already, tokens
/// are signed, no header is folded.
/// They are in the package of aws-sigv4, aws-signing-test-suite/v4, and use 2015-08-30T12:36:00Z, us-east-1, "service" and 3600 s.
const SUITE: &str = include_str!("tests/suite.json");
const SUITE_TIME: u64 = 1_440_938_160;
const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    payload_hash: String,
    signature: String,
    presigned: Option<String>,
    token: Option<String>,
    #[serde(default)]
    sign_body: bool,
}

fn credentials(id: &str, secret: &str, token: &str, now: u64) -> Credentials {
    let clock = ManualClock::at(now);
    let expiration = SystemTime::UNIX_EPOCH + Duration::from_secs(now + 3600);
    Credentials::received(id, &secret.into(), &token.into(), expiration, &*clock)
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn signature_of(headers: &[(String, String)]) -> &str {
    let (_, value) = headers.iter().find(|(name, _)| name == "authorization").unwrap();
    value.rsplit_once("Signature=").unwrap().1
}

#[test]
fn awss_test_suite() {
    let cases: Vec<Case> = serde_json::from_str(SUITE).unwrap();
    assert!(cases.len() > 25);
    for case in &cases {
        let mut headers: Vec<(&str, &str)> = case.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        if case.sign_body {
            headers.push(("X-Amz-Content-Sha256", &case.payload_hash));
        }
        let request = Request {
            service: "service",
            region: "us-east-1",
            method: &case.method,
            url: &case.url,
            headers,
            payload_hash: Some(&case.payload_hash),
        };
        let credentials = credentials(
            "AKIDEXAMPLE",
            SUITE_SECRET,
            case.token.as_deref().unwrap_or_default(),
            SUITE_TIME,
        );
        let signed = request.headers(&credentials, at(SUITE_TIME)).unwrap();
        assert_eq!(signature_of(&signed), case.signature, "{}", case.name);
        if let Some(expected) = &case.presigned {
            let url = request
                .presign(&credentials, at(SUITE_TIME), Duration::from_secs(3600))
                .unwrap();
            assert!(
                url.contains(&format!("X-Amz-Signature={expected}")),
                "{}: {url}",
                case.name
            );
        }
    }
}

/// S3 API Reference, "Authenticating Requests: Using the Authorization Header" and "... Using Query Parameters".
#[test]
fn awss_examples_for_s3() {
    let now = 1_369_353_600;
    let credentials = credentials("AKIAIOSFODNN7EXAMPLE", S3_SECRET, "", now);
    let request = |method, url, headers, payload_hash| Request {
        service: "s3",
        region: "us-east-1",
        method,
        url,
        headers,
        payload_hash,
    };
    let day = ("Date", "Fri, 24 May 2013 00:00:00 GMT");
    let text = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    for (request, signature) in [
        (
            request(
                "GET",
                "https://examplebucket.s3.amazonaws.com/test.txt",
                vec![("Range", "bytes=0-9")],
                None,
            ),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            request(
                "PUT",
                "https://examplebucket.s3.amazonaws.com/test%24file.text",
                vec![day, ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                Some(text),
            ),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            request("GET", "https://examplebucket.s3.amazonaws.com/?lifecycle", vec![], None),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
    ] {
        let headers = request.headers(&credentials, at(now)).unwrap();
        assert_eq!(signature_of(&headers), signature, "{request:?}");
        assert!(headers.iter().any(|(name, _)| name == "x-amz-content-sha256"));
    }
    let presigned = request("GET", "https://examplebucket.s3.amazonaws.com/test.txt", vec![], None)
        .presign(&credentials, at(now), Duration::from_secs(86400))
        .unwrap();
    assert!(
        presigned.ends_with("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"),
        "{presigned}"
    );
    assert!(presigned.contains("X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"));
}

#[test]
fn an_invalid_request_is_not_signed() {
    let good = Request {
        service: "sts",
        region: "us-east-1",
        method: "GET",
        url: "https://sts.us-east-1.amazonaws.com/",
        headers: vec![],
        payload_hash: None,
    };
    let credentials = credentials("AKIDEXAMPLE", SUITE_SECRET, "token", SUITE_TIME);
    let refused = |request: Request| {
        let headers = request.headers(&credentials, at(SUITE_TIME)).unwrap_err();
        let presigned = request
            .presign(&credentials, at(SUITE_TIME), Duration::from_secs(1))
            .unwrap_err();
        assert_eq!(headers, presigned);
        headers.0
    };
    assert!(good.headers(&credentials, at(SUITE_TIME)).is_ok());
    for url in [
        "",
        "/",
        "ftp://h/",
        "https://",
        "https:///x",
        "sts.amazonaws.com",
        "https://u:p@h/",
        "https://h/#f",
        "https://h /",
        "https://h/a\r\nb",
    ] {
        assert!(
            refused(Request { url, ..good.clone() }).starts_with("the url "),
            "{url}"
        );
    }
    for method in ["", "get", "G T", "GET\r\n"] {
        assert!(
            refused(Request { method, ..good.clone() }).contains("method"),
            "{method}"
        );
    }
    for name in ["", "us east", "us/east", "ü"] {
        assert!(
            refused(Request {
                region: name,
                ..good.clone()
            })
            .contains("region"),
            "{name}"
        );
        assert!(
            refused(Request {
                service: name,
                ..good.clone()
            })
            .contains("service"),
            "{name}"
        );
    }
    for header in [("", "x"), ("a b", "x"), ("a", "x\r\ny"), ("a", "\0")] {
        let headers = vec![header];
        assert!(
            refused(Request {
                headers,
                ..good.clone()
            })
            .contains("header"),
            "{header:?}"
        );
    }
    for hash in ["", "x", &EMPTY.to_uppercase(), &EMPTY[1..]] {
        let payload_hash = Some(hash);
        assert!(
            refused(Request {
                payload_hash,
                ..good.clone()
            })
            .contains("payload_hash"),
            "{hash}"
        );
    }
}

#[test]
fn values_of_a_repeated_header_field_are_joined_by_commas() {
    let credentials = credentials("AKIDEXAMPLE", SUITE_SECRET, "token", SUITE_TIME);
    let signature = |headers: &[(&'static str, &'static str)]| {
        let request = Request {
            service: "sts",
            region: "us-east-1",
            method: "GET",
            url: "https://sts.us-east-1.amazonaws.com/",
            headers: headers.to_vec(),
            payload_hash: None,
        };
        let signed = request.headers(&credentials, at(SUITE_TIME)).unwrap();
        signature_of(&signed).to_owned()
    };
    let joined = signature(&[("x-amz-meta", "b,a")]);
    assert_eq!(signature(&[("x-amz-meta", "b"), ("x-amz-meta", "a")]), joined);
    assert_eq!(signature(&[("X-Amz-Meta", "b"), ("x-amz-meta", " a ")]), joined);
    assert_eq!(
        signature(&[("x-amz-meta", "b"), ("x-other", "c"), ("x-amz-meta", "a")]),
        signature(&[("x-other", "c"), ("x-amz-meta", "b,a"),])
    );
    assert_ne!(signature(&[("x-amz-meta", "a"), ("x-amz-meta", "b")]), joined);
}

#[test]
fn a_websocket_is_signed_as_the_request_that_opens_it() {
    let credentials = credentials("AKIDEXAMPLE", SUITE_SECRET, "token", SUITE_TIME);
    let presigned = |url: &str, service: &str| {
        let request = Request {
            service,
            region: "us-east-1",
            method: "GET",
            url,
            headers: Vec::new(),
            payload_hash: None,
        };
        request
            .presign(&credentials, at(SUITE_TIME), Duration::from_secs(60))
            .unwrap()
    };
    for service in ["iotdevicegateway", "execute-api", "transcribe"] {
        let https = presigned("https://h.example/mqtt", service);
        let wss = presigned("wss://h.example/mqtt", service);
        assert_eq!(wss.strip_prefix("wss"), https.strip_prefix("https"), "{service}");
    }
}
