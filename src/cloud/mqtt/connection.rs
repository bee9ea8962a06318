//! The protocol on a TLS connection: bytes in and out, and timers.
//!
//! A connection is made for one use and forgotten with it. What must survive (the outbox) is kept elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::{Instant, sleep_until, timeout};

use super::pipe::Pipe;
use super::{ConnectError, Event, Lost, NotSent, Options, PacketSink, Terms};
use crate::cloud::connect_errors;
use crate::config::Endpoint;
use crate::messages::Message;
use crate::mqtt::packet::Disconnect;
use crate::mqtt::{
    Client, ConnectRequest, Frame, Framer, Incoming, Liveness, Overdue, Packet, ProtocolError, ProtocolVersion,
    ReasonCode, Sender, ServerLimits, decode, encode,
};
use crate::qos::Qos;

/// From CONNECT to CONNACK. AWS hangs up within seconds or, seen rarely, never; its own SDKs wait 30 s.
const CONNACK_PATIENCE: Duration = Duration::from_secs(30);
/// What may wait to be written before further messages wait as well.
const BACKED_UP: usize = 64 * 1024;
/// What may wait to be written in all. Messages stop at [`BACKED_UP`]; a server that makes us answer and reads no answer gets
/// no further.
const MOST_UNSENT: usize = 1024 * 1024;
/// For the DISCONNECT that tells the server of its breach.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// An open connection.
pub struct Connection {
    pipe: Pipe,
    framer: Framer,
    client: Client,
    liveness: Liveness,
    /// The breach that ends the connection, and until when our DISCONNECT may take.
    breach: Option<(ProtocolError, Instant)>,
    /// A message was turned away with [`NotSent::BufferFull`], and its sender waits for [`Event::Room`].
    room_awaited: bool,
}

/// The meaning of our DISCONNECT for the will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The server discards the will: whatever others are to know was published.
    DiscardWill,
    /// The server publishes the will (MQTT 5.0, 3.14.2.1).
    PublishWill,
}

impl Farewell {
    fn reason_code(self) -> ReasonCode {
        match self {
            Self::DiscardWill => ReasonCode::SUCCESS,
            Self::PublishWill => ReasonCode::DISCONNECT_WITH_WILL,
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, and resumes the session if AWS still has it (clean start off).
    ///
    /// # Errors
    /// Told apart by how far it came, because before CONNACK that is all AWS says.
    pub async fn open(
        endpoint: &Endpoint,
        tls: Arc<ClientConfig>,
        options: &Options,
    ) -> Result<(Self, Terms), ConnectError> {
        let pipe = Pipe::open(endpoint, tls, options.keep_alive * 3 / 2)
            .await
            .map_err(|error| match connect_errors::alert(&error) {
                Some(alert) => ConnectError::LostBeforeConnack(alert),
                None => ConnectError::Unreachable(connect_errors::problem(endpoint, &error)),
            })?;
        // Only where the server has said nothing at all is it what AWS does to certificates that it does not let in.
        let heard = AtomicBool::new(false);
        match timeout(CONNACK_PATIENCE, Self::connect(pipe, options, &heard)).await {
            Ok(Err(ConnectError::LostBeforeConnack(seen))) if heard.load(Ordering::Relaxed) => {
                Err(ConnectError::NotMqtt(format!("an incomplete packet, then {seen}")))
            }
            Ok(outcome) => outcome,
            Err(_) if heard.load(Ordering::Relaxed) => Err(ConnectError::NotMqtt(format!(
                "an incomplete packet, then nothing for {} s",
                CONNACK_PATIENCE.as_secs()
            ))),
            Err(_) => Err(ConnectError::LostBeforeConnack(format!(
                "no CONNACK in {} s",
                CONNACK_PATIENCE.as_secs()
            ))),
        }
    }

    /// `heard` becomes true with the first byte that the server says.
    async fn connect(mut pipe: Pipe, options: &Options, heard: &AtomicBool) -> Result<(Self, Terms), ConnectError> {
        let request = ConnectRequest {
            client_id: &options.client_id,
            clean_start: options.clean_start,
            keep_alive: options.keep_alive,
            session_expiry: options.session_expiry,
            will: options.will.as_ref(),
        };
        let connect = Packet::Connect(Box::new(request.packet()));
        encode(&mut pipe.output, &connect, ProtocolVersion::V5)
            .map_err(|_| ConnectError::LostBeforeConnack("CONNECT cannot be made: a field of it is too long".into()))?;
        let mut framer = Framer::new(Sender::Server);
        let frame = loop {
            heard.fetch_or(!pipe.input.is_empty(), Ordering::Relaxed);
            match framer.next(&mut pipe.input).map_err(ConnectError::Breach)? {
                Some(frame) => break frame,
                None => pipe.progress().await.map_err(|error| {
                    let seen = connect_errors::alert(&error).unwrap_or_else(|| connect_errors::root_cause(&error));
                    ConnectError::LostBeforeConnack(seen)
                })?,
            }
        };
        let connack = match read(frame).map_err(ConnectError::Breach)? {
            Packet::Connack(connack) => connack,
            Packet::Disconnect(disconnect) => {
                return Err(ConnectError::NotMqtt(format!(
                    "DISCONNECT instead of CONNACK: {}",
                    disconnect.reason()
                )));
            }
            _ => return Err(ConnectError::Breach(ProtocolError::BEFORE_CONNACK)),
        };
        let limits = ServerLimits::read(&connack, &options.client_id)
            .map_err(ConnectError::Breach)?
            .map_err(ConnectError::Refused)?;
        if limits.session_present && options.clean_start {
            return Err(ConnectError::Breach(ProtocolError::SESSION_AFTER_CLEAN_START));
        }
        let terms = Terms {
            limits,
            session_expiry: limits.session_expiry.unwrap_or(options.session_expiry),
        };
        let connection = Self {
            pipe,
            framer,
            client: Client::new(limits),
            liveness: Liveness::new(keep_alive(options, &limits), Instant::now()),
            breach: None,
            room_awaited: false,
        };
        Ok((connection, terms))
    }

    /// Acknowledges a message that was received or skipped.
    pub fn acknowledge(&mut self, packet_id: u16) {
        self.client.acknowledge(packet_id, &mut self.pipe.output);
    }

    /// Asks for a sign of life, because this machine's network has changed. Without one the connection ends as
    /// [`Lost::Stale`]: it may have died with the network of before.
    pub fn doubt(&mut self) {
        self.ping();
        self.liveness.doubt(Instant::now());
    }

    /// Waits for what the connection brings, and keeps it alive meanwhile. Cancel safe.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn next(&mut self) -> Result<Event, Lost> {
        loop {
            if let Some((breach, until)) = self.breach {
                self.say_last_words(until).await;
                return Err(Lost::Breach(breach));
            }
            if self.room_awaited && self.pipe.output.len() < BACKED_UP {
                self.room_awaited = false;
                return Ok(Event::Room);
            }
            if self.pipe.output.len() > MOST_UNSENT {
                return Err(Lost::GivenUp("AWS reads nothing of what it is sent".into()));
            }
            match self.incoming() {
                Ok(Some(incoming)) => match event(incoming) {
                    Some(outcome) => return outcome,
                    None => continue,
                },
                Ok(None) => {}
                Err(breach) => {
                    self.put_disconnect(breach.code);
                    self.breach = Some((breach, Instant::now() + LAST_WORDS));
                    continue;
                }
            }
            self.progress().await?;
        }
    }

    /// The next packet that has come whole.
    fn incoming(&mut self) -> Result<Option<Incoming>, ProtocolError> {
        let Some(frame) = self.framer.next(&mut self.pipe.input)? else {
            return Ok(None);
        };
        self.liveness.received(Instant::now());
        let incoming = self.client.receive(read(frame)?)?;
        match incoming {
            Incoming::Pong => self.liveness.answered(Instant::now()),
            Incoming::Nothing => {
                let so_far = self.client.ignored();
                log::debug!("session: a packet that answers or repeats nothing is ignored, {so_far} so far");
            }
            _ => {}
        }
        Ok(Some(incoming))
    }

    /// Reads and writes until something has moved, or a time has come.
    async fn progress(&mut self) -> Result<(), Lost> {
        let oldest = self.client.oldest();
        let (read, unsent) = (self.pipe.input.len(), self.pipe.output.len());
        let deadline = self.liveness.deadline(oldest);
        // What has come is looked at before the time is: this thread may have been held up by the token.
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
                    "nothing was received for one and a half keep-alives, no PINGRESP either".into(),
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

    /// Writes a packet without a field that could be too long.
    fn put(&mut self, packet: &Packet) {
        let _ = encode(&mut self.pipe.output, packet, ProtocolVersion::V5);
    }

    /// Writes what is left, as far as the server takes it. Cancel safe.
    async fn say_last_words(&mut self, until: Instant) {
        while !self.pipe.is_flushed() {
            self.pipe.input.clear();
            tokio::select! {
                moved = self.pipe.progress() => if moved.is_err() { return },
                () = sleep_until(until) => return,
            }
        }
    }

    /// Sends what is left and a DISCONNECT, and closes.
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

    fn hand_over(&mut self, message: &Message, acknowledged: bool) -> Result<Option<u16>, NotSent> {
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

/// Reads a packet of the server.
fn read(frame: Frame) -> Result<Packet, ProtocolError> {
    decode(frame, Sender::Server, ProtocolVersion::V5)
}

/// The server's keep-alive takes the place of ours (MQTT-3.1.2-21). Looking more often than it wants is allowed, so a longer
/// one does not make us slower to notice that it is gone.
fn keep_alive(options: &Options, limits: &ServerLimits) -> Duration {
    limits
        .keep_alive
        .map_or(options.keep_alive, |wanted| wanted.min(options.keep_alive))
}

/// What an incoming packet means for the session; `None` where it means nothing.
fn event(incoming: Incoming) -> Option<Result<Event, Lost>> {
    Some(match incoming {
        Incoming::Message(packet_id, message) => Ok(Event::Received { packet_id, message }),
        Incoming::Skipped(packet_id, topic, why) => Ok(Event::Skipped { packet_id, topic, why }),
        Incoming::Acknowledged(packet_id, reason) => Ok(Event::Acknowledged { packet_id, reason }),
        Incoming::Subscribed(packet_id, granted, words) => Ok(Event::Subscribed {
            packet_id,
            granted,
            words,
        }),
        Incoming::Unsubscribed(packet_id) => Ok(Event::Unsubscribed { packet_id }),
        Incoming::Disconnected(reason) => Err(Lost::Disconnected(reason)),
        Incoming::Pong | Incoming::Nothing => return None,
    })
}
