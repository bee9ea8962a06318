//! Request smuggling: ambiguous body lengths, and requests that are not HTTP/1.1, on both listeners.

use std::net::TcpStream;

use rig::unix_http;
use serde_json::json;

use crate::loopback;
use crate::support::World;

/// There was no HTTP response.
const CLOSED: u16 = 0;

fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    text.split(' ').nth(1).map_or(CLOSED, |status| status.parse().unwrap())
}

#[test]
fn a_body_of_ambiguous_length_is_refused() {
    let mut world = World::new();
    let address = loopback::switch_on(&mut world.gateway);
    world.bring_online();
    let gateway = &world.gateway;
    let token = loopback::own_token(gateway);
    let body = json!({ "service": "sts", "region": "us-east-1", "method": "GET", "url": "https://h/" }).to_string();
    let length = body.len();
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let whole = format!("{}0\r\n\r\n", chunk(&body));
    let chunked = "Transfer-Encoding: chunked\r\n";
    let cases = [
        (
            "one length",
            format!("Content-Length: {length}\r\n"),
            body.clone(),
            &[200][..],
        ),
        ("chunks", chunked.to_owned(), whole.clone(), &[200]),
        (
            "many small chunks",
            chunked.to_owned(),
            body.chars().map(|c| chunk(&c.to_string())).collect::<String>() + "0\r\n\r\n",
            &[200],
        ),
        (
            "two lengths",
            format!("Content-Length: {length}\r\nContent-Length: 1\r\n"),
            body.clone(),
            &[400],
        ),
        (
            "two lengths in one",
            format!("Content-Length: {length}, 1\r\n"),
            body.clone(),
            &[400],
        ),
        (
            "a length with a sign",
            format!("Content-Length: +{length}\r\n"),
            body.clone(),
            &[400],
        ),
        (
            "a length beyond 64 bits",
            "Content-Length: 18446744073709551617\r\n".to_owned(),
            body.clone(),
            &[400],
        ),
        // RFC 9112, 6.3: refused, or read by its chunks and the connection closed.
        (
            "a length and chunks",
            format!("Content-Length: {length}\r\n{chunked}"),
            whole.clone(),
            &[200, 400],
        ),
        (
            "a coding after the chunks",
            "Transfer-Encoding: chunked, gzip\r\n".to_owned(),
            whole.clone(),
            &[400],
        ),
        (
            "an unknown coding",
            "Transfer-Encoding: x\r\n".to_owned(),
            whole.clone(),
            &[400],
        ),
        (
            "a chunk without a number",
            chunked.to_owned(),
            format!("\r\n{whole}"),
            &[400],
        ),
        (
            "a chunk of no number",
            chunked.to_owned(),
            format!("zz\r\n{whole}"),
            &[400],
        ),
        (
            "a chunk of less than nothing",
            chunked.to_owned(),
            format!("-1\r\n{whole}"),
            &[400],
        ),
        (
            "a chunk beyond 64 bits",
            chunked.to_owned(),
            format!("10000000000000001\r\n{whole}"),
            &[400],
        ),
        (
            "a chunk longer than it says",
            chunked.to_owned(),
            format!("1\r\n{body}\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "an endless extension",
            chunked.to_owned(),
            format!("1;{}\r\n", "x".repeat(100_000)),
            &[400],
        ),
        (
            "endless trailers",
            chunked.to_owned(),
            format!("{}0\r\n{}", chunk(&body), "X: y\r\n".repeat(20_000)),
            &[400],
        ),
        (
            "chunks without an end",
            chunked.to_owned(),
            chunk(&"x".repeat(1000)).repeat(1000),
            &[413],
        ),
    ];
    for (name, lines, body, expected) in &cases {
        let request = |head: &str| format!("{head} HTTP/1.1\r\nConnection: close\r\n{lines}");
        let signing = format!("{}Host: x\r\n\r\n{body}", request("POST /v1/sign"));
        let answer = unix_http::exchange(&gateway.socket(), signing.as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!(expected.contains(&status(&answer)), "{name}: {text}");
        assert_eq!(
            text.matches("HTTP/1.1 ").count(),
            1,
            "{name}: one request, one answer: {text}"
        );

        // The body of a GET is not read: the request is answered, or refused and the connection closed.
        let getting = format!(
            "{}Host: {address}\r\nAuthorization: {token}\r\n\r\n{body}",
            request("GET /v1/credentials")
        );
        let stream = TcpStream::connect(address).unwrap();
        let answer = unix_http::converse(stream, getting.as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!([CLOSED, 200, 400].contains(&status(&answer)), "{name}: {text}");
        assert!(text.matches("HTTP/1.1 ").count() <= 1, "{name}: {text}");
        assert_eq!(gateway.credentials().status, 200, "after {name}");
    }
}

#[test]
fn malformed_requests_get_nothing_by_loopback() {
    let mut world = World::new();
    let address = loopback::switch_on(&mut world.gateway);
    world.bring_online();
    let token = loopback::own_token(&world.gateway);
    let good =
        format!("GET /v1/credentials HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nConnection: close\r\n");
    let ask = |request: &str| {
        let stream = TcpStream::connect(address).unwrap();
        let answer = unix_http::converse(stream, request.as_bytes()).unwrap();
        (status(&answer), String::from_utf8_lossy(&answer).into_owned())
    };
    for (name, request, expected) in [
        (
            "HTTP/2",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            &[CLOSED, 400][..],
        ),
        (
            "HTTP/2 by upgrade",
            format!("{good}Upgrade: h2c\r\n\r\n").replace("close", "upgrade, close"),
            &[200],
        ),
        (
            "TLS",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned(),
            &[CLOSED, 400],
        ),
        (
            "a tunnel",
            format!(
                "CONNECT {address} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n"
            ),
            &[404, 405],
        ),
        (
            "an unknown method",
            format!("{good}\r\n").replace("GET", "BREW"),
            &[405],
        ),
        (
            "no Host",
            format!("GET /v1/credentials HTTP/1.1\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n"),
            &[421],
        ),
        (
            "HTTP/1.0 without a Host",
            format!("GET /v1/credentials HTTP/1.0\r\nAuthorization: {token}\r\n\r\n"),
            &[421],
        ),
        (
            "a line end in the token",
            format!("{good}\r\n").replace(&token, &format!("{token}\r\n ")),
            &[400, 401],
        ),
        (
            "a huge header",
            format!("{good}X: {}\r\n\r\n", "a".repeat(17_000)),
            &[431],
        ),
        (
            "an encoded slash",
            format!("{good}\r\n").replace("credentials", "credentials/telemetry%2f"),
            &[404],
        ),
        (
            "encoded path traversal",
            format!("{good}\r\n").replace("credentials", "credentials/%2e%2e%2fstatus"),
            &[404],
        ),
    ] {
        let (status, text) = ask(&request);
        assert!(expected.contains(&status), "{name}: {text}");
        assert_eq!(text.contains("SecretAccessKey"), status == 200, "{name}: {text}");
        assert_eq!(ask(&format!("{good}\r\n")).0, 200, "after {name}");
    }
}
