//! mqtt-protocol-core: a sans-I/O state machine with packet identifiers, store, receive maximum and keep-alive; the
//! connection, the timers and the map from packet identifier to outbox row are ours.
//!
//! `KEPT` is the way its documentation shows: one `Connection` for the whole session, which sends again by itself.
//! Otherwise each network connection gets a new one; what the last one had in flight keeps its packet identifier and gets
//! DUP if the session is still there (MQTT 5.0, 4.4).

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::{Buf, Bytes};
use mqtt_protocol_core::mqtt::{
    common::Cursor,
    connection::{Event as CoreEvent, TimerKind},
    packet::{GenericPacketTrait, Packet, Qos, SubEntry, SubOpts, v5_0},
    result_code::{ConnectReasonCode, MqttError},
};
use tokio::{
    select,
    time::{Instant, sleep_until, timeout},
};

use super::{
    pipe::{Pipe, dropped},
    protocol_core_packets::*,
};
use crate::candidate::*;

pub struct ProtocolCore<const KEPT: bool> {
    core: Core,
    pipe: Option<Pipe>,
    /// Packet identifier to outbox row: sent on this connection, no PUBACK yet.
    keys: HashMap<u16, Key>,
    /// The same of the connection before, until the outbox offers them again.
    resumed: HashMap<Key, u16>,
    received: VecDeque<Packet>,
    failure: Option<MqttError>,
    closing: bool,
    timers: HashMap<&'static str, (Instant, TimerKind)>,
}

impl<const KEPT: bool> Default for ProtocolCore<KEPT> {
    fn default() -> Self {
        Self {
            core: core(),
            pipe: None,
            keys: HashMap::new(),
            resumed: HashMap::new(),
            received: VecDeque::new(),
            failure: None,
            closing: false,
            timers: HashMap::new(),
        }
    }
}

impl<const KEPT: bool> Candidate for ProtocolCore<KEPT> {
    const NAME: &'static str = if KEPT {
        "mqtt-protocol-core 0.7.9, one Connection"
    } else {
        "mqtt-protocol-core 0.7.9, Connection per connection"
    };
    const RESENDS: bool = KEPT;

    async fn connect(&mut self, options: &ConnectOptions) -> Result<Connack, Failure> {
        self.lost();
        self.received.clear();
        (self.failure, self.closing) = (None, false);
        if !KEPT {
            self.core = core();
            self.resumed.extend(self.keys.drain().map(|(id, key)| (key, id)));
        }
        let result = timeout(options.timeout, self.handshake(options))
            .await
            .unwrap_or(Err(Failure::Timeout));
        if result.is_err() {
            self.lost();
        }
        result
    }

    fn publish(&mut self, key: Key, topic: &str, payload: Bytes) -> Result<(), NotTaken> {
        let full = self.core.get_receive_maximum_vacancy_for_send() == Some(0);
        if full || self.keys.len() >= usize::from(WINDOW) {
            return Err(NotTaken::Busy);
        }
        let resumed = self.resumed.remove(&key);
        let id = match resumed {
            Some(id) => id,
            None => self.core.acquire_packet_id().map_err(|_| NotTaken::Busy)?,
        };
        let publish = v5_0::Publish::builder().topic_name(topic).and_then(|publish| {
            publish
                .qos(Qos::AtLeastOnce)
                .dup(resumed.is_some())
                .packet_id(id)
                .payload(payload.as_ref())
                .build()
        });
        let sent = publish.is_ok_and(|publish| self.send(publish.into()).is_ok());
        if !sent {
            let _ = self.core.release_packet_id(id);
            return Err(NotTaken::TooLarge);
        }
        self.keys.insert(id, key);
        Ok(())
    }

    fn subscribe(&mut self, filter: &str) {
        let Ok(id) = self.core.acquire_packet_id() else { return };
        let subscribe = SubEntry::new(filter, SubOpts::new().set_qos(Qos::AtLeastOnce))
            .and_then(|entry| v5_0::Subscribe::builder().entries(vec![entry]).packet_id(id).build());
        if let Ok(subscribe) = subscribe {
            let _ = self.send(subscribe.into());
        }
    }

    fn acknowledge(&mut self, handle: u16) {
        if let Ok(puback) = v5_0::Puback::builder().packet_id(handle).build() {
            let _ = self.send(puback.into());
        }
    }

    async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            match self.packet().await.inspect_err(|_| self.lost())? {
                Packet::V5_0Puback(puback) => {
                    let Some(key) = self.keys.remove(&puback.packet_id()) else {
                        continue;
                    };
                    let code = puback.reason_code().map_or(0, |code| code as u8);
                    return Ok(Event::Acknowledged {
                        key,
                        code,
                        reason: reason(puback.props.as_deref().unwrap_or(&[])),
                    });
                }
                Packet::V5_0Publish(publish) => {
                    let payload = Bytes::copy_from_slice(publish.payload().as_slice());
                    return Ok(Event::Message {
                        handle: publish.packet_id().unwrap_or(0),
                        payload,
                    });
                }
                Packet::V5_0Suback(suback) => {
                    return Ok(Event::Subscribed(
                        suback.reason_codes().iter().map(|code| *code as u8).collect(),
                    ));
                }
                Packet::V5_0Disconnect(disconnect) => {
                    self.lost();
                    let code = disconnect.reason_code().map_or(0, |code| code as u8);
                    let reason = reason(disconnect.props.as_deref().unwrap_or(&[]));
                    return Err(Failure::Disconnected { code, reason });
                }
                _ => {}
            }
        }
    }

    async fn disconnect(&mut self, limit: Duration) -> Result<(), Failure> {
        if let Ok(disconnect) = v5_0::Disconnect::builder().build() {
            let _ = self.send(disconnect.into());
        }
        let pipe = self.pipe.take();
        self.lost();
        let Some(pipe) = pipe else { return Ok(()) };
        timeout(limit, pipe.finish())
            .await
            .map_err(|_| Failure::Timeout)?
            .map_err(|error| dropped(&error))
    }
}

impl<const KEPT: bool> ProtocolCore<KEPT> {
    async fn handshake(&mut self, options: &ConnectOptions) -> Result<Connack, Failure> {
        self.pipe = Some(Pipe::open(options).await.map_err(|error| dropped(&error))?);
        let connect = connect().map_err(protocol)?;
        self.send(connect.into()).map_err(protocol)?;
        match self.packet().await? {
            Packet::V5_0Connack(connack) if connack.reason_code() == ConnectReasonCode::Success => {
                if !connack.session_present() {
                    self.keys.clear();
                    self.resumed.clear();
                }
                for id in self.resumed.values() {
                    self.core.register_packet_id(*id).map_err(protocol)?;
                }
                let granted = granted(&connack);
                // Each PINGREQ starts this timer anew, so it must be shorter than the keep-alive.
                self.core
                    .set_pingresp_recv_timeout(u64::from(granted.server_keep_alive.unwrap_or(KEEP_ALIVE)) * 500);
                Ok(granted)
            }
            Packet::V5_0Connack(connack) => Err(Failure::Refused {
                code: connack.reason_code() as u8,
                reason: reason(&connack.props),
            }),
            other => Err(Failure::Protocol(format!(
                "expected CONNACK, got {:?}",
                other.packet_type()
            ))),
        }
    }

    /// The next packet received; timers and the output are served on the way.
    async fn packet(&mut self) -> Result<Packet, Failure> {
        loop {
            if let Some(packet) = self.received.pop_front() {
                return Ok(packet);
            }
            if let Some(error) = self.failure {
                return Err(protocol(error));
            }
            let Some(pipe) = self.pipe.as_mut() else {
                return Err(Failure::Dropped("not connected".into()));
            };
            if self.closing && pipe.output.is_empty() {
                return Err(Failure::Dropped("no PINGRESP".into()));
            }
            if !pipe.input.is_empty() {
                let mut cursor = Cursor::new(&pipe.input[..]);
                let events = self.core.recv(&mut cursor);
                let used = cursor.position() as usize;
                pipe.input.advance(used);
                self.apply(events);
                continue;
            }
            let timer = self.timers.values().min_by_key(|(at, _)| *at).copied();
            let at = timer.map_or_else(|| Instant::now() + Duration::from_secs(86_400), |(at, _)| at);
            select! {
                moved = pipe.progress() => moved?,
                () = sleep_until(at) => if let Some((_, kind)) = timer {
                    self.timers.remove(name(kind));
                    let events = self.core.notify_timer_fired(kind);
                    self.apply(events);
                }
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
                    if let Some(pipe) = self.pipe.as_mut() {
                        pipe.output.extend_from_slice(&packet.to_continuous_buffer());
                    }
                }
                CoreEvent::RequestTimerReset { kind, duration_ms } => {
                    self.timers
                        .insert(name(kind), (Instant::now() + Duration::from_millis(duration_ms), kind));
                }
                CoreEvent::RequestTimerCancel(kind) => drop(self.timers.remove(name(kind))),
                CoreEvent::NotifyError(error) => self.failure = Some(error),
                CoreEvent::RequestClose => self.closing = true,
                CoreEvent::NotifyPacketIdReleased(_) => {}
            }
        }
    }

    fn lost(&mut self) {
        self.pipe = None;
        self.timers.clear();
        let events = self.core.notify_closed();
        self.apply(events);
    }
}
