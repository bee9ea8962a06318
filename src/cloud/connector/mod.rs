//! TCP connections to servers, directly or through the configured proxy. Every connection of gatepost to AWS and to the EST server begins
//! here, below TLS.

mod answer;
mod problems;
mod proxy;
mod race;

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

pub use self::answer::{MAX_ANSWER, Malformed, Parsed, Refusal, parse};
use self::proxy::ProxyTunnels;
use crate::config::{Config, ProxyAddress};
use crate::problem::Problem;

/// Makes TCP connections.
#[derive(Clone, Debug, Default)]
pub struct Connector {
    proxy: Option<Arc<ProxyTunnels>>,
}

impl Connector {
    /// Creates the connector of a configuration.
    pub fn new(config: &Config) -> Self {
        let credentials = config.folders.credentials.as_deref();
        let proxy = config.network.proxy.as_ref();
        Self {
            proxy: proxy.map(|proxy| Arc::new(ProxyTunnels::new(proxy, credentials))),
        }
    }

    /// Connects to a host.
    ///
    /// # Errors
    /// If the host cannot be reached. If that is due to the proxy, the error is the [`Problem`].
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        match self.proxy_for(host) {
            Some(proxy) => proxy.open(host, port).await.map_err(io::Error::other),
            None => race::connect(host, port).await,
        }
    }

    /// Returns the proxy through which a host is reached.
    pub fn proxy_address(&self, host: &str) -> Option<&ProxyAddress> {
        self.proxy_for(host).map(|proxy| &proxy.settings().address)
    }

    /// Opens a tunnel to a host and closes it; `None` if the host is reached without a proxy.
    ///
    /// # Errors
    /// With the problem if there is no tunnel.
    pub async fn try_tunnel(&self, host: &str, port: u16) -> Option<Result<(), Problem>> {
        Some(self.proxy_for(host)?.open(host, port).await.map(drop))
    }

    fn proxy_for(&self, host: &str) -> Option<&ProxyTunnels> {
        self.proxy.as_deref().filter(|proxy| proxy.settings().applies_to(host))
    }
}
