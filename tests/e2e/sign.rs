//! POST /v1/sign and `gatepost sign`: programs without an SDK have their requests signed, and AWS accepts them.

use rig::unix_http::{self, Response};
use rig::{command, user};
use serde_json::{Value, json};

use crate::command::{client, contains_all, run};
use crate::support::{Gateway, World};

const QUERY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

fn post(gateway: &Gateway, body: &[u8]) -> Response {
    let head = format!(
        "POST /v1/sign HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    unix_http::request_raw(&gateway.socket(), &[head.as_bytes(), body].concat()).unwrap()
}

/// Returns the status code and body of curl's response.
fn curl(arguments: &[&str], headers: &str) -> (String, String) {
    let mut curl = command::command("sh");
    curl.args([
        "-c",
        "printf '%s' \"$0\" | curl -s -w '\\n%{http_code}' -H @- \"$@\"",
        headers,
    ])
    .args(arguments);
    let printed = command::run(&mut curl, "curl").unwrap();
    let (body, status) = printed.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

fn signed(gateway: &Gateway, arguments: &[&str]) -> String {
    let (code, out, reason) = run(&mut client(gateway, &[&["sign"], arguments].concat()));
    assert_eq!((code, reason.as_str()), (0, ""), "{arguments:?}");
    out
}

#[test]
fn aws_accepts_what_gatepost_has_signed() {
    let mut world = World::new();
    world.bring_online();
    let gateway = &world.gateway;
    let sts = ["--service", "sts", "--region", "us-east-1"];
    let endpoint = format!("{}/", world.cloud.api_endpoint());
    let url = format!("{endpoint}?{QUERY}");
    let arn = "assumed-role/telemetry/";

    let headers = signed(gateway, &[&sts[..], &[&url]].concat());
    let (status, body) = curl(&[&url], &headers);
    assert_eq!(status, "200", "{body}");
    assert!(body.contains(arn), "{body}");

    let hash = "ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843";
    let form = "Content-Type: application/x-www-form-urlencoded";
    let posted = [
        &sts[..],
        &["--method", "POST", "--header", form, "--payload-hash", hash, &endpoint],
    ]
    .concat();
    let headers = signed(gateway, &posted);
    let (status, body) = curl(&["-H", form, "--data", QUERY, &endpoint], &headers);
    assert_eq!(status, "200", "{body}");
    let (status, body) = curl(&["-H", form, "--data", &format!("{QUERY}&x=y"), &endpoint], &headers);
    assert_eq!(status, "403", "another body than was signed: {body}");
    assert!(body.contains("SignatureDoesNotMatch"), "{body}");

    let presigned = signed(
        gateway,
        &[&sts[..], &["--alias", "telemetry", "--expires", "60", &url]].concat(),
    );
    let (status, body) = curl(&[presigned.trim()], "");
    assert_eq!(status, "200", "{body}");
    assert!(body.contains(arn), "{body}");
    let (status, body) = curl(&[&presigned.trim().replace("Expires=60", "Expires=61")], "");
    assert_eq!(status, "403", "{body}");

    let sign = [&sts[..], &["--expires", "36000", &url]].concat();
    let (code, presigned, reason) = run(&mut client(gateway, &[&["sign"], &sign[..]].concat()));
    assert!(code == 0 && presigned.starts_with("http"), "{reason}");
    contains_all(
        &reason,
        &[
            "good for 3",
            "not for 36000 s",
            "the credentials that sign it end at 20",
        ],
    );
    let twice = [
        &sts[..],
        &["--header", "X-Amz-Meta-A: 2", "--header", "x-amz-meta-a: 1", &url],
    ]
    .concat();
    let headers = signed(gateway, &twice);
    let (status, body) = curl(&["-H", "X-Amz-Meta-A: 2", "-H", "X-Amz-Meta-A: 1", &url], &headers);
    assert_eq!(status, "200", "both values are signed: {body}");
    let (status, _) = curl(&["-H", "X-Amz-Meta-A: 1", &url], &headers);
    assert_eq!(status, "403", "both values are signed");

    let long = json!({ "service": "s3", "region": "us-east-2", "method": "GET", "url": "https://b.s3.us-east-2.amazonaws.com/k",
        "expires": 604_800 });
    let answer = post(gateway, long.to_string().as_bytes()).json().unwrap();
    let end: Value = gateway.credentials().json().unwrap()["Expiration"].clone();
    let (given, end) = (answer["expires"].as_str().unwrap(), end.as_str().unwrap());
    assert!(given <= end, "{given}: a URL never outlives its credentials, {end}");
}

#[test]
fn unsignable_requests_are_refused_without_showing_secrets() {
    let mut world = World::new();
    world.gateway.config.push_str("\n[[role-alias]]\nname = \"video\"\n");
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    world.gateway.wait_for_text("role_aliases.1.phase", "failing");
    let gateway = &world.gateway;
    let secret = gateway.credentials().json().unwrap()["SecretAccessKey"]
        .as_str()
        .unwrap()
        .to_owned();
    let good = json!({ "service": "sts", "region": "us-east-1", "method": "GET", "url": "https://h/" });
    let with = |change: Value| {
        let mut wanted = good.clone();
        wanted
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        wanted.to_string().into_bytes()
    };
    let without = |name: &str| {
        let mut wanted = good.clone();
        wanted.as_object_mut().unwrap().remove(name);
        wanted.to_string().into_bytes()
    };
    let large = "x".repeat(70_000);
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("good", with(json!({})), 200, "AWS4-HMAC-SHA256 Credential=ASIA"),
        (
            "a header",
            with(json!({ "headers": { "X-Y": "z" } })),
            200,
            "host;x-amz-date;x-amz-security-token;x-y",
        ),
        (
            "a header twice",
            with(json!({ "headers": { "X-Y": ["z", "a"] } })),
            200,
            "host;x-amz-date;x-amz-security-token;x-y",
        ),
        (
            "a header that is a number",
            with(json!({ "headers": { "X-Y": 1 } })),
            400,
            "a text, or a list of texts",
        ),
        (
            "a WebSocket",
            with(json!({ "service": "iotdevicegateway", "url": "wss://h/mqtt", "expires": 60 })),
            200,
            "wss://h/mqtt?X-Amz-",
        ),
        (
            "a space in the URL",
            with(json!({ "url": "https://h/my photo.jpg" })),
            400,
            "a space at position 13: write it as %20",
        ),
        ("nothing", vec![], 400, "does not describe a request"),
        ("no JSON", b"service=s3".to_vec(), 400, "does not describe a request"),
        ("no object", b"[]".to_vec(), 400, "does not describe a request"),
        ("no UTF-8", b"\"\xff\"".to_vec(), 400, "does not describe a request"),
        ("no service", without("service"), 400, "missing field `service`"),
        ("no region", without("region"), 400, "missing field `region`"),
        ("no method", without("method"), 400, "missing field `method`"),
        ("no url", without("url"), 400, "missing field `url`"),
        (
            "an unknown field",
            with(json!({ "secret": 1 })),
            400,
            "unknown field `secret`",
        ),
        (
            "two aliases",
            br#"{"role_alias":"a","role_alias":"b"}"#.to_vec(),
            400,
            "duplicate field `role_alias`",
        ),
        ("a relative URL", with(json!({ "url": "/x" })), 400, "url"),
        (
            "another scheme",
            with(json!({ "url": "file:///etc/passwd" })),
            400,
            "url",
        ),
        (
            "a header with a line end",
            with(json!({ "headers": { "a": "b\r\nc: d" } })),
            400,
            "header",
        ),
        (
            "a body without a hash",
            with(json!({ "method": "PUT" })),
            400,
            "payload_hash is needed",
        ),
        (
            "half a hash",
            with(json!({ "payload_hash": "e3b0" })),
            400,
            "payload_hash",
        ),
        ("no time at all", with(json!({ "expires": 0 })), 400, "expires"),
        ("more than a week", with(json!({ "expires": 604_801 })), 400, "expires"),
        ("a negative time", with(json!({ "expires": -1 })), 400, "expires"),
        (
            "a month-long name",
            with(json!({ "region": large })),
            413,
            "more than 32768 bytes",
        ),
        (
            "as many header fields as may be",
            with(json!({ "headers": many(64) })),
            200,
            "x-h0",
        ),
        (
            "one header field more",
            with(json!({ "headers": many(65) })),
            400,
            "65 header fields, and at most 64 are signed",
        ),
        (
            "as many parameters as may be",
            with(json!({ "url": format!("https://h/?{}", ["a=b"; 128].join("&")) })),
            200,
            "authorization",
        ),
        (
            "one parameter more",
            with(json!({ "url": format!("https://h/?{}", ["a=b"; 129].join("&")) })),
            400,
            "129 parameters in its URL, and at most 128 are signed",
        ),
        (
            "an unknown alias",
            with(json!({ "role_alias": "../x" })),
            404,
            "no role alias named",
        ),
        (
            "an alias without credentials",
            with(json!({ "role_alias": "video" })),
            503,
            "video",
        ),
    ];
    for (what, body, status, words) in cases {
        let answer = post(gateway, &body);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{what}: {text}");
        assert!(text.contains(words), "{what}: {text}");
        assert!(!text.contains(&secret), "{what}");
    }
    assert_eq!(gateway.get("/v1/sign").status, 405);
    let unfinished = b"POST /v1/sign HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{";
    let stream = unix_http::connect(&gateway.socket()).unwrap();
    let answer = unix_http::parse(&unix_http::converse(stream, unfinished).unwrap()).unwrap();
    assert_eq!(answer.status, 408, "a body that never comes");
    let chunked = b"POST /v1/sign HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(unix_http::request_raw(&gateway.socket(), chunked).unwrap().status, 400);
    assert_eq!(gateway.credentials().status, 200, "and the next caller notices nothing");

    let (code, out, reason) = run(&mut client(
        gateway,
        &[
            "sign",
            "--service",
            "s3",
            "--region",
            "r",
            "--method",
            "PUT",
            "https://h/",
        ],
    ));
    assert_eq!((code, out.as_str()), (64, ""));
    contains_all(&reason, &["payload_hash is needed"]);
    let log = world.gateway.log();
    assert!(!log.contains(&secret), "promise 10");
}

fn many(count: usize) -> Value {
    (0..count)
        .map(|number| (format!("x-h{number}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn promise_7_signing_needs_access_to_the_role_alias() {
    if !user::is_root() {
        eprintln!("NOT TESTED: signing as another user, because only root may act as one");
        return;
    }
    let mut world = World::new();
    world.bring_online();
    let folder = world.gateway.folder.path();
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let body = json!({ "service": "sts", "region": "us-east-1", "method": "GET", "url": "https://h/" }).to_string();
    let answer = user::act_as(61009, 61009, || post(&world.gateway, body.as_bytes())).unwrap();
    assert_eq!(answer.status, 403);
    assert!(!String::from_utf8_lossy(&answer.body).contains("AWS4-HMAC"));
    // The rule is checked before the body is read, so a body that never arrives costs nothing.
    let unfinished = b"POST /v1/sign HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{";
    let answer = user::act_as(61009, 61009, || {
        unix_http::request_raw(&world.gateway.socket(), unfinished).unwrap()
    });
    assert_eq!(answer.unwrap().status, 403);
    contains_all(&world.gateway.log(), &["uid 61009", "was refused role alias telemetry"]);
}
