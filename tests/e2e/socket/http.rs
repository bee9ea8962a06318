//! Requests that no SDK sends: each is answered or the connection ended, and none affects the next caller.

use std::io::{Read, Write};

use rig::unix_http::{self, Response};

use crate::support::World;

/// The connection was closed without a response: HTTP has none for this case, or the sender would not understand it.
const CLOSED: u16 = 0;

#[test]
fn malformed_requests_are_answered_or_disconnected() {
    let mut world = World::new();
    world.bring_online();
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n");
    let alias = |name: &str| get(&format!("/v1/credentials/{name}"), "");
    let credentials = "/v1/credentials";
    let long = "a".repeat(17_000);
    let many = (0..40).map(|n| format!("X-{n}: 1\r\n")).collect::<String>();
    let cases: Vec<(&str, String, &[u16])> = vec![
        ("the default alias", get(credentials, ""), &[200]),
        ("a named alias", alias("telemetry"), &[200]),
        ("a percent-encoded name", alias("tele%6Detry"), &[200]),
        ("a query", get("/v1/credentials?x=1", ""), &[200]),
        ("absolute form", get("http://localhost/v1/credentials", ""), &[200]),
        ("HTTP/1.0", "GET /v1/credentials HTTP/1.0\r\n\r\n".into(), &[200]),
        ("an unknown alias", alias("video"), &[404]),
        ("an alias in another case", alias("Telemetry"), &[404]),
        ("no alias", alias(""), &[404]),
        ("path traversal", alias("../status"), &[404]),
        ("encoded path traversal", alias("%2e%2e%2fstatus"), &[404]),
        ("an encoded slash", alias("telemetry%2f"), &[404]),
        ("a name of 129 characters", alias(&"a".repeat(129)), &[404]),
        ("an encoded line end", alias("a%0d%0aX:%20y"), &[404]),
        ("an encoded NUL", alias("telemetry%00"), &[404]),
        ("no UTF-8", alias("%ff"), &[400]),
        ("half an escape", alias("%2"), &[400]),
        ("no version in the path", get("/credentials", ""), &[404]),
        ("an empty segment", get("//v1/credentials", ""), &[404]),
        ("another method", get(credentials, "").replace("GET", "POST"), &[405]),
        ("an unknown method", get(credentials, "").replace("GET", "BREW"), &[405]),
        ("HEAD", get(credentials, "").replace("GET", "HEAD"), &[405]),
        (
            "a body on GET",
            get(credentials, "Content-Length: 4\r\n") + "body",
            &[200],
        ),
        (
            "a body that never comes",
            get(credentials, "Content-Length: 999999999\r\n"),
            &[200],
        ),
        (
            "two lengths",
            get(credentials, "Content-Length: 1\r\nContent-Length: 2\r\n"),
            &[400],
        ),
        (
            "a length that is not a number",
            get(credentials, "Content-Length: -1\r\n"),
            &[400],
        ),
        (
            "length and chunks",
            get(credentials, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
            &[200, 400],
        ),
        ("a huge header", get(credentials, &format!("X: {long}\r\n")), &[431]),
        ("too many headers", get(credentials, &many), &[431]),
        ("a huge request line", get(&format!("/{long}"), ""), &[414, 431]),
        ("a header without a colon", get(credentials, "nonsense\r\n"), &[400]),
        ("a NUL in a header", get(credentials, "X: a\0b\r\n"), &[400]),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &[CLOSED, 400]),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".into(), &[CLOSED, 400]),
        ("another protocol", "SSH-2.0-OpenSSH_9\r\n\r\n".into(), &[400]),
    ];
    for (name, request, expected) in cases {
        let bytes = unix_http::exchange(&world.gateway.socket(), request.as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).map_or(CLOSED, |status| status.parse().unwrap());
        assert!(expected.contains(&status), "{name}: {status}, not {expected:?}\n{text}");
        assert_eq!(status == 200, text.contains("SecretAccessKey"), "{name}: {text}");
        if status == 405 {
            assert!(
                text.to_ascii_lowercase().contains("\r\nallow: get\r\n"),
                "{name}: {text}"
            );
        }
        assert_eq!(world.gateway.credentials().status, 200, "after {name}");
    }
    world.gateway.stop();
}

#[test]
fn one_connection_serves_many_requests_in_order() {
    let mut world = World::new();
    world.bring_online();
    let request =
        |path: &str, connection: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n");
    let pipelined: String = (0..50)
        .map(|n| request(&format!("/v1/credentials/a{n}"), "keep-alive"))
        .collect();
    let pipelined = pipelined + &request("/v1/credentials", "close");
    let bytes = unix_http::exchange(&world.gateway.socket(), pipelined.as_bytes()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let places: Vec<usize> = (0..50).map(|n| text.find(&format!("\\\"a{n}\\\"")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(
        text.matches("HTTP/1.1 404").count() == 50 && text.contains("SecretAccessKey"),
        "{text}"
    );

    // One after the other; each response is read before the next request.
    let mut stream = unix_http::connect(&world.gateway.socket()).unwrap();
    for _ in 0..50 {
        stream
            .write_all(request("/v1/credentials", "keep-alive").as_bytes())
            .unwrap();
        assert_eq!(read_one(&mut stream).status, 200);
    }
    // Callers that are killed before or during a response. That many writes may be interrupted at once.
    for _ in 0..500 {
        let mut caller = unix_http::connect(&world.gateway.socket()).unwrap();
        let _ = caller.write_all(request("/v1/credentials", "keep-alive").repeat(20).as_bytes());
    }
    stream
        .write_all(request("/v1/credentials", "keep-alive").as_bytes())
        .unwrap();
    assert_eq!(read_one(&mut stream).status, 200, "who uses a connection keeps it");
    world.gateway.stop();
}

/// Reads one response and nothing beyond it: there is none until the next request.
pub(crate) fn read_one(stream: &mut impl Read) -> Response {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..read]);
        if let Ok(answer) = unix_http::parse(&answer) {
            return answer;
        }
    }
}
