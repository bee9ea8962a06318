//! State that both directions of a connection share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::connections::Connection;
use super::pace::Pace;
use super::packet_ids::PacketIds;
use crate::account::CertificateId;
use crate::cloud::Cloud;
use crate::mqtt::{Protocol, topic};
use crate::policy::{Context, Decision};

/// State that both directions of a connection share.
pub(super) struct Session {
    pub(super) cloud: Arc<Cloud>,
    pub(super) protocol: Protocol,
    pub(super) client_id: String,
    pub(super) certificate: CertificateId,
    pub(super) connection: Connection,
    /// `sessionIdentifier` of lifecycle events.
    pub(super) identifier: String,
    /// `versionNumber` of lifecycle events: the client's connections, counted.
    pub(super) version: u64,
    pub(super) silence: Duration,
    pub(super) session_expiry_limit: u32,
    /// The session was there before the connection, with subscriptions that this connection does not know.
    pub(super) is_resumed: bool,
    pub(super) state: Mutex<State>,
    pub(super) context: Context,
}

#[derive(Default)]
pub(super) struct State {
    /// QoS 1 messages from the client that have had no PUBACK.
    pub(super) unacknowledged: HashSet<u16>,
    /// Topic and payload of those whose acknowledgement is to be told.
    pub(super) to_tell: HashMap<u16, (String, Bytes)>,
    /// Packet identifiers of messages to the client.
    pub(super) packet_ids: PacketIds,
    pub(super) aliases: HashMap<u16, String>,
    pub(super) subscriptions: HashSet<String>,
    /// Each SUBSCRIBE under way.
    pub(super) subscribing: HashMap<u16, Subscribing>,
    /// The filters of each UNSUBSCRIBE under way.
    pub(super) unsubscribing: HashMap<u16, Vec<String>>,
    pub(super) packets: u64,
    pub(super) pace: Option<Pace>,
}

/// A SUBSCRIBE that the broker has been asked for.
pub(super) struct Subscribing {
    /// The code of each filter that the broker was not asked for.
    pub(super) refused: Vec<Option<u8>>,
    /// The filters that it was asked for.
    pub(super) filters: Vec<String>,
}

impl Session {
    /// Whether a subscription of the session matches this topic.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        let matches = |filter: &String| topic::matches(filter, topic);
        self.is_resumed || self.state.lock().subscriptions.iter().any(matches)
    }

    /// Tells the lifecycle event of these filters; `verb` is `subscribed` or `unsubscribed`.
    pub(super) fn tell_subscriptions(&self, verb: &str, filters: &[String]) {
        let lifecycle = &self.cloud.lifecycle;
        lifecycle.subscriptions(&self.connection, &self.identifier, verb, filters);
    }

    pub(super) fn decide(&self, action: &str, kind: &str, name: &str) -> Decision {
        self.cloud
            .decide(&self.client_id, &self.certificate, &self.context, action, (kind, name))
    }
}
