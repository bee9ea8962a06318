//! An open connection: reads and writes packets over TLS, and keeps the connection alive.
//!
//! A connection holds no state that must outlive it: the outbox and the subscriptions are stored elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::{Instant, sleep_until, timeout};

use super::connect::{self, ConnectError, ConnectOptions, Terms, read_packet};
use super::event::{self, Event, Farewell, Lost};
use super::packet_sink::PacketSink;
use super::pipe::Pipe;
use crate::cloud::connect_errors::{self, Server};
use crate::cloud::connector::Connector;
use crate::config::Endpoint;
use crate::messages::Message;
use crate::mqtt::packet::Disconnect;
use crate::mqtt::{
    Client, Framer, Incoming, Liveness, NotSent, Overdue, Packet, ProtocolError, ProtocolVersion, ReasonCode, Sender,
    ServerLimits, encode,
};
use crate::qos::Qos;

/// Longest wait for CONNACK. AWS usually closes a connection within seconds, and sometimes never; its own SDKs wait 30 s.
const CONNACK_TIMEOUT: Duration = Duration::from_secs(30);
/// Unsent bytes from which on no message is accepted.
const BACKED_UP: usize = 64 * 1024;
/// Unsent bytes at which the connection is closed. Messages stop at [`BACKED_UP`], but a server could make us answer without ever
/// reading the answers.
const MAX_UNSENT: usize = 1024 * 1024;
/// Time for sending the DISCONNECT after a protocol error.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// An open connection.
pub struct Connection {
    pipe: Pipe,
    framer: Framer,
    client: Client,
    liveness: Liveness,
    /// Error that ends the connection, and the deadline for sending our DISCONNECT.
    protocol_error: Option<(ProtocolError, Instant)>,
    /// Whether a message was rejected with [`NotSent::BufferFull`], so that its sender waits for [`Event::Room`].
    room_awaited: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, and resumes the session if AWS still has it, unless `options` ask for a clean start.
    ///
    /// # Errors
    /// The variant tells how far the attempt came: before CONNACK, AWS gives no other reason.
    pub async fn open(
        connector: &Connector,
        endpoint: &Endpoint,
        tls: Arc<ClientConfig>,
        options: &ConnectOptions,
    ) -> Result<(Self, Terms), ConnectError> {
        let pipe = Pipe::open(connector, endpoint, tls, options.keep_alive * 3 / 2)
            .await
            .map_err(|error| match connect_errors::alert(&error) {
                Some(alert) => ConnectError::LostBeforeConnack(alert),
                None => ConnectError::Unreachable(connect_errors::problem(Server::Aws, endpoint, &error)),
            })?;
        // AWS rejects a certificate by closing the connection without a single byte. Anything else is another kind of failure.
        let heard = AtomicBool::new(false);
        match timeout(CONNACK_TIMEOUT, Self::connect(pipe, options, &heard)).await {
            Ok(Err(ConnectError::LostBeforeConnack(seen))) if heard.load(Ordering::Relaxed) => {
                Err(ConnectError::NotMqtt(format!("an incomplete packet, then {seen}")))
            }
            Ok(outcome) => outcome,
            Err(_) if heard.load(Ordering::Relaxed) => Err(ConnectError::NotMqtt(format!(
                "an incomplete packet, then nothing for {} s",
                CONNACK_TIMEOUT.as_secs()
            ))),
            Err(_) => Err(ConnectError::LostBeforeConnack(format!(
                "no CONNACK in {} s",
                CONNACK_TIMEOUT.as_secs()
            ))),
        }
    }

    /// Exchanges CONNECT and CONNACK. `heard` becomes true with the first byte from the server.
    async fn connect(
        mut pipe: Pipe,
        options: &ConnectOptions,
        heard: &AtomicBool,
    ) -> Result<(Self, Terms), ConnectError> {
        let mut framer = Framer::new(Sender::Server);
        let terms = connect::exchange(&mut pipe, &mut framer, options, heard).await?;
        let connection = Self {
            pipe,
            framer,
            client: Client::new(terms.limits),
            liveness: Liveness::new(keep_alive(options, &terms.limits), Instant::now()),
            protocol_error: None,
            room_awaited: false,
        };
        Ok((connection, terms))
    }

    /// Acknowledges a message that was received or skipped, or refuses it with a code from 0x80 on.
    pub fn acknowledge(&mut self, packet_id: u16, code: ReasonCode) {
        self.client.acknowledge(packet_id, code, &mut self.pipe.output);
    }

    /// Sends PINGREQ because this machine's network has changed. If nothing is received soon, the connection ends as
    /// [`Lost::Stale`]: it may depend on a route that no longer exists.
    pub fn check_alive(&mut self) {
        self.ping();
        self.liveness.doubt(Instant::now());
    }

    /// Waits for the next event, and keeps the connection alive meanwhile. Cancel safe.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn next(&mut self) -> Result<Event, Lost> {
        loop {
            if let Some((error, until)) = self.protocol_error {
                self.flush_until(until).await;
                return Err(Lost::Protocol(error));
            }
            if self.room_awaited && self.pipe.output.len() < BACKED_UP {
                self.room_awaited = false;
                return Ok(Event::Room);
            }
            if self.pipe.output.len() > MAX_UNSENT {
                return Err(Lost::GivenUp(
                    "AWS does not read the packets that gatepost sends".into(),
                ));
            }
            if let Some(outcome) = self.next_arrived() {
                return outcome;
            }
            if self.protocol_error.is_none() {
                self.progress().await?;
            }
        }
    }

    /// Returns the next event of the bytes that have been read already, `None` if there is none yet.
    pub fn next_arrived(&mut self) -> Option<Result<Event, Lost>> {
        while self.protocol_error.is_none() {
            match self.next_packet() {
                Ok(Some(incoming)) => match event::convert(incoming) {
                    Some(outcome) => return Some(outcome),
                    None => continue,
                },
                Ok(None) => break,
                Err(error) => {
                    self.put_disconnect(error.code);
                    self.protocol_error = Some((error, Instant::now() + DISCONNECT_TIMEOUT));
                }
            }
        }
        None
    }

    /// Takes the next complete packet from the input buffer.
    fn next_packet(&mut self) -> Result<Option<Incoming>, ProtocolError> {
        let Some(frame) = self.framer.next(&mut self.pipe.input)? else {
            return Ok(None);
        };
        self.liveness.received(Instant::now());
        let incoming = self.client.receive(read_packet(frame)?)?;
        match incoming {
            Incoming::Pong => self.liveness.answered(Instant::now()),
            Incoming::Nothing => {
                let so_far = self.client.ignored();
                log::debug!("session: a packet that answers no request is ignored, {so_far} so far");
            }
            _ => {}
        }
        Ok(Some(incoming))
    }

    /// Reads and writes until some bytes were transferred, or until a deadline has passed.
    async fn progress(&mut self) -> Result<(), Lost> {
        let oldest = self.client.oldest();
        let (read, unsent) = (self.pipe.input.len(), self.pipe.output.len());
        let deadline = self.liveness.deadline(oldest);
        // Received data is processed before deadlines, because a slow signature may have blocked this thread.
        tokio::select! {
            biased;
            moved = self.pipe.progress() => {
                moved.map_err(|error| {
                    Lost::Broken(connect_errors::alert(&error).unwrap_or_else(|| connect_errors::root_cause(&error)))
                })?;
                let now = Instant::now();
                let received = self.pipe.input.len().saturating_sub(read);
                if received > 0 {
                    self.liveness.received_bytes(received, now);
                }
                if self.pipe.output.len() < unsent {
                    self.liveness.sent(now);
                }
                Ok(())
            }
            () = sleep_until(deadline) => match self.liveness.overdue(oldest, Instant::now()) {
                Some(Overdue::Ping) => {
                    self.ping();
                    Ok(())
                }
                Some(Overdue::Stale) => Err(Lost::Stale),
                Some(Overdue::PingUnanswered) => Err(Lost::GivenUp("PINGREQ is not answered".into())),
                Some(Overdue::Silent) => Err(Lost::GivenUp(
                    "nothing was received for one and a half keep-alives, not even PINGRESP".into(),
                )),
                Some(Overdue::Unanswered) => Err(Lost::Unanswered),
                None => Ok(()),
            },
        }
    }

    fn ping(&mut self) {
        self.put(&Packet::Pingreq);
        self.liveness.pinged(Instant::now());
    }

    fn put_disconnect(&mut self, code: ReasonCode) {
        let properties = Vec::new();
        self.put(&Packet::Disconnect(Disconnect { code, properties }));
    }

    /// Encodes a packet that has no field of variable length, which therefore cannot fail.
    fn put(&mut self, packet: &Packet) {
        let _ = encode(&mut self.pipe.output, packet, ProtocolVersion::V5);
    }

    /// Writes the output buffer, until `until` at the latest. Cancel safe.
    async fn flush_until(&mut self, until: Instant) {
        while !self.pipe.is_flushed() {
            self.pipe.input.clear();
            tokio::select! {
                moved = self.pipe.progress() => if moved.is_err() { return },
                () = sleep_until(until) => return,
            }
        }
    }

    /// Sends DISCONNECT behind all buffered packets, and closes the connection.
    pub async fn close(mut self, farewell: Farewell) {
        self.put_disconnect(farewell.reason_code());
        if let Err(error) = self.pipe.finish().await {
            log::debug!("session: closing: {}", connect_errors::root_cause(&error));
        }
    }
}

impl PacketSink for Connection {
    fn limits(&self) -> &ServerLimits {
        self.client.limits()
    }

    fn accept(&mut self, message: &Message, acknowledged: bool) -> Result<Option<u16>, NotSent> {
        if self.pipe.output.len() >= BACKED_UP {
            self.room_awaited = true;
            return Err(NotSent::BufferFull);
        }
        self.client.publish(message, acknowledged, &mut self.pipe.output)
    }

    fn subscribe(&mut self, filters: &[(String, Qos)]) -> Result<u16, NotSent> {
        self.client.subscribe(filters, &mut self.pipe.output)
    }

    fn unsubscribe(&mut self, filters: &[String]) -> Result<u16, NotSent> {
        self.client.unsubscribe(filters, &mut self.pipe.output)
    }
}

/// Returns the keep-alive to use. The server's replaces ours (MQTT-3.1.2-21), but a client may send more often, so a longer one does
/// not delay our noticing that the server is gone.
fn keep_alive(options: &ConnectOptions, limits: &ServerLimits) -> Duration {
    limits
        .keep_alive
        .map_or(options.keep_alive, |wanted| wanted.min(options.keep_alive))
}
