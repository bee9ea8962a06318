//! The fallback: only the wire codec of rumqttc-v5-next (`Packet::read` and `Packet::write`), and a session of our own.
//!
//! It keeps no message. The outbox offers everything unacknowledged again after each connect; what the last connection
//! had in flight keeps its packet identifier and gets DUP if the session is still there (MQTT 5.0, 4.4).

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use rumqttc_next::mqttbytes::{Error, QoS, v5::*};
use tokio::{
    select,
    time::{Instant, sleep_until, timeout},
};

use super::{pipe::Pipe, reason_next as reason};
use crate::candidate::*;

#[derive(Default)]
pub struct OwnSession {
    pipe: Option<Pipe>,
    /// Packet identifier to outbox row: sent on this connection, no PUBACK yet.
    in_flight: HashMap<u16, Key>,
    /// The same of the connection before, until the outbox offers them again.
    resumed: HashMap<Key, u16>,
    last_id: u16,
    window: usize,
    maximum_packet: Option<u32>,
    keep_alive: Duration,
    /// When the next PINGREQ is due, and whether the last one is still unanswered.
    ping: Option<Instant>,
    unanswered: bool,
    events: VecDeque<Event>,
}

impl Candidate for OwnSession {
    const NAME: &'static str = "own session, codec of rumqttc-v5-next";
    const RESENDS: bool = false;

    async fn connect(&mut self, options: &ConnectOptions) -> Result<Connack, Failure> {
        self.pipe = None;
        self.events.clear();
        let result = timeout(options.timeout, self.handshake(options))
            .await
            .unwrap_or(Err(Failure::Timeout));
        if result.is_err() {
            self.pipe = None;
        }
        result
    }

    fn publish(&mut self, key: Key, topic: &str, payload: Bytes) -> Result<(), NotTaken> {
        // The window counts messages; the second limit keeps a hundred large ones from piling up in memory.
        let unsent = self.pipe.as_ref().map_or(0, |pipe| pipe.output.len());
        if self.in_flight.len() >= self.window || unsent > MAXIMUM_PACKET as usize {
            return Err(NotTaken::Busy);
        }
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload, None);
        let resumed = self.resumed.remove(&key);
        publish.dup = resumed.is_some();
        publish.pkid = resumed.unwrap_or_else(|| self.free_id());
        let id = publish.pkid;
        self.write(&Packet::Publish(publish)).map_err(|_| NotTaken::TooLarge)?;
        self.in_flight.insert(id, key);
        Ok(())
    }

    fn subscribe(&mut self, filter: &str) {
        let mut subscribe = Subscribe::new(SubscribeFilter::new(filter, QoS::AtLeastOnce), None);
        subscribe.pkid = self.free_id();
        // Filters are checked at the door: this one fits.
        let _ = self.write(&Packet::Subscribe(subscribe));
    }

    fn acknowledge(&mut self, handle: u16) {
        let _ = self.write(&Packet::PubAck(PubAck::new(handle, None)));
    }

    async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if let Some(packet) = self.read()? {
                self.take(packet)?;
                continue;
            }
            let Some(pipe) = self.pipe.as_mut() else {
                return Err(Failure::Dropped("not connected".into()));
            };
            let ping = self
                .ping
                .unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400));
            select! {
                moved = pipe.progress() => moved?,
                () = sleep_until(ping) => {
                    if std::mem::replace(&mut self.unanswered, true) {
                        return Err(Failure::Dropped("no PINGRESP".into()));
                    }
                    self.write(&Packet::PingReq).map_err(|error| Failure::Protocol(error.to_string()))?;
                    self.ping = Some(Instant::now() + self.keep_alive);
                }
            }
        }
    }

    async fn disconnect(&mut self, limit: Duration) -> Result<(), Failure> {
        let _ = self.write(&Packet::Disconnect(Disconnect::new(
            DisconnectReasonCode::NormalDisconnection,
        )));
        let Some(pipe) = self.pipe.take() else { return Ok(()) };
        timeout(limit, pipe.finish())
            .await
            .map_err(|_| Failure::Timeout)?
            .map_err(|error| super::pipe::dropped(&error))
    }
}

impl OwnSession {
    async fn handshake(&mut self, options: &ConnectOptions) -> Result<Connack, Failure> {
        self.pipe = Some(
            Pipe::open(options)
                .await
                .map_err(|error| super::pipe::dropped(&error))?,
        );
        self.maximum_packet = None;
        let will = LastWill {
            topic: WILL_TOPIC.into(),
            message: "offline".into(),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Some(super::will_properties_next()),
        };
        let connect = Connect {
            keep_alive: KEEP_ALIVE,
            client_id: CLIENT_ID.into(),
            clean_start: false,
            properties: Some(super::connect_properties_next()),
        };
        self.write(&Packet::Connect(connect, Some(will), ConnectAuth::None))
            .map_err(|error| Failure::Protocol(error.to_string()))?;
        let connack = loop {
            match self.read()? {
                Some(Packet::ConnAck(connack)) => break connack,
                Some(other) => return Err(Failure::Protocol(format!("expected CONNACK, got {other:?}"))),
                None => match self.pipe.as_mut() {
                    Some(pipe) => pipe.progress().await?,
                    None => return Err(Failure::Dropped("not connected".into())),
                },
            }
        };
        let granted = super::connack_next(&connack);
        if connack.code != ConnectReturnCode::Success {
            return Err(Failure::Refused {
                code: super::refusal_next(connack.code),
                reason: granted.reason,
            });
        }
        self.window = usize::from(granted.receive_maximum.unwrap_or(u16::MAX).min(WINDOW));
        self.maximum_packet = granted.maximum_packet_size;
        self.keep_alive = Duration::from_secs(granted.server_keep_alive.unwrap_or(KEEP_ALIVE).into());
        self.ping = (!self.keep_alive.is_zero()).then(|| Instant::now() + self.keep_alive);
        self.unanswered = false;
        if granted.session_present {
            self.resumed.extend(self.in_flight.drain().map(|(id, key)| (key, id)));
        } else {
            self.resumed.clear();
            self.in_flight.clear();
        }
        Ok(granted)
    }

    fn take(&mut self, packet: Packet) -> Result<(), Failure> {
        match packet {
            Packet::PubAck(puback) => {
                // A second PUBACK for the same identifier is the broker's slip, not a reason to drop the others.
                if let Some(key) = self.in_flight.remove(&puback.pkid) {
                    let reason = puback.properties.and_then(|properties| properties.reason_string);
                    self.events.push_back(Event::Acknowledged {
                        key,
                        code: reason::puback(puback.reason),
                        reason,
                    });
                }
            }
            Packet::Publish(publish) => {
                self.events.push_back(Event::Message {
                    handle: publish.pkid,
                    payload: publish.payload,
                });
            }
            Packet::SubAck(suback) => {
                let codes = suback.return_codes.iter().map(reason::suback).collect();
                self.events.push_back(Event::Subscribed(codes));
            }
            Packet::PingResp => self.unanswered = false,
            Packet::Disconnect(disconnect) => {
                let code = disconnect.reason_code as u8;
                let reason = disconnect.properties.and_then(|properties| properties.reason_string);
                return Err(Failure::Disconnected { code, reason });
            }
            other => return Err(Failure::Protocol(format!("unexpected {other:?}"))),
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Packet>, Failure> {
        let Some(pipe) = self.pipe.as_mut() else {
            return Ok(None);
        };
        match Packet::read(&mut pipe.input, Some(MAXIMUM_PACKET)) {
            Ok(packet) => Ok(Some(packet)),
            Err(Error::InsufficientBytes(_)) => Ok(None),
            Err(error) => Err(Failure::Protocol(error.to_string())),
        }
    }

    fn write(&mut self, packet: &Packet) -> Result<(), Error> {
        let Some(pipe) = self.pipe.as_mut() else { return Ok(()) };
        if let Some(ping) = self.ping.as_mut().filter(|_| !self.unanswered) {
            *ping = Instant::now() + self.keep_alive;
        }
        packet.write(&mut pipe.output, self.maximum_packet).map(drop)
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = self.last_id;
            if !self.in_flight.contains_key(&id) && !self.resumed.values().any(|resumed| *resumed == id) {
                return id;
            }
        }
    }
}
