//! A program that sends requests as fast as it can and ignores the responses.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::path::Path;
use std::thread;

use anyhow::{Result, anyhow};
use rig::unix_http;

const REQUEST: &[u8] = b"GET /v1/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Requests `path` from `socket` over this many concurrent connections, each kept or reopened for each request, until the process is
/// killed.
///
/// # Errors
/// If nobody listens.
pub fn run(socket: &Path, connections: usize, keep_alive: bool) -> Result<Infallible> {
    // Checks that somebody listens, because the threads ignore errors.
    unix_http::connect(socket)?;
    thread::scope(|scope| {
        let callers: Vec<_> = (0..connections)
            .map(|_| scope.spawn(move || call(socket, keep_alive)))
            .collect();
        for caller in callers {
            caller.join().map_err(|_| anyhow!("a caller panicked"))?;
        }
        Err(anyhow!("a loop has ended"))
    })
}

fn call(socket: &Path, keep_alive: bool) {
    let mut connection = None;
    loop {
        let stream = match connection.take() {
            Some(stream) => Ok(stream),
            None => unix_http::connect(socket),
        };
        // If a connection was evicted, another one is opened.
        let Ok(mut stream) = stream else { continue };
        let answered = stream.write_all(REQUEST).is_ok() && stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0);
        connection = (answered && keep_alive).then_some(stream);
    }
}
