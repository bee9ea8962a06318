//! The baseline of all latencies: the simplest server that sends the same response. It uses tokio and httparse and one
//! thread, without routing and access checks; it finds the end of a request and sends the given bytes.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Larger than any request that is measured here.
const BUFFER: usize = 4 * 1024;

/// More header lines than any request here has.
const MAX_HEADERS: usize = 32;

/// Answers every request at `socket` with the bytes of the file `answer`, for ever.
///
/// # Errors
/// If the file cannot be read or the socket not be opened.
pub fn serve(socket: &Path, answer: &Path) -> Result<Infallible> {
    let answer: Rc<[u8]> = fs::read(answer)
        .with_context(|| format!("{} cannot be read", answer.display()))?
        .into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = UnixListener::bind(socket).with_context(|| format!("no socket at {}", socket.display()))?;
        loop {
            let (stream, _) = listener.accept().await?;
            // A caller that goes away must not affect the others.
            tokio::task::spawn_local(echo(stream, answer.clone()));
        }
    })
}

async fn echo(mut stream: UnixStream, answer: Rc<[u8]>) -> std::io::Result<()> {
    let mut buffer = [0; BUFFER];
    let mut filled = 0;
    loop {
        let free = buffer.get_mut(filled..).unwrap_or_default();
        let read = stream.read(free).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let request = buffer.get(..filled).unwrap_or_default();
        match httparse::Request::new(&mut headers).parse(request) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => {
                stream.write_all(&answer).await?;
                filled = 0;
            }
            Err(_) => return Ok(()),
        }
    }
}
