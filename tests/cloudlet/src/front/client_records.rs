//! A record of each client, as AWS IoT keeps it: the last connection and the subscriptions, for GetConnection and ListSubscriptions.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::SystemTime;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::end::Cause;
use crate::json::joined;

/// The records of all clients since the start.
#[derive(Debug, Default)]
pub(crate) struct ClientRecords(Mutex<HashMap<String, Record>>);

/// The properties of a connection.
#[derive(Debug, Clone)]
pub(super) struct Properties {
    pub(super) thing: Option<String>,
    pub(super) peer: SocketAddr,
    pub(super) is_persistent: bool,
    pub(super) keep_alive: u64,
    pub(super) session_expiry: u32,
}

#[derive(Debug)]
struct Record {
    properties: Properties,
    /// The number of the client's connection, which distinguishes the end of an older connection from that of the last one.
    version: u64,
    state: State,
    /// Filters with their QoS.
    subscriptions: BTreeMap<String, u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    ConnectedSince(SystemTime),
    DisconnectedSince(SystemTime, Cause),
}

impl ClientRecords {
    /// Records a connection. Subscriptions are kept if the session is resumed.
    pub(super) fn connected(&self, client_id: &str, properties: Properties, version: u64, is_resumed: bool) {
        let mut records = self.0.lock();
        let known = records.remove(client_id).filter(|_| is_resumed);
        let record = Record {
            properties,
            version,
            state: State::ConnectedSince(SystemTime::now()),
            subscriptions: known.map(|known| known.subscriptions).unwrap_or_default(),
        };
        records.insert(client_id.to_owned(), record);
    }

    /// Records the end of a connection, unless another one has replaced it.
    pub(super) fn disconnected(&self, client_id: &str, version: u64, cause: Cause) {
        if let Some(record) = self
            .0
            .lock()
            .get_mut(client_id)
            .filter(|record| record.version == version)
        {
            record.state = State::DisconnectedSince(SystemTime::now(), cause);
            if !record.properties.is_persistent {
                record.subscriptions.clear();
            }
        }
    }

    /// Records subscriptions with the QoS that was granted.
    pub(super) fn subscribed(&self, client_id: &str, filters: impl Iterator<Item = (String, u8)>) {
        if let Some(record) = self.0.lock().get_mut(client_id) {
            record.subscriptions.extend(filters.filter(|(_, qos)| *qos <= 1));
        }
    }

    /// Removes subscriptions.
    pub(super) fn unsubscribed(&self, client_id: &str, filters: &[String]) {
        if let Some(record) = self.0.lock().get_mut(client_id) {
            record.subscriptions.retain(|filter, _| !filters.contains(filter));
        }
    }

    /// Returns the response of GetConnection; `None` for a client that has never connected.
    pub(crate) fn connection(&self, client_id: &str, with_socket: bool) -> Option<Value> {
        let records = self.0.lock();
        let Record { properties, state, .. } = records.get(client_id)?;
        let state = match state {
            State::ConnectedSince(since) => json!({ "connected": true, "connectedSince": milliseconds(*since) }),
            State::DisconnectedSince(since, cause) => json!({
                "connected": false,
                "disconnectedSince": milliseconds(*since),
                "disconnectReason": cause.name(),
            }),
        };
        let socket = match with_socket {
            true => json!({ "sourceIp": properties.peer.ip(), "sourcePort": properties.peer.port() }),
            false => json!({}),
        };
        let more = json!({
            "clientId": client_id,
            "thingName": properties.thing,
            "cleanSession": !properties.is_persistent,
            "keepAliveDuration": properties.keep_alive,
            "sessionExpiry": properties.session_expiry,
        });
        Some(joined(joined(more, state), socket))
    }

    /// Returns the subscriptions of a client, in the form of ListSubscriptions; `None` for a client that has never connected.
    pub(crate) fn subscriptions(&self, client_id: &str) -> Option<Vec<Value>> {
        let records = self.0.lock();
        let subscriptions = records.get(client_id)?.subscriptions.iter();
        Some(
            subscriptions
                .map(|(filter, qos)| json!({ "topicFilter": filter, "qos": qos }))
                .collect(),
        )
    }
}

fn milliseconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(is_persistent: bool) -> Properties {
        Properties {
            thing: Some("gw".to_owned()),
            peer: ([127, 0, 0, 1], 7).into(),
            is_persistent,
            keep_alive: 60,
            session_expiry: 3600,
        }
    }

    fn filters(records: &ClientRecords) -> Vec<String> {
        let all = records.subscriptions("gw").unwrap();
        all.iter()
            .map(|one| format!("{} {}", one["topicFilter"], one["qos"]))
            .collect()
    }

    #[test]
    fn a_record_follows_the_connection_and_the_session() {
        let records = ClientRecords::default();
        assert!(records.connection("gw", true).is_none() && records.subscriptions("gw").is_none());
        records.connected("gw", properties(true), 0, false);
        let wanted = [("a/b".to_owned(), 1), ("c".to_owned(), 0), ("d".to_owned(), 0x87)];
        records.subscribed("gw", wanted.into_iter());
        assert_eq!(filters(&records), ["\"a/b\" 1", "\"c\" 0"]);
        records.unsubscribed("gw", &["c".to_owned()]);
        let found = records.connection("gw", true).unwrap();
        assert_eq!(
            (&found["connected"], &found["sourcePort"], &found["thingName"]),
            (&json!(true), &json!(7), &json!("gw"))
        );
        assert!(records.connection("gw", false).unwrap().get("sourceIp").is_none());

        // The end of a connection that was taken over is ignored.
        records.connected("gw", properties(true), 1, true);
        records.disconnected("gw", 0, Cause::DuplicateClientId);
        assert_eq!(records.connection("gw", false).unwrap()["connected"], true);
        records.disconnected("gw", 1, Cause::ConnectionLost);
        let found = records.connection("gw", false).unwrap();
        assert_eq!(
            (&found["connected"], &found["disconnectReason"]),
            (&json!(false), &json!("CONNECTION_LOST"))
        );
        assert_eq!(filters(&records), ["\"a/b\" 1"], "the session is kept");
        records.connected("gw", properties(false), 2, false);
        assert!(filters(&records).is_empty());
        assert_eq!(records.connection("gw", false).unwrap()["cleanSession"], true);
    }
}
