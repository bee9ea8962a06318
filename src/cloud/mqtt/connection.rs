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
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, Property, Qos, SessionExpiryInterval, v5_0};
use mqtt_protocol_core::mqtt::result_code::{ConnectReasonCode, MqttError};
use mqtt_protocol_core::mqtt::{Connection as Core, Version, role};
use rustls::ClientConfig;
use tokio::time::{Instant, sleep_until, timeout};

use super::pipe::Pipe;
use super::{ConnectError, Event, Granted, Lost, Message, Options, Reason};
use crate::cloud::reach;
use crate::config::Endpoint;
use crate::problem::quoted;

/// From CONNECT to CONNACK. AWS hangs up within seconds or, seen rarely, never; its own SDKs wait 30 s.
const CONNACK_PATIENCE: Duration = Duration::from_secs(30);
/// AWS IoT: 128 KiB of payload; the rest is for topic and properties.
const MAXIMUM_PACKET: u32 = 132 * 1024;

/// An open connection.
pub struct Connection {
    core: Core<role::Client>,
    pipe: Pipe,
    timers: HashMap<u8, (Instant, TimerKind)>,
    received: VecDeque<Packet>,
    failure: Option<MqttError>,
    closing: bool,
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
        let packet = connect_packet(options).map_err(|error| lost(format!("CONNECT cannot be made: {error:?}")))?;
        self.send(packet.into())
            .map_err(|error| lost(format!("CONNECT cannot be sent: {error:?}")))?;
        match self.packet().await {
            Ok(Packet::V5_0Connack(connack)) if connack.reason_code() == ConnectReasonCode::Success => {
                let granted = granted(&connack, options);
                let keep_alive = server_keep_alive(&connack).unwrap_or(options.keep_alive);
                // Each PINGREQ starts this timer anew, so it must be shorter than the keep-alive.
                let patience = u64::try_from(keep_alive.as_millis() / 2).unwrap_or(u64::MAX);
                self.core.set_pingresp_recv_timeout(patience);
                Ok(granted)
            }
            Ok(Packet::V5_0Connack(connack)) => Err(ConnectError::Refused(Reason {
                code: connack.reason_code() as u8,
                words: words(&connack.props),
            })),
            Ok(other) => Err(lost(format!("{:?} instead of CONNACK", other.packet_type()))),
            Err(Lost::Disconnected(reason)) => Err(lost(format!("DISCONNECT: {reason}"))),
            Err(Lost::Broken(why)) => Err(lost(why)),
        }
    }

    /// Hands a message over for sending; the answer comes as [`Event::Acknowledged`] with the packet ID returned here.
    ///
    /// # Errors
    /// When AWS takes no more at once, or not so large a packet.
    pub fn publish(&mut self, message: &Message) -> Result<u16, String> {
        let id = self.core.acquire_packet_id().map_err(|error| format!("{error:?}"))?;
        let packet = v5_0::Publish::builder()
            .topic_name(message.topic.as_str())
            .and_then(|packet| {
                packet
                    .qos(Qos::AtLeastOnce)
                    .packet_id(id)
                    .payload(message.payload.as_slice())
                    .build()
            });
        match packet.and_then(|packet| self.send(packet.into())) {
            Ok(()) => Ok(id),
            Err(error) => {
                let _ = self.core.release_packet_id(id);
                Err(format!("{error:?}"))
            }
        }
    }

    /// Waits for what the connection brings, and keeps it alive meanwhile. Cancel safe.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn next(&mut self) -> Result<Event, Lost> {
        loop {
            match self.packet().await? {
                Packet::V5_0Puback(puback) => {
                    let code = puback.reason_code().map_or(0, |code| code as u8);
                    let words = puback.props.as_deref().and_then(words);
                    return Ok(Event::Acknowledged {
                        packet_id: puback.packet_id(),
                        reason: Reason { code, words },
                    });
                }
                Packet::V5_0Disconnect(disconnect) => {
                    let code = disconnect.reason_code().map_or(0, |code| code as u8);
                    return Err(Lost::Disconnected(Reason {
                        code,
                        words: disconnect.props.as_deref().and_then(words),
                    }));
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

    /// The next packet; timers and output are served on the way.
    async fn packet(&mut self) -> Result<Packet, Lost> {
        loop {
            if let Some(packet) = self.received.pop_front() {
                return Ok(packet);
            }
            if let Some(error) = self.failure {
                return Err(Lost::Broken(format!("protocol: {error:?}")));
            }
            if self.closing && self.pipe.output.is_empty() {
                return Err(Lost::Broken("no PINGRESP".into()));
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
                    Lost::Broken(reach::alert(&error).unwrap_or_else(|| error.to_string()))
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

fn connect_packet(options: &Options) -> Result<v5_0::Connect, MqttError> {
    let expiry = u32::try_from(options.session_expiry.as_secs()).unwrap_or(u32::MAX);
    let builder = v5_0::Connect::builder()
        .client_id(options.client_id.as_str())?
        .clean_start(false)
        .keep_alive(u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX))
        .props(vec![Property::SessionExpiryInterval(SessionExpiryInterval::new(
            expiry,
        )?)]);
    match &options.will {
        Some(will) => builder
            .will_message(will.topic.as_str(), &will.payload, Qos::AtLeastOnce, false)?
            .build(),
        None => builder.build(),
    }
}

fn granted(connack: &v5_0::Connack, options: &Options) -> Granted {
    let said = connack.props.iter().find_map(|property| match property {
        Property::SessionExpiryInterval(value) => Some(Duration::from_secs(value.val().into())),
        _ => None,
    });
    Granted {
        session_present: connack.session_present(),
        session_expiry: said.unwrap_or(options.session_expiry),
    }
}

fn server_keep_alive(connack: &v5_0::Connack) -> Option<Duration> {
    connack.props.iter().find_map(|property| match property {
        Property::ServerKeepAlive(value) => Some(Duration::from_secs(value.val().into())),
        _ => None,
    })
}

fn words(properties: &[Property]) -> Option<String> {
    properties.iter().find_map(|property| match property {
        Property::ReasonString(text) => Some(quoted(text.val())),
        _ => None,
    })
}
