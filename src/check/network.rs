//! Checks of the network path to an endpoint: name lookup and connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::lines::Check;
use super::report::Report;
use crate::clock::SharedClock;
use crate::cloud::{self, connector::Connector};
use crate::config::Endpoint;
use crate::foreign_text::clean;
use crate::problem::Problem;

/// Time limit of a name lookup. The timeouts of resolv.conf are too long for a user at a terminal.
const DNS_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks up the name and connects, or has the proxy do both; returns whether both succeed.
pub async fn check(
    (dns, tcp): (Check, Check),
    endpoint: &Endpoint,
    connector: &Connector,
    report: &mut Report,
) -> bool {
    if let Some(outcome) = connector.try_tunnel(&endpoint.host, endpoint.port).await {
        report.skip(dns, "the proxy looks the name up");
        return match outcome {
            Ok(()) => {
                report.ok(tcp, format!("the proxy connects to {endpoint}"));
                true
            }
            Err(problem) => {
                report.failed(tcp, &problem);
                false
            }
        };
    }
    let addresses = match look_up(endpoint).await {
        Ok(addresses) => addresses,
        Err(why) => {
            let problem = Problem::wait(format!("{} has no address: {why}", endpoint.host));
            let step = format!(
                "check the name ({}) and the name service: resolvectl query",
                endpoint.describe_command()
            );
            report.failed(dns, &problem.next(step));
            report.skip(tcp, "there is no address");
            return false;
        }
    };
    let listed: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    report.ok(dns, format!("{} is {}", endpoint.host, listed.join(", ")));
    let error = match connector.connect(&endpoint.host, endpoint.port).await {
        Ok(stream) => {
            let address = stream
                .peer_addr()
                .map_or_else(|_| endpoint.to_string(), |peer| peer.to_string());
            report.ok(tcp, format!("{address} accepts connections"));
            return true;
        }
        Err(error) => error,
    };
    let problem = Problem::wait(format!("{endpoint} cannot be reached: {}", clean(error)));
    report.failed(
        tcp,
        &problem.next("check the route and the firewall: AWS IoT needs the outbound ports 8883 and 443"),
    );
    false
}

/// Root certificates and clock for verifying server certificates.
pub struct Trust {
    /// Makes TCP connections.
    pub connector: Connector,
    /// The root certificates.
    pub roots: Arc<RootCertStore>,
    /// The clock.
    pub clock: SharedClock,
}

/// Verifies a server without a device certificate, so that an intercepting proxy or a wrong root CA is found on the day of the
/// installation.
pub async fn verify_server(name: Check, endpoint: &Endpoint, alpn: &[&str], trust: &Trust, report: &mut Report) {
    match cloud::prove_server(
        &trust.connector,
        endpoint,
        alpn,
        trust.roots.clone(),
        trust.clock.clone(),
    )
    .await
    {
        Ok(()) => report.ok(
            name,
            format!("{endpoint} has authenticated itself; no device certificate was sent to it"),
        ),
        Err(problem) => report.failed(name, &problem),
    }
}

async fn look_up(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, String> {
    let found = timeout(DNS_TIMEOUT, lookup_host((endpoint.host.as_str(), endpoint.port))).await;
    let found = found.map_err(|_| format!("the name service did not answer within {} s", DNS_TIMEOUT.as_secs()))?;
    let addresses: Vec<SocketAddr> = found.map_err(clean)?.collect();
    match addresses.is_empty() {
        true => Err("the name service has none".to_owned()),
        false => Ok(addresses),
    }
}
