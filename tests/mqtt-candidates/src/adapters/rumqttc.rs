//! rumqttc 0.25.1, v5. `KEPT` is the way its documentation shows: one event loop that reconnects by being polled again.
//! Otherwise each connection gets a new one and the outbox is the only memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rumqttc::{
    Outgoing, TlsConfiguration, Transport,
    v5::{
        AsyncClient, ConnectionError, Event as Polled, EventLoop, MqttOptions, StateError,
        mqttbytes::{QoS, v5::*},
    },
};
use tokio::time::timeout;

use crate::candidate::*;

#[derive(Default)]
pub struct Rumqttc<const KEPT: bool> {
    link: Option<(AsyncClient, EventLoop)>,
    /// The crate names a publish by its packet identifier, and tells it only when it is sent: in the order of the queue.
    queued: VecDeque<Key>,
    keys: HashMap<u16, Key>,
    incoming: HashMap<u16, Publish>,
}

impl<const KEPT: bool> Candidate for Rumqttc<KEPT> {
    const NAME: &'static str = if KEPT {
        "rumqttc 0.25.1, one event loop"
    } else {
        "rumqttc 0.25.1, event loop per connection"
    };
    const RESENDS: bool = KEPT;

    async fn connect(&mut self, options: &ConnectOptions) -> Result<Connack, Failure> {
        if self.link.is_none() || !KEPT {
            let (client, mut link) = AsyncClient::new(mqtt_options(options), usize::from(WINDOW));
            link.options.set_connection_timeout(options.timeout.as_secs());
            self.link = Some((client, link));
            self.queued.clear();
            self.keys.clear();
        }
        self.incoming.clear();
        loop {
            if let Polled::Incoming(Packet::ConnAck(connack)) = self.poll().await? {
                if !connack.session_present {
                    self.queued.clear();
                    self.keys.clear();
                }
                return Ok(granted(&connack));
            }
        }
    }

    fn publish(&mut self, key: Key, topic: &str, payload: Bytes) -> Result<(), NotTaken> {
        let Some((client, _)) = &self.link else {
            return Err(NotTaken::Busy);
        };
        if self.queued.len() + self.keys.len() >= usize::from(WINDOW) {
            return Err(NotTaken::Busy);
        }
        client
            .try_publish(topic, QoS::AtLeastOnce, false, payload)
            .map_err(|_| NotTaken::Busy)?;
        self.queued.push_back(key);
        Ok(())
    }

    fn subscribe(&mut self, filter: &str) {
        if let Some((client, _)) = &self.link {
            let _ = client.try_subscribe(filter, QoS::AtLeastOnce);
        }
    }

    fn acknowledge(&mut self, handle: u16) {
        if let (Some((client, _)), Some(publish)) = (&self.link, self.incoming.remove(&handle)) {
            let _ = client.try_ack(&publish);
        }
    }

    async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            match self.poll().await? {
                Polled::Outgoing(Outgoing::Publish(id)) => {
                    // A packet identifier that is known already is sent again.
                    if !self.keys.contains_key(&id)
                        && let Some(key) = self.queued.pop_front()
                    {
                        self.keys.insert(id, key);
                    }
                }
                Polled::Incoming(Packet::PubAck(puback)) => {
                    let Some(key) = self.keys.remove(&puback.pkid) else {
                        continue;
                    };
                    let reason = puback.properties.and_then(|properties| properties.reason_string);
                    let code = match puback.reason {
                        PubAckReason::Success => 0x00,
                        PubAckReason::NotAuthorized => 0x87,
                        _ => 0x80,
                    };
                    return Ok(Event::Acknowledged { key, code, reason });
                }
                Polled::Incoming(Packet::Publish(publish)) => {
                    let (handle, payload) = (publish.pkid, publish.payload.clone());
                    self.incoming.insert(handle, publish);
                    return Ok(Event::Message { handle, payload });
                }
                Polled::Incoming(Packet::SubAck(suback)) => {
                    let codes = suback.return_codes.iter().map(|code| match code {
                        SubscribeReasonCode::Success(qos) => *qos as u8,
                        SubscribeReasonCode::NotAuthorized => 0x87,
                        _ => 0x80,
                    });
                    return Ok(Event::Subscribed(codes.collect()));
                }
                _ => {}
            }
        }
    }

    async fn disconnect(&mut self, limit: Duration) -> Result<(), Failure> {
        let Some((client, _)) = &self.link else { return Ok(()) };
        client
            .try_disconnect()
            .map_err(|error| Failure::Protocol(error.to_string()))?;
        let flushed = async {
            while !matches!(self.poll().await?, Polled::Outgoing(Outgoing::Disconnect)) {}
            Ok(())
        };
        let result = timeout(limit, flushed).await.unwrap_or(Err(Failure::Timeout));
        self.link = None;
        result
    }
}

impl<const KEPT: bool> Rumqttc<KEPT> {
    async fn poll(&mut self) -> Result<Polled, Failure> {
        let Some((_, link)) = self.link.as_mut() else {
            return Err(Failure::Dropped("not connected".into()));
        };
        link.poll().await.map_err(failure)
    }
}

fn mqtt_options(options: &ConnectOptions) -> MqttOptions {
    let mut mqtt = MqttOptions::new(CLIENT_ID, "localhost", options.address.port());
    let mut will = LastWill::new(WILL_TOPIC, "offline", QoS::AtLeastOnce, false, None);
    will.properties = Some(LastWillProperties {
        delay_interval: Some(WILL_DELAY),
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    });
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = Some(SESSION_EXPIRY);
    properties.receive_maximum = Some(RECEIVE_MAXIMUM);
    properties.max_packet_size = Some(MAXIMUM_PACKET);
    mqtt.set_keep_alive(Duration::from_secs(KEEP_ALIVE.into()))
        .set_clean_start(false)
        .set_connect_properties(properties)
        .set_manual_acks(true)
        .set_outgoing_inflight_upper_limit(WINDOW)
        .set_last_will(will);
    if let Some(config) = &options.tls {
        mqtt.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(config))));
    }
    mqtt
}

fn granted(connack: &ConnAck) -> Connack {
    let granted = connack.properties.as_ref();
    Connack {
        session_present: connack.session_present,
        session_expiry: granted.and_then(|granted| granted.session_expiry_interval),
        receive_maximum: granted.and_then(|granted| granted.receive_max),
        maximum_packet_size: granted.and_then(|granted| granted.max_packet_size),
        server_keep_alive: granted.and_then(|granted| granted.server_keep_alive),
        reason: granted.and_then(|granted| granted.reason_string.clone()),
    }
}

fn failure(error: ConnectionError) -> Failure {
    match error {
        ConnectionError::Timeout(_) => Failure::Timeout,
        ConnectionError::Io(error) => Failure::Dropped(format!("io::ErrorKind::{:?}", error.kind())),
        ConnectionError::MqttState(StateError::Io(error)) => {
            Failure::Dropped(format!("StateError::Io, io::ErrorKind::{:?}", error.kind()))
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => Failure::Dropped("ConnectionAborted".into()),
        ConnectionError::MqttState(StateError::AwaitPingResp) => Failure::Dropped("AwaitPingResp".into()),
        ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized) => Failure::Refused {
            code: 0x87,
            reason: None,
        },
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code,
            reason_string,
        }) => Failure::Disconnected {
            code: reason_code as u8,
            reason: reason_string,
        },
        other => Failure::Protocol(other.to_string()),
    }
}
