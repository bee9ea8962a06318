//! Accepts connections, and keeps accepting when the machine runs out of resources.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::Error;

/// Pause after a failed accept. The usual error is "too many open files", and an immediate retry would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A port that accepts connections.
pub(crate) struct Listener {
    listener: TcpListener,
    pub(crate) port: u16,
}

impl Listener {
    /// Listens on this port of this address, or on a free one if it is 0.
    pub(crate) fn bind(runtime: &Runtime, endpoint: &str, address: IpAddr, port: u16) -> Result<Self, Error> {
        let listener = runtime
            .block_on(TcpListener::bind((address, port)))
            .map_err(Error::io(format!(
                "listening on {address} port {port} for {endpoint} (port 0 takes a free one)"
            )))?;
        let port = listener.local_addr().map_err(Error::io("listening"))?.port();
        Ok(Self { listener, port })
    }

    /// Accepts the next connection. Cancel safe: dropping the future loses no connection.
    pub(crate) async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}
