//! Connects to mosquitto. Its backlog is short: when a thousand devices connect at once, the kernel returns EAGAIN, which is not a refusal.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

/// Time limit for connecting. If mosquitto does not empty its backlog within this time, it hangs.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Connects to the broker's socket as soon as there is room in its backlog.
pub(crate) async fn connect(socket: &Path) -> io::Result<UnixStream> {
    once_there_is_room(|| UnixStream::connect(socket)).await
}

async fn once_there_is_room<T, F: Future<Output = io::Result<T>>>(attempt: impl Fn() -> F) -> io::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_full_backlog_is_waited_for_and_nothing_else_is() {
        let attempts = Cell::new(0);
        let attempt = |kind: io::ErrorKind| {
            attempts.set(attempts.get() + 1);
            let made = attempts.get();
            async move {
                match made {
                    1..=3 => Err(io::Error::from(kind)),
                    _ => Ok(()),
                }
            }
        };
        once_there_is_room(|| attempt(io::ErrorKind::WouldBlock)).await.unwrap();
        assert_eq!(attempts.get(), 4);
        attempts.set(0);
        let refused = once_there_is_room(|| attempt(io::ErrorKind::ConnectionRefused)).await;
        assert_eq!((refused.is_err(), attempts.get()), (true, 1));
    }
}
