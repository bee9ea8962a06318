//! The fault cases. Each says in one line what it saw; `Ok` is a pass.

mod connect;
mod life;
mod publish;
mod real_broker;
mod receive;

use std::{future::Future, pin::Pin, time::Duration};

use tokio::join;

use crate::{
    broker::{Broker, Peer},
    candidate::{Candidate, ConnectOptions, Failure},
};

pub type Verdict = Result<String, String>;
type Case = fn() -> Pin<Box<dyn Future<Output = Verdict>>>;

macro_rules! cases {
    ($($module:ident: $($case:ident)+;)+) => {
        pub const NAMES: &[&str] = &[$($(stringify!($case)),+),+];

        pub fn find<C: Candidate + 'static>(name: &str) -> Option<Case> {
            match name {
                $($(stringify!($case) => Some(|| Box::pin($module::$case::<C>())),)+)+
                _ => None,
            }
        }
    };
}

cases! {
    connect: drop_before_connack hang_without_connack slow_connack connect_on_the_wire connack_properties
        refused_connack session_present_after_restart partial_packet_then_reconnect refusal_storm;
    publish: pubacks_reordered puback_refused lost_session present_session same_identifier_with_dup
        missing_puback_and_lost_session receive_maximum receive_maximum_shrinks too_large_for_the_broker
        payload_of_128_kib bounded;
    receive: manual_ack redelivered_after_reconnect payload_of_128_kib_in oversize server_disconnect
        subscription_refused stray_pubacks short_forms malformed;
    life: server_keep_alive silent_broker cancelled_while_receiving cancelled_while_sending clean_disconnect
        disconnect_from_a_stuck_broker tls_identity tls_certificate_refused;
    real_broker: killed_with_database killed_without_database;
}

/// A connected candidate and the broker's end.
struct Session<C> {
    client: C,
    peer: Peer,
    broker: Broker,
    options: ConnectOptions,
}

async fn session<C: Candidate>(properties: &[u8]) -> Result<Session<C>, String> {
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = options(&broker);
    let (connected, peer) = join!(client.connect(&options), broker.accept_session(false, properties));
    connected.map_err(|failure| format!("connect: {failure:?}"))?;
    Ok(Session {
        client,
        peer: peer.map_err(failed)?,
        broker,
        options,
    })
}

fn options(broker: &Broker) -> ConnectOptions {
    ConnectOptions {
        address: broker.address,
        tls: None,
        timeout: Duration::from_secs(30),
    }
}

fn check(pass: bool, seen: String) -> Verdict {
    if pass { Ok(seen) } else { Err(seen) }
}

fn failed(error: impl std::fmt::Display) -> String {
    format!("rig: {error}")
}

/// The first few, so that a line stays a line.
fn first(failures: &[Failure]) -> &[Failure] {
    &failures[..failures.len().min(3)]
}

/// VmRSS of this process, which runs one case only.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
