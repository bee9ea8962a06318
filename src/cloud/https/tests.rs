//! Tests of requests against scripted servers on plain TCP.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::ring;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const LONG: Duration = Duration::from_secs(60);
const MAX_BODY: usize = 100;

/// Binds a server, and makes a client for it.
async fn server(limit: Duration) -> (TcpListener, HttpsClient) {
    // A closed port of it must not be another test's.
    let listener = TcpListener::bind((rig::port::unshared_address(), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let origin = Origin {
        is_tls: false,
        host: address.ip().to_string(),
        port: address.port(),
    };
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let limits = TimeLimits {
        connect: LONG,
        total: limit,
    };
    let client = HttpsClient::new(Connector::default(), origin, Arc::new(tls), limits);
    (listener, client)
}

fn get() -> Request<Full<Bytes>> {
    Request::get("/path?query").body(Full::default()).unwrap()
}

/// Reads the head of a request.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Accepts a connection and answers one request with these bytes; returns the request and the connection.
async fn answer(listener: &TcpListener, bytes: &[u8]) -> (String, TcpStream) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let head = read_head(&mut stream).await;
    stream.write_all(bytes).await.unwrap();
    (head, stream)
}

fn name(outcome: &Result<Response, RequestError>) -> String {
    match outcome {
        Ok(response) => format!(
            "{} {}",
            response.status.as_u16(),
            String::from_utf8_lossy(&response.body)
        ),
        Err(error) => format!("{error:?}")
            .split(['(', ' '])
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

#[tokio::test]
async fn each_answer_is_read_to_its_end_or_refused() {
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n{}", "x".repeat(101));
    let exact = format!("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}", "x".repeat(100));
    let huge_chunk = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n66\r\n{}\r\n0\r\n\r\n",
        "x".repeat(102)
    );
    let fields = format!("HTTP/1.1 200 OK\r\n{}\r\n\r\n", "x: y\r\n".repeat(20_000));
    for (bytes, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "200 ok".to_owned()),
        ("HTTP/1.1 204 No Content\r\n\r\n", "204 ".to_owned()),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", "200 until the end".to_owned()),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n",
            "200 ok!".to_owned(),
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "200 ".to_owned(),
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            "302 ".to_owned(),
        ),
        (&exact, format!("200 {}", "x".repeat(100))),
        (&large, "TooLarge".to_owned()),
        (&huge_chunk, "TooLarge".to_owned()),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", "Broken".to_owned()),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "Broken".to_owned(),
        ),
        ("HTTP/1.1 200 OK\r\n", "Lost".to_owned()),
        ("", "Lost".to_owned()),
        ("SSH-2.0-OpenSSH_9.2\r\n", "Lost".to_owned()),
        (&fields, "Lost".to_owned()),
    ] {
        let (listener, client) = server(LONG).await;
        let serving = async {
            let (_, mut stream) = answer(&listener, bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
            stream
        };
        let (outcome, _stream) = tokio::join!(client.send(get(), MAX_BODY), serving);
        assert_eq!(
            name(&outcome),
            expected,
            "{}",
            bytes.escape_debug().to_string().get(..60).unwrap_or(bytes)
        );
        assert!(outcome.is_ok() || !outcome.unwrap_err().is_unsent());
    }
}

#[tokio::test]
async fn a_connection_serves_several_requests_and_is_replaced_when_it_was_closed() {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (listener, client) = server(LONG).await;
    let serving = async {
        let (head, mut stream) = answer(&listener, OK).await;
        let address = listener.local_addr().unwrap();
        assert!(head.starts_with("GET /path?query HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: {address}\r\n")), "{head}");
        read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        stream
    };
    let twice = async {
        client.send(get(), MAX_BODY).await.unwrap();
        client.send(get(), MAX_BODY).await.unwrap();
    };
    let ((), stream) = tokio::join!(twice, serving);
    drop(stream);
    while !client.connection.lock().await.as_ref().unwrap().sender.is_closed() {
        tokio::task::yield_now().await;
    }
    let (outcome, _) = tokio::join!(client.send(get(), MAX_BODY), answer(&listener, OK));
    assert_eq!(name(&outcome), "200 ok");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let (listener, client) = server(Duration::from_millis(50)).await;
    let outcome = client.send(get(), MAX_BODY).await;
    assert_eq!(name(&outcome), "TimedOut");
    assert!(!outcome.unwrap_err().is_unsent(), "the request may have been received");
    drop(listener);
    let (listener, client) = server(LONG).await;
    drop(listener);
    let outcome = client.send(get(), MAX_BODY).await;
    assert!(outcome.unwrap_err().is_unsent(), "nobody listens");
}

#[test]
fn an_origin_is_a_scheme_a_host_and_a_port() {
    for (text, shown) in [
        (
            "https://sts.us-east-2.amazonaws.com",
            Ok("https://sts.us-east-2.amazonaws.com"),
        ),
        (
            "https://sts.us-east-2.amazonaws.com:443/",
            Ok("https://sts.us-east-2.amazonaws.com"),
        ),
        ("http://127.0.0.1:4566", Ok("http://127.0.0.1:4566")),
        ("http://localhost:80", Ok("http://localhost")),
        ("http://[::1]:8080", Ok("http://[::1]:8080")),
        ("https://host:80", Ok("https://host:80")),
        ("host", Err("scheme")),
        ("", Err("URL")),
        ("ftp://host", Err("neither https nor http")),
        ("https://user:hunter2@host", Err("only scheme")),
        ("https://host/path", Err("only scheme")),
        ("https://host?query", Err("only scheme")),
        ("https://ho st", Err("not a URL")),
    ] {
        match (Origin::parse(text), shown) {
            (Ok(origin), Ok(shown)) => assert_eq!(origin.to_string(), shown, "{text}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{text}: {why}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }
}
