//! rumqttc-v5-next 0.34.0. `KEPT` is one event loop that reconnects by being polled again; otherwise each connection gets
//! a new one and the outbox is the only memory.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use rumqttc_next::{
    AckMode, AsyncClient, Broker, ConnectionError, Event as Polled, EventLoop, MqttOptions, PublishOptions,
    PublishResult, StateError, TlsConfiguration, Transport,
    mqttbytes::{QoS, v5::*},
};
use tokio::time::timeout;

use super::{reason_next as reason, rumqttc_next_session::Empty};
use crate::candidate::*;

type Notice = Pin<Box<dyn Future<Output = Option<PublishResult>>>>;

#[derive(Default)]
pub struct RumqttcNext<const KEPT: bool> {
    link: Option<(AsyncClient, EventLoop)>,
    notices: Vec<(Key, Notice)>,
    incoming: HashMap<u16, Publish>,
}

impl<const KEPT: bool> Candidate for RumqttcNext<KEPT> {
    const NAME: &'static str = if KEPT {
        "rumqttc-v5-next 0.34.0, one event loop"
    } else {
        "rumqttc-v5-next 0.34.0, event loop per connection"
    };
    const RESENDS: bool = KEPT;

    async fn connect(&mut self, options: &ConnectOptions) -> Result<Connack, Failure> {
        if self.link.is_none() || !KEPT {
            self.link = Some(
                AsyncClient::builder(mqtt_options(options))
                    .capacity(usize::from(WINDOW))
                    .build(),
            );
            self.notices.clear();
        }
        self.incoming.clear();
        loop {
            if let Polled::Incoming(Packet::ConnAck(connack)) = self.poll().await? {
                if !connack.session_present {
                    self.notices.clear();
                }
                return Ok(super::connack_next(&connack));
            }
        }
    }

    fn publish(&mut self, key: Key, topic: &str, payload: Bytes) -> Result<(), NotTaken> {
        let Some((client, _)) = &self.link else {
            return Err(NotTaken::Busy);
        };
        if self.notices.len() >= usize::from(WINDOW) {
            return Err(NotTaken::Busy);
        }
        let notice = client
            .try_publish_tracked(topic, payload, PublishOptions::new(QoS::AtLeastOnce))
            .map_err(|_| NotTaken::Busy)?;
        self.notices
            .push((key, Box::pin(async { notice.wait_async().await.ok() })));
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
            if let Some(event) = self.ready_notice() {
                return Ok(event);
            }
            match self.poll().await? {
                Polled::Incoming(Packet::Publish(publish)) => {
                    let (handle, payload) = (publish.pkid, publish.payload.clone());
                    self.incoming.insert(handle, publish);
                    return Ok(Event::Message { handle, payload });
                }
                Polled::Incoming(Packet::SubAck(suback)) => {
                    return Ok(Event::Subscribed(
                        suback.return_codes.iter().map(reason::suback).collect(),
                    ));
                }
                _ => {}
            }
        }
    }

    async fn disconnect(&mut self, limit: Duration) -> Result<(), Failure> {
        let Some((client, _)) = &self.link else { return Ok(()) };
        // `disconnect_now` overtakes what is queued; this one waits for the PUBACKs too.
        let disconnect = client.disconnect_with_timeout(limit);
        timeout(limit, disconnect)
            .await
            .map_err(|_| Failure::Timeout)?
            .map_err(|e| Failure::Protocol(e.to_string()))?;
        let flushed = async {
            loop {
                match self.poll().await {
                    Err(Failure::Protocol(text)) if text == "Requests done" => return Ok(()),
                    Err(other) => return Err(other),
                    Ok(_) => {}
                }
            }
        };
        let result = timeout(limit, flushed).await.unwrap_or(Err(Failure::Timeout));
        self.link = None;
        result
    }
}

impl<const KEPT: bool> RumqttcNext<KEPT> {
    async fn poll(&mut self) -> Result<Polled, Failure> {
        let Some((_, link)) = self.link.as_mut() else {
            return Err(Failure::Dropped("not connected".into()));
        };
        link.poll().await.map_err(failure)
    }

    /// A notice resolves inside `poll`, so there is nothing to be woken for; and a `select!` would cancel `poll`.
    fn ready_notice(&mut self) -> Option<Event> {
        let mut context = Context::from_waker(Waker::noop());
        for index in 0..self.notices.len() {
            let (key, notice) = &mut self.notices[index];
            if let Poll::Ready(result) = notice.as_mut().poll(&mut context) {
                let key = *key;
                drop(self.notices.swap_remove(index));
                // A notice that fails is no PUBACK: the message stays in the outbox.
                let Some(PublishResult::Qos1(puback)) = result else {
                    return self.ready_notice();
                };
                let reason = puback.properties.and_then(|properties| properties.reason_string);
                return Some(Event::Acknowledged {
                    key,
                    code: reason::puback(puback.reason),
                    reason,
                });
            }
        }
        None
    }
}

fn mqtt_options(options: &ConnectOptions) -> MqttOptions {
    let mut mqtt = MqttOptions::new(CLIENT_ID, Broker::tcp("localhost", options.address.port()));
    let mut will = LastWill::new(WILL_TOPIC, "offline", QoS::AtLeastOnce, false, None);
    will.properties = Some(super::will_properties_next());
    mqtt.set_keep_alive(KEEP_ALIVE)
        .set_clean_start(false)
        .set_connect_properties(super::connect_properties_next())
        .set_ack_mode(AckMode::Manual)
        .set_outgoing_inflight_upper_limit(WINDOW)
        .set_connect_timeout(options.timeout)
        .set_session_store(Empty)
        .set_last_will(will);
    if let Some(config) = &options.tls {
        mqtt.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(config))));
    }
    mqtt
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
        ConnectionError::ConnectionRefused(code) => Failure::Refused {
            code: super::refusal_next(code),
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
