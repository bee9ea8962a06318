//! Lifecycle events, which AWS IoT publishes about clients (developer guide, life-cycle-events).

use std::time::SystemTime;

use serde_json::{Value, json};

use super::connections::Connection;
use super::end::Cause;
use super::service_publisher::ServicePublisher;
use crate::json::joined;

/// Publishes lifecycle events.
#[derive(Debug, Clone)]
pub(crate) struct Lifecycle(ServicePublisher);

impl Lifecycle {
    pub(crate) fn new(publisher: ServicePublisher) -> Self {
        Self(publisher)
    }

    pub(super) fn connected(&self, connection: &Connection, session: &str, version: u64) {
        let more = json!({ "ipAddress": connection.peer.ip(), "versionNumber": version });
        self.tell("presence", "connected", connection, session, more);
    }

    pub(super) fn disconnected(&self, connection: &Connection, session: &str, version: u64, cause: Cause) {
        let more = json!({
            "clientInitiatedDisconnect": cause == Cause::ClientInitiated,
            "disconnectReason": cause.name(),
            "versionNumber": version,
        });
        self.tell("presence", "disconnected", connection, session, more);
    }

    pub(super) fn connect_failed(&self, connection: &Connection, session: &str) {
        let more = json!({
            "ipAddress": connection.peer.ip(),
            "connectFailureReason": "AUTHORIZATION_FAILED",
        });
        self.tell("presence", "connect_failed", connection, session, more);
    }

    /// Publishes an event about subscriptions; `verb` is `subscribed` or `unsubscribed`.
    pub(super) fn subscriptions(&self, connection: &Connection, session: &str, verb: &str, topics: &[String]) {
        self.tell("subscriptions", verb, connection, session, json!({ "topics": topics }));
    }

    fn tell(&self, family: &str, kind: &str, connection: &Connection, session: &str, more: Value) {
        // developer guide, life-cycle-events: no events for client IDs that contain # or +.
        let client_id = &connection.client_id;
        if client_id.contains(['#', '+']) {
            return;
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let milliseconds = since.map_or(0, |since| since.as_millis());
        let event = json!({
            "clientId": client_id,
            "timestamp": u64::try_from(milliseconds).unwrap_or(u64::MAX),
            "eventType": kind,
            "sessionIdentifier": session,
            "principalIdentifier": connection.certificate,
        });
        let topic = format!("$aws/events/{family}/{kind}/{client_id}");
        self.0.publish_json(topic, &joined(event, more));
    }
}
