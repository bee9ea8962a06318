//! Tests of the HTTP functions, with a server of a few lines.

#![allow(clippy::unwrap_used, reason = "a helper of tests may fail as loudly as they do")]

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::{self, JoinHandle};

use rig::unix_http;

/// Serves one connection: reads up to `limit` bytes or the end of the header, responds, and closes. Returns what it read.
fn serve(socket: &Path, limit: usize, answer: &'static [u8]) -> JoinHandle<Vec<u8>> {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while request.len() < limit && !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            request.push(byte[0]);
        }
        stream.write_all(answer).unwrap();
        request
    })
}

#[test]
fn get_asks_and_reads_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let server = serve(
        &socket,
        usize::MAX,
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
    );
    let response = unix_http::get(&socket, "/v1/nothing").unwrap();
    assert_eq!((response.status, response.body.as_slice()), (404, &b"{}"[..]));
    let request = String::from_utf8(server.join().unwrap()).unwrap();
    assert!(
        request.starts_with("GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n"),
        "{request}"
    );
}

#[test]
fn garbage_is_sent_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let server = serve(&socket, 4, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(unix_http::request_raw(&socket, b"\0\xff\r\n").unwrap().status, 400);
    assert_eq!(server.join().unwrap(), b"\0\xff\r\n");
}

#[test]
fn a_server_that_stops_reading_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let server = serve(&socket, 1, b"");
    assert_eq!(unix_http::exchange(&socket, &vec![b'a'; 1 << 20]).unwrap(), b"");
    assert_eq!(server.join().unwrap(), b"a");
}

#[test]
fn an_unused_socket_is_reported() {
    let error = unix_http::get(Path::new("/nonexistent/gatepost.sock"), "/").unwrap_err();
    assert!(error.to_string().contains("/nonexistent/gatepost.sock"), "{error}");
}
