//! The way to an endpoint: its name, and a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::lines::Check;
use super::report::Report;
use crate::clock::SharedClock;
use crate::cloud;
use crate::config::Endpoint;
use crate::foreign_text::clean;
use crate::problem::Problem;

/// For the name service: resolv.conf's own patience is longer than anybody's at a terminal.
const DNS_PATIENCE: Duration = Duration::from_secs(10);
/// For one address.
const TCP_PATIENCE: Duration = Duration::from_secs(10);

/// Looks the name up and connects; whether both succeed.
pub async fn check(dns: Check, tcp: Check, endpoint: &Endpoint, report: &mut Report) -> bool {
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
    let mut why = String::new();
    for address in addresses {
        match timeout(TCP_PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                report.ok(tcp, format!("{address} takes connections"));
                return true;
            }
            Ok(Err(error)) => why = format!("{address}: {}", clean(error)),
            Err(_) => why = format!("{address}: no answer in {} s", TCP_PATIENCE.as_secs()),
        }
    }
    let problem = Problem::wait(format!("{endpoint} cannot be reached: {why}"));
    report.failed(
        tcp,
        &problem.next("check the route and the firewall: AWS IoT needs 8883 and 443 outwards"),
    );
    false
}

/// Root certificates and clock for verifying that a server is AWS's.
pub struct Trust {
    /// The roots.
    pub roots: Arc<RootCertStore>,
    /// The clock.
    pub clock: SharedClock,
}

/// Has a server prove who it is, which needs no certificate of ours: a proxy that opens TLS and a wrong root are found on the day of
/// the installation.
pub async fn prove_server(name: Check, endpoint: &Endpoint, is_mqtt: bool, trust: &Trust, report: &mut Report) {
    match cloud::prove_server(endpoint, is_mqtt, trust.roots.clone(), trust.clock.clone()).await {
        Ok(()) => report.ok(
            name,
            format!("{endpoint} proved who it is; it was asked without a device certificate"),
        ),
        Err(problem) => report.failed(name, &problem),
    }
}

async fn look_up(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, String> {
    let found = timeout(DNS_PATIENCE, lookup_host((endpoint.host.as_str(), endpoint.port))).await;
    let found = found.map_err(|_| format!("the name service gave no answer in {} s", DNS_PATIENCE.as_secs()))?;
    let addresses: Vec<SocketAddr> = found.map_err(clean)?.collect();
    match addresses.is_empty() {
        true => Err("the name service knows none".to_owned()),
        false => Ok(addresses),
    }
}
