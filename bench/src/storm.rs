//! A program that asks the socket as fast as it can and cares for no answer.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::path::Path;
use std::thread;

use anyhow::{Result, anyhow};
use rig::unix_http;

const REQUEST: &[u8] = b"GET /v1/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Asks `socket` over this many connections at the same time, each kept or made anew for each request, until the process
/// is killed.
///
/// # Errors
/// If nobody listens.
pub fn rage(socket: &Path, connections: usize, keep_alive: bool) -> Result<Infallible> {
    // Whether there is anybody, before the threads go on in spite of everything.
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
        // A connection that had to make room for another is followed by the next one.
        let Ok(mut stream) = stream else { continue };
        let answered = stream.write_all(REQUEST).is_ok() && stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0);
        connection = (answered && keep_alive).then_some(stream);
    }
}
