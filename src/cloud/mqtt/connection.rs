//! The MQTT 5 client crate behind our words: mqtt-protocol-core, a state machine without input and output of its own.
//!
//! It is made new for each connection and forgotten with it. What must survive (the outbox) is kept by us: the crates that
//! keep it themselves were seen to lose messages (docs/decisions/0003-mqtt-client.md).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event as CoreEvent, TimerKind};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, v5_0};
use mqtt_protocol_core::mqtt::result_code::{ConnectReasonCode, MqttError};
use mqtt_protocol_core::mqtt::{Connection as Core, Version, role};
use rustls::ClientConfig;
use tokio::time::{Instant, sleep_until, timeout};

use super::pipe::Pipe;
use super::{ConnectError, Event, Granted, Lost, NotSent, Options, packets};
use crate::cloud::reach;
use crate::config::Endpoint;
use crate::foreign_text::clean;
use crate::messages::Message;

/// From CONNECT to CONNACK. AWS hangs up within seconds or, seen rarely, never; its own SDKs wait 30 s.
const CONNACK_PATIENCE: Duration = Duration::from_secs(30);
/// AWS IoT: 128 KiB of payload; the rest is for topic and properties.
const MAXIMUM_PACKET: u32 = 132 * 1024;
/// What may wait to be written before a message that AWS does not acknowledge waits, too: nothing else bounds those.
const BACKED_UP: usize = 64 * 1024;

/// An open connection.
pub struct Connection {
    core: Core<role::Client>,
    pipe: Pipe,
    timers: HashMap<u8, (Instant, TimerKind)>,
    received: VecDeque<Packet>,
    failure: Option<MqttError>,
    closing: bool,
    /// A message was sent away, and is to hear when there is room.
    awaited: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("closing", &self.closing)
            .finish_non_exhaustive()
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
    ) -> Result<(Self, Granted), ConnectError> {
        let pipe = Pipe::open(endpoint, tls)
            .await
            .map_err(|error| match reach::alert(&error) {
                Some(alert) => ConnectError::LostBeforeConnack(alert),
                None => ConnectError::Unreachable(reach::problem(endpoint, &error)),
            })?;
        let core = Core::with_options(
            Version::V5_0,
            ConnectionOptions::new().maximum_packet_size_recv(MAXIMUM_PACKET),
        );
        let mut connection = Self {
            core,
            pipe,
            timers: HashMap::new(),
            received: VecDeque::new(),
            failure: None,
            closing: false,
            awaited: false,
        };
        match timeout(CONNACK_PATIENCE, connection.greet(options)).await {
            Ok(outcome) => outcome.map(|granted| (connection, granted)),
            Err(_) => Err(ConnectError::LostBeforeConnack(format!(
                "no CONNACK in {} s",
                CONNACK_PATIENCE.as_secs()
            ))),
        }
    }

    async fn greet(&mut self, options: &Options) -> Result<Granted, ConnectError> {
        let lost = |why: String| ConnectError::LostBeforeConnack(why);
        let packet = packets::connect(options).map_err(|error| lost(format!("CONNECT cannot be made: {error:?}")))?;
        self.send(packet.into())
            .map_err(|error| lost(format!("CONNECT cannot be sent: {error:?}")))?;
        match self.packet().await {
            Ok(None) => Err(lost("nothing instead of CONNACK".to_owned())),
            Ok(Some(Packet::V5_0Connack(connack))) if connack.reason_code() == ConnectReasonCode::Success => {
                let granted = packets::granted(&connack, options);
                let keep_alive = packets::server_keep_alive(&connack).unwrap_or(options.keep_alive);
                // Each PINGREQ starts this timer anew, so it must be shorter than the keep-alive.
                let patience = u64::try_from(keep_alive.as_millis() / 2).unwrap_or(u64::MAX);
                self.core.set_pingresp_recv_timeout(patience);
                Ok(granted)
            }
            Ok(Some(Packet::V5_0Connack(connack))) => Err(ConnectError::Refused(packets::reason(
                connack.reason_code() as u8,
                &connack.props,
            ))),
            Ok(Some(other)) => Err(lost(format!("{:?} instead of CONNACK", other.packet_type()))),
            Err(Lost::Disconnected(reason)) => Err(lost(format!("DISCONNECT: {reason}"))),
            Err(Lost::Broken(why) | Lost::GivenUp(why)) => Err(lost(why)),
        }
    }

    /// Hands a message over for sending at quality of service 1; the answer comes as [`Event::Acknowledged`] with the packet
    /// ID returned here.
    ///
    /// # Errors
    /// When AWS takes no more at once, or never takes this one.
    pub fn publish(&mut self, message: &Message) -> Result<u16, NotSent> {
        if self.core.get_receive_maximum_vacancy_for_send() == Some(0) {
            return Err(NotSent::Busy);
        }
        let id = self.core.acquire_packet_id().map_err(|_| NotSent::Busy)?;
        let sent = packets::publish(message, Some(id)).and_then(|packet| self.send(packet.into()));
        self.or_release(id, sent)
    }

    /// Hands a message over for sending at quality of service 0; there is no answer.
    ///
    /// # Errors
    /// When it cannot be sent, or not before [`Event::Room`].
    pub fn publish_unacknowledged(&mut self, message: &Message) -> Result<(), NotSent> {
        if self.pipe.output.len() >= BACKED_UP {
            self.awaited = true;
            return Err(NotSent::Busy);
        }
        let sent = packets::publish(message, None).and_then(|packet| self.send(packet.into()));
        sent.map_err(never)
    }

    /// Subscribes to at most [`MAX_FILTERS_PER_PACKET`](super::MAX_FILTERS_PER_PACKET) filters with their quality of service;
    /// the answer comes as [`Event::Subscribed`].
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn subscribe(&mut self, filters: &[(String, u8)]) -> Result<u16, NotSent> {
        let id = self.core.acquire_packet_id().map_err(|_| NotSent::Busy)?;
        let sent = packets::subscribe(id, filters).and_then(|packet| self.send(packet.into()));
        self.or_release(id, sent)
    }

    /// Ends subscriptions; the answer comes as [`Event::Unsubscribed`].
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn unsubscribe(&mut self, filters: &[String]) -> Result<u16, NotSent> {
        let id = self.core.acquire_packet_id().map_err(|_| NotSent::Busy)?;
        let sent = packets::unsubscribe(id, filters).and_then(|packet| self.send(packet.into()));
        self.or_release(id, sent)
    }

    /// Acknowledges a message that was received.
    pub fn acknowledge(&mut self, packet_id: u16) {
        let sent = packets::puback(packet_id).and_then(|packet| self.send(packet.into()));
        if let Err(error) = sent {
            log::debug!("session: PUBACK {packet_id} cannot be sent: {error:?}");
        }
    }

    fn or_release(&mut self, id: u16, sent: Result<(), MqttError>) -> Result<u16, NotSent> {
        match sent {
            Ok(()) => Ok(id),
            Err(error) => {
                let _ = self.core.release_packet_id(id);
                Err(never(error))
            }
        }
    }

    /// Waits for what the connection brings, and keeps it alive meanwhile. Cancel safe.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn next(&mut self) -> Result<Event, Lost> {
        loop {
            let Some(packet) = self.packet().await? else {
                return Ok(Event::Room);
            };
            match packet {
                Packet::V5_0Puback(puback) => {
                    let code = puback.reason_code().map_or(0, |code| code as u8);
                    return Ok(Event::Acknowledged {
                        packet_id: puback.packet_id(),
                        reason: packets::reason(code, puback.props.as_deref().unwrap_or_default()),
                    });
                }
                Packet::V5_0Publish(publish) => {
                    return Ok(Event::Received {
                        packet_id: publish.packet_id(),
                        message: packets::received(&publish),
                    });
                }
                Packet::V5_0Suback(suback) => {
                    let codes = suback.reason_codes().into_iter().map(|code| code as u8);
                    let words = packets::reason(0, &suback.props).words;
                    return Ok(Event::Subscribed {
                        packet_id: suback.packet_id(),
                        codes: codes.collect(),
                        words,
                    });
                }
                Packet::V5_0Unsuback(unsuback) => {
                    return Ok(Event::Unsubscribed {
                        packet_id: unsuback.packet_id(),
                    });
                }
                Packet::V5_0Disconnect(disconnect) => {
                    let code = disconnect.reason_code().map_or(0, |code| code as u8);
                    let reason = packets::reason(code, disconnect.props.as_deref().unwrap_or_default());
                    return Err(Lost::Disconnected(reason));
                }
                _ => {}
            }
        }
    }

    /// Sends what is left and a DISCONNECT, so that AWS discards the will, and closes.
    pub async fn close(mut self) {
        if let Ok(packet) = v5_0::Disconnect::builder().build() {
            let _ = self.send(packet.into());
        }
        if let Err(error) = self.pipe.finish().await {
            log::debug!("session: closing: {error}");
        }
    }

    /// The next packet; timers and output are served on the way. `None` when there is room that somebody waits for.
    async fn packet(&mut self) -> Result<Option<Packet>, Lost> {
        loop {
            if let Some(packet) = self.received.pop_front() {
                return Ok(Some(packet));
            }
            if self.awaited && self.pipe.output.len() < BACKED_UP {
                self.awaited = false;
                return Ok(None);
            }
            if let Some(error) = self.failure {
                return Err(Lost::GivenUp(format!("protocol: {error:?}")));
            }
            if self.closing && self.pipe.output.is_empty() {
                return Err(Lost::GivenUp("no PINGRESP".into()));
            }
            if !self.pipe.input.is_empty() {
                let mut cursor = Cursor::new(&self.pipe.input[..]);
                let events = self.core.recv(&mut cursor);
                let used = usize::try_from(cursor.position())
                    .unwrap_or(usize::MAX)
                    .min(self.pipe.input.len());
                self.pipe.input.advance(used);
                self.apply(events);
                continue;
            }
            let timer = self.timers.values().min_by_key(|(at, _)| *at).copied();
            let at = timer.map_or_else(|| Instant::now() + Duration::from_secs(86_400), |(at, _)| at);
            tokio::select! {
                moved = self.pipe.progress() => moved.map_err(|error| {
                    Lost::Broken(reach::alert(&error).unwrap_or_else(|| clean(&error)))
                })?,
                () = sleep_until(at) => if let Some((_, kind)) = timer {
                    self.timers.remove(&(kind as u8));
                    let events = self.core.notify_timer_fired(kind);
                    self.apply(events);
                },
            }
        }
    }

    fn send(&mut self, packet: Packet) -> Result<(), MqttError> {
        let events = self.core.send(packet);
        let refused = events.iter().find_map(|event| match event {
            CoreEvent::NotifyError(error) => Some(*error),
            _ => None,
        });
        match refused {
            Some(error) => Err(error),
            None => {
                self.apply(events);
                Ok(())
            }
        }
    }

    fn apply(&mut self, events: Vec<CoreEvent>) {
        for event in events {
            match event {
                CoreEvent::NotifyPacketReceived(packet) => self.received.push_back(packet),
                CoreEvent::RequestSendPacket { packet, .. } => {
                    self.pipe.output.extend_from_slice(&packet.to_continuous_buffer());
                }
                CoreEvent::RequestTimerReset { kind, duration_ms } => {
                    self.timers
                        .insert(kind as u8, (Instant::now() + Duration::from_millis(duration_ms), kind));
                }
                CoreEvent::RequestTimerCancel(kind) => drop(self.timers.remove(&(kind as u8))),
                CoreEvent::NotifyError(error) => self.failure = Some(error),
                CoreEvent::RequestClose => self.closing = true,
                CoreEvent::NotifyPacketIdReleased(_) => {}
            }
        }
    }
}

fn never(error: MqttError) -> NotSent {
    match error {
        MqttError::PacketTooLarge => NotSent::Never("it is larger than AWS takes a packet".to_owned()),
        MqttError::ReceiveMaximumExceeded | MqttError::PacketIdentifierFullyUsed => NotSent::Busy,
        other => NotSent::Never(format!("no packet can be made of it: {other:?}")),
    }
}
