//! The one small trait that every candidate is bent to: what gatepost asks of an MQTT 5 client, and nothing more.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;

/// The caller's name for an accepted message: the row of the outbox.
pub type Key = u64;

/// Everything gatepost decides about a connection.
#[derive(Clone)]
pub struct ConnectOptions {
    pub address: SocketAddr,
    /// `Some` for TLS: the ready ClientConfig. The server name is always `localhost`.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// For TCP, TLS and CONNACK together.
    pub timeout: Duration,
}

/// Never clean start; these are the same for every case, so that the broker can check them on the wire.
pub const CLIENT_ID: &str = "gw-1";
pub const KEEP_ALIVE: u16 = 60;
pub const SESSION_EXPIRY: u32 = 3600;
pub const RECEIVE_MAXIMUM: u16 = 50;
/// 128 KiB of payload and room for the header.
pub const MAXIMUM_PACKET: u32 = 132 * 1024;
pub const WILL_TOPIC: &str = "gw-1/gatepost/presence";
pub const WILL_DELAY: u32 = 5;
/// How many publishes a candidate may hold that the broker has not acknowledged.
pub const WINDOW: u16 = 100;

/// What the broker granted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Connack {
    pub session_present: bool,
    pub session_expiry: Option<u32>,
    pub receive_maximum: Option<u16>,
    pub maximum_packet_size: Option<u32>,
    pub server_keep_alive: Option<u16>,
    pub reason: Option<String>,
}

/// Why there is no connection any more, as far as the candidate lets its caller know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    Timeout,
    /// The peer closed or reset: the candidate's own words.
    Dropped(String),
    /// CONNACK with a reason code that is not success.
    Refused {
        code: u8,
        reason: Option<String>,
    },
    /// DISCONNECT from the server.
    Disconnected {
        code: u8,
        reason: Option<String>,
    },
    /// The peer broke the protocol, or an own packet was not allowed.
    Protocol(String),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// PUBACK: only now may the outbox forget the message (a code below 0x80) or park it.
    Acknowledged {
        key: Key,
        code: u8,
        reason: Option<String>,
    },
    /// An incoming message; `handle` is for [`Candidate::acknowledge`].
    Message {
        handle: u16,
        payload: Bytes,
    },
    Subscribed(Vec<u8>),
}

/// Why a publish was not taken. In both cases the session goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Not now: the window is full.
    Busy,
    /// Not ever on this connection: larger than the broker's maximum packet size.
    TooLarge,
}

pub trait Candidate: Default {
    const NAME: &'static str;
    /// On a present session it sends again by itself what was not acknowledged; the caller must not.
    const RESENDS: bool;

    /// Exactly one attempt.
    async fn connect(&mut self, options: &ConnectOptions) -> Result<Connack, Failure>;
    /// QoS 1, at once or not at all.
    fn publish(&mut self, key: Key, topic: &str, payload: Bytes) -> Result<(), NotTaken>;
    fn subscribe(&mut self, filter: &str);
    fn acknowledge(&mut self, handle: u16);
    /// The next thing that happened. The cases cancel it wherever it awaits.
    async fn next(&mut self) -> Result<Event, Failure>;
    /// Flushes what was taken, sends DISCONNECT, closes; gives up after `limit`.
    async fn disconnect(&mut self, limit: Duration) -> Result<(), Failure>;
}
